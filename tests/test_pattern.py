"""Patterns with boundaries: the two engines agree, and what is not in the shared syntax is refused."""

from __future__ import annotations

import re
from functools import cache

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from masking.core import pattern as module
from masking.core.check import check
from masking.core.gate import Gate
from masking.core.pattern import BOUNDARIES, Pattern, PatternSyntaxError
from masking.core.view import View

needs_re2 = pytest.mark.skipif(
    module.re2 is None, reason="google-re2 is not installed: pip install 'masking-pipeline[fast]'"
)


def found(pattern: Pattern, text: str, accept: object = None) -> list[str]:
    view = View(text)
    return [view.text[start:end] for start, end in pattern.spans(view, accept)]  # type: ignore[arg-type]


def fallback(source: str, before: str, after: str, *, ignore_case: bool = False) -> Pattern:
    pattern = Pattern(source, before, after, ignore_case=ignore_case)
    pattern._engine = module._Fallback(pattern.source, before, after)
    return pattern


@pytest.mark.parametrize(
    ("source", "beside", "text", "expected"),
    [
        pytest.param(r"1[3-9]\d{9}", "digit", "电话13800138000。", ["13800138000"], id="beside Chinese"),
        pytest.param(r"1[3-9]\d{9}", "digit", "订单2138001380001", [], id="inside a longer number"),
        pytest.param(
            r"1[3-9]\d{9}", "digit", "13800138000,13900139000", ["13800138000", "13900139000"], id="neighbours"
        ),
        pytest.param(r"\d{3}", "number", "1.234 234 5,678", ["234"], id="not a part of a decimal"),
        pytest.param(r"\d{3}", "decimal", "1.234 234.5 567,890, 123.", ["567", "890", "123"], id="beside commas"),
        pytest.param(r"\d{3}", "number", "234. 567, 789", ["234", "567", "789"], id="a full stop is no decimal point"),
        pytest.param(r"[A-Z]{2}", "any_letter", "éAB AB 王AB,CD", ["AB", "CD"], id="letters of any script"),
        pytest.param(r"号(?P<value>\d+)", "none", "号12号34", ["12", "34"], id="value group in Chinese context"),
        pytest.param(
            r"号(?P<value>\d+)|x\d", "none", "号12 x3", ["12", "x3"], id="value group in one alternative only"
        ),
        pytest.param(r"号(?P<value>\d*)", "none", "号 号1", ["1"], id="an empty value is no finding"),
        pytest.param(r"[^a]b", "none", "王b ab", ["王b"], id="a negated class takes one character"),
        pytest.param(r"x|xy", "letter", "xy xx x", ["xy", "x"], id="the boundary chooses the alternative"),
    ],
)
def test_boundaries_are_words(source: str, beside: str, text: str, expected: list[str]) -> None:
    assert found(Pattern(source, beside, beside), text) == expected
    assert found(fallback(source, beside, beside), text) == expected


@pytest.mark.parametrize(
    ("source", "says"),
    [
        pytest.param(r"(?=a)b", "do not share", id="look-ahead"),
        pytest.param(r"(?<!a)b", "do not share", id="look-behind"),
        pytest.param(r"(a)\1", "do not share", id="back-reference"),
        pytest.param(r"a++", "do not share", id="possessive"),
        pytest.param(r"a\Z", "do not share", id="anchor that only Python knows"),
        pytest.param(r"a(", "does not compile", id="unbalanced"),
        pytest.param(r"a*", "empty text", id="matches nothing"),
        pytest.param(r"[z-a]", "does not compile", id="bad range"),
    ],
)
def test_a_pattern_outside_the_shared_syntax_is_refused(source: str, says: str) -> None:
    with pytest.raises(PatternSyntaxError, match=says):
        Pattern(source)


def test_a_refused_match_gives_way_to_a_shorter_one_at_a_separator() -> None:
    card = Pattern(r"\d(?:[ -]?\d){12,18}", "digit", "digit")

    assert found(card, "4111 1111 1111 1111 123 x", check("luhn")) == ["4111 1111 1111 1111"]
    assert found(card, "4111 1111 1111 1112 123 x", check("luhn")) == []


def test_hostile_text_takes_linear_time_with_re2() -> None:
    """With `re` this pattern backtracks for ever on this text; the test would not end."""
    if module.re2 is None:
        pytest.skip("google-re2 is not installed: pip install 'masking-pipeline[fast]'")
    assert found(Pattern(r"(?:a+)+b"), "a" * 50_000) == []


SOURCES = [
    (r"1[3-9]\d(?:[ -]?\d{4}){2}", "digit"),
    (r"\d(?:[ -]?\d){3,6}", "alnum"),
    (r"[a-z0-9._]+@[a-z0-9]+(?:\.[a-z]{2,3})+", "word"),
    (r"\d{1,3}(?:\.\d{1,3}){3}", "number"),
    (r"微信[:： ]?(?P<value>[a-z]\w{2,5})", "none"),
    (r"[京沪][A-Z]\d{2}", "any_letter"),
    (r"\d{2}", "decimal"),
    (r"\d{2}|a", "number"),
    (r"微(?P<value>\d*)|信\d", "alnum"),
]
alphabet = st.sampled_from("0123456789 -.,@ab_微信京沪A王:：é１　\u200b")


@needs_re2
@given(st.text(alphabet, max_size=60), st.sampled_from(SOURCES))
def test_both_engines_find_the_same_places(text: str, rule: tuple[str, str]) -> None:
    source, beside = rule
    view = View(text)
    fast = list(Pattern(source, beside, beside).spans(view))

    assert fast == list(fallback(source, beside, beside).spans(view))


CLOSE = [
    r"\d{2}", r"[.,-]?\d", r"[a-z.,-]{1,3}", r"[-.]\d|a[.,-]", r"微?[.,-]{1,2}", r"[京沪]", r"[京沪]\d?|-", r"[^\d]{2}",
    r"微(?P<value>\d*)|[-.]", r"\d[.,-]\d?", r"é?[A-Z]", r"-?(?P<value>\d)|a-",
]  # fmt: skip


@cache
def both(source: str, before: str, after: str) -> tuple[Pattern, Pattern]:
    return Pattern(source, before, after), fallback(source, before, after)


@needs_re2
@given(
    st.text(alphabet, max_size=16),
    st.sampled_from(CLOSE),
    st.sampled_from(sorted(BOUNDARIES)),
    st.sampled_from(sorted(BOUNDARIES)),
    st.integers(0, 6),
)
@example("1,2-3", r"[.,-]?\d", "number", "none", 0)
@example("微é_ _沪-", r"[京沪]\d?|-", "number", "word", 0)
def test_a_match_is_found_whose_neighbours_lie_in_the_match_before(
    text: str, source: str, before: str, after: str, start: int
) -> None:
    fast, slow = both(source, before, after)
    view = View(text)

    assert fast.matches(view, None, min(start, len(view.text))) == slow.matches(view, None, min(start, len(view.text)))


@needs_re2
@given(st.text(alphabet, max_size=60))
def test_both_engines_agree_when_a_check_refuses(text: str) -> None:
    def odd(value: str) -> bool:
        return sum(map(int, re.findall(r"\d", value))) % 3 == 0

    for source, beside in SOURCES:
        view = View(text)
        fast = list(Pattern(source, beside, beside).spans(view, odd))

        assert fast == list(fallback(source, beside, beside).spans(view, odd))


@given(st.text(alphabet, max_size=60))
def test_the_gate_never_hides_a_match(text: str) -> None:
    patterns = [Pattern(source, beside, beside) for source, beside in SOURCES]
    view = View(text)
    opened = set(Gate(patterns).open_for(view))

    for index, pattern in enumerate(patterns):
        assert index in opened or not list(pattern.spans(view))


@given(st.text(alphabet, max_size=60), st.sampled_from(sorted(BOUNDARIES)))
def test_a_boundary_means_what_its_word_says(text: str, word: str) -> None:
    """The obvious twin: every place that the bare pattern could take, judged by its neighbours."""
    view = View(text)
    for start, end in Pattern(r"\d{2}", word, word).spans(view):
        before, after = view.text[:start][-2:], view.text[end:][:2]
        assert not _joins(word, before[::-1]), (before, word)
        assert not _joins(word, after), (after, word)


def _joins(word: str, neighbours: str) -> bool:
    one, two = neighbours[:1], neighbours[1:2]
    digit = one.isascii() and one.isdigit()
    letter = one.isascii() and one.isalpha()
    return {
        "none": False,
        "digit": digit,
        "letter": letter,
        "alnum": digit or letter,
        "word": digit or letter or one == "_",
        "number": digit or (one in {".", ",", "-"} and two.isascii() and two.isdigit()),
        "decimal": digit or letter or (one == "." and two.isascii() and two.isdigit()),
        "any_letter": one.isalnum(),
    }[word]


def test_the_gate_is_shut_for_text_in_which_nothing_can_match() -> None:
    gate = Gate([Pattern(r"\d{2}"), Pattern(r"微信")])

    assert list(gate.open_for(View("hello"))) == []
    assert list(gate.open_for(View("加微信"))) == [1]
