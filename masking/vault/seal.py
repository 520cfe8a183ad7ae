"""Encryption of what a vault keeps: AES-256-GCM, keys that can be changed, and names that nobody can read.

    Keys.of_environment()        MASKING_VAULT_KEYS, or the file that MASKING_VAULT_KEYS_FILE names
    Keys.of_file(path)           one key a line: the first writes, all of them read

What is sealed: `1 byte form, 8 bytes key id, 12 bytes random nonce, ciphertext, 16 bytes tag`. The tag also covers the
record's kind, owner, name and version, so that no record can stand in another's place. Owner and name appear only as
HMAC-SHA256 under a key that the vault makes itself, kept sealed in it: they stay findable when keys change. Each owner
has an encryption key of its own, derived by HMAC-SHA256 (one block of HKDF-Expand, RFC 5869), so that random nonces
stay good for 2**32 writes of each owner (NIST SP 800-38D, section 8.3).

What sealing cannot do: whoever may write to the store can delete a record, or put back an older version of the same
record.
"""

from __future__ import annotations

import hmac
import json
import os
from base64 import b64decode, b64encode, urlsafe_b64decode
from binascii import Error as Base64Error
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from secrets import token_bytes
from threading import Lock
from typing import TYPE_CHECKING

import orjson

from masking.core.errors import ConfigurationError, SealError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["FILE_VARIABLE", "VARIABLE", "Keys", "Sealer", "new_key"]

VARIABLE = "MASKING_VAULT_KEYS"
FILE_VARIABLE = "MASKING_VAULT_KEYS_FILE"

_FORM = b"\x01"
_KEY = 32  # bytes: AES-256
_ID = 8
_NONCE = 12
_TAG = 16
_HEAD = 1 + _ID + _NONCE
_BLIND = 16  # bytes of a blind name
_CIPHERS = 4_096  # derived keys that are kept ready


def new_key() -> str:
    """A new key as it is written to a file or variable: 32 random bytes in base64."""
    return b64encode(token_bytes(_KEY)).decode("ascii")


class Keys:
    """Keys of 32 bytes: the first writes, all of them read. Its repr shows their ids alone."""

    def __init__(self, keys: Iterable[bytes]) -> None:
        """Raises ConfigurationError when there is none, or one has not 32 bytes."""
        given = list(keys)
        if not given:
            raise ConfigurationError("a vault needs at least one key; `masking vault key` makes one")
        for number, key in enumerate(given, 1):
            if len(key) != _KEY:
                raise ConfigurationError(
                    f"vault key {number} has {len(key)} bytes and not 32; `masking vault key` makes one"
                )
        self._keys = {key_id(key): key for key in given}
        self.writing = key_id(given[0])

    def __repr__(self) -> str:
        return f"Keys({', '.join(one.hex() for one in self._keys)})"

    @classmethod
    def parse(cls, text: str, where: str = "the vault's keys") -> Keys:
        """Keys in base64 or hex, separated by line ends, spaces or commas; lines that begin with # are remarks.

        Raises ConfigurationError, which never quotes a key.
        """
        lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
        words = " ".join(lines).replace(",", " ").split()
        if not words:
            raise ConfigurationError(f"{where}: no key there; `masking vault key` makes one")
        return cls(_decoded(word, f"{where}: key {number}") for number, word in enumerate(words, 1))

    @classmethod
    def of_file(cls, path: str | Path) -> Keys:
        """The keys in a file. Raises ConfigurationError."""
        try:
            text = Path(path).read_text("ascii")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text in ASCII"
            raise ConfigurationError(f"cannot read the vault's keys from {path}: {why}") from None
        return cls.parse(text, str(path))

    @classmethod
    def of_environment(cls) -> Keys:
        """The keys in MASKING_VAULT_KEYS, or in the file of MASKING_VAULT_KEYS_FILE. Raises ConfigurationError."""
        if os.environ.get(VARIABLE):
            return cls.parse(os.environ[VARIABLE], VARIABLE)
        if os.environ.get(FILE_VARIABLE):
            return cls.of_file(os.environ[FILE_VARIABLE])
        raise ConfigurationError(
            f"this vault is encrypted and needs a key: set {VARIABLE}, or {FILE_VARIABLE} to a file with one key a "
            "line; `masking vault key` makes one"
        )

    def get(self, ident: bytes) -> bytes:
        """The key with an id. Raises SealError when it is not here."""
        key = self._keys.get(ident)
        if key is None:
            here = ", ".join(one.hex() for one in self._keys)
            raise SealError(
                f"this was encrypted with the key {ident.hex()}, and the keys given are {here}: add the one that is "
                "missing"
            )
        return key


class Sealer:
    """Seals and opens the records of one vault; may be used from several threads."""

    def __init__(self, keys: Keys, wrapped: bytes | None = None) -> None:
        """`wrapped` is what the vault keeps from `wrapped()` of an earlier one; without it, this is a new vault.

        Raises SealError when none of the keys opens it.
        """
        self._keys = keys
        self._lock = Lock()
        self._ciphers: dict[tuple[bytes, bytes], AESGCM] = {}
        self._blind = token_bytes(_KEY)
        if wrapped is not None:
            self._blind = self.open(b"meta", b"", b"", 0, wrapped)

    def wrapped(self) -> bytes:
        """The key of names, sealed: for the vault to keep."""
        return self.seal(b"meta", b"", b"", 0, self._blind)

    def owner(self, owner: str) -> bytes:
        """What stands for an owner in the store: 16 bytes."""
        return hmac.digest(self._blind, b"owner\0" + owner.encode("utf-8", "surrogatepass"), sha256)[:_BLIND]

    def name(self, owner: bytes, name: str) -> bytes:
        """What stands for the name of an owner's session or entry: 16 bytes."""
        return hmac.digest(self._blind, b"name\0" + owner + name.encode("utf-8", "surrogatepass"), sha256)[:_BLIND]

    def seal(self, kind: bytes, owner: bytes, name: bytes, version: int, data: bytes) -> bytes:
        """`data` encrypted with the newest key, bound to kind, owner, name and version."""
        nonce = os.urandom(_NONCE)
        ident = self._keys.writing
        sealed = self._cipher(ident, owner).encrypt(nonce, data, _bound(kind, owner, name, version))
        return b"".join((_FORM, ident, nonce, sealed))

    def open(self, kind: bytes, owner: bytes, name: bytes, version: int, sealed: bytes) -> bytes:
        """What `seal` was given. Raises SealError for anything that it did not make for this place."""
        if len(sealed) < _HEAD + _TAG or sealed[:1] != _FORM:
            raise SealError("a record in the vault is no record of this program: somebody or something overwrote it")
        from cryptography.exceptions import InvalidTag

        cipher = self._cipher(sealed[1 : 1 + _ID], owner)
        try:
            return cipher.decrypt(sealed[1 + _ID : _HEAD], sealed[_HEAD:], _bound(kind, owner, name, version))
        except InvalidTag:
            raise SealError(
                "a record in the vault was altered, or belongs to another place: restore the vault from a copy, or "
                "delete the record"
            ) from None

    def is_newest(self, sealed: bytes) -> bool:
        """Whether the key that writes has sealed this."""
        return sealed[1 : 1 + _ID] == self._keys.writing

    def _cipher(self, ident: bytes, owner: bytes) -> AESGCM:
        cipher = self._ciphers.get((ident, owner))
        if cipher is None:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM

            derived = hmac.digest(self._keys.get(ident), b"masking vault owner\0" + owner + b"\x01", sha256)
            cipher = AESGCM(derived)
            with self._lock:
                if len(self._ciphers) >= _CIPHERS:
                    self._ciphers.clear()
                self._ciphers[ident, owner] = cipher
        return cipher


def key_id(key: bytes) -> bytes:
    """What tells keys apart without telling them: 8 bytes."""
    return hmac.digest(key, b"masking vault key id", sha256)[:_ID]


def dump(entries: Mapping[str, str]) -> bytes:
    """Entries as JSON."""
    try:
        return orjson.dumps(entries if type(entries) is dict else dict(entries))
    except TypeError:  # a lone surrogate, which a value may well have
        return json.dumps(dict(entries)).encode("ascii")


def read(data: bytes) -> dict[str, str]:
    """Entries from `dump`. Raises SealError when they are something else."""
    try:
        try:
            entries = orjson.loads(data)
        except orjson.JSONDecodeError:
            entries = json.loads(data)
    except ValueError:
        raise SealError("a record in the vault holds something that this program did not write") from None
    if not isinstance(entries, dict):
        raise SealError("a record in the vault holds something that this program did not write")
    return entries


def _bound(kind: bytes, owner: bytes, name: bytes, version: int) -> bytes:
    parts = (_FORM, kind, owner, name)
    return b"".join(len(part).to_bytes(2) + part for part in parts) + version.to_bytes(8)


def _decoded(word: str, where: str) -> bytes:
    try:
        if len(word) == 2 * _KEY:
            return bytes.fromhex(word)
        decode = urlsafe_b64decode if "-" in word or "_" in word else b64decode
        return decode(word + "=" * (-len(word) % 4))
    except (ValueError, Base64Error):
        raise ConfigurationError(f"{where} is neither base64 nor hex; `masking vault key` makes one") from None
