"""The view that rules have of a text which is still being written: character by character.

As `masking.core.view`, without what takes a run of characters to tell: spoken numerals, numerals of lists, and marks
that join a letter (they are left out). So what rules see of a piece never depends on what comes later.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left

from masking.core.escapes import ESCAPED, pieces
from masking.core.view import View

__all__ = ["StreamView", "seen", "shown"]


class _Seen(dict[int, str]):
    """What rules see of each character, found when it first comes; `odd` finds those that are not one then."""

    def __init__(self) -> None:
        super().__init__()
        self._odd: list[str] = []
        self.odd = re.compile("(?!)")

    def __missing__(self, code: int) -> str:
        shown = self[code] = View(chr(code)).text
        if len(shown) != 1:
            self._odd.append(re.escape(chr(code)))
            self.odd = re.compile(f"[{''.join(self._odd)}]")
        return shown


_SEEN = _Seen()
# Not ASCII, kana, Han, or what Chinese prose is punctuated with besides: those rules see as they are.
_OTHERS = re.compile("[^\x00-\x7f\u3001\u3002\u300a-\u3011\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff]+")


def _translated(found: re.Match[str]) -> str:
    return found[0].translate(_SEEN)


def seen(character: str) -> str:
    """What rules see of one character: none, one, or several."""
    return character if character.isascii() else _SEEN[ord(character)]


def shown(text: str) -> str:
    """The text without the characters of which rules see nothing."""
    if _OTHERS.search(text) is None:
        return text
    text.translate(_SEEN)  # looks at each, so that `odd` knows those of which nothing shows
    return text if _SEEN.odd.search(text) is None else "".join(filter(seen, text))


class StreamView(View):
    """As View, for a text that others may follow."""

    __slots__ = ("_after", "_at", "aligned")

    def __init__(self, original: str) -> None:
        self._starts = self._ends = self._image = self._utf8 = None
        self._counted = (0, 0)
        self._once = {}
        self._at: array[int] | None = None
        self._after: array[int] | None = None
        self.text = original
        self.aligned = True
        """Whether places in the view are the same in the original text."""
        escaped = ("%" in original or "&" in original or "\\" in original) and ESCAPED.search(original) is not None
        if not escaped:
            if original.isascii() or _OTHERS.search(original) is None:
                return
            self.text = _OTHERS.sub(_translated, original)
        if escaped or _SEEN.odd.search(original) is not None:
            at, after, shown, place = array("l"), array("l"), [], 0
            for character, length in pieces(original):
                one = seen(character)
                if not one and after:
                    after[-1] = place + length  # what shows nothing goes with the character before it
                at.extend([place] * len(one))
                place += length
                after.extend([place] * len(one))
                shown.append(one)
            self._at, self._after, self.aligned = at, after, False
            self.text = "".join(shown)

    @property
    def is_aligned(self) -> bool:
        """Whether places in the view are the same in the original text."""
        return self.aligned

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The place in the original text of a place in the view; `end` is exclusive and greater than `start`."""
        return (start, end) if self._at is None or self._after is None else (self._at[start], self._after[end - 1])

    def seen_from(self, original: int) -> int:
        """The first place in the view that stands at or after a place in the original text."""
        return original if self._at is None else bisect_left(self._at, original)
