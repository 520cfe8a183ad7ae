"""One lane of an answer, as far as the automaton has read it: in Python, by pieces of text that it has met before.

`masking.core.compiled` does the same character by character; `masking.core.reader` says which of them is used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Reversible, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from masking.core.automaton import Automaton
    from masking.core.plan import Candidate, Plan
    from masking.core.positions import Group, Positions
    from masking.core.state import State, Touched
    from masking.core.trail import Trail

from masking.core.streamview import seen

__all__ = ["Beginning", "Classes", "Known", "Lane", "Net", "Reader", "Shaped", "last"]

_NOTHING: Final[frozenset[int]] = frozenset()
_PATIENT: Final = 48  # characters
_NO_ENDS: Final[Mapping[int, int]] = {}
TRUST: Final = 64  # what is lost by a text of a new shape, and won by one of a known
_REACH: Final = 24  # characters back to one that the pattern never takes
_LONGEST: Final = 96  # characters
_MOST: Final = 1 << 11  # characters remembered, of all nodes of a pattern
SIGNS: Final = ".,-"
ESCAPES: Final = "%&\\"


class Net:
    """The positions of some patterns as arrays, which only the compiled reader asks for."""

    __slots__ = ()

    def __init__(self, positions: Positions) -> None: ...


class Classes:
    """The characters that an automaton does not tell apart, which only the compiled reader asks for."""

    __slots__ = ()

    def __init__(self, automaton: Automaton, net: Net, loose: bool) -> None: ...

    size = 0

    def forget(self) -> None:
        """All states."""


class Known:
    """What a state is made on."""

    __slots__ = ("bound", "open", "word")

    bound: int
    """No match that is still open began more than this many characters ago, as rules see them."""
    open: bool
    """Whether any pattern may have begun."""
    word: int
    """What the last character was: 0 neither, 1 a digit, 2 an ASCII letter, 3 `_`, 4 another letter."""

    def unfolded(self) -> tuple[tuple[Group, ...], Group, bool, Positions]:
        """What a state is of which compiled code made less."""
        raise NotImplementedError


class Lane:
    """What a stream is made on."""

    __slots__ = ("_before", "_quick", "_quiet")

    _before: str
    """What came last, of which the last character counts."""
    _quick: bool
    """Whether nothing waits but what the reader holds."""
    _quiet: dict[str, str]

    def _open(self, reader: Reader | None, signs: str) -> None:
        """Feed this reader what holds none of these signs; without one, that is said as it is."""

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
        "_automaton", "_counts", "_plan", "blocked", "held", "own", "read", "starts", "state", "touched", "trail",
        "until", "wide",
    )  # fmt: skip

    def __init__(self, plan: Plan, own: Collection[str], counts: Counter[str], trail: Trail) -> None:
        self._plan, self.own, self._counts = plan, own, counts
        self._automaton = automaton = plan.automaton
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

    def settled(
        self, pending: str, hold: int, before: str | None = None, candidates: list[Candidate] | None = None
    ) -> str:
        """What is said of `pending` where something may have matched and nothing before `hold` is open; `candidates`
        are what patterns find there behind `before`, if that is known."""
        raise NotImplementedError


def last(trail: Reversible[str], most: int) -> tuple[str, Mapping[int, int]]:
    """The last `most` characters of the pieces of a trail, and up to where in them patterns have matched."""
    pieces: list[str] = []
    behind = 0
    marks: list[tuple[int, int]] = []
    for piece in reversed(trail):
        if piece:
            pieces.append(piece)
            behind += len(piece)
            if behind >= most:
                break
        elif type(piece) is not str:
            marks.append((piece.pattern, behind))  # type: ignore[attr-defined]
    pieces.reverse()
    said = "".join(pieces)[-most:]
    if not marks:
        return said, _NO_ENDS
    return said, {pattern: len(said) - behind for pattern, behind in reversed(marks)}


class _Node(dict[str, "_Node"]):
    """One character further on a path; `end` says what is known of texts that end here."""

    __slots__ = ("end", "next", "owner", "state")

    def __init__(self, state: State | None, owner: Shaped) -> None:
        super().__init__()
        self.state = state
        """None where the text has no shape."""
        self.owner = owner
        self.next: dict[Any, _Node] = {}
        self.end: Any = None

    def __missing__(self, character: str) -> _Node:
        return self.owner.follow(self, character)


class _Free(dict[str, bool]):
    """Whether the pattern never takes a character."""

    def __init__(self, automaton: Automaton) -> None:
        super().__init__()
        self._takes = automaton.takes

    def __missing__(self, character: str) -> bool:
        shown = seen(character)
        free = len(shown) == 1 and not self._takes(shown)
        if len(self) < _MOST:
            self[character] = free
        return free


class Shaped:
    """What shapes are made on: a text's path, one node a character."""

    __slots__ = (
        "_automaton", "_free", "_lettered", "_none", "_parts", "_patience", "_ranks", "_rest", "_roots",
        "_said", "_spent", "_trust", "_untold",
    )  # fmt: skip

    def __init__(
        self, automaton: Automaton, parts: Sequence[Any], ranks: Sequence[Any], said: Sequence[bool], lettered: bool
    ) -> None:
        self._automaton, self._parts, self._ranks, self._said, self._lettered = automaton, parts, ranks, said, lettered
        self._free = _Free(automaton)
        self._none = _Node(None, self)
        self._roots: dict[int, _Node] = {}
        self._spent = self._rest = self._trust = self._patience = 0
        self._untold: list[Any] = []

    def find(self, before: str, text: str, matched: int, hold: int = 0, until: int = 0) -> list[Any] | None:
        """What is made of the matches in `text` behind `before`, of which `matched` characters belong to earlier
        matches that began in what had been said; None where the shape does not tell. No escape begins in `before`.
        `hold` and `until` as in `Plan.candidates`.
        """
        if self._rest:
            self._rest -= 1
            return None
        if len(text) > _LONGEST:
            return None
        # No match reaches over a character that no pattern takes, and no boundary looks behind it: only behind signs,
        # which patterns with such a boundary take.
        free, size = self._free, len(before)
        at = size
        while at:
            at -= 1
            if free[before[at]]:
                if matched > at + 1:
                    return None
                break
            if size - at > _REACH:
                return None
        else:
            if matched:
                return None
        whole = text
        if size:
            whole = before[at:] + text
            size -= at
        node = self._roots.get(size) or self._root(size)
        for character in whole:
            node = node[character]
        known = node.end
        if known is None:
            if node.state is None:
                return None
            known = node.end = self._learned(whole, size)
        elif self._trust < TRUST:
            self._trust += 1
        made: list[Any] = []
        for end in known:
            number, found = end
            first = made[0] if made and hold and not self._said[number] else None
            if first is not None and first.rank <= self._ranks[number] and first.fills(text, hold, until):
                continue
            if type(found) is not list:
                found = self._answered(end, whole, size)
            if found is self._untold:
                return None
            made += found
        return made

    def follow(self, node: _Node, character: str) -> _Node:
        """The node one character further."""
        state = node.state
        shown = seen(character)
        if state is None or character in ESCAPES or len(shown) != 1:
            return self._none
        state = self._automaton.step(state, character).state
        if character.isascii() or not (state.groups or state.unheld or (self._lettered and state.word)):
            key = (state, shown if shown in SIGNS else "")
        else:  # in a match, or a letter that engines may disagree about: it stands for itself
            key = (state, character)
        known = node.next.get(key)
        if known is None:
            known = node.next[key] = _Node(state, self)
        node[character] = known
        self._spent += 1
        if self._spent > _MOST:
            self._spent = 0
            self._roots = {}
        return known

    def _root(self, size: int) -> _Node:
        node = self._roots[size] = _Node(self._automaton.idle, self)
        return node

    def _learned(self, text: str, size: int) -> list[Any]:
        """What is known of texts of a shape, once this one was searched with the patterns themselves."""
        raise NotImplementedError

    def _answered(self, end: list[Any], text: str, size: int) -> list[Any]:
        """What is made of a text when its checks have been asked."""
        raise NotImplementedError


class Beginning(Shaped):
    """What openings are made on; only the compiled one tells anything, since patterns themselves are as quick here."""

    __slots__ = ()

    def first(self, before: str, text: str) -> Any:
        """What is made of the match with which `text` begins; None where the shape does not tell, or there is none."""
        return None
