"""Telephone numbers in text: the places that phonenumbers' PhoneNumberMatcher gives, found from tables.

The matcher is asked for one region after another, and for each it reads the text and parses every candidate anew. Here
candidates are found once for all regions, and what is digits and plain punctuation is settled by the numbering plans;
anything else (extensions, letters, other digits) is left to the package itself. One difference is meant: the package
gives up on a text after 65,535 candidates that are no numbers, this does not.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any, Final

from masking.core.numberplan import Plan, plan
from masking.core.phoneform import NOT_DIGITS, Form, form_of, matcher

__all__ = ["Phones"]

_VALID: Final = 1
_LEAD_REACH: Final = (
    10  # characters before the first digit that can belong to a candidate: twice a bracket or plus and 4
)
_LABEL_REACH: Final = 30
_JOINS: Final = re.compile("[0-9][- \xa0\t,]*[;#\uff03~\uff5eeExXaAiI\uff45\uff58\uff49\uff25\uff38\uff29\u0434\u0414]")
_FEW_DIGITS: Final = 5  # so many, or fewer, make a number in few lands only
_FEW_BEHIND_PLUS: Final = 4  # characters, the plus sign included, that make a number

_Try = tuple[int, int, bool, str | None]
"""Start and end in the text, whether a plus sign leads, and the digits; None where the package must parse it."""


class Phones:
    """Finds the telephone numbers of some regions (ISO 3166-1 alpha-2), each as phonenumbers' leniency VALID does.

    Raises KeyError for a region that libphonenumber does not have.
    """

    __slots__ = ("_chain", "_dialled", "_forms", "_leads", "_least", "_plans", "_short", "_stretch")

    def __init__(self, regions: Sequence[str]) -> None:
        self._plans = [(region, plan(region)) for region in regions]
        self._least = min((one.least for _, one in self._plans), default=0)
        self._dialled = _Dialled([one for _, one in self._plans])
        self._forms: dict[str, Form] = {}
        signs = matcher()._VALID_PUNCTUATION
        self._leads = self._short_leads()
        # As `needed`, for `re` and with all digits: what a candidate must hold for anything in it to be a number.
        self._chain = re.compile(
            self._digits(rf"[{signs}]{{0,4}}", r"\d", self._least)
            + r"|[+\uff0b][^0-9]{0,10}\d|\d[ \xa0\t,x]*(?i:xt|ext|int|anexo)"
        )
        # The same for ASCII digits, but coarse: a few classes of characters, which `re` runs through fastest.
        label = r"[ \xa0\t,x]*(?i:xt|ext|int|anexo)"
        least = min(max(self._least, 2), _FEW_BEHIND_PLUS) - 2
        self._stretch = re.compile(rf"[0-9+\uff0b](?:[{signs}0-9+\uff0b]{{{least},}}[0-9](?:{label})?|{label})")
        self._short = re.compile("|".join(self._leads)) if self._leads is not None else re.compile("")

    def _short_leads(self) -> list[str] | None:
        """The first two digits of all numbers of few digits; None where many more would do."""
        if self._least > _FEW_DIGITS:
            return []
        found: set[str] = set()
        for _, one in self._plans:
            some = one.leads(_FEW_DIGITS)
            if some is None:
                return None
            found |= some
        return sorted(found)

    @staticmethod
    def _digits(between: str, digit: str, least: int) -> str:
        return f"{digit}(?:{between}{digit}){{{max(least, 1) - 1}}}"

    def _short_or_long(self, sign: str) -> str:
        """A pattern for RE2: as many digits as any number has, or fewer with which a short one can begin.

        Nothing that is tried begins behind a digit, unless so many stand there that the package parts them. A letter x
        among digits can count as a digit.
        """
        between = f"{sign}*"  # up to four would do, and need far more states
        if self._leads is None:
            return self._digits(between, "[0-9]", self._least)
        long = self._digits(between, "[0-9]", max(self._least, _FEW_DIGITS + 1))
        if not self._leads:
            return long
        starts = "|".join(f"{lead[0]}{between}{lead[1]}" for lead in self._leads)
        more = f"(?:{between}[0-9]){{{max(self._least, 2) - 2}}}"
        return f"{long}|(?:^|[^0-9])(?:{starts}){more}|[0-9]{between}x{between}[0-9]"

    def needed(self) -> str:
        """A pattern for RE2 on UTF-8 that matches in every text with ASCII digits only in which anything is found.

        Digits enough for a number with the punctuation that a number may have, a plus sign before a digit, or a label
        of an extension, whose letters can count as digits.
        """
        signs = _escaped(matcher()._VALID_PUNCTUATION)
        digits = self._short_or_long(f"[{signs}]")
        plus = "+\\x{ff0b}"
        return f"{digits}|[{plus}][{signs}{plus}]*[0-9]|(?i:[0-9][ \\x{{a0}}\\t,x]*(?:xt|ext|int|anexo))"

    def find(self, text: str, *, has_ascii_digits: bool = False) -> set[tuple[int, int]]:
        """Start and end of every number that is valid in one of the regions, or says its country itself.

        What lies within another number may be left out. `has_ascii_digits` says that the text has no other digits.
        """
        reader = _Reader(text, self._least, self._forms, self._chances(text, has_ascii_digits))
        found: set[tuple[int, int]] = set()
        every: Sequence[int] = range(len(self._plans))
        at = 0
        while every and (candidate := reader.next(at)) is not None:
            start, at, form = candidate
            waiting = every
            for part in form.tries:
                if not part.fits(text, start):
                    continue
                tried = (start + part.start, start + part.end, part.plus, part.digits(text, start))
                if form.is_closed and tried[0] == start and tried[1] == at:
                    if self._is_accepted(text, tried, waiting):
                        # Whatever other regions find in it lies within it, and they all go on behind it.
                        found.add(tried[:2])
                        break
                    continue
                accepting = self._accepting(text, tried, waiting)
                if not accepting:
                    continue
                found.add(tried[:2])
                waiting = [index for index in waiting if index not in accepting]
                if tried[1] != at:
                    # The package goes on right behind what it found, so these regions now see other candidates.
                    for index in accepting:
                        self._rest(reader, index, tried[1], found)
                    every = [index for index in every if index not in accepting]
                if not waiting:
                    break
        return found

    def _chances(self, text: str, is_ascii: bool) -> Callable[[int], int]:
        """What gives the first place from another on at which the digits of a number may begin, or -1."""
        if not is_ascii:
            chain = self._chain

            def slowly(at: int) -> int:
                match = chain.search(text, at)
                return -1 if match is None else match.start()

            return slowly
        stretches = [match.span() for match in self._stretch.finditer(text) if self._is_chance(match.group())]
        starts, ends = [start for start, _ in stretches], [end for _, end in stretches]

        def quickly(at: int) -> int:
            next_ = bisect_right(ends, at)
            return max(starts[next_], at) if next_ < len(ends) else -1

        return quickly

    def _is_chance(self, stretch: str) -> bool:
        """Whether a number may begin in a stretch of digits and punctuation."""
        digits = stretch.translate(NOT_DIGITS)
        if not digits.isdecimal() or "+" in stretch:
            return True
        count = len(digits)
        return count > _FEW_DIGITS or (count >= self._least and self._short.search(digits) is not None)

    def _rest(self, reader: _Reader, index: int, at: int, found: set[tuple[int, int]]) -> None:
        """What one region finds from `at` on."""
        text = reader.text
        while (candidate := reader.candidate(at)) is not None:
            start, at, form = candidate
            for part in form.tries:
                if not part.fits(text, start):
                    continue
                tried = (start + part.start, start + part.end, part.plus, part.digits(text, start))
                if self._is_accepted(text, tried, (index,)):
                    found.add(tried[:2])
                    at = tried[1]
                    break

    def _accepting(self, text: str, tried: _Try, among: Sequence[int]) -> Sequence[int]:
        """Which of the regions take it for a number."""
        if tried[3] is not None and not tried[2]:
            able = self._dialled.able(tried[3])
            among = [index for index in among if index in able]
        return [index for index in among if self._is_accepted(text, tried, (index,))]

    def _is_accepted(self, text: str, tried: _Try, among: Sequence[int]) -> bool:
        """Whether any of the regions takes it for a number."""
        start, end, plus, digits = tried
        plans = self._plans
        if digits is None:
            candidate = text[start:end]
            return any(_is_number(candidate, plans[index][0]) for index in among)
        if plus:
            known = Plan.abroad(digits)
            if known is not None:
                return known
            return any(plans[index][1].accepts(digits, plus=True) for index in among)
        for index in self._dialled.able(digits):
            if index in among and plans[index][1].accepts(digits, plus=False):
                return True
        return False


class _Dialled:
    """Tells in one pass which of several regions' numbers some digits can be."""

    __slots__ = ("_every", "_set")

    def __init__(self, plans: Sequence[Plan]) -> None:
        self._every = range(len(plans))
        self._set: Any = None
        try:
            import re2
        except ImportError:  # no wheel for this platform, or the extra `fast` was not asked for
            return
        options = re2.Options()
        options.log_errors = False
        chosen = re2.Set.FullMatchSet(options)
        for pattern in (*(one.needed() or "[0-9]*" for one in plans), "[0-9]*"):
            try:
                chosen.Add(pattern.replace(r"\d", "[0-9]"))
            except re2.error:
                chosen.Add("[0-9]*")
        chosen.Compile()
        self._set = chosen._set.Match  # the public wrapper only encodes

    def able(self, digits: str) -> Sequence[int]:
        """The regions that the digits may be a number of; the others' answer is no."""
        if self._set is None:
            return self._every
        found: list[int] = self._set(digits.encode())
        try:
            found.remove(len(self._every))
        except ValueError:  # the last pattern matches always: the automaton ran out of memory
            return self._every
        return found


def _escaped(characters: str) -> str:
    """A character class's inside for RE2, from one for `re`."""
    return "".join(one if one in "-\\[]" else f"\\x{{{ord(one):x}}}" for one in characters)


def _is_number(candidate: str, region: str) -> bool:
    import phonenumbers

    try:
        number = phonenumbers.parse(candidate, region, keep_raw_input=True)
        return bool(matcher()._verify(_VALID, number, candidate, None))
    except phonenumbers.NumberParseException:
        return False


_Candidate = tuple[int, int, Form]
"""Start, end, and what to try."""


class _Reader:
    """The candidates of one text, each read once however many regions ask."""

    __slots__ = ("_chance", "_forms", "_known", "_least", "text")

    def __init__(self, text: str, least: int, forms: dict[str, Form], chance: Callable[[int], int]) -> None:
        self.text = text
        self._chance = chance
        self._least = least
        self._forms = forms
        self._known: dict[int, _Candidate | None] = {}

    def candidate(self, at: int) -> _Candidate | None:
        """As `next`, remembered."""
        if at not in self._known:
            self._known[at] = self.next(at)
        return self._known[at]

    def next(self, at: int) -> _Candidate | None:
        """The first candidate in which there is something to try that begins at `at` or later."""
        text, chance, search = self.text, self._chance, matcher()._PATTERN.search
        while (chain := chance(at)) >= 0:
            # Nothing begins earlier, for a candidate has only brackets, signs and punctuation before its first digit;
            # and what ends before the chain has too few digits.
            # But the label of an extension may join it to digits before: then candidates are read from the last one on.
            is_joined = _JOINS.search(text, max(at, chain - _LABEL_REACH), chain) is not None
            match = search(text, at if is_joined else max(at, chain - _LEAD_REACH))
            while match is not None and match.end() <= chain:
                match = search(text, match.end())
            if match is None:
                return None
            start, end = match.span()
            candidate = match.group()
            if "x" in candidate:
                second = matcher()._SECOND_NUMBER_START_PATTERN.search(candidate)
                if second is not None:
                    end = start + second.start()
                    candidate = text[start:end]
            form = form_of(candidate, self._forms, self._least)
            if form.tries and not (form.is_dated and form.is_none(text, start, end)):
                return start, end, form
            at = end
        return None
