"""Descriptors of one's own, and the page and the reference that describe them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from masking import Masker
from masking.core.descriptor import Route
from masking.core.errors import ConfigurationError, ProviderError
from masking.files import read_descriptors

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "how-to" / "add-a-provider.md").read_text("utf-8")
MINE = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0]


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    file = tmp_path / "mine.yaml"
    file.write_text(MINE, "utf-8")
    return file


def test_the_page_shows_a_whole_descriptor_in_fifteen_lines() -> None:
    assert len(MINE.strip().splitlines()) <= 15


def test_a_descriptor_of_ones_own_is_used_by_transports_and_the_decorator(mine: Path) -> None:
    masker = Masker("UserInfo", names="off", providers=[mine])
    seen: list[dict[str, Any]] = []

    def gateway(request: httpx.Request) -> httpx.Response:
        seen.append(json.loads(request.content))
        question = seen[-1]["question"]
        lines = [{"piece": question[:9]}, {"piece": question[9:]}, {"piece": "", "end": True}]
        data = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        return httpx.Response(200, headers={"content-type": "application/x-ndjson"}, content=data.encode())

    with masker.client(transport=httpx.MockTransport(gateway)) as client:
        body = {"team": "13800138000", "question": "我的手机号是13812345678"}
        reply = client.post("https://example.com/llm/v2/ask", json=body)

    assert seen == [{"team": "13800138000", "question": "我的手机号是<PHONE_NUMBER_1>"}]
    assert "".join(json.loads(line)["piece"] for line in reply.text.splitlines()) == "我的手机号是13812345678"
    assert masker.descriptors.named("acme.ask") is not None
    assert masker.descriptors.named("openai.chat") is not None


def test_a_folder_of_descriptors_is_read(mine: Path) -> None:
    assert read_descriptors(mine.parent).named("acme.ask") is not None
    assert read_descriptors(str(mine.parent)).named("acme.ask") is not None
    assert read_descriptors().named("acme.ask") is None


def test_ones_own_descriptor_comes_first_and_replaces_one_of_the_same_name(tmp_path: Path) -> None:
    sample = "samples: [{name: n, values: {}, response: {a: 1}, restored: {a: 1}}]\n"
    (tmp_path / "a.yaml").write_text('id: a.chat\nabout: {en: a}\nmatch: {path: "*/chat/completions"}\n' + sample)
    (tmp_path / "b.yaml").write_text('id: openai.embeddings\nabout: {en: b}\nmatch: {path: "*/vectors"}\n' + sample)
    descriptors = read_descriptors(tmp_path)

    def picked(path: str) -> str | None:
        found = descriptors.pick(Route("POST", "h", path))
        return found.id if found else None

    assert picked("/v1/chat/completions") == "a.chat"
    assert picked("/v1/vectors") == "openai.embeddings"
    assert picked("/v1/embeddings") is None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(('"It is "}', '"It was "}'), "sample 'an answer' does not come out as it says, from event 1", id="sample"),
        pytest.param(("text: piece", "text: peice"), r"sample 'an answer' does not", id="a mistyped lane"),
        pytest.param(("{text: piece, close: end}", "{text: piece, close: end}, {text: other}"), r"lane 2 \(other\) finds text in none", id="unseen lane"),
        pytest.param(("opaque: [team,", "opaque: [question,"), "sample 'a question' does not come out", id="too much opaque"),
        pytest.param(("framing: ndjson", "framing: bedrock"), r"mine\.yaml:7: acme\.ask: stream\.framing: input", id="unknown framing"),
    ],
)  # fmt: skip
def test_a_wrong_descriptor_is_refused_when_it_is_read(mine: Path, change: tuple[str, str], says: str) -> None:
    assert change[0] in MINE
    mine.write_text(MINE.replace(*change), "utf-8")
    with pytest.raises(ProviderError, match=says) as caught:
        Masker("UserInfo", names="off", providers=[mine])

    assert caught.value.file == str(mine)
    assert "13800138000" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match=r"none\.yaml: No such file"):
        read_descriptors(tmp_path / "none.yaml")
    with pytest.raises(ConfigurationError, match=r"bad\.yaml: it is not UTF-8"):
        read_descriptors(tmp_path / "bad.yaml")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigurationError, match="holds no provider descriptor"):
        read_descriptors(tmp_path / "empty")


def test_the_reference_is_current() -> None:
    script = ROOT / "scripts" / "descriptor_reference.py"
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "")


def test_the_benchmark_times_every_descriptor_that_streams() -> None:
    script = [sys.executable, str(ROOT / "benchmarks" / "bench_events.py"), "--events", "5", "--category", "", "--json"]
    done = subprocess.run(
        script, capture_output=True, text=True, check=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    rows = json.loads(done.stdout)["rows"]

    assert {row["descriptor"] for row in rows} == {one.id for one in read_descriptors() if one.lanes}
    assert all(0 < row["pass"] < row["quiet"] for row in rows)
