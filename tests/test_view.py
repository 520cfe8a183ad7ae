"""The normalised view: what rules see, and the way back to the text that was given."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masking import Masker
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
        pytest.param("①③⑧⓪⓪①③⑧⓪⓪⓪", "13800138000", id="circled digits"),
        pytest.param("⒈⒊⒏⑴❸➇⓵➀➊", "138138111", id="dotted, parenthesised and negative circled digits"),
        pytest.param("①13800138000 ②a", "①13800138000 ②a", id="the number of a list item stays"),
        pytest.param("13800138000①。", "13800138000①。", id="the number of a note stays"),
        pytest.param("138①0013", "13810013", id="one circled digit between digits"),
        pytest.param("𝟏𝟑𝟖 𝓪@𝚋.𝖈𝐨𝐦", "138 a@b.com", id="mathematical digits and letters"),
        pytest.param("ⓐⓑ@Ⓒ.com", "ab@C.com", id="circled letters"),
        pytest.param("١٣٨ ۱۳۸ १३८ ๑๓๘", "138 138 138 138", id="Arabic-Indic, Persian, Devanagari, Thai digits"),
        pytest.param("1️⃣3️⃣8️⃣", "138", id="keycap emoji"),
        pytest.param("1̶3̶8̶ Jose\u0301 Nguye\u0302\u0303n", "138 José Nguyễn", id="combining marks"),
        pytest.param("مَرْحَبًا हिन्दी", "مَرْحَبًا हिन्दी", id="marks that a script needs stay"),
        pytest.param("一三八零零一三八零零零", "13800138000", id="a telephone number in Chinese numerals"),
        pytest.param("幺三八 〇〇幺三－八零零两", "138 0013-8002", id="with separators, as it is spoken"),
        pytest.param("一\u200b三八零零一三八零零零", "13800138000", id="with zero-width characters"),
        pytest.param("壹叁捌零零壹叁捌零零零", "13800138000", id="in the numerals of cheques"),
        pytest.param("一二三四，五六七八", "一二三四,五六七八", id="counting stays"),
        pytest.param("二〇二六年一月", "二〇二六年一月", id="a year stays"),
        pytest.param("人民币壹万贰仟叁佰肆拾伍元", "人民币壹万贰仟叁佰肆拾伍元", id="an amount stays"),
        pytest.param("三点一四一五九二六五三", "三点一四一五九二六五三", id="a decimal stays"),
    ],
)
def test_rules_see_the_normalised_text(text: str, seen: str) -> None:
    assert View(text).text == seen


MARKERS = "①②③④⑤⑥⑦⑧⑨⓪⑴⑵⒈⒉⓵❶❷➀➊"
SPOKEN = dict(zip("零〇一二三四五六七八九幺两壹贰叁肆伍陆柒捌玖", "00123456789" + "12" + "123456789", strict=True))
UNSEEN = "\u200b\u200d\ufeff\u00ad\ufe0f"
MARKS = "\u0301\u0302\u20e3\u0336"


def _one(character: str) -> str:
    """What becomes ASCII wherever it stands, by the database of characters instead of tables."""
    if character in "\u2010\u2011\u2212":
        return "-"
    if character == "\u3000":
        return " "
    if unicodedata.category(character) == "Nd":
        return str(unicodedata.decimal(character))
    plain = unicodedata.normalize("NFKC", character)
    wide = "！" <= character <= "～" or "𝐀" <= character <= "𝟿" or "Ⓐ" <= character <= "ⓩ"
    return plain if wide and plain.isascii() else character


def _slow_twin(text: str) -> list[tuple[str, int, int]]:
    """Character by character: what is seen, and from where to where it stood."""
    seen: list[tuple[str, int, int]] = []
    for at, character in enumerate(map(_one, text)):
        if character in MARKS or character == "\ufe0f":
            if seen:
                # A Latin letter takes the marks directly behind it one after the other.
                composed, start, end = seen[-1]
                if (
                    composed.isalpha()
                    and composed < "\u0250"
                    and end == at
                    and "\ufe0f" not in text[start:at] + character
                ):
                    composed = unicodedata.normalize("NFC", composed + character)[0]
                seen[-1] = (composed, start, at + 1)
        elif character not in UNSEEN:
            seen.append((character, at, at + 1))
    line = [character for character, _, _ in seen]
    for at, character in enumerate(line):
        if character not in MARKERS:
            continue
        before, after = ["", *line][at], [*line, ""][at + 1]
        between = before in tuple("0123456789") and after in tuple("0123456789")
        if (before and before in MARKERS) or (after and after in MARKERS) or between:
            seen[at] = (str(int(unicodedata.numeric(character))), *seen[at][1:])
    line = [character for character, _, _ in seen]
    at = 0
    while at < len(line):
        end = at
        places = []
        while end < len(line) and line[end] in SPOKEN:
            places.append(end)
            end += 2 if line[end + 1 : end + 2] in (["-"], [" "]) and [*line, "", ""][end + 2] in SPOKEN else 1
        if len(places) >= 7 and line[at - 1 : at] not in (["点"], ["點"]):
            for place in places:
                seen[place] = (SPOKEN[line[place]], *seen[place][1:])
        at = max(end, at + 1)
    return seen


characters = st.one_of(
    st.sampled_from("１２３ａ－王😀\ud83d1a é?？\x1d٣𝟏𝐚Ⓑ点\u3000" + UNSEEN + MARKS + MARKERS),
    st.sampled_from(sorted(SPOKEN)),
    st.sampled_from(["一三八零零一三八零零零", "①③⑧", "e\u0301", "1\ufe0f\u20e3"]),
)
mixed = st.lists(characters, max_size=40).map("".join)
anything = st.text(st.one_of(st.characters(), characters.filter(lambda one: len(one) == 1)), max_size=40)


@given(mixed)
def test_the_view_is_that_of_the_slow_twin(text: str) -> None:
    twin = _slow_twin(text)
    view = View(text)

    assert view.text == "".join(character for character, _, _ in twin)
    for at, (_, start, end) in enumerate(twin):
        assert view.original(at, at + 1) == (start, end)


@given(anything)
def test_every_character_of_the_view_has_a_place_of_its_own_in_order(text: str) -> None:
    view = View(text)
    places = [view.original(at, at + 1) for at in range(len(view.text))]

    assert all(0 <= start < end <= len(text) for start, end in places)
    assert all(one[1] <= other[0] for one, other in pairwise(places))


def test_a_value_takes_the_marks_of_its_last_character_with_it() -> None:
    """They would be left over beside the placeholder."""
    text = "Jose\u0301, 8\ufe0f\u20e3\u200b!"
    view = View(text)

    assert text[slice(*view.original(0, 4))] == "Jose\u0301"
    assert text[slice(*view.original(6, 7))] == "8\ufe0f\u20e3"


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


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        pytest.param("电话一三八零零一三八零零零。", "电话<PHONE_NUMBER_1>。", id="Chinese numerals"),
        pytest.param("电话一三八 〇〇幺三 八〇〇〇。", "电话<PHONE_NUMBER_1>。", id="as it is dictated"),
        pytest.param("①③⑧⓪⓪①③⑧⓪⓪⓪", "<PHONE_NUMBER_1>", id="circled digits"),
        pytest.param("①13800138000", "①<PHONE_NUMBER_1>", id="behind the number of a list item"),
        pytest.param("😀1\u200b3800\u0336138000😀", "😀<PHONE_NUMBER_1>😀", id="hidden characters between emoji"),
        pytest.param("二〇二六年，一二三四，第七八九条", "二〇二六年，一二三四，第七八九条", id="prose stays"),
    ],
)
def test_values_in_disguise_are_masked_whole_and_nothing_beside_them(patterns: Masker, text: str, masked: str) -> None:
    assert patterns.mask(text).text == masked
