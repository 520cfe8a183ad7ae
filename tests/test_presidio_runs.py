"""Runs of digits and punctuation, read once by their shape: the same findings as without, whatever stands beside."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from random import Random
from typing import Any

import phonenumbers
import pytest
from presidio_texts import run_text

from masking.core.dialled import Dialled
from masking.core.numberplan import plan
from masking.core.phone import Phones
from masking.core.rule import PresidioSource
from masking.presidio import window
from masking.presidio.bank import Bank, Runner, without_duplicates
from masking.presidio.numeric import alike, numeric
from masking.presidio.source import engine, recognisers, runner

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
TEXTS = 4_000 if NIGHTLY else 400
SEED = Random().randrange(1 << 30) if NIGHTLY else 20261130
FLAGS = 26
"""Those of Presidio's patterns: IGNORECASE, MULTILINE, DOTALL."""
REGIONS = ("US", "GB", "DE", "FR", "IL", "IN", "CA", "BR")
OTHERS = ("CN", "JP", "AR", "MX", "IT", "SM", "ZA", "AU")

Found = set[tuple[int, int, int, float]]


def found_by(bank: Bank, text: str) -> Found:
    return {(index, one.start, one.end, one.score) for index, one in bank.find(text)}


@pytest.fixture(scope="module")
def made() -> list[Any]:
    """All recognisers that look for something in runs."""
    from presidio_analyzer import PatternRecognizer, predefined_recognizers

    found = []
    for name in sorted(dir(predefined_recognizers)):
        one = getattr(predefined_recognizers, name)
        if isinstance(one, type) and issubclass(one, PatternRecognizer):
            (recogniser,) = recognisers(PresidioSource(name, one().supported_language))
            if any(numeric(pattern.regex, FLAGS) for pattern in recogniser.patterns):
                found.append(recogniser)
    return [*found, *recognisers(PresidioSource("PhoneRecognizer", "en"))]


@pytest.fixture(scope="module")
def without_runs(made: list[Any]) -> Callable[[str], Found]:
    """The obvious way: every pattern by Presidio's own `regex` on the whole text, telephone numbers text by text."""

    def find(text: str) -> Found:
        found: Found = set()
        for index, one in enumerate(slow):
            spans: list[tuple[int, int, float]] = []
            one.add(text, None, range(len(one.parts)), spans)
            found.update((index, *span) for span in without_duplicates(spans))
        return found

    slow: list[Runner] = [runner(one) for one in made]
    return find


def test_most_recognisers_of_numbers_are_read_in_runs(made: list[Any]) -> None:
    names = {type(one).__name__ for one in made}

    assert len(made) >= 35
    assert {"CreditCardRecognizer", "UsSsnRecognizer", "NhsRecognizer", "DateRecognizer", "IpRecognizer"} <= names


@pytest.mark.parametrize("seed", range(4))
def test_runs_beside_anything_hold_what_they_hold_without_shapes(
    made: list[Any], without_runs: Callable[[str], Found], seed: int
) -> None:
    random = Random(SEED + seed)
    bank = Bank([runner(one) for one in made])
    count = 0
    for _ in range(TEXTS):
        text = run_text(random)
        expected = without_runs(text)
        count += len(expected)
        assert found_by(bank, text) == expected, (SEED, ascii(text))
    assert count > TEXTS


def test_runs_beside_anything_have_presidios_findings(made: list[Any]) -> None:
    random = Random(SEED)
    bank = Bank([runner(one) for one in made])
    engines = [(engine(one), one.supported_language) for one in made]
    count = 0
    for _ in range(250):
        text = run_text(random)
        found = found_by(bank, text)
        for index in random.sample(range(len(made)), 12):
            analyzer, language = engines[index]
            expected = {(index, one.start, one.end, one.score) for one in analyzer.analyze(text, language=language)}
            count += len(expected)
            assert {one for one in found if one[0] == index} == expected, (type(made[index]).__name__, ascii(text))
    assert count > 100


def test_a_run_longer_than_what_is_remembered_is_read_as_well(
    made: list[Any], without_runs: Callable[[str], Found]
) -> None:
    bank = Bank([runner(one) for one in made])
    for text in ("4111 1111 1111 1111 " * 9, "1 2 3 4 5 6 7 8 9 " * 20 + "212-555-0101", "9" * 70 + " 2026-11-30"):
        expected = without_runs(text)
        assert expected
        assert found_by(bank, text) == expected


def test_shapes_hold_no_digits_of_a_text(made: list[Any]) -> None:
    random = Random(SEED)
    windows = window.Windows([runner(one) for one in made])
    texts = [run_text(random) for _ in range(100)] + ["Call 212-555-0101", "卡号 4111 1111 1111 1111。"]
    for text in texts:
        windows.find(text, text.encode("utf-8", "surrogatepass"), range(3))
    keys = [key for known in windows._known for key in known]
    shapes = [key if isinstance(key, str) else key.decode("latin-1") for key in keys]
    digits = {character for shape in shapes for character in shape if character.isascii() and character.isdigit()}

    assert len(shapes) > 50
    assert digits == {"9"}


def test_only_so_many_shapes_are_remembered(
    made: list[Any], without_runs: Callable[[str], Found], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window, "_MOST_KNOWN", 5)
    random = Random(SEED)
    runners = [runner(one) for one in made]
    bank, windows = Bank(runners), window.Windows(runners)
    for _ in range(60):
        text = run_text(random)
        windows.find(text, text.encode("utf-8", "surrogatepass"), range(3))
        assert found_by(bank, text) == without_runs(text), (SEED, ascii(text))

    assert 0 < max(len(known) for known in windows._known) <= 5
    assert 0 < len(windows._wide) <= 5


@pytest.mark.parametrize(
    ("pattern", "least", "blind", "reach"),
    [
        pytest.param(r"\b\d{9}\b", 9, True, 1, id="any digits"),
        pytest.param(r"(?<!\d)\d{3}-?\d{2}(?!\d)", 5, True, 1, id="a neighbour looked at"),
        pytest.param(r"\b[1-9]\d{4}\b", 5, False, 1, id="digits told apart"),
        pytest.param(r"\b\d{2}([-/])\d{2}\1\d{2}\b", 6, False, 1, id="what stood before once more"),
        pytest.param(r"\b(?!12)\d{3,4}\b", 3, False, 2, id="a look ahead of two"),
        pytest.param(r"\d/(?i)(?:\d\d|\d{4})", 3, True, 1, id="alternatives"),
    ],
)
def test_a_pattern_of_digits_and_plain_punctuation_is_for_runs(
    pattern: str, least: int, blind: bool, reach: int
) -> None:
    found = numeric(pattern, FLAGS)

    assert found is not None
    assert (found.least, found.is_blind, found.reach) == (least, blind, reach)


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(r"[A-Z]\d{8}", id="a letter"),
        pytest.param(r"\+?\d{9}", id="begins with a sign"),
        pytest.param(r"\d{3}-?", id="ends with a sign"),
        pytest.param(r"\d{3}\s\d{3}", id="white space outside ASCII"),
        pytest.param(r"\d{3}:\d{3}", id="a colon"),
        pytest.param(r"\d*", id="nothing at all"),
        pytest.param(r"\d{3}(?!.{30}x)", id="a look too far"),
        pytest.param(r"\d{3}(?=ä)", id="a neighbour of no whole kind"),
    ],
)
def test_other_patterns_are_not_for_runs(pattern: str) -> None:
    assert numeric(pattern, FLAGS) is None


@pytest.mark.parametrize(
    ("pattern", "brief"),
    [
        pytest.param(r"\b(?:\d{1,3}\.){3}\d{1,3}\b", True, id="a few ways"),
        pytest.param(r"(?:\d+-?)+\d", False, id="loops in loops"),
        pytest.param(r"(?:\d\d?-?){12}\d", False, id="too many choices"),
    ],
)
def test_only_what_has_few_ways_to_match_is_tried_way_by_way(pattern: str, brief: bool) -> None:
    found = numeric(pattern, FLAGS)

    assert found is not None
    assert found.is_brief is brief


def test_bytes_that_nothing_tells_apart_are_one() -> None:
    table = alike([frozenset(b":"), frozenset(b"x:")])

    assert b"1234567890".translate(table) == b"9999999999"
    assert b"-+ ./()[]".translate(table) == b"-+ ./()[]"
    assert len(set(b",;!\x01".translate(table))) == 1
    assert len(set(b"aZ_".translate(table))) == 1
    assert len(set(b":x,a".translate(table))) == 4


@pytest.mark.parametrize("regions", [pytest.param(REGIONS, id="Presidio's"), pytest.param(OTHERS, id="others")])
def test_no_region_is_left_out_that_takes_the_digits(regions: tuple[str, ...]) -> None:
    plans = [plan(region) for region in regions]
    dialled = Dialled(plans)
    random = Random(SEED)
    short = [f"{number:0{size}}" for size in (3, 4) for number in range(10**size)]
    begins = ["", "", "", "0", "1", "00", "011", "15", "90", *(one.code for one in plans)]
    long = [random.choice(begins) + f"{random.randrange(10**11)}"[: random.randrange(3, 12)] for _ in range(40_000)]
    count = named = 0
    for digits in [*short, *long]:
        taking = {index for index, one in enumerate(plans) if one.accepts(digits, plus=False)}
        able = dialled.able(digits)
        count += len(taking)
        named += len(able)
        assert taking <= set(able), digits
    assert count
    assert named < len(plans) * (len(short) + len(long)) / 2


def test_every_number_of_four_digits_is_taken_where_phonenumbers_takes_it() -> None:
    from phonenumbers.phonenumbermatcher import _verify

    phones = Bank([runner(one) for one in recognisers(PresidioSource("PhoneRecognizer", "en"))])
    random = Random(SEED)
    numbers = [f"{number:04}" for number in range(10**4)]
    numbers += [f"{random.randrange(10**5):05}" for _ in range(2_000)] + [
        f"0{number:04}" for number in range(1600, 1700)
    ]
    count = 0
    for digits in numbers:
        expected = False
        for region in REGIONS:
            try:
                number = phonenumbers.parse(digits, region, keep_raw_input=True)
                expected = expected or bool(_verify(1, number, digits, None))
            except phonenumbers.NumberParseException:
                continue
        count += expected
        assert bool(phones.find(f"it is {digits}.")) == expected, digits
    assert count > 20


def test_texts_of_runs_are_read_as_those_that_are_read_whole() -> None:
    random = Random(SEED)
    phones = Phones(REGIONS)
    bank = Bank([runner(one) for one in recognisers(PresidioSource("PhoneRecognizer", "en"))])
    count = 0
    for _ in range(2_000):
        text = run_text(random)
        score = 0.4
        expected = {(0, *span) for span in without_duplicates([(*place, score) for place in phones.find(text)])}
        count += len(expected)
        assert found_by(bank, text) == expected, (SEED, ascii(text))
    assert count > 200


def test_duplicates_are_removed_as_presidio_removes_them() -> None:
    from presidio_analyzer import EntityRecognizer, RecognizerResult

    random = Random(SEED)
    for _ in range(3_000):
        spans = []
        for _ in range(random.choice((1, 2, 2, 3, 4, 8))):
            start = random.randrange(12)
            spans.append((start, start + random.randrange(1, 6), random.choice((0.1, 0.5, 1.0))))
        theirs = EntityRecognizer.remove_duplicates([RecognizerResult("ONE", *span) for span in spans])

        assert without_duplicates(list(spans)) == [(one.start, one.end, one.score) for one in theirs], spans


def test_without_re2_runs_hold_the_same(made: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(SEED)
    texts = [run_text(random) for _ in range(40)]
    bank = Bank([runner(one) for one in made])
    expected = [found_by(bank, text) for text in texts]
    monkeypatch.setitem(sys.modules, "re2", None)
    bank = Bank([runner(one) for one in made])

    assert [found_by(bank, text) for text in texts] == expected
    assert any(expected)
