"""Presidio's patterns said in RE2, on a text with one byte a character.

Presidio runs its patterns with the `regex` module, which backtracks; RE2 finds the same places in linear time where
the two agree. The agreement is decided here, pattern by pattern, and on doubt it is denied:

- A pattern that tells characters of one kind outside ASCII apart (see syntax.py) is not exact.
- Characters that fold to ASCII under IGNORECASE (U+017F, U+212A) and digits outside ASCII break this; texts that have
  them are not read this way at all (see image.py).
- Both engines are leftmost-first, so a pattern of classes, repeats and alternatives finds the same span in both. Of
  look-arounds only those of one character at the very ends can be said in RE2; back-references cannot.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from masking.presidio.syntax import (
    ALL,
    ASCII,
    KINDS,
    NONE,
    SOME,
    Kinds,
    NotLinearError,
    byte_class,
    is_brief,
    parsed,
    parser,
    single,
    unwrapped,
)

__all__ = ["Linear", "Writer", "exact_set", "linear", "loose_set"]

_MOST_REPEATS: Final = 1000  # RE2 refuses more


@dataclass(frozen=True, slots=True)
class Linear:
    """One pattern for RE2.

    `exact` is None where RE2 cannot find the same spans. With `before` or `after`, a neighbour of the match is consumed
    as well, and group 1 is the match. `needed` matches wherever the pattern matches, and at more places.
    """

    exact: str | None
    before: bool
    after: bool
    needed: str | None
    is_brief: bool = False
    """Whether it has an exact pattern, and matches in few ways only."""


def linear(pattern: str, flags: int, longest: int | None = None) -> Linear:
    """What RE2 can do for a pattern that the `regex` module compiles with `flags` (IGNORECASE, MULTILINE, DOTALL).

    With `longest`, on texts of so many characters at most, in which a repeat that ends later need not end at all: RE2
    counts turns with a state for each.
    """
    try:
        items, ignore_case = parsed(pattern, flags)
    except NotLinearError:
        return Linear(None, False, False, None)
    try:
        needed = Writer(exact=False).sequence(items, ignore_case)
    except NotLinearError:
        return Linear(None, False, False, None)
    try:
        exact, before, after = _exact(items, ignore_case, longest)
    except NotLinearError:
        return Linear(None, False, False, needed)
    return Linear(exact, before, after, needed, is_brief(items))


def _exact(items: list[Any], ignore_case: bool, longest: int | None) -> tuple[str, bool, bool]:
    _, is_ = parser()
    before = after = ""
    writer = Writer(exact=True, longest=longest)
    items = unwrapped(items)
    if items and items[0][0] in (is_.ASSERT, is_.ASSERT_NOT) and items[0][1][0] < 0:
        allowed, at_edge = _neighbour(items.pop(0), ignore_case)
        before = f"(?:\\A|{byte_class(allowed)})" if at_edge else byte_class(allowed)
    if items and items[-1][0] in (is_.ASSERT, is_.ASSERT_NOT) and items[-1][1][0] > 0:
        allowed, at_edge = _neighbour(items.pop(), ignore_case)
        after = f"(?:{byte_class(allowed)}|\\z)" if at_edge else byte_class(allowed)
    inside = writer.sequence(items, ignore_case)
    return (f"{before}({inside}){after}" if before or after else inside), bool(before), bool(after)


def _neighbour(item: Any, ignore_case: bool) -> tuple[frozenset[int], bool]:
    """The bytes that a look-around of one character lets stand there, and whether the text's edge will do."""
    _, is_ = parser()
    inside = unwrapped(list(item[1][1]))
    if len(inside) != 1:
        raise NotLinearError
    members = exact_set(*single(inside[0], ignore_case))
    if item[0] is is_.ASSERT_NOT:
        return ASCII - members, True
    return members, False


def exact_set(members: frozenset[int], kinds: Kinds) -> frozenset[int]:
    """The bytes of a set, if its characters outside ASCII are those of whole kinds. Raises NotLinearError if not."""
    for byte, kind in zip(KINDS, kinds, strict=True):
        if kind == SOME or (kind == ALL) != (byte in members):
            raise NotLinearError
    return members


def loose_set(members: frozenset[int], kinds: Kinds) -> frozenset[int]:
    """The bytes of a set and of all kinds that it has any character of."""
    return members | {byte for byte, kind in zip(KINDS, kinds, strict=True) if kind != NONE}


class Writer:
    """Writes a tree of the standard library's parser as an RE2 pattern, exactly or as one that matches more."""

    def __init__(self, *, exact: bool, longest: int | None = None) -> None:
        self._is_exact = exact
        self._longest = longest
        self._groups: dict[int, str] = {}

    def sequence(self, items: Sequence[Any], ignore_case: bool) -> str:
        return "".join(self._item(item, ignore_case) for item in items)

    def _item(self, item: Any, ignore_case: bool) -> str:
        _, is_ = parser()
        op, value = item
        if op is is_.AT:
            return self._at(value)
        if op is is_.SUBPATTERN:
            number, on, off, inside = value
            if (on | off) & ~re.IGNORECASE:
                raise NotLinearError
            folds = bool((ignore_case or on & re.IGNORECASE) and not off & re.IGNORECASE)
            written = f"(?:{self.sequence(inside, folds)})"
            if number is not None:
                self._groups[number] = written
            return written
        if op is is_.GROUPREF and not self._is_exact and value in self._groups:
            return self._groups[value]
        if op is is_.BRANCH:
            return "(?:" + "|".join(self.sequence(branch, ignore_case) for branch in value[1]) + ")"
        if op in (is_.MAX_REPEAT, is_.MIN_REPEAT):
            return self._repeat(value, ignore_case, lazy=op is is_.MIN_REPEAT)
        if op in (is_.ASSERT, is_.ASSERT_NOT):
            if self._is_exact:
                raise NotLinearError
            return ""
        members, kinds = single(item, ignore_case)
        return self.written(exact_set(members, kinds) if self._is_exact else loose_set(members, kinds))

    def written(self, members: frozenset[int]) -> str:
        """The class of some bytes."""
        return byte_class(members)

    @staticmethod
    def _at(where: Any) -> str:
        _, is_ = parser()
        written = {
            is_.AT_BOUNDARY: r"\b",
            is_.AT_NON_BOUNDARY: r"\B",
            is_.AT_BEGINNING: "(?m:^)",
            is_.AT_END: "(?m:$)",
            is_.AT_BEGINNING_STRING: r"\A",
            is_.AT_END_STRING: r"\z",
        }.get(where)
        if written is None:
            raise NotLinearError
        return written

    def _repeat(self, value: tuple[int, Any, Any], ignore_case: bool, *, lazy: bool) -> str:
        _, is_ = parser()
        least, most, inside = value
        endless = most is is_.MAXREPEAT
        # What an empty turn of a loop does differs between engines.
        if least > _MOST_REPEATS or (not endless and most > _MOST_REPEATS) or (inside.getwidth()[0] == 0 and most != 1):
            raise NotLinearError
        endless = endless or (self._longest is not None and most >= self._longest and inside.getwidth()[0] > 0)
        times = f"{{{least},}}" if endless else f"{{{least},{most}}}"
        return f"(?:{self.sequence(inside, ignore_case)}){times}{'?' if lazy else ''}"
