"""Entities in families, so that a page with eighty kinds of value needs few colours only."""

from __future__ import annotations

from functools import cache

__all__ = ["FAMILIES", "family"]

FAMILIES = {
    "identity": (
        "ID_CARD",
        "HK_ID",
        "TWID",
        "PASSPORT",
        "SSN",
        "NINO",
        "NHS",
        "PERMIT",
        "ITIN",
        "PESEL",
        "NIF",
        "FISCAL",
    ),
    "person": ("PERSON", "EMPLOYEE", "DRIVER"),
    "contact": ("PHONE", "EMAIL", "WECHAT", "QQ"),
    "place": ("ADDRESS", "LOCATION", "PLACE", "COORDINATES", "POSTCODE"),
    "money": ("CARD", "BANK", "IBAN", "ACCOUNT", "SWIFT", "ROUTING", "WALLET", "BITCOIN", "ETHEREUM", "ALIPAY", "SORT"),
    "secret": ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL", "COOKIE", "SESSION", "ONE_TIME_CODE", "JWT"),
    "health": ("DIAGNOSIS", "MEDICATION", "BLOOD", "MEDICAL", "HEALTH", "TEST_RESULT", "US_NPI", "US_DEA", "US_MBI"),
    "device": ("IP", "MAC", "IMEI", "IMSI", "ICCID", "DEVICE", "ADVERTISING", "LICENSE_PLATE"),
    "date": ("DATE",),
    "business": (
        "TAX",
        "VAT",
        "USCC",
        "LEI",
        "EIN",
        "BUSINESS",
        "INVOICE",
        "CONTRACT",
        "ORGANIZATION",
        "BRANCH",
        "CNAPS",
    ),
}
"""Family -> words of entity names, tried in this order."""


@cache
def family(entity: str) -> str:
    """The family of an entity, `other` for one that belongs to none."""
    words = f"_{entity}_"
    return next((name for name, known in FAMILIES.items() if any(f"_{word}_" in words for word in known)), "other")
