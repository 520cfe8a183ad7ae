"""Presidio's patterns said in RE2, on a text with one byte a character.

Presidio runs its patterns with the `regex` module, which backtracks; RE2 finds the same places in linear time where
the two agree. The agreement is decided here, pattern by pattern, and on doubt it is denied:

- ASCII stands for itself; any other character is one of three kinds (a word character, a space, something else), and
  is written as a byte that stands for its kind. A pattern that tells characters of one kind apart is not exact.
- Characters that fold to ASCII under IGNORECASE (U+017F, U+212A) and digits outside ASCII break this; texts that have
  them are not read this way at all (see image.py).
- Both engines are leftmost-first, so a pattern of classes, repeats and alternatives finds the same span in both. Of
  look-arounds only those of one character at the very ends can be said in RE2; back-references cannot.

Besides, each pattern gives the sequences of bytes that every match must contain, for the gate.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from itertools import product
from typing import Any, Final

__all__ = ["OTHER", "SPACE", "WORD", "Linear", "Run", "Shape", "byte_class", "linear", "runs", "shapes"]

WORD: Final = 0x5F
SPACE: Final = 0x0C
OTHER: Final = 0x01
"""The bytes that stand for a character outside ASCII, by kind; `_`, so that RE2's own `\\b` knows a word character."""

_KINDS: Final = (WORD, SPACE, OTHER)
_ALL, _NONE, _SOME = 1, 0, 2
_MOST_SHAPES = 1500
_LONGEST_SHAPE = 28
_MOST_WRITTEN = 3  # turns of a loop that may be there or not
_MOST_REPEATS = 1000  # RE2 refuses more
_ASCII: Final = frozenset(range(128))
_CLASS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.S)
_UNSURE = re.compile(r"\{(?![0-9,])|\(\?[|r&VbePfwLu]")
_UNSURE_INSIDE = re.compile(r"\[:\^?\w+:\]|\\[pPXKGRLmMhN]")
"""What the `regex` module reads in another way than the parser used here."""


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive bytes, each from a set; `edges` are the places among them where a word begins or ends (`\\b`)."""

    cells: tuple[frozenset[int], ...]
    edges: frozenset[int] = frozenset()

    def contains(self, part: Run) -> bool:
        """Whether every text that this run describes has a piece that `part` describes."""
        for start in range(len(self.cells) - len(part.cells) + 1):
            if all(self.cells[start + offset] <= allowed for offset, allowed in enumerate(part.cells)):
                if {start + edge for edge in part.edges} <= self.edges:
                    return True
        return False



Shape = tuple[Run, ...]
"""Runs that a match contains in this order, with anything between them."""


class _NotLinear(Exception):
    """RE2 cannot say this, or might say something else."""


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


def linear(pattern: str, flags: int) -> Linear:
    """What RE2 can do for a pattern that the `regex` module compiles with `flags` (re.I, re.M, re.S and no other)."""
    try:
        items, ignore_case = _parsed(pattern, flags)
    except _NotLinear:
        return Linear(None, False, False, None)
    try:
        needed = _Writer(exact=False).sequence(items, ignore_case)
    except _NotLinear:
        return Linear(None, False, False, None)
    try:
        exact, before, after = _exact(items, ignore_case)
    except _NotLinear:
        return Linear(None, False, False, needed)
    return Linear(exact, before, after, needed)


def shapes(pattern: str, flags: int) -> tuple[Shape, ...]:
    """Shapes of which every match contains at least one; empty when nothing can be promised."""
    try:
        items, ignore_case = _parsed(pattern, flags)
        found = _Shaper().sequence(items, ignore_case)
    except _NotLinear:
        return ()
    cut = {tuple(run for run in shape if run.cells) for shape in map(_runs, found)}
    return () if () in cut else tuple(cut)


def runs(pattern: str, flags: int) -> tuple[Run, ...]:
    """Everything that a pattern matches, as runs. Raises ValueError when that cannot be written out."""
    found = _Shaper().sequence(*_parsed(pattern, flags))
    if any(_GAP in cells for cells in found):
        raise ValueError(f"{pattern} matches more than can be written out")
    return tuple(_runs(cells)[0] for cells in found)


def byte_class(members: Iterable[int]) -> str:
    """A character class of RE2 with exactly these bytes."""
    return "[" + "".join(f"\\x{byte:02x}" for byte in sorted(members)) + "]"


@cache
def _parser() -> tuple[Any, Any]:
    # The standard library's own reader of patterns, private but unchanged since 3.11; where it is missing, nothing is
    # linear and everything runs as Presidio runs it.
    return import_module("re._parser"), import_module("re._constants")


def _parsed(pattern: str, flags: int) -> tuple[list[Any], bool]:
    if flags & re.I:
        # The `regex` module lets this stand anywhere, and with the flag set it says nothing new.
        pattern = re.sub(r"(?<!\\)\(\?i\)", "", pattern)
    if flags & ~(re.I | re.M | re.S) or not flags & re.S or not flags & re.M or _UNSURE_INSIDE.search(pattern):
        raise _NotLinear
    if _UNSURE.search(_CLASS.sub("", pattern)):
        raise _NotLinear
    try:
        parser, _ = _parser()
        tree = parser.parse(pattern, flags)
    except (ImportError, re.error, RecursionError, OverflowError):
        raise _NotLinear from None
    if tree.state.flags & ~(re.I | re.M | re.S | re.U):
        raise _NotLinear
    return list(tree), bool(tree.state.flags & re.I)


def _exact(items: list[Any], ignore_case: bool) -> tuple[str, bool, bool]:
    _, is_ = _parser()
    before = after = ""
    writer = _Writer(exact=True)
    items = _unwrapped(items)
    if items and items[0][0] in (is_.ASSERT, is_.ASSERT_NOT) and items[0][1][0] < 0:
        allowed, at_edge = _neighbour(items.pop(0), ignore_case)
        before = f"(?:\\A|{byte_class(allowed)})" if at_edge else byte_class(allowed)
    if items and items[-1][0] in (is_.ASSERT, is_.ASSERT_NOT) and items[-1][1][0] > 0:
        allowed, at_edge = _neighbour(items.pop(), ignore_case)
        after = f"(?:{byte_class(allowed)}|\\z)" if at_edge else byte_class(allowed)
    inside = writer.sequence(items, ignore_case)
    return (f"{before}({inside}){after}" if before or after else inside), bool(before), bool(after)


def _unwrapped(items: list[Any]) -> list[Any]:
    """Without a group around everything, so that a look-around at its edge stands at the edge."""
    _, is_ = _parser()
    while len(items) == 1 and items[0][0] is is_.SUBPATTERN and not items[0][1][1] and not items[0][1][2]:
        items = list(items[0][1][3])
    return items


def _neighbour(item: Any, ignore_case: bool) -> tuple[frozenset[int], bool]:
    """The bytes that a look-around of one character lets stand there, and whether the text's edge will do."""
    _, is_ = _parser()
    inside = _unwrapped(list(item[1][1]))
    if len(inside) != 1:
        raise _NotLinear
    members = _exact_set(*_single(inside[0], ignore_case))
    if item[0] is is_.ASSERT_NOT:
        return _ASCII - members, True
    return members, False


@cache
def _category(name: Any) -> tuple[frozenset[int], tuple[int, int, int]]:
    import regex

    _, is_ = _parser()
    escape, kinds = {
        is_.CATEGORY_DIGIT: (r"\d", (_NONE, _NONE, _NONE)),
        is_.CATEGORY_NOT_DIGIT: (r"\D", (_ALL, _ALL, _ALL)),
        is_.CATEGORY_SPACE: (r"\s", (_NONE, _ALL, _NONE)),
        is_.CATEGORY_NOT_SPACE: (r"\S", (_ALL, _NONE, _ALL)),
        is_.CATEGORY_WORD: (r"\w", (_ALL, _NONE, _NONE)),
        is_.CATEGORY_NOT_WORD: (r"\W", (_NONE, _ALL, _ALL)),
    }[name]
    return frozenset(code for code in _ASCII if regex.match(escape, chr(code))), kinds


def _single(item: Any, ignore_case: bool) -> tuple[frozenset[int], tuple[int, int, int]]:
    """Of an item that takes one character: its ASCII members, and for each other kind whether all are members."""
    _, is_ = _parser()
    op, value = item
    if op is is_.ANY:
        return _ASCII, (_ALL, _ALL, _ALL)
    if op is is_.IN:
        return _members(value, ignore_case)
    if op in (is_.LITERAL, is_.NOT_LITERAL):
        negate = [(is_.NEGATE, None)] if op is is_.NOT_LITERAL else []
        return _members([*negate, (is_.LITERAL, value)], ignore_case)
    raise _NotLinear


def _members(items: Sequence[Any], ignore_case: bool) -> tuple[frozenset[int], tuple[int, int, int]]:
    _, is_ = _parser()
    ascii_: set[int] = set()
    kinds = [_NONE, _NONE, _NONE]
    negate = False
    for op, value in items:
        if op is is_.NEGATE:
            negate = True
        elif op is is_.CATEGORY:
            members, more = _category(value)
            ascii_ |= members
            kinds = [_ALL if _ALL in pair else max(pair) for pair in zip(kinds, more, strict=True)]
        else:
            first, last = (value, value) if op is is_.LITERAL else value
            ascii_ |= set(range(first, min(last, 127) + 1))
            if last > 127:
                kinds = [kind or _SOME for kind in kinds]
    if ignore_case:
        ascii_ |= {ord(chr(code).swapcase()) for code in ascii_}
    if negate:
        ascii_ = set(_ASCII - ascii_)
        kinds = [{_ALL: _NONE, _NONE: _ALL, _SOME: _SOME}[kind] for kind in kinds]
    return frozenset(ascii_), (kinds[0], kinds[1], kinds[2])


def _exact_set(members: frozenset[int], kinds: tuple[int, int, int]) -> frozenset[int]:
    for byte, kind in zip(_KINDS, kinds, strict=True):
        if kind == _SOME or (kind == _ALL) != (byte in members):
            raise _NotLinear
    return members


def _loose_set(members: frozenset[int], kinds: tuple[int, int, int]) -> frozenset[int]:
    return members | {byte for byte, kind in zip(_KINDS, kinds, strict=True) if kind != _NONE}


class _Writer:
    """Writes a tree of the standard library's parser as an RE2 pattern, exactly or as one that matches more."""

    def __init__(self, *, exact: bool) -> None:
        self._is_exact = exact
        self._groups: dict[int, str] = {}

    def sequence(self, items: Sequence[Any], ignore_case: bool) -> str:
        return "".join(self._item(item, ignore_case) for item in items)

    def _item(self, item: Any, ignore_case: bool) -> str:
        _, is_ = _parser()
        op, value = item
        if op is is_.AT:
            return self._at(value)
        if op is is_.SUBPATTERN:
            number, on, off, inside = value
            if (on | off) & ~re.I:
                raise _NotLinear
            written = f"(?:{self.sequence(inside, bool((ignore_case or on & re.I) and not off & re.I))})"
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
                raise _NotLinear
            return ""
        members, kinds = _single(item, ignore_case)
        return byte_class(_exact_set(members, kinds) if self._is_exact else _loose_set(members, kinds))

    @staticmethod
    def _at(where: Any) -> str:
        _, is_ = _parser()
        written = {
            is_.AT_BOUNDARY: r"\b",
            is_.AT_NON_BOUNDARY: r"\B",
            is_.AT_BEGINNING: "(?m:^)",
            is_.AT_END: "(?m:$)",
            is_.AT_BEGINNING_STRING: r"\A",
            is_.AT_END_STRING: r"\z",
        }.get(where)
        if written is None:
            raise _NotLinear
        return written

    def _repeat(self, value: tuple[int, Any, Sequence[Any]], ignore_case: bool, *, lazy: bool) -> str:
        _, is_ = _parser()
        least, most, inside = value
        endless = most is is_.MAXREPEAT
        # What an empty turn of a loop does differs between engines.
        if least > _MOST_REPEATS or (not endless and most > _MOST_REPEATS) or inside.getwidth()[0] == 0 and most != 1:
            raise _NotLinear
        times = f"{{{least},}}" if endless else f"{{{least},{most}}}"
        return f"(?:{self.sequence(inside, ignore_case)}){times}{'?' if lazy else ''}"


_GAP: Final = None
_EDGE: Final[frozenset[int]] = frozenset()
_ASCII_WORD: Final = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz")
_Cells = tuple[frozenset[int] | None, ...]


class _Shaper:
    """Writes out what a match may look like, as far as that stays short; a gap stands for the rest."""

    def __init__(self) -> None:
        self._groups: dict[int, list[_Cells]] = {}

    def sequence(self, items: Sequence[Any], ignore_case: bool) -> list[_Cells]:
        _, is_ = _parser()
        found: list[_Cells] = [()]
        for item in items:
            if item[0] is is_.ASSERT_NOT or (item[0] is is_.AT and item[1] is not is_.AT_BOUNDARY):
                continue
            if item[0] is is_.ASSERT:
                # Stands in the text as well, though not at a known distance. Put in front, it parts no run.
                beside = [(*cells, _GAP) for cells in self.sequence(item[1][1], ignore_case)]
                found = _joined(beside, found)
            else:
                found = _joined(found, self._item(item, ignore_case))
        return found

    def _item(self, item: Any, ignore_case: bool) -> list[_Cells]:
        _, is_ = _parser()
        op, value = item
        if op is is_.AT:
            return [(_EDGE,)]
        if op is is_.SUBPATTERN:
            inside = self.sequence(value[3], bool((ignore_case or value[1] & re.I) and not value[2] & re.I))
            if value[0] is not None:
                self._groups[value[0]] = inside
            return inside
        if op is is_.GROUPREF and value in self._groups:
            return self._groups[value]
        if op is is_.BRANCH:
            return [cells for branch in value[1] for cells in self.sequence(branch, ignore_case)]
        if op in (is_.MAX_REPEAT, is_.MIN_REPEAT):
            return self._repeat(value, ignore_case)
        if op in (is_.LITERAL, is_.NOT_LITERAL, is_.IN, is_.ANY):
            members, kinds = _single(item, ignore_case)
            # A character outside ASCII is several bytes, so what lies on its two sides is not at a known distance.
            return [(members,)] if kinds == (_NONE, _NONE, _NONE) else [(_GAP,)]
        return [(_GAP,)]

    def _repeat(self, value: tuple[int, Any, Sequence[Any]], ignore_case: bool) -> list[_Cells]:
        least, most, inside = value
        one = self.sequence(inside, ignore_case)
        if len(one) > 1 and least > 2:
            return _joined(_joined(one, [(_GAP,)]), one)
        start: list[_Cells] = [()]
        for _ in range(min(least, _LONGEST_SHAPE)):
            start = _joined(start, one)
        if least == most:
            return start
        if most - least <= _MOST_WRITTEN and len(one) == 1:
            return [cells + one[0] * more for cells in start for more in range(most - least + 1)]
        last = start if least else one
        return start + _joined(start, [_merged([cells[::-1] for cells in last])[::-1]])


def _joined(left: list[_Cells], right: list[_Cells]) -> list[_Cells]:
    if len(left) * len(right) > _MOST_SHAPES:
        right = [_merged(right)]
    if len(left) > _MOST_SHAPES:
        left = [(_GAP,)]
    return list(dict.fromkeys(_cut(one + other) for one, other in product(left, right)))


def _merged(many: list[_Cells]) -> _Cells:
    """One for many: at each place what any of them has there, as far as all of them reach."""
    merged: list[frozenset[int] | None] = []
    for column in zip(*many, strict=False):
        known = [cell for cell in column if cell]
        if len(known) < len(column):
            break
        merged.append(frozenset().union(*known))
    return (*merged, _GAP)


def _cut(cells: _Cells) -> _Cells:
    return cells if len(cells) <= _LONGEST_SHAPE else (*cells[:_LONGEST_SHAPE], _GAP)


def _runs(cells: _Cells) -> Shape:
    runs: list[Run] = []
    run: list[frozenset[int]] = []
    edges: set[int] = set()
    for cell in (*cells, _GAP):
        if cell is _GAP:
            # An edge beside an ASCII word character is one for RE2 too, which knows no other word characters.
            sure = {at for at in edges if any(side <= _ASCII_WORD for side in run[max(0, at - 1) : at + 1])}
            runs.append(Run(tuple(run), frozenset(sure)))
            run, edges = [], set()
        elif cell is _EDGE:
            edges.add(len(run))
        else:
            run.append(cell)
    return tuple(runs)
