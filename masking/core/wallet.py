"""Addresses of cryptocurrency wallets, as their own check digits confirm them: Bitcoin and Ethereum.

Own arithmetic of a few lines each, because neither a library of wallets nor its native code is worth a dependency.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final

__all__ = ["is_bitcoin", "is_ethereum"]

_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32_END, _BECH32M_END = 1, 0x2BC830A3
_LEGACY_VERSIONS: Final = frozenset({0x00, 0x05, 0x6F, 0xC4})  # P2PKH and P2SH, main network and test network

_LANES: Final = 25
_WORD: Final = (1 << 64) - 1
_RATE: Final = 136  # bytes, for a digest of 256 bits


def is_bitcoin(text: str) -> bool:
    """A Bitcoin address: Base58Check (version byte, double SHA-256), or Bech32 and Bech32m by BIP 173 and BIP 350."""
    if text[:3].lower() in {"bc1", "tb1"}:
        return _is_segwit(text)
    number = 0
    for character in text:
        value = _BASE58.find(character)
        if value < 0:
            return False
        number = number * 58 + value
    if number.bit_length() > 200 or not 26 <= len(text) <= 35:
        return False
    raw = number.to_bytes(25, "big")
    return raw[0] in _LEGACY_VERSIONS and sha256(sha256(raw[:21]).digest()).digest()[:4] == raw[21:]


def _is_segwit(text: str) -> bool:
    if text not in (text.lower(), text.upper()) or not 14 <= len(text) <= 90:
        return False
    prefix, _, data = text.lower().rpartition("1")
    values = [_BECH32.find(character) for character in data]
    if min(values) < 0 or len(values) < 8:
        return False
    expanded = [*(ord(character) >> 5 for character in prefix), 0, *(ord(character) & 31 for character in prefix)]
    return _polymod([*expanded, *values]) == (_BECH32_END if values[0] == 0 else _BECH32M_END)


def _polymod(values: Iterable[int]) -> int:
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATOR):
            checksum ^= generator if top >> bit & 1 else 0
    return checksum


def is_ethereum(text: str) -> bool:
    """An Ethereum address: 0x and 40 hexadecimal digits, in one case or in the mixed case that ERC-55 asks for."""
    digits = text[2:]
    if text[:2] != "0x" or len(digits) != 40 or len(set(digits.lower())) < 6:
        return False
    if digits in (digits.lower(), digits.upper()):
        return True
    digest = _keccak_256(digits.lower().encode("ascii", "replace")).hex()
    return all(
        not digit.isalpha() or digit.isupper() == (nibble >= "8") for digit, nibble in zip(digits, digest, strict=False)
    )


def _keccak_256(message: bytes) -> bytes:
    """Keccak with the padding of 2011 (0x01), which Ethereum uses; hashlib has only the padding of FIPS 202."""
    padded = bytearray(message) + b"\x01" + bytes(-(len(message) + 1) % _RATE)
    padded[-1] |= 0x80
    state = [0] * _LANES
    for start in range(0, len(padded), _RATE):
        for lane in range(_RATE // 8):
            state[lane] ^= int.from_bytes(padded[start + lane * 8 : start + lane * 8 + 8], "little")
        state = _keccak_f(state)
    return b"".join(lane.to_bytes(8, "little") for lane in state[:4])


def _keccak_f(state: Sequence[int]) -> list[int]:
    """The permutation Keccak-f[1600] of FIPS 202 section 3; lane (x, y) stands at x + 5 y."""
    lanes = list(state)
    feedback = 1
    for _ in range(24):
        columns = [lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20] for x in range(5)]
        for i in range(_LANES):
            lanes[i] ^= columns[(i + 4) % 5] ^ _rotated(columns[(i + 1) % 5], 1)
        x, y, moving = 1, 0, lanes[1]
        for step in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            moving, lanes[x + 5 * y] = lanes[x + 5 * y], _rotated(moving, (step + 1) * (step + 2) // 2)
        for row in range(0, _LANES, 5):
            kept = lanes[row : row + 5]
            for x in range(5):
                lanes[row + x] = kept[x] ^ ~kept[(x + 1) % 5] & _WORD & kept[(x + 2) % 5]
        for power in range(7):
            if feedback & 1:
                lanes[0] ^= 1 << ((1 << power) - 1)
            feedback = feedback << 1 ^ (0x171 if feedback & 0x80 else 0)
    return lanes


def _rotated(lane: int, by: int) -> int:
    by %= 64
    return (lane << by | lane >> (64 - by)) & _WORD
