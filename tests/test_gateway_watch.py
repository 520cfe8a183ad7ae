"""Files of rules and the configuration are looked at again and again: what changed is read again, what is broken is not taken."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from gateway_server import Watched

from masking.files import mark_of
from masking.gateway import Gateway, Server
from masking.gateway.settingsfile import Source, read_settings
from masking.gateway.watch import Watch

ASK = "my numbers are ord-12345 and inv-67890, and so on and so forth, please"


def category(pattern: str, more: str = "") -> str:
    return (
        "category: Mine\nversion: '1'\nabout: {en: Orders, zh: 订单}\nrules:\n"
        f"  - id: order\n    entity: ORDER\n    about: {{en: Order, zh: 订单}}\n    pattern: '{pattern}'\n"
        f"    hits: ['see {pattern[:3]}-12']\n    misses: ['nothing']\n{more}"
    )


TERMS = (
    "  - id: word\n    entity: WORD\n    about: {en: Word, zh: 词}\n    terms_files: [words.txt]\n"
    "    hits: ['see zebra']\n    misses: ['nothing']\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Mine.yaml").write_text(category(r"ord-\d+"))
    (tmp_path / "Other.yaml").write_text(category(r"inv-\d+").replace("category: Mine", "category: Other"))
    (tmp_path / "gateway.yaml").write_text(config(tmp_path))
    return tmp_path


def config(folder: Path, name: str = "Mine", more: str = "watch: 0.05") -> str:
    return f"category: {folder / name}.yaml\nnames: off\nlisten: {{port: 0}}\n{more}\n"


@pytest.fixture
def upstream() -> Watched:
    return Watched(pace=0.01)


@pytest.fixture
def server(folder: Path, upstream: Watched) -> Iterator[Server]:
    file = folder / "gateway.yaml"
    source = Source(file, lambda: read_settings(file))
    with Server(gateway=Gateway(source.read(), upstreams={"echo": upstream}, source=source)) as server:
        yield server


def until(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def counted(server: Server, outcome: str) -> float:
    """How often it was read again."""
    page = httpx.get(f"{server.url}/metrics").text
    name = f'masking_reloads_total{{outcome="{outcome}"}} '
    return next((float(line.removeprefix(name)) for line in page.splitlines() if line.startswith(name)), 0.0)


def sent(server: Server, upstream: Watched, text: str = ASK) -> str:
    """What of a text leaves."""
    body = {"model": "m", "messages": [{"role": "user", "content": text}]}
    assert text in httpx.post(f"{server.url}/v1/chat/completions", json=body).json()["choices"][0]["message"]["content"]
    return str(json.loads(upstream.seen[-1].body)["messages"][0]["content"])


def test_rules_that_changed_are_read_again_and_a_stream_keeps_its_own(
    server: Server, folder: Path, upstream: Watched
) -> None:
    body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": ASK}]}
    said = ""
    with httpx.stream("POST", f"{server.url}/v1/chat/completions", json=body) as answer:
        for number, line in enumerate(answer.iter_lines()):
            if number == 4:
                (folder / "Mine.yaml").write_text(category(r"inv-\d+"))
                assert until(lambda: counted(server, "done") == 1)
            if line.startswith("data: {"):
                said += json.loads(line[6:])["choices"][0]["delta"].get("content") or ""

    assert ASK in said
    assert "ord-12345" not in upstream.text
    assert sent(server, upstream) == ASK.replace("inv-67890", "<ORDER_1>")


def test_a_broken_file_is_refused_once_and_the_old_rules_go_on(
    server: Server, folder: Path, upstream: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "Mine.yaml").write_text("category: Mine\nrules: [{id: x, pattern: '('}]\n")
    assert until(lambda: counted(server, "refused") == 1)
    time.sleep(0.3)

    assert counted(server, "refused") == 1
    assert "the rules stay as they are" in caplog.text
    assert sent(server, upstream) == ASK.replace("ord-12345", "<ORDER_1>")
    (folder / "Mine.yaml").write_text(category(r"inv-\d+"))
    assert until(lambda: counted(server, "done") == 1)
    assert sent(server, upstream) == ASK.replace("inv-67890", "<ORDER_1>")


def test_a_rule_file_that_is_gone_is_refused(server: Server, folder: Path, upstream: Watched) -> None:
    (folder / "Mine.yaml").unlink()

    assert until(lambda: counted(server, "refused") == 1)
    assert sent(server, upstream) == ASK.replace("ord-12345", "<ORDER_1>")


def test_what_a_category_names_is_looked_at_too(server: Server, folder: Path, upstream: Watched) -> None:
    (folder / "words.txt").write_text("zebra\n")
    (folder / "Mine.yaml").write_text(category(r"ord-\d+", TERMS))
    assert until(lambda: counted(server, "done") == 1)
    assert sent(server, upstream, "a zebra and a giraffe") == "a <WORD_1> and a giraffe"
    time.sleep(0.3)
    assert counted(server, "done") == 1
    (folder / "words.txt").write_text("zebra\ngiraffe\n")

    assert until(lambda: counted(server, "done") == 2)
    assert sent(server, upstream, "a zebra and a giraffe") == "a <WORD_1> and a <WORD_2>"


def test_the_configuration_is_read_again(server: Server, folder: Path, upstream: Watched) -> None:
    (folder / "gateway.yaml").write_text(config(folder, "Other", "watch: 0.05\nroutes: {openai: {}}"))
    assert until(lambda: counted(server, "done") == 1)

    assert sent(server, upstream) == ASK.replace("inv-67890", "<ORDER_1>")
    assert httpx.post(f"{server.url}/api/chat", json={}).status_code == 404


@pytest.mark.parametrize(
    "more",
    [
        "limits: {body: 1}",
        "audit: {path: a.jsonl}",
        "vault: {ttl: 5}",
        "routes: {openai: {upstream: nobody}}",
        "nonsense: 1",
    ],
)
def test_a_configuration_that_cannot_be_taken_over_is_refused_as_a_whole(
    server: Server, folder: Path, upstream: Watched, more: str
) -> None:
    (folder / "gateway.yaml").write_text(config(folder, "Other", f"watch: 0.05\n{more}"))
    assert until(lambda: counted(server, "refused") == 1)

    assert sent(server, upstream) == ASK.replace("ord-12345", "<ORDER_1>")


def test_without_watching_nothing_is_read_again_until_it_is_asked_for(folder: Path, upstream: Watched) -> None:
    file = folder / "gateway.yaml"
    file.write_text(config(folder, more=""))
    source = Source(file, lambda: read_settings(file))
    with Server(gateway=Gateway(source.read(), upstreams={"echo": upstream}, source=source)) as server:
        (folder / "Mine.yaml").write_text(category(r"inv-\d+"))
        time.sleep(0.3)
        assert sent(server, upstream) == ASK.replace("ord-12345", "<ORDER_1>")
        assert server.reload()
        assert sent(server, upstream) == ASK.replace("inv-67890", "<ORDER_1>")
        assert counted(server, "done") == 1


def test_clients_that_are_named_anew_are_known_and_nonces_are_remembered(
    folder: Path, upstream: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONE_KEY", "sk-one")
    monkeypatch.setenv("TWO_KEY", "sk-two")
    file = folder / "gateway.yaml"
    one = "clients: [{name: one, keys: [{env: ONE_KEY}]}]"
    file.write_text(config(folder, more=one))
    source = Source(file, lambda: read_settings(file))
    with Server(gateway=Gateway(source.read(), upstreams={"echo": upstream}, source=source)) as server:

        def status(key: str) -> int:
            headers = {"authorization": f"Bearer {key}"}
            return httpx.post(
                f"{server.url}/v1/chat/completions", json={"model": "m", "messages": []}, headers=headers
            ).status_code

        assert (status("sk-one"), status("sk-two")) == (200, 401)
        file.write_text(config(folder, more="clients: [{name: two, keys: [{env: TWO_KEY}]}]"))
        nonces = server.gateway._nonces
        assert server.reload()
        assert (status("sk-one"), status("sk-two")) == (401, 200)
        assert server.gateway._nonces is nonces


def test_a_change_is_told_once_and_when_it_is_still(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("a")
    files = {one: mark_of(one), two: None}
    watch = Watch()

    assert [watch.look(files) for _ in range(3)] == [False, False, False]
    one.write_text("ab")
    assert not watch.look(files), "it may be in the middle of it"
    one.write_text("abc")
    assert [watch.look(files) for _ in range(3)] == [False, True, False]
    files[one] = mark_of(one)
    assert [watch.look(files) for _ in range(3)] == [False, False, False]
    two.write_text("it appears")
    assert [watch.look(files) for _ in range(3)] == [False, True, False]
    two.unlink()
    assert [watch.look(files) for _ in range(3)] == [False, False, False], "as it was read"
    other = tmp_path / "other"
    other.write_text("xyz")
    stat = one.stat()
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    other.replace(one)  # as editors save: another file of the same size and time
    assert [watch.look(files) for _ in range(3)] == [False, True, False]
