"""What could still become a finding: the patterns of a category as one automaton that reads a text once.

While a model writes, text may be said as soon as no pattern can still match it. Each pattern becomes a set of positions
(`masking.core.positions`). A state is the set of positions that the text so far may have reached, grouped by where the
text began that reached them: the oldest group says how much must wait.

The automaton only ever errs on the side of waiting: it takes a long counted repeat for an unlimited one, looks at one
neighbour where a boundary looks at two, and in younger groups takes a digit for any digit, so that numbers of one form
go through the same few states. What matched is decided by the patterns themselves (`masking.core.redact`). States are
made as texts need them and kept, by character and by piece of text: models write few distinct pieces.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property
from itertools import repeat
from typing import Any, Final, NamedTuple

from masking.core.character import forbids, identifies, kind
from masking.core.escapes import ESCAPED, pieces
from masking.core.plain import ESCAPES, SIGNS
from masking.core.positions import Group, Positions
from masking.core.reader import Classes
from masking.core.state import Move, Moves, Reckoned, State, Step, Touched
from masking.core.streamview import seen

__all__ = ["Automaton"]

_MOST_GROUPS: Final = 6
_MOST_STATES = 1 << 13  # some 6,000 bytes each, with what is remembered of them; prose and tables reach 3,000
_MOST_MOVES: Final = 1 << 17
_MOST_STEPS: Final = 1 << 12
_LONGEST_PIECE: Final = 32
_SHORT_PIECE: Final = 8

_ONES = repeat(1)
_made: Final[Any] = tuple.__new__  # a named tuple's own constructor takes three times as long
_DIGITS: Final = "0123456789"
_OTHER_DIGITS: Final = frozenset(_DIGITS[1:])
_NOTHING: Final[Group] = frozenset()
_UP_TO: Final = tuple(tuple(range(number)) for number in range(_MOST_GROUPS + 1))


class _Taken(NamedTuple):
    """The positions that take a character; `loosely`: that take it or, if it is a digit, any digit."""

    exactly: Group
    loosely: Group
    word: int


class Automaton:
    """Some patterns, (source, before, after) each, known by their numbers."""

    _once = False

    def __init__(self, patterns: Sequence[tuple[str, str, str]]) -> None:
        self._read(Positions(patterns), None)

    def exactly(self, numbers: Collection[int], *, once: bool = False) -> Automaton:
        """Some of the patterns in an automaton of their own that tells digits apart everywhere; with `once`, matches
        begin only where `start` says."""
        made = Automaton.__new__(Automaton)
        made._once = once
        made._read(self._positions, _NOTHING.union(*[self._positions.spans[number] for number in numbers]))
        return made

    def _read(self, positions: Positions, only: Group | None) -> None:
        self._positions = positions
        self._only = only
        """The positions that count, where not all do."""
        self._loose = _DIGITS if only is None else ""
        self.widths: Sequence[int] = positions.widths
        self._taken: dict[str, _Taken] = {}
        self._sets: dict[Group, Group] = {}
        self._ahead: dict[Group, Group] = {}
        self._known: dict[tuple[tuple[Group, ...], Group, int, bool], State] = {}
        self._starts: dict[tuple[Group, int, bool], tuple[Group, Group]] = {}
        self._views: dict[str, str] = {}
        self._moves = 0
        self._reckoned = 0
        self._classes: dict[tuple[Group, Group, int, bool, int], int] = {}
        self.classes = Classes(self, positions.net, bool(self._loose))
        """Of characters, for who reads them one by one."""
        self.idle = self._state((), _NOTHING, 0)

    def _state(self, groups: tuple[Group, ...], unheld: Group, word: int, exact: bool = True) -> State:
        key = (groups, unheld, word, exact)
        known = self._known.get(key)
        if known is None:
            self.make_room(len(self._known))
            known = self._known[key] = State(groups, unheld, exact, self._positions, word)
        return known

    @property
    def size(self) -> int:
        """How many states are known."""
        return max(len(self._known), self.classes.size)

    def make_room(self, states: int) -> None:
        """For one more than these."""
        if states >= _MOST_STATES:
            self._forget()

    def _forget(self) -> None:
        """Begin afresh, since texts that are made for it reach states without end; who stands in an old one goes on."""
        self._known, self._ahead, self._starts = {}, {}, {}
        self.classes.forget()
        self._moves = self._reckoned = 0
        self.idle = self._state((), _NOTHING, 0)

    def start(self, word: int) -> State:
        """Where a match may begin, behind a character of a kind."""
        return self._state((), frozenset([self._positions.starting[word]]), word)

    def takes(self, character: str) -> bool:
        """Whether any pattern has a place for `character`, as rules see it."""
        return bool(self._taking(character).exactly)

    def step(self, state: State, original: str) -> Step:
        """One character on."""
        step = state.steps.get(original)
        if step is not None:
            return step
        if original in _OTHER_DIGITS and self._takes_digits_alike(state):
            step = state.steps[original] = self.step(state, "0")
            return step
        held = identifies(original)
        all_of_them = kept = _UP_TO[len(state.groups)]
        touched = _NOTHING
        reached = state
        for character in self._seen(original):  # none, where rules do not see it; several for ⒈
            one = self._stepped(reached, character, held)
            kept = tuple([kept[number] if number >= 0 else -1 for number in one.kept])
            if one.touched:
                touched |= one.touched
            reached = one.state
        step = Step(reached, kept, touched, kept == all_of_them)
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

    def _stepped(self, state: State, character: str, held: bool) -> Move:
        exactly, loosely, word = self._taken.get(character) or self._taking(character)
        alive: Group = _NOTHING
        groups: list[Group] = []
        kept: list[int] = []
        taking = exactly
        for number, group in enumerate(state.groups):
            reached = (self._ahead.get(group) or self._reach(group)) & taking
            taking = loosely
            if alive:
                reached -= alive
            if reached:
                alive |= reached
                groups.append(reached)
                kept.append(number)
        begun, unheld = self._begins(exactly, state.word, held)
        if groups and loosely is not exactly:
            begun, _ = self._begins(loosely, state.word, held)
        if state.unheld:
            still = self._reach(state.unheld) & exactly
            if held:
                begun |= still & self._positions.valued
                still -= begun
            unheld |= still
        exact = not self._loose or (state.exact and kept[0] == 0 if kept else True)
        surely = unheld
        if exact and groups:
            surely |= groups[0]
        fresh = begun - alive
        if fresh:
            if not groups:
                surely |= fresh
            if len(groups) < _MOST_GROUPS:
                groups.append(fresh)
                kept.append(-1)
            else:
                groups[-1] |= fresh  # as if it had begun earlier: waits longer, misses nothing
            alive |= fresh
        touched = self._ended(surely, alive)
        return _made(Move, (self._state(tuple(groups), unheld - alive, word, exact), tuple(kept), touched))  # type: ignore[no-any-return]

    def _takes_digits_alike(self, state: State) -> bool:
        """Whether every digit leads on to the same state: none of them ends the first group, or is told apart in it."""
        if state.alike is None:
            every, some = self._digits
            first = self._reach(state.groups[0]) if state.groups else _NOTHING
            others = first | self._reach(state.unheld)
            state.alike = bool(self._loose) and not first.isdisjoint(every) and others.isdisjoint(some)
            state.alike = state.alike and not self.tells_digits_before_values(state.word)
        return state.alike

    @cached_property
    def _digits(self) -> tuple[Group, Group]:
        """The positions that take every digit, and those that take some but not every."""
        taking = [self._taking(digit).exactly for digit in _DIGITS]
        every = taking[0].intersection(*taking)
        return every, taking[0].union(*taking) - every

    def _ended(self, surely: Group, alive: Group) -> Touched:
        """The patterns that may have matched where these positions are reached, of which some are reached surely."""
        accepting, owner = self._positions.accepting, self._positions.owner
        ended = surely & accepting
        touched = frozenset([owner[position] for position in ended]) if ended else _NOTHING
        loose = (alive & accepting) - ended
        if loose:
            touched |= {-1 - owner[position] for position in loose}
        return touched

    def _begins(self, taking: Group, word: int, held: bool) -> tuple[Group, Group]:
        """The positions of `taking` that a match begins with, behind a character of a kind: held, and not held."""
        known = self._starts.get((taking, word, held))
        if known is None:
            reached = _NOTHING if self._once else taking & self._first(word)
            begun = reached & self._positions.valued if held else _NOTHING
            known = begun, reached - begun
            if len(self._starts) < _MOST_STEPS * 8:
                self._starts[taking, word, held] = known
        return known

    def _first(self, word: int) -> Group:
        """The positions that a match begins with behind a character of a kind."""
        begin = self._positions.begin.items()
        return _NOTHING.union(*[positions for before, positions in begin if not forbids(before, word)])

    def _reach(self, group: Group) -> Group:
        """The positions that follow any of a group."""
        known = self._ahead.get(group)
        if known is None:
            follow = self._positions.follow
            known = _NOTHING.union(*[follow[position] for position in group])
            if len(self._ahead) < _MOST_STEPS * 8:
                self._ahead[group] = known
        return known

    def _taking(self, character: str) -> _Taken:
        known = self._taken.get(character)
        if known is None:
            exactly = self._positions.taking(character)
            if self._only is not None:
                exactly &= self._only
            # Equal sets are one set: to compare large ones would cost more than all the rest of a step.
            exactly = self._sets.setdefault(exactly, exactly)
            loosely = self._any_digit if character in self._loose else exactly
            known = _Taken(exactly, loosely, kind(character))
            if len(self._taken) < _MOST_STEPS:
                self._taken[character] = known
        return known

    @cached_property
    def _any_digit(self) -> Group:
        """The positions that take any digit."""
        return _NOTHING.union(*map(self._positions.taking, _DIGITS))

    def classified(self, character: str) -> tuple[int, int, _Taken, bool]:
        """The number of the characters that are never told apart from this one (0 where rules see none, or several),
        which of the signs `.` `,` `-` they are (0: none of them), what takes them, and whether they identify."""
        shown = self._seen(character)
        if len(shown) != 1 or character in ESCAPES:
            return 0, 0, _Taken(_NOTHING, _NOTHING, 0), False
        taken, held, sign = self._taking(shown), identifies(character), SIGNS.find(shown) + 1
        return self._classes.setdefault((*taken, held, sign), len(self._classes) + 1), sign, taken, held

    def tells_digits_before_values(self, word: int) -> bool:
        """Whether any digit is told apart where a match begins behind a character of a kind, before its value."""
        return not (self._first(word) - self._positions.valued).isdisjoint(self._digits[1])

    def move(self, state: State, piece: str) -> Move:
        """One piece on."""
        move = state.pieces.get(piece)
        if move is None:
            move = self._walked(state, piece)
            self._note(state, piece, move)
        return move

    def _note(self, state: State, piece: str, move: Move) -> None:
        if len(piece) <= _SHORT_PIECE and self._moves < _MOST_MOVES:
            self._moves += 1
            state.pieces[piece] = move

    def _walked(self, state: State, piece: str) -> Move:
        """One piece on, character by character."""
        kept = _UP_TO[len(state.groups)]
        touched = _NOTHING
        offset = 0
        for character, length in pieces(piece) if ESCAPED.search(piece) else zip(piece, _ONES, strict=False):
            step = state.steps.get(character) or self.step(state, character)
            if not step.same:
                kept = tuple([kept[number] if number >= 0 else -1 - offset for number in step.kept])
            offset += length
            if step.touched:
                touched |= step.touched
            state = step.state
        return _made(Move, (state, kept, touched))  # type: ignore[no-any-return]

    def _are_alike(self, state: State, piece: str) -> bool:
        """Whether a piece is digits of which, behind `state`, none matters."""
        if not (piece.isdigit() and piece.isascii()):
            return False
        for _ in piece:
            if not self._takes_digits_alike(state):
                return False
            state = self.step(state, "0").state
        return True

    def reckoned(self, before: Moves, piece: str) -> Reckoned | None:
        """The move of a piece that needs no thought, noted for when it comes again; None where it needs some.

        It needs none if nothing is to be decided, and what waits begins in the piece, or as it did before.
        """
        if not 0 < len(piece) <= _LONGEST_PIECE or not (piece.isascii() or all(map(self._seen, piece))):
            return None
        move = before.state.pieces.get(piece) or self._walked(before.state, piece)
        kept, state = move.kept, move.state
        later = before is before.state.later
        known: Reckoned | None = None
        if kept and kept[0] == 0:
            same = kept == _UP_TO[len(before.state.groups)]
            if move.touched:
                known = (-4, state.later, (() if same else kept, move.touched))
            else:
                known = (-2 if same else -3, state.later if later else state.moves, kept)
        elif later or move.touched:
            pass
        elif not kept:
            known = (-1, state.moves, ())
        elif kept[0] < 0:
            waits = -1 - kept[0]
            if waits == 1 and piece[0] == " ":
                waits = 0  # the blank before a word waits with it: to cut it off would cost more than all the rest
            known = (waits, state.moves, tuple([-1 - offset - waits for offset in kept]))
        if known is None:
            self._note(before.state, piece, move)  # to be thought about, but not walked again
        elif self._are_alike(before.state, piece):
            before.digits[len(piece)] = known
        elif self._reckoned < _MOST_MOVES:
            self._reckoned += 1
            before[piece] = known
        return known
