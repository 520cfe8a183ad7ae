"""Named validators: what a rule asks after its pattern matched, so that a number is not taken for another.

A check is a plain function of the matched, normalised text. It never raises, keeps nothing, and knows no clock: a date
counts as real whether or not it has passed. python-stdnum and phonenumbers are imported when a check first needs them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from operator import mul
from typing import Any, Final

from masking.core import credential
from masking.core.address import IPV6_NEEDS, is_ipv4, is_ipv6
from masking.core.errors import ConfigurationError
from masking.core.issued import is_cn_business, is_cn_organisation, is_coordinates, is_us_dea, is_us_npi
from masking.core.number import compact, is_cn_uscc, is_iban, is_us_ssn
from masking.core.numberplan import Plan
from masking.core.wallet import is_bitcoin, is_ethereum

__all__ = ["CHECKS", "NEEDS", "Check", "check", "is_proof"]

Check = Callable[[str], bool]

# GB/T 2260, first two digits; 83 begins the numbers of the residence permit for people of Hong Kong, Macao and Taiwan.
_PROVINCES: Final = frozenset(
    str(number)
    for number in (*range(11, 16), *range(21, 24), *range(31, 38), *range(41, 47), *range(50, 55), *range(61, 66), 71)
) | {"81", "82", "83"}
_RIC_WEIGHTS: Final = tuple(pow(2, 17 - place, 11) for place in range(17))
_RIC_BASE: Final = ord("0") * sum(_RIC_WEIGHTS)
_TWICE: Final = bytes.maketrans(b"0123456789", bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH: Final = re.compile(
    "jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|sept?(ember)?|oct(ober)?|nov(ember)?|dec(ember)?"
)
_DATE: Final = {
    "ymd": re.compile(
        r"(\d{4})(?:[-/. ]| ?年 ?)(\d{1,2})(?:[-/. ]| ?月 ?)(\d{1,2})(?: ?[日号])?|(\d{4})(\d\d)(\d\d)", re.ASCII
    ),
    "dmy": re.compile(r"(\d{1,2})[-/. ](\d{1,2})[-/. ](\d{4}|\d\d)|(\d\d)(\d\d)(\d{4})", re.ASCII),
    "mdy": re.compile(r"(\d{1,2})[-/. ](\d{1,2})[-/. ](\d{4}|\d\d)|(\d\d)(\d\d)(\d{4})", re.ASCII),
}
_NAMED_DATE: Final = {
    "dmy": re.compile(r"(\d{1,2})(?:st|nd|rd|th)?(?: of)?[-/. ,]+([a-z]{3,9})[-/. ,]+(\d{4}|\d\d)", re.ASCII),
    "mdy": re.compile(r"([a-z]{3,9})[-/. ,]+(\d{1,2})(?:st|nd|rd|th)?[-/. ,]+(\d{4}|\d\d)", re.ASCII),
}
_DIALLED: Final = re.compile(r"\+[0-9](?:[0-9() .-]{0,30}[0-9])?", re.ASCII)
_NOT_DIGITS: Final = re.compile("[^0-9]+")
_NINO: Final = re.compile(r"[ABCEGHJ-PRSTW-Z][ABCEGHJ-NPRSTW-Z]\d{6}[A-D]", re.ASCII)
_LOCAL: Final = re.compile(r"[A-Za-z0-9_%+](?:[A-Za-z0-9_%+.'-]*[A-Za-z0-9_%+-])?", re.ASCII)
_DOMAIN: Final = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24}", re.ASCII)
# Not top-level domains, but what stands after a dot in `icon@2x.png`.
_SUFFIXES: Final = re.compile(
    "bmp|conf|cpp|css|csv|dll|exe|gif|gz|html|ico|jar|jpe?g|jsx?|json|lock|log|pdf|png|svg|tgz|tsx?|tiff?|txt|webp|whl|xml|ya?ml"
)
# Words that join a sentence; not 都, 和, 会, 来, 要, 个, which names of places hold.
_NOT_IN_ADDRESS: Final = re.compile(
    r"[的了是我你他她它们这在到去吗吧呢很]|[今明昨]天|高速公路|第[一二三四五六七八九十0-9]|[0-9][年月]"
)


def check(spec: str | Mapping[str, Any] | Sequence[Any]) -> Check:
    """The check that a rule names: `luhn`, `{phone: [US, GB]}`, or a list of them that must all hold.

    Raises ConfigurationError for a name or an argument that no check has.
    """
    if isinstance(spec, str):
        return _made(spec)
    if isinstance(spec, Mapping):
        if len(spec) != 1:
            raise ConfigurationError("a check with arguments is a mapping of one name; write several as a list")
        ((name, argument),) = spec.items()
        return _made(str(name), argument)
    parts = tuple(check(part) for part in spec)
    return lambda text: all(part(text) for part in parts)


def is_proof(spec: str | Mapping[str, Any] | Sequence[Any]) -> bool:
    """Whether a check that holds confirms a value (a check digit, a numbering plan) and not only its outline."""
    if isinstance(spec, str):
        return spec not in _OUTLINES
    if isinstance(spec, Mapping):
        return all(name not in _OUTLINES and argument != "possible" for name, argument in spec.items())
    return any(is_proof(part) for part in spec)


def _made(name: str, *arguments: Any) -> Check:
    factory = CHECKS.get(name)
    if factory is None:
        raise ConfigurationError(f"there is no check {name!r}; known are {', '.join(CHECKS)}")
    try:
        return factory(*arguments)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"check {name!r} does not take this argument: {error}") from None


def _plain(function: Check) -> Callable[[], Check]:
    """A factory for a check that takes no argument."""
    return lambda: function


def _is_date(year: int, month: int, day: int) -> bool:
    """Whether the Gregorian day exists; own arithmetic, because core keeps away from clocks and their module."""
    if not 1 <= month <= 12 or day < 1:
        return False
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return day <= (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month - 1]


def _cn_ric_plausible(text: str) -> bool:
    """Area and birth date of a Chinese resident number, whatever its check digit says.

    python-stdnum asks the county table with its years, which no invented number survives and which lags behind the
    Ministry of Civil Affairs; the province is enough beside a real date. A permanent residence card of a foreigner
    (since 2023) has a 9 before the province.
    """
    number = compact(text).upper()
    if len(number) != 18 or not number[:17].isdigit() or not (number[17].isdigit() or number[17] == "X"):
        return False
    province = number[1:3] if number[0] == "9" else number[:2]
    year = int(number[6:10])
    return province in _PROVINCES and 1900 <= year < 2100 and _is_date(year, int(number[10:12]), int(number[12:14]))


def _cn_ric(text: str) -> bool:
    """A Chinese resident number with its check digit: GB 11643-1999, ISO 7064 MOD 11-2."""
    if not _cn_ric_plausible(text):
        return False
    number = compact(text).upper()
    total = sum(map(mul, number[:17].encode(), _RIC_WEIGHTS)) - _RIC_BASE
    return "10X98765432"[total % 11] == number[17]


def _cn_ric15(text: str) -> bool:
    """The form of 1984 to 1999: 15 digits, a year of two digits, no check digit."""
    number = compact(text)
    if len(number) != 15 or not number.isdigit() or number[:2] not in _PROVINCES:
        return False
    return _is_date(1900 + int(number[6:8]), int(number[8:10]), int(number[10:12]))


def _cn_passport(text: str) -> bool:
    """One or two letters and 7 or 8 digits that are neither all the same nor a date, as order numbers are."""
    digits = text.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    if len(digits) not in {7, 8} or not digits.isascii() or not digits.isdigit() or len(set(digits)) == 1:
        return False
    return not (digits[:2] in {"19", "20"} and len(digits) == 8 and _is_date(2000, int(digits[4:6]), int(digits[6:])))


def _cn_address(text: str) -> bool:
    """Whether an address-like run has none of the words that join a sentence."""
    return _NOT_IN_ADDRESS.search(text) is None


def _hk_id(text: str) -> bool:
    """A Hong Kong identity card number: weights 9 to 1, modulo 11 (a blank counts 36 before one letter)."""
    number = compact(text, " -()").upper()
    head, tail = (number[:2], number[2:]) if len(number) == 9 else (" " + number[:1], number[1:])
    if len(tail) != 7 or not tail[:6].isdigit() or tail[6] not in "0123456789A" or not head.strip().isalpha():
        return False
    values = [36 if letter == " " else ord(letter) - 55 for letter in head]
    values += [int(digit, 11) for digit in tail]
    return sum(value * weight for value, weight in zip(values, range(9, 0, -1), strict=True)) % 11 == 0


def _tw_id(text: str) -> bool:
    """A Taiwan identity card number: the letter as two digits, weights 1 9 8 ... 1 1, modulo 10."""
    number = compact(text).upper()
    if len(number) != 10 or not number[0].isalpha() or not number[1:].isdigit() or number[1] not in "1289":
        return False
    area = "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(number[0]) + 10
    digits = (area // 10, area % 10, *map(int, number[1:]))
    return sum(d * w for d, w in zip(digits, (1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1), strict=True)) % 10 == 0


def _luhn(text: str) -> bool:
    """A payment card number: ISO/IEC 7812-1, 13 to 19 digits, check digit by Luhn, not one digit repeated."""
    number = compact(text)
    if not number.isdigit() or not 13 <= len(number) <= 19 or len(set(number)) == 1:
        return False
    digits = number.encode()
    plain = digits[-1::-2]
    return (sum(plain) - ord("0") * len(plain) + sum(digits[-2::-2].translate(_TWICE))) % 10 == 0


def _phone(regions: Any = "international") -> Check:
    """A number of one of the regions (ISO 3166), `international` with + or 00, or `possible` by its length alone."""
    if regions in ("international", "possible"):
        return lambda text: _is_phone(text, (), certain=regions == "international")
    if isinstance(regions, str) or not all(isinstance(region, str) and len(region) == 2 for region in regions):
        raise ValueError("give a list of regions such as [US, GB], `international` or `possible`")
    chosen = tuple(regions)
    return lambda text: _is_phone(text, chosen)


def _is_phone(text: str, regions: Sequence[str], *, certain: bool = True) -> bool:
    if not regions and text.startswith("00"):
        text = "+" + text[2:]
    if not regions and _DIALLED.fullmatch(text):
        # The same tables, forty times quicker.
        digits = _NOT_DIGITS.sub("", text)
        return (Plan.abroad(digits) if certain else Plan.possible(digits)) is True
    import phonenumbers

    for region in regions or ("ZZ",):
        try:
            number = phonenumbers.parse(text, region)
        except phonenumbers.NumberParseException:
            continue
        if not regions:
            return bool(phonenumbers.is_valid_number(number) if certain else phonenumbers.is_possible_number(number))
        if phonenumbers.is_valid_number_for_region(number, region):
            return True
    return False


def _uk_nino(text: str) -> bool:
    """A national insurance number: HMRC NIM39110, with the prefixes that are never allocated left out."""
    number = compact(text).upper()
    return bool(_NINO.fullmatch(number)) and number[:2] not in {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"}


def _date(argument: Any = None) -> Check:
    """A day of the Gregorian calendar, 1800 to 2199, in the order given (`{order: dmy}`) or in any order."""
    order = argument.get("order") if isinstance(argument, Mapping) else argument
    if order is not None and order not in _DATE:
        raise ValueError("the order is ymd, mdy or dmy")
    orders = (order,) if order else tuple(_DATE)
    return lambda text: any(_reads_as_date(text, order) for order in orders)


def _reads_as_date(text: str, order: str) -> bool:
    text = text.strip().lower()
    match = _DATE[order].fullmatch(text) or (_NAMED_DATE[order].fullmatch(text) if order in _NAMED_DATE else None)
    if match is None:
        return False
    parts = dict(zip(order, (group for group in match.groups() if group is not None), strict=True))
    month = int(parts["m"]) if parts["m"].isdigit() else _month(parts["m"])
    year = int(parts["y"]) + (2000 if len(parts["y"]) == 2 else 0)
    return 1800 <= year < 2200 and _is_date(year, month, int(parts["d"]))


def _month(name: str) -> int:
    return _MONTHS.index(name[:3]) + 1 if _MONTH.fullmatch(name) else 0


def _email(text: str) -> bool:
    """An address somebody may read: RFC 5321 lengths, dots where they may stand, not a file such as `icon@2x.png`."""
    local, at, domain = text.replace("%40", "@").rpartition("@")
    if not at or not 1 <= len(local) <= 64 or len(domain) > 253 or ".." in local or local == "git":
        return False
    if not _LOCAL.fullmatch(local) or not _DOMAIN.fullmatch(domain):
        return False
    return _SUFFIXES.fullmatch(domain.rpartition(".")[2].lower()) is None


def _within(measure: Callable[[str], int]) -> Callable[[Any], Check]:
    def factory(bounds: Any) -> Check:
        if not isinstance(bounds, Mapping) or not bounds or not set(bounds) <= {"min", "max"}:
            raise ValueError("give {min: N, max: N}, or one of the two")
        low, high = int(bounds.get("min", 0)), int(bounds.get("max", 1 << 30))
        return lambda text: low <= measure(text) <= high

    return factory


def _digits(text: str) -> int:
    return sum(character in "0123456789" for character in text)


def _digits_vary(text: str) -> bool:
    """Whether the digits are neither all the same nor counted up or down, as in examples and counters."""
    digits = [int(character) for character in text if character in "0123456789"]
    steps = {(after - before) % 10 for before, after in pairwise(digits)}
    return len(digits) > 1 and len(steps - {0}) > 0 and steps not in ({1}, {9})


def _entropy(least: Any = 3.0) -> Check:
    """At least so many bits a character: keys of random letters have 3 to 5, words and repetitions less."""
    bits = float(least)
    return lambda text: credential.entropy(text) >= bits


def _stdnum(name: Any = "luhn") -> Check:
    """A number that python-stdnum confirms, by the name of its module: `{stdnum: eu.vat}`, `{stdnum: us.rtn}`."""
    if not isinstance(name, str) or not _STDNUM.fullmatch(name):
        raise ValueError("give the name of a module of python-stdnum, such as eu.vat")
    try:
        found = find_spec(f"stdnum.{name}")
    except ImportError:
        found = None
    if found is None or "is_valid" not in (getattr(found.loader, "get_source", lambda _: "")(found.name) or ""):
        raise ValueError("python-stdnum has no such module")
    return partial(_by_stdnum, name)


def _by_stdnum(name: str, text: str) -> bool:
    return text.isascii() and bool(_stdnum_module(name).is_valid(compact(text) if name == "luhn" else text))


@cache
def _stdnum_module(name: str) -> Any:
    return import_module(f"stdnum.{name}")


_STDNUM: Final = re.compile(r"(?:[a-z]{2}\.)?[a-z][a-z0-9_]{1,20}", re.ASCII)
_OUTLINES: Final = frozenset(
    {
        "none", "cn.address", "cn.passport", "cn.ric_plausible", "coordinates", "date", "digits", "digits_vary",
        "entropy", "length",
    }
)  # fmt: skip

CHECKS: Final[Mapping[str, Callable[..., Check]]] = {
    "none": _plain(lambda text: True),
    "cn.address": _plain(_cn_address),
    "cn.business": _plain(is_cn_business),
    "cn.organisation": _plain(is_cn_organisation),
    "cn.passport": _plain(_cn_passport),
    "cn.ric": _plain(_cn_ric),
    "cn.ric15": _plain(_cn_ric15),
    "cn.ric_plausible": _plain(_cn_ric_plausible),
    "cn.uscc": _plain(is_cn_uscc),
    "coordinates": _plain(is_coordinates),
    "crypto.btc": _plain(is_bitcoin),
    "crypto.eth": _plain(is_ethereum),
    "date": _date,
    "digits": _within(_digits),
    "digits_vary": _plain(_digits_vary),
    "email": _plain(_email),
    "entropy": _entropy,
    "hk.id": _plain(_hk_id),
    "iban": _plain(is_iban),
    "ipv4": _plain(is_ipv4),
    "ipv6": _plain(is_ipv6),
    "length": _within(len),
    "luhn": _plain(_luhn),
    "phone": _phone,
    "secret": _plain(credential.is_secret),
    "secret.jwt": _plain(credential.is_jwt),
    "secret.password": _plain(credential.is_password),
    "secret.pem": _plain(credential.is_private_key),
    "secret.random": _plain(credential.is_random),
    "secret.url": _plain(credential.is_credential_url),
    "secret.word": _plain(credential.is_word_password),
    "stdnum": _stdnum,
    "tw.id": _plain(_tw_id),
    "uk.nino": _plain(_uk_nino),
    "us.dea": _plain(is_us_dea),
    "us.npi": _plain(is_us_npi),
    "us.ssn": _plain(is_us_ssn),
}

NEEDS: Final[Mapping[str, str]] = {"ipv6": IPV6_NEEDS}
"""Checks whose values hold something that the patterns before them do not ask for: a pattern for it."""
