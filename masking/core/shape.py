"""What a pattern finds in texts of one shape, found once: card numbers differ in their digits, not in their form.

Two texts have the same shape for a pattern if its automaton goes through the same states in them, and the characters
that a boundary looks at are of the same kinds. Then every way through the pattern that is open in one text is open in
the other, so the matches stand at the same places; only what a check says of a value can differ. Shapes are kept as
paths, one node a character, in which characters that lead to the same state share a node; at the end of a path stand
the places, or what is to be asked of a check first. Like the pieces of text that the automaton remembers, paths stay in
memory only, are few, and are dropped all together when they become too many.

What is written in more or fewer characters than rules see (escapes, characters that show nothing) has no shape here,
and values outside ASCII are left to the pattern itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from masking.core.automaton import Automaton
from masking.core.pattern import Accept, Pattern, Place
from masking.core.state import State
from masking.core.streamview import StreamView, seen

__all__ = ["Shapes"]

_REACH: Final = 24  # characters back to one that the pattern never takes
_LONGEST: Final = 96  # characters
_MOST: Final = 1 << 11  # characters remembered, of all nodes of a pattern
_TRUST: Final = 64  # what is lost by a text of a new shape, and won by one of a known
_MISS: Final = 3
_REST: Final = 512  # searches without shapes, where few texts are alike; twice as many each time
_LONGEST_REST: Final = 1 << 12
_SIGNS: Final = ".,-"
_ESCAPES: Final = "%&\\"

Make = Callable[[str, int, Sequence[Place]], list[Any] | None]
"""What is kept of matches: text, where the part begins in which they count, places; None where shapes do not tell."""


class _Question:
    """A value to ask the check about, and what follows from each answer: a question, what was made, None if unknown."""

    __slots__ = ("answers", "first", "stop")

    def __init__(self, first: int, stop: int) -> None:
        self.first, self.stop = first, stop
        self.answers: list[Any] = [None, None]


class _Node(dict[str, "_Node"]):
    """One character further on a path; `end` says what is known of texts that end here."""

    __slots__ = ("end", "next", "owner", "state")

    def __init__(self, state: State | None, owner: Shapes) -> None:
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


class Shapes:
    """The shapes of some patterns; shared by threads, which at worst find the same thing twice.

    Each pattern is given with its check and with what is made of its matches, the best rank first; the automaton is
    that of all of them, and exact.
    """

    __slots__ = (
        "_automaton",
        "_free",
        "_lettered",
        "_none",
        "_parts",
        "_patience",
        "_ranks",
        "_rest",
        "_roots",
        "_said",
        "_some_said",
        "_spent",
        "_trust",
    )

    def __init__(
        self,
        parts: Sequence[tuple[Pattern, Accept | None, Make]],
        automaton: Automaton,
        ranks: Sequence[Any],
        said: Sequence[bool],
    ) -> None:
        self._parts = parts
        self._ranks = ranks
        self._said = said
        self._some_said = any(said)
        patterns = [pattern for pattern, _, _ in parts]
        self._automaton = automaton
        self._free = _Free(self._automaton)
        self._lettered = any("any_letter" in (one.before, one.after) for one in patterns)
        self._none = _Node(None, self)
        self._roots: dict[tuple[int, int], _Node] = {}
        self._spent = self._rest = 0
        self._trust = _TRUST
        self._patience = _REST

    def find(self, before: str, text: str, matched: int, every: int, hold: int = 0, until: int = 0) -> list[Any] | None:
        """What is made of the matches in `text` behind `before`, of which `matched` characters belong to earlier
        matches, and `every` to those of any pattern whose matches do not begin in what has been said; None where the
        shape does not tell. No escape begins in `before`. `hold` and `until` as in `Plan.candidates`.
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
        if self._some_said:
            every = 0
        whole = text
        if size:
            whole = before[at:] + text
            size -= at
        behind = every - at if every > at else 0
        node = self._roots.get((size, behind)) or self._root(size, behind)
        for character in whole:
            node = node[character]
        known = node.end
        if known is None:
            known = self._learned(node, whole, size, behind)
            if known is None:
                return None
        elif self._trust < _TRUST:
            self._trust += 1
        made: list[Any] = []
        for end in known:
            number, found = end
            if made and hold and not self._said[number] and self._is_filled(number, made[0], text, hold, until):
                continue
            if type(found) is _Question:
                accept: Any = self._parts[number][1]
                while type(found) is _Question:
                    found = found.answers[1 if accept(whole[found.first : found.stop]) else 0]
                if found is None:
                    other, found = self._learn(number, whole, size, behind)
                    end[1] = _joined(end[1], other)
            if found is _UNTOLD:
                return None
            made += found
        return made

    def _is_filled(self, number: int, first: Any, text: str, hold: int, until: int) -> bool:
        return first.rank <= self._ranks[number] and first.fills(text, hold, until)  # type: ignore[no-any-return]

    def follow(self, node: _Node, character: str) -> _Node:
        """The node one character further."""
        state = node.state
        shown = seen(character)
        if state is None or character in _ESCAPES or len(shown) != 1:
            return self._none
        state = self._automaton.step(state, character).state
        if character.isascii() or not (state.groups or state.unheld or (self._lettered and state.word)):
            key = (state, shown if shown in _SIGNS else "")
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

    def _root(self, size: int, behind: int) -> _Node:
        node = self._roots[size, behind] = _Node(self._automaton.idle, self)
        return node

    def _learned(self, node: _Node, text: str, size: int, behind: int) -> list[Any] | None:
        """What is known of texts that end at `node`, once this one was searched with the patterns themselves."""
        if node.state is None:
            return None
        self._trust -= _MISS
        if self._trust < 0:
            self._trust, self._rest = _TRUST, self._patience
            self._patience = min(2 * self._patience, _LONGEST_REST)
        ends = [[number, self._learn(number, text, size, behind)[0]] for number in range(len(self._parts))]
        node.end = [end for end in ends if end[1] is _UNTOLD or end[1]]
        known: list[Any] = node.end
        return known

    def _learn(self, number: int, text: str, size: int, behind: int) -> tuple[Any, list[Any]]:
        """What is made of what a pattern finds in a text from `behind` on: with what it asks of its check, and bare."""
        pattern, accept, make = self._parts[number]
        asked: list[tuple[int, int, bool]] = []

        def answer(place: tuple[int, int]) -> bool:
            assert accept is not None
            asked.append((*place, bool(accept(text[place[0] : place[1]]))))
            return asked[-1][2]

        places = pattern.asked(StreamView(text), None if accept is None else answer, behind)
        if not all(text[first:stop].isascii() for first, stop, _ in asked):
            return _UNTOLD, _UNTOLD  # the pattern itself sees other characters there
        made = make(text, size, places)
        bare = _UNTOLD if made is None else made
        found: Any = bare
        for first, stop, yes in reversed(asked):
            question = _Question(first, stop)
            question.answers[yes] = found
            found = question
        return found, bare


def _joined(known: Any, other: Any) -> Any:
    """Two sequences of questions and answers as one; they part at the first answer that differs."""
    if known is None or other is None:
        return other if known is None else known
    if type(known) is _Question and type(other) is _Question:
        known.answers = [_joined(*both) for both in zip(known.answers, other.answers, strict=True)]
    return known


_UNTOLD: Final[list[Any]] = []
"""Stands where the shape does not tell."""
