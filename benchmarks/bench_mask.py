"""What masking one message costs, beside Presidio's pattern recognisers on the same messages in the same run.

    python benchmarks/bench_mask.py            a table
    python benchmarks/bench_mask.py --json     one JSON object

Presidio runs as its users run it without a language model: AnalyzerEngine with all default recognisers, the NoOp NLP
engine, and AnonymizerEngine. Every message is a new text (a running number stands in it), so nothing is remembered.
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

from peers import presidio_engine

from masking import Masker

ROUNDS = 7
MESSAGES = {
    "Chinese, personal data": "第{}封：您好，我叫王建国，手机13912345678，邮箱wang.jianguo@example.com，请帮我改一下预约的时间，谢谢。",
    "English, personal data": "No {}: my name is Emily Carter, call +1 212-555-0142 or write to emily.carter@example.org about it.",
    "Chinese, nothing": "第{}个问题：请解释一下为什么这段代码在数据多的时候会变慢，有没有更好的写法？",
    "English, nothing": "Question {}: please explain why this code becomes slow when there is a lot of data, and how to write it.",
}


def seconds(act: Callable[[str], object], template: str, first: int, count: int) -> float:
    """Thread seconds per message."""
    texts = [template.format(number) for number in range(first, first + count)]
    begun = time.thread_time()
    for text in texts:
        act(text)
    return (time.thread_time() - begun) / count


def presidio() -> Callable[[str], object]:
    """Analyse and anonymise with Presidio's default pattern recognisers."""
    from presidio_anonymizer import AnonymizerEngine

    analyzer = presidio_engine()
    anonymizer: Any = AnonymizerEngine()
    return lambda text: anonymizer.anonymize(text, analyzer.analyze(text, language="en"))


def measure() -> dict[str, Any]:
    """Every figure."""
    patterns, whole = Masker("UserInfo", names="off"), Masker("UserInfo")
    acts: dict[str, tuple[Callable[[str], object], int]] = {
        "Presidio, patterns only": (presidio(), 20),
        "UserInfo, patterns only": (patterns.mask, 200),
        "UserInfo, with names": (whole.mask, 30),
    }
    rows: dict[str, dict[str, float]] = {}
    at = 0
    for kind, template in MESSAGES.items():
        samples: dict[str, list[float]] = {name: [] for name in acts}
        for _ in range(ROUNDS):
            for name, (act, count) in acts.items():
                samples[name].append(seconds(act, template, at, count))
                at += count
        rows[kind] = {name: statistics.median(values) * 1e6 for name, values in samples.items()}
    return {
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "microseconds_per_message": rows,
        "started": {
            "import masking": started("import masking"),
            **{
                f"import and first mask by {category}, without names": started(
                    f"from masking import Masker; Masker('{category}', names='off').mask('电话13800138000')"
                )
                for category in ("UserInfo", "Credentials", "Everything")
            },
        },
    }


def started(code: str) -> tuple[float, float]:
    """Processor seconds of a new interpreter that runs `code`, and its memory in MB (Linux); medians of five.

    With byte code beside it, as an installed package has it: the first run, which writes that, does not count.
    """

    def once(what: str) -> tuple[float, float]:
        script = (
            f"import time; a = time.process_time(); {what}; print(time.process_time() - a); "
            "print(next((line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')), 0))"
        )
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=surroundings
        )
        spent, memory = map(float, done.stdout.split())
        return spent, memory / 1024

    with tempfile.TemporaryDirectory() as folder:
        surroundings = {**os.environ, "PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": ""}
        once(code)
        spent, memory = zip(*(once(code) for _ in range(5)), strict=True)
    return statistics.median(spent), statistics.median(memory)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    as_json = parser.parse_args().json
    result = measure()
    if as_json:
        print(json.dumps(result, indent=2))
        return
    print(f"{result['machine']}\n")
    names = list(next(iter(result["microseconds_per_message"].values())))
    print(f"{'µs per message':26}" + "".join(f"{name:>26}" for name in names) + f"{'ratio':>9}")
    for kind, row in result["microseconds_per_message"].items():
        ratio = row["Presidio, patterns only"] / row["UserInfo, patterns only"]
        print(f"{kind:26}" + "".join(f"{row[name]:26.0f}" for name in names) + f"{ratio:8.0f}x")
    print()
    for name, (spent, memory) in result["started"].items():
        print(f"{name}: {spent:.2f} s of processor time, {memory:.0f} MB")


if __name__ == "__main__":
    main()
