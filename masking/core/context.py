"""Words beside a value that tell what it is: 密码 before a password, `card` before a card number."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Literal

from masking.core.terms import normal
from masking.core.view import View, folded

__all__ = ["Context"]

Side = Literal["before", "after", "both"]


class Context:
    """Context words and how near they must stand; either they are `required`, or they give a finding another score.

    `within` counts characters of the normalised view: the whole word must lie in that many characters directly before
    or after the value. Either case counts. A word that begins or ends with an ASCII letter or digit must not stand
    beside another on that side, so `id` is not found in `video`.
    """

    __slots__ = ("_words", "required", "score", "side", "within", "words")

    def __init__(
        self,
        words: Collection[str],
        within: int,
        side: Side = "both",
        *,
        required: bool = False,
        score: float | None = None,
    ) -> None:
        self.words = tuple(dict.fromkeys(normal(word) for word in words))
        self.within = within
        self.side = side
        self.required = required
        self.score = score
        # The shortest first: what lies behind a word that is found does not matter.
        self._words = re.compile("|".join(map(_bounded, sorted(self.words, key=len))), re.ASCII)

    def near(self, view: View, start: int, end: int) -> tuple[int, int] | None:
        """The place in the view of a context word near the value at `start` to `end`, or None."""
        text = view.once("folded", lambda: folded(view.text))
        found = None
        if self.side != "after":
            found = self._in(text, max(0, start - self.within), start)
        if found is None and self.side != "before":
            found = self._in(text, end, end + self.within)
        return found

    def _in(self, text: str, start: int, stop: int) -> tuple[int, int] | None:
        at = start
        while True:
            # One character beyond, so that the boundary behind a word is seen.
            match = self._words.search(text, at, stop + 1)
            if match is None:
                return None
            if match.end() <= stop:
                return match.span()
            at = match.start() + 1


def _bounded(word: str) -> str:
    before = "(?<![0-9a-z])" if re.match("[0-9a-z]", word) else ""
    after = "(?![0-9a-z])" if re.search("[0-9a-z]$", word) else ""
    return f"{before}{re.escape(word)}{after}"
