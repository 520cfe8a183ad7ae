"""The normalised view of a text that rules are matched on, and the way back to the original offsets.

- Full-width forms (Unicode block U+FF01 to U+FF5E, which repeats U+0021 to U+007E), decimal digits of every script,
  mathematical and circled letters become ASCII.
- Circled, parenthesised and dotted numerals become digits where two stand together or one stands between digits. One
  alone is the number of a note or of an item in a list, ①13800138000, and stays.
- Chinese numerals become digits where at least seven stand in a row, blanks or hyphens between them or not: what is as
  long as a telephone number is one (一三八零零一三八零零零), a year and a count are not.
- Ideographic and no-break spaces become a blank, typographic hyphens and the minus sign become `-`.
- Characters that show nothing (zero-width space and joiners, direction marks, fillers, variation selectors, soft
  hyphen, byte order mark) are left out. So are combining marks; with a Latin letter they become the composed letter.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from array import array
from collections.abc import Callable, Hashable
from functools import cache
from typing import Any, TypeVar

__all__ = ["View", "folded"]

T = TypeVar("T")

_HYPHENS = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63"
_BLANKS = "\u00a0\u2000-\u200a\u202f\u205f\u3000"
_UNSEEN = (
    "\u00ad\u034f\u061c\u115f\u1160\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\U000e0000-\U000e01ef"
)
_MARKS = "\u0300-\u034e\u0350-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
# First code points of nine in a row, 1 to 9, each for one digit and also a sign for an item of a list; then the zeros.
_MARKERS = {
    **{first + number: str(number + 1) for first in (0x2460, 0x2474, 0x2488, 0x24F5, 0x2776, 0x2780, 0x278A)
       for number in range(9)},
    0x24EA: "0",
    0x24FF: "0",
    0x1F10B: "0",
    0x1F10C: "0",
}  # fmt: skip
_MARKER = "[" + "".join(map(chr, _MARKERS)) + "]"
_SPOKEN = dict(zip("零〇一二三四五六七八九幺两壹贰叁肆伍陆柒捌玖兩貳參陸", "00123456789121234567892236", strict=True))
_NUMERAL = "[" + "".join(_SPOKEN) + "]"
# 三点一四一五九二六 is no telephone number.
_SPOKEN_RUN = re.compile(f"(?<![点點])(?<!{_NUMERAL}){_NUMERAL}(?:[ -]?{_NUMERAL}){{6,}}")
# Begins with a character class, which `re` looks for in its quick loop.
_LIKELY_SPOKEN = re.compile(f"{_NUMERAL}(?:[ -]?{_NUMERAL}){{6}}")
_NUMBERED = re.compile(f"{_MARKER}(?={_MARKER})|(?<={_MARKER}){_MARKER}|(?<=[0-9]){_MARKER}(?=[0-9])")
_SHORTENED = re.compile(f"(?P<marked>[A-Za-z\u00c0-\u024f][{_MARKS}]+)|[{_UNSEEN}{_MARKS}]+")
# What belongs to the character before it, and would be left over beside a placeholder.
_ATTACHED = re.compile(f".*[{_MARKS}\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]", re.DOTALL)
# Where a decimal digit zero stands outside ASCII, the nine others behind it (Unicode 15, general category Nd).
_ZEROS = (
    0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xDE6, 0xE50, 0xED0, 0xF20,
    0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0,
    0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0x104A0, 0x10D30, 0x11066, 0x110F0, 0x11136, 0x111D0, 0x112F0, 0x11450,
    0x114D0, 0x11650, 0x116C0, 0x11730, 0x118E0, 0x11950, 0x11C50, 0x11D50, 0x11DA0, 0x16A60, 0x16AC0, 0x16B50,
    0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6, 0x1E140, 0x1E2F0, 0x1E950, 0x1FBF0,
)  # fmt: skip
_OFTEN_WIDE = tuple(zip("，：（）！？", ",:()!?", strict=True))
_WIDE = re.compile(f"[\uff01-\uff5e{_HYPHENS}{_BLANKS}]")
# What is seldom. Coarse beyond the basic plane, which `re` has a table for, while a range above it costs a comparison
# for every character; it decides only whether a text is looked at more closely.
_RARE_SIGNS = (
    f"{_UNSEEN.partition(chr(0xE0000))[0]}{_MARKS}\u24b6-\u24e9"
    + "".join(chr(code) for code in _MARKERS if code < 0x10000)
    + "".join(f"{chr(zero)}-{chr(zero + 9)}" for zero in _ZEROS if zero < 0x10000)
    + "\U00010000-\U0010ffff"
)
_RARE = re.compile(f"[{_RARE_SIGNS}]")
_ODD = re.compile(f"[\uff01-\uff5e{_HYPHENS}{_BLANKS}{_RARE_SIGNS}]")

_STAND_IN = "\x1d"


def _narrow(match: re.Match[str]) -> str:
    return _to_ascii()[ord(match[0])]


@cache
def _to_ascii() -> dict[int, str]:
    """What becomes one ASCII character wherever it stands."""
    table = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
    table |= dict.fromkeys(map(ord, _HYPHENS), "-")
    table |= dict.fromkeys((0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000), " ")
    table |= {0x24B6 + at: chr(65 + at) for at in range(26)} | {0x24D0 + at: chr(97 + at) for at in range(26)}
    for code in range(0x1D400, 0x1D800):
        plain = unicodedata.normalize("NFKC", chr(code))
        if plain.isascii():
            table[code] = plain
    for zero in _ZEROS:
        table |= {zero + digit: str(digit) for digit in range(10)}
    return table


def _substitute(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return "\x1a" * (error.end - error.start), error.end


def _replace(error: UnicodeError) -> tuple[bytes, int]:
    assert isinstance(error, UnicodeEncodeError)
    # As bytes, since the UTF-8 codec takes only ASCII when a handler answers with text.
    return "\ufffd".encode() * (error.end - error.start), error.end


codecs.register_error("masking.image", _substitute)
codecs.register_error("masking.surrogates", _replace)


def folded(text: str) -> str:
    """The text in lower case, character by character: as long as it was (İ alone would become two)."""
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(c if len(c.lower()) != 1 else c.lower() for c in text)


class View:
    """A text as rules see it.

    `text` is the normalised text, `image` the same with every character outside ASCII as one SUB byte (so that byte
    offsets are character offsets), `utf8` the same in UTF-8 with lone surrogates replaced.
    """

    __slots__ = ("_counted", "_ends", "_image", "_once", "_starts", "_utf8", "text")

    def __init__(self, original: str) -> None:
        self._starts: array[int] | None = None
        self._ends: array[int] | None = None
        self._image: bytes | None = None
        self._utf8: bytes | None = None
        self._counted = (0, 0)
        self._once: dict[Hashable, Any] = {}
        if original.isascii():
            self.text = original
            return
        # Chinese punctuation is full-width too, so this is every Chinese text: what it has most is replaced by itself.
        text = original
        for wide, narrow in _OFTEN_WIDE:
            if wide in text:
                text = text.replace(wide, narrow)
        if _ODD.search(text):
            text = _WIDE.sub(_narrow, text)
            if _RARE.search(text):
                text = self._shortened(text.translate(_to_ascii()))
                text = _NUMBERED.sub(lambda match: _MARKERS[ord(match[0])], text)
        if _LIKELY_SPOKEN.search(text):
            text = _SPOKEN_RUN.sub(lambda match: "".join(_SPOKEN.get(one, one) for one in match[0]), text)
        self.text = text

    def _shortened(self, text: str) -> str:
        """The text without what shows nothing, and where each character that is left stood."""
        matches = list(_SHORTENED.finditer(text))
        if not matches:
            return text
        starts, ends, pieces, at = array("l"), array("l"), [], 0
        for match in matches:
            start, end = match.span()
            pieces.append(text[at:start])
            starts.extend(range(at, start))
            ends.extend(range(at + 1, start + 1))
            at = end
            if match["marked"]:
                pieces.append(unicodedata.normalize("NFC", match[0])[0])
                starts.append(start)
                ends.append(end)
            elif ends and (attached := _ATTACHED.match(match[0])):
                ends[-1] = start + attached.end()
        pieces.append(text[at:])
        starts.extend(range(at, len(text)))
        ends.extend(range(at + 1, len(text) + 1))
        self._starts, self._ends = starts, ends
        return "".join(pieces)

    @property
    def image(self) -> bytes:
        """The text with one byte a character, for patterns that name only ASCII."""
        if self._image is None:
            text = self.text
            if text.isascii():
                self._image = self.utf8
            elif _STAND_IN in text:
                self._image = text.encode("ascii", "masking.image")
            else:  # the built-in replacement, ten times quicker, is a question mark, so those of the text step aside
                image = text.replace("?", _STAND_IN).encode("ascii", "replace")
                self._image = image.replace(b"?", b"\x1a").replace(_STAND_IN.encode(), b"?")
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

    @property
    def is_aligned(self) -> bool:
        """Whether places in the view are the same in the original text."""
        return self._starts is None

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The place in the original text of a place in the view; `end` is exclusive and greater than `start`."""
        if self._starts is None or self._ends is None:
            return start, end
        return self._starts[start], self._ends[end - 1]
