"""One lane of an answer, as far as the automaton has read it: in Python, by pieces of text that it has met before.

`masking.core.compiled` does the same character by character; `masking.core.reader` says which of them is used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from masking.core.automaton import Automaton
    from masking.core.state import State, Touched
    from masking.core.trail import Trail

__all__ = ["Classes", "Known", "Lane", "Reader"]

_NOTHING: Final[frozenset[int]] = frozenset()
_PATIENT: Final = 48  # characters


class Classes:
    """Characters that an automaton does not tell apart, which only the compiled reader asks for."""

    __slots__ = ()

    def __init__(self, classify: Callable[[str], int]) -> None: ...


class Known:
    """What a state is made on."""

    __slots__ = ("bound",)

    bound: int
    """No match that is still open began more than this many characters ago, as rules see them."""


class Lane:
    """What a stream is made on."""

    __slots__ = ("_before", "_quick", "_quiet")

    _before: str
    """What came last, of which the last character counts."""
    _quick: bool
    """Whether nothing waits but what the reader holds."""
    _quiet: dict[str, str]

    def _open(self, reader: Reader, signs: str) -> None:
        """Feed this reader what holds none of these signs."""

    def feed(self, text: str) -> str:
        """What can be said now that `text` has arrived."""
        return self._thought(text)

    def _thought(self, text: str) -> str:
        """As `feed`, where a sign is near, or something waits besides what the reader holds."""
        raise NotImplementedError


class Reader:
    """What a redactor is made on.

    `held` is what waits, `read` how much of it the automaton has read (not an escape that is not whole), `state` and
    `starts` where the automaton is and where in `held` its groups began, `touched` the patterns that may have matched
    in `held`, the last of them up to `until`, `trail` what was said last. A match that is not decided goes up to
    `blocked`: before, there is nothing to decide. `wide` says how much must wait before its width is asked for again.
    """

    __slots__ = (
        "_automaton", "blocked", "held", "read", "starts", "state", "touched", "trail", "until", "wide",
    )  # fmt: skip

    def __init__(self, automaton: Automaton, trail: Trail) -> None:
        self._automaton = automaton
        self.trail = trail
        self.held = ""
        self.read = self.until = self.blocked = self.wide = 0
        self.state: State = automaton.idle
        self.starts: tuple[int, ...] = ()
        self.touched: Touched = _NOTHING

    def step(self, text: str) -> str | None:
        """What may be said now that `text` has come, in which no escape begins; None where `take` must see it."""
        held = self.held
        waiting = len(held)
        if self.read < waiting:
            return None
        state = self.state
        move = state.pieces.get(text) or self._automaton.move(state, text)
        size = waiting + len(text)
        touched = self.touched
        if move.touched:
            self.touched = touched = touched | move.touched
            self.until = size
        pending = held + text
        if move.kept:
            begun = self.starts
            starts = tuple([begun[number] if number >= 0 else waiting - 1 - number for number in move.kept])
            hold = starts[0]
            bound = move.state.bound
            self.state = move.state
            if size - hold > bound and (least := self.least(pending, hold, bound)) > hold:
                hold, starts = least, tuple([max(least, start) for start in starts])
        else:
            starts = ()
            hold = size
        self.state = move.state
        if touched and hold:
            if hold < self.blocked or (hold < self.until and size <= _PATIENT):
                hold = 0  # what may have matched reaches over it, most likely: to look now would be in vain
            else:
                self.starts = starts
                return self.settled(pending, hold)
        self.read = size - hold
        if not hold:
            self.held, self.starts = pending, starts
            return ""
        self.held = pending[hold:]
        self.starts = tuple([start - hold for start in starts])
        said = pending[:hold]
        self.trail.add(said)
        return said

    def least(self, pending: str, hold: int, bound: int) -> int:
        """Where the last `bound` characters that rules see of `pending` begin, if that is behind `hold`."""
        raise NotImplementedError

    def settled(self, pending: str, hold: int) -> str:
        """What is said of `pending` where something may have matched and nothing before `hold` is open."""
        raise NotImplementedError
