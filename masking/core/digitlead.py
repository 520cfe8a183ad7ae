"""What the short ones among the digits that a pattern matches begin with, worked out from the pattern."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final

__all__ = ["leads"]

_LEAD: Final = 2
_DIGITS: Final = "0123456789"

_Match = tuple[str, int]
"""The first digits, at most two, and how many digits there are."""


class _UnknownError(Exception):
    """Something in a pattern that may match anything."""


def leads(pattern: str, most: int) -> set[str] | None:
    """The first two digits of everything that has two to `most` digits and that a pattern of digits matches as a whole.

    None where that cannot be told.
    """
    try:
        # The standard library's own reader of patterns, private but unchanged since 3.11.
        parser, is_ = import_module("re._parser"), import_module("re._constants")
        found = _Reader(is_, most).sequence(parser.parse(pattern))
    except (ImportError, re.error, RecursionError, _UnknownError):
        return None
    return {lead for lead, size in found if size >= _LEAD}


class _Reader:
    def __init__(self, is_: Any, most: int) -> None:
        self._is = is_
        self._most = most

    def sequence(self, items: Sequence[Any]) -> set[_Match]:
        found: set[_Match] = {("", 0)}
        for item in items:
            found = self._joined(found, self._item(item))
            if not found:
                break
        return found

    def _item(self, item: Any) -> set[_Match]:
        is_ = self._is
        op, value = item
        if op is is_.LITERAL:
            return {(chr(value), 1)} if chr(value) in _DIGITS else set()
        if op is is_.IN:
            return {(digit, 1) for member in value for digit in self._members(member)}
        if op is is_.SUBPATTERN:
            return self.sequence(value[3])
        if op is is_.BRANCH:
            return {one for branch in value[1] for one in self.sequence(branch)}
        if op in (is_.MAX_REPEAT, is_.MIN_REPEAT):
            return self._repeated(*value)
        if op in (is_.AT, is_.ASSERT, is_.ASSERT_NOT):
            return {("", 0)}  # takes no digit; what it forbids may be counted
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

    def _repeated(self, least: int, most: int, inside: Sequence[Any]) -> set[_Match]:
        one = self.sequence(inside)
        turn: set[_Match] = {("", 0)}
        found: set[_Match] = set(turn) if least == 0 else set()
        for number in range(1, min(most, self._most + least + 1) + 1):
            turn = self._joined(turn, one)
            if number >= least:
                found |= turn
            if not turn:
                break
        return found

    def _joined(self, left: set[_Match], right: set[_Match]) -> set[_Match]:
        sizes = {size for _, size in right}
        found: set[_Match] = set()
        for lead, size in left:
            if size >= _LEAD:
                found.update((lead, size + more) for more in sizes if size + more <= self._most)
            else:
                found.update(
                    ((lead + other)[:_LEAD], size + more) for other, more in right if size + more <= self._most
                )
        return found
