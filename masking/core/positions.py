"""The positions of patterns: one for each character that a pattern names, and which of them follow each other.

Glushkov, 1961. A counted repeat is made turn upon turn, `X(X(X)?)?`, so that a turn is reached from the one before it
alone and few positions are alive at a time. A long one is taken for an unlimited one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any, Final

from masking.core.character import ascii_taken_by, forbids, named_by, taken_by
from masking.core.reader import Net

__all__ = ["Group", "Positions"]

_EXACT: Final = 24
"""Counted repeats up to this many are counted; longer ones are taken as unlimited."""
_FAR: Final = 1 << 30

Group = frozenset[int]


@dataclass(slots=True)
class _Part:
    """One part of a pattern: whether it may be empty, and the positions where it begins and ends."""

    empty: bool
    first: set[int] = field(default_factory=set)
    last: set[int] = field(default_factory=set)


class Positions:
    """Those of some patterns, (source, before, after) each, known by their numbers."""

    def __init__(self, patterns: Sequence[tuple[str, str, str]]) -> None:
        self.owner: list[int] = []
        """By position: the number of its pattern."""
        self.depths: list[int] = []
        """By position: the most characters that a match has when it gets there."""
        self.widths: list[int] = []
        """By pattern: the most characters that a match has, and what its boundary looks at."""
        self.follow: list[set[int]] = []
        self.valued: set[int] = set()
        """The positions inside values."""
        self.accepting: set[int] = set()
        self.begin: dict[str, set[int]] = {}
        """By boundary word: the positions that a match begins with."""
        self._tests: dict[tuple[str, int], tuple[Any, set[int]]] = {}
        self._named: dict[str, list[set[int]]] = {character: [] for character in map(chr, range(128))}
        self._unnamed: list[tuple[Any, set[int]]] = []
        self.spans: list[range] = []
        """By pattern: its positions."""
        for number, (source, before, after) in enumerate(patterns):
            first = len(self.owner)
            self._add(number, source, before, after)
            self.spans.append(range(first, len(self.owner)))
        self.starting = [self._start(word) for word in range(5)]
        """By kind of the character before (`masking.core.character.kind`): where a match may begin, and only there."""

    @cached_property
    def net(self) -> Net:
        """As arrays."""
        return Net(self)

    def taking(self, character: str) -> Group:
        """The positions that take `character`, as rules see it."""
        tests: Collection[tuple[Any, set[int]]] = ()
        if not character.isascii():
            # A letter whose other case is ASCII (ſ, the Kelvin sign) is asked about everywhere.
            folded = (character.lower() + character.upper()).isascii()
            tests = self._tests.values() if folded else self._unnamed
        named = self._named.get(character, ())
        return frozenset().union(*named, *[positions for test, positions in tests if test(character)])

    def _start(self, word: int) -> int:
        begin = self.begin.items()
        self.owner.append(0)
        self.depths.append(0)
        self.follow.append(set().union(*[positions for before, positions in begin if not forbids(before, word)]))
        return len(self.owner) - 1

    def _add(self, number: int, source: str, before: str, after: str) -> None:
        tree = _parser.parse(source, re.ASCII)
        self.widths.append(int(tree.getwidth()[1]) + 2)
        value = tree.state.groupdict.get("value")
        build = _Build(self, number, value)
        whole = build.sequence(tree, tree.state.flags, 0, valued=value is None)
        self.accepting |= whole.last
        self.begin.setdefault(before, set()).update(whole.first)
        if after in ("number", "decimal"):
            # The boundary looks at two characters: after the first of them it is still open.
            signs = ".,-" if after == "number" else "."
            signed = (op.IN, [(op.LITERAL, ord(sign)) for sign in signs])
            look = self.add(number, signed, 0, self.widths[number] - 1, valued=True)
            for position in whole.last:
                self.follow[position].add(look)

    def add(self, number: int, item: Any, flags: int, depth: int, *, valued: bool) -> int:
        """A new position, for a character that `item` takes; equal items share one test."""
        position = len(self.owner)
        self.owner.append(number)
        self.depths.append(depth)
        self.follow.append(set())
        if valued:
            self.valued.add(position)
        key = (repr(item), flags & re.IGNORECASE)
        known = self._tests.get(key)
        if known is None:
            known = self._tests[key] = (taken_by(item, flags), set())
            for character in ascii_taken_by(item, flags):
                self._named[character].append(known[1])
            others = named_by(item, flags)
            if others is None:
                self._unnamed.append(known)
            else:
                for character in others:
                    self._named.setdefault(character, []).append(known[1])
        known[1].add(position)
        return position


class _Build:
    """Makes the positions of one pattern; `value` is the group of its value, `before` always how many characters of the
    pattern a match may have before the part."""

    def __init__(self, owner: Positions, number: int, value: int | None) -> None:
        self._owner = owner
        self._follow = owner.follow
        self._number = number
        self._value = value

    def sequence(self, items: Any, flags: int, before: int, *, valued: bool) -> _Part:
        made = _Part(empty=True)
        for item in items:
            made = self._join(made, self._item(item, flags, before, valued=valued))
            before += _width(item)
        return made

    def _join(self, left: _Part, right: _Part) -> _Part:
        for position in left.last:
            self._follow[position] |= right.first
        return _Part(
            left.empty and right.empty,
            left.first | right.first if left.empty else left.first,
            left.last | right.last if right.empty else right.last,
        )

    def _item(self, item: Any, flags: int, before: int, *, valued: bool) -> _Part:
        code, argument = item
        if code is op.AT:
            return _Part(empty=True)
        if code is op.SUBPATTERN:
            group, add, drop, inner = argument
            inside = valued or (group is not None and group == self._value)
            return self.sequence(inner, (flags | add) & ~drop, before, valued=inside)
        if code is op.BRANCH:
            made = _Part(empty=False)
            for branch in argument[1]:
                one = self.sequence(branch, flags, before, valued=valued)
                made = _Part(made.empty or one.empty, made.first | one.first, made.last | one.last)
            return made
        if code in (op.MAX_REPEAT, op.MIN_REPEAT):
            least, most, inner = argument
            return self._repeat(int(least), int(most), inner, flags, before, valued=valued)
        position = self._owner.add(self._number, item, flags, min(before + 1, _FAR), valued=valued)
        return _Part(False, {position}, {position})

    def _repeat(self, least: int, most: int, items: Any, flags: int, before: int, *, valued: bool) -> _Part:
        """Turn upon turn. Where a turn may be empty, so may those before it: as if fewer turns were asked for."""
        counted = most <= _EXACT
        turns = most if counted else min(max(least, 1), _EXACT)
        width = int(items.getwidth()[1])
        made = _Part(empty=least == 0)
        last: set[int] = set()
        for turn in range(turns):
            loops = not counted and turn + 1 == turns
            one = self.sequence(items, flags, before + (most - 1 if loops else turn) * width, valued=valued)
            if loops:
                last = last | one.last
            for position in last:
                self._follow[position] |= one.first
            last = one.last
            if turn == 0:
                made.first = one.first
                made.empty = made.empty or one.empty
            if turn + 1 >= least or loops or one.empty:
                made.last |= last
        return made


def _width(item: Any) -> int:
    """The most characters that a part takes."""
    code, argument = item
    if code is op.AT:
        return 0
    if code is op.SUBPATTERN:
        return int(argument[3].getwidth()[1])
    if code is op.BRANCH:
        return max(int(branch.getwidth()[1]) for branch in argument[1])
    if code in (op.MAX_REPEAT, op.MIN_REPEAT):
        return int(argument[1]) * int(argument[2].getwidth()[1])
    return 1
