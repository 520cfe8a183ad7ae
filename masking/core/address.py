"""Network addresses that can be a host's: no loopback, no mask, no version number, no name in code."""

from __future__ import annotations

import ipaddress
from typing import Final

__all__ = ["IPV6_NEEDS", "is_ipv4", "is_ipv6"]

IPV6_NEEDS: Final = "::|(?:[0-9A-Fa-f]{1,4}:){6}"
"""A pattern that stands in every text which `is_ipv6` confirms, and in no time of day."""

_MOST: Final = 255


def is_ipv4(text: str) -> bool:
    """An address that can be a host's: no loopback, no mask, and not a version such as 2.0.1.5 or 120.0.0.0."""
    parts = text.split(".")
    if len(parts) != 4 or not text.isascii():
        return False
    for part in parts:
        if not part.isdigit() or len(part) > 3 or (part[0] == "0" and part != "0"):
            return False
    first, second, third, fourth = map(int, parts)
    largest = max(first, second, third, fourth)
    return 9 < largest <= _MOST and first not in {0, 127, 255} and (third != 0 or fourth != 0)


def is_ipv6(text: str) -> bool:
    """An address by RFC 4291 that can be a host's; `::1`, `a::b` in code and hardware addresses do not count."""
    if "::" not in text and text.count(":") < 6:
        return False
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        return False
    groups = [group for group in text.split(":") if group]
    if address.is_loopback or all(len(group) == 2 for group in groups):
        return False
    routed = len(groups) > 1 and len(groups[0]) == 4 and any(map(str.isdigit, groups[0]))
    return routed or (len(groups) > 2 and any(map(str.isdigit, text)))
