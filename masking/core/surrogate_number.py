"""Fakes of numbers that registers issue, in ranges that are issued to nobody; each says where that is written.

Check digits are true where the range alone keeps a fake from being somebody's, and wrong where nothing else does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from typing import Final

from masking.core.check import check
from masking.core.operator_date import read_date
from masking.core.surrogate_draw import Draw, digits_of, filled, fitted, words

__all__ = [
    "NOWHERE",
    "card",
    "credit_code",
    "date",
    "hardware_address",
    "iban",
    "imei",
    "internet_address",
    "nhs_number",
    "nino",
    "number",
    "passport",
    "phone",
    "plate",
    "resident_id",
    "social_security",
    "wrong",
]

# GB/T 2260: the first digit is a part of the country, the second counts provinces from 1. No province ends in 0 but
# Chongqing's 50.
NOWHERE: Final = ("10", "20", "30", "40", "60")
_RIC: Final = "10X98765432"
_USCC: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
# Mobile prefixes that the Ministry has given to no operator (none is valid in phonenumbers 9 either).
_CN_MOBILE: Final = ("142", "143", "154", "164", "194")
# NANPA: 555-0100 to 555-0199 are for fiction in every area code.
_AREAS: Final = words(
    "202 206 212 213 214 215 216 217 301 302 303 304 305 307 308 309 310 312 313 314 315 316 317 318 319 401 402 "
    "404 405 406 407 408 409 410 412 413 414 415 416 417 501 502 503 504 505 507 508 509 512 513 515 516 517 518 "
    "601 602 603 604 605 606 607 608 609 610 612 614 615 616 617 618 619 701 702 703 704 705 706 707 708 712 713 "
    "714 715 716 717 718 719 801 802 803 804 805 806 807 808 812 813 814 815 816 817 818 819 901 902 903 904 905 "
    "906 907 908 909 910 912 913 914 915 916 917 918"
)
# ITU-T E.164 country codes that are spare.
_SPARE: Final = ("210", "214", "215", "217", "219", "280", "281", "282", "283", "284", "285", "286", "287", "289")
_WINDOW: Final = 1500  # days that a date is moved at most


def card(value: str, draw: Draw) -> str:
    """A card number with a true Luhn digit and 0 as its first: ISO/IEC 7812-1 keeps 0 from payment cards."""
    size = max(len(digits_of(value)), 8)
    body = "0" + draw.digits(size - 2)
    return filled(value, body + _luhn(body))


def number(value: str, draw: Draw) -> str:
    """A number of a kind without a known free range: it begins with 0, as hardly any issued number does."""
    if not value.isdecimal():
        return draw.like(value)
    return "0" + draw.digits(max(len(value), 4) - 1)


def resident_id(value: str, draw: Draw) -> str:
    """A Chinese resident number of an area that GB/T 2260 does not have, check digit true; birth date moved."""
    size = len(digits_of(value)) + value.upper().count("X")
    if size not in (15, 18):
        return draw.like(value)
    compact = "".join(one for one in value.upper() if one.isalnum())
    old = compact[6:14] if size == 18 else "19" + compact[6:12]
    born = (
        date(old, draw)
        if read_date(old, ("ymd",))
        else f"19{draw.below(50) + 50}{draw.below(12) + 1:02}{draw.below(28) + 1:02}"
    )
    body = draw.one(NOWHERE) + draw.digits(4) + (born if size == 18 else born[2:]) + draw.digits(3)
    if size == 15:
        return filled(value, body)
    total = sum(int(one) * pow(2, 17 - place, 11) for place, one in enumerate(body))
    return fitted(value, body + _RIC[total % 11])


def credit_code(value: str, draw: Draw) -> str:
    """A unified social credit identifier (GB 32100-2015) of an area that does not exist, both check characters true."""
    kind = value[:2].upper() if re.match(f"[{_USCC}]{{2}}", value.upper()) else "91"
    code = "MA" + "".join(draw.one(_USCC) for _ in range(6))
    total = sum(int(one, 36) * weight for one, weight in zip(code, (3, 7, 9, 10, 5, 8, 4, 2), strict=True))
    body = kind + draw.one(NOWHERE) + draw.digits(4) + code + "0123456789X0"[11 - total % 11]
    total = sum(_USCC.index(one) * pow(3, place, 31) for place, one in enumerate(body))
    return body + _USCC[-total % 31]


def phone(value: str, draw: Draw) -> str:
    """A telephone number for fiction (NANPA 555-01xx, Ofcom's drama numbers), or of a prefix that nobody was given."""
    digits = digits_of(value)
    size = len(digits)
    abroad = value.lstrip(" (（").startswith(("+", "＋")) or digits.startswith("00")
    code = digits.removeprefix("00") if abroad else ""
    lead = "00" if abroad and digits.startswith("00") else ""
    if code.startswith("86") and size - len(lead) > 10:
        return _numbered(value, f"{lead}86" + _chinese(code[2:], draw), draw)
    if code.startswith("1") and size - len(lead) > 10:
        return _numbered(value, f"{lead}1" + _american(draw), draw)
    if code.startswith("44") and size - len(lead) > 10:
        return _numbered(value, f"{lead}44" + _british("0" + code[2:].removeprefix("0"), draw)[1:], draw)
    if abroad:
        return _numbered(value, lead + draw.one(_SPARE), draw)
    if re.match(r"\W*1[-. (]", value) and size == 11:
        return _numbered(value, "1" + _american(draw), draw)
    if digits.startswith("1") and size == 11:
        return filled(value, _chinese(digits, draw))
    if size == 10 and digits[0] in "23456789":
        return filled(value, _american(draw))
    if size == 11 and (re.match("07|01[1-9]", digits) or re.match(r"\W*0\d{2,4}\)? \d", value)):
        return filled(value, _british(digits, draw))
    if digits.startswith("0") and size in (11, 12):
        return filled(value, "0" + _chinese(digits, draw))
    # The prefix for calls abroad and a country code without a country; below eight digits an extension.
    return _numbered(value, "00" + draw.one(_SPARE) if size >= 8 else "0" + draw.one("56789"), draw)


def _chinese(national: str, draw: Draw) -> str:
    national = national.removeprefix("0")
    if national.startswith("1") and len(national) == 11:
        return draw.one(_CN_MOBILE) + draw.digits(8)
    # 026 is kept for Taipei and never was in use; in Britain nothing begins with 026 either.
    return "26" + draw.digits(max(len(national) - 2, 6))


def _american(draw: Draw) -> str:
    return f"{draw.one(_AREAS)}55501{draw.below(100):02}"


def _british(national: str, draw: Draw) -> str:
    # https://www.ofcom.org.uk: telephone numbers for use in TV and radio drama programmes.
    place = f"{draw.dealt(1000):03}"
    if national.startswith("07"):
        return "07700900" + place
    return ("02079460" if national.startswith("02") else "01632960") + place


def _numbered(value: str, start: str, draw: Draw) -> str:
    """Digits that begin with `start` in the places of the value's; random ones behind it."""
    return filled(value, start + draw.digits(len(digits_of(value)) - len(start)))


def date(value: str, draw: Draw) -> str:
    """A date up to four years away, in the same notation; age and season are no longer to be had from it."""
    read = read_date(value)
    if read is None:
        return draw.like(value)
    days = draw.below(_WINDOW) + 30
    return read.moved(days if draw.below(2) and read.year < 2190 else -days)


def social_security(value: str, draw: Draw) -> str:
    """A number of area 900 to 999, which the SSA never issues, with a group that the IRS gives to no ITIN either."""
    return filled(value, f"9{draw.digits(2)}{draw.below(49) + 1:02}{draw.below(9999) + 1:04}")


def nino(value: str, draw: Draw) -> str:
    """A national insurance number with QQ, which HMRC uses in examples and never allocates (NIM39110)."""
    return fitted(value, "QQ" + draw.digits(6) + draw.one("ABCD"))


def nhs_number(value: str, draw: Draw) -> str:
    """A number of the 999 range, which NHS England keeps for tests; check digit true (MOD 11)."""
    while True:
        body = "999" + draw.digits(6)
        last = -sum(int(one) * weight for one, weight in zip(body, range(10, 1, -1), strict=True)) % 11
        if last < 10:
            return filled(value, f"{body}{last}")


def imei(value: str, draw: Draw) -> str:
    """An IMEI of the reporting body 00, which marks test devices (GSMA TS.06); Luhn digit true where there is one."""
    size = len(digits_of(value))
    body = "00" + draw.digits(12)
    return filled(value, body + (_luhn(body) if size == 15 else draw.digits(max(size - 14, 0))))


def internet_address(value: str, draw: Draw) -> str:
    """An address for documentation: RFC 5737, RFC 3849; then class E, which is reserved (RFC 1112 section 4)."""
    if ":" in value:
        return f"2001:db8:{draw.below(65536):x}:{draw.below(65536):x}::{draw.below(65535) + 1:x}"
    if draw.number + draw.turn > 3 * 254:
        return f"{240 + draw.below(15)}.{draw.below(256)}.{draw.below(256)}.{draw.below(254) + 1}"
    network, host = divmod(draw.dealt(3 * 254), 254)
    return f"{('192.0.2', '198.51.100', '203.0.113')[network]}.{host + 1}"


def hardware_address(value: str, draw: Draw) -> str:
    """A MAC address for documentation (RFC 9542 section 2.1.2); then locally administered ones, which no maker has."""
    if draw.number + draw.turn > 256:
        fake = f"{draw.below(64) * 4 + 2:02x}{draw.below(1 << 40):010x}"
    else:
        fake = f"00005e0053{draw.dealt(256):02x}"
    fake = fake.upper() if any(one.isupper() for one in value) else fake
    if sum(one.isalnum() for one in value) != 12:
        return ":".join(fake[at : at + 2] for at in range(0, 12, 2))
    return fitted(value, fake)


def iban(value: str, draw: Draw) -> str:
    """An account number with true check digits of ZZ, a code that ISO 3166-1 gives to no country: it has no banks."""
    compact = "".join(one for one in value.upper() if one.isascii() and one.isalnum())
    body = draw.like(compact[4:34] if len(compact) > 8 else "0" * 12)  # ISO 13616: 34 at most
    total = int("".join(str(int(one, 36)) for one in body + "ZZ00"))
    return fitted(value, f"ZZ{98 - total % 97:02}{body}")


def passport(value: str, draw: Draw) -> str:
    """A Chinese passport number with I or O as second letter, which its series leave out; others only look alike."""
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9]\d{7}", value):
        return "E" + draw.one("IO") + draw.digits(7)
    return number(value, draw)


def plate(value: str, draw: Draw) -> str:
    """A Chinese plate with the office code I, which no plate has (GA 36); others only look alike."""
    match = re.match(r"([\u4e00-\u9fff])[A-Z]", value)
    if match is None:
        return draw.like(value)
    return draw.one("京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼") + "I" + draw.like(value[2:])


def wrong(name: str) -> Callable[[str, Draw], str]:
    """Fakes for a number without a free range: of the same shape, with a check digit that is wrong.

    `name` is a check of masking/core/check.py, or a module of python-stdnum in parentheses.
    """

    def fake(value: str, draw: Draw) -> str:
        valid = import_module(f"stdnum.{name[1:-1]}").is_valid if name[0] == "(" else check(name)
        for _ in range(100):
            drawn = draw.like(value)
            if not valid(drawn):
                return drawn
        return draw.like(value[:-1]) + ("0" if value[-1:] != "0" else "1")

    return fake


def _luhn(body: str) -> str:
    doubled = sum(sum(divmod(2 * int(one), 10)) for one in body[-1::-2])
    return str(-(doubled + sum(int(one) for one in body[-2::-2])) % 10)
