"""A value found once is found at its other mentions, and nothing else is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masking.core.escapes import view_of
from masking.core.finding import Finding
from masking.core.repeat import Values, may_repeat
from masking.core.rulefile import load_category
from masking.core.scan import Scanner
from masking.core.view import View

HEAD = 'category: Mine\nversion: "1"\nabout: {en: Mine, zh: 我的}\nrules:\n'


def mentions(value: str, entity: str, text: str) -> list[str]:
    values = Values()
    values.add(value, [Finding(0, len(value), entity, 0.6, "r")])
    return [text[found.start : found.end] for found in values.places(View(text))]


@pytest.mark.parametrize(
    ("value", "entity", "text", "expected"),
    [
        pytest.param("张伟", "PERSON", "问张伟。", ["张伟"], id="Chinese name beside Chinese"),
        pytest.param("张伟", "PERSON", "张 伟，(张　伟)", ["张 伟", "张　伟"], id="Chinese name with blanks"),
        pytest.param("王明", "PERSON", "国王 明天", [], id="two characters of two words"),
        pytest.param("欧阳锦程", "PERSON", "问欧阳 锦程吧", ["欧阳 锦程"], id="a long name with a blank in a sentence"),
        pytest.param("张", "PERSON", "张三", [], id="one Chinese character is no name"),
        pytest.param("Ryan Hale", "PERSON", "RYAN HALE, ryan\nhale", ["RYAN HALE", "ryan\nhale"], id="other case"),
        pytest.param("Ryan Hale", "PERSON", "Ask Ryan or Hale.", ["Ryan", "Hale"], id="parts of a name alone"),
        pytest.param("Ryan Hale", "PERSON", "ryan hale2 Bryan Hales", [], id="inside other words"),
        pytest.param("May Green", "PERSON", "In May the Green party", [], id="parts that are common words"),
        pytest.param("Ryan", "PERSON", "ryan Ryan RYAN", ["Ryan"], id="a single word as it is written"),
        pytest.param("Ryan", "PERSON", "给Ryan发", ["Ryan"], id="Latin name beside Chinese"),
        pytest.param("Al", "PERSON", "Al", [], id="two letters are no name"),
        pytest.param("José", "PERSON", "Jose\u0301!", ["Jose\u0301"], id="composed and with a combining mark"),
        pytest.param("123456789012", "BANK_ACCOUNT", "1234 5678-9012", ["1234 5678-9012"], id="separators in a number"),
        pytest.param("1234 5678", "BANK_ACCOUNT", "１２３４５６７８", ["１２３４５６７８"], id="full width"),
        pytest.param("12345678", "BANK_ACCOUNT", "123456789 012345678 a12345678", [], id="inside a longer number"),
        pytest.param("12345678", "BANK_ACCOUNT", "12345    678", [], id="too far apart"),
        pytest.param("12345", "ZIP", "12 345", ["12 345"], id="five digits"),
        pytest.param("1234", "PIN", "1234", [], id="four digits are anything"),
        pytest.param("AB-1234", "BADGE", "ab 1234, AB1234", ["ab 1234", "AB1234"], id="a badge in other spacing"),
        pytest.param("hunter-two", "PASSWORD", "hunter-two", ["hunter-two"], id="a password without digits"),
        pytest.param("文三路 489 号", "ADDRESS", "在文三路489号", ["文三路489号"], id="an address without blanks"),
    ],
)  # fmt: skip
def test_a_value_is_found_again_in_its_variants_only(value: str, entity: str, text: str, expected: list[str]) -> None:
    assert mentions(value, entity, text) == expected


def test_one_text_finds_the_mention_that_its_rule_does_not_see() -> None:
    rule = "  - {id: a, entity: BANK_ACCOUNT, pattern: '账号[:：]?(?P<value>[0-9]{8,12})', hits: ['账号12345678'], misses: [y]}\n"
    scanner = Scanner(load_category(HEAD + rule, "f", {}.__getitem__), {}.__getitem__)
    text = "账号：12345678，再说一遍 1234 5678。"

    assert [text[found.start : found.end] for found in scanner.scan(text)] == ["12345678", "1234 5678"]
    assert {found.rule for found in scanner.scan(text)} == {"a"}


def test_values_of_earlier_texts_are_found_when_they_are_given() -> None:
    rule = "  - {id: a, entity: BANK_ACCOUNT, pattern: '账号(?P<value>[0-9]{8,12})', hits: ['账号12345678'], misses: [y]}\n"
    scanner = Scanner(load_category(HEAD + rule, "f", {}.__getitem__), {}.__getitem__)
    known = Values()
    earlier = "账号12345678"
    known.add(earlier, scanner.scan(earlier))

    assert scanner.scan("转到12345678") == []
    assert [(found.start, found.end) for found in scanner.scan("转到12345678", known)] == [(2, 10)]
    assert "12345678" not in repr(known)


def test_a_mention_displaces_a_finding_that_is_a_piece_of_it() -> None:
    rule = "  - {id: a, entity: PERSON, pattern: '叫(?P<value>[^ 。]{4})|欧阳', not_beside: none, hits: [欧阳], misses: [y]}\n"
    scanner = Scanner(load_category(HEAD + rule, "f", {}.__getitem__), {}.__getitem__)
    text = "叫欧阳锦程。欧阳 锦程"

    assert [text[found.start : found.end] for found in scanner.scan(text)] == ["欧阳锦程", "欧阳 锦程"]


@pytest.mark.parametrize("count", [1, 40])
def test_many_values_are_found_as_few_are(count: int) -> None:
    """Beyond a few, an automaton looks for all at once."""
    values = Values()
    for number in range(count):
        value = f"AB{number:03}-{number + 10_000}"
        values.add(value, [Finding(0, len(value), "BADGE", 0.6, "r")])
    text = "ab000 10000, ab001-10001"

    assert len(list(values.places(View(text)))) == min(count, 2)


@given(st.text("12 -a张伟,", max_size=30), st.sampled_from(["12112", "1-2112", "张伟", "张 伟", "a 张"]))
def test_a_mention_is_the_value_but_for_separators_and_case(text: str, value: str) -> None:
    for mention in mentions(value, "PERSON" if "张" in value else "BADGE", text):
        assert [c for c in mention if c not in " -"] == [c for c in value if c not in " -"]


def test_ten_thousand_values_in_a_long_text_take_no_longer_than_it_is_long() -> None:
    values = Values()
    text = " ".join(f"ID{number:07}" for number in range(10_000))
    found = [Finding(at * 10, at * 10 + 9, "BADGE", 0.6, "r") for at in range(10_000)]
    values.add(text, found)

    assert len(list(values.places(View(text)))) == 10_000


told = st.lists(
    st.sampled_from(["Ryan Hale", "13800138000", "1380 0138 000", "张伟", "1111", "AB-1234", "x\0y12345", "12345"]),
    max_size=3,
)
said = st.lists(
    st.sampled_from(["Ryan Hale", "ryan", "13800138000", "138-0013 8000", "张伟", "张 伟", "11111", "ab1234", " ", ", ", "%40", "１", "\u200b", "·", "é"]),
    max_size=5,
).map("".join)  # fmt: skip


def _row(values: list[str], gaps: list[str]) -> tuple[str, list[Finding]]:
    """A text with the values in it, found."""
    text, found = "", []
    for value, gap in zip(values, [*gaps, "", "", ""], strict=False):
        text += gap + " "
        entity = "PERSON" if value[0].isalpha() and not value.startswith(("AB", "x")) else "BADGE"
        found.append(Finding(len(text), len(text) + len(value), entity, 0.6, "r"))
        text += value
    return text + "".join(gaps[len(values) :]), found


@given(told, st.lists(said, max_size=4))
def test_where_a_text_may_not_repeat_a_value_it_is_nowhere_else(values: list[str], gaps: list[str]) -> None:
    text, found = _row(values, gaps)
    known = Values()
    known.add(text, found)
    view = view_of(text)

    assert may_repeat(view, text, found) or list(known.places(view, found)) == []


@given(st.lists(st.tuples(told, st.lists(said, max_size=3)), max_size=3))
def test_values_that_are_alone_are_in_none_of_the_texts(many: list[tuple[list[str], list[str]]]) -> None:
    rows = [_row(*one) for one in many]
    known = Values()
    for text, found in rows:
        known.add(text, found)
    if known.are_alone([text for text, _ in rows], [found for _, found in rows]):
        assert [list(known.places(view_of(text), found)) for text, found in rows] == [[] for _ in rows]


def test_values_of_one_row_are_alone_until_another_text_mentions_them() -> None:
    texts = ["call 13800138000", "yes"]
    found = [[Finding(5, 16, "PHONE_NUMBER", 0.9, "r")], []]
    known = Values()
    known.add(texts[0], found[0])

    assert known.are_alone(texts, found)
    assert not known.are_alone([texts[0], "138 0013 8000?"], found)
