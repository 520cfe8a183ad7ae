"""The checks behind the larger categories: wallets, registers, and what is a secret and what is code or prose."""

from __future__ import annotations

from hashlib import sha3_256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masking.core.check import check
from masking.core.credential import entropy
from masking.core.wallet import _keccak_256


def table(*rows: tuple[Any, str, bool, str]) -> list[Any]:
    return [pytest.param(spec, text, expected, id=why) for spec, text, expected, why in rows]


@pytest.mark.parametrize(
    ("spec", "text", "expected"),
    table(
        ("crypto.btc", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", True, "the address of Bitcoin's first block"),
        ("crypto.btc", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", False, "one character wrong"),
        ("crypto.btc", "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", True, "the example of BIP 173 in capitals"),
        ("crypto.btc", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kV8f3t4", False, "mixed case is no Bech32"),
        ("crypto.btc", "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0", True, "BIP 350, version 1"),
        ("crypto.eth", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359", True, "an example of ERC-55"),
        ("crypto.eth", "0xfb6916095ca1df60bB79Ce92cE3Ea74c37c5d359", False, "one letter in the wrong case"),
        ("crypto.eth", "0x" + "0" * 40, False, "the zero address is nobody's"),
        ("us.npi", "1234567893", True, "the example of the NPI standard"),
        ("us.npi", "1234567890", False, "a wrong check digit"),
        ("us.dea", "AB1234563", True, "1+3+5 and twice 2+4+6 give 33"),
        ("us.dea", "AB1234564", False, "a wrong DEA digit"),
        ("cn.organisation", "D2143569-X", True, "the example of GB 11714"),
        ("cn.organisation", "D2143569-1", False, "a wrong check character"),
        ("cn.business", "110105000000004", True, "area, number, check digit"),
        ("cn.business", "990105000000004", False, "no province has 99"),
        ("coordinates", "31.230416,121.473701", True, "Shanghai"),
        ("coordinates", "131.2,191.4", False, "outside the globe"),
        ({"stdnum": "eu.vat"}, "DE136695976", True, "python-stdnum by name"),
        ({"stdnum": "eu.vat"}, "DE136695977", False, "what python-stdnum refuses"),
        ({"entropy": 3}, "aaaaaaaabbbb", False, "two letters are not random"),
        ({"entropy": 3}, "q7Xv2Lm9Tz4K", True, "twelve different characters are"),
        ("secret", "sk-xxxxxxxxxxxxxxxxxxxx", False, "a manual's key"),
        ("secret", "AKIAIOSFODNN7EXAMPLE", False, "a vendor's example"),
        ("secret", "ghp_Fake0Fake0Fake0", True, "an invented key looks like one"),
        ("secret.jwt", "eyJhbGciOiJub25lIn0.eyJmYWtlIjowfQ.x", True, "a header with alg"),
        ("secret.jwt", "eyJmYWtlIjowfQ.eyJmYWtlIjowfQ.x", False, "JSON, but no header"),
        ("secret.pem", "-----BEGIN PRIVATE KEY-----\nFAKEfakeFAKE\n-----END PRIVATE KEY-----", True, "an armoured key"),
        ("secret.pem", "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----", False, "an elided key"),
        ("secret.url", "postgres://app:Fake0@db/prod", True, "a connection string"),
        ("secret.url", "postgres://user:password@db/prod", False, "the manual's connection string"),
        ("secret.url", "http://example.com:80/@me", False, "a port is no password"),
        ("secret.password", "P@ssw0rd!2024", True, "letters, digits, signs"),
        ("secret.password", "123456", True, "six digits"),
        ("secret.password", "8-16", False, "a range of lengths"),
        ("secret.password", "required", False, "a word of a sentence"),
        ("secret.password", "os.environ['KEY1']", False, "code that is indexed"),
        ("secret.password", "settings.DB1.PASSWORD", False, "code with dots"),
        ("secret.password", "SHA256", False, "a term of the trade"),
        ("secret.password", "${DB_PASSWORD1}", False, "a variable"),
        ("secret.word", "swordfish", True, "letters only, where a program assigns them"),
        ("secret.word", "string", False, "a type"),
        ("secret.random", "user:profile:2023:v1", False, "words and numbers joined"),
        ("secret.random", "k3y-9f27d2491c3e", True, "a run that mixes both"),
    ),
)
def test_a_check_accepts(spec: Any, text: str, expected: bool) -> None:
    assert check(spec)(text) is expected


@given(st.binary(max_size=300))
def test_keccak_differs_from_sha3_only_by_its_padding(message: bytes) -> None:
    """The permutation is that of FIPS 202; Ethereum's digest of nothing is known from its yellow paper."""
    assert _keccak_256(message) != sha3_256(message).digest()
    assert len(_keccak_256(message)) == 32


def test_keccak_of_nothing_and_of_more_than_one_block_is_the_published_one() -> None:
    assert _keccak_256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert _keccak_256(b"a" * 200) != _keccak_256(b"a" * 201)


@given(st.text(min_size=1, max_size=80))
def test_entropy_lies_between_nothing_and_all_characters_different(text: str) -> None:
    assert 0 <= entropy(text) <= len(text).bit_length()
