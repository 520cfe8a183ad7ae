"""Triggers let too much through, never too little: whatever matches a pattern holds its words and its digits."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masking.core import gate
from masking.core import pattern as module
from masking.core.gate import Gate
from masking.core.pattern import Pattern
from masking.core.rule import PatternSource, Rule
from masking.core.trigger import Trigger, chain, trigger
from masking.core.view import View
from masking.files import category_names, read_category

RULES = {rule.id: rule for name in category_names() for rule in read_category(name).rules}
PATTERNS = {
    f"{rule.id}-{number}": pattern
    for rule in RULES.values()
    if isinstance(rule.source, PatternSource)
    for number, pattern in enumerate(rule.source.patterns)
}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        pytest.param(r"1[3-9]\d(?:[ -]?\d{4}){2}", Trigger(digits=11), id="digits with separators between"),
        pytest.param(
            r"(?:密码|password)[:=]\S+",
            Trigger(frozenset({"密码:", "密码=", "password:", "password="})),
            id="words of a branch",
        ),
        pytest.param(r"(?i:PassPort)(?: no)? \d{7}", Trigger(frozenset({"passport "})), id="in either case"),
        pytest.param(
            r"card(?: number)?:? \d{4}", Trigger(frozenset({"card ", "card: "})), id="the shortest of the words"
        ),
        pytest.param(r"sk-[a-z]{2}T3Bl[a-z]+", Trigger(frozenset({"t3bl"})), id="the longest word"),
        pytest.param(r"[a-z.]+@[a-z]+", Trigger(frozenset({"@"})), id="a sign that is seldom"),
        pytest.param(r"\d{4}(?:/\d\d){2}", Trigger(digits=8), id="a date"),
        pytest.param(r"\d{3}x\d{4}", Trigger(digits=4), id="a letter breaks the chain"),
        pytest.param(r"\d{3}[ -]{4}\d{4}", Trigger(digits=4), id="too many separators break it"),
        pytest.param(r"\d{3}[ -]{3}(?:[ -]?\d{4}){2}", Trigger(digits=8), id="separators of two items add up"),
        pytest.param(r"(?:\d{4} ?)?\d{3}", Trigger(digits=3), id="optional digits do not count"),
        pytest.param(r"(?:\d[ -]{0,2}){5}", Trigger(digits=5), id="separators at the end of a turn"),
        pytest.param(r"(?:\d*[ -]){5}\d", Trigger(digits=1), id="digits that may be none"),
        pytest.param(r"\d{3}|\d{5}", Trigger(digits=3), id="the least of a branch"),
        pytest.param(
            r"(?i:straße|ſtop)\d",
            Trigger(frozenset({"stra", "top"})),
            id="letters with case beyond ASCII are left out",
        ),
        pytest.param(r"[京沪津渝][A-Z]\w+", Trigger(frozenset("京沪津渝")), id="a small class of characters"),
        pytest.param(r"[a-z]+", Trigger(), id="nothing to hold on to"),
        pytest.param(r"(?:ab){2,3}", Trigger(), id="too short a word"),
        pytest.param(r"(?:abc|de?)x", Trigger(), id="one of the words too short"),
    ],
)
def test_a_trigger_is_what_every_match_holds(source: str, expected: Trigger) -> None:
    assert trigger(source) == expected


def _holds(found: Trigger, text: str) -> bool:
    lower = text.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")
    words = not found.words or any(word in lower for word in found.words)
    return words and (not found.digits or re.search(chain(found.digits), text) is not None)


@given(st.sampled_from(sorted(PATTERNS)), st.data())
def test_whatever_a_shipped_pattern_matches_holds_its_trigger(name: str, data: st.DataObject) -> None:
    pattern = PATTERNS[name]
    text = data.draw(st.from_regex(re.compile(pattern.source, re.ASCII)))

    # (?i) lets `re` match \u017f and \u212a for s and k too, of which the gate knows.
    assert _holds(trigger(pattern.source), text) or "\u017f" in text or "\u212a" in text


pieces = st.sampled_from(
    [r"\d", r"\d{2}", r"[0-9]{3}", r"[1-9]", r"[ -]", r"[ -]?", r"[.]{0,2}", "a", "bc", "码", "(?:x|yz)", "(?:12|3)", r"(?:\d-)?", r"\d*"]
)  # fmt: skip
sequences = st.lists(pieces, min_size=1, max_size=5).map("".join)
repeated = st.builds(
    lambda inside, times: f"(?:{inside}){times}", sequences, st.sampled_from(["", "{2}", "?", "+", "{1,3}"])
)
branched = st.builds(lambda one, other: f"(?:{one}|{other})", repeated, repeated)
sources = st.lists(st.one_of(repeated, branched), min_size=1, max_size=3).map("".join)


@given(sources, st.data())
def test_whatever_a_made_up_pattern_matches_holds_its_trigger(source: str, data: st.DataObject) -> None:
    assert _holds(trigger(source), data.draw(st.from_regex(re.compile(source, re.ASCII), fullmatch=True)))


@given(
    st.lists(sources.filter(lambda source: re.compile(source).match("") is None), min_size=1, max_size=12), st.data()
)
def test_the_gate_never_hides_a_match_of_made_up_patterns(made: list[str], data: st.DataObject) -> None:
    patterns = [Pattern(source, "alnum", "digit") for source in made]
    number = data.draw(st.integers(0, len(made) - 1))
    matching = data.draw(st.from_regex(re.compile(made[number], re.ASCII), fullmatch=True))
    view = View(
        data.draw(st.sampled_from(["", "a ", "一", "12 "])) + matching + data.draw(st.sampled_from(["", "b", "。"]))
    )

    opened = Gate(patterns).open_for(view)

    assert [index for index, one in enumerate(patterns) if list(one.spans(view)) and index not in opened] == []


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule_id) for rule_id, rule in RULES.items()])
def test_the_gate_opens_for_every_example_that_a_shipped_rule_finds(rule: Rule) -> None:
    if not isinstance(rule.source, PatternSource):
        return
    gate = Gate(rule.source.patterns)
    for example in rule.hits:
        view = View(example.text)
        opened = gate.open_for(view)
        hidden = [
            index for index, one in enumerate(rule.source.patterns) if list(one.spans(view)) and index not in opened
        ]

        assert hidden == []


@pytest.mark.parametrize("text", ["", "x" * 70_000 + "密码:1", "１２３ ſ \u212a", "\ud800 12"])
def test_long_and_odd_texts_pass_the_gate(text: str) -> None:
    patterns = [Pattern("密码:(?P<value>[0-9])"), Pattern("(?i:[ks] )"), Pattern("[0-9]{2}")]
    view = View(text)
    opened = Gate(patterns).open_for(view)

    assert [index for index, one in enumerate(patterns) if list(one.spans(view)) and index not in opened] == []


@given(st.lists(sources.filter(lambda source: re.compile(source).match("") is None), min_size=1, max_size=6), st.data())
def test_the_gate_hides_nothing_without_the_fast_engines(made: list[str], data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patched:
        for one in (module, gate):
            patched.setattr(one, "re2", None)
        patched.setattr(gate, "ahocorasick_rs", None)
        patterns = [Pattern(source, "alnum", "digit") for source in made]
        number = data.draw(st.integers(0, len(made) - 1))
        view = View(data.draw(st.from_regex(re.compile(made[number], re.ASCII), fullmatch=True)))
        opened = Gate(patterns).open_for(view)

    assert [index for index, one in enumerate(patterns) if list(one.spans(view)) and index not in opened] == []
