"""Forms of telephone numbers: what of a candidate phonenumbers' matcher tries, worked out once for all of one form.

The matcher tries a candidate as a whole and then its parts, and which parts follows from where digits and punctuation
stand, not from the digits. So all candidates that differ in digits only share one form, with which no digit is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final, NamedTuple

__all__ = ["LEADS", "NOT_DIGITS", "PLAIN", "PLAIN_WIDE", "Form", "Try", "form_of", "joins", "matcher"]

_MOST_PARSED: Final = 250  # characters; phonenumbers refuses longer ones
PLAIN: Final = "-+ ./()[]"
PLAIN_WIDE: Final = "\u2010\u2011\u2012\u2013\u2014\u2015\u00a0\u3000\uff08\uff09"
"""Punctuation that says nothing: what is left is digits, and what leads them."""
_PLAIN: Final = re.compile(f"[0-9{re.escape(PLAIN + PLAIN_WIDE)}]+")
_SHORT: Final = 40  # characters in which there are at most 20 groups of digits, none of them longer than 20
_FEW: Final = 3  # digits below which what stands between them counts
LEADS: Final = "+(\uff08[\uff3b\uff0b"
_CORE: Final = re.compile(r"[+0-9].*[0-9]|[0-9]", re.DOTALL)
_BRACKET: Final = re.compile(r"[()\[\]\uff08\uff09\uff3b\uff3d]")
_PARTING: Final = re.compile(r"[/.(\s\u2012-\u2015\uff0d]|-\s|\s-")
_TIME: Final = re.compile("9999[-/]?99[-/]?99 +99")
NOT_DIGITS: Final = dict.fromkeys(map(ord, PLAIN + PLAIN_WIDE))
_NINES: Final = dict.fromkeys(map(ord, "0123456789"), "9")
_MOST_KNOWN: Final = 4096  # forms

_PARTING_SIGNS: Final = ("/", "(", "-", "\u2012", ".", " ")
"""Without which the package's ways to part a candidate do nothing, if it is ASCII and its white space blanks."""


class Try(NamedTuple):
    """A part of a candidate; all places count from the candidate's start."""

    start: int
    end: int
    plus: bool
    """Whether a plus sign leads."""
    first: int
    last: int
    """Where the digits stand, with punctuation among them; `last` is 0 where the package must parse it."""
    is_first: bool
    """Whether what stands before the candidate counts."""
    is_last: bool
    """Whether what stands behind the candidate counts."""

    def fits(self, text: str, at: int) -> bool:
        """Whether the neighbours of a candidate that begins at `at` leave this part a number."""
        if self.is_first and at > 0 and joins(text[at - 1]):
            return False
        end = at + self.end
        return not (self.is_last and end < len(text) and joins(text[end]))

    def digits(self, text: str, at: int) -> str | None:
        """Its digits, or None where the package must parse it."""
        return text[at + self.first : at + self.last].translate(NOT_DIGITS) if self.last else None


class Form:
    """What to try of a candidate, in the package's order."""

    __slots__ = ("_has_brackets", "_is_plain", "_least", "is_closed", "is_dated", "tries")

    def __init__(self, candidate: str, least: int) -> None:
        """`least` is the number of digits below which nothing without a plus sign is a number."""
        self._least = least
        self._is_plain = is_plain(candidate)
        self._has_brackets = _BRACKET.search(candidate) is not None
        self.is_closed = self._is_plain and len(candidate) <= _SHORT
        """Whether nothing that begins inside can reach beyond its end: no limit of the package's made it end there."""
        self.is_dated = (
            candidate.count("/") > 1 or not self._is_plain or _TIME.search(candidate.translate(_NINES)) is not None
        )
        """Whether the digits, and what follows, can make it a date or a time."""
        # The package tries some parts again, and the answer is the same.
        self.tries = tuple(dict.fromkeys(self._make(candidate)))

    @staticmethod
    def is_none(text: str, start: int, end: int) -> bool:
        """Whether the candidate at this place is taken for a date or a time, in which nothing is tried."""
        candidate = text[start:end]
        if "/" in candidate and matcher()._SLASH_SEPARATED_DATES.search(candidate):
            return True
        if text[end : end + 1] != ":":
            return False
        stamped = matcher()._TIME_STAMPS.search(candidate)
        return bool(stamped and matcher()._TIME_STAMPS_SUFFIX.match(text[end : end + 3]))

    def _make(self, candidate: str) -> Iterator[Try]:
        whole = self._try(candidate, candidate, 0)
        if whole is not None:
            yield whole
        if _PARTING.search(candidate) is None:
            return
        has_blanks_only = candidate.isascii() and "\t" not in candidate
        for parting, sign in zip(matcher()._INNER_MATCHES, _PARTING_SIGNS, strict=True):
            if sign not in candidate and has_blanks_only:
                continue
            match = parting.search(candidate)
            if match is not None:
                inner = self._try(candidate, self._trimmed(candidate[: match.start()]), 0)
                if inner is not None:
                    yield inner
            while match is not None:
                inner = self._try(candidate, self._trimmed(match.group(1)), match.start(1))
                if inner is not None:
                    yield inner
                match = parting.search(candidate, match.start() + 1)

    @staticmethod
    def _trimmed(group: str) -> str:
        if group and group[-1] in "0123456789":
            return group
        unwanted = matcher()._UNWANTED_END_CHAR_PATTERN.search(group)
        return group[: unwanted.start()] if unwanted is not None else group

    def _try(self, candidate: str, group: str, start: int) -> Try | None:
        """What to ask the plans, or None where the answer is no in every region, whatever the digits."""
        size = len(group)
        if size < 2 or size > _MOST_PARSED or (size < self._least and "+" not in group and "\uff0b" not in group):
            return None
        first = last = 0
        plus = False
        if self._is_plain:
            if "+" in group:
                core = _CORE.search(group)
                if core is None:
                    return None
                body = core.group().lstrip("+")
                plus = body != core.group()
                first, last = core.end() - len(body), 0 if "+" in body else core.end()
            else:
                last = size
            count = len(group[first:last].translate(NOT_DIGITS))
            if last and not plus and count < self._least and "+" not in group:
                return None
            if last and count < _FEW:
                if plus:
                    return None
                last = 0
        if self._has_brackets and not self._brackets_match(group):
            return None
        end = start + size
        is_first = group[0] not in LEADS
        if is_first and start > 0:
            if joins(candidate[start - 1]):
                return None
            is_first = False
        is_last = end == len(candidate)
        if not is_last and joins(candidate[end]):
            return None
        return Try(start, end, plus, start + first, start + last if last else 0, is_first, is_last)

    @staticmethod
    def _brackets_match(group: str) -> bool:
        return matcher()._MATCHING_BRACKETS.fullmatch(group) is not None and not matcher()._PUB_PAGES.search(group)


def is_plain(candidate: str) -> bool:
    """Whether a candidate is digits and plain punctuation only."""
    return _PLAIN.fullmatch(candidate) is not None


def form_of(candidate: str, known: dict[str, Form], least: int) -> Form:
    """The form of a candidate; plain ones go into `known`, without their digits."""
    shape = candidate.translate(_NINES)
    found = known.get(shape)
    if found is None:
        if len(shape) > _SHORT or not is_plain(shape):
            return Form(candidate, least)
        if len(known) >= _MOST_KNOWN:
            known.clear()
        found = known[shape] = Form(shape, least)
    return found


@cache
def joins(character: str) -> bool:
    """Whether a character right beside a candidate makes it part of something else: a Latin letter, %, a currency."""
    if character.isascii():
        return character.isalpha() or character in "%$"
    rules = matcher().PhoneNumberMatcher
    return bool(rules._is_latin_letter(character) or rules._is_invalid_punctuation_symbol(character))


@cache
def matcher() -> Any:
    """phonenumbers' module of the matcher."""
    # Its patterns are not public, and have kept their names for a decade; the tests say so when that ends.
    from phonenumbers import phonenumbermatcher

    return phonenumbermatcher
