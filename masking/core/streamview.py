"""The view that rules have of a text which is still being written: character by character.

As `masking.core.view`, without what takes a run of characters to tell: spoken numerals, numerals of lists, and marks
that join a letter (they are left out). So what rules see of a piece never depends on what comes later.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left

from masking.core.escapes import ESCAPED, pieces
from masking.core.view import View

__all__ = ["StreamView", "seen"]


class _Seen(dict[int, str]):
    """What rules see of each character, found when it first comes; `odd` are those that are not one character then."""

    def __init__(self) -> None:
        super().__init__()
        self.odd: set[str] = set()

    def __missing__(self, code: int) -> str:
        shown = self[code] = View(chr(code)).text
        if len(shown) != 1:
            self.odd.add(chr(code))
        return shown


_SEEN = _Seen()


def seen(character: str) -> str:
    """What rules see of one character: none, one, or several."""
    return character if character.isascii() else _SEEN[ord(character)]


class StreamView(View):
    """As View, for a text that others may follow."""

    __slots__ = ("_after", "_at")

    def __init__(self, original: str) -> None:
        super().__init__("")
        self._at: array[int] | None = None
        self._after: array[int] | None = None
        self.text = original
        escaped = ESCAPED.search(original) is not None
        if not escaped:
            if original.isascii():
                return
            self.text = original.translate(_SEEN)
        if escaped or any(character in original for character in _SEEN.odd):
            at, after, shown, place = array("l"), array("l"), [], 0
            for character, length in pieces(original):
                one = seen(character)
                if not one and after:
                    after[-1] = place + length  # what shows nothing goes with the character before it
                at.extend([place] * len(one))
                place += length
                after.extend([place] * len(one))
                shown.append(one)
            self._at, self._after = at, after
            self.text = "".join(shown)

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The place in the original text of a place in the view; `end` is exclusive and greater than `start`."""
        return (start, end) if self._at is None or self._after is None else (self._at[start], self._after[end - 1])

    def seen_from(self, original: int) -> int:
        """The first place in the view that stands at or after a place in the original text."""
        return original if self._at is None else bisect_left(self._at, original)
