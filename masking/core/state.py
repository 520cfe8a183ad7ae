"""What an automaton has read so far (`masking.core.automaton`), and what it remembers of how it goes on from there."""

from __future__ import annotations

from typing import Any, NamedTuple

from masking.core.positions import Group, Positions
from masking.core.reader import COMPILED, Known

__all__ = ["Move", "Moves", "Reckoned", "State", "Step", "Touched", "plainly"]

Touched = frozenset[int]
"""Patterns that may have matched, by number; -1 minus the number where digits were taken loosely."""


def plainly(number: int) -> int:
    """The number of a pattern that `Touched` names."""
    return number if number >= 0 else -1 - number


class State(Known):
    """What has been read so far, as far as it matters for what comes."""

    __slots__ = ("_owner", "alike", "exact", "groups", "later", "moves", "pieces", "steps", "unheld")

    def __init__(self, groups: tuple[Group, ...], unheld: Group, exact: bool, owner: Positions, word: int) -> None:
        self.groups = groups
        self.exact = exact
        """Whether the first group has never taken a digit for another."""
        self.unheld = unheld
        """Positions reached without any character that identifies: they keep nothing waiting."""
        self.alike: bool | None = None
        """Whether every digit leads on to the same state; None if not asked for yet."""
        self.word = word
        self.open = bool(groups or unheld)
        self.steps: dict[str, Step] = {}
        self.pieces: dict[str, Move] = {}
        self._owner = owner
        depths = owner.depths
        self.bound = max([depths[position] for group in groups for position in group], default=0)
        if not COMPILED:
            self.moves = Moves(self)
            """While nothing may have matched."""
            self.later = Moves(self)
            """While something may have matched in what waits."""
            self.moves.bound = self.later.bound = self.bound

    def __getattr__(self, name: str) -> Any:
        """What a state does not have yet that compiled code has made: it needs none of this."""
        if name not in State.__slots__:
            raise AttributeError(name)
        State.__init__(self, *self.unfolded(), self.word)
        return getattr(self, name)

    @property
    def patterns(self) -> frozenset[int]:
        """Those that may still match."""
        return frozenset([self._owner.owner[position] for group in (*self.groups, self.unheld) for position in group])

    @property
    def widest(self) -> int:
        """The most characters that a match has which is still open."""
        owner = self._owner
        return max([owner.widths[owner.owner[position]] for group in self.groups for position in group], default=0)


class Step(NamedTuple):
    """One character on: the next state, which groups live on (-1 begins here), which patterns may have matched."""

    state: State
    kept: tuple[int, ...]
    touched: Touched
    same: bool
    """Whether the groups are those that were, all of them and no other."""


class Move(NamedTuple):
    """One piece on: as a step; a group that begins in the piece is -1 minus its offset there."""

    state: State
    kept: tuple[int, ...]
    touched: Touched


Reckoned = tuple[int, "Moves", Any]


class Moves(dict[str, Reckoned]):
    """The pieces that need no thought in a state: what waits afterwards, the moves that then count, and where in what
    waits the state's groups begin.

    What waits: -1 nothing; -2 what waited and the piece too, and groups begin where they did; -3 the same with the
    groups that are given instead (as Move.kept); -4 the same, given with the patterns that may have matched (no groups:
    those that were); otherwise the piece from that offset on.
    """

    __slots__ = ("bound", "digits", "state")

    digits: dict[int, Reckoned]
    """By length, the moves of digits of which none matters."""
    state: State
    bound: int
    """That of the state."""

    def __init__(self, state: State) -> None:
        super().__init__()
        self.digits = {}
        self.state = state
        self.bound = 0

    @classmethod
    def none(cls) -> Moves:
        """Moves in which every piece needs thought."""
        made = cls.__new__(cls)
        made.digits = {}
        made.bound = 0
        return made
