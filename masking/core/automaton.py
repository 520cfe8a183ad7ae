"""What could still become a finding: the patterns of a category as one automaton that reads a text once.

While a model writes, text may be said as soon as no pattern can still match it. Each pattern becomes a set of
positions (Glushkov, 1961: one per character that the pattern names) and the pairs that follow each other. A state is
the set of positions that the text so far may have reached, grouped by where the text began that reached them: the
oldest group says how much must wait.

The automaton only ever errs on the side of waiting: it takes a long counted repeat for an unlimited one, and looks at
one neighbour where a boundary looks at two. What matched is decided by the patterns themselves (`masking.core.redact`).
States are made as texts need them and kept, by character and by piece of text: models write few distinct pieces.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import repeat
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any, Final

from masking.core.character import forbids, identifies, kind, taken_by
from masking.core.escapes import ESCAPED, pieces
from masking.core.streamview import seen

__all__ = ["Automaton", "Move", "Moves", "State"]

_EXACT: Final = 24
"""Counted repeats up to this many are counted; longer ones are taken as unlimited."""
_MOST_GROUPS: Final = 6
_MOST_MOVES: Final = 1 << 17
_MOST_STEPS: Final = 1 << 12
_FAR: Final = 1 << 30
_LONGEST_PIECE: Final = 32
_SHORT_PIECE: Final = 8

_ONES = repeat(1)

Group = frozenset[int]


@dataclass(slots=True)
class _Positions:
    """One expression: whether it may be empty, and where it begins and ends."""

    empty: bool
    first: set[int] = field(default_factory=set)
    last: set[int] = field(default_factory=set)


class State:
    """What has been read so far, as far as it matters for what comes."""

    __slots__ = ("bound", "groups", "later", "moves", "patterns", "pieces", "steps", "unheld", "widest", "word")

    def __init__(self, groups: tuple[Group, ...], unheld: Group, word: int, owner: Automaton) -> None:
        self.groups = groups
        self.unheld = unheld
        """Positions reached without any character that identifies: they keep nothing waiting."""
        self.word = word
        """What the last character was: 0 neither, 1 a digit, 2 an ASCII letter, 3 `_`, 4 another letter."""
        self.steps: dict[str, _Step] = {}
        self.moves = Moves(self)
        """While nothing may have matched."""
        self.later = Moves(self)
        """While something may have matched in what waits."""
        self.pieces: dict[str, Move] = {}
        alive = [position for group in (*groups, unheld) for position in group]
        self.patterns = frozenset(owner.owner[position] for position in alive)
        self.bound = max((owner.depths[position] for position in (groups[0] if groups else ())), default=0)
        """No match that is still open began more than this many characters ago, as rules see them."""
        self.moves.bound = self.later.bound = self.bound
        self.widest = max(
            (owner.widths[owner.owner[position]] for position in (groups[0] if groups else ())), default=0
        )
        """The most characters that a match has which is still open."""


@dataclass(frozen=True, slots=True)
class _Step:
    """One character on: the next state, which groups live on (-1 begins here), which patterns may have matched."""

    state: State
    kept: tuple[int, ...]
    touched: frozenset[int]
    same: bool
    """Whether the groups are those that were, all of them and no other."""


@dataclass(frozen=True, slots=True)
class Move:
    """One piece on: as a step; a group that begins in the piece is -1 minus its offset there."""

    state: State
    kept: tuple[int, ...]
    touched: frozenset[int]


class Moves(dict[str, tuple[int, "Moves", Any]]):
    """The pieces that need no thought in a state: what waits afterwards, the moves that then count, and where in what
    waits the state's groups begin.

    What waits: -1 nothing; -2 what waited and the piece too, and groups begin where they did; -3 the same with the
    groups that are given instead (as Move.kept); -4 the same, given with the patterns that may have matched (no groups:
    those that were); otherwise the piece from that offset on.
    """

    __slots__ = ("bound", "state")

    state: State
    bound: int
    """That of the state."""

    def __init__(self, state: State) -> None:
        super().__init__()
        self.state = state
        self.bound = 0

    @classmethod
    def none(cls) -> Moves:
        """Moves in which every piece needs thought."""
        made = cls.__new__(cls)
        made.bound = 0
        return made


class _Build:
    """Makes the positions of one pattern; `value` is the group of its value, `before` always how many characters of the
    pattern a match may have before the part."""

    def __init__(self, owner: Automaton, number: int, tree: Any, value: int | None) -> None:
        self._owner = owner
        self._follow = owner._follow
        self._number = number
        self._tree = tree
        self._value = value

    def sequence(self, items: Any, flags: int, before: int, *, valued: bool) -> _Positions:
        made = _Positions(True)
        for item in items:
            made = self._join(made, self._item(item, flags, before, valued=valued))
            before += self._width(item)
        return made

    def _width(self, item: Any) -> int:
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

    def _join(self, left: _Positions, right: _Positions) -> _Positions:
        for position in left.last:
            self._follow[position] |= right.first
        return _Positions(
            left.empty and right.empty,
            left.first | right.first if left.empty else left.first,
            left.last | right.last if right.empty else right.last,
        )

    def _item(self, item: Any, flags: int, before: int, *, valued: bool) -> _Positions:
        code, argument = item
        if code is op.AT:
            return _Positions(True)
        if code is op.SUBPATTERN:
            group, add, drop, inner = argument
            inside = valued or (group is not None and group == self._value)
            return self.sequence(inner, (flags | add) & ~drop, before, valued=inside)
        if code is op.BRANCH:
            made = _Positions(False)
            for branch in argument[1]:
                one = self.sequence(branch, flags, before, valued=valued)
                made = _Positions(made.empty or one.empty, made.first | one.first, made.last | one.last)
            return made
        if code in (op.MAX_REPEAT, op.MIN_REPEAT):
            least, most, inner = argument
            return self._repeat(int(least), int(most), inner, flags, before, valued=valued)
        position = self._owner._position(self._number, item, flags, min(before + 1, _FAR), valued=valued)
        return _Positions(False, {position}, {position})

    def _repeat(self, least: int, most: int, items: Any, flags: int, before: int, *, valued: bool) -> _Positions:
        made = _Positions(True)
        width = int(items.getwidth()[1])
        for copy in range(min(most, _EXACT)):
            loops = copy + 1 == _EXACT and most > _EXACT
            turns = most - 1 if loops else copy
            one = self.sequence(items, flags, before + turns * width, valued=valued)
            one.empty = one.empty or copy >= least
            if loops:
                for position in one.last:
                    self._follow[position] |= one.first
                one.empty = True
            made = self._join(made, one)
        return made


class Automaton:
    """Some patterns, (source, before, after) each, known by their numbers; `widths` in characters."""

    def __init__(self, patterns: Sequence[tuple[str, str, str]]) -> None:
        self.owner: list[int] = []
        self.widths: list[int] = []
        self.depths: list[int] = []
        """By position: the most characters that a match has when it gets there."""
        self._tests: dict[tuple[str, int], tuple[Any, set[int]]] = {}
        self._takers: dict[str, frozenset[int]] = {}
        self._follow: list[set[int]] = []
        self._valued: set[int] = set()
        self._accepting: set[int] = set()
        self._begin: dict[str, set[int]] = {}
        self._known: dict[tuple[tuple[Group, ...], Group, int], State] = {}
        self._starts: dict[tuple[str, int, bool], tuple[Group, Group]] = {}
        self._views: dict[str, str] = {}
        self._moves = 0
        self._remembered = 0
        for number, (source, before, after) in enumerate(patterns):
            self._add(number, source, before, after)
        self.idle = self._state((), frozenset(), 0)

    # building

    def _add(self, number: int, source: str, before: str, after: str) -> None:
        tree = _parser.parse(source, re.ASCII)
        self.widths.append(int(tree.getwidth()[1]) + 2)
        value = tree.state.groupdict.get("value")
        build = _Build(self, number, tree.state, value)
        whole = build.sequence(tree, tree.state.flags, 0, valued=value is None)
        self._accepting |= whole.last
        self._begin.setdefault(before, set()).update(whole.first)
        if after in ("number", "decimal"):
            # The boundary looks at two characters: after the first of them it is still open.
            signs = ".,-" if after == "number" else "."
            signed = (op.IN, [(op.LITERAL, ord(sign)) for sign in signs])
            look = self._position(number, signed, 0, self.widths[number] - 1, valued=True)
            for position in whole.last:
                self._follow[position].add(look)

    def _position(self, number: int, item: Any, flags: int, depth: int, *, valued: bool) -> int:
        """A new position, for a character that `item` takes; equal items share one test."""
        position = len(self.owner)
        self.owner.append(number)
        self.depths.append(depth)
        self._follow.append(set())
        if valued:
            self._valued.add(position)
        key = (repr(item), flags & re.IGNORECASE)
        if key not in self._tests:
            self._tests[key] = (taken_by(item, flags), set())
        self._tests[key][1].add(position)
        return position

    # reading

    def _state(self, groups: tuple[Group, ...], unheld: Group, word: int) -> State:
        key = (groups, unheld, word)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = State(groups, unheld, word, self)
        return known

    def after(self, original: str) -> State:
        """The state in which nothing has begun, and this was the last character."""
        shown = self._seen(original)
        return self._state((), frozenset(), kind(shown[-1])) if shown else self.idle

    def _begins(self, character: str, word: int, *, held: bool) -> tuple[Group, Group]:
        """The positions that `character` reaches as the first of a match: held, and not held."""
        known = self._starts.get((character, word, held))
        if known is None:
            first: set[int] = set()
            for before, positions in self._begin.items():
                if not forbids(before, word):
                    first |= positions
            known = self._split(first & self._taking(character), held)
            if len(self._starts) < _MOST_STEPS * 8:
                self._starts[character, word, held] = known
        return known

    def _split(self, reached: set[int], held: bool) -> tuple[Group, Group]:
        now = frozenset(reached & self._valued) if held else frozenset()
        return now, frozenset(reached) - now

    def step(self, state: State, original: str) -> _Step:
        """One character on."""
        step = state.steps.get(original)
        if step is not None:
            return step
        held = identifies(original)
        kept: tuple[int, ...] = tuple(range(len(state.groups)))
        touched: frozenset[int] = frozenset()
        reached = state
        for character in self._seen(original):  # none, where rules do not see it; several for ⒈
            one = self._stepped(reached, character, held)
            kept = tuple(kept[number] if number >= 0 else -1 for number in one.kept)
            touched |= one.touched
            reached = one.state
        step = _Step(reached, kept, touched, kept == tuple(range(len(state.groups))))
        if len(state.steps) < _MOST_STEPS:
            state.steps[original] = step
        return step

    def _seen(self, character: str) -> str:
        """What rules see of a character."""
        if character.isascii():
            return character
        shown = self._views.get(character)
        if shown is None:
            shown = seen(character)
            if len(self._views) < _MOST_STEPS * 8:
                self._views[character] = shown
        return shown

    def _stepped(self, state: State, character: str, held: bool) -> _Step:
        seen: set[int] = set()
        groups: list[Group] = []
        kept: list[int] = []
        for number, group in enumerate(state.groups):
            reached = self._reached(group, character) - seen
            if reached:
                seen |= reached
                groups.append(frozenset(reached))
                kept.append(number)
        begun, unheld = self._begins(character, state.word, held=held)
        now, still = self._split(self._reached(state.unheld, character), held)
        fresh = (begun | now) - seen
        if fresh:
            if len(groups) < _MOST_GROUPS:
                groups.append(fresh)
                kept.append(-1)
            else:
                groups[-1] |= fresh  # as if it had begun earlier: waits longer, misses nothing
            seen |= fresh
        touched = frozenset(self.owner[position] for position in (seen | unheld | still) & self._accepting)
        rest = (unheld | still) - seen
        return _Step(self._state(tuple(groups), frozenset(rest), kind(character)), tuple(kept), touched, same=False)

    def _reached(self, group: Group, character: str) -> set[int]:
        if not group:
            return set()
        return set().union(*[self._follow[position] for position in group]) & self._taking(character)

    def _taking(self, character: str) -> frozenset[int]:
        """The positions that take `character`."""
        known = self._takers.get(character)
        if known is None:
            known = frozenset().union(*[positions for test, positions in self._tests.values() if test(character)])
            if len(self._takers) < _MOST_STEPS:
                self._takers[character] = known
        return known

    def takes(self, character: str) -> bool:
        """Whether any pattern has a place for `character`, as rules see it."""
        return bool(self._taking(character))

    def move(self, state: State, piece: str) -> Move:
        """One piece on."""
        known = state.pieces.get(piece)
        if known is not None:
            return known
        first = state
        kept: tuple[int, ...] = tuple(range(len(state.groups)))
        touched: frozenset[int] = frozenset()
        offset = 0
        for character, length in pieces(piece) if ESCAPED.search(piece) else zip(piece, _ONES, strict=False):
            step = self.step(state, character)
            if not step.same:
                kept = tuple([kept[number] if number >= 0 else -1 - offset for number in step.kept])
            offset += length
            if step.touched:
                touched |= step.touched
            state = step.state
        move = Move(state, kept, touched)
        if len(piece) <= _SHORT_PIECE and self._moves < _MOST_MOVES:
            self._moves += 1
            first.pieces[piece] = move
        return move

    def remember(self, before: Moves, piece: str) -> None:
        """Note a move that needs no thought when it comes again, if it is one: nothing is to be decided, and what waits
        begins in the piece, or as it did before."""
        if not 0 < len(piece) <= _LONGEST_PIECE or self._remembered >= _MOST_MOVES:
            return
        move = self.move(before.state, piece)
        kept, state = move.kept, move.state
        later = before is before.state.later
        known: tuple[int, Moves, Any]
        if kept and kept[0] == 0:
            same = kept == tuple(range(len(before.state.groups)))
            if move.touched:
                known = (-4, state.later, (() if same else kept, move.touched))
            else:
                known = (-2 if same else -3, state.later if later else state.moves, kept)
        elif later or move.touched:
            return
        elif not kept:
            known = (-1, state.moves, ())
        elif kept[0] < 0:
            waits = -1 - kept[0]
            if waits == 1 and piece[0] == " ":
                waits = 0  # the blank before a word waits with it: to cut it off would cost more than all the rest
            known = (waits, state.moves, tuple(-1 - offset - waits for offset in kept))
        else:
            return
        self._remembered += 1
        before[piece] = known
