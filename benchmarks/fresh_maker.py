"""Draws the values of fresh labelled texts; what all languages share, and secrets."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, ClassVar

__all__ = ["FOLDER", "Maker", "Part", "Secrets"]

FOLDER = Path(__file__).resolve().parent / "fresh_words"

Part = tuple[str, str | None]
"""A piece of a text and its label."""


class Maker:
    """Draws values; a method per slot gives the text, `LABELS` its label, or the method gives labelled parts."""

    WORDS: ClassVar[str]
    LABELS: ClassVar[dict[str, str]]

    def __init__(self, draw: Random) -> None:
        self.draw = draw
        self.unlabelled: set[str] = set()
        raw: dict[str, str] = json.loads((FOLDER / self.WORDS).read_text("utf-8"))
        self.words = {key: value.split("|") if "|" in value else value.split() for key, value in raw.items()}

    def one(self, key: str) -> str:
        """A word of a list."""
        return self.draw.choice(self.words[key])

    def some(self, count: int, letters: str = string.digits) -> str:
        """So many letters."""
        return "".join(self.draw.choice(letters) for _ in range(count))

    def parts(self, slot: str) -> list[Part]:
        """The labelled parts that fill a slot; an unknown one stays as it is written."""
        method: Callable[[], Any] | None = getattr(self, f"of_{slot}", None)
        if method is None:
            label = None if slot in self.unlabelled else self.LABELS.get(slot)
            return [(self.one(slot), label)] if slot in self.words else [(f"{{{slot}}}", None)]
        made = method()
        return made if isinstance(made, list) else [(made, self.LABELS.get(slot))]

    def luhn(self, head: str, size: int) -> str:
        """A number with Luhn's check digit."""
        body = head + self.some(size - len(head) - 1)
        total = sum(
            (2 * int(digit) - 9 * (int(digit) > 4)) if at % 2 == 0 else int(digit)
            for at, digit in enumerate(reversed(body))
        )
        return body + str(-total % 10)

    def of_ip(self) -> str:
        return ".".join(str(self.draw.randint(11, 120)) for _ in range(4))

    def of_email(self) -> str:
        local = self.draw.choice(("{}.{}", "{}_{}", "{}{}")).format(
            self.some(self.draw.randint(3, 7), string.ascii_lowercase), self.some(self.draw.randint(2, 4))
        )
        return f"{local}@{self.one('mail_host')}"


class Secrets(Maker):
    WORDS = "secret_kinds.json"
    LABELS: ClassVar = dict.fromkeys(
        [
            "key",
            "password",
            "password_plain",
            "password_url",
            "aws_secret",
            "ali_secret",
            "pem",
            "hex32",
            "hex40",
            "alnum32",
        ],
        "SECRET",
    )
    ALPHABETS: ClassVar = {
        "w": string.ascii_letters + string.digits + "-_",
        "a": string.ascii_letters + string.digits,
        "l": string.ascii_letters,
        "h": "0123456789abcdef",
        "d": string.digits,
        "u": string.ascii_uppercase + string.digits,
        "b": "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
        "s": string.ascii_letters + string.digits + "+/",
        "g": "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L",
    }

    def of_key(self) -> str:
        form = self.one(self.draw.choice(sorted(self.words)))
        drawn = re.sub(r"\{([a-z])(\d+)\}", lambda found: self.some(int(found[2]), self.ALPHABETS[found[1]]), form)
        return drawn[:-1] + "k" if drawn[-1] in "-_" else drawn

    def of_password(self) -> str:
        word = self.draw.choice(("Tulip", "harbor", "Zx", "MountK2", "qwer", "Lan", "sunny"))
        return (
            word
            + self.draw.choice("!@#$%&*_-.")
            + self.some(self.draw.randint(3, 6))
            + self.draw.choice(("", "Qz", "Aa", "kk"))
        )

    def of_password_plain(self) -> str:
        return self.some(10, string.ascii_letters + string.digits)

    def of_password_url(self) -> str:
        return self.some(14, string.ascii_letters + string.digits)

    def of_db_url(self) -> list[Part]:
        scheme = self.draw.choice(("postgresql", "mysql", "mongodb+srv", "redis", "amqp"))
        return [
            (f"{scheme}://app:", None),
            (self.of_password_url(), "SECRET"),
            ("@db.example.internal:5432/shop", None),
        ]

    def of_aws_secret(self) -> str:
        return self.some(39, self.ALPHABETS["s"]) + "k"

    def of_ali_secret(self) -> str:
        return self.some(30, self.ALPHABETS["a"])

    def of_pem(self) -> str:
        lines = "\n".join(self.some(64, self.ALPHABETS["s"]) for _ in range(4))
        return f"-----BEGIN RSA PRIVATE KEY-----\n{lines}\n-----END RSA PRIVATE KEY-----"

    def of_hex32(self) -> str:
        return self.some(32, self.ALPHABETS["h"])

    def of_hex40(self) -> str:
        return self.some(40, self.ALPHABETS["h"])

    def of_alnum32(self) -> str:
        return self.some(32, self.ALPHABETS["a"])
