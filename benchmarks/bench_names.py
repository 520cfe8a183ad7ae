"""What finding names costs, text by text and many texts together, and whether both find the same.

    python benchmarks/bench_names.py            a table, in about a minute
    python benchmarks/bench_names.py --json     one JSON object
    python benchmarks/bench_names.py --spacy en_core_web_sm     Presidio with that pipeline, and the same pipeline here

Texts are those of data/: short ones as they are, and joined to long ones of some 20,000 characters. Time is the CPU time
of this thread; a model runs on one. The floor is the network alone, on batches as `find_many` makes them.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench_detect import read, score
from peers import presidio_engine

from masking import Masker, models
from masking.core.rule import ModelSource, SpacySource

DATA = Path(__file__).resolve().parent / "data"
FILES = {"latin": "en_own_prompts.jsonl", "zh": "zh_own_prompts.jsonl"}
COUNT = 400  # texts
LONG = 20_000  # characters


def main() -> None:
    parser = argparse.ArgumentParser(description="Names, one text after another and many together.")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--spacy", metavar="PIPELINE", help="compare with Presidio on an installed English pipeline")
    given = parser.parse_args()
    if given.spacy:
        _beside_presidio(given.spacy, as_json=given.json)
        return
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


CATEGORY = """category: Spacy
version: "1"
about: {{en: UserInfo whose names a spaCy pipeline finds, zh: 由 spaCy 识别姓名的 UserInfo}}
extends: [UserInfo]
rules:
  - {{id: spacy.person, entity: PERSON, spacy: {0}, labels: [PERSON], hits: [x], misses: [y]}}
  - {{id: spacy.place, entity: LOCATION, spacy: {0}, labels: [GPE, LOC, FAC], hits: [x], misses: [y]}}
  - {{id: spacy.organisation, entity: ORGANIZATION, spacy: {0}, labels: [ORG], hits: [x], misses: [y]}}
"""


def _beside_presidio(pipeline: str, *, as_json: bool) -> None:
    """Messages a second of Presidio's default engine with a pipeline, and of UserInfo with it and with our models."""
    documents = read(DATA / FILES["latin"])[:COUNT]
    texts = [document["text"] for document in documents]
    presidio = presidio_engine(pipeline)

    def theirs() -> list[list[tuple[int, int, str]]]:
        return [[(one.start, one.end, one.entity_type) for one in presidio.analyze(text, "en")] for text in texts]

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "Spacy.yaml"
        path.write_text(CATEGORY.format(pipeline), "utf-8")
        category = Masker("UserInfo").category
        named = tuple(rule for rule in category.rules if not isinstance(rule.source, ModelSource))
        trimmed = [rule for rule in Masker(path).category.rules if isinstance(rule.source, SpacySource)]
        makers = {
            "UserInfo, names by the pipeline": lambda: Masker(replace(category, rules=(*named, *trimmed))),
            "UserInfo, our models": lambda: Masker(category),
        }
        rows = [("Presidio", *_rate(theirs, documents))]
        for name, make in makers.items():
            make().scan_many(texts[:20])

            def ours(make: Callable[[], Masker] = make) -> list[list[tuple[int, int, str]]]:
                return [[(one.start, one.end, one.entity) for one in found] for found in make().scan_many(texts)]

            rows.append((name, *_rate(ours, documents)))
    base = rows[0][1]
    if as_json:
        made = [
            {"engine": name, "messages_per_second": rate, "ratio": rate / base, "f1": f1} for name, rate, f1 in rows
        ]
        print(json.dumps({"pipeline": pipeline, "messages": len(texts), "rows": made}, indent=1))
        return
    print(f"{len(texts)} messages, {pipeline}, per second of one core; overlap F1 on their labels\n")
    for name, rate, f1 in rows:
        print(f"{name:34} {rate:8.0f}  {rate / base:5.2f}x   F1 {100 * f1:.1f}")


def _rate(work: Callable[[], list[list[tuple[int, int, str]]]], documents: list[Any]) -> tuple[float, float]:
    """Messages a second of thread time, the best of three, and overlap F1."""
    rounds = [_timed(work) for _ in range(3)]
    return len(documents) / min(seconds for seconds, _ in rounds), score(documents, rounds[0][1]).all.overlap[2]


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
