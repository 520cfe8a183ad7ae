"""Texts with one byte a character, on which RE2 runs Presidio's patterns."""

from __future__ import annotations

import sys
import threading
from array import array
from functools import cache
from typing import Any

from masking.presidio.syntax import OTHER, SPACE, WORD

__all__ = ["image", "is_odd", "odd_pattern"]

_BMP = 0x10000
_WIDE = "utf-32-le" if sys.byteorder == "little" else "utf-32-be"
_LOCK = threading.Lock()


def image(text: str) -> bytes:
    """The text with every character outside ASCII as the byte of its kind."""
    if text.isascii():
        return text.encode()
    import numpy as np

    wide = text.encode("utf-16-le", "surrogatepass")
    if len(wide) == 2 * len(text):
        plane: bytes = _plane()[np.frombuffer(wide, np.uint16)].tobytes()
        return plane
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    whole: bytes = _everything()[codes].tobytes()
    return whole


def is_odd(text: str) -> bool:
    """Whether the text has a digit outside ASCII or a character that folds to ASCII, so that images would mislead."""
    return _odd().search(text) is not None


def odd_pattern() -> str:
    """The same for RE2 on UTF-8."""
    return f"[{''.join(map(_escaped, _odd_characters()))}]"


def _escaped(character: str) -> str:
    return f"\\x{{{ord(character):x}}}"


@cache
def _odd_characters() -> str:
    """As the `regex` module knows them: its tables of Unicode are not those of the standard library."""
    import regex

    others = _characters(0x80, 0x110000)
    return "".join(regex.findall(r"(?i)[\d\x00-\x7f]", others))


@cache
def _odd() -> Any:
    import regex

    return regex.compile(f"[{regex.escape(_odd_characters())}]")


@cache
def _plane() -> Any:
    with _LOCK:
        return _table(_BMP)


@cache
def _everything() -> Any:
    with _LOCK:
        return _table(0x110000)


def _table(size: int) -> Any:
    import numpy as np
    import regex

    table = np.full(size, OTHER, np.uint8)
    table[:0x80] = np.arange(0x80, dtype=np.uint8)
    others = _characters(0x80, size)
    for pattern, byte in ((r"\w", WORD), (r"\s", SPACE)):
        members = "".join(regex.findall(pattern, others))
        table[np.frombuffer(members.encode("utf-32-le", "surrogatepass"), np.uint32)] = byte
    return table


def _characters(start: int, stop: int) -> str:
    # By way of bytes: a million strings of one character would take a hundred megabytes.
    return array("I", range(start, stop)).tobytes().decode(_WIDE, "surrogatepass")
