"""What the digits that a pattern matches begin with, and how many they are, worked out from the pattern."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final

__all__ = ["sized_leads"]

_DIGITS: Final = "0123456789"

_Matches = dict[str, int]
"""By the first digits of a match the numbers of digits that it may have, a bit for each; what is shorter than the
reach stands there whole."""


class _UnknownError(Exception):
    """Something in a pattern that may match anything."""


def sized_leads(pattern: str, most: int, reach: int) -> dict[str, int] | None:
    """By the first `reach` digits of what a pattern of digits matches as a whole, a bit for each number of digits.

    Bit n stands for n digits, n at most `most`; a match of fewer digits than `reach` is there whole. None where that
    cannot be told.
    """
    try:
        # The standard library's own reader of patterns, private but unchanged since 3.11.
        parser, is_ = import_module("re._parser"), import_module("re._constants")
        return _Reader(is_, most, reach).sequence(parser.parse(pattern))
    except (ImportError, re.error, RecursionError, _UnknownError):
        return None


class _Reader:
    def __init__(self, is_: Any, most: int, reach: int) -> None:
        self._is = is_
        self._most = most
        self._reach = reach
        self._mask = (2 << most) - 1
        self._turned: dict[str, _Matches] = {}

    def sequence(self, items: Sequence[Any]) -> _Matches:
        found: _Matches = {"": 1}
        for item in items:
            found = self._joined(found, self._item(item))
            if not found:
                break
        return found

    def _item(self, item: Any) -> _Matches:
        is_ = self._is
        op, value = item
        if op is is_.LITERAL:
            return {chr(value): 2} if chr(value) in _DIGITS else {}
        if op is is_.IN:
            return {digit: 2 for member in value for digit in self._members(member)}
        if op is is_.SUBPATTERN:
            return self.sequence(value[3])
        if op is is_.BRANCH:
            found: _Matches = {}
            for branch in value[1]:
                _add(found, self.sequence(branch))
            return found
        if op in (is_.MAX_REPEAT, is_.MIN_REPEAT):
            known = self._turned.get(repr(value))  # mostly `[0-9]{6}`
            if known is None:
                known = self._turned[repr(value)] = self._repeated(*value)
            return known
        if op in (is_.AT, is_.ASSERT, is_.ASSERT_NOT):
            return {"": 1}  # takes no digit; what it forbids may be counted
        raise _UnknownError

    def _members(self, member: Any) -> str:
        is_ = self._is
        op, value = member
        if op is is_.LITERAL:
            return chr(value) if chr(value) in _DIGITS else ""
        if op is is_.RANGE:
            return "".join(digit for digit in _DIGITS if value[0] <= ord(digit) <= value[1])
        if op is is_.CATEGORY and value is is_.CATEGORY_DIGIT:
            return _DIGITS
        raise _UnknownError

    def _repeated(self, least: int, most: int, inside: Sequence[Any]) -> _Matches:
        one = self.sequence(inside)
        turn: _Matches = {"": 1}
        found: _Matches = dict(turn) if least == 0 else {}
        for number in range(1, min(most, self._most + least + 1) + 1):
            turn = self._joined(turn, one)
            if number >= least:
                _add(found, turn)
            if not turn:
                break
        return found

    def _joined(self, left: _Matches, right: _Matches) -> _Matches:
        reach, mask = self._reach, self._mask
        if len(right) == 1 and right.get("") == 1:
            return left
        any_size = 0
        for sizes in right.values():
            any_size |= sizes
        found: _Matches = {}
        sums: dict[int, int] = {}
        for lead, sizes in left.items():
            size = len(lead)
            if size == reach:
                more = sums.get(sizes)
                if more is None:
                    more = sums[sizes] = _sums(sizes, any_size) & mask
                if more:
                    found[lead] = found.get(lead, 0) | more
                continue
            for other, more in right.items():
                longer, sizes = (lead + other)[:reach], more << size & mask
                if sizes:
                    found[longer] = found.get(longer, 0) | sizes
        return found


def _add(found: _Matches, more: _Matches) -> None:
    for lead, sizes in more.items():
        found[lead] = found.get(lead, 0) | sizes


def _sums(one: int, other: int) -> int:
    """The numbers that are the sum of one number of each."""
    found = 0
    place = 0
    while other:
        if other & 1:
            found |= one << place
        other >>= 1
        place += 1
    return found
