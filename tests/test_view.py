"""The normalised view: what rules see, and the way back to the text that was given."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masking.core.view import View


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        pytest.param("", "", id="empty"),
        pytest.param("plain 123", "plain 123", id="ASCII stays"),
        pytest.param("电话１３８", "电话138", id="full-width digits"),
        pytest.param("ａ＠ｂ．ｃｏｍ", "a@b.com", id="full-width letters and signs"),
        pytest.param("138\u200b0013\ufeff8000", "13800138000", id="zero-width characters go"),
        pytest.param("138\u30000013", "138 0013", id="ideographic space"),
        pytest.param("138\u20110013\u22128000", "138-0013-8000", id="typographic hyphens"),
        pytest.param("😀王\ud800", "😀王\ud800", id="emoji and lone surrogates stay"),
    ],
)
def test_rules_see_the_normalised_text(text: str, seen: str) -> None:
    assert View(text).text == seen


def _slow_twin(text: str) -> list[tuple[str, int]]:
    """Character by character: what is seen, and where it stood."""
    seen = []
    for at, character in enumerate(text):
        one = View(character).text
        if one:
            seen.append((one, at))
    return seen


mixed = st.text(st.one_of(st.characters(), st.sampled_from("１２３ａ\u200b\ufeff\u3000－王😀\ud83d1a ")), max_size=40)


@given(mixed)
def test_a_view_is_its_characters_views_joined(text: str) -> None:
    twin = _slow_twin(text)
    view = View(text)

    assert view.text == "".join(character for character, _ in twin)
    for at, (_, original) in enumerate(twin):
        assert view.original(at, at + 1) == (original, original + 1)


@given(mixed)
def test_the_image_has_one_byte_a_character_and_keeps_ascii(text: str) -> None:
    view = View(text)

    assert len(view.image) == len(view.text)
    for character, byte in zip(view.text, view.image, strict=True):
        assert byte == (ord(character) if character.isascii() else 0x1A)


@given(mixed)
def test_utf8_offsets_map_back_to_characters_in_any_order(text: str) -> None:
    view = View(text)
    at, expected = 0, []
    for number, character in enumerate(view.text):
        expected.append((at, number))
        at += len(character.encode("utf-8", "surrogatepass"))

    for byte, number in [*expected, *reversed(expected)]:
        assert view.character(byte) == number
