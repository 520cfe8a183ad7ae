"""Numbers that registers issue to firms, physicians and places, as their check digits confirm them.

Each is a plain function of the matched text that never raises; `masking.core.check` gives it its name for rules.
"""

from __future__ import annotations

import re

__all__ = ["is_cn_business", "is_cn_organisation", "is_coordinates", "is_us_dea", "is_us_npi"]


def is_cn_business(text: str) -> bool:
    """A number of a business licence before 2015: 15 digits, GB/T 2260 area, check digit ISO 7064 MOD 11,10."""
    if len(text) != 15 or not text.isascii() or not text.isdigit() or not "10" <= text[:2] <= "83":
        return False
    from stdnum.iso7064 import mod_11_10

    return bool(mod_11_10.is_valid(text))


def is_cn_organisation(text: str) -> bool:
    """An organisation code: GB 11714-1997, eight characters, a hyphen or none, a check character MOD 11."""
    code = text.replace("-", "").upper()
    if len(code) != 9 or not code.isascii() or not code.isalnum() or len(set(code)) < 3:
        return False
    total = sum(int(c, 36) * weight for c, weight in zip(code[:8], (3, 7, 9, 10, 5, 8, 4, 2), strict=True))
    return "0123456789X0"[(11 - total % 11)] == code[8]


def is_us_dea(text: str) -> bool:
    """A registration number of the US Drug Enforcement Administration: two letters, seven digits, the last a check."""
    digits = text[2:]
    if len(text) != 9 or not digits.isascii() or not digits.isdigit():
        return False
    odd, even = (sum(int(digit) for digit in digits[start:6:2]) for start in (0, 1))
    return (odd + 2 * even) % 10 == int(digits[6])


def is_us_npi(text: str) -> bool:
    """A national provider identifier: ten digits from 1 or 2, Luhn with the issuer prefix 80840 before them."""
    if len(text) != 10 or not text.isascii() or not text.isdigit() or text[0] not in "12":
        return False
    from stdnum import luhn

    return bool(luhn.is_valid("80840" + text))


def is_coordinates(text: str) -> bool:
    """Latitude and longitude in degrees (either order): the one within 90, the other within 180, not both whole."""
    if "°" in text:
        return all(float(degrees) <= 180 for degrees in re.findall(r"(\d{1,3}(?:\.\d+)?)°", text))
    numbers = re.findall(r"-?\d{1,3}(?:\.\d+)?", text)
    if len(numbers) != 2:
        return False
    small, large = sorted(abs(float(number)) for number in numbers)
    return small <= 90 and large <= 180 and (small, large) != (0, 0)
