"""Characters that are written as escapes: `%40`, `&#64;`, `&#x40;` and `\\u0040` for `@`.

Percent-encoding: RFC 3986 section 2.1. Character references: HTML, section 13.5. JSON: RFC 8259 section 7. Only
printable ASCII is read: it is what patterns name, and what values are hidden by. Escaped once, not twice.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from typing import Final

from masking.core.view import View

__all__ = ["ESCAPED", "LONGEST", "MAY_GO_ON", "DecodedView", "pieces", "view_of"]

LONGEST: Final = 10
"""Characters of the longest escape."""

ESCAPED = re.compile(
    r"%([2-7][0-9A-Fa-f])"
    r"|&#[xX]0{0,4}([2-7][0-9A-Fa-f]);"
    r"|&#0{0,3}(3[2-9]|[4-9][0-9]|1[01][0-9]|12[0-6]);"
    r"|\\u00([2-7][0-9A-Fa-f])"
)
MAY_GO_ON = re.compile(r"(?:%[2-7]?|&(?:#(?:[xX]0{0,4}[2-7]?[0-9A-Fa-f]?|0{0,3}[0-9]{0,3})?)?|\\(?:u0?0?[2-7]?)?)\Z")
"""What an escape may begin with, at the end of a text."""


def pieces(text: str) -> Iterator[tuple[str, int]]:
    """The characters of a text with how many characters each is written in."""
    at = 0
    for escape in ESCAPED.finditer(text):
        for character in text[at : escape.start()]:
            yield character, 1
        percent, hexadecimal, decimal, json = escape.groups()
        yield chr(int(decimal) if decimal else int(percent or hexadecimal or json, 16)), len(escape.group())
        at = escape.end()
    for character in text[at:]:
        yield character, 1


class DecodedView(View):
    """As View, of a text whose escapes are read as what they stand for."""

    __slots__ = ("_after", "_at")

    def __init__(self, original: str) -> None:
        at, after, characters, place = array("l"), array("l"), [], 0
        for character, length in pieces(original):
            at.append(place)
            place += length
            after.append(place)
            characters.append(character)
        super().__init__("".join(characters))
        self._at, self._after = at, after

    @property
    def is_aligned(self) -> bool:
        """Whether places in the view are the same in the original text."""
        return False

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The place in the original text of a place in the view; `end` is exclusive and greater than `start`."""
        first, last = super().original(start, end)
        return self._at[first], self._after[last - 1]


def view_of(text: str) -> View:
    """What rules see of a text."""
    if ("%" in text or "&" in text or "\\" in text) and ESCAPED.search(text):
        return DecodedView(text)
    return View(text)
