"""Fakes of codes of firms, devices and places: outside of what their registers issue, where that is known."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from masking.core.surrogate_draw import Draw, digits_of, filled
from masking.core.surrogate_name import email
from masking.core.surrogate_number import NOWHERE, credit_code, number, phone

__all__ = [
    "account",
    "bic",
    "card_expiry",
    "coordinates",
    "led",
    "mbi",
    "postcode",
    "taxpayer",
    "token",
    "vat_number",
]

_PAIR: Final = re.compile(r"[-+]?\d{1,3}\.(\d+)(\s*[,，;\s]\s*)[-+]?\d{1,3}\.(\d+)", re.ASCII)
_HEX: Final = re.compile(r"[0-9a-f]+(?:[-:][0-9a-f]+)*|[0-9A-F]+(?:[-:][0-9A-F]+)*")


def led(start: str) -> Callable[[str, Draw], str]:
    """Fakes for numbers whose register gives out none that begin with `start`; the other digits are random."""

    def fake(value: str, draw: Draw) -> str:
        return filled(value, start + draw.digits(max(len(digits_of(value)) - len(start), 3)))

    return fake


def taxpayer(value: str, draw: Draw) -> str:
    """A Chinese taxpayer's or business number of an area that GB/T 2260 does not have; others only look alike."""
    if re.fullmatch(r"[0-9A-Z]{18}", value):
        return credit_code(value, draw)
    if re.fullmatch(r"\d{15}(?:\w{5})?", value):
        return draw.one(NOWHERE) + draw.like(value[2:])
    return draw.like(value)


def vat_number(value: str, draw: Draw) -> str:
    """A VAT number of ZZ, which ISO 3166-1 gives to no country."""
    return "ZZ" + draw.like(value[2:])


def bic(value: str, draw: Draw) -> str:
    """A bank identifier (ISO 9362) of ZZ, which ISO 3166-1 gives to no country."""
    return draw.like(value[:4]) + "ZZ" + draw.like(value[6:])


def mbi(value: str, draw: Draw) -> str:
    """A Medicare number whose second character is one of the letters that CMS leaves out: S, L, O, I, B, Z."""
    return draw.like(value[:1]) + draw.one("SLOIBZ") + draw.like(value[2:])


def card_expiry(value: str, draw: Draw) -> str:
    """Another month of another year, in the same digits."""
    digits = digits_of(value)
    return filled(value, f"{draw.below(12) + 1:02}" + digits[2:-2] + f"{draw.below(10) + 30}")


def coordinates(value: str, draw: Draw) -> str:
    """A place in the South Pacific, 40 to 49 south and 120 to 129 west, where there is no land."""
    match = _PAIR.fullmatch(value)
    if match is None:
        return draw.like(value)
    south, west = (
        f"-4{draw.digits(1)}.{draw.digits(len(match[1]))}",
        f"-12{draw.digits(1)}.{draw.digits(len(match[3]))}",
    )
    return south + match[2] + west


def postcode(value: str, draw: Draw) -> str:
    """ZZ99 is nowhere (ONS); no Chinese code begins with 00; the lowest ZIP code in use is 00501."""
    if re.fullmatch(r"[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}", value):
        return f"ZZ99 {draw.below(10)}{draw.one('ABDEFGHJLNPQRSTUWXYZ')}{draw.one('ABDEFGHJLNPQRSTUWXYZ')}"
    if re.fullmatch(r"\d{5}(?:-\d{4})?|\d{6}", value):
        return f"00{draw.below(500):03}" + draw.like(value[5:])
    return draw.like(value)


def account(value: str, draw: Draw) -> str:
    """An account of a service that people name by their mail address or telephone number."""
    if "@" in value:
        return email(value, draw)
    return phone(value, draw) if value.lstrip("+").isdecimal() else draw.like(value)


def token(value: str, draw: Draw) -> str:
    """A text of the same kinds of characters; hexadecimal digits stay such, and a number begins with 0."""
    if value.isdecimal():
        return number(value, draw)
    if len(value) < 12 or not _HEX.fullmatch(value):
        return draw.like(value)
    letters = "ABCDEF" if value.isupper() else "abcdef"
    return "".join(draw.one(letters) if one.isalpha() else draw.like(one) for one in value)
