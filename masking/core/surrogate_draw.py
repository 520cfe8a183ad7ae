"""Drawing that a secret determines: the same secret and label draw the same things, and nobody else can tell which."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from masking.core.operator_shape import DIGITS, type_true

__all__ = ["Draw", "digits_of", "filled", "fitted", "words"]


class Draw:
    """A stream of choices: HMAC-SHA256 in counter mode, keyed with the session's secret and a label.

    `dealt` counts up the values of small ranges: `number` is the how manieth value of its entity this is, and `turn`
    the how manieth fake of it is asked for.
    """

    __slots__ = ("_bytes", "_count", "_key", "_start", "number", "turn")

    def __init__(self, secret: bytes, entity: str, value: str, number: int) -> None:
        self._key = _mac(secret, b"value", entity.encode(), value.encode("utf-8", "surrogatepass"))
        self._start = int.from_bytes(_mac(secret, b"range", entity.encode()))
        self._bytes = b""
        self._count = 0
        self.number = number
        self.turn = 0

    def below(self, end: int) -> int:
        """A number from 0 up to `end`, which it never is."""
        if len(self._bytes) < 8:
            self._count += 1
            self._bytes = _mac(self._key, self._count.to_bytes(8))
        taken, self._bytes = self._bytes[:8], self._bytes[8:]
        return int.from_bytes(taken) % end

    def one(self, table: Sequence[str]) -> str:
        """One entry of a table, or one character of a text."""
        return table[self.below(len(table))]

    def digits(self, count: int) -> str:
        """So many decimal digits."""
        return "".join(self.one(DIGITS) for _ in range(count))

    def like(self, value: str) -> str:
        """A text of the same kinds of characters in the same places."""
        return type_true(value, self.one)

    def dealt(self, size: int) -> int:
        """A place in a small range: values take the places one after the other, so that none meets another early."""
        return (self._start + self.number + self.turn) % size


def digits_of(value: str) -> str:
    """The decimal digits in a text, those of full width and of other scripts as ASCII."""
    return "".join(str(int(one)) for one in value if one.isdecimal())


def filled(value: str, digits: str) -> str:
    """`value` with its digits replaced in order; just `digits` where their number is another."""
    if len(digits_of(value)) != len(digits):
        return digits
    rest = iter(digits)
    return "".join(next(rest) if one.isdecimal() else one for one in value)


def fitted(value: str, fake: str) -> str:
    """`value` with its letters and digits replaced in order; just `fake` where their number is another."""
    if sum(map(str.isalnum, value)) != len(fake):
        return fake
    rest = iter(fake)
    return "".join(next(rest) if one.isalnum() else one for one in value)


def words(text: str) -> tuple[str, ...]:
    """The words of a text, as a table to draw from."""
    return tuple(text.split())


def _mac(key: bytes, *parts: bytes) -> bytes:
    return hmac.digest(key, b"\0".join(parts), "sha256")
