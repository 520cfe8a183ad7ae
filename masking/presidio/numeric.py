"""Patterns that match digits and plain punctuation only, and what of their matches the shape of a text shows.

Each of their matches lies within one run of digits and plain punctuation. Where a pattern takes any digit or none at
every place, its matches follow from the run with all digits alike; of the others it follows where they cannot match.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from masking.core.phoneform import PLAIN
from masking.presidio.linear import Writer, exact_set, linear
from masking.presidio.syntax import NotLinearError, byte_class, is_brief, parsed, parser, single

__all__ = ["DIGIT", "DIGITS", "Numeric", "alike", "numeric"]

DIGITS: Final = frozenset(b"0123456789")
DIGIT: Final = ord("9")
"""What stands for all digits in a shape."""

_RUN: Final = DIGITS | frozenset(PLAIN.encode())
_FURTHEST: Final = 24  # characters beside a match that a look-around may see
_WORD: Final = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz")


@dataclass(frozen=True, slots=True)
class Numeric:
    """What one such pattern says of shapes."""

    least: int
    """The fewest digits that match."""
    is_blind: bool
    """Whether it finds the same places in all runs of one shape."""
    needed: str
    """A pattern for RE2 that matches in a run's shape, image by image, wherever the pattern matches in the run."""
    reach: int
    """How many characters on both sides of a run can count."""
    sets: frozenset[frozenset[int]]
    """All sets of bytes that it tells from others."""
    is_brief: bool
    """Whether there are so few ways to match a run that to try them all costs little."""


@cache
def numeric(pattern: str, flags: int) -> Numeric | None:
    """What a pattern says of shapes; None for one that may match anything but digits and plain punctuation."""
    try:
        items, ignore_case = parsed(pattern, flags)
        reader = _Reader()
        ends = reader.sequence(items, ignore_case)
        written = _Shaped(exact=False).sequence(items, ignore_case)
    except NotLinearError:
        return None
    if ends.is_empty or not (ends.first <= DIGITS and ends.last <= DIGITS):
        return None
    is_exact = linear(pattern, flags).exact is not None and reader.reach == 1
    is_blind = is_exact and all(one >= DIGITS or not DIGITS & one for one in reader.sets)
    return Numeric(ends.least, is_blind, written, reader.reach, frozenset(reader.sets), is_brief(items))


def alike(sets: Sequence[frozenset[int]]) -> bytes:
    """A table that maps bytes which none of some sets tells from each other to one of them; and all digits to one.

    What a run consists of stays as it is.
    """
    table = bytearray(range(256))
    known: dict[tuple[bool, ...], int] = {}
    for byte in range(256):
        if byte in DIGITS:
            table[byte] = DIGIT
        elif byte not in _RUN:
            table[byte] = known.setdefault((byte in _WORD, *(byte in one for one in sets)), byte)
    return bytes(table)


@dataclass(frozen=True, slots=True)
class _Ends:
    """Of a part of a pattern what it can begin and end with, whether it can be empty, its fewest digits."""

    first: frozenset[int]
    last: frozenset[int]
    is_empty: bool
    least: int


_NOTHING: Final = _Ends(frozenset(), frozenset(), is_empty=True, least=0)


class _Reader:
    """Reads a tree of the standard library's parser; raises NotLinearError where other characters could match."""

    def __init__(self) -> None:
        self.reach = 1
        self.sets: set[frozenset[int]] = set()
        self._groups: dict[int, _Ends] = {}

    def sequence(self, items: Sequence[Any], ignore_case: bool) -> _Ends:
        ends = _NOTHING
        for item in items:
            one = self._item(item, ignore_case)
            ends = _Ends(
                ends.first | one.first if ends.is_empty else ends.first,
                one.last | ends.last if one.is_empty else one.last,
                ends.is_empty and one.is_empty,
                ends.least + one.least,
            )
        return ends

    def _item(self, item: Any, ignore_case: bool) -> _Ends:
        _, is_ = parser()
        op, value = item
        if op is is_.AT:
            return _NOTHING
        if op is is_.SUBPATTERN:
            number, on, off, inside = value
            if (on | off) & ~re.IGNORECASE:
                raise NotLinearError
            folds = bool((ignore_case or on & re.IGNORECASE) and not off & re.IGNORECASE)
            ends = self.sequence(inside, folds)
            if number is not None:
                self._groups[number] = ends
            return ends
        if op is is_.GROUPREF and value in self._groups:
            self.sets.add(frozenset((DIGIT,)))  # it tells digits from each other
            return self._groups[value]
        if op is is_.BRANCH:
            return _either([self.sequence(branch, ignore_case) for branch in value[1]])
        if op in (is_.MAX_REPEAT, is_.MIN_REPEAT):
            least, _, inside = value
            ends = self.sequence(inside, ignore_case)
            return _Ends(ends.first, ends.last, ends.is_empty or least == 0, ends.least * least)
        if op in (is_.ASSERT, is_.ASSERT_NOT):
            self._look(value[1], ignore_case)
            return _NOTHING
        members = exact_set(*single(item, ignore_case))
        self.sets.add(members)
        if not members <= _RUN:
            raise NotLinearError
        return _Ends(members, members, is_empty=False, least=int(members <= DIGITS))

    def _look(self, inside: Any, ignore_case: bool) -> None:
        """A look-around may see anything, but not far."""
        width = int(inside.getwidth()[1])
        if width > _FURTHEST:
            raise NotLinearError
        self.reach = max(self.reach, width)
        self._see(inside, ignore_case)

    def _see(self, items: Sequence[Any], ignore_case: bool) -> None:
        _, is_ = parser()
        for op, value in items:
            if op is is_.AT:
                self.reach = max(self.reach, _FURTHEST + 1)
            elif op is is_.SUBPATTERN and not value[1] and not value[2]:
                self._see(value[3], ignore_case)
            elif op is is_.BRANCH:
                for branch in value[1]:
                    self._see(branch, ignore_case)
            elif op in (is_.MAX_REPEAT, is_.MIN_REPEAT):
                self._see(value[2], ignore_case)
            elif op in (is_.ASSERT, is_.ASSERT_NOT):
                self._look(value[1], ignore_case)
                self.reach = 2 * _FURTHEST  # from where the other one looks
            else:
                self.sets.add(exact_set(*single((op, value), ignore_case)))


def _either(some: Sequence[_Ends]) -> _Ends:
    return _Ends(
        frozenset().union(*(one.first for one in some)),
        frozenset().union(*(one.last for one in some)),
        any(one.is_empty for one in some),
        min(one.least for one in some),
    )


class _Shaped(Writer):
    """Writes a pattern as one for shapes, in which a set with any digit has the one that stands for all."""

    def written(self, members: frozenset[int]) -> str:
        return byte_class(members | {DIGIT} if members & DIGITS else members)
