"""Reads Presidio's patterns, and says of what takes one character which characters those are.

ASCII stands for itself. Any other character is one of three kinds (a word character, a space, something else), and is
written as a byte that stands for its kind, so that a text has one byte a character (see image.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import import_module
from math import inf
from typing import Any, Final

__all__ = [
    "ALL",
    "ASCII",
    "KINDS",
    "NONE",
    "OTHER",
    "SOME",
    "SPACE",
    "WORD",
    "Kinds",
    "NotLinearError",
    "byte_class",
    "is_brief",
    "on_images",
    "parsed",
    "parser",
    "single",
    "unwrapped",
]

WORD: Final = 0x5F
SPACE: Final = 0x0C
OTHER: Final = 0x01
"""The bytes that stand for a character outside ASCII, by kind; `_`, so that RE2's own `\\b` knows a word character."""

KINDS: Final = (WORD, SPACE, OTHER)
Kinds = tuple[int, int, int]
"""For each of these kinds, whether a set has all characters of it, none, or some."""

ALL: Final = 1
NONE: Final = 0
SOME: Final = 2
ASCII: Final = frozenset(range(128))
_FOLDING: Final = (0x130, 0x131, 0x17F, 0x212A)
_FOLDED: Final = frozenset(b"IKSiks")
"""Characters outside ASCII that IGNORECASE takes for ASCII, and those that they are taken for."""

_CLASS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_UNSURE = re.compile(r"\{(?![0-9,])|\(\?[|r&VbePfwLu]")
_UNSURE_INSIDE = re.compile(r"\[:\^?\w+:\]|\\[pPXKGRLmMhN]")
"""What the `regex` module reads in another way than the parser used here."""

_READ: Final = re.IGNORECASE | re.MULTILINE | re.DOTALL
_FEW_TURNS: Final = 100
_FEW_WAYS: Final = 20_000
_SURE: Final = re.MULTILINE | re.DOTALL


class NotLinearError(Exception):
    """RE2 cannot say this, or might say something else."""


def byte_class(members: Iterable[int]) -> str:
    """A character class of RE2 with exactly these bytes."""
    return "[" + "".join(f"\\x{byte:02x}" for byte in sorted(members)) + "]"


@cache
def parser() -> tuple[Any, Any]:
    """The standard library's reader of patterns, and the names of what it reads."""
    # The standard library's own reader of patterns, private but unchanged since 3.11; where it is missing, nothing is
    # linear and everything runs as Presidio runs it.
    return import_module("re._parser"), import_module("re._constants")


def parsed(pattern: str, flags: int) -> tuple[list[Any], bool]:
    """What a pattern consists of, and whether it ignores case.

    `flags` are those that the `regex` module compiles it with. Raises NotLinearError where it might read it otherwise.
    """
    pattern = _without_flag(pattern, flags)
    if flags & ~_READ or flags & _SURE != _SURE:
        raise NotLinearError
    if _UNSURE_INSIDE.search(pattern) or _UNSURE.search(_CLASS.sub("", pattern)):
        raise NotLinearError
    try:
        tree = parser()[0].parse(pattern, flags)
    except (ImportError, re.error, RecursionError, OverflowError):
        raise NotLinearError from None
    if tree.state.flags & ~(_READ | re.UNICODE):
        raise NotLinearError
    return list(tree), bool(tree.state.flags & re.IGNORECASE)


def on_images(pattern: str, flags: int) -> re.Pattern[bytes] | None:
    """A pattern for `re` on images, where it says the same of all characters of a kind; None where `re` refuses it."""
    try:
        return re.compile(_without_flag(pattern, flags).encode(), flags & ~re.UNICODE)
    except re.error:
        return None


def _without_flag(pattern: str, flags: int) -> str:
    # The `regex` module lets this stand anywhere, and with the flag set it says nothing new.
    return re.sub(r"(?<!\\)\(\?i\)", "", pattern) if flags & re.IGNORECASE else pattern


def is_brief(items: Sequence[Any]) -> bool:
    """Whether there are so few ways to match at one place that to try them all costs little."""
    return _ways(items) <= _FEW_WAYS


def _ways(items: Sequence[Any]) -> float:
    _, is_ = parser()
    ways = 1.0
    for op, value in items:
        if op is is_.SUBPATTERN:
            ways *= _ways(value[3])
        elif op is is_.BRANCH:
            ways *= sum(_ways(branch) for branch in value[1])
        elif op in (is_.MAX_REPEAT, is_.MIN_REPEAT):
            inside = _ways(value[2])
            ways *= sum(inside**turn for turn in range(value[0], value[1] + 1)) if value[1] <= _FEW_TURNS else inf
        elif op in (is_.ASSERT, is_.ASSERT_NOT):
            ways *= _ways(value[1])
        elif op not in (is_.AT, is_.LITERAL, is_.NOT_LITERAL, is_.IN, is_.ANY, is_.GROUPREF):
            return inf
        if ways > _FEW_WAYS:
            return inf
    return ways


def unwrapped(items: list[Any]) -> list[Any]:
    """Without a group around everything, so that a look-around at its edge stands at the edge."""
    _, is_ = parser()
    while len(items) == 1 and items[0][0] is is_.SUBPATTERN and not items[0][1][1] and not items[0][1][2]:
        items = list(items[0][1][3])
    return items


@cache
def _category(name: Any) -> tuple[frozenset[int], Kinds]:
    import regex

    _, is_ = parser()
    escape, kinds = {
        is_.CATEGORY_DIGIT: (r"\d", (NONE, NONE, NONE)),
        is_.CATEGORY_NOT_DIGIT: (r"\D", (ALL, ALL, ALL)),
        is_.CATEGORY_SPACE: (r"\s", (NONE, ALL, NONE)),
        is_.CATEGORY_NOT_SPACE: (r"\S", (ALL, NONE, ALL)),
        is_.CATEGORY_WORD: (r"\w", (ALL, NONE, NONE)),
        is_.CATEGORY_NOT_WORD: (r"\W", (NONE, ALL, ALL)),
    }[name]
    return frozenset(code for code in ASCII if regex.match(escape, chr(code))), kinds


def single(item: Any, ignore_case: bool) -> tuple[frozenset[int], Kinds]:
    """Of an item that takes one character: its ASCII members, and for each other kind whether all are members."""
    _, is_ = parser()
    op, value = item
    if op is is_.ANY:
        return ASCII, (ALL, ALL, ALL)
    if op is is_.IN:
        return _members(value, ignore_case)
    if op in (is_.LITERAL, is_.NOT_LITERAL):
        negate = [(is_.NEGATE, None)] if op is is_.NOT_LITERAL else []
        return _members([*negate, (is_.LITERAL, value)], ignore_case)
    raise NotLinearError


def _members(items: Sequence[Any], ignore_case: bool) -> tuple[frozenset[int], Kinds]:
    _, is_ = parser()
    ascii_: set[int] = set()
    kinds = [NONE, NONE, NONE]
    negate = False
    for op, value in items:
        if op is is_.NEGATE:
            negate = True
        elif op is is_.CATEGORY:
            members, more = _category(value)
            ascii_ |= members
            kinds = [ALL if ALL in pair else max(pair) for pair in zip(kinds, more, strict=True)]
        else:
            first, last = (value, value) if op is is_.LITERAL else value
            ascii_ |= set(range(first, min(last, 127) + 1))
            if last > 127:
                kinds = [kind or SOME for kind in kinds]
                if any(first <= folding <= last for folding in _FOLDING):
                    ascii_ |= _FOLDED if ignore_case else set()
    if ignore_case:
        ascii_ |= {ord(chr(code).swapcase()) for code in ascii_}
    if negate:
        ascii_ = set(ASCII - ascii_)
        kinds = [{ALL: NONE, NONE: ALL, SOME: SOME}[kind] for kind in kinds]
    return frozenset(ascii_), (kinds[0], kinds[1], kinds[2])
