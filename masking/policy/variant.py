"""Other ways in which a value may be written: a case that holds for one should hold for the others it names.

    fullwidth     ASCII signs, letters and digits as their full-width forms: １３８００１３８０００
    spaced        runs of seven digits or more in groups of four from the end (138 0013 8000); without such a run,
                  a blank between Han characters (王 芳)
    zero_width    U+200B between every two characters
    newline       a line break before and behind the value
    case          upper case; lower case for what is upper already

Only the values that must be masked are rewritten, or those that must be kept where a case masks none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from masking.policy.suite import Variant

__all__ = ["Rewritten", "rewrite"]

_Piece = tuple[str, str, str]
"""What stands before a character, the character, what stands behind it."""

_RUN = re.compile(r"[0-9]{7,}(?:(?<=[0-9]{17})[Xx])?")
_GROUP = 4
_ZERO_WIDTH = "\u200b"


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A text in another way of writing, and where its former characters stand now."""

    text: str = field(repr=False)
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def place(self, start: int, end: int) -> tuple[int, int]:
        """Where `start` to `end` of the former text is now."""
        return self.starts[start], self.ends[end - 1]


def rewrite(text: str, places: Sequence[tuple[int, int]], variant: Variant | None) -> Rewritten | None:
    """The text with the values at `places` rewritten; None where the variant changes none of them."""
    pieces: list[_Piece] = [("", one, "") for one in text]
    if variant is not None:
        done = 0
        changed = False
        for start, end in sorted(places):
            if start < done:  # claims may overlap: what is rewritten once stays
                continue
            new = _WAYS[variant](text[start:end])
            if new is not None:
                pieces[start:end] = new
                done = end
                changed = True
        if not changed:
            return None
    starts: list[int] = []
    ends: list[int] = []
    at = 0
    for before, one, behind in pieces:
        starts.append(at + len(before))
        ends.append(starts[-1] + len(one))
        at = ends[-1] + len(behind)
    return Rewritten("".join(map("".join, pieces)), tuple(starts), tuple(ends))


def _fullwidth(value: str) -> list[_Piece] | None:
    if not any("!" <= one <= "~" for one in value):
        return None
    return [("", chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one, "") for one in value]


def _spaced(value: str) -> list[_Piece] | None:
    breaks = {
        place
        for run in _RUN.finditer(value)
        for place in range(run.end() - _GROUP, run.start(), -_GROUP)
        if place - run.start() > 1
    }
    if not breaks and not any(one.isascii() for one in value):
        breaks = set(range(1, len(value)))
    if not breaks:
        return None
    return [("", one, " " if at + 1 in breaks else "") for at, one in enumerate(value)]


def _zero_width(value: str) -> list[_Piece] | None:
    if len(value) < 2:
        return None
    return [("", one, _ZERO_WIDTH if at + 1 < len(value) else "") for at, one in enumerate(value)]


def _newline(value: str) -> list[_Piece] | None:
    last = len(value) - 1
    return [("\n" if at == 0 else "", one, "\n" if at == last else "") for at, one in enumerate(value)]


def _case(value: str) -> list[_Piece] | None:
    upper = value == value.upper()
    new = [one.lower() if upper else one.upper() for one in value]
    kept = [other if len(other) == 1 else one for one, other in zip(value, new, strict=True)]
    return None if "".join(kept) == value else [("", one, "") for one in kept]


_WAYS: dict[Variant, Callable[[str], list[_Piece] | None]] = {
    "fullwidth": _fullwidth,
    "spaced": _spaced,
    "zero_width": _zero_width,
    "newline": _newline,
    "case": _case,
}
