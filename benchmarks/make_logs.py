"""Conversation logs for measurements, in any size: Chinese and English chats as JSONL, some with personal data.

    python benchmarks/make_logs.py logs.jsonl --megabytes 100 --seed 7
    python benchmarks/make_logs.py logs.jsonl --rows 1000000

All invented (see corpus.py). The same seed and size give the same file. Beyond the first 20,000 messages they come
again in other company, with another running number in front, so that no text is there twice.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import orjson
from corpus import messages

__all__ = ["rows", "write"]

_DIFFERENT = 20_000


def rows(seed: int) -> Iterator[bytes]:
    """Lines without end: chats of two to eight turns, as OpenAI's fine-tuning has them."""
    chance = Random(seed)
    known = [one.text for one in messages(_DIFFERENT, seed)]
    number = 0
    while True:
        turns = []
        for turn in range(2 * chance.randint(1, 4)):
            number += 1
            said = chance.choice(known)
            turns.append({"role": "assistant" if turn % 2 else "user", "content": f"{number}. {said}"})
        yield orjson.dumps({"id": f"chat-{number}", "model": "qwen-plus", "messages": turns}) + b"\n"


def write(path: Path, seed: int, *, count: int = 0, size: int = 0) -> int:
    """Write `count` rows, or as many as make `size` bytes; how many they were."""
    written = done = 0
    with path.open("wb") as file:
        for row in rows(seed):
            if done >= count if count else written >= size:
                return done
            written += file.write(row)
            done += 1
    return done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--megabytes", type=float, default=100)
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    done = write(given.path, given.seed, count=given.rows, size=int(given.megabytes * 1e6))
    sys.stdout.write(f"{done:,} rows, {given.path.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main()
