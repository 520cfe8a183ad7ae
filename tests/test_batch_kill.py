"""A run that is killed at any moment goes on: no row is lost, none doubled, nothing raw is left behind."""

from __future__ import annotations

import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

ROWS = 1_500
KILLS = int(os.environ.get("MASKING_KILLS", "12"))
PROGRAM = """
import sys
from masking.batch import Job, run
from masking.batch.rows import Settings
from pathlib import Path
settings = Settings(("UserInfo",), names="off", key=b"a key for tests, not a secret one")
summary = run(Job((sys.argv[1],), Path(sys.argv[2]), settings, workers=int(sys.argv[3]), block=4096))
print(summary.totals["rows"])
"""


def _row(number: int) -> dict[str, object]:
    return {"id": number, "messages": [{"role": "user", "content": f"第{number}位的电话是138{number:08d}。"}]}


def _inputs(folder: Path) -> Path:
    folder.mkdir()
    lines = [json.dumps(_row(number), ensure_ascii=False) + "\n" for number in range(ROWS)]
    half = ROWS // 2
    (folder / "a.jsonl").write_text("".join(lines[:half]), "utf-8")
    (folder / "b.jsonl.gz").write_bytes(gzip.compress("".join(lines[half:]).encode()))
    rows = [_row(number) for number in range(ROWS, ROWS + 600)]
    pq.write_table(pa.Table.from_pylist(rows), folder / "c.parquet", row_group_size=40)
    return folder


def _start(source: Path, output: Path, workers: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(source), str(output), str(workers)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _lines(output: Path) -> int:
    journal = output / "_masking" / "journal.jsonl"
    try:
        return journal.read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def _comes_to(run: subprocess.Popen[bytes], output: Path, lines: int, after: float) -> bool:
    """Wait until the journal has so many lines, and a little more; False when the run is over before."""
    while run.poll() is None:
        if _lines(output) > lines:
            time.sleep(after)
            return run.poll() is None
        time.sleep(0.001)
    return False


def _everything(output: Path) -> bytes:
    plain = (output / "a.jsonl").read_bytes()
    table = pq.read_table(output / "c.parquet").to_pylist()
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in table)
    return plain + gzip.decompress((output / "b.jsonl.gz").read_bytes()) + lines.encode()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("workers", [1, 2])
def test_killed_at_random_moments_a_run_loses_and_doubles_no_row(
    tmp_path: Path, workers: int, capsys: pytest.CaptureFixture[str]
) -> None:
    source = _inputs(tmp_path / "in")
    untouched, output = tmp_path / "untouched", tmp_path / "out"
    with _start(source, untouched, workers) as run:
        assert run.wait() == 0
    chance = random.Random(20_261_122 + workers)
    kills = finished = 0
    for _ in range(KILLS):
        with _start(source, output, workers) as run:
            if _comes_to(run, output, _lines(output) + chance.randrange(12), chance.uniform(0, 0.03)):
                run.send_signal(signal.SIGKILL)
                kills += 1
            else:
                finished += 1
            run.communicate()
        for file in output.rglob("*") if output.exists() else ():
            assert not file.is_file() or b"\xe7\x9a\x84\xe7\x94\xb5\xe8\xaf\x9d\xe6\x98\xaf138" not in file.read_bytes()
        if (output / "_masking" / "manifest.json").exists():  # done: begin again, so that every kill hits a run
            assert _everything(output) == _everything(untouched)
            output = tmp_path / f"out{kills}"
    with _start(source, output, workers) as last:
        said, complaint = last.communicate()
    assert last.returncode == 0, complaint.decode()
    assert int(said) == ROWS + 600
    assert _everything(output) == _everything(untouched)
    rows = [json.loads(line)["id"] for line in _everything(output).splitlines()]
    assert rows == list(range(ROWS + 600))
    assert kills >= KILLS // 2
    with capsys.disabled():
        sys.stdout.write(f"\n{workers} workers: killed {kills} times, {finished} runs were done first\n")
