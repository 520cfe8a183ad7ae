"""Holds a category to a labelled file: JSONL, a text and its spans a line.

Recall is the share of labelled spans whose letters and digits all lie in findings of the span's entity; precision the
share of findings that share a character with a span of their entity. Only entities that the file labels are counted, so
that a file of names says nothing about telephone numbers.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import orjson

from masking.core.errors import SuiteError
from masking.core.finding import Finding
from masking.policy.result import LabelledResult, Tally, Violation
from masking.policy.run import Policy
from masking.policy.suite import Labelled, Threshold, nearest

__all__ = ["run_labelled"]

_Span = tuple[int, int, str]


def run_labelled(labelled: Labelled, policy: Policy) -> LabelledResult:
    """What a labelled file comes to. Raises SuiteError for a line that is wrong, or a file that labels nothing."""
    started = time.perf_counter()
    tallies: dict[str, Tally] = {}
    pending: list[tuple[str, list[_Span]]] = list(_documents(labelled))
    entities = {entity for _, spans in pending for _, _, entity in spans}
    if not entities:
        _refuse(labelled, 0, "labels nothing; write spans [[start, end, entity], …]")
    for entity in labelled.entities:
        if entity not in entities:
            raise SuiteError(
                f"entities.{entity}: the file labels no such entity; {nearest(entity, entities)}",
                file=labelled.suite_file,
                line=labelled.line,
            )
    for text, spans in pending:
        found = [one for one in policy.masker.scan(text) if one.entity in entities]
        for entity in entities:
            one = _tally(text, [span for span in spans if span[2] == entity], found, entity)
            tallies[entity] = tallies.get(entity, Tally()) + one
    whole = sum(tallies.values(), Tally())
    violations = [*_below("", whole, labelled.all, labelled)]
    for entity, threshold in labelled.entities.items():
        violations += _below(f"{entity}: ", tallies[entity], threshold, labelled)
    return LabelledResult(
        labelled,
        "failed" if violations else "passed",
        whole,
        dict(sorted(tallies.items())),
        tuple(violations),
        len(pending),
        time.perf_counter() - started,
    )


def _tally(text: str, gold: Sequence[_Span], findings: Sequence[Finding], entity: str) -> Tally:
    found = [(one.start, one.end) for one in findings if one.entity == entity]
    covered = sum(
        all(any(a <= at < b for a, b in found) for at in range(start, end) if text[at].isalnum())
        for start, end, _ in gold
    )
    met = sum(any(start < b and a < end for start, end, _ in gold) for a, b in found)
    return Tally(len(gold), covered, len(found), met)


def _below(subject: str, tally: Tally, threshold: Threshold, labelled: Labelled) -> Iterator[Violation]:
    for name, wanted, got, part, of in (
        ("recall", threshold.recall, tally.recall, tally.covered, tally.gold),
        ("precision", threshold.precision, tally.precision, tally.met, tally.found),
    ):
        if wanted is not None and got < wanted:
            what = f"{subject}{name} is {got:.3f} ({part} of {of}), {wanted:g} is asked"
            yield Violation("labelled", what, line=labelled.line)


def _documents(labelled: Labelled) -> Iterator[tuple[str, list[_Span]]]:
    with Path(labelled.file).open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _document(labelled, number, line)


def _document(labelled: Labelled, number: int, line: bytes) -> tuple[str, list[_Span]]:
    try:
        data = orjson.loads(line)
    except orjson.JSONDecodeError:
        _refuse(labelled, number, "this line is not JSON")
    text = data.get("text") if isinstance(data, dict) else None
    spans = data.get("spans", []) if isinstance(data, dict) else None
    if not isinstance(text, str) or not isinstance(spans, list):
        _refuse(labelled, number, 'a line is {"text": …, "spans": [[start, end, entity], …]}')
    found: list[_Span] = []
    for span in spans:
        match span:
            case [int(start), int(end), str(entity), *_] if 0 <= start < end <= len(text):
                found.append((start, end, entity))
            case {"start": int(start), "end": int(end), "label": str(entity)} if 0 <= start < end <= len(text):
                found.append((start, end, entity))
            case _:
                _refuse(labelled, number, f"a span is not [start, end, entity] within its {len(text)} characters")
    return text, found


def _refuse(labelled: Labelled, line: int, what: str) -> NoReturn:
    raise SuiteError(what, file=labelled.file, line=line)
