"""What was found where, and which of two overlapping findings stays."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import pairwise
from operator import itemgetter
from typing import NamedTuple

__all__ = ["Finding", "resolve"]

_LEAST_PIECE = 2
_FIRST = itemgetter(0)


class Finding(NamedTuple):
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


def resolve(findings: Iterable[tuple[Finding, int]], text: str | None = None) -> list[Finding]:
    """Keep the findings that do not overlap a better one, in text order.

    Better is: checked before unchecked, then the higher score, then the longer, then the earlier in the category's
    order (the integer beside each finding), then the earlier in the text.

    A finding that better ones overlap only from inside (a telephone number within an address) keeps what they leave:
    each remaining piece of at least two letters or digits of `text`, without the signs at its ends, stays a finding of
    the same rule. One that a better one overlaps across an edge is dropped as a whole: one of the two has misread the
    text there. Without `text`, pieces are counted in characters.
    """
    given = list(findings)
    if len(given) < 2:
        return [finding for finding, _ in given]
    alone = sorted(map(_FIRST, given))
    if all(one.start < one.end <= other.start for one, other in pairwise(alone)):
        return alone
    ranked = sorted(given, key=_rank)
    ends: list[int] = []
    kept: list[Finding] = []

    def keep(finding: Finding) -> None:
        at = bisect_right(ends, finding.start)
        kept.insert(at, finding)
        ends.insert(at, finding.end)

    # Kept findings never overlap, so they stand in the same order by start and by end.
    beaten: list[Finding] = []
    for finding, _ in ranked:
        if _met(kept, ends, finding):
            beaten.append(finding)
        else:
            keep(finding)
    # Pieces come last: what one finding leaves may be the whole of another (a name above an address).
    for finding in beaten:
        met = _met(kept, ends, finding)
        if met[0].start >= finding.start and met[-1].end <= finding.end:
            for piece in _pieces(finding, met, text):
                keep(piece)
    return kept


def _met(kept: list[Finding], ends: list[int], finding: Finding) -> list[Finding]:
    """The kept findings that share a character with `finding`."""
    first = last = bisect_right(ends, finding.start)
    while last < len(kept) and kept[last].start < finding.end:
        last += 1
    return kept[first:last]


def _pieces(finding: Finding, inside: list[Finding], text: str | None) -> list[Finding]:
    """What better findings inside one leave of it."""
    pieces = []
    start = finding.start
    for stop, after in (*((better.start, better.end) for better in inside), (finding.end, finding.end)):
        first, last = start, stop
        start = after
        if text is not None:
            while first < last and not text[first].isalnum():
                first += 1
            while first < last and not text[last - 1].isalnum():
                last -= 1
        long = last - first if text is None else sum(map(str.isalnum, text[first:last]))
        if long >= _LEAST_PIECE:
            pieces.append(finding._replace(start=first, end=last, checked=False))
    return pieces


def _rank(entry: tuple[Finding, int]) -> tuple[bool, float, int, int, int]:
    finding, order = entry
    return (not finding.checked, -finding.score, finding.start - finding.end, order, finding.start)
