"""Term lists: both engines find the longest term that begins first, whatever stands in the list."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from masking.core import terms as module
from masking.core.pattern import Pattern
from masking.core.terms import Terms, as_pattern
from masking.core.view import View

needs_ahocorasick = pytest.mark.skipif(
    module.ahocorasick_rs is None, reason="ahocorasick-rs is not installed: pip install 'masking-pipeline[fast]'"
)


def found(terms: Terms, text: str) -> list[str]:
    view = View(text)
    return [view.text[start:end] for start, end in terms.spans(view)]


def fallback(terms: Terms) -> Terms:
    terms._engine = module._FirstCharacters(terms.words)
    return terms


@pytest.mark.parametrize(
    ("words", "beside", "text", "expected"),
    [
        pytest.param(["ab", "abc", "bcd"], "none", "abcd", ["abc"], id="the longest that begins first"),
        pytest.param(["ab", "abc"], "alnum", "abcd ab", ["ab"], id="a boundary refuses the longer and the shorter"),
        pytest.param(["a", "a1"], "digit", "a12 a1 a", ["a1", "a"], id="digits beside"),
        pytest.param(
            ["某某科技", "科技"], "alnum", "在某某科技与科技园", ["某某科技", "科技"], id="Chinese needs no blanks"
        ),
        pytest.param(["a", "a1"], "none", "a", ["a"], id="at the end of the text"),
        pytest.param(["x", "xyz"], "none", "xyxyz", ["x", "xyz"], id="a shorter one before a longer"),
        pytest.param(["[a]", "^"], "none", "[a]^", ["[a]", "^"], id="signs are themselves"),
        pytest.param(["ｗ３"], "none", "W3 w3", ["w3"], id="a full-width term, case counts"),
        pytest.param(["a"], "none", "\ud800a", ["a"], id="beside a lone surrogate"),
        pytest.param([" ", ""], "none", "a b", [], id="nothing to find"),
    ],
)
def test_the_longest_term_that_begins_first_is_found(
    words: list[str], beside: str, text: str, expected: list[str]
) -> None:
    assert found(Terms(words, beside, beside), text) == expected
    assert found(fallback(Terms(words, beside, beside)), text) == expected


words = st.lists(st.text("aAb1张é", min_size=1, max_size=4), max_size=6)
texts = st.text("aAb1张é ", max_size=30)


@needs_ahocorasick
@given(words, texts, st.sampled_from(["none", "alnum", "digit", "any_letter"]), st.booleans())
def test_both_engines_find_the_same(words: list[str], text: str, beside: str, ignore_case: bool) -> None:
    fast = Terms(words, beside, beside, ignore_case=ignore_case)
    slow = fallback(Terms(words, beside, beside, ignore_case=ignore_case))

    assert list(fast.spans(View(text))) == list(slow.spans(View(text)))


@given(words, texts)
def test_found_terms_are_terms_and_do_not_overlap(words: list[str], text: str) -> None:
    view = View(text)
    spans = list(Terms(words).spans(view))

    assert all(view.text[start:end] in words for start, end in spans)
    assert all(one[1] <= other[0] for one, other in pairwise(spans))
    assert bool(spans) == any(word in text for word in words)


signed = st.lists(st.text("aAb1张é .|\\\\[]-^$*+?(){}", min_size=1, max_size=5), min_size=1, max_size=6)


@example(["?"], "??", "alnum", False)
@given(
    signed,
    st.text("aAb1张é .|\\\\[]-^$*+?(){}", max_size=30),
    st.sampled_from(["none", "alnum", "digit"]),
    st.booleans(),
)
def test_as_a_pattern_a_list_finds_the_same(words: list[str], text: str, beside: str, ignore_case: bool) -> None:
    terms = Terms(words, beside, beside, ignore_case=ignore_case)
    written = as_pattern(terms.words)
    if not written:
        assert not terms.words
        return
    pattern = Pattern(written, beside, beside, ignore_case=ignore_case)

    assert list(pattern.spans(View(text))) == list(terms.spans(View(text)))


def test_a_list_that_is_too_long_for_a_pattern_becomes_none() -> None:
    assert as_pattern(f"term number {number}" for number in range(5_000)) == ""
    assert as_pattern(["a" * 201]) == ""
