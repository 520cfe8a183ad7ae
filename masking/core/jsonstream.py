"""A lane whose text is JSON, as tool arguments are: strings are read decoded and written encoded.

    outside a string    copied; a number that a rule redacts becomes a string; a placeholder is restored escaped
    inside a string     escapes (RFC 8259 section 7) are decoded, even when they arrive in pieces; what the stream
                        inside says unchanged leaves as it was spelled, what it replaces is escaped

So the joined text is JSON whenever the joined text of the model was. Text that is no JSON is read the same way, and
comes out no worse.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from masking.core.redact import Edit
from masking.core.stream import Stream, json_escaped

__all__ = ["JsonStream"]

_PLAIN = re.compile(r'[^"\\]+')
_OUTSIDE = re.compile(r'[^"0-9+-]+')
_NUMBER = re.compile(r"[-+0-9.eE]+")
_LONGEST_NUMBER: Final = 64
_SHORT: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class JsonStream:
    """As Stream, for one lane of JSON text. `make` makes the stream that reads one string, or a number."""

    __slots__ = ("_number", "_outside", "_raw", "_spelled", "_string", "_within")

    def __init__(self, make: Callable[[], Stream], outside: Stream) -> None:
        """`outside` restores what stands outside strings."""
        self._string = make()
        self._number = make()
        self._outside = outside
        self._within = False
        self._raw = ""  # an escape or a number that is not whole yet
        self._spelled: list[str] = []  # how the characters that wait in `_string` were written

    @property
    def held(self) -> bool:
        """Whether text waits that has been fed and not said."""
        return bool(self._raw or self._spelled or self._outside.held)

    def feed(self, text: str) -> str:
        """What can be said now that `text` has arrived."""
        return self._read(text, last=False)

    def flush(self) -> str:
        """What still waited; the stream is then ready for another text."""
        return self.whole("")

    def whole(self, text: str) -> str:
        """All that there is to say when `text` is all that comes."""
        said = self._read(text, last=True)
        self._within = False
        return said

    def _read(self, text: str, *, last: bool) -> str:
        text, self._raw = self._raw + text, ""
        said: list[str] = []
        at, size = 0, len(text)
        while at < size:
            read = self._inside if self._within else self._beyond
            after = read(text, at, said, last=last)
            if after is None:
                self._raw = text[at:]
                break
            at = after
        if last:
            self._close(said)
            said.append(self._outside.flush())
        return "".join(said)

    def _inside(self, text: str, at: int, said: list[str], *, last: bool) -> int | None:
        """Read on in a string from `at`; returns up to where, or None when an escape is not whole."""
        plain = _PLAIN.match(text, at)
        if plain is not None:
            self._spelled += plain.group()
            self._say(self._string.edits(plain.group()), said)
            return plain.end()
        if text[at] == '"':
            self._close(said)
            self._within = False
            said.append('"')
            return at + 1
        escape = _escape(text, at, last=last)
        if escape is None:
            return None
        character, end = escape
        self._spelled.append(text[at:end])
        self._say(self._string.edits(character), said)
        return end

    def _close(self, said: list[str]) -> None:
        self._say(self._string.edits("", last=True), said)

    def _say(self, edits: list[Edit], said: list[str]) -> None:
        spelled = self._spelled
        at = 0
        for length, instead in edits:
            said += spelled[at : at + length] if instead is None else [json_escaped(instead)]
            at += length
        del spelled[:at]

    def _beyond(self, text: str, at: int, said: list[str], *, last: bool) -> int | None:
        """Read on outside strings from `at`; returns up to where, or None when a number is not whole."""
        other = _OUTSIDE.match(text, at)
        if other is not None:
            said.append(self._restored(other.group()))
            return other.end()
        if text[at] == '"':
            said.append(self._outside.flush())
            said.append('"')
            self._within = True
            return at + 1
        number = _NUMBER.match(text, at)
        assert number is not None
        if number.end() == len(text) and not last and number.end() - at < _LONGEST_NUMBER:
            return None
        if any(instead is not None for _, instead in self._number.edits(number.group(), last=True)):
            said.append(self._outside.flush())
            said.append(f'"{json_escaped(self._number.feed(number.group()) + self._number.flush())}"')
        else:
            said.append(self._restored(number.group()))
        return number.end()

    def _restored(self, text: str) -> str:
        """What stands outside strings, with values escaped."""
        waiting = self._outside.waiting + text
        said: list[str] = []
        at = 0
        for length, instead in self._outside.edits(text):
            said.append(waiting[at : at + length] if instead is None else json_escaped(instead))
            at += length
        return "".join(said)


def _escape(text: str, at: int, *, last: bool) -> tuple[str, int] | None:
    """The character that the escape at `at` stands for, and where it ends; None when more must come.

    A pair of surrogates is one character. What is no escape stands for itself.
    """
    kind = text[at + 1 : at + 2]
    if not kind:
        return ("\\", at + 1) if last else None
    if kind != "u":
        return _SHORT.get(kind, kind), at + 2
    digits = text[at + 2 : at + 6]
    if not _is_hex(digits):
        return "\\", at + 1
    if len(digits) < 4:
        return ("\\", at + 1) if last else None
    code = int(digits, 16)
    if 0xD800 <= code < 0xDC00:
        rest = text[at + 6 : at + 12]
        if _may_be_low(rest):
            if len(rest) == 6:
                low = int(rest.removeprefix("\\u"), 16)
                return chr(0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)), at + 12
            if not last:
                return None
    return chr(code), at + 6


def _is_hex(digits: str) -> bool:
    return all(digit in "0123456789abcdefABCDEF" for digit in digits)


def _may_be_low(text: str) -> bool:
    """Whether `text` is, or may become, an escaped low surrogate."""
    return all(character in allowed for character, allowed in zip(text, _LOW, strict=False))


_LOW: Final = ("\\", "u", "dD", "cdefCDEF", "0123456789abcdefABCDEF", "0123456789abcdefABCDEF")
