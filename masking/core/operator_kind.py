"""DMS's operators, one class each: its fields are the parameters, `build` makes it ready.

Names and meanings follow the masking algorithms of Alibaba Cloud DMS and, where DMS leaves details open, of its sister
product Data Security Center. Where a text is silent (an operator that would change nothing), the value is covered.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets as randomness
from collections.abc import Callable
from typing import Annotated, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from masking.core.errors import ConfigurationError
from masking.core.operator_cipher import Pair, Replace, aes_gcm, aes_siv, des, ff1
from masking.core.operator_date import ORDERS, Order, Unit, read_date
from masking.core.operator_secret import SecretOf, Secrets
from masking.core.operator_shape import DIGITS, LOWER, UPPER, table_of, type_true

__all__ = ["KINDS", "Kind"]

Built = tuple[Replace, Replace | None]
"""What replaces, and what undoes it where something can."""

_MASK: Final = "*"
_ANY: Final = "hex: and base64: write any bytes"
_Mask = Annotated[str, Field(min_length=1, max_length=64)]
# A number: what may stand before it, its integer part with separators of thousands, the rest.
_NUMBER: Final = re.compile(
    r"(?P<before>(?:[+\-−–(]|[^\w\s]|[A-Z]{3}|\s){0,6})(?P<whole>\d(?:[\d,' _\u00a0\u202f]*\d)?)(?:\.\d*)?"
    r"(?P<after>(?:[^\w\s]|[A-Z]{3}|\s|[元圆块角分万亿千百円%％]){0,6})"
)


class Kind(BaseModel):
    """The parameters of one operator."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)

    may_keep: ClassVar[bool] = False
    """Whether a value may come out unchanged: the operator says so by its name, or the value is as coarse already."""

    def build(self, secrets: Secrets) -> Built:
        """The operator with these parameters. Raises ConfigurationError when a secret is missing or unfit."""
        raise NotImplementedError


def _cover(length: int, mask: str) -> str:
    """One character is repeated, so that the length stays; a longer mask stands as it is."""
    return mask * length if len(mask) == 1 else mask


class _Default(Kind):
    mask: _Mask = _MASK

    def build(self, secrets: Secrets) -> Built:
        return lambda value, entity: _cover(len(value), self.mask), None


class _FixPos(Kind):
    from_: int | None = Field(default=None, alias="from", ge=1)
    to: int | None = Field(default=None, ge=1)
    positions: list[list[int]] | None = Field(default=None, min_length=1)
    mask: _Mask = _MASK

    @field_validator("positions")
    @classmethod
    def _pairs(cls, given: list[list[int]] | None) -> list[list[int]] | None:
        at = 0
        for pair in given or ():
            if len(pair) != 2 or not at < pair[0] <= pair[1]:
                raise ValueError("expected pairs such as [[1, 3], [8, 8]]: first and last, from 1, in order, apart")
            at = pair[1]
        return given

    @model_validator(mode="after")
    def _one_way(self) -> _FixPos:
        if (self.positions is None) == (self.from_ is None):
            raise ValueError("give either from (with or without to) or positions")
        if self.positions is not None and self.to is not None:
            raise ValueError("to belongs to from, not to positions")
        if self.from_ is not None and self.to is not None and self.to < self.from_:
            raise ValueError("to comes before from")
        return self

    def build(self, secrets: Secrets) -> Built:
        def replace(value: str, entity: str) -> str:
            pairs = self.positions or [[self.from_ or 1, self.to or len(value)]]
            masked = value
            for first, last in reversed(pairs):
                covered = value[first - 1 : last]
                if covered:
                    masked = masked[: first - 1] + _cover(len(covered), self.mask) + masked[first - 1 + len(covered) :]
            # A value too short to have these positions would leave in clear.
            return masked if masked != value else _cover(len(value), self.mask)

        return replace, None


class _FixChar(Kind):
    characters: str = Field(min_length=1)
    mask: _Mask = _MASK

    def build(self, secrets: Secrets) -> Built:
        chosen = frozenset(self.characters)

        def replace(value: str, entity: str) -> str:
            masked = "".join(self.mask if one in chosen else one for one in value)
            return masked if masked != value else _cover(len(value), self.mask)

        return replace, None


class _Hash(Kind):
    algorithm: ClassVar[str]
    salt: SecretOf | None = None

    def build(self, secrets: Secrets) -> Built:
        salt = b"" if self.salt is None else self.salt.read(secrets)

        def replace(value: str, entity: str) -> str:
            # Not for security: MD5 and SHA-1 are here because other systems have columns of them.
            return hashlib.new(self.algorithm, salt + _bytes(value), usedforsecurity=False).hexdigest()

        return replace, None


class _Md5(_Hash):
    algorithm: ClassVar[str] = "md5"


class _Sha1(_Hash):
    algorithm: ClassVar[str] = "sha1"


class _Sha256(_Hash):
    algorithm: ClassVar[str] = "sha256"


class _Hmac(Kind):
    key: SecretOf

    def build(self, secrets: Secrets) -> Built:
        key = self.key.read(secrets)
        if len(key) < 16:
            raise ConfigurationError(f"key: expected at least 16 bytes, not {len(key)}; a short one can be guessed")
        return lambda value, entity: hmac.new(key, _bytes(value), hashlib.sha256).hexdigest(), None


class _MapReplace(Kind):
    upper: str | None = None
    lower: str | None = None
    digits: str | None = None
    special: dict[str, str] | None = None

    @model_validator(mode="after")
    def _permutations(self) -> _MapReplace:
        for name, alphabet in (("upper", UPPER), ("lower", LOWER), ("digits", DIGITS)):
            table = getattr(self, name)
            if table is not None and (sorted(table) != sorted(alphabet) or table == alphabet):
                raise ValueError(
                    f"{name} is expected to have each of {alphabet} once, in another order: what the first becomes, "
                    "what the second becomes, ..."
                )
        special = self.special
        if special is not None and (
            any(len(one) != 1 for one in special) or sorted(special) != sorted(special.values()) or not special
        ):
            raise ValueError("special is expected to map single characters to each other, each once on either side")
        if all(table is None for table in (self.upper, self.lower, self.digits, special)):
            raise ValueError("give at least one of upper, lower, digits, special")
        return self

    def build(self, secrets: Secrets) -> Built:
        pairs = dict(self.special or {})
        for table, alphabet in ((self.upper, UPPER), (self.lower, LOWER), (self.digits, DIGITS)):
            pairs |= zip(alphabet, table or alphabet, strict=True)
        there = str.maketrans(pairs)
        back = str.maketrans({after: before for before, after in pairs.items()})
        return lambda value, entity: value.translate(there), lambda text, entity: text.translate(back)


class _Range(BaseModel):
    model_config = Kind.model_config
    min: int
    max: int

    @model_validator(mode="after")
    def _wide(self) -> _Range:
        if self.max <= self.min:
            raise ValueError("max is expected to be greater than min")
        return self


class _RandomReplace(Kind):
    values: list[str] | None = Field(default=None, min_length=2)
    range: _Range | None = None

    @model_validator(mode="after")
    def _one_way(self) -> _RandomReplace:
        if self.values is not None and self.range is not None:
            raise ValueError("give values or range, or neither for characters of the same kinds")
        if self.values is not None and len(set(self.values)) < 2:
            raise ValueError("values is expected to have at least two different texts")
        return self

    def build(self, secrets: Secrets) -> Built:
        draw: Callable[[str], str] = self._draw

        def replace(value: str, entity: str) -> str:
            if self.values is None and self.range is None and not any(map(table_of, value)):
                return _cover(len(value), _MASK)  # nothing but signs: none has a kind
            while (drawn := draw(value)) == value:
                pass
            return drawn

        return replace, None

    def _draw(self, value: str) -> str:
        if self.values is not None:
            return randomness.choice(self.values)
        if self.range is not None:
            return str(self.range.min + randomness.randbelow(self.range.max - self.range.min + 1))
        return type_true(value, randomness.choice)


class _NumberRounding(Kind):
    may_keep: ClassVar[bool] = True
    digit: int = Field(ge=1, le=19)

    def build(self, secrets: Secrets) -> Built:
        def replace(value: str, entity: str) -> str:
            number = _NUMBER.fullmatch(value)
            if number is None:
                return _cover(len(value), _MASK)
            whole = list(number["whole"])
            places = [place for place, one in enumerate(whole) if one.isdigit()]
            for place in places[max(0, len(places) - self.digit + 1) :]:
                whole[place] = "0"
            text = "".join(whole)
            if not any(one.isdigit() and int(one) for one in text):
                text = "0"
            return number["before"] + text + number["after"]

        return replace, None


class _DateRounding(Kind):
    may_keep: ClassVar[bool] = True
    unit: Unit
    order: Order | None = None

    def build(self, secrets: Secrets) -> Built:
        orders = ORDERS if self.order is None else (self.order,)

        def replace(value: str, entity: str) -> str:
            date = read_date(value, orders)
            return _cover(len(value), _MASK) if date is None else date.rounded(self.unit)

        return replace, None


class _StringTransform(Kind):
    shift: int = Field(ge=1)
    direction: Literal["left", "right"] = "right"

    def build(self, secrets: Secrets) -> Built:
        def turn(text: str, *, left: bool) -> str:
            # A whole turn would change nothing, so it becomes one step.
            steps = self.shift % len(text) or 1 if text else 0
            at = steps if left else len(text) - steps
            return text[at:] + text[:at]

        left = self.direction == "left"
        return lambda value, entity: turn(value, left=left), lambda text, entity: turn(text, left=not left)


class _Aes(Kind):
    key: SecretOf
    deterministic: bool = False

    def build(self, secrets: Secrets) -> Pair:
        key = self.key.read(secrets)
        lengths = (32, 48, 64) if self.deterministic else (16, 24, 32)
        if len(key) not in lengths:
            raise ConfigurationError(
                f"key: expected {', '.join(map(str, lengths))} bytes"
                f"{' with deterministic' if self.deterministic else ''}, not {len(key)}; {_ANY}"
            )
        return aes_siv(key) if self.deterministic else aes_gcm(key)


class _Des(Kind):
    key: SecretOf
    allow_broken: bool = False

    @model_validator(mode="after")
    def _meant(self) -> _Des:
        if not self.allow_broken:
            raise ValueError(
                "DES is broken within hours; use AES, or say allow_broken: true where a system insists on it"
            )
        return self

    def build(self, secrets: Secrets) -> Pair:
        key = self.key.read(secrets)
        if len(key) != 8:
            raise ConfigurationError(f"key: expected 8 bytes, not {len(key)}; {_ANY}")
        return des(key)


class _Ff1(Kind):
    key: SecretOf
    radix: int | None = Field(default=None, ge=2, le=36)
    alphabet: str | None = Field(default=None, min_length=2, max_length=65536)
    keep: str = " -./()+"
    tweak: SecretOf | None = None

    @model_validator(mode="after")
    def _one_way(self) -> _Ff1:
        if self.radix is not None and self.alphabet is not None:
            raise ValueError("give radix or alphabet, not both; without either, the digits are encrypted")
        if self.alphabet is not None and len(set(self.alphabet)) != len(self.alphabet):
            raise ValueError("alphabet is expected to have each character once")
        if set(self.alphabet or (DIGITS + LOWER)[: self.radix or 10]) & set(self.keep):
            raise ValueError("keep is expected to have no character of the alphabet")
        return self

    def build(self, secrets: Secrets) -> Pair:
        key = self.key.read(secrets)
        if len(key) not in (16, 24, 32):
            raise ConfigurationError(f"key: expected 16, 24 or 32 bytes, not {len(key)}; {_ANY}")
        alphabet = self.alphabet or (DIGITS + LOWER)[: self.radix or 10]
        return ff1(key, alphabet, self.keep, b"" if self.tweak is None else self.tweak.read(secrets))


class _Plaintext(Kind):
    may_keep: ClassVar[bool] = True

    def build(self, secrets: Secrets) -> Built:
        return lambda value, entity: value, lambda text, entity: text


def _bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


KINDS: Final[dict[str, type[Kind]]] = {
    "DEFAULT": _Default,
    "FIX_POS": _FixPos,
    "FIX_CHAR": _FixChar,
    "MD5": _Md5,
    "SHA1": _Sha1,
    "SHA256": _Sha256,
    "HMAC": _Hmac,
    "MAP_REPLACE": _MapReplace,
    "RANDOM_REPLACE": _RandomReplace,
    "NUMBER_ROUNDING": _NumberRounding,
    "DATE_ROUNDING": _DateRounding,
    "STRING_TRANSFORM": _StringTransform,
    "AES": _Aes,
    "DES": _Des,
    "FF1": _Ff1,
    "PLAINTEXT": _Plaintext,
}
"""Operators by the name that a rule writes."""
