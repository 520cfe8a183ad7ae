"""The audit log: whatever is removed, edited, exchanged or cut off is found, and no line is lost silently."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from masking.cli.audit import command
from masking.core.errors import ConfigurationError
from masking.gateway.audit import AuditError, AuditLog
from masking.gateway.chain import Head, files_of, read_head, tail_of, verify

KEY = b"0123456789abcdef"
ROOT = Path(__file__).parents[1]


def line(number: int) -> dict[str, Any]:
    return {
        "event": "request",
        "client": "shop",
        "route": "openai",
        "rules": {"cn.mobile": number},
        "decision": "masked",
    }


def written(path: Path, count: int = 6, **options: Any) -> list[bytes]:
    with AuditLog(path, **options) as log:
        for number in range(count):
            log.write(line(number))
    return path.read_bytes().splitlines(keepends=True)


def problems(path: Path, key: bytes | None = None, known: tuple[Head, ...] = ()) -> list[str]:
    head = read_head(path.with_name(path.name + ".head"), key, check=True)
    return [one.what for one in verify(files_of(path), key=key, head=head, known=known).problems]


@pytest.mark.parametrize("key", [None, KEY])
def test_lines_are_json_numbered_and_chained(tmp_path: Path, key: bytes | None) -> None:
    lines = written(tmp_path / "a.jsonl", key=key, now=lambda: 1_700_000_000.5)
    read = [json.loads(one) for one in lines]

    assert [one["seq"] for one in read] == [1, 2, 3, 4, 5, 6]
    assert [one["prev"] for one in read[1:]] == [one["hash"] for one in read[:-1]]
    assert read[0]["time"] == "2023-11-14T22:13:20.500Z"
    assert read[3]["rules"] == {"cn.mobile": 3}
    assert problems(tmp_path / "a.jsonl", key) == []


def edit(lines: list[bytes], at: int, old: bytes, new: bytes) -> list[bytes]:
    assert old in lines[at]
    return [*lines[:at], lines[at].replace(old, new), *lines[at + 1 :]]


def rehash(one: bytes, **fields: Any) -> bytes:
    """A line changed by somebody who knows how lines are made, but has no key."""
    from masking.gateway.chain import line_of

    read = json.loads(one) | fields
    kept = {name: value for name, value in read.items() if name not in ("seq", "time", "prev", "hash")}
    return line_of(Head(read["seq"] - 1, read["prev"]), 0, kept, None)[1]


CHANGES = {
    "the first is gone": (lambda lines: lines[1:], None),
    "one is gone": (lambda lines: [*lines[:2], *lines[3:]], "1 lines were removed: 2 is followed by 4"),
    "three are gone": (lambda lines: [*lines[:1], *lines[4:]], "3 lines were removed: 1 is followed by 5"),
    "the last is gone": (lambda lines: lines[:-1], "the end was cut off: the last line is number 5"),
    "all are gone": (lambda lines: [], "the end was cut off"),
    "the last is half gone": (lambda lines: [*lines[:-1], lines[-1][:40]], "unfinished"),
    "two are exchanged": (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], "exchanged or added"),
    "one is there twice": (lambda lines: [lines[0], lines[0], *lines[1:]], "exchanged or added"),
    "one is edited": (lambda lines: edit(lines, 2, b"masked", b"clean!"), "number 3 was edited"),
    "a space is added": (lambda lines: edit(lines, 2, b'"rules":{', b'"rules": {'), "number 3 was edited"),
    "the last is edited": (lambda lines: edit(lines, 5, b"shop", b"flop"), "number 6 was edited"),
    "a time is edited": (lambda lines: edit(lines, 1, b'"time":"2', b'"time":"1'), "number 2 was edited"),
    "one is edited and hashed again": (
        lambda lines: [*lines[:2], rehash(lines[2], client="flop"), *lines[3:]],
        "the chain is broken",
    ),
    "the last is edited and hashed again": (
        lambda lines: [*lines[:-1], rehash(lines[-1], client="flop")],
        "another than the head",
    ),
    "noise is added": (lambda lines: [*lines[:3], b"hello\n", *lines[3:]], "unreadable"),
    "a number is edited": (lambda lines: edit(lines, 2, b'"seq":3', b'"seq":4'), "was edited"),
    "JSON that is no line": (lambda lines: [*lines[:3], b'{"seq":4}\n', *lines[4:]], "unreadable"),
}  # fmt: skip


@pytest.mark.parametrize("key", [None, KEY], ids=["without key", "with key"])
@pytest.mark.parametrize("name", CHANGES)
def test_whatever_is_changed_is_found(tmp_path: Path, name: str, key: bytes | None) -> None:
    path = tmp_path / "a.jsonl"
    change, what = CHANGES[name]
    lines = written(path, key=key)
    path.write_bytes(b"".join(change(lines)))

    found = problems(path, key)
    if (
        what is None
    ):  # a file may begin anywhere: older ones were archived. The command says which lines it has not seen
        assert found == []
        assert verify([path], key=key).first == 2
    else:
        assert any(what in one or "was edited" in one for one in found), found


@given(st.data())
def test_no_byte_can_be_changed(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("audit") / "a.jsonl"
    whole = bytearray(b"".join(written(path, 3, sync="never")))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 127))
    path.write_bytes(bytes(whole))

    assert problems(path)


def test_a_chain_made_anew_is_found_by_the_key_or_by_a_head_that_was_noted(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    written(path, key=KEY)
    noted, _ = tail_of(path)
    assert noted is not None
    for file in tmp_path.iterdir():
        file.unlink()
    written(path, 8)

    assert problems(path) == []
    assert any("another than the head" in one for one in problems(path, known=(noted,)))
    with pytest.raises(ConfigurationError, match="not written with this key"):
        problems(path, KEY)


def test_a_restart_goes_on_with_the_chain(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    for count in (3, 1, 0, 2):
        written(path, count, key=KEY)

    assert [json.loads(one)["seq"] for one in path.read_bytes().splitlines()] == [1, 2, 3, 4, 5, 6]
    assert problems(path, KEY) == []


def test_a_log_that_was_cut_while_nobody_wrote_stays_suspect(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    lines = written(path)
    path.write_bytes(b"".join(lines[:3]))
    written(path, 4)

    assert any("the end was cut off before this line: there was a number 6" in one for one in problems(path))


def test_files_that_grow_are_followed_by_new_ones(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    written(path, 40, rotate=2_000)
    files = files_of(path)

    assert len(files) > 3
    assert all(file.stat().st_size < 2_600 for file in files)
    assert problems(path) == []
    assert verify(files).lines == 40
    files[1].unlink()
    assert any("lines were removed" in one for one in problems(path))


def test_a_file_that_was_moved_away_is_followed_by_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with AuditLog(path) as log:
        log.write(line(1))
        path.rename(tmp_path / "a.jsonl.1")
        log.write(line(2))
        path.rename(tmp_path / "a.jsonl.2")
    written(path, 1)

    assert [json.loads(file.read_bytes())["seq"] for file in files_of(path)] == [1, 2, 3]
    assert problems(path) == []


def test_many_writers_at_once_make_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"

    async def many(log: AuditLog) -> None:
        await asyncio.gather(*(log.record(line(number)) for number in range(200)))

    with AuditLog(path) as log:
        threads = [threading.Thread(target=lambda: [log.write(line(one)) for one in range(20)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        asyncio.run(many(log))
        log.note(line(0))
        for thread in threads:
            thread.join()

    assert verify([path]).lines == 281
    assert problems(path) == []


def test_a_line_is_in_the_file_before_its_writer_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with AuditLog(path) as log:
        for number in range(1, 10):
            log.write(line(number))
            assert path.read_bytes().count(b"\n") == number


def test_two_processes_cannot_write_one_file(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "a.jsonl"), pytest.raises(ConfigurationError, match="another process"):
        AuditLog(tmp_path / "a.jsonl")
    AuditLog(tmp_path / "a.jsonl").close()


@pytest.mark.parametrize("content", [b"a shopping list\n", b'{"seq": 1}\n', b"\0" * 100 + b"\n"])
def test_a_file_that_is_no_audit_log_is_left_alone(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.jsonl").write_bytes(content)

    with pytest.raises(ConfigurationError, match="none of an audit log"):
        AuditLog(tmp_path / "a.jsonl")
    assert (tmp_path / "a.jsonl").read_bytes() == content


def test_a_folder_that_is_not_there_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot open"):
        AuditLog(tmp_path / "no" / "a.jsonl")


def test_what_cannot_be_a_line_is_refused(tmp_path: Path) -> None:
    with AuditLog(tmp_path / "a.jsonl") as log:
        with pytest.raises(ConfigurationError, match="by itself"):
            log.write({"seq": 7})
        with pytest.raises(AuditError):
            log.write({"what": object()})
        log.write(line(1))
    with pytest.raises(AuditError, match="closed"):
        log.write(line(1))
    assert problems(tmp_path / "a.jsonl") == []


_WRITER = """
import sys
from masking.gateway.audit import AuditLog
log = AuditLog(sys.argv[1], sync=sys.argv[2])
number = 0
while True:
    number += 1
    log.write({"event": "request", "number": number})
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
"""


@pytest.mark.parametrize("sync", ["always", "second", "never"])
def test_a_killed_writer_leaves_a_chain_that_goes_on(tmp_path: Path, sync: str) -> None:
    path = tmp_path / "a.jsonl"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command_ = [sys.executable, "-c", _WRITER, str(path), sync]
    for _ in range(3):
        with subprocess.Popen(command_, env=environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            seen = [int(process.stdout.readline()) for _ in range(30)]
            process.send_signal(signal.SIGKILL)
            seen += [int(one) for one in process.stdout.read().splitlines()]
        numbers = [json.loads(one)["number"] for one in path.read_bytes().splitlines() if b'"number"' in one]
        assert seen[-1] in numbers[-2:]

    assert problems(path) == []


def test_a_torn_line_is_taken_away_and_told(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    lines = written(path)
    path.write_bytes(b"".join(lines) + b'{"seq":7,"time":"2026')
    assert problems(path) == ["the line is unfinished: a crash, or cut off"]
    written(path, 1)

    read = [json.loads(one) for one in path.read_bytes().splitlines()]
    assert (read[6]["event"], read[6]["torn_bytes"]) == ("recovered", 21)
    assert problems(path) == []


_FULL = """
import json, resource, signal, sys
from masking.gateway.audit import AuditError, AuditLog
path, mode = sys.argv[1:]
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
log = AuditLog(path, on_failure=mode)
refused = written = 0
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
for number in range(30):
    try:
        log.write({"number": number})
        written += 1
    except AuditError as error:
        refused += 1
        message = str(error)
try:
    log.check()
    ready = True
except AuditError:
    ready = False
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
log.write({"event": "after"})
log.check()
log.close()
print(json.dumps({"refused": refused, "written": written, "lost": log.lost, "ready": ready}))
"""


@pytest.mark.parametrize("mode", ["refuse", "continue"])
def test_a_full_disk_is_never_passed_over_in_silence(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.jsonl"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command_ = [sys.executable, "-c", _FULL, str(path), mode]
    done = subprocess.run(command_, env=environment, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    read = [json.loads(one) for one in path.read_bytes().splitlines()]
    kept = [one["number"] for one in read if "number" in one]

    assert 0 < len(kept) < 30
    assert not told["ready"]
    assert problems(path) == []
    assert read[-1]["event"] == "after"
    if mode == "refuse":
        assert (told["refused"], told["lost"]) == (30 - len(kept), 0)
    else:
        assert told["refused"] == 0
        lost = [one["lost"] for one in read if one.get("event") == "gap"]
        assert lost == [told["lost"]]
        assert "cannot be written: File too large" in done.stderr
        assert told["lost"] >= 30 - len(kept)


# The command


def run(*arguments: str, key: bytes | None = None) -> tuple[int, str]:
    environment = {"MASKING_AUDIT_KEY": key.decode() if key else ""}
    result = CliRunner(env=environment).invoke(command, list(arguments))
    if result.exception and not isinstance(result.exception, SystemExit):
        return 2, str(result.exception)
    return result.exit_code, result.output


def test_the_command_says_what_is_whole_and_what_it_cannot_know(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    written(path, 40, rotate=2_000)
    code, said = run("verify", str(path))

    assert code == 0
    assert "40 lines, 1 to 40: the chain is whole" in said
    assert "made this chain anew" in said
    files_of(path)[0].unlink()
    code, said = run("verify", str(path))
    assert code == 0
    assert "are not in these files" in said
    code, said = run("verify", "--only", str(path), "--json")
    assert json.loads(said)["last"] == 40


def test_the_command_fails_for_a_changed_log(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    lines = written(path, key=KEY)
    code, head = run("head", str(path))
    assert code == 0
    assert run("verify", str(path), "--known", head.strip(), key=KEY)[0] == 0
    path.write_bytes(b"".join([*lines[:2], *lines[3:]]))
    code, said = run("verify", str(path), key=KEY)

    assert code == 1
    assert "1 lines were removed" in said
    assert "NOT whole" in said
    code, said = run("verify", "--json", str(path), key=KEY)
    assert code == 1
    assert json.loads(said)["problems"][0]["line"] == 3


def test_the_command_needs_the_right_key_and_the_head(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    written(path, key=KEY)

    assert run("verify", str(path), key=KEY)[0] == 0
    assert run("verify", str(path))[0] == 1
    assert run("verify", str(path), key=b"another key")[0] == 1
    (tmp_path / "a.jsonl.head").unlink()
    code, said = run("verify", str(path), key=KEY)
    assert code == 1
    assert "whether the end was cut off cannot be told" in said


def test_the_command_cannot_run_without_a_file(tmp_path: Path) -> None:
    assert run("verify", str(tmp_path / "no"))[0] == 2
    assert run("head", str(tmp_path / "no"))[0] == 2
    written(tmp_path / "a.jsonl", 1)
    assert run("verify", "--known", "7", str(tmp_path / "a.jsonl"))[0] == 2
