"""Account and identity numbers whose check digits are reckoned here, because they are asked of every candidate.

python-stdnum, which says the same in twenty times as long, gives the forms of account numbers and is the oracle of the
tests. Each is a plain function of the matched text that never raises.
"""

from __future__ import annotations

import re
from functools import cache
from operator import mul
from typing import Any, Final

__all__ = ["compact", "is_cn_uscc", "is_iban", "is_us_ssn"]

_IBAN: Final = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{10,30}", re.ASCII)
_IN_DIGITS: Final = {ord("A") + at: str(10 + at) for at in range(26)}
_FORM: Final = re.compile(r"([1-9][0-9]*)!([nac])")
_CLASSES: Final = {"n": "[0-9]", "a": "[A-Z]", "c": "[A-Za-z0-9]"}
_USCC: Final = re.compile(r"\d{8}[0-9A-HJ-NPQRTUWXY]{10}", re.ASCII)
_USCC_SIGNS: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_VALUES: Final = bytes.maketrans(_USCC_SIGNS.encode(), bytes(range(31)))
_USCC_WEIGHTS: Final = tuple(pow(3, place, 31) for place in range(17))
_ADVERTISED: Final = frozenset({"078051120", "457555462", "219099999"})


def compact(text: str, separators: str = " -") -> str:
    """The text without separators; "" where it is not ASCII."""
    if not text.isascii():
        return ""
    for separator in separators:
        text = text.replace(separator, "")
    return text


def is_iban(text: str) -> bool:
    """An account number by ISO 13616: country, length and form by the registry, MOD 97-10.

    The countries' own check digits inside are not asked: a wrong one leaves it somebody's account number to the reader.
    """
    number = compact(text, " -.").upper()
    if not _IBAN.fullmatch(number) or int((number[4:] + number[:4]).translate(_IN_DIGITS)) % 97 != 1:
        return False
    form = _account_form(number[:2])
    return form is not None and form.fullmatch(number, 4) is not None


@cache
def _account_form(country: str) -> re.Pattern[str] | None:
    """What follows the country and the check digits, by the registry; None for a country that has none there."""
    from stdnum import numdb

    known: Any = numdb.get("iban").info(country)[0][1]
    if not known:
        return None
    return re.compile(_FORM.sub(lambda part: f"{_CLASSES[part[2]]}{{{part[1]}}}", known.get("bban", "")))


def is_us_ssn(text: str) -> bool:
    """A social security number of an area that the SSA may have issued: no 000, 666, 9xx, no advertised number."""
    number = compact(text)
    if len(number) != 9 or not number.isdigit() or number in _ADVERTISED:
        return False
    return number[0] != "9" and number[:3] not in {"000", "666"} and number[3:5] != "00" and number[5:] != "0000"


def is_cn_uscc(text: str) -> bool:
    """A unified social credit identifier: GB 32100-2015, check character MOD 31."""
    number = compact(text).upper()
    if not _USCC.fullmatch(number):
        return False
    total = sum(map(mul, number[:17].encode().translate(_USCC_VALUES), _USCC_WEIGHTS))
    return _USCC_SIGNS[-total % 31] == number[17]
