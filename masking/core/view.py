"""The normalised view of a text that rules are matched on, and the way back to the original offsets.

Full-width forms become ASCII (Unicode block U+FF01 to U+FF5E, which repeats U+0021 to U+007E), ideographic and
no-break spaces become a blank, typographic hyphens and the minus sign become `-`, and characters that show nothing
(zero-width space and joiners, direction marks, soft hyphen, byte order mark) are left out.
"""

from __future__ import annotations

import codecs
import re
from array import array
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

__all__ = ["View"]

T = TypeVar("T")

_HYPHENS = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
_BLANKS = "\u00a0\u2007\u202f\u3000"
_UNSEEN = "\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"
_CHANGED = re.compile(f"[\uff01-\uff5e{_HYPHENS}{_BLANKS}{_UNSEEN}]")
_REMOVED = re.compile(f"[{_UNSEEN}]")
_ONE_TO_ONE = {
    **{code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)},
    **dict.fromkeys(map(ord, _HYPHENS), ord("-")),
    **dict.fromkeys(map(ord, _BLANKS), ord(" ")),
}


def _substitute(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return "\x1a" * (error.end - error.start), error.end


def _replace(error: UnicodeError) -> tuple[bytes, int]:
    assert isinstance(error, UnicodeEncodeError)
    # As bytes, since the UTF-8 codec takes only ASCII when a handler answers with text.
    return "\ufffd".encode() * (error.end - error.start), error.end


codecs.register_error("masking.image", _substitute)
codecs.register_error("masking.surrogates", _replace)


class View:
    """A text as rules see it.

    `text` is the normalised text, `image` the same with every character outside ASCII as one SUB byte (so that byte
    offsets are character offsets), `utf8` the same in UTF-8 with lone surrogates replaced.
    """

    __slots__ = ("_counted", "_image", "_offsets", "_once", "_utf8", "text")

    def __init__(self, original: str) -> None:
        self._offsets: array[int] | None = None
        self._image: bytes | None = None
        self._utf8: bytes | None = None
        self._counted = (0, 0)
        self._once: dict[Hashable, Any] = {}
        if original.isascii() or not _CHANGED.search(original):
            self.text = original
            return
        text = original.translate(_ONE_TO_ONE)
        if _REMOVED.search(text):
            removed = {match.start() for match in _REMOVED.finditer(text)}
            self._offsets = array("l", (i for i in range(len(text)) if i not in removed))
            text = _REMOVED.sub("", text)
        self.text = text

    @property
    def image(self) -> bytes:
        """The text with one byte a character, for patterns that name only ASCII."""
        if self._image is None:
            self._image = self.text.encode("ascii", "masking.image")
        return self._image

    @property
    def utf8(self) -> bytes:
        """The text in UTF-8."""
        if self._utf8 is None:
            self._utf8 = self.text.encode("utf-8", "masking.surrogates")
        return self._utf8

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, made once per view and key."""
        if key not in self._once:
            self._once[key] = make()
        made: T = self._once[key]
        return made

    def character(self, byte: int) -> int:
        """The character offset of a byte offset into `utf8`; asked in ascending order, all answers cost one pass."""
        bytes_before, characters_before = self._counted
        if byte < bytes_before:
            bytes_before = characters_before = 0
        character = characters_before + len(self.utf8[bytes_before:byte].decode("utf-8", "replace"))
        self._counted = (byte, character)
        return character

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The place in the original text of a place in the view; `end` is exclusive and greater than `start`."""
        if self._offsets is None:
            return start, end
        return self._offsets[start], self._offsets[end - 1] + 1
