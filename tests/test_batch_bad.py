"""Bad input and bad circumstances: told clearly, nothing lost, nothing raw written."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import zstandard
from test_batch import KEY, MOBILES, batch, chat, quiet, write

MAIL = "zhang.san@example.com"
GOOD = json.dumps({"said": MAIL}).encode()
BAD_ROWS = {
    "invalid UTF-8": (b'{"said": "\xff\xfe"}', "not UTF-8 at byte"),
    "cut off": (b'{"said": "' + MAIL.encode(), "not JSON"),
    "the same key twice": (b'{"said": "x", "said": "' + MAIL.encode() + b'"}', "same key twice"),
    "NaN": (b'{"said": "x", "score": NaN}', "NaN"),
    "Infinity": (b'{"said": "x", "score": -Infinity}', "Infinity"),
    "nested too deep": (b"[" * 100_000 + b"]" * 100_000, "nested too deep"),
    "a key that holds a value": (b'{"' + MAIL.encode() + b'": 1}', "object key"),
    "a number without end": (b'{"n": ' + b"1" * 5000 + b"}", "too long"),
    "two values": (GOOD + b" " + GOOD, "not JSON"),
}


def out_bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "key")


@pytest.mark.parametrize("name", BAD_ROWS)
def test_a_bad_row_is_refused_by_its_place_or_left_out_and_listed(tmp_path: Path, name: str) -> None:
    row, why = BAD_ROWS[name]
    source = tmp_path / "x.jsonl"
    source.write_bytes(GOOD + b"\n" + row + b"\n" + GOOD + b"\n")
    refused = batch(source, "-o", tmp_path / "one", "--names", "off")
    assert refused.exit_code
    assert "row 2 " in str(refused.exception)
    assert why in str(refused.exception)
    assert MAIL not in str(refused.exception)
    left = batch(source, "-o", tmp_path / "two", "--names", "off", "--on-error", "quarantine")
    assert left.exit_code == 1
    assert len((tmp_path / "two" / "x.jsonl").read_bytes().splitlines()) == 2
    place = json.loads((tmp_path / "two" / "_masking" / "quarantine" / "x.jsonl.jsonl").read_bytes())
    assert (place["row"], place["byte"], place["length"]) == (2, len(GOOD) + 1, len(row) + 1)
    for folder in ("one", "two"):
        assert MAIL.encode() not in out_bytes(tmp_path / folder)


def test_rows_of_other_shapes_in_one_file_are_masked_too(tmp_path: Path) -> None:
    rows = [
        chat(0),
        {"text": MAIL},
        [MAIL, {"deep": [MAIL]}],
        MAIL,
        13800138000,
        None,
        {"conversations": MAIL},
        chat(3),
    ]
    source = write(tmp_path / "x.jsonl", rows)
    quiet(source, "-o", tmp_path / "out")
    masked = (tmp_path / "out" / "x.jsonl").read_text("utf-8")
    assert len(masked.splitlines()) == len(rows)
    assert MAIL not in masked
    assert "1380013800" not in masked


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_stream_that_is_cut_off_is_refused_or_kept_as_far_as_it_goes(tmp_path: Path, suffix: str) -> None:
    data = b"".join(json.dumps(chat(n, f"{MAIL} {os.urandom(40).hex()}")).encode() + b"\n" for n in range(4000))
    whole = gzip.compress(data) if suffix == ".gz" else zstandard.ZstdCompressor().compress(data)
    source = tmp_path / f"x.jsonl{suffix}"
    source.write_bytes(whole[: len(whole) * 2 // 3])
    refused = batch(source, "-o", tmp_path / "one", "--names", "off")
    assert "cut off" in str(refused.exception)
    assert not (tmp_path / "one" / source.name).exists()
    kept = batch(source, "-o", tmp_path / "two", "--names", "off", "--on-error", "quarantine")
    assert kept.exit_code == 1
    packed = (tmp_path / "two" / source.name).read_bytes()
    text = gzip.decompress(packed) if suffix == ".gz" else zstandard.ZstdDecompressor().stream_reader(packed).read()
    assert text.startswith(b"{")
    assert MAIL.encode() not in text


def test_a_broken_stream_and_utf_16_are_told_of(tmp_path: Path) -> None:
    for name, data, why in (
        ("a.jsonl.gz", b"not gzip at all", "broken"),
        ("b.jsonl", GOOD.decode().encode("utf-16"), "UTF-16"),
        ("c.csv", "a,b\n1,2\n".encode("utf-16"), "UTF-16"),
    ):
        (tmp_path / name).write_bytes(data)
        assert why in str(batch(tmp_path / name, "-o", tmp_path / f"out {name}", "--names", "off").exception)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc, which is not here")
def test_a_line_of_200_mb_is_passed_over_in_bounded_memory(tmp_path: Path) -> None:
    source = tmp_path / "x.jsonl"
    with source.open("wb") as file:
        file.write(GOOD + b'\n{"said": "')
        for _ in range(200):
            file.write(b"x" * (1 << 20))
        file.write(b'"}\n' + GOOD + b"\n")
    program = """
import re, sys
from pathlib import Path
from masking.batch import Job, run
from masking.batch.rows import Settings
job = Job((sys.argv[1],), Path(sys.argv[2]), Settings(("UserInfo",), names="off"), on_error="quarantine", workers=1)
quarantined = run(job).quarantined
# Not ru_maxrss: that begins with what the process that started this one held.
print(quarantined, re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(source), str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    quarantined, kilobytes = map(int, done.stdout.split())
    assert quarantined == 1
    assert kilobytes < 500_000
    assert len((tmp_path / "out" / "x.jsonl").read_bytes().splitlines()) == 2


def test_folders_that_do_not_go_together_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    source = write(tmp_path / "in" / "x.jsonl", [chat(0)])
    theirs = write(tmp_path / "theirs" / "precious.txt", ["x"]).parent
    for output, why in (
        (theirs, "no `masking batch` has written"),
        (tmp_path / "in", "inside the input"),
        (tmp_path / "in" / "out", "inside the input"),
        (tmp_path, "inside the output"),
        (source, "inside the"),
    ):
        before = sorted(tmp_path.rglob("*"))
        result = batch(tmp_path / "in", "-o", output, "--names", "off")
        assert why in str(result.exception), output
        assert sorted(tmp_path.rglob("*")) == before


def test_inputs_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    one, two = write(tmp_path / "a" / "x.jsonl", [chat(0)]), write(tmp_path / "b" / "x.jsonl", [chat(3)])
    (tmp_path / "x.doc").write_bytes(b"")
    for inputs, why in (
        ((one, two), "both be written"),
        ((tmp_path / "x.doc",), "--format"),
        ((tmp_path / "nothing",), "no file or folder"),
        ((tmp_path / "*.nothing",), "no file matches"),
    ):
        assert why in str(batch(*inputs, "-o", tmp_path / "out", "--names", "off").exception)


def test_another_key_category_or_mapping_than_the_folder_was_begun_with_is_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "x.jsonl", [chat(0)])
    for number in (1, 2):
        (tmp_path / f"key{number}").write_bytes(KEY + str(number).encode())
    first = ["--key-file", tmp_path / "key1", "--names", "off"]
    assert batch(source, "-o", tmp_path / "out", *first).exit_code == 0
    for changed, why in (
        (["--key-file", tmp_path / "key2", "--names", "off"], "the key is not the one"),
        (["--names", "off"], "key"),
        ([*first, "-c", "Minimal"], "category"),
        ([*first, "--mapping", "irreversible"], "--mapping has changed"),
        ([*first, "--opaque", "n"], "--opaque has changed"),
    ):
        result = batch(source, "-o", tmp_path / "out", *changed)
        assert why in str(result.exception), changed
        assert KEY.decode() not in str(result.exception)


def test_a_short_key_is_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "x.jsonl", [chat(0)])
    (tmp_path / "key").write_bytes(b"too short")
    assert "at least 16" in str(batch(source, "-o", tmp_path / "out", "--key-file", tmp_path / "key").exception)
    assert "urandom" in str(batch(source, "-o", tmp_path / "out", "--key-file", tmp_path / "none").exception)


def test_an_input_that_changed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASKING_KEY", KEY.decode())
    source = write(tmp_path / "x.jsonl", [chat(0)])
    quiet(source, "-o", tmp_path / "out")
    os.utime(source, (1, 1))  # touched and the same: nothing to do
    quiet(source, "-o", tmp_path / "out")
    write(source, [chat(3)])
    assert "has changed" in str(batch(source, "-o", tmp_path / "out", "--names", "off").exception)


def _program(source: Path, output: Path, *, limit: int = 0) -> subprocess.Popen[str]:
    program = f"""
import resource, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell puts in the background ignores it
if {limit}: resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
from masking.cli import main
sys.argv = ["masking", "batch", {str(source)!r}, "-o", {str(output)!r}, "--names", "off", "-w", "2"]
main()
"""
    return subprocess.Popen(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "MASKING_KEY": KEY.decode()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_when_the_disk_is_full_the_same_command_goes_on_later(tmp_path: Path) -> None:
    source = write(tmp_path / "x.jsonl", map(chat, range(20_000)))
    with _program(source, tmp_path / "out", limit=1_500_000) as run:
        _, complaint = run.communicate()
    assert run.returncode == 2, complaint
    assert "goes on" in complaint
    assert not (tmp_path / "out" / "x.jsonl").exists()
    with _program(source, tmp_path / "out") as run:
        _, complaint = run.communicate()
    assert run.returncode == 0, complaint
    assert len((tmp_path / "out" / "x.jsonl").read_bytes().splitlines()) == 20_000


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_stops_and_says_how_to_go_on(tmp_path: Path) -> None:
    source = write(tmp_path / "x.jsonl", map(chat, range(240_000)))
    with _program(source, tmp_path / "out") as run:
        for _ in range(600):
            journal = tmp_path / "out" / "_masking" / "journal.jsonl"
            if journal.exists() and journal.read_bytes().count(b"\n") > 1:
                break
            time.sleep(0.05)
        run.send_signal(signal.SIGINT)
        _, complaint = run.communicate(timeout=60)
    assert run.returncode == 2
    assert "goes on from there" in complaint
    assert "Traceback" not in complaint
    assert not (tmp_path / "out" / "x.jsonl").exists()


def test_a_second_run_into_the_same_folder_is_refused_while_the_first_goes_on(tmp_path: Path) -> None:
    from masking.batch.journal import Lock

    source = write(tmp_path / "x.jsonl", [chat(0)])
    (tmp_path / "out" / "_masking").mkdir(parents=True)
    with Lock(tmp_path / "out" / "_masking"):
        assert "another run" in str(batch(source, "-o", tmp_path / "out", "--names", "off").exception)


def test_a_dry_run_counts_by_path_shows_no_value_and_writes_nothing(tmp_path: Path) -> None:
    source = write(tmp_path / "x.jsonl", [{**chat(0), "note": MAIL}])
    result = batch(source, "-o", tmp_path / "out", "--names", "off", "--dry-run", "--opaque", "note")
    assert result.exit_code == 0
    assert not (tmp_path / "out").exists()
    lines = {line.split()[0]: line for line in result.output.splitlines()}
    assert lines["messages[*].content"].split()[1:] == ["text", "2", "PHONE_NUMBER", "1"]
    assert lines["note"].split()[1:] == ["opaque", "1", "EMAIL_ADDRESS", "1"]
    assert MAIL not in result.output
    assert MOBILES[0] not in result.output


def test_a_parquet_file_that_cannot_be_read_is_listed_and_the_others_go_on(tmp_path: Path) -> None:
    write(tmp_path / "in" / "x.jsonl", [chat(0)])
    (tmp_path / "in" / "a.parquet").write_bytes(b"PAR1")
    result = batch(tmp_path / "in", "-o", tmp_path / "out", "--names", "off", "--on-error", "quarantine")
    assert result.exit_code == 1
    assert not (tmp_path / "out" / "a.parquet").exists()
    assert (tmp_path / "out" / "x.jsonl").exists()
    files = {
        one["name"]: one for one in json.loads((tmp_path / "out" / "_masking" / "manifest.json").read_bytes())["files"]
    }
    assert "not a Parquet file" in files["a.parquet"]["damage"]


def test_the_same_command_after_the_end_does_nothing_and_a_new_file_needs_a_key(tmp_path: Path) -> None:
    write(tmp_path / "in" / "x.jsonl", [chat(0)])
    quiet(tmp_path / "in", "-o", tmp_path / "out")
    before = (tmp_path / "out" / "x.jsonl").read_bytes()
    assert quiet(tmp_path / "in", "-o", tmp_path / "out")["totals"]["rows"] == 1
    assert (tmp_path / "out" / "x.jsonl").read_bytes() == before
    write(tmp_path / "in" / "y.jsonl", [chat(0)])
    result = batch(tmp_path / "in", "-o", tmp_path / "out", "--names", "off")
    assert "is gone" in str(result.exception)


def test_an_output_that_was_removed_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASKING_KEY", KEY.decode())
    source = write(tmp_path / "x.jsonl", [chat(0)])
    quiet(source, "-o", tmp_path / "out")
    before = (tmp_path / "out" / "x.jsonl").read_bytes()
    (tmp_path / "out" / "x.jsonl").unlink()
    quiet(source, "-o", tmp_path / "out")
    assert (tmp_path / "out" / "x.jsonl").read_bytes() == before


def test_a_half_written_output_that_somebody_changed_is_not_built_upon(tmp_path: Path) -> None:
    source = write(tmp_path / "x.jsonl", map(chat, range(9_000)))
    with source.open("ab") as file:
        file.write(b"{")
    assert "row 9001" in str(batch(source, "-o", tmp_path / "out", "--names", "off").exception)
    partial = tmp_path / "out" / "_masking" / "partial"
    data = bytearray(partial.read_bytes())
    assert data
    data[10] ^= 1
    partial.write_bytes(data)
    assert "somebody has changed it" in str(batch(source, "-o", tmp_path / "out", "--names", "off").exception)


def test_a_bad_row_that_is_mended_lets_the_same_command_go_on(tmp_path: Path) -> None:
    source = write(tmp_path / "x.jsonl", map(chat, range(9_000)))
    with source.open("ab") as file:
        file.write(b"{")
    assert batch(source, "-o", tmp_path / "out", "--names", "off").exit_code
    with source.open("ab") as file:
        file.write(b"}\n")
    summary = quiet(source, "-o", tmp_path / "out")
    assert summary["resumed"]
    assert summary["totals"]["rows"] == 9_001


@pytest.mark.parametrize(("name", "package"), [("x.parquet", "pyarrow"), ("x.jsonl.zst", "zstandard")])
def test_a_format_whose_package_is_missing_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    (tmp_path / name).write_bytes(b"")
    monkeypatch.setattr("masking.batch.source.find_spec", lambda wanted: None)
    result = batch(tmp_path / name, "-o", tmp_path / "out", "--names", "off")
    assert package in str(result.exception)
    assert "masking-pipeline[batch]" in str(result.exception)
