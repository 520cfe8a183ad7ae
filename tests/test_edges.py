"""What appears beside placeholders is found although most stretches between them are not searched."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from masking import Masker
from masking.core.beside import beside
from masking.core.edges import NEAR, Edges
from masking.core.finding import Finding
from masking.core.pattern import Pattern
from masking.core.redact import Plan
from masking.core.rule import PatternSource
from masking.core.streamview import StreamView
from masking.files import category_names, read_category

RULES = {rule.id: rule for name in category_names() for rule in read_category(name).rules}
EXAMPLES = [hit.text for rule in RULES.values() if isinstance(rule.source, PatternSource) for hit in rule.hits]


def ready(edges: Edges) -> Edges:
    """Past the questions that it answers before it is made."""
    if edges._head is None:
        edges._asked = 1 << 30
        edges._make()
    return edges


@cache
def plan(name: str) -> Plan:
    made = Masker(name, names="off")._answers()
    ready(made.edges)
    return made


class _Everywhere:
    """The slow twin: every stretch is searched."""

    def may_hold(self, shown: str, *, head: bool, tail: bool) -> bool:
        return True


between = st.one_of(
    st.sampled_from(EXAMPLES),
    st.text(alphabet="0123456789 -./()+,:@xXaé京号\n<>%4", max_size=12),
    st.builds("{}{}{}".format, st.sampled_from(["", " ", "a", "1", "，"]), st.sampled_from(EXAMPLES), st.just(" ok")),
)


@pytest.mark.parametrize("name", ["UserInfo", "Everything"])
@given(parts=st.lists(between, min_size=2, max_size=4))
@example(parts=["13800138000", "a@example.com"])
def test_the_same_is_found_as_when_every_stretch_is_searched(name: str, parts: list[str]) -> None:
    """The parts stand between values that were found already."""
    text, findings = "", []
    for part in parts:
        text += part
        findings.append(Finding(len(text), len(text) + 4, "PERSON", 0.6, "r"))
        text += "QQQQ"
    quick = plan(name)
    found = beside(text, findings, quick)
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(quick.__dict__, "edges", _Everywhere())
        assert found == beside(text, findings, quick)


@given(
    st.lists(st.sampled_from([r"\d{2}", "[a-c]+x?", "-b?", r"b(?P<value>\d+)", "(?:ab|ba){2}", "京"]), min_size=1, max_size=3),
    st.sampled_from(["none", "digit", "alnum", "number", "decimal", "any_letter"]),
    st.text(alphabet="0123-. abcxé京", max_size=10),
)  # fmt: skip
def test_a_match_at_an_edge_is_never_overlooked(sources: list[str], beside_word: str, text: str) -> None:
    patterns = [Pattern(source, beside_word, beside_word) for source in sources]
    edges = ready(Edges(patterns, [""] * len(patterns)))
    view = StreamView(text)
    places = [place for one in patterns for place in one.matches(view)]

    assert edges.may_hold(text, head=True, tail=False) or not any(start <= NEAR for start, *_ in places)
    assert edges.may_hold(text, head=False, tail=True) or not any(end >= len(text) - NEAR for _, end, *_ in places)


def test_a_stretch_in_which_nothing_stands_at_an_edge_is_not_searched() -> None:
    edges = ready(Edges([Pattern(r"\d{4}", "alnum", "alnum")], [""]))
    if edges._head is None:
        pytest.skip("google-re2 is not installed: pip install 'masking-pipeline[fast]'")

    assert not edges.may_hold("and then 1234 or so", head=True, tail=True)
    assert edges.may_hold(", 1234 or so", head=True, tail=False)
    assert edges.may_hold("or 1234, ", head=False, tail=True)


def test_the_patterns_are_not_made_for_a_few_texts() -> None:
    edges = Edges([Pattern(r"\d{4}")], [""])

    assert edges.may_hold("nothing", head=True, tail=True)
    assert edges._head is None
