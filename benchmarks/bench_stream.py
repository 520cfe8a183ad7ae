"""What an answer costs token by token, against a bare loop that joins the same tokens, in the same run.

    python benchmarks/bench_stream.py            a table
    python benchmarks/bench_stream.py --json     one JSON object

Every figure is the median of interleaved rounds, in thread time. Ratios hold from machine to machine, nanoseconds do not.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from masking import Masker, Session
from masking.core.stream import Stream

ROUNDS = 15
TOKENS = 2_000


class Floor:
    """An identity stream: what any object with a `feed` costs."""

    def feed(self, text: str) -> str:
        return text

    def flush(self) -> str:
        return ""


def seconds(make: Callable[[], object], tokens: Sequence[str]) -> float:
    """Thread seconds per token to feed and join them."""
    stream: object = make()
    feed = stream.feed  # type: ignore[attr-defined]
    said: list[str] = []
    collect = said.append
    begun = time.thread_time_ns()
    for token in tokens:
        collect(feed(token))
    "".join(said)
    return (time.thread_time_ns() - begun) / len(tokens) / 1e9


def compare(floor: Callable[[], object], other: Callable[[], object], tokens: Sequence[str]) -> dict[str, float]:
    """Medians of interleaved rounds: nanoseconds of the floor and of the other, and their ratio."""
    seconds(other, tokens)
    pairs = [(seconds(floor, tokens), seconds(other, tokens)) for _ in range(ROUNDS)]
    base, cost = (statistics.median(column) for column in zip(*pairs, strict=True))
    return {"floor_ns": base * 1e9, "ns": cost * 1e9, "ratio": statistics.median(b / a for a, b in pairs)}


def withheld(stream: Stream, tokens: Sequence[str]) -> dict[str, float]:
    """Characters that wait after each token, and tokens that say nothing."""
    waits: list[int] = []
    silent = run = 0
    for token in tokens:
        said = stream.feed(token)
        waits.append(len(stream.waiting))
        run = 0 if said or not token else run + 1
        silent = max(silent, run)
    waits.sort()
    return {
        "mean": statistics.mean(waits),
        "p50": waits[len(waits) // 2],
        "p99": waits[len(waits) * 99 // 100],
        "max": waits[-1],
        "longest_silence_tokens": silent,
    }


def pieces(text: str, generator: random.Random) -> list[str]:
    """A text cut as a tokeniser cuts it: words with the blank before them, one to three Han characters, signs alone."""
    import re

    found = re.findall(r" ?[A-Za-z]+|[\u4e00-\u9fff]{1,3}|\d{1,3}|\s+|.", text, re.DOTALL)
    return [piece for piece in found if piece or generator]


ENGLISH = (
    "The report describes how the team planned the migration, what went wrong on the second day, and why the results "
    "were better than expected. Nobody had written down the order of the steps, so the plan was changed twice. "
)
CHINESE = (
    "我们今天讨论了三个方案，其中第二个最合适，因为它不需要改动现有的系统。大家都认为时间还够，可以先做一个小的试验，"
    "看看用户的反应，再决定下一步怎么走。如果结果不好，就回到原来的办法。"
)
CODE = "def total(items, rate=0.2):\n    return sum(item.price * (1 + rate) for item in items if item.ok)  # net\n\n"
PERSONAL = (
    "Contact Dana at dana.smith@example.com or +1 212-555-0142, card 4111 1111 1111 1111. "
    "客户的手机是13912345678，邮箱是li.na@example.org，身份证11010519491231002X。"
)


def texts(generator: random.Random) -> dict[str, list[str]]:
    """Token lists of the kinds that answers are made of, TOKENS each."""
    table = "".join(
        f"{generator.randrange(10**6):>8}  {generator.random() * 1000:10.3f}  {generator.randrange(10**11)}\n"
        for _ in range(400)
    )
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    blob = "".join(generator.choice(alphabet) for _ in range(8_000))
    sources = {
        "English prose": ENGLISH * 60,
        "Chinese prose": CHINESE * 60,
        "code": CODE * 120,
        "mixed, a value in every 60 tokens": ((ENGLISH + CHINESE) * 3 + PERSONAL) * 40,
        "table of numbers": table,
        "base64": blob,
    }
    return {name: pieces(text, generator)[:TOKENS] for name, text in sources.items()}


def loaded(session: Session, entries: int) -> Session:
    session.load({f"<PHONE_NUMBER_{number}>": f"1{number + 3_000_000_000}" for number in range(1, entries + 1)})
    return session


def measure() -> dict[str, object]:
    """Every figure."""
    generator = random.Random(7)
    masker = Masker("UserInfo", names="off")
    everything = Masker("Everything", names="off") if "Everything" in _categories() else masker
    small, large = loaded(masker.session(), 20), loaded(masker.session(), 5_000)
    kinds = texts(generator)
    words = kinds["English prose"]
    marked = [f"<PHONE_NUMBER_{generator.randrange(1, 20)}>" if at % 40 == 0 else word for at, word in enumerate(words)]
    split = [
        part for token in marked for part in ([token[:6], token[6:13], token[13:]] if token[0] == "<" else [token])
    ]

    def restoring(session: Session) -> Callable[[], Stream]:
        return lambda: Stream(session._grammar, session._values, session._counts)

    def redacting(masker: Masker) -> Callable[[], Stream]:
        session = loaded(masker.session(), 20)
        return session._stream

    figures: dict[str, dict[str, float]] = {
        "restore, ordinary token": compare(Floor, restoring(small), words),
        "restore, ordinary Chinese token": compare(Floor, restoring(small), kinds["Chinese prose"]),
        "restore, a placeholder in every 40 tokens": compare(Floor, restoring(small), split),
        "restore, 5,000 session entries": compare(Floor, restoring(large), words),
        "restore, 100,000 tokens": compare(Floor, restoring(small), words * 50),
    }
    for name, tokens in kinds.items():
        figures[f"restore + redact, {name}"] = compare(Floor, redacting(masker), tokens)
    figures[f"restore + redact, English prose, {everything.category.name}"] = compare(
        Floor, redacting(everything), words
    )
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    kept = [small._stream() for _ in range(1_000)]
    for stream in kept:
        stream.feed(" hello")
    memory = (tracemalloc.get_traced_memory()[0] - before) / len(kept)
    tracemalloc.stop()
    begun = time.perf_counter()
    for _ in range(1_000):
        small._stream()
    return {
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "per_token": figures,
        "withheld_characters": {name: withheld(small._stream(), tokens) for name, tokens in kinds.items()},
        "stream": {"bytes": memory, "microseconds_to_make": (time.perf_counter() - begun) * 1e3},
    }


def _categories() -> list[str]:
    from masking.files import category_names

    return category_names()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--json", action="store_true", help="print one JSON object")
    result = measure() if (chosen := arguments.parse_args()) else {}
    if chosen.json:
        print(json.dumps(result, indent=2))
        return
    print(f"{result['machine']}\n")
    print(f"{'per token':58} {'floor ns':>9} {'ns':>9} {'ratio':>7}")
    for name, row in result["per_token"].items():  # type: ignore[attr-defined]
        print(f"{name:58} {row['floor_ns']:9.0f} {row['ns']:9.0f} {row['ratio']:6.1f}x")
    print(f"\n{'characters that wait after a token':40} {'mean':>6} {'p50':>5} {'p99':>5} {'max':>5}   silent tokens")
    for name, row in result["withheld_characters"].items():  # type: ignore[attr-defined]
        cells = f"{row['mean']:6.1f} {row['p50']:5} {row['p99']:5} {row['max']:5}   {row['longest_silence_tokens']}"
        print(f"{name:40} {cells}")
    stream = result["stream"]
    print(f"\none stream: {stream['bytes']:.0f} bytes, {stream['microseconds_to_make']:.1f} µs to make")  # type: ignore[index]


if __name__ == "__main__":
    main()
