"""The bytes that every match of a pattern must contain, for the gate: worked out from the pattern, never tried out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any, Final

from masking.presidio.syntax import NONE, NotLinearError, parsed, parser, single

__all__ = ["Run", "Shape", "alternatives", "serves", "shapes"]

_MOST_SHAPES: Final = 1500
_LONGEST_SHAPE: Final = 28
_MOST_TURNS: Final = 64  # written out of a loop of which each turn may be one of some
_MOST_WRITTEN: Final = 3  # turns of a loop that may be there or not


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive bytes, each from a set; `edges` are the places among them where a word begins or ends (`\\b`)."""

    cells: tuple[frozenset[int], ...]
    edges: frozenset[int] = frozenset()

    def contains(self, part: Run) -> bool:
        """Whether every text that this run describes has a piece that `part` describes."""
        for start in range(len(self.cells) - len(part.cells) + 1):
            if all(self.cells[start + offset] <= allowed for offset, allowed in enumerate(part.cells)) and all(
                start + edge in self.edges for edge in part.edges
            ):
                return True
        return False


Shape = tuple[Run, ...]
"""Runs that a match contains in this order, with anything between them."""


def shapes(pattern: str, flags: int) -> tuple[Shape, ...]:
    """Shapes of which every match contains at least one; empty when nothing can be promised."""
    try:
        items, ignore_case = parsed(pattern, flags)
        found = _Shaper().sequence(items, ignore_case)
    except NotLinearError:
        return ()
    cut = {tuple(run for run in shape if run.cells) for shape in map(_runs, found)}
    return () if () in cut else tuple(cut)


def serves(trigger: str, of: Sequence[Shape]) -> bool:
    """Whether a trigger matches wherever one of the shapes stands; see `alternatives`."""
    return all(any(run.contains(one) for run in shape for one in alternatives(trigger)) for shape in of)


@cache
def alternatives(pattern: str) -> tuple[Run, ...]:
    """Everything that a pattern of classes, repeats, alternatives and `\\b` matches, as runs.

    Raises ValueError when that cannot be written out.
    """
    found = _Shaper().sequence(*parsed(pattern, re.MULTILINE | re.DOTALL))
    written = [_runs(cells) for cells in found]
    for cells, of in zip(found, written, strict=True):
        if len(of) != 1 or len(of[0].edges) != cells.count(_EDGE):
            raise ValueError(f"{pattern} matches more than can be written out")
    return tuple(of[0] for of in written)


_GAP: Final = None
_EDGE: Final[frozenset[int]] = frozenset()
_ASCII_WORD: Final = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz")
_Cells = tuple[frozenset[int] | None, ...]


class _Shaper:
    """Writes out what a match may look like, as far as that stays short; a gap stands for the rest."""

    def __init__(self) -> None:
        self._groups: dict[int, list[_Cells]] = {}

    def sequence(self, items: Sequence[Any], ignore_case: bool) -> list[_Cells]:
        _, is_ = parser()
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
        _, is_ = parser()
        op, value = item
        if op is is_.AT:
            return [(_EDGE,)]
        if op is is_.SUBPATTERN:
            folds = bool((ignore_case or value[1] & re.IGNORECASE) and not value[2] & re.IGNORECASE)
            inside = self.sequence(value[3], folds)
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
            members, kinds = single(item, ignore_case)
            # A character outside ASCII is several bytes, so what lies on its two sides is not at a known distance.
            return [(members,)] if kinds == (NONE, NONE, NONE) else [(_GAP,)]
        return [(_GAP,)]

    def _repeat(self, value: tuple[int, Any, Sequence[Any]], ignore_case: bool) -> list[_Cells]:
        least, most, inside = value
        one = self.sequence(inside, ignore_case)
        if len(one) > 1 and len(one) ** least > _MOST_TURNS:
            turns = one
            while len(turns) * len(one) <= _MOST_TURNS:
                turns = _joined(turns, one)
            return _joined(_joined(turns, [(_GAP,)]), one)
        start: list[_Cells] = [()]
        for _ in range(min(least, _LONGEST_SHAPE + 1)):
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
