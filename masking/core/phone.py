"""Telephone numbers in text: the places that phonenumbers' PhoneNumberMatcher gives, found from tables.

The matcher is asked for one region after another, and for each it reads the text and parses every candidate anew. Here
candidates are found once for all regions, and what is digits and plain punctuation is settled by the numbering plans;
anything else (extensions, letters, other digits) is left to the package itself. One difference is meant: the package
gives up on a text after 65,535 candidates that are no numbers, this does not.

There are two ways. In a text in which nothing joins runs of digits and plain punctuation (`phonerun.joints`), each run
is read by itself: what the package tries in it follows from its shape. All other texts are read as a whole by `find`,
and so is a text in which a number ends within a run, since the regions then go on at different places.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from masking.core.dialled import Dialled, Row
from masking.core.numberform import LEAD
from masking.core.numberplan import Plan, plan
from masking.core.phoneform import NOT_DIGITS, PLAIN, Form, form_of, joins, matcher
from masking.core.phonerun import chained, mixed, spaced

__all__ = ["Candidate", "Phones"]

_VALID: Final = 1
_LEAD_REACH: Final = (
    10  # characters before the first digit that can belong to a candidate: twice a bracket or plus and 4
)
_LABEL_REACH: Final = 30
_JOINS: Final = re.compile("[0-9][- \xa0\t,]*[;#\uff03~\uff5eeExXaAiI\uff45\uff58\uff49\uff25\uff38\uff29\u0434\u0414]")
_SIGNS: Final = PLAIN.encode()
_FEW_DIGITS: Final = 5  # so many, or fewer, make a number in few lands only
_FEW_BEHIND_PLUS: Final = 4  # characters, the plus sign included, that make a number

_Try = tuple[int, int, bool, str | None]
"""Start and end in the text, whether a plus sign leads, and the digits; None where the package must parse it."""


class Part(NamedTuple):
    """A part of a candidate that may be a number; the places count from the start of the run that holds it."""

    place: int
    """Where its first digit stands."""
    firsts: str
    """Which first digits any number has that is so long."""
    start: int
    end: int
    row: Row | None
    """The regions by the first digits; None where a plus sign leads."""
    first: int
    last: int
    """Which of the run's digits are its own."""
    is_first: bool
    """Whether what stands before the run counts."""
    is_last: bool
    """Whether what stands behind the run counts."""
    is_whole: bool


class Candidate(NamedTuple):
    """What the package looks at in a run of some shape; the places count from the start of the run."""

    start: int
    end: int
    form: Form
    parts: tuple[Part, ...]


class Phones:
    """Finds the telephone numbers of some regions (ISO 3166-1 alpha-2), each as phonenumbers' leniency VALID does.

    Raises KeyError for a region that libphonenumber does not have.
    """

    __slots__ = ("_accepts", "_chain", "_dialled", "_forms", "_least", "_plans")

    def __init__(self, regions: Sequence[str]) -> None:
        self._plans = [(region, plan(region)) for region in regions]
        self._least = min((one.least for _, one in self._plans), default=0)
        self._dialled = Dialled([one for _, one in self._plans])
        self._accepts = [one.accepts for _, one in self._plans]
        self._forms: dict[str, Form] = {}
        signs = matcher()._VALID_PUNCTUATION
        # As `needed`, for `re` and with all digits: what a candidate must hold for anything in it to be a number.
        self._chain = re.compile(
            rf"\d(?:[{signs}]{{0,4}}\d){{{max(self._least, 1) - 1}}}"
            r"|[+\uff0b][^0-9]{0,10}\d|\d[ \xa0\t,x]*(?i:xt|ext|int|anexo)"
        )

    @property
    def least(self) -> int:
        """No number has fewer digits."""
        return min(self._least, _FEW_BEHIND_PLUS - 1)

    def needed(self) -> tuple[str, str, str]:
        """What a text with ASCII digits only has in which anything is found.

        A pattern for RE2 on UTF-8; or another one, if a third matches too, which says how short numbers begin and
        would make an automaton of many patterns large.
        """
        if not LEAD <= self._least <= _FEW_DIGITS:
            return f"{chained(max(1, self._least))}|{mixed()}", "", ""
        leads = [lead for size in range(self._least, _FEW_DIGITS + 1) for lead in self._dialled.row(size)]
        places = [f"[{''.join(sorted(set(digits)))}]" for digits in zip(*leads, strict=True)]
        # Nothing that is tried begins behind a digit, unless so many stand there that the package parts them.
        short = f"(?:^|[^0-9]){spaced([*places, *('[0-9]',) * (self._least - LEAD)])}" if places else ""
        return f"{chained(_FEW_DIGITS + 1)}|{mixed()}", chained(self._least) if short else "", short

    def candidates(self, run: str) -> tuple[Candidate, ...] | None:
        """What to try in a run of this shape (any digits will do), or None where only `find` can tell."""
        found = []
        at = 0
        while (match := matcher()._PATTERN.search(run, at)) is not None:
            start, at = match.span()
            form = form_of(match.group(), self._forms, self._least)
            if not form.tries:
                continue
            if not form.is_closed:
                return None
            parts = []
            for one in form.tries:
                if not one.last:
                    return None
                begins, ends = start + one.start, start + one.end
                first = len(_digits(run[: start + one.first]))
                last = first + len(_digits(run[start + one.first : start + one.last]))
                row = None if one.plus else self._dialled.row(last - first)
                # A zero behind a plus sign may begin a prefix for calls abroad.
                firsts = "0123456789" if row is None else "".join(sorted({lead[0] for lead in row}))
                if not firsts:
                    continue
                place = next(at for at in range(start + one.first, ends) if run[at] in "0123456789")
                if (one.is_first and begins > 0 and joins(run[begins - 1])) or (
                    one.is_last and ends < len(run) and joins(run[ends])
                ):
                    continue
                is_whole = one.start == 0 and ends == at
                is_first, is_last = one.is_first and begins == 0, one.is_last and ends == len(run)
                parts.append(Part(place, firsts, begins, ends, row, first, last, is_first, is_last, is_whole))
            if parts:
                found.append(Candidate(start, at, form, tuple(parts)))
        return tuple(found)

    def judged(
        self, text: str, at: int, run: str | bytes, candidates: Sequence[Candidate], found: list[tuple[int, int]]
    ) -> bool:
        """Adds the numbers among the candidates of a run that begins at `at`; bytes if the text is ASCII.

        False where the text must be given to `find` instead.
        """
        accepts, digits = self._accepts, ""
        for start, end, form, parts in candidates:
            for place, firsts, begins, ends, row, first, last, is_first, is_last, is_whole in parts:
                if text[at + place] not in firsts:
                    continue
                digits = digits or _digits(run)
                if row is None:
                    among = None
                else:
                    among = row.get(digits[first : first + LEAD])
                    if among is None:
                        continue
                if is_first and at > 0 and joins(text[at - 1]):
                    continue
                if is_last and at + ends < len(text) and joins(text[at + ends]):
                    continue
                if form.is_dated and form.is_none(text, at + start, at + end):
                    break
                number = digits[first:last]
                if among is None:
                    known = Plan.abroad(number)
                    if known is None:
                        return False
                    if not known:
                        continue
                else:
                    for index in among:
                        if accepts[index](number, plus=False):
                            break
                    else:
                        continue
                if not is_whole:
                    return False
                # Whatever other regions find in it lies within it, and they all go on behind it.
                found.append((at + begins, at + ends))
                break
        return True

    def find(self, text: str) -> set[tuple[int, int]]:
        """Start and end of every number that is valid in one of the regions, or says its country itself.

        What lies within another number may be left out.
        """
        reader = _Reader(text, self._least, self._forms, self._chain)
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


def _digits(run: str | bytes) -> str:
    return run.translate(NOT_DIGITS) if isinstance(run, str) else run.translate(None, _SIGNS).decode()


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

    __slots__ = ("_accepts", "_chain", "_forms", "_known", "_least", "text")

    def __init__(self, text: str, least: int, forms: dict[str, Form], chain: re.Pattern[str]) -> None:
        self.text = text
        self._chain = chain
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
        text, search = self.text, matcher()._PATTERN.search
        while (found := self._chain.search(text, at)) is not None:
            chain = found.start()
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
