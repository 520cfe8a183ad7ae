"""What masking logs costs: rows and bytes a second and core, beside Presidio on the same rows in the same run.

    python benchmarks/bench_batch.py                 a table
    python benchmarks/bench_batch.py --json          one JSON object
    python benchmarks/bench_batch.py --names on      with the name models, which must be installed
    python benchmarks/bench_batch.py --peers         with other packages, where they are installed
    python benchmarks/bench_batch.py --memory 2000   peak memory on a file of that many megabytes instead

Presidio runs as its users run it over records: BatchAnalyzerEngine and BatchAnonymizerEngine over lists of texts, with
all default pattern recognisers, the NoOp NLP engine and one process. Both get the texts of the same rows, in turns. The
first figure of ours is one worker, JSON in and JSON out; the scaling is of whole runs of `masking batch`, start
included, on as many cores as are idle.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import orjson
from make_logs import rows, write
from peers import BATCHES, Texts, presidio_engine

from masking.batch.cut import Block
from masking.batch.rows import Layout, Rows, Settings

ROUNDS = 5
SHARE = 24  # of our rows, Presidio gets one of so many: it is that much slower
KEY = b"a key for measurements, no secret"


def ours(category: str, names: Any) -> Callable[[bytes], object]:
    """A block of JSONL masked as a worker does it."""
    worker = Rows(Settings((category,), names=names, key=KEY))
    layout = Layout("jsonl", "", "openai.chat")
    return lambda data: worker.mask(Block(data, 1, len(data), ""), layout)


def presidio() -> Callable[[bytes], object]:
    """The same block with Presidio's batch engines."""
    from presidio_analyzer import BatchAnalyzerEngine
    from presidio_anonymizer import BatchAnonymizerEngine

    analyzer = BatchAnalyzerEngine(presidio_engine())
    anonymizer = BatchAnonymizerEngine()

    def act(data: bytes) -> object:
        docs = [orjson.loads(line) for line in data.splitlines()]
        texts = [turn["content"] for doc in docs for turn in doc["messages"]]
        found = list(analyzer.analyze_iterator(texts, language="en"))
        masked = iter(anonymizer.anonymize_list(texts, found))
        for doc in docs:
            for turn in doc["messages"]:
                turn["content"] = next(masked)
        return b"".join(orjson.dumps(doc) + b"\n" for doc in docs)

    return act


def peer(mask: Texts) -> Callable[[bytes], object]:
    """The same block with another package's way of masking many texts."""

    def act(data: bytes) -> object:
        docs = [orjson.loads(line) for line in data.splitlines()]
        masked = iter(mask([turn["content"] for doc in docs for turn in doc["messages"]]))
        for doc in docs:
            for turn in doc["messages"]:
                turn["content"] = next(masked)
        return b"".join(orjson.dumps(doc) + b"\n" for doc in docs)

    return act


def seconds(act: Callable[[bytes], object], data: bytes) -> float:
    """Process seconds, those of threads included."""
    begun = time.process_time()
    act(data)
    return time.process_time() - begun


def paired(category: str, names: str, count: int, peers: bool) -> dict[str, Any]:
    """Rows a second and core, medians of rounds in which everybody has a turn; nobody sees a row twice."""
    actors: dict[str, tuple[Callable[[bytes], object], int]] = {"masking": (ours(category, names), count)}
    actors["presidio"] = (presidio(), max(count // SHARE, 1))
    absent: dict[str, str] = {}
    for one in BATCHES if peers else ():
        ready = one.ready()
        if isinstance(ready, str):
            absent[one.name] = ready
        else:
            actors[one.name] = (peer(ready), max(count // SHARE, 1))
    source = rows(20_261_122)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in actors}
    for number in range(ROUNDS + 1):
        for name, (act, size) in actors.items():
            data = b"".join(next(source) for _ in range(size))
            took = seconds(act, data)
            if number:  # the first round warms up
                found[name].append((size / took, len(data) / took / 1e6))
    medians = {
        name: {"rows": statistics.median(one for one, _ in got), "megabytes": statistics.median(one for _, one in got)}
        for name, got in found.items()
    }
    ratios = [a[0] / b[0] for a, b in zip(found["masking"], found["presidio"], strict=True)]
    return {"per second and core": medians, "times presidio": statistics.median(ratios), "not measured": absent}


_RUN = """
import resource, sys, time
from pathlib import Path
from masking.batch import Job, run
from masking.batch.rows import Settings
if __name__ == "__main__":
    source, output, category, names, workers = sys.argv[1:]
    begun = time.monotonic()
    settings = Settings((category,), names=names, key=b"a key for measurements, no secret")
    summary = run(Job((source,), Path(output), settings, workers=int(workers)))
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    below = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(summary.totals["rows"], time.monotonic() - begun, own, below)
"""


def whole_run(source: Path, output: Path, category: str, names: str, workers: int) -> dict[str, float]:
    """One run of `masking batch` in a process of its own: rows, seconds, and peak memory in MB of each process."""
    script = output.parent / "run.py"
    script.write_text(_RUN, "utf-8")
    done = subprocess.run(
        [sys.executable, str(script), str(source), str(output), category, names, str(workers)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])},
    )
    count, took, own, below = map(float, done.stdout.split())
    return {"rows": count, "seconds": took, "first process MB": own / 1024, "largest worker MB": below / 1024}


def scaling(category: str, names: str, megabytes: float, folder: Path) -> dict[str, Any]:
    """Whole runs with one worker and with two, and whether their outputs are the same."""
    source = folder / "logs.jsonl"
    write(source, 11, size=int(megabytes * 1e6))
    runs = {workers: whole_run(source, folder / f"out{workers}", category, names, workers) for workers in (1, 2)}
    same = (folder / "out1" / source.name).read_bytes() == (folder / "out2" / source.name).read_bytes()
    return {"runs": runs, "speed-up": runs[1]["seconds"] / runs[2]["seconds"], "same output": same}


def memory(category: str, megabytes: float, folder: Path) -> dict[str, Any]:
    """Peak memory on a large file, patterns only, on all cores."""
    source = folder / "logs.jsonl"
    write(source, 13, size=int(megabytes * 1e6))
    result = whole_run(source, folder / "out", category, "off", len(os.sched_getaffinity(0)))
    return {"megabytes": source.stat().st_size / 1e6, **result}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--peers", action="store_true", help="measure other packages too, where they are installed")
    parser.add_argument("--category", default="UserInfo")
    parser.add_argument("--names", choices=["on", "off"], default="off")
    parser.add_argument("--rows", type=int, default=1200, help="ours in a round")
    parser.add_argument("--megabytes", type=float, default=24, help="of the file for the scaling")
    parser.add_argument("--memory", type=float, default=0, metavar="MEGABYTES")
    given = parser.parse_args()
    result: dict[str, Any] = {
        "machine": platform.machine(),
        "python": platform.python_version(),
        "category": given.category,
        "names": given.names,
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if given.memory:
            result["memory"] = memory(given.category, given.memory, folder)
        else:
            result["paired"] = paired(given.category, given.names, given.rows, given.peers)
            result["scaling"] = scaling(given.category, given.names, given.megabytes, folder)
    if given.json:
        print(json.dumps(result, indent=2))
        return
    show(result)


def show(result: dict[str, Any]) -> None:
    print(f"{result['machine']}, Python {result['python']}, {result['category']}, names {result['names']}\n")
    if "memory" in result:
        one = result["memory"]
        print(f"{one['megabytes']:,.0f} MB, {one['rows']:,.0f} rows in {one['seconds']:,.0f} s")
        print(f"peak memory: {one['first process MB']:.0f} MB, each worker at most {one['largest worker MB']:.0f} MB")
        return
    print(f"{'per second and core':<28}{'rows':>10}{'MB':>8}")
    for name, one in result["paired"]["per second and core"].items():
        print(f"{name:<28}{one['rows']:>10,.0f}{one['megabytes']:>8.2f}")
    print(f"{'times Presidio':<28}{result['paired']['times presidio']:>10.0f}")
    for name, why in result["paired"]["not measured"].items():
        print(f"{name:<28}{why}")
    print(f"\n{'whole runs':<28}{'rows/s':>10}{'MB RSS':>8}")
    for workers, one in result["scaling"]["runs"].items():
        peak = max(one["first process MB"], one["largest worker MB"])
        print(f"{f'{workers} workers':<28}{one['rows'] / one['seconds']:>10,.0f}{peak:>8.0f}")
    same = "the same" if result["scaling"]["same output"] else "DIFFERENT"
    print(f"{'speed-up':<28}{result['scaling']['speed-up']:>10.2f}    outputs: {same}")


if __name__ == "__main__":
    main()
