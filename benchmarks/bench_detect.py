"""How well a category finds what is labelled: precision, recall, F1, exact and by overlap, leaks and false alarms.

    python benchmarks/bench_detect.py [-c CATEGORY]... [--names off] [--json] [--fresh SEED | FILE.jsonl...]

Without files: benchmarks/data/*.jsonl, and the public sets of the same form beside this repository where they are
present. With `--fresh`: texts that `fresh.py` writes anew for the seed, in its two wordings. A line of a file is `{"text", "spans": [{"start", "end", "label"}], "lang"}`, offsets in characters. Labels of
both sides are folded to one name each (`labels.json`), addresses and places count as one, only labels that a file
holds are scored. *overlap*: the same label anywhere in common. *cover*: the share of labelled values whose every
letter and digit is masked, under any label. *false alarms*: findings of any kind in documents without spans.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
NEIGHBOURS = HERE.parents[1] / "shared" / "data" / "dev"
_JOINED = {"PERSON", "LOCATION"}


class Span(NamedTuple):
    """A stretch of a text with its folded label."""

    start: int
    end: int
    label: str

    def meets(self, other: Span) -> bool:
        """Whether the two share a character."""
        return self.start < other.end and other.start < self.end


@dataclass(slots=True)
class Tally:
    """Counts of one label, or of all labels of a file."""

    gold: int = 0
    predicted: int = 0
    exact: int = 0
    gold_met: int = 0
    predicted_met: int = 0
    covered: int = 0

    def add(self, other: Tally) -> None:
        """Sum up."""
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def overlap(self) -> tuple[float, float, float]:
        """Precision, recall and F1 by overlap, 0 to 1."""
        return _prf(self.predicted_met, self.predicted, self.gold_met, self.gold)

    @property
    def exactly(self) -> tuple[float, float, float]:
        """Precision, recall and F1 of spans that agree wholly, 0 to 1."""
        return _prf(self.exact, self.predicted, self.exact, self.gold)

    @property
    def cover(self) -> float:
        """The share of labelled spans that are masked wholly, 0 to 1."""
        return self.covered / self.gold if self.gold else 0.0


@dataclass(slots=True)
class Result:
    """The measures of one file."""

    documents: int
    harmless: int
    labels: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    alarms: Counter[str] = field(default_factory=Counter)
    alarmed: int = 0
    seconds: float = 0.0
    characters: int = 0

    @property
    def all(self) -> Tally:
        """All labels together."""
        total = Tally()
        for tally in self.labels.values():
            total.add(tally)
        return total


def _prf(right: int, predicted: int, met: int, gold: int) -> tuple[float, float, float]:
    precision = right / predicted if predicted else 0.0
    recall = met / gold if gold else 0.0
    return precision, recall, 2 * precision * recall / (precision + recall) if precision + recall else 0.0


class Labels:
    """Folds the label names of several worlds to one."""

    def __init__(self, path: Path = HERE / "labels.json") -> None:
        folded: dict[str, list[str]] = json.loads(path.read_text("utf-8"))
        self._names = {name: one for one, names in folded.items() for name in names}

    def fold(self, label: str) -> str:
        """The one name of a label; a label that is not listed is its own."""
        return self._names.get(label.upper(), label.upper())

    def spans(self, raw: Iterable[tuple[int, int, str]], size: int) -> list[Span]:
        """Folded spans without doubles, in order, cut to the text."""
        cut = {Span(max(0, start), min(size, end), self.fold(label)) for start, end, label in raw}
        return sorted(span for span in cut if span.start < span.end)


def join(spans: Sequence[Span], text: str, language: str) -> list[Span]:
    """Neighbours of one label as one span: given name and surname, parts of an address.

    Across two blanks, and for addresses across a comma, a full stop or a line as well; in Chinese only places that
    touch.
    """
    result: list[Span] = []
    for span in spans:
        before = result[-1] if result else None
        if before is not None and before.label == span.label and _is_one(before, span, text, language):
            result[-1] = Span(before.start, max(before.end, span.end), span.label)
        else:
            result.append(span)
    return result


def _is_one(before: Span, span: Span, text: str, language: str) -> bool:
    if span.label not in _JOINED:
        return False
    if language == "zh":
        return span.label != "PERSON" and span.start <= before.end
    gap = text[before.end : span.start]
    blank = not gap.strip() and len(gap) <= 2
    in_address = span.label != "PERSON" and len(gap) <= 4 and not gap.strip(" ,\n.")
    return span.start <= before.end or blank or in_address


def score(documents: Sequence[dict[str, Any]], found: Sequence[Sequence[tuple[int, int, str]]]) -> Result:
    """Measures what was found (start, end, label) in each document against its labelled spans."""
    fold = Labels()
    pairs = []
    for document, raw in zip(documents, found, strict=True):
        text, language = document["text"], document.get("lang", "en")
        labelled = [(span["start"], span["end"], span["label"]) for span in document["spans"]]
        gold, predicted = (join(fold.spans(one, len(text)), text, language) for one in (labelled, raw))
        pairs.append((text, gold, predicted))
    result = Result(len(pairs), sum(not gold for _, gold, _ in pairs))
    scored = {span.label for _, gold, _ in pairs for span in gold}
    for text, gold, predicted in pairs:
        _tally(text, gold, predicted, scored, result)
    return result


def _tally(text: str, gold: list[Span], predicted: list[Span], scored: set[str], result: Result) -> None:
    if not gold:
        result.alarms.update(span.label for span in predicted)
        result.alarmed += bool(predicted)
    for span in gold:
        tally = result.labels[span.label]
        tally.gold += 1
        tally.exact += span in predicted
        tally.gold_met += any(one.label == span.label and one.meets(span) for one in predicted)
        tally.covered += all(
            any(one.start <= at < one.end for one in predicted)
            for at in range(span.start, span.end)
            if text[at].isalnum()
        )
    for span in predicted:
        if span.label in scored:
            tally = result.labels[span.label]
            tally.predicted += 1
            tally.predicted_met += any(one.label == span.label and one.meets(span) for one in gold)


def read(path: Path) -> list[dict[str, Any]]:
    """The documents of a labelled file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def measure(path: Path, masker: Any) -> Result:
    """Scan every document of a file, and score it."""
    return scanned(read(path), masker)


def scanned(documents: Sequence[dict[str, Any]], masker: Any) -> Result:
    """Scan every document, and score it."""
    started = time.perf_counter()
    found = [
        [(finding.start, finding.end, finding.entity) for finding in masker.scan(document["text"])]
        for document in documents
    ]
    seconds = time.perf_counter() - started
    result = score(documents, found)
    result.seconds, result.characters = seconds, sum(len(document["text"]) for document in documents)
    return result


def as_json(name: str, result: Result) -> dict[str, Any]:
    """A result as plain data, shares in percent."""

    def percent(tally: Tally) -> dict[str, Any]:
        shares = {"overlap": tally.overlap, "exact": tally.exactly}
        rounded = {key: [round(100 * share, 2) for share in value] for key, value in shares.items()}
        return {"gold": tally.gold, "found": tally.predicted, **rounded, "cover": round(100 * tally.cover, 2)}

    return {
        "file": name,
        "documents": result.documents,
        **percent(result.all),
        "harmless": result.harmless,
        "harmless_with_alarm": result.alarmed,
        "alarms": dict(result.alarms),
        "kchar_per_s": round(result.characters / result.seconds / 1000, 1) if result.seconds else None,
        "labels": {label: percent(tally) for label, tally in sorted(result.labels.items())},
    }


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The results as a Markdown table: a line per file, then one per label."""
    lines = [
        "| file, label | labelled | found | overlap P / R / F1 | exact F1 | cover | alarms in harmless texts |",
        "| --- | ---: | ---: | --- | ---: | ---: | --- |",
    ]
    for row in rows:
        alarms = f"{row['harmless_with_alarm']} of {row['harmless']}"
        if row["alarms"]:
            alarms += " (" + ", ".join(f"{label} {count}" for label, count in sorted(row["alarms"].items())) + ")"
        lines.append(_line(f"**{row['file']}**", row, alarms))
        lines += [_line(label, tally, "") for label, tally in row["labels"].items()]
    return "\n".join(lines)


def _line(name: str, row: dict[str, Any], alarms: str) -> str:
    overlap = " / ".join(f"{share:.1f}" for share in row["overlap"])
    shares = f"{overlap} | {row['exact'][2]:.1f} | {row['cover']:.1f}"
    return f"| {name} | {row['gold']} | {row['found']} | {shares} | {alarms} |"


def _sets(files: Sequence[Path], seed: int | None) -> Iterator[tuple[str, Sequence[dict[str, Any]]]]:
    """What is to be scored: name and documents."""
    if seed is not None:
        from fresh import KINDS, WORDINGS, documents

        for kind in KINDS:
            for wording in WORDINGS:
                yield f"fresh {kind}, wording {wording.upper()}", documents(kind, wording, seed)
        return
    paths = list(files) or sorted((HERE / "data").glob("*.jsonl"))
    if not files:
        own = {path.name for path in paths}
        paths += sorted(path for path in NEIGHBOURS.glob("*.jsonl") if path.name not in own)
        if not NEIGHBOURS.is_dir():
            print("the public sets are not beside this repository: skipped", file=sys.stderr)
    for path in paths:
        yield path.stem, read(path)


def main() -> None:
    """Print the table, or a JSON line per file."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("files", nargs="*", type=Path, metavar="FILE.jsonl")
    arguments.add_argument("-c", "--category", action="append", help="default: Everything")
    arguments.add_argument("--names", choices=("on", "off"), default="on")
    arguments.add_argument("--fresh", type=int, metavar="SEED", help="texts of fresh.py instead of files")
    arguments.add_argument("--json", action="store_true", help="one JSON object per file")
    given = arguments.parse_args()

    from masking import Masker

    masker = Masker(given.category or ["Everything"], names=given.names)
    masker.scan("Warm up: 张伟, Ryan Green, 13800138000")
    rows = []
    for name, documents in _sets(given.files, given.fresh):
        rows.append(as_json(name, scanned(documents, masker)))
        if given.json:
            print(json.dumps(rows[-1], ensure_ascii=False), flush=True)
    if not given.json:
        print(table(rows))
        speeds = [row["kchar_per_s"] for row in rows if row["kchar_per_s"]]
        print(f"\n{statistics.median(speeds):.1f} thousand characters a second (median of the files), one thread")


if __name__ == "__main__":
    main()
