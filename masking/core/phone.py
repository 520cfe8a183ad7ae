"""Telephone numbers in text: the places that phonenumbers' PhoneNumberMatcher gives, found from tables.

The matcher is asked for one region after another, and for each it reads the text and parses every candidate anew. Here
candidates are found once for all regions, and what is digits and plain punctuation is settled by the numbering plans;
anything else (extensions, letters, other digits) is left to the package itself. One difference is meant: the package
gives up on a text after 65,535 candidates that are no numbers, this does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Final

from masking.core.numberplan import Plan, plan

__all__ = ["Phones"]

_VALID: Final = 1
_MOST_PARSED: Final = 250  # characters; phonenumbers refuses longer ones
_LEAD_REACH: Final = (
    10  # characters before the first digit that can belong to a candidate: twice a bracket or plus and 4
)
_PLAIN: Final = re.compile(r"[-+ ./()\[\]0-9\u2010-\u2015\u00a0\u3000\uff08\uff09]+")
_SHORT: Final = 40  # characters in which there are at most 20 groups of digits, none of them longer than 20
_FEW: Final = 3  # digits below which what stands between them counts
_LEADS: Final = "+(\uff08[\uff3b\uff0b"
_CORE: Final = re.compile(r"[+0-9].*[0-9]|[0-9]", re.DOTALL)
_NOT_DIGITS: Final = re.compile("[^0-9]+")
_BRACKET: Final = re.compile(r"[()\[\]\uff08\uff09\uff3b\uff3d]")
_PARTING: Final = re.compile(r"[/.(\s\u2012-\u2015\uff0d]|-\s|\s-")

_PARTING_SIGNS: Final = ("/", "(", "-", "\u2012", ".", " ")
"""Without which the package's ways to part a candidate do nothing, if it is ASCII and its white space blanks."""

_Try = tuple[int, int, bool, str | None]
"""Start and end in the text, whether a plus sign leads, and the digits; None where the package must parse it."""


class Phones:
    """Finds the telephone numbers of some regions (ISO 3166-1 alpha-2), each as phonenumbers' leniency VALID does.

    Raises KeyError for a region that libphonenumber does not have.
    """

    __slots__ = ("_chain", "_dialled", "_least", "_plans")

    def __init__(self, regions: Sequence[str]) -> None:
        self._plans = [(region, plan(region)) for region in regions]
        self._least = min((one.least for _, one in self._plans), default=0)
        self._dialled = _Dialled([one for _, one in self._plans])
        # As `needed`, for `re` and with all digits: what a candidate must hold for anything in it to be a number.
        between = f"[{_matcher()._VALID_PUNCTUATION}]{{0,4}}"
        self._chain = re.compile(
            rf"\d(?:{between}\d){{{max(self._least, 1) - 1}}}"
            r"|[+\uff0b][^0-9]{0,10}\d|\d[ \xa0\t,x]*(?i:xt|ext|int|anexo)"
        )

    def needed(self) -> str:
        """A pattern for RE2 on UTF-8 that matches in every text with ASCII digits only in which anything is found.

        Digits enough for a number with the punctuation that a number may have, a plus sign before a digit, or a label
        of an extension, whose letters can count as digits.
        """
        between = f"[{_escaped(_matcher()._VALID_PUNCTUATION)}]{{0,4}}"
        digits = f"[0-9](?:{between}[0-9]){{{max(self._least, 1) - 1}}}"
        return f"{digits}|[+\\x{{ff0b}}][^0-9]{{0,10}}[0-9]|(?i:[0-9][ \\x{{a0}}\\t,x]*(?:xt|ext|int|anexo))"

    def find(self, text: str) -> set[tuple[int, int]]:
        """Start and end of every number that is valid in one of the regions, or says its country itself.

        What lies within another number may be left out.
        """
        reader = _Reader(text, self._least, self._dialled, self._chain)
        found: set[tuple[int, int]] = set()
        every: Sequence[int] = range(len(self._plans))
        at = 0
        while every and (candidate := reader.candidate(at)) is not None:
            at = candidate.end
            waiting = every
            for tried in candidate.tries():
                if candidate.is_closed and tried[0] == candidate.start and tried[1] == at:
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
        while (candidate := reader.candidate(at)) is not None:
            at = candidate.end
            for tried in candidate.tries():
                if self._is_accepted(reader.text, tried, (index,)):
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
        return bool(_matcher()._verify(_VALID, number, candidate, None))
    except phonenumbers.NumberParseException:
        return False


class _Reader:
    """The candidates of one text, each read once however many regions ask."""

    __slots__ = ("_chain", "_dialled", "_known", "_least", "text")

    def __init__(self, text: str, least: int, dialled: _Dialled, chain: re.Pattern[str]) -> None:
        self.text = text
        self._chain = chain
        self._least = least
        self._dialled = dialled
        self._known: dict[int, _Candidate | None] = {}

    def candidate(self, at: int) -> _Candidate | None:
        """The first candidate that begins at `at` or later."""
        if at not in self._known:
            self._known[at] = self._next(at)
        return self._known[at]

    def _next(self, at: int) -> _Candidate | None:
        matcher = _matcher()
        text = self.text
        while (chain := self._chain.search(text, at)) is not None:
            # Nothing begins earlier, for a candidate has only brackets, signs and punctuation before its first digit;
            # and what ends before the chain has too few digits.
            match = matcher._PATTERN.search(text, max(at, chain.start() - _LEAD_REACH))
            if match is None:
                return None
            start, end = match.span()
            candidate = match.group()
            if "x" in candidate:
                second = matcher._SECOND_NUMBER_START_PATTERN.search(candidate)
                if second is not None:
                    end = start + second.start()
                    candidate = text[start:end]
            if self._is_promising(candidate):
                return _Candidate(text, start, end, self._least)
            at = end
        return None

    def _is_promising(self, candidate: str) -> bool:
        """Whether the candidate, or a part of it, may be a number in any of the regions."""
        if "+" in candidate or "\uff0b" in candidate:
            return True
        if len(candidate) < self._least:
            return False
        if _PLAIN.fullmatch(candidate) is None:
            return True
        digits = _NOT_DIGITS.sub("", candidate)
        if len(digits) < self._least:
            return False
        return _PARTING.search(candidate) is not None or bool(self._dialled.able(digits))


class _Candidate:
    """A stretch that may be a number, or hold one; `tries` says what to try, in the package's order."""

    __slots__ = ("_has_brackets", "_is_plain", "_least", "_made", "_more", "_text", "end", "is_closed", "start")

    def __init__(self, text: str, start: int, end: int, least: int) -> None:
        self.start = start
        self.end = end
        self._text = text
        self._least = least
        self._made: list[_Try] = []
        self._more: Iterator[_Try] | None = self._make()
        self._is_plain = self._has_brackets = False
        self.is_closed = False
        """Whether nothing that begins inside can reach beyond its end: no limit of the package's made it end there."""

    def tries(self) -> Iterator[_Try]:
        """Made once, when first asked for: most regions refuse, and ask for all of them."""
        yield from self._made
        while self._more is not None:
            made = next(self._more, None)
            if made is None:
                self._more = None
                return
            self._made.append(made)
            yield made

    def _make(self) -> Iterator[_Try]:
        matcher = _matcher()
        candidate = self._text[self.start : self.end]
        if "/" in candidate and matcher._SLASH_SEPARATED_DATES.search(candidate):
            return
        if (
            " " in candidate
            and matcher._TIME_STAMPS.search(candidate)
            and matcher._TIME_STAMPS_SUFFIX.match(self._text[self.end : self.end + 3])
        ):
            return
        self._is_plain = _PLAIN.fullmatch(candidate) is not None
        self.is_closed = self._is_plain and len(candidate) <= _SHORT
        self._has_brackets = _BRACKET.search(candidate) is not None
        whole = self._try(candidate, self.start)
        if whole is not None:
            yield whole
        if _PARTING.search(candidate) is None:
            return
        has_blanks_only = candidate.isascii() and "\t" not in candidate
        for parting, sign in zip(matcher._INNER_MATCHES, _PARTING_SIGNS, strict=True):
            if sign not in candidate and has_blanks_only:
                continue
            match = parting.search(candidate)
            if match is not None:
                inner = self._try(self._trimmed(candidate[: match.start()]), self.start)
                if inner is not None:
                    yield inner
            while match is not None:
                inner = self._try(self._trimmed(match.group(1)), self.start + match.start(1))
                if inner is not None:
                    yield inner
                match = parting.search(candidate, match.start() + 1)

    @staticmethod
    def _trimmed(group: str) -> str:
        if group and group[-1] in "0123456789":
            return group
        unwanted = _matcher()._UNWANTED_END_CHAR_PATTERN.search(group)
        return group[: unwanted.start()] if unwanted is not None else group

    def _try(self, group: str, start: int) -> _Try | None:
        """What to ask the plans, or None where the answer is no in every region."""
        size = len(group)
        if size < 2 or size > _MOST_PARSED or (size < self._least and "+" not in group and "\uff0b" not in group):
            return None
        digits: str | None = None
        plus = False
        if self._is_plain:
            plus = "+" in group
            if plus:
                core = _CORE.search(group)
                if core is None:
                    return None
                body = core.group().lstrip("+")
                plus = body != core.group()
                digits = None if "+" in body else _NOT_DIGITS.sub("", body)
            else:
                digits = _NOT_DIGITS.sub("", group)
                if len(digits) < self._least:
                    return None
            if digits is not None and len(digits) < _FEW:
                if plus:
                    return None
                digits = None
        if self._has_brackets and not self._brackets_match(group):
            return None
        text, end = self._text, start + size
        if start > 0 and group[0] not in _LEADS and _joins(text[start - 1]):
            return None
        if end < len(text) and _joins(text[end]):
            return None
        return start, end, plus, digits

    @staticmethod
    def _brackets_match(group: str) -> bool:
        matcher = _matcher()
        return matcher._MATCHING_BRACKETS.fullmatch(group) is not None and not matcher._PUB_PAGES.search(group)


@cache
def _joins(character: str) -> bool:
    """Whether a character right beside a candidate makes it part of something else: a Latin letter, %, a currency."""
    if character.isascii():
        return character.isalpha() or character in "%$"
    rules = _matcher().PhoneNumberMatcher
    return bool(rules._is_latin_letter(character) or rules._is_invalid_punctuation_symbol(character))


@cache
def _matcher() -> Any:
    # Its patterns are not public, and have kept their names for a decade; the tests say so when that ends.
    from phonenumbers import phonenumbermatcher

    return phonenumbermatcher
