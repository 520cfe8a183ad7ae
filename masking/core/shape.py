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
from masking.core.character import identifies
from masking.core.pattern import Accept, Pattern, Place
from masking.core.plain import TRUST
from masking.core.reader import Beginning, Shaped
from masking.core.streamview import StreamView, seen

__all__ = ["Openings", "Shapes", "first_place"]

_MISS: Final = 3
_REST: Final = 512  # searches without shapes, where few texts are alike; twice as many each time
_LONGEST_REST: Final = 1 << 12
_NEIGHBOURS: Final = 2  # characters that a boundary looks at

Make = Callable[[str, int, Sequence[Place]], list[Any] | None]
"""What is kept of matches: text, where the part begins in which they count, places; None where shapes do not tell."""


class _Question:
    """A value to ask the check about, and what follows from each answer: a question, what was made, None if unknown."""

    __slots__ = ("answers", "first", "stop")

    def __init__(self, first: int, stop: int) -> None:
        self.first, self.stop = first, stop
        self.answers: list[Any] = [None, None]


class Shapes(Shaped):
    """The shapes of some patterns; shared by threads, which at worst find the same thing twice.

    Each pattern is given with its check and with what is made of its matches, the best rank first; the automaton is
    that of all of them, and exact.
    """

    __slots__ = ()

    def __init__(
        self,
        parts: Sequence[tuple[Pattern, Accept | None, Make]],
        automaton: Automaton,
        ranks: Sequence[Any],
        said: Sequence[bool],
    ) -> None:
        lettered = any("any_letter" in (pattern.before, pattern.after) for pattern, _, _ in parts)
        super().__init__(automaton, parts, ranks, said, lettered)
        self._trust, self._patience, self._untold = TRUST, _REST, _UNTOLD

    def _learned(self, text: str, size: int) -> list[Any]:
        """What is known of texts of a shape, once this one was searched with the patterns themselves."""
        self._trust -= _MISS
        if self._trust < 0:
            self._trust, self._rest = TRUST, self._patience
            self._patience = min(2 * self._patience, _LONGEST_REST)
        ends = [[number, self._learn(number, text, size)[0]] for number in range(len(self._parts))]
        return [end for end in ends if end[1] is _UNTOLD or end[1]]

    def _answered(self, end: list[Any], text: str, size: int) -> list[Any]:
        """What is made of a text when its checks have been asked."""
        number, found = end
        accept: Any = self._parts[number][1]
        while type(found) is _Question:
            found = found.answers[1 if accept(text[found.first : found.stop]) else 0]
        if found is None:
            other, found = self._learn(number, text, size)
            end[1] = _joined(end[1], other)
        made: list[Any] = found
        return made

    def _learn(self, number: int, text: str, size: int) -> tuple[Any, list[Any]]:
        """What is made of what a pattern finds in a text: behind what it asks of its check, and bare."""
        pattern, accept, make = self._parts[number]
        asked: list[tuple[int, int, bool]] = []

        def answer(place: tuple[int, int]) -> bool:
            assert accept is not None
            asked.append((*place, bool(accept(text[place[0] : place[1]]))))
            return asked[-1][2]

        start = 0 if self._said[number] else first_place(text[:size])
        places = pattern.asked(StreamView(text), None if accept is None else answer, start)
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


class Openings(Beginning):
    """The shapes of the match of one pattern with which a text begins.

    Its automaton begins matches nowhere else, so that texts have the same shape which differ in what could have begun
    later: in the digits of a card number, say. Only what fills the text may be taken from here, since nothing else is
    looked for.
    """

    __slots__ = ()

    def __init__(self, part: tuple[Pattern, Accept | None, Make], automaton: Automaton) -> None:
        lettered = "any_letter" in (part[0].before, part[0].after)
        super().__init__(automaton, [part], [None], [False], lettered)

    def _begun(self, before: str, text: str, lead: int) -> tuple[int, int, Any] | tuple[()]:
        """Where the value stands in `text`, and what is made of it, if a match begins `lead` characters in it that the
        check confirms."""
        pattern, accept, make = self._parts[0]
        near = before[-_NEIGHBOURS:]
        whole, size = near + text, len(near)
        asked: list[tuple[int, int]] = []

        def answer(place: tuple[int, int]) -> bool:
            assert accept is not None
            asked.append(place)
            return bool(accept(whole[place[0] : place[1]]))

        places = pattern.asked(StreamView(whole), None if accept is None else answer, size + lead)
        if not places or places[0][0] != size + lead or (asked and asked[0] != places[0][2:]):
            return ()
        first, stop = places[0][2:]
        made = make(whole, size, places[:1])
        return (first - size, stop - size, made[0]) if made and whole[first:stop].isascii() else ()


def first_place(before: str) -> int:
    """Where the first match may begin of a pattern whose matches begin with a character that identifies: at the end of
    what has been said, or with signs there that are written in another form, such as a full-width plus or bracket, of
    which an answer does not wait for any."""
    at = len(before)
    while at and not identifies(before[at - 1]) and seen(before[at - 1]).isascii():
        at -= 1
    return at


def _joined(known: Any, other: Any) -> Any:
    """Two sequences of questions and answers as one; they part at the first answer that differs."""
    if known is None or other is None:
        return other if known is None else known
    if type(known) is _Question and type(other) is _Question:
        known.answers = [_joined(*both) for both in zip(known.answers, other.answers, strict=True)]
    return known


_UNTOLD: Final[list[Any]] = []
"""Stands where the shape does not tell."""
