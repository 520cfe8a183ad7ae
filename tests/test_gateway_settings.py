"""The configuration: what is wrong with a file is told by line, and the reference page names every key."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from gateway_server import serving

from masking.core.errors import ConfigurationError
from masking.gateway.settingsfile import read_settings

KEY = "keys: [{env: SHOP_KEY}]"

MISTAKES = [
    ("catgory: UserInfo", "1: catgory: no such key; did you mean category?"),
    ("\nlisten:\n  prot: 80", "3: listen.prot: no such key; did you mean port?"),
    ("listen: {port: 99999}", "1: listen.port: "),
    ("upstreams: {q: {api: opneai}}", "1: upstreams.q.api: should be 'echo'"),
    ("upstreams: {q: {api: openai, url: 'ftp://x'}}", "1: upstreams.q: url begins with http"),
    ("upstreams: {q: {api: openai, kye: {env: X}}}", "1: upstreams.q.kye: no such key; did you mean key?"),
    ("upstreams: {q: {api: dms}}", "1: upstreams.q: masking breaks the client's signature"),
    ("upstreams: {q: {api: echo, url: 'http://x'}}", "1: upstreams.q: echo is on this machine"),
    ("\n\nroutes:\n  openai: {upstream: nobody}", "4: routes.openai.upstream: there is no 'nobody'"),
    ("routes: {dms: {upstream: direct}}", "1: routes.dms: signed anew"),
    ("routes: {opnai: {}}", "1: routes.opnai: "),
    ("upstreams: {q: {api: gemini}}\nroutes: {openai: {upstream: q}}", "2: routes.openai: its upstream speaks gemini"),
    ("routes: {openai: {allow_unmasked: true}}", "1: routes.openai: allow_unmasked is for dms alone"),
    (f"clients: [{{name: a b, {KEY}}}]", "1: clients.0.name: "),
    (f"clients: [{{name: a, {KEY}}}, {{name: a, {KEY}}}]", "1: clients: two have the same name"),
    ("clients: [{name: a}]", "1: clients.0: give keys or access_keys"),
    ("clients: [{name: a, keys: [sk-secret]}]", "1: clients.0.keys.0: write {env: NAME} or {file: PATH}"),
    ("clients: [{name: a, keys: [{env: A, file: B}]}]", "1: clients.0.keys.0: name one of env and file"),
    ("listen: {host: 0.0.0.0}", "1: listen: beyond this machine, but no clients are named"),
    ("listen: {certificate: c.pem}", "1: listen: certificate and key go together"),
    ("studio: {path: /v1}", "1: studio.path: an API is served there"),
    ("limits: {body: 0}", "1: limits.body: "),
    ("a: 1\na: 2", "2: "),
    ("- a", "1: the file holds no mapping"),
]


@pytest.mark.parametrize(("text", "told"), MISTAKES, ids=[text for text, _ in MISTAKES])
def test_a_mistake_is_told_by_its_line(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as raised:
        read_settings(file)

    assert str(raised.value).startswith(f"{file}:{told}")
    assert "sk-secret" not in str(raised.value)


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text("nmaes: off\nlisten:\n  prot: 1\n")
    with pytest.raises(ConfigurationError) as raised:
        read_settings(file)

    lines = str(raised.value).splitlines()
    assert [line.split(":")[1] for line in lines] == ["1", "3"]


def check(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    import os

    command = [sys.executable, "-c", "from masking.cli import main; main()", "serve", "--check", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=False)


def test_check_reads_secrets_and_says_what_is_missing(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text("names: off\nupstreams: {q: {api: openai, key: {env: Q_KEY}}}\nroutes: {openai: {upstream: q}}\n")
    missing = check(str(file), "--json")
    there = check(str(file), Q_KEY="sk-1")

    assert missing.returncode == 1
    assert json.loads(missing.stdout)["problems"] == [
        "a secret is missing: the environment variable Q_KEY is empty or not set"
    ]
    assert (there.returncode, there.stdout) == (0, f"{file}: in order\n")


def test_the_gateways_own_pages() -> None:
    with serving(studio={"path": "/studio"}) as server:
        pages = {path: httpx.get(server.url + path) for path in ("/healthz", "/readyz", "/metrics", "/studio/")}
        moved = httpx.get(f"{server.url}/studio")

    assert [page.status_code for page in pages.values()] == [200] * 4
    assert "masking_category_info" in pages["/metrics"].text
    assert moved.headers["location"] == "/studio/"


def test_what_is_noted_holds_counts_and_no_value(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    body = {"model": "m", "messages": [{"role": "user", "content": "13800138000, 13800138000, ann@example.com"}]}
    with serving(audit={"path": str(log)}) as server:
        httpx.post(f"{server.url}/v1/chat/completions", json=body)
        httpx.post(f"{server.url}/v1/chat/completions", content=b"{")
        httpx.post(f"{server.url}/v1/files")
        metrics = httpx.get(f"{server.url}/metrics").text
    lines: list[dict[str, Any]] = [json.loads(line) for line in log.read_text().splitlines()]
    noted = [line for line in lines if line["event"] == "request"]

    assert [line["decision"] for line in noted] == ["masked", "refused", "refused"]
    assert noted[0]["route"] == "openai"
    assert noted[0]["category"] == "UserInfo"
    assert sum(noted[0]["rules"].values()) == 3
    assert [line.get("code") for line in noted[1:]] == ["unmaskable", "unknown_route"]
    assert "13800138000" not in log.read_text() + metrics
    assert 'masking_findings_total{entity="PHONE_NUMBER"} 2.0' in metrics
    assert 'masking_refusals_total{reason="unmaskable",route="openai"} 1.0' in metrics


def test_nothing_leaves_that_cannot_be_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gateway_server import Watched

    from masking.gateway.audit import AuditError, AuditLog

    upstream = Watched()
    with serving(upstream, audit={"path": str(tmp_path / "audit.jsonl")}) as server:

        async def record(self: AuditLog, fields: Any) -> None:
            raise AuditError("disk full")

        monkeypatch.setattr(AuditLog, "record", record)
        answer = httpx.post(f"{server.url}/v1/chat/completions", json={"model": "m", "messages": []})

    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "audit_down")
    assert not upstream.seen
