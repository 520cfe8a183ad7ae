"""The operator `surrogate`: a fake of the same shape that belongs to nobody, where placeholders confuse a model.

Fakes are plain strings of at least four characters. A session remembers which stands for which, so the same value keeps
its fake and the answer can be restored; what is asked of it is said at `surrogate`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

from masking.core.errors import UnmaskableError
from masking.core.operator_shape import LOWER, table_of
from masking.core.surrogate_code import (
    account,
    bic,
    card_expiry,
    coordinates,
    led,
    mbi,
    postcode,
    taxpayer,
    token,
    vat_number,
)
from masking.core.surrogate_draw import Draw
from masking.core.surrogate_name import address, email, organisation, person, place, url
from masking.core.surrogate_number import (
    card,
    credit_code,
    date,
    hardware_address,
    iban,
    imei,
    internet_address,
    nhs_number,
    nino,
    number,
    passport,
    phone,
    plate,
    resident_id,
    social_security,
    wrong,
)

__all__ = ["LEAST", "fake", "surrogate"]

LEAST: Final = 4
"""Characters that a fake has at least: a shorter one would be found by chance in an answer."""

_TRIES: Final = 1000

_MAKERS: Final[dict[str, Callable[[str, Draw], str]]] = {
    "ADDRESS": address,
    "ALIPAY_ID": account,
    "BANK_ACCOUNT": card,
    "BANK_CARD": card,
    "BUSINESS_ID": taxpayer,
    "CARD_EXPIRY": card_expiry,
    "COORDINATES": coordinates,
    "CREDIT_CARD": card,
    "DATE": date,
    "DATE_OF_BIRTH": date,
    "DATE_TIME": date,
    "DRIVER_LICENSE": resident_id,
    "EMAIL_ADDRESS": email,
    "ES_NIF": wrong("(es.nif)"),
    "EU_VAT": vat_number,
    "HK_ID": wrong("hk.id"),
    "IBAN": iban,
    "IBAN_CODE": iban,
    "ICCID": led("0"),
    "ID_CARD": resident_id,
    "IMEI": imei,
    "IMSI": led("00101"),
    "IP_ADDRESS": internet_address,
    "IT_FISCAL_CODE": wrong("(it.codicefiscale)"),
    "LEI": wrong("(lei)"),
    "LICENSE_PLATE": plate,
    "LOCATION": place,
    "MAC_ADDRESS": hardware_address,
    "ORGANIZATION": organisation,
    "PASSPORT": passport,
    "PERSON": person,
    "PHONE_NUMBER": phone,
    "PL_PESEL": wrong("(pl.pesel)"),
    "POSTCODE": postcode,
    "QQ_NUMBER": number,
    "ROUTING_NUMBER": led("9"),
    "SWIFT_BIC": bic,
    "TAX_ID": taxpayer,
    "TWID": wrong("tw.id"),
    "UK_NHS": nhs_number,
    "UK_NINO": nino,
    "URL": url,
    "US_DEA": wrong("us.dea"),
    "US_EIN": led("00"),
    "US_MBI": mbi,
    "US_NPI": led("0"),
    "US_ITIN": social_security,
    "US_SSN": social_security,
    "USCC": credit_code,
}


def surrogate(value: str, entity: str, number: int, secret: bytes) -> Iterator[str]:
    """Fakes for one value, the best first, at most a thousand: the caller takes the first that is not taken.

    Which they are is determined by the arguments: `secret` belongs to the session (at least 16 bytes), `number` is the
    how manieth different value of this entity it is, from 1. No fake equals the value, is held in it, or holds it
    (but for values of two or three ASCII characters). Entities that are not known get a text of the same kinds of
    characters.
    """
    draw = Draw(secret, entity, value, number)
    make = _MAKERS.get(entity, token) if any(map(table_of, value)) else _letters
    seen: set[str] = set()
    for turn in range(_TRIES):
        draw.turn = turn
        made = _long_enough(make(value, draw), draw)
        if made not in seen and not _tells(made, value):
            seen.add(made)
            yield made


def fake(value: str, entity: str, number: int, secret: bytes, taken: Callable[[str], bool]) -> str:
    """The first surrogate that is not taken. Raises UnmaskableError when all are: the shape has too few."""
    for one in surrogate(value, entity, number, secret):
        if not taken(one):
            return one
    raise UnmaskableError(
        f"no surrogate is left for another {entity}: its shape has too few; use a placeholder for this rule"
    )


def _letters(value: str, draw: Draw) -> str:
    """For a value of nothing but signs, which have no kind."""
    return "".join(draw.one(LOWER) for _ in range(max(len(value), 8)))


def _long_enough(made: str, draw: Draw) -> str:
    if len(made) >= LEAST:
        return made
    kinds = [one for one in made if table_of(one)] or ["a"]
    return made + "".join(draw.like(one) for one in islice(kinds * LEAST, LEAST - len(made)))


def _tells(made: str, value: str) -> bool:
    ours, theirs = made.casefold(), value.casefold()
    # 欧阳安宁 tells of 安宁; that two digits or letters occur in a fake tells nothing.
    telling = len(theirs) >= LEAST or (len(theirs) > 1 and not theirs.isascii())
    return ours == theirs or (telling and theirs in ours) or ours in theirs
