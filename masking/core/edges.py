"""Whether a text may hold a match that stands at one of its edges: most texts between two findings hold none."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Final

from masking.core.gate import Gate, Joined, bounded, joined
from masking.core.pattern import Pattern
from masking.core.streamview import StreamView

__all__ = ["NEAR", "Edges"]

NEAR: Final = 2
"""Characters between an edge and a match that stands at it: as many as a boundary may look at."""

_SMALL: Final = 1 << 14  # characters of patterns that are looked for at once
_OFTEN: Final = 32  # questions


class Edges:
    """The patterns of an answer's rules, asked where they may stand at the edges of a text.

    What can stand at its beginning is told by one search that ends where nothing goes on, what can stand at its end by
    one that reads backwards. Where the patterns are many, those that need a word are asked only if the text has it.
    """

    __slots__ = ("_asked", "_head", "_needed", "_needs", "_patterns", "_tail", "_worded", "_words")

    def __init__(self, patterns: Sequence[Pattern], needs: Sequence[str]) -> None:
        """`needs`: for each pattern another that stands in whatever is accepted of it, or an empty one."""
        self._patterns = patterns
        self._needs = needs
        self._asked = 0
        self._needed: Joined | None = None
        self._head: Joined | None = None
        self._tail: Joined | None = None
        self._worded: list[Pattern] = []
        self._words: Gate | None = None

    def _make(self) -> None:
        """Made only where texts are many: until then to look everywhere is cheaper."""
        plain = [one for one, needed in zip(self._patterns, self._needs, strict=True) if not needed]
        self._needed = joined(dict.fromkeys(filter(None, self._needs)))
        if sum(len(one.source) for one in plain) > _SMALL:
            self._worded = [one for one in plain if one.trigger.words]
            self._words = Gate(self._worded)
            plain = [one for one in plain if not one.trigger.words]
        self._head = joined(map(bounded, plain), f"\\A(?s:.{{0,{NEAR}}})", "")
        self._tail = joined(map(bounded, plain), "", f"(?s:.{{0,{NEAR}}})\\z")

    def may_hold(self, shown: str, *, head: bool, tail: bool) -> bool:
        """False only if no pattern matches within `NEAR` characters of the beginning, or of the end, of a text.

        `shown` is the text as a `StreamView` shows it.
        """
        if self._asked < _OFTEN:
            self._asked += 1
            if self._asked >= _OFTEN:
                self._make()
            return True
        if self._head is None or self._tail is None:
            return True
        data = shown.encode("utf-8", "masking.surrogates")
        if (head and self._head.search(data)) or (tail and self._tail.search(data)):
            return True
        if self._needed is not None and self._needed.search(data):
            return True
        if self._words is None:
            return False
        view = StreamView("")
        view.text = shown
        return any(chain.from_iterable(self._worded[index].matches(view) for index in self._words.open_for(view)))
