"""The automaton errs on the side of waiting alone: it never misses what a pattern matches, however it takes digits."""

from __future__ import annotations

import random
import re
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masking import Masker
from masking.core import automaton as automaton_module
from masking.core.automaton import Automaton
from masking.core.pattern import Pattern
from masking.core.plan import Plan
from masking.core.state import State, plainly
from masking.core.streamview import StreamView
from masking.files import read_category

CATEGORIES = ["UserInfo", "Credentials", "Network"]
TEXTS = st.lists(
    st.one_of(
        st.text("0123456789", min_size=1, max_size=6),
        st.sampled_from(
            [" ", "-", ".", ",", "+", "(", ")", "00", "+86 ", "card ", "身份证", "电话", "a", "x.y@", "example.com", "：", "１", ":", "/"]
        ),
    ),
    max_size=14,
).map("".join)  # fmt: skip


@cache
def plan(category: str) -> Plan:
    return Plan(read_category(category))


@cache
def exact(category: str) -> Automaton:
    return plan(category).automaton.exactly(range(len(plan(category).looks)))


REPEATS = [
    ("a{2,5}", ["aa", "aaaaa"], ["a"]),
    ("a{0,3}b", ["b", "aaab"], ["c"]),
    ("(?:a?b?){2,3}c", ["c", "abc", "abababc", "bc"], ["d"]),
    ("(?:ab|c){3}", ["abcab", "ccc"], ["abc"]),
    ("a{30,40}b", ["a" * 30 + "b", "a" * 40 + "b"], ["b"]),
    ("x(?:ab?){0,60}y", ["xy", "xabay"], ["x"]),
    ("(?:a{1,2}-){2,3}z", ["a-aa-z", "a-a-a-z"], ["a-z"]),
]


@pytest.mark.parametrize(("source", "matching", "others"), REPEATS, ids=[source for source, _, _ in REPEATS])
def test_repeats_are_turns_upon_turns(source: str, matching: list[str], others: list[str]) -> None:
    automaton = Automaton([(source, "none", "none")])

    assert all(re.fullmatch(source, text) for text in matching)
    assert all(automaton.move(automaton.idle, text).touched for text in matching)
    assert not any(automaton.move(automaton.idle, text).touched for text in others)


@pytest.mark.parametrize("least", range(4))
@pytest.mark.parametrize("most", range(1, 6))
@given(text=st.text("ab-", max_size=9))
def test_counted_repeats_end_where_re_ends(least: int, most: int, text: str) -> None:
    source = f"-(?:ab?){{{least},{max(least, most)}}}-"
    automaton = Automaton([(source, "none", "none")])

    assert bool(automaton.move(automaton.idle, text).touched) == (re.search(source, text) is not None)


@pytest.mark.parametrize("category", CATEGORIES)
@given(text=TEXTS)
def test_what_matches_was_touched(category: str, text: str) -> None:
    touched = plan(category).automaton.move(plan(category).automaton.idle, text).touched
    view = StreamView(text)
    matching = {number for number, look in enumerate(plan(category).looks) if Pattern.matches(look.pattern, view, None)}

    assert matching <= set(map(plainly, touched))


@pytest.mark.parametrize("category", CATEGORIES)
@given(text=TEXTS)
def test_digits_taken_loosely_wait_longer_and_touch_more_never_less(category: str, text: str) -> None:
    """The exact automaton is the twin: as many states as there are numbers."""
    loose, slow = plan(category).automaton.move(plan(category).automaton.idle, text), exact(category)
    twin = slow.move(slow.idle, text)
    surely = {number for number in loose.touched if number >= 0}

    assert surely <= {plainly(number) for number in twin.touched} <= set(map(plainly, loose.touched))
    if twin.kept:  # negative: where the oldest group began
        assert loose.kept
        assert loose.kept[0] >= twin.kept[0]


def states(automaton: Automaton, text: str) -> list[State]:
    reached = [automaton.idle]
    for character in text:
        reached.append(automaton.step(reached[-1], character).state)
    return reached


@pytest.mark.parametrize("category", CATEGORIES)
@given(text=TEXTS, digits=st.text("0123456789", min_size=1, max_size=3))
def test_digits_of_which_none_matters_lead_to_one_state(category: str, text: str, digits: str) -> None:
    automaton = plan(category).automaton
    for state in states(automaton, text):
        if automaton._are_alike(state, digits):
            reached, twin = state, state
            for digit in digits:
                step, other = automaton._stepped(reached, "0", True), automaton._stepped(twin, digit, True)
                assert step == other
                reached, twin = step.state, other.state
            assert automaton.move(state, digits).state is reached


def test_long_numbers_have_digits_of_which_none_matters() -> None:
    automaton = plan("UserInfo").automaton
    alike = [automaton._are_alike(state, "482") for state in states(automaton, "card 4111 1111 1111")]

    assert any(alike)
    assert not automaton._are_alike(automaton.idle, "482")


def test_states_are_forgotten_when_they_become_too_many_and_nothing_else_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Numbers at random between blanks and hyphens reach states without end."""
    generator = random.Random(11)
    pieces = [
        "".join(generator.choices("0123456789", k=generator.randrange(1, 12)))
        + generator.choice(["", " ", "-", " a@b.org "])
        for _ in range(3_000)
    ]
    masker = Masker("UserInfo", names="off")
    with masker.session() as session:
        whole = session.restore("".join(pieces))
        monkeypatch.setattr(automaton_module, "_MOST_STATES", 150)
        automaton = masker._answers().automaton
        for _ in range(2):
            stream = session.stream_object()
            said, sizes = [], []
            for piece in pieces:
                said.append(stream.feed(piece))
                sizes.append(automaton.size)

            assert "".join(said) + stream.flush() == whole
            assert 100 < max(sizes) <= 150
