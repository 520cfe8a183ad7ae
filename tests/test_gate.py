"""The gate and what it says beside a pattern: never too little, whatever the way a text comes to it."""

from __future__ import annotations

import re
from functools import cache

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from masking import Masker
from masking.core import gate as module
from masking.core.gate import Gate, Opened
from masking.core.outline import ANY_DIGIT, FIRST, outline, parser
from masking.core.pattern import BOUNDARIES, Pattern
from masking.core.rule import PatternSource
from masking.core.scan import Scanner
from masking.core.trigger import trigger
from masking.core.view import View
from masking.files import category_names, read_category

needs_re2 = pytest.mark.skipif(
    module.re2 is None, reason="google-re2 is not installed: pip install 'masking-pipeline[fast]'"
)
RULES = {rule.id: rule for name in category_names() for rule in read_category(name).rules}
EXAMPLES = [text for rule in RULES.values() for text in (*(hit.text for hit in rule.hits), *rule.misses)]
PATTERNS = [
    pattern for rule in RULES.values() if isinstance(rule.source, PatternSource) for pattern in rule.source.patterns
]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(r"\d{3}-\d{4}", (r"(?:[0123456789]){3,3}[\-](?:[0123456789]){4,4}", True, ()), id="whole"),
        pytest.param(r"1[3-5]\d", ("[19][3459][0123456789]", True, ("13", "14", "15")), id="what it begins with"),
        pytest.param(r"(?:\+|00)\d{3}", (r"(?:[\+]|[09][09])(?:[0123456789]){3,3}", True, ("+", "00")), id="two ways"),
        pytest.param(r"\d{17}[\dX]", ("(?:[0123456789]){17,17}", False, ()), id="a last letter is left out"),
        pytest.param(r"[1-9]\d{3}(?: ?x\d+)?", ("[123456789](?:[0123456789]){3,3}", False, ()), id="an extension too"),
        pytest.param(r"[A-Z]\d{8}", ("", False, ()), id="a letter before"),
        pytest.param(r"\d{4}[A-Z]{2}", ("", False, ()), id="letters that have to follow"),
        pytest.param(r"-\d{4}", ("", False, ()), id="a sign that numbers do not begin with"),
        pytest.param(r"\d\d", ("", False, ()), id="too few digits"),
        pytest.param(r"[^a]\d{3}", ("", False, ()), id="anything but a letter"),
    ],
)
def test_an_outline_is_that_of_the_digits_and_separators(source: str, expected: tuple[str, bool, tuple[str]]) -> None:
    assert outline(parser.parse(source, re.ASCII)) == expected


pieces = st.sampled_from(
    [r"\d", r"\d{2}", r"[0-9]{3}", r"[1-9]", r"[ -]", r"[ -]?", r"[./]{0,2}", r"\(", r"\)?", r"\+?", "(?:12|3)", "00", r"(?:\d-)?", r"\d*", "X?", "x"]
)  # fmt: skip
numbers = st.lists(pieces, min_size=2, max_size=6).map("".join)
sources = st.one_of(numbers, st.builds("(?:{}|{}){{1,2}}".format, numbers, numbers)).filter(
    lambda source: re.compile(source).match("") is None
)
words = st.sampled_from(sorted(BOUNDARIES))
texts = st.text(alphabet="0123456789" * 3 + " -./()+,:;#_xXaé\n京", max_size=40)


@needs_re2
@given(sources, st.data())
@example(r"\(?\d{3}\)?-\d{4}", None)
def test_whatever_a_pattern_matches_its_outline_matches_in_the_form(source: str, data: st.DataObject | None) -> None:
    found = trigger(source).outline
    if not found.source:
        return
    text = "(020)-7946" if data is None else data.draw(st.from_regex(re.compile(source, re.ASCII), fullmatch=True))

    assert text[0] in FIRST
    assert not found.begins or text.startswith(found.begins)
    for exact in range(4):
        form = text[:exact] + re.sub("[0-9]", ANY_DIGIT, text[exact:])
        assert re.compile(found.source).match(form)


@cache
def made(source: str, before: str, after: str) -> Pattern:
    return Pattern(source, before, after)


def _hidden(patterns: list[Pattern], view: View, opened: list[Opened]) -> list[tuple[int, int]]:
    """The matches that the gate hides: of a pattern that it does not open, or that begin behind its bound."""
    bounds = dict(opened)
    utf8 = view.utf8
    hidden = []
    for index, one in enumerate(patterns):
        for start, *_ in one.matches(view):
            at = len(view.text[:start].encode("utf-8", "replace"))
            assert at <= len(utf8)
            if index not in bounds or at >= bounds[index]:
                hidden.append((index, start))
    return hidden


@given(st.lists(st.tuples(sources, words, words), min_size=1, max_size=6), st.lists(texts, min_size=1, max_size=6))
def test_no_number_is_hidden_alone_or_in_company(rules: list[tuple[str, str, str]], many: list[str]) -> None:
    patterns = [made(*rule) for rule in rules]
    gate = Gate(patterns)
    views = [View(text) for text in many]

    for view, together in zip(views, gate.opened_many(views), strict=True):
        assert _hidden(patterns, view, gate.opened(view)) == []
        assert _hidden(patterns, view, together) == []


@given(st.lists(st.sampled_from(EXAMPLES) | texts, min_size=1, max_size=12))
def test_no_match_of_a_shipped_pattern_is_hidden_in_company(many: list[str]) -> None:
    patterns, gate = _shipped()
    views = [View(text) for text in many]

    for view, opened in zip(views, gate.opened_many(views), strict=True):
        # `needs` of a check are no matter of the pattern: they are left out here.
        assert _hidden(patterns, view, opened) == []


@pytest.mark.parametrize("source", [r"^\d{4}x", r"\d{4}x$", r"a\n\d{4}"])
def test_anchors_and_line_breaks_hold_for_each_of_many_texts(source: str) -> None:
    patterns = [Pattern(source), Pattern(r"[a-z]\d[a-z]"), Pattern(r"\d{4}-\d{4}"), Pattern("word")]
    views = [View(text) for text in ("b", "1234x", "a\n1234", "a", "1234", "a1b", "", "1234x", "1234-5678")]
    gate = Gate(patterns)

    for view, opened in zip(views, gate.opened_many(views), strict=True):
        assert _hidden(patterns, view, opened) == []


@cache
def _shipped() -> tuple[list[Pattern], Gate]:
    chosen = PATTERNS[::3]
    return chosen, Gate(chosen)


class _Open:
    """The slow twin: every pattern and every list of terms is run on every text, to its end."""

    def __init__(self, size: int) -> None:
        self._all = [(index, 1 << 62) for index in range(size)]

    def opened(self, view: View) -> list[Opened]:
        return self._all

    def opened_many(self, views: list[View]) -> list[list[Opened]]:
        return [self._all for _ in views]


@cache
def _scanners(name: str) -> tuple[Scanner, Scanner]:
    quick, slow = (Masker(name, names="off")._scanner for _ in range(2))
    slow._gate = _Open(len(slow._patterns) + len(slow._terms))  # type: ignore[assignment]
    return quick, slow


JOINTS = st.sampled_from(["", " ", "，", ". ", "\n", "-", "1", "a", "(", "+", "%40", "\u200b"])
composed = st.lists(st.tuples(st.sampled_from(EXAMPLES), JOINTS), min_size=1, max_size=3).map(
    lambda parts: "".join(part for pair in parts for part in pair)
)


@pytest.mark.parametrize("name", ["UserInfo", "Everything"])
@given(many=st.lists(composed | texts, min_size=1, max_size=4))
def test_a_scan_finds_what_it_would_find_without_a_gate(name: str, many: list[str]) -> None:
    quick, slow = _scanners(name)
    expected = [slow.scan(text) for text in many]

    assert [quick.scan(text) for text in many] == expected
    assert quick.scan_many(many) == expected


def test_a_time_of_day_is_not_looked_at_as_an_address(patterns: Masker) -> None:
    """`needs` of the check: the pattern alone takes 12:34:56."""
    scanner = patterns._scanner
    opened = {scanner._patterns[index].rule.id for index, _ in scanner._gate.opened(View("at 12:34:56"))}

    assert "net.ipv6" not in opened
    assert [one.rule for one in scanner.scan("at 2001:db8::1")] == ["net.ipv6"]


def test_forms_are_forgotten_when_they_become_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FORMS", 4)
    gate = Gate([Pattern(r"\d{3}-\d{4}")])
    for number in range(50):
        text = f"{number}-{'7' * (number % 9)} 123-4567"
        assert dict(gate.opened(View(text)))[0] == text.index("123") + 2
        assert module.re2 is None or len(gate._outlines._known) <= 4  # type: ignore[union-attr]
