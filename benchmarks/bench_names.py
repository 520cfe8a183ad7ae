"""What finding names costs, text by text and many texts together, and whether both find the same.

    python benchmarks/bench_names.py            a table, in about a minute
    python benchmarks/bench_names.py --json     one JSON object

Texts are those of data/: short ones as they are, and joined to long ones of some 20,000 characters. Time is the CPU time
of this thread; a model runs on one. The floor is the network alone, on batches as `find_many` makes them.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from masking import models

DATA = Path(__file__).resolve().parent / "data"
FILES = {"latin": "en_own_prompts.jsonl", "zh": "zh_own_prompts.jsonl"}
COUNT = 400  # texts
LONG = 20_000  # characters


def main() -> None:
    parser = argparse.ArgumentParser(description="Names, one text after another and many together.")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows = [row for name in FILES for row in _measured(name)]
    if given.json:
        print(json.dumps({"machine": platform.machine(), "python": platform.python_version(), "rows": rows}, indent=1))
        return
    print(f"{platform.machine()}, Python {platform.python_version()}; µs of one core per character\n")
    print(f"{'model':6} {'texts':22} {'one by one':>10} {'together':>9} {'ratio':>6} {'network':>8}  different")
    for row in rows:
        print(
            f"{row['model']:6} {row['texts']:22} {row['one']:10.1f} {row['together']:9.1f} {row['ratio']:5.2f}x "
            f"{row['network']:8.1f}  {row['different']} of {row['count']}"
        )


def _measured(name: str) -> list[dict[str, Any]]:
    model: Any = models.load(name)
    short = [json.loads(line)["text"] for line in (DATA / FILES[name]).read_text("utf-8").splitlines()][:COUNT]
    whole = "\n".join(short)
    long = [whole[at : at + LONG] for at in range(0, len(whole), LONG)]
    model.find_many(short[:20])
    rows = []
    for label, texts in ((f"{len(short)} short ones", short), (f"{len(long)} of {LONG:,} or less", long)):
        size = sum(map(len, texts))
        one, alone = _timed(lambda texts=texts: [model.find(text) for text in texts])
        network = _Watched(model._session)
        model._session = network
        try:
            together, found = _timed(lambda texts=texts: model.find_many(texts))
        finally:
            model._session = network.session
        rows.append(
            {
                "model": name,
                "texts": label,
                "count": len(texts),
                "one": round(one / size * 1e6, 2),
                "together": round(together / size * 1e6, 2),
                "network": round(network.seconds / size * 1e6, 2),
                "ratio": round(one / together, 2),
                "different": sum(left != right for left, right in zip(alone, found, strict=True)),
            }
        )
    return rows


class _Watched:
    """A session that counts the time of its runs."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.seconds = 0.0

    def run(self, *arguments: Any) -> Any:
        started = time.thread_time()
        try:
            return self.session.run(*arguments)
        finally:
            self.seconds += time.thread_time() - started


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.thread_time()
    done = work()
    return time.thread_time() - started, done


if __name__ == "__main__":
    main()
