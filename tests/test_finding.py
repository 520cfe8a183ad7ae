"""Of overlapping findings the better stays, and what it leaves of the other does not leak."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masking.core.finding import Finding, resolve


def finding(start: int, end: int, score: float = 0.6, *, checked: bool = False, entity: str = "A") -> Finding:
    return Finding(start, end, entity, score, entity.lower(), checked)


def kept(findings: list[Finding], text: str | None = None) -> list[tuple[str, int, int]]:
    return [(one.entity, one.start, one.end) for one in resolve([(one, 0) for one in findings], text)]


@pytest.mark.parametrize(
    ("one", "other", "stays"),
    [
        pytest.param(finding(0, 5, 0.1, checked=True), finding(3, 9, 1.0, entity="B"), "A", id="checked before score"),
        pytest.param(finding(0, 5, 0.7), finding(3, 9, 0.6, entity="B"), "A", id="score before length"),
        pytest.param(finding(0, 5), finding(3, 9, entity="B"), "B", id="the longer"),
        pytest.param(finding(3, 6), finding(5, 8, entity="B"), "A", id="the earlier of equals"),
    ],
)
def test_the_better_of_two_stays(one: Finding, other: Finding, stays: str) -> None:
    assert [found[0] for found in kept([one, other])] == [stays]
    assert [found[0] for found in kept([other, one])] == [stays]


def test_the_earlier_rule_of_a_category_stays() -> None:
    first, second = finding(0, 4, entity="B"), finding(0, 4)

    assert resolve([(second, 7), (first, 3)]) == [first]


@pytest.mark.parametrize(
    ("text", "winner", "expected"),
    [
        pytest.param("无名路1号13800138000室", (5, 16), [("B", 0, 5), ("A", 5, 16)], id="a piece of one letter goes"),
        pytest.param(
            "Road 1, 13800, Town", (8, 13), [("B", 0, 6), ("A", 8, 13), ("B", 15, 19)], id="signs at the ends go"
        ),
        pytest.param("13800 - Town", (0, 5), [("A", 0, 5), ("B", 8, 12)], id="at the beginning"),
        pytest.param("(a) 13800 (b)", (4, 9), [("A", 4, 9)], id="nothing worth keeping"),
        pytest.param("e\u0301e\u0301 13800", (5, 10), [("B", 0, 3), ("A", 5, 10)], id="combining marks are no letters"),
    ],
)
def test_what_a_better_finding_leaves_of_one_around_it_stays(
    text: str, winner: tuple[int, int], expected: list[tuple[str, int, int]]
) -> None:
    found = [finding(0, len(text), entity="B"), finding(*winner, checked=True)]

    assert kept(found, text) == expected


def test_a_piece_that_is_the_whole_of_another_finding_belongs_to_that() -> None:
    """A name above an address, where the model took both for the address and a pattern found the address alone."""
    text = "Jeremy Park\n967 Eric Station"
    found = [finding(0, 28, 0.6), finding(12, 28, 0.7, entity="B"), finding(0, 11, 0.6, entity="C")]

    assert kept(found, text) == [("C", 0, 11), ("B", 12, 28)]


def test_a_finding_that_a_better_one_cuts_across_its_edge_is_dropped_as_a_whole() -> None:
    found = [finding(0, 10, entity="B"), finding(2, 4, 0.9), finding(8, 12, 0.9)]

    assert kept(found, "abcdefghijkl") == [("A", 2, 4), ("A", 8, 12)]


def test_without_the_text_pieces_are_counted_in_characters() -> None:
    assert kept([finding(0, 9, entity="B"), finding(1, 5, 0.9)]) == [("A", 1, 5), ("B", 5, 9)]


findings = st.lists(
    st.builds(
        lambda start, size, score, checked, entity: finding(
            start, start + size, score, checked=checked, entity=entity
        ),
        st.integers(0, 20), st.integers(1, 12), st.sampled_from([0.3, 0.6, 0.9]), st.booleans(), st.sampled_from("AB"),
    ),
    max_size=8,
)  # fmt: skip
texts = st.text("ab1张 ,", min_size=32, max_size=32)


@given(findings, texts)
def test_what_stays_is_in_order_and_does_not_overlap(found: list[Finding], text: str) -> None:
    stays = resolve([(one, at) for at, one in enumerate(found)], text)

    assert all(one.end <= other.start for one, other in pairwise(stays))
    assert all(any(one.start >= raw.start and one.end <= raw.end for raw in found) for one in stays)


@given(findings, texts)
def test_only_what_is_cut_across_or_a_single_letter_is_left_uncovered(found: list[Finding], text: str) -> None:
    """The slow twin: every letter of a beaten finding is masked, unless a better finding crosses its edge."""
    stays = resolve([(one, at) for at, one in enumerate(found)], text)
    covered = {at for one in stays for at in range(one.start, one.end)}
    for raw in found:
        met = [one for one in stays if one.start < raw.end and raw.start < one.end]
        if any(one.start < raw.start or one.end > raw.end for one in met):
            continue
        open_runs = "".join("\0" if at in covered else text[at] for at in range(raw.start, raw.end)).split("\0")
        whole = not met and raw.end - raw.start > 0
        assert not whole
        assert all(sum(map(str.isalnum, run)) < 2 for run in open_runs)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3), st.booleans()), max_size=8), st.randoms())
def test_findings_that_stand_apart_stay_as_they_are(gaps: list[tuple[int, int, bool]], chance: Random) -> None:
    apart: list[Finding] = []
    at = 0
    for gap, size, checked in gaps:
        apart.append(finding(at + gap, at + gap + size, checked=checked))
        at += gap + size
    given_so = [(one, 0) for one in apart]
    chance.shuffle(given_so)

    assert resolve(given_so, "a " * at) == apart
    # The ranked way to the same end, which an overlapping one makes it take.
    around = finding(0, at + 9, 0.1)
    assert [one for one in resolve([*given_so, (around, 0)]) if one.score > 0.1] == apart
