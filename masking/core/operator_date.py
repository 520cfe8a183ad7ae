"""Dates as they are written: read, moved or rounded, and written again in the same notation.

The notations are those of the check `date` (masking/core/check.py), with or without a time of day behind them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["ORDERS", "UNITS", "Order", "Unit", "WrittenDate", "read_date"]

Order = Literal["ymd", "dmy", "mdy"]
Unit = Literal["year", "month", "day", "hour", "minute"]
ORDERS: Final[tuple[Order, ...]] = ("ymd", "dmy", "mdy")
UNITS: Final[tuple[Unit, ...]] = ("year", "month", "day", "hour", "minute")

_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_NAME: Final = "(?P<name>" + "|".join(f"{one[:3]}(?:{one[3:]})?" if one[3:] else one for one in _MONTHS) + "|Sept)"
_TIME: Final = (
    r"(?:(?:T|,? ?)(?P<H>\d{1,2}):(?P<M>\d\d)(?::(?P<S>\d\d)(?:[.,](?P<F>\d{1,9}))?)?(?: ?(?P<half>[AP]M))?"
    r"(?: ?(?:Z|[+-]\d\d:?\d\d))?| ?(?P<h>\d{1,2}) ?[时点時](?: ?(?P<m>\d{1,2}) ?分(?: ?(?P<s>\d{1,2}) ?秒)?)?)?"
)
_YEAR: Final = r"(?P<y>\d{4}|\d\d)"
_DAY: Final = r"(?P<d>\d{1,2})(?P<th>st|nd|rd|th)?"
_SIGN: Final = "[-/. ]"
_GAP: Final = "[-/. ,]+"


def _compiled(*bodies: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(rf"\s*{body}{_TIME}\s*", re.ASCII | re.IGNORECASE) for body in bodies)


_NOTATIONS: Final[Mapping[Order, tuple[re.Pattern[str], ...]]] = {
    "ymd": _compiled(
        r"(?P<y>\d{4})(?:[-/. ]| ?年 ?)(?P<m1>\d{1,2})(?:[-/. ]| ?月 ?)(?P<d>\d{1,2})(?: ?[日号])?",
        r"(?P<y>\d{4})(?P<m1>\d\d)(?P<d>\d\d)",
    ),
    "dmy": _compiled(
        rf"(?P<d>\d{{1,2}}){_SIGN}(?P<m1>\d{{1,2}}){_SIGN}{_YEAR}",
        r"(?P<d>\d\d)(?P<m1>\d\d)(?P<y>\d{4})",
        rf"{_DAY}(?: of)?{_GAP}{_NAME}{_GAP}{_YEAR}",
    ),
    "mdy": _compiled(
        rf"(?P<m1>\d{{1,2}}){_SIGN}(?P<d>\d{{1,2}}){_SIGN}{_YEAR}",
        r"(?P<m1>\d\d)(?P<d>\d\d)(?P<y>\d{4})",
        rf"{_NAME}{_GAP}{_DAY}{_GAP}{_YEAR}",
    ),
}


@dataclass(frozen=True, slots=True, repr=False)
class WrittenDate:
    """A date and how it was written."""

    year: int
    month: int
    day: int
    _match: re.Match[str]

    def __repr__(self) -> str:
        return "WrittenDate()"

    def moved(self, days: int) -> str:
        """The date so many days later, in the same notation; the time of day stays."""
        year, month, day = _from_number(_number(self.year, self.month, self.day) + days)
        return self._written(self._date(year, month, day))

    def rounded(self, unit: Unit) -> str:
        """The beginning of the year, month, day, hour or minute that the date lies in, in the same notation."""
        depth = UNITS.index(unit)
        said = self._date(self.year, self.month if depth >= 1 else 1, self.day if depth >= 2 else 1)
        half = self._match["half"]
        for place, keys in enumerate(("Hh", "Mm", "SsF"), start=3):
            for key in keys:
                if depth < place and (text := self._match[key]) is not None:
                    said[key] = "0" * len(text)
        if half and depth < 3:  # midnight on a clock of twelve hours
            said["H"] = "12"
            said["half"] = "am" if half.islower() else "AM"
        return self._written(said)

    def _date(self, year: int, month: int, day: int) -> dict[str, str]:
        found = self._match.groupdict()
        # 5/12/1990 writes no zeros; 15/12/1990 may or may not, and is taken to, unless the month is a name.
        padded = (found.get("m1") is not None or found["d"][0] == "0") and not any(
            len(found[key] or "00") == 1 for key in ("m1", "d") if key in found
        )
        said = {"y": f"{year % 100:02}" if len(found["y"]) == 2 else f"{year:04}"}
        if found.get("m1") is not None:
            said["m1"] = f"{month:02}" if padded else str(month)
        else:
            said["name"] = _named(month, found["name"])
        said["d"] = f"{day:02}" if padded else str(day)
        if found.get("th"):
            said["th"] = "th" if 10 < day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
        return said

    def _written(self, said: Mapping[str, str]) -> str:
        text = self._match.string
        pieces: list[str] = []
        at = 0
        for start, end, key in sorted((*self._match.span(key), key) for key in said):
            pieces += text[at:start], said[key]
            at = end
        return "".join((*pieces, text[at:]))


def read_date(text: str, orders: Sequence[Order] = ORDERS) -> WrittenDate | None:
    """The date that `text` is, read in the first of the orders in which it is one; None if it is none.

    Years of two digits are of this century, as the check `date` reads them.
    """
    for order in orders:
        for notation in _NOTATIONS[order]:
            match = notation.fullmatch(text)
            if match is None:
                continue
            found = match.groupdict()
            month = int(found["m1"]) if found.get("m1") else _month(found["name"])
            year = int(found["y"]) + (2000 if len(found["y"]) == 2 else 0)
            day = int(found["d"])
            if 1800 <= year < 2200 and 1 <= month <= 12 and 1 <= day <= _length(year, month):
                return WrittenDate(year, month, day, match)
    return None


def _month(name: str) -> int:
    return [one[:3] for one in _MONTHS].index(name[:3].title()) + 1


def _named(month: int, like: str) -> str:
    name = _MONTHS[month - 1] if len(like) > 4 or (like.title() in _MONTHS and like.title() != "May") else ""
    name = name or _MONTHS[month - 1][:3]
    return name.upper() if like.isupper() else name.lower() if like.islower() else name


def _length(year: int, month: int) -> int:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month - 1]


def _number(year: int, month: int, day: int) -> int:
    """Days since 0001-01-01 of the Gregorian calendar; own arithmetic, because core keeps away from the clock."""
    before = year - 1
    days = before * 365 + before // 4 - before // 100 + before // 400
    return days + sum(_length(year, one) for one in range(1, month)) + day - 1


def _from_number(number: int) -> tuple[int, int, int]:
    year = number * 400 // 146_097 + 1
    while _number(year, 1, 1) > number:
        year -= 1
    while _number(year + 1, 1, 1) <= number:
        year += 1
    month = 12
    while _number(year, month, 1) > number:
        month -= 1
    return year, month, number - _number(year, month, 1) + 1
