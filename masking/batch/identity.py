"""What tells one run's settings from another's: fingerprints of categories and keys, never the things themselves."""

from __future__ import annotations

import dataclasses
import hmac
import os
from collections.abc import Iterator, Mapping, Set
from hashlib import sha256
from pathlib import Path
from typing import Any

from masking.core.context import Context
from masking.core.errors import ConfigurationError
from masking.core.pattern import Pattern
from masking.core.rule import Category, Rule
from masking.core.terms import Terms

__all__ = ["KEY_VARIABLE", "category_digest", "key_digest", "read_key"]

KEY_VARIABLE = "MASKING_KEY"
"""The environment variable that may hold the key."""

_LEAST = 16  # bytes
_NOT_MASKING = frozenset({"file", "line", "about", "origin", "hits", "misses", "known_gaps", "answer"})


def category_digest(category: Category) -> str:
    """SHA-256 of everything in a category's rules that decides what is found and what stands in its place."""
    digest = sha256()
    for piece in _pieces(category.rules):
        digest.update(piece.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()


def _pieces(value: Any) -> Iterator[str]:
    match value:
        case Pattern():
            yield from ("pattern", value.source, value.before, value.after)
        case Terms():
            yield from ("terms", *sorted(value.words))
        case Context():
            yield from ("context", *value.words, str(value.within), value.side, str(value.required), str(value.score))
        case Mapping():
            for key in sorted(value, key=str):
                yield str(key)
                yield from _pieces(value[key])
        case Set():
            yield from sorted(map(str, value))
        case list() | tuple():
            yield f"[{len(value)}"
            for item in value:
                yield from _pieces(item)
        case _ if dataclasses.is_dataclass(value):
            yield type(value).__name__
            for field in dataclasses.fields(value):
                if not (isinstance(value, Rule) and field.name in _NOT_MASKING):
                    yield field.name
                    yield from _pieces(getattr(value, field.name))
        case _ if callable(value):
            yield getattr(value, "__qualname__", type(value).__qualname__)
        case _:
            yield repr(value)


def key_digest(key: bytes) -> str:
    """What a manifest knows a key by: HMAC-SHA256 (RFC 2104) of a fixed text, its first 16 hex digits."""
    return hmac.digest(key, b"masking batch: which key this is", sha256).hex()[:16]


def read_key(file: Path | None) -> bytes:
    """The key in a file, or in the environment variable MASKING_KEY; empty where neither is given.

    A file's bytes are the key, without one newline at their end. Raises ConfigurationError for a file that cannot be
    read, and for fewer than 16 bytes.
    """
    if file is not None:
        try:
            key, where = file.read_bytes(), f"the key file {file}"
        except OSError as error:
            raise ConfigurationError(
                f"cannot read the key file {file}: {error.strerror}; `head -c 32 /dev/urandom > {file}` makes a key"
            ) from None
        key = key.removesuffix(b"\n").removesuffix(b"\r")
    else:
        key, where = os.environb.get(KEY_VARIABLE.encode(), b"") if hasattr(os, "environb") else b"", KEY_VARIABLE
        if not key:
            return b""
    if len(key) < _LEAST:
        raise ConfigurationError(f"{where} holds {len(key)} bytes; a key has at least {_LEAST}")
    return key
