"""Where a text has digits that may be a telephone number: patterns for `re`, and for RE2 on UTF-8.

They know how the package lets numbers be written, not which numbers there are. A run is a stretch of ASCII digits with
plain punctuation among them; plain is what says nothing, so that a run can be told by its digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Final

from masking.core.phoneform import LEADS, PLAIN, PLAIN_WIDE, matcher

__all__ = ["chained", "joints", "mixed", "runs", "spaced"]

_SIGN_LABELS: Final = "~xX\uff03\uff5e\uff58\uff38"
_WORD_LABELS: Final = "\uff58\uff38\uff49\uff29\uff45\uff25\u0434\u0414\u1c81"
"""What labels of extensions are, of one character, and what words begin with that are not in ASCII."""
_PLUS: Final = "+\uff0b"


def runs(least: int, *, wide: bool) -> str:
    """A pattern for `re`: from where a candidate can begin to the last digit before other than plain punctuation.

    `least` is the number of digits below which there is none; `wide` is for texts with characters outside ASCII.
    """
    signs, leads = (PLAIN + PLAIN_WIDE, "+([\uff08") if wide else (PLAIN, "+([")
    signs, leads = re.escape(signs), re.escape(leads)
    lead = f"(?:(?<=[0-9])|[{signs}]{{0,4}}(?:[{leads}][{signs}]{{0,4}})?[0-9])"  # as the package, at most two of them
    first = f"[{signs}]*[0-9]" * (least - 1)
    return f"[0-9{leads}]{lead}{first}(?:[{signs}0-9]*[0-9])?"


def chained(digits: int) -> str:
    """A pattern for RE2: so many digits in a run without wide punctuation."""
    return f"[0-9](?:[{_escaped(PLAIN)}]*[0-9]){{{digits - 1}}}"


def spaced(digits: Sequence[str]) -> str:
    """A pattern for RE2: these digits (or patterns of one character) in a run without wide punctuation."""
    return f"[{_escaped(PLAIN)}]*".join(digits)


def mixed() -> str:
    """A pattern for RE2: digits with other than plain ASCII punctuation among them, or a plus sign before, or a label.

    Letters of an extension's label can count as digits.
    """
    other = _escaped(sorted(_signs() - set(PLAIN)))
    return (
        f"[0-9][{_every()}]*[{other}][{_every()}]*[0-9]"
        f"|[{_escaped(_PLUS)}][{_every()}]*[0-9]"
        r"|(?i:[0-9][ \x{a0}\t,x]*(?:xt|ext|int|anexo))"
    )


def joints() -> str:
    """A pattern for RE2 that matches wherever a number can have more than digits and plain punctuation.

    That is, other punctuation before a digit (an x, a tilde), or what begins the label of an extension.
    """
    plain = set(PLAIN + PLAIN_WIDE)
    other, leads = _escaped(sorted(_signs() - plain)), _escaped(sorted(set(LEADS) - plain))
    blank = r"[ \x{a0}\t,]*"
    sign = rf"[{_escaped(_SIGN_LABELS)}][:.\x{{ff0e}}]?[ \x{{a0}}\t,\-]*[0-9]"
    return (
        f"[0-9{_escaped(LEADS)}][{_every()}]*[{other}][{_every()}]*[0-9]|[{leads}][{_every()}]*[0-9]"
        f"|[0-9](?:#|(?i:;ext=)|{blank}(?:#|{sign}|[{_escaped(_WORD_LABELS)}]|(?i:ext|xt|int|anexo)))"
    )


@cache
def _signs() -> frozenset[str]:
    """All punctuation that the package lets stand in a number, and what it lets lead."""
    sign = re.compile(f"[{matcher()._VALID_PUNCTUATION}]", re.IGNORECASE)
    return frozenset(sign.findall("".join(map(chr, range(0x10000))))) | set(LEADS)


@cache
def _every() -> str:
    return _escaped(sorted(_signs()))


def _escaped(characters: Iterable[str]) -> str:
    return "".join(f"\\x{{{ord(one):x}}}" for one in characters)
