"""How national telephone numbers are written, and what digits begin with, as far as validity depends on it."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final

from masking.core.digitlead import sized_leads

__all__ = ["ANY_SIZE", "LEAD", "Form", "firsts", "may_begin"]

LEAD: Final = 3
"""First digits by which numbers are told apart before they are looked at."""
ANY_SIZE: Final = (1 << 64) - 1
"""All numbers of digits, a bit for each."""
_LONGEST: Final = 40  # digits
_COUNTS: Final = re.compile(r"(?:\(\\d(?:\{[0-9]+(?:,[0-9]+)?\})?\))+")
"""A pattern of groups that take any digits, so many each."""
_LOOKS: Final = re.compile(r"\(\?[=!<]|[$\\]")
"""What may look further than a pattern takes."""


class Form:
    """A way of writing a national number; of the rules only whether it needs the national prefix."""

    __slots__ = ("_is_size", "_is_sure", "_leading", "_pattern", "_starts", "needs_prefix", "sizes")

    def __init__(self, one: Any) -> None:
        self._starts: str | None = one.leading_digits_pattern[-1] if one.leading_digits_pattern else None
        self._leading = None if self._starts is None else re.compile(self._starts).match
        self._is_sure = self._starts is not None and _LOOKS.search(self._starts) is None
        self._pattern = re.compile(one.pattern).fullmatch
        self._is_size = _COUNTS.fullmatch(one.pattern) is not None
        fitting = (size for size in range(_LONGEST + 1) if self._pattern("0" * size))
        self.sizes = sum(1 << size for size in fitting) if self._is_size else ANY_SIZE
        """Numbers of digits that may fit, a bit for each."""
        rule = one.national_prefix_formatting_rule
        self.needs_prefix = bool(
            rule and not one.national_prefix_optional_when_formatting and not re.fullmatch(r"\(?\\1\)?", rule)
        )

    def fits(self, number: str) -> bool:
        return (self._leading is None or self._leading(number) is not None) and self._pattern(number) is not None

    def may_begin(self, lead: str) -> bool:
        """Whether some number that begins with `lead` fits, if it has the size."""
        return self._starts is None or may_begin(self._starts, lead)

    def must_begin(self, lead: str) -> bool:
        """Whether every number that begins with `lead` fits, if it has the size."""
        return self._is_size and (self._leading is None or (self._is_sure and self._leading(lead) is not None))


def firsts(pattern: str | None) -> str:
    """The digits with which a match of a pattern can begin."""
    starts = _starts(pattern) if pattern else frozenset[str]()
    return "0123456789" if starts is None or "" in starts else "".join(sorted({lead[0] for lead in starts}))


@cache
def _starts(pattern: str) -> frozenset[str] | None:
    found = sized_leads(pattern, _LONGEST, LEAD)
    return None if found is None else frozenset(found)


def may_begin(pattern: str, lead: str) -> bool:
    """Whether a pattern may match at the start of digits whose first ones are `lead`."""
    starts = _starts(pattern)
    return starts is None or any(lead[:size] in starts for size in range(LEAD + 1))
