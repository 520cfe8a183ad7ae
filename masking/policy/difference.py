"""Two versions of a category over a corpus: what appears, vanishes, or changes its entity, operator or extent.

The corpus is read text by text and never held; samples are the places around a change, without a value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from masking.core.difference import Change, Difference, differences
from masking.core.errors import ConfigurationError
from masking.core.finding import Finding
from masking.core.path import Path as Steps
from masking.core.rule import Category
from masking.masker import Masker
from masking.policy.version import rule_digest

__all__ = ["Comparison", "Sample", "Text", "compare", "examples", "read_corpus", "rule_changes"]

_LONGEST = 1 << 20  # bytes of a line of plain text that are one text; a longer one is several
_LONGEST_LINE = 64 << 20  # bytes of a line of JSONL
_AROUND = 24  # characters
_Key = tuple[Change, str, str, str, str]


@dataclass(frozen=True, slots=True)
class Text:
    """One text of a corpus, its place for people, and how many bytes of the corpus were read for it."""

    place: str
    text: str = field(repr=False)
    size: int


@dataclass(frozen=True, slots=True)
class Sample:
    """A place that changed: what stands around it, with everything that either version finds replaced by its entity and
    every other digit by 0. `value` is the text at the place itself, "" unless it was asked for."""

    place: str
    start: int
    end: int
    before: str
    behind: str
    value: str = field(default="", repr=False)


@dataclass(slots=True)
class Comparison:
    """What two versions come to over the texts so far. Keys are change, entity, other entity, rule, other rule."""

    counts: Counter[_Key] = field(default_factory=Counter)
    samples: dict[_Key, list[Sample]] = field(default_factory=dict)
    texts: int = 0
    changed: int = 0
    characters: int = 0

    def by_change(self) -> dict[Change, int]:
        """How often each kind of change was met."""
        found: Counter[Change] = Counter()
        for key, count in self.counts.items():
            found[key[0]] += count
        return dict(found)


def compare(old: Masker, new: Masker, corpus: Iterable[Text], *, samples: int = 3, reveal: bool = False) -> Comparison:
    """Scan every text with both, and count how they differ; `samples` of each kind of difference are kept, with their
    values if `reveal`. Raises what a detector raises."""
    result = Comparison()
    operators = (_operators(old.category), _operators(new.category))
    for one in corpus:
        result.texts += 1
        result.characters += len(one.text)
        before, after = old.scan(one.text), new.scan(one.text)
        found = differences(before, after, (operators[0].get, operators[1].get))
        result.changed += bool(found)
        for difference in found:
            key = (
                difference.change, difference.entity, difference.other_entity, difference.rule, difference.other_rule
            )  # fmt: skip
            result.counts[key] += 1
            kept = result.samples.setdefault(key, [])
            if len(kept) < samples:
                kept.append(_sample(one, difference, [*before, *after], reveal=reveal))
    return result


def _operators(category: Category) -> dict[str, object]:
    return {rule.id: (rule.request.name, rule.request.parameters) for rule in category.rules}


def _sample(one: Text, place: Difference, found: Sequence[Finding], *, reveal: bool) -> Sample:
    first, last = max(0, place.start - _AROUND), min(len(one.text), place.end + _AROUND)
    before, behind = (_hidden(one.text, *part, found) for part in ((first, place.start), (place.end, last)))
    value = one.text[place.start : place.end] if reveal else ""
    return Sample(one.place, place.start, place.end, before, behind, value)


def _hidden(text: str, start: int, end: int, found: Sequence[Finding]) -> str:
    """A stretch of text without what was found, and without digits."""
    pieces: list[str] = []
    at = start
    while at < end:
        met = next((one for one in found if one.start <= at < one.end), None)
        if met is None:
            one = text[at]
            pieces.append("0" if one.isdigit() else one if one.isprintable() else " ")
            at += 1
        else:
            pieces.append(f"[{met.entity}]")
            at = met.end
    return "".join(pieces)


def rule_changes(old: Category, new: Category) -> dict[str, list[str]]:
    """The ids of the rules that are `added`, `removed` and `changed`."""
    before, after = ({rule.id: rule for rule in one.rules} for one in (old, new))
    changed = [one for one in before if one in after and rule_digest(before[one]) != rule_digest(after[one])]
    return {
        "added": [one for one in after if one not in before],
        "removed": [one for one in before if one not in after],
        "changed": changed,
    }


def examples(old: Category, new: Category) -> Iterator[Text]:
    """The examples beside the rules of both versions, each text once."""
    seen: set[str] = set()
    for category in (old, new):
        for rule in category.rules:
            for number, text in enumerate((*(hit.text for hit in rule.hits), *rule.misses, *rule.known_gaps), 1):
                if text not in seen:
                    seen.add(text)
                    yield Text(f"{rule.id} example {number}", text, 0)


def read_corpus(path: Path, steps: Steps | None) -> Iterator[Text]:
    """The texts of a file, one after the other: each line, or with `steps` what stands there in each line of JSONL.

    Raises ConfigurationError for a file that cannot be read, is not UTF-8, or holds no text at the place.
    """
    any_text = False
    try:
        with path.open("rb") as file:
            limit = _LONGEST if steps is None else _LONGEST_LINE
            number = 0
            while line := file.readline(limit):
                number += 1
                for index, text in enumerate(_texts(line, f"{path}:{number}", steps)):
                    any_text = True
                    yield Text(f"{path.name}:{number}", text, 0 if index else len(line))
    except OSError as error:
        raise ConfigurationError(f"cannot read the corpus {path}: {error.strerror}") from None
    if steps is not None and not any_text:
        raise ConfigurationError(f"{path}: no line has a text at that place; say where it is with --text")


def _texts(line: bytes, place: str, steps: Steps | None) -> Iterator[str]:
    if not line.strip():
        return
    if steps is None:
        # A line that is cut off in the middle of a character begins or ends with a piece of one.
        yield line.decode("utf-8", "replace").rstrip("\r\n") if len(line) >= _LONGEST else _decoded(line, place)
        return
    try:
        data = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise ConfigurationError(f"{place}: this line is not JSON") from None
    yield from _at(data, steps)


def _decoded(line: bytes, place: str) -> str:
    try:
        return line.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{place}: the corpus is not UTF-8; convert it first") from None


def _at(data: Any, steps: Steps) -> Iterator[str]:
    """The strings at a path; what does not fit it is passed over."""
    if not steps:
        if isinstance(data, str):
            yield data
    elif steps[0] is None:
        for item in data if isinstance(data, list) else ():
            yield from _at(item, steps[1:])
    elif isinstance(data, dict) and steps[0] in data:
        yield from _at(data[steps[0]], steps[1:])
