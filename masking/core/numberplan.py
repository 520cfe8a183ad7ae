"""Numbering plans: whether digits are a valid telephone number, asked of tables instead of parsers.

The tables are libphonenumber's (https://github.com/google/libphonenumber), read from the installed package
`phonenumbers` region by region when first asked for. The steps are those of its `parse` and `is_valid_number` for a
number that is nothing but digits, with or without a plus sign; the tests hold the answers against the package's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from masking.core.numberform import ANY_SIZE, Form, firsts, may_begin

__all__ = ["Plan", "plan"]


_LEAST_NSN: Final = 2
_MOST_NSN: Final = 17
_MOST_DIALLED: Final = 100  # digits; there are no such numbers
_CODE_LENGTHS: Final = (1, 2, 3)  # digits of a country code
_TYPES: Final = (
    "premium_rate",
    "toll_free",
    "shared_cost",
    "voip",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
    "fixed_line",
    "mobile",
)

# How a number says its country (libphonenumber's CountryCodeSource, as far as the answer depends on it).
_WRITTEN, _ASSUMED = True, False


class Plan:
    """The numbering plan of one region (ISO 3166-1 alpha-2), or of a country code without a region."""

    __slots__ = (
        "_abroad_prefix",
        "_firsts",
        "_formats",
        "_idd",
        "_kinds",
        "_least",
        "_lengths",
        "_local",
        "_match",
        "_needs_prefix",
        "_prefix",
        "_prefix_firsts",
        "_rule",
        "_types",
        "code",
        "leading",
    )

    def __init__(self, metadata: Any) -> None:
        general = metadata.general_desc
        self.code = str(metadata.country_code)
        self.leading = re.compile(metadata.leading_digits).match if metadata.leading_digits is not None else None
        self._abroad_prefix: str | None = metadata.international_prefix or None
        self._idd = re.compile(self._abroad_prefix).match if self._abroad_prefix else None
        self._prefix = (
            re.compile(metadata.national_prefix_for_parsing) if metadata.national_prefix_for_parsing else None
        )
        self._rule: str | None = metadata.national_prefix_transform_rule or None
        self._match = _full(general)
        self._lengths: Sequence[int] = tuple(general.possible_length)
        self._local = frozenset(general.possible_length_local_only)
        self._types = _types(metadata)
        self._kinds: dict[int, Any] = {}
        self._formats = [Form(one) for one in metadata.number_format]
        self._needs_prefix = any(one.needs_prefix for one in self._formats)
        self._firsts = self.code[0] + firsts(self._abroad_prefix)
        """What digits begin with if they say their country, or the prefix for calls abroad."""
        self._prefix_firsts = firsts(metadata.national_prefix_for_parsing)
        self._least: int | None = None

    @property
    def least(self) -> int:
        """No number dialled here without a plus sign has fewer digits."""
        if self._least is None:
            main = _main(self.code)
            # A rule that puts digits in front makes numbers that are longer than what is dialled.
            lengthens = any(one and re.sub(r"\\[0-9]", "", one) for one in (self._rule, main and main._rule))
            self._least = 0 if lengthens else min(_regions(self.code)[0], default=0)
        return self._least

    def needed(self, most: int = _MOST_DIALLED) -> str | None:
        """A pattern that all digits dialled here without a plus sign match as a whole if they are a valid number.

        It counts national numbers of at most `most` digits. None where the region has rules that put digits into what
        is dialled.
        """
        main = _main(self.code)
        if main is None:
            return None
        prefixes = {_before_number(one._prefix.pattern, one._rule) for one in (self, main) if one._prefix is not None}
        if None in prefixes:
            return None
        prefix = f"(?:{'|'.join(sorted(filter(None, prefixes)))})?" if prefixes else ""
        of_types = [some for one in _regions(self.code)[1] for size, some in one._types.items() if size <= most]
        kinds = {match.__self__.pattern for some in of_types for match in some}
        own = [f"(?:{self.code})?{prefix}{prefix}(?:{'|'.join(sorted(kinds))})"] if kinds else []
        abroad = [] if self._abroad_prefix is None else [f"(?:{self._abroad_prefix})[1-9][0-9]{{{_LEAST_NSN},}}"]
        return "|".join([*own, *abroad])

    def bare_sizes(self, lead: str) -> int:
        """How many digits numbers may have that are dialled here and begin with `lead` (LEAD digits), a bit for each.

        Without those that would begin with no prefix, where all such numbers are written with the national one.
        """
        there = _main_region(self.code)
        if there is None or lead.startswith(self.code):
            return ANY_SIZE
        prefixes = [one._prefix.pattern for one in (self, there) if one._prefix is not None]
        if any(may_begin(one, lead) for one in (*prefixes, self._abroad_prefix) if one):
            return ANY_SIZE
        bare = prefixed = 0
        for form in there._formats:
            if form.may_begin(lead):
                if not form.needs_prefix:
                    bare |= form.sizes & ~prefixed
                elif form.must_begin(lead):
                    prefixed |= form.sizes & ~bare
        return ANY_SIZE & ~prefixed

    def knows(self, number: str) -> bool:
        """Whether a national number is of a kind that the region has."""
        size = len(number)
        kind = self._kinds.get(size)
        if kind is None:
            patterns = [match.__self__.pattern for match in self._types.get(size, ())]
            kind = self._kinds[size] = re.compile("|".join(f"(?:{one})" for one in patterns) or "(?!)").fullmatch
        return kind(number) is not None and self._match(number) is not None

    def accepts(self, digits: str, *, plus: bool) -> bool:
        """Whether digits, dialled here, are a valid number of any region, with the prefix that they need."""
        if not plus and len(digits) < (self.least if self._least is None else self._least):
            return False
        if not plus and digits[:1] not in self._firsts:
            national = self._significant(self.code, digits)
            return national is not None and self._has_needed_prefix(self.code, national, digits)
        try:
            code, number, written = self._country(digits, plus)
        except _NotANumberError:
            return False
        there: Plan | None = self
        if code:
            if code != self.code or _main(code) is not self:
                there = _main(code)
        else:
            code, number = self.code, digits
        national = None if there is None else there._significant(code, number)
        if national is None:
            return False
        return written or self._has_needed_prefix(code, national, digits)

    @staticmethod
    def abroad(digits: str) -> bool | None:
        """Whether digits behind a plus sign are valid, which is the same everywhere; None if no country code leads."""
        if len(digits) <= _LEAST_NSN:
            return False
        code, number = _leading_code(digits)
        there = _main(code) if code else None
        if there is None:
            return None
        return there._significant(code, number) is not None

    @staticmethod
    def possible(digits: str) -> bool | None:
        """As `abroad`, by the length alone; what can be dialled within an area only is possible, too."""
        if len(digits) <= _LEAST_NSN:
            return False
        code, number = _leading_code(digits)
        there = _main(code) if code else None
        if there is None:
            return None
        if len(number) < _LEAST_NSN:
            return False
        shorter, _ = there._stripped(number)
        length = len(shorter if there._possible(shorter) else number)
        return _LEAST_NSN <= length <= _MOST_NSN and (length in there._lengths or length in there._local)

    def _significant(self, code: str, number: str) -> str | None:
        """The national number in the digits behind a country code whose plan this is, if there is a valid one."""
        if len(number) < _LEAST_NSN:
            return None
        if number[0] in self._prefix_firsts:
            shorter, _ = self._stripped(number)
            # Too short, possible within an area only, or of an impossible length: then nothing was stripped.
            if self._possible(shorter):
                number = shorter
        if not _LEAST_NSN <= len(number) <= _MOST_NSN or not _is_valid(code, number):
            return None
        return number

    def _country(self, digits: str, plus: bool) -> tuple[str, str, bool]:
        """The country code (empty: this region's own), the rest, and whether the number itself says the country."""
        if plus:
            if len(digits) <= _LEAST_NSN:
                raise _NotANumberError
            code, rest = _leading_code(digits)
            if code:
                return code, rest, _WRITTEN
            # A plus in front of no country code: read once more, as if it were not there.
            code, rest, written = self._country(digits, False)
            if not code:
                raise _NotANumberError
            return code, rest, written
        if not digits:
            return "", "", _ASSUMED
        abroad = self._abroad(digits)
        if abroad is not None:
            if len(abroad) <= _LEAST_NSN:
                raise _NotANumberError
            code, rest = _leading_code(abroad)
            if not code:
                raise _NotANumberError
            return code, rest, _WRITTEN
        if digits.startswith(self.code):
            rest, _ = self._stripped(digits[len(self.code) :])
            if (self._match(digits) is None and self._match(rest) is not None) or self._is_too_long(digits):
                return self.code, rest, _WRITTEN
        return "", "", _ASSUMED

    def _abroad(self, digits: str) -> str | None:
        """What follows the prefix for calls abroad, if there is one."""
        found = self._idd(digits) if self._idd is not None and digits[0] in self._firsts else None
        if found is None:
            return None
        rest = digits[found.end() :]
        return None if rest[:1] == "0" else rest

    def _stripped(self, number: str) -> tuple[str, bool]:
        """Without the national prefix and a carrier's code, and whether something was taken away."""
        if not number or self._prefix is None or number[0] not in self._prefix_firsts:
            return number, False
        found = self._prefix.match(number)
        if found is None:
            return number, False
        if self._rule is None or found.re.groups == 0 or found.group(found.re.groups) is None:
            shorter = number[found.end() :]
        else:
            shorter = self._prefix.sub(self._rule, number, count=1)
        if self._match(number) is not None and self._match(shorter) is None:
            return number, False
        return shorter, True

    def _possible(self, number: str) -> bool:
        """Neither too short, nor of a length that no number has; too long will do."""
        length = len(number)
        if length in self._local:
            return False
        return length in self._lengths or length > self._lengths[-1]

    def _is_too_long(self, number: str) -> bool:
        return len(number) > self._lengths[-1] and len(number) not in self._local

    def _has_needed_prefix(self, code: str, number: str, digits: str) -> bool:
        there = _main_region(code)
        if there is None or not there._needs_prefix:
            return True
        for form in there._formats:
            if form.fits(number):
                return not form.needs_prefix or there._stripped(digits)[1]
        return True


class _NotANumberError(Exception):
    """The digits cannot be read as a number with a country."""


def plan(region: str) -> Plan:
    """The plan of a region such as `GB`. Raises KeyError for a region that libphonenumber does not have."""
    found = _plan(region)
    if found is None:
        raise KeyError(region)
    return found


@cache
def _plan(region: str) -> Plan | None:
    from phonenumbers import PhoneMetadata

    metadata = PhoneMetadata.metadata_for_region(region, None)
    return None if metadata is None else Plan(metadata)


@cache
def _codes() -> dict[str, tuple[str, ...]]:
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    return {str(code): tuple(regions) for code, regions in COUNTRY_CODE_TO_REGION_CODE.items()}


@cache
def _main(code: str) -> Plan | None:
    """The plan by which numbers of a country code are read; also of codes that no region has."""
    from phonenumbers import PhoneMetadata

    region = _codes()[code][0]
    if region != "001":
        return _plan(region)
    metadata = PhoneMetadata.metadata_for_nongeo_region(int(code), None)
    return None if metadata is None else Plan(metadata)


@cache
def _main_region(code: str) -> Plan | None:
    region = _codes()[code][0]
    return None if region == "001" else _plan(region)


def _leading_code(digits: str) -> tuple[str, str]:
    codes = _codes()  # none of them begins with a zero
    for length in _CODE_LENGTHS:
        code = digits[:length]
        if code in codes:
            return code, digits[length:]
    return "", digits


def _before_number(prefix: str, rule: str | None) -> str | None:
    """Of a national prefix what stands before the number, where its rule only takes that away; None where it does more.

    Such a rule keeps the last group, which is the number and not told apart from other digits.
    """
    if rule is None:
        return prefix
    last = re.search(r"\(\\d\{[0-9]+(?:,[0-9]+)?\}\)(?=\)?\??$)", prefix)
    if last is None or rule != f"\\{re.compile(prefix).groups}":
        return None
    return prefix[: last.start()] + prefix[last.end() :]


@cache
def _regions(code: str) -> tuple[Mapping[int, Any], tuple[Plan, ...], bool]:
    """Of a country code: by length what any of its national numbers matches, its regions' plans, and whether it has one
    region only."""
    names = _codes()[code]
    only = [_main(code)] if len(names) == 1 else [_plan(name) for name in names]
    plans = tuple(one for one in only if one is not None)
    kinds: dict[int, dict[str, None]] = {}
    for one in plans:
        for length, matches in one._types.items():
            kinds.setdefault(length, {}).update(dict.fromkeys(match.__self__.pattern for match in matches))
    any_of = {length: re.compile("|".join(f"(?:{one})" for one in some)).fullmatch for length, some in kinds.items()}
    return any_of, plans, len(names) == 1


def _is_valid(code: str, number: str) -> bool:
    any_of, plans, is_one = _regions(code)
    known = any_of.get(len(number))
    if known is None:
        return False
    if is_one:
        return plans[0].knows(number)
    if plans[0].leading is None and plans[0].knows(number):
        return True
    if known(number) is None:
        return False
    for one in plans:
        if one.leading is not None:
            if one.leading(number):
                return one.knows(number)
        elif one.knows(number):
            return True
    return False


def _full(description: Any) -> Any:
    pattern = None if description is None else description.national_number_pattern
    return re.compile(pattern).fullmatch if pattern else _never


def _never(_number: str) -> None:
    return None


def _types(metadata: Any) -> dict[int, list[Any]]:
    """By length, what tells the kinds of number apart that may be that long."""
    found: dict[int, list[Any]] = {}
    kinds = [getattr(metadata, name) for name in _TYPES]
    general = metadata.general_desc.possible_length
    for kind in kinds:
        if kind is None or not kind.national_number_pattern:
            continue
        for length in kind.possible_length or general or range(_LEAST_NSN, _MOST_NSN + 1):
            if not general or length in general:
                found.setdefault(length, []).append(_full(kind))
    return found
