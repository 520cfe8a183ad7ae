"""Encryption of single values: AES, DES for those who must, and format-preserving FF1; all undone with the key.

Keys are bytes here; where they are written is the business of masking/core/operator.py.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from masking.core.errors import ConfigurationError, RestoreError, UnmaskableError

if TYPE_CHECKING:
    from ffx import FF1

__all__ = ["Pair", "Replace", "aes_gcm", "aes_siv", "des", "ff1"]

Replace = Callable[[str, str], str]
"""(value, entity) -> what takes its place."""

Pair = tuple[Replace, Replace]
"""What encrypts and what decrypts."""

_NONCE: Final = 12  # bytes; NIST SP 800-38D section 8.2.1 recommends 96 bits
_LEAST_DOMAIN: Final = 1_000_000  # NIST SP 800-38G Rev. 1 (draft), requirement on radix ** length


def aes_gcm(key: bytes) -> Pair:
    """AES-GCM (NIST SP 800-38D) with a random nonce: the same value gives another text each time.

    The entity is authenticated with the value, so a text that was moved to another place does not decrypt there.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    cipher = AESGCM(key)

    def encrypt(value: str, entity: str) -> str:
        nonce = secrets.token_bytes(_NONCE)
        return _text(nonce + cipher.encrypt(nonce, _bytes(value), entity.encode()))

    def decrypt(text: str, entity: str) -> str:
        sealed = _sealed("AES", text, entity)
        return _opened("AES", entity, lambda: cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], entity.encode()))

    return encrypt, decrypt


def aes_siv(key: bytes) -> Pair:
    """AES-SIV (RFC 5297) without a nonce: the same value of the same entity gives the same text; nothing else shows.

    `key` is two AES keys of the same length, one behind the other.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

    cipher = AESSIV(key)

    def encrypt(value: str, entity: str) -> str:
        return _text(cipher.encrypt(_bytes(value), [entity.encode()]))

    def decrypt(text: str, entity: str) -> str:
        sealed = _sealed("AES", text, entity)
        return _opened("AES", entity, lambda: cipher.decrypt(sealed, [entity.encode()]))

    return encrypt, decrypt


def des(key: bytes) -> Pair:
    """DES (FIPS 46-3, withdrawn in 2005), CBC, random vector: 56 bits, which trying finds; no authentication.

    Nothing binds the entity: DES has no place for it.
    """
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
    from cryptography.hazmat.primitives.ciphers import Cipher, modes
    from cryptography.hazmat.primitives.padding import PKCS7

    # Triple DES with one key three times is DES; the library has no other.
    block = TripleDES(key * 3)

    def encrypt(value: str, entity: str) -> str:
        vector = secrets.token_bytes(8)
        padder = PKCS7(64).padder()
        cipher = Cipher(block, modes.CBC(vector)).encryptor()
        return _text(vector + cipher.update(padder.update(_bytes(value)) + padder.finalize()) + cipher.finalize())

    def decrypt(text: str, entity: str) -> str:
        sealed = _sealed("DES", text, entity)

        def opened() -> bytes:
            cipher = Cipher(block, modes.CBC(sealed[:8])).decryptor()
            padder = PKCS7(64).unpadder()
            return padder.update(cipher.update(sealed[8:]) + cipher.finalize()) + padder.finalize()

        return _opened("DES", entity, opened)

    return encrypt, decrypt


def ff1(key: bytes, alphabet: str, keep: str, tweak: bytes) -> Pair:
    """FF1 (NIST SP 800-38G): the characters of `alphabet` become others of it, those in `keep` stay in their places.

    Raises ConfigurationError when the extra is not installed. What it makes raises UnmaskableError for a value with
    other characters, or with fewer than a domain of a million needs.
    """
    try:
        from ffx import FF1
    except ImportError:
        raise ConfigurationError("operator FF1 needs the extra fpe: pip install 'masking-pipeline[fpe]'") from None
    cipher = FF1(key, alphabet=alphabet)
    least = 2
    while len(alphabet) ** least < _LEAST_DOMAIN:
        least += 1
    numerals = frozenset(alphabet)

    def both(function: Callable[[FF1, str], str]) -> Replace:
        def replace(value: str, entity: str) -> str:
            message = "".join(one for one in value if one in numerals)
            if any(one not in numerals and one not in keep for one in value):
                raise UnmaskableError(
                    f"operator FF1: a {entity} has characters that are neither in the alphabet nor in keep; add them "
                    "to one of the two, or choose another operator"
                )
            if len(message) < least:
                raise UnmaskableError(
                    f"operator FF1: a {entity} has {len(message)} characters of the alphabet; {least} are needed for a "
                    "domain of a million values. Choose another operator for such values"
                )
            written = iter(function(cipher, message))
            return "".join(next(written) if one in numerals else one for one in value)

        return replace

    return both(lambda one, text: one.encrypt(text, tweak=tweak)), both(
        lambda one, text: one.decrypt(text, tweak=tweak)
    )


def _bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


def _text(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode("ascii")


def _sealed(name: str, text: str, entity: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _foreign(name, entity) from None


def _opened(name: str, entity: str, open_: Callable[[], bytes]) -> str:
    try:
        return open_().decode("utf-8", "surrogatepass")
    except Exception:  # noqa: BLE001 - whatever the library says of it, the text is not one that this key wrote
        raise _foreign(name, entity) from None


def _foreign(name: str, entity: str) -> RestoreError:
    return RestoreError(
        f"operator {name}: this is no {entity} that was encrypted with this key; use the key and the entity that it "
        "was encrypted with"
    )
