"""What a lane said last: the context in which patterns look at what comes."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final

from masking.core.escapes import LONGEST
from masking.core.reader import last
from masking.core.streamview import shown

__all__ = ["Ended", "Trail"]

_MORE: Final = 16  # pieces, besides one for each character of the context


class Ended(str):
    """Stands in the trail where a match of a pattern ended, and is empty as text."""

    __slots__ = ("pattern",)

    pattern: int


class Trail(deque[str]):
    """The last pieces, enough for `context` characters that rules see."""

    def __init__(self, context: int) -> None:
        super().__init__(maxlen=context + LONGEST + _MORE)

    def add(self, said: str) -> None:
        """Go on by a piece. Characters that show nothing push out no others, however many there are."""
        if not said:
            return
        if said.isascii() or shown(said):
            self.append(said)
        elif self and self[-1]:
            self[-1] = shown(self[-1]) + said[-1]
        else:
            self.append(said[-1])

    def context(self, size: int) -> tuple[str, Mapping[int, int]]:
        """The last `size` characters that rules see, or some more, and up to where in them patterns have matched."""
        said, ends = last(self, size + LONGEST)
        if "%" in said or "&" in said or "\\" in said:
            return self._shown(size * LONGEST)  # as escapes they take so much room
        if not said.isascii() and shown(said) != said:
            return self._shown(size + LONGEST)
        return said, ends

    def _shown(self, most: int) -> tuple[str, Mapping[int, int]]:
        """As `last`, without characters of which rules see nothing."""
        return last([piece if isinstance(piece, Ended) else shown(piece) for piece in self], most)
