"""Holds a rule to the examples that stand beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from masking.core.rule import Category, Rule
from masking.core.scan import Detectors, Scanner

__all__ = ["Failure", "prove"]


@dataclass(frozen=True, slots=True)
class Failure:
    """An example that does not hold: the `number`-th (from 1) of `kind`, and what happened instead.

    `what` tells counts and lengths, never text, so that it can be logged; the rule's file has the example.
    """

    rule: str
    kind: Literal["hits", "misses", "known_gaps"]
    number: int
    what: str
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: rule {self.rule}: example {self.number} of {self.kind}: {self.what}"


def prove(rule: Rule, detectors: Detectors) -> Iterator[Failure]:
    """The examples of `rule` that do not hold, the rule taken alone. Raises what `detectors` raises."""
    alone = Category(rule.id, "", {}, (rule,), rule.file)
    scanner = Scanner(alone, detectors)

    def failure(kind: Literal["hits", "misses", "known_gaps"], number: int, what: str) -> Failure:
        return Failure(rule.id, kind, number, what, rule.file, rule.line)

    for number, example in enumerate(rule.hits, 1):
        found = [example.text[finding.start : finding.end] for finding in scanner.scan(example.text)]
        size = f"in a text of {len(example.text)} characters"
        if not found:
            yield failure("hits", number, f"nothing is found {size}; correct the pattern or the example")
        elif example.finds is not None and tuple(found) != example.finds:
            lengths = ", ".join(str(len(text)) for text in found)
            wanted = ", ".join(str(len(text)) for text in example.finds)
            yield failure("hits", number, f"found are pieces of {lengths} characters, where finds says {wanted} {size}")
    for number, text in enumerate(rule.misses, 1):
        count = len(scanner.scan(text))
        if count:
            yield failure("misses", number, f"{count} found where nothing should be; narrow the pattern")
    for number, text in enumerate(rule.known_gaps, 1):
        if scanner.scan(text):
            yield failure("known_gaps", number, "is found: the gap is closed, so move it to hits")
