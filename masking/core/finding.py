"""What was found where, and which of two overlapping findings stays."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Finding", "resolve"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One place in a text that a rule names; offsets in characters (code points) of the text that was given.

    Holds no text, so that its repr can be logged.
    """

    start: int
    end: int
    entity: str
    score: float
    rule: str
    checked: bool = False
    """Whether a validator (a check digit, a numbering plan) confirmed the value."""


def resolve(findings: Iterable[tuple[Finding, int]]) -> list[Finding]:
    """Keep the findings that do not overlap a better one, in text order.

    Better is: checked before unchecked, then the higher score, then the longer, then the earlier in the category's
    order (the integer beside each finding), then the earlier in the text.
    """
    ranked = sorted(findings, key=_rank)
    if len(ranked) < 2:
        return [finding for finding, _ in ranked]
    ends: list[int] = []
    kept: list[Finding] = []
    # Kept findings never overlap, so they stand in the same order by start and by end.
    for finding, _ in ranked:
        at = bisect_right(ends, finding.start)
        if at < len(kept) and kept[at].start < finding.end:
            continue
        kept.insert(at, finding)
        ends.insert(at, finding.end)
    return kept


def _rank(entry: tuple[Finding, int]) -> tuple[bool, float, int, int, int]:
    finding, order = entry
    return (not finding.checked, -finding.score, finding.start - finding.end, order, finding.start)
