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
    "BANK_ACCOUNT": card,
    "BANK_CARD": card,
    "CREDIT_CARD": card,
    "DATE": date,
    "DATE_OF_BIRTH": date,
    "DATE_TIME": date,
    "DRIVER_LICENSE": resident_id,
    "EMAIL_ADDRESS": email,
    "ES_NIF": wrong("(es.nif)"),
    "HK_ID": wrong("hk.id"),
    "IBAN": iban,
    "IBAN_CODE": iban,
    "ID_CARD": resident_id,
    "IMEI": imei,
    "IP_ADDRESS": internet_address,
    "IT_FISCAL_CODE": wrong("(it.codicefiscale)"),
    "LICENSE_PLATE": plate,
    "LOCATION": place,
    "MAC_ADDRESS": hardware_address,
    "ORGANIZATION": organisation,
    "PASSPORT": passport,
    "PERSON": person,
    "PHONE_NUMBER": phone,
    "PL_PESEL": wrong("(pl.pesel)"),
    "QQ_ID": number,
    "TW_ID": wrong("tw.id"),
    "UK_NHS": nhs_number,
    "UK_NINO": nino,
    "URL": url,
    "US_ITIN": social_security,
    "US_SSN": social_security,
    "USCC": credit_code,
}


def surrogate(value: str, entity: str, number: int, secret: bytes) -> Iterator[str]:
    """Fakes for one value, the best first, at most a thousand: the caller takes the first that is not taken.

    Which they are is determined by the arguments: `secret` belongs to the session (at least 16 bytes), `number` is the
    how manieth different value of this entity it is, from 1. No fake equals the value, holds it or is held in it.
    Entities that are not known get a text of the same kinds of characters.
    """
    draw = Draw(secret, entity, value, number)
    make = _MAKERS.get(entity, _alike)
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


def _alike(value: str, draw: Draw) -> str:
    if value.isdecimal():
        return number(value, draw)
    if not any(map(table_of, value)):
        return "".join(draw.one(LOWER) for _ in range(max(len(value), 8)))
    return draw.like(value)


def _long_enough(made: str, draw: Draw) -> str:
    if len(made) >= LEAST:
        return made
    kinds = [one for one in made if table_of(one)] or ["a"]
    return made + "".join(draw.like(one) for one in islice(kinds * LEAST, LEAST - len(made)))


def _tells(made: str, value: str) -> bool:
    ours, theirs = made.casefold(), value.casefold()
    return ours == theirs or (len(theirs) > 1 and theirs in ours) or ours in theirs
