"""The findings are Presidio's: every recogniser against itself in Presidio's own engine, on generated and real text."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import phonenumbers
import pytest
from presidio_texts import phone_text, text_for

from masking import UnmaskableError, presidio
from masking.core.digitlead import sized_leads
from masking.core.numberplan import Plan, plan
from masking.core.phone import Phones
from masking.core.rule import PresidioSource
from masking.presidio.bank import Bank
from masking.presidio.image import image, is_odd
from masking.presidio.linear import linear
from masking.presidio.source import engine, recognisers, runner
from masking.presidio.validators import invalidator, validator

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
TEXTS = 20_000 if NIGHTLY else 2_000
SEED = Random().randrange(1 << 30) if NIGHTLY else 20261121
DEV = Path(__file__).resolve().parents[2] / "shared" / "data" / "dev"

Found = set[tuple[str, int, int, float]]


@pytest.fixture(scope="module", autouse=True)
def _no_network() -> Iterator[None]:
    """Presidio's e-mail check would ask the network for a newer list of suffixes."""
    import tldextract

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tldextract, "extract", tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None))
        yield


@pytest.fixture(scope="module")
def everything() -> list[tuple[PresidioSource, Any]]:
    """Every recogniser that Presidio can make without a model or a service, in the language that it is made for."""
    from presidio_analyzer import PatternRecognizer, predefined_recognizers
    from presidio_analyzer.predefined_recognizers import PhoneRecognizer

    found = []
    for name in sorted(dir(predefined_recognizers)):
        made = getattr(predefined_recognizers, name)
        if isinstance(made, type) and issubclass(made, PatternRecognizer | PhoneRecognizer):
            source = PresidioSource(name, made().supported_language)
            found.append((source, recognisers(source)[0]))
    return found


@pytest.fixture(scope="module")
def ours(everything: list[tuple[PresidioSource, Any]]) -> Callable[[str], dict[int, Found]]:
    find = presidio.recognisers([source for source, _ in everything])

    def found(text: str) -> dict[int, Found]:
        by_source: dict[int, Found] = {}
        for index, one in find(text):
            by_source.setdefault(index, set()).add((one.label, one.start, one.end, one.score))
        return by_source

    return found


@pytest.fixture(scope="module")
def theirs(everything: list[tuple[PresidioSource, Any]]) -> Callable[[int, str], Found]:
    engines = [(engine(one), source.language) for source, one in everything]

    def found(index: int, text: str) -> Found:
        analyzer, language = engines[index]
        results = analyzer.analyze(text, language=language)
        return {(one.entity_type, one.start, one.end, one.score) for one in results if one.end > one.start}

    return found


def _fails(theirs: Callable[[int, str], Found], count: int, text: str) -> bool:
    for index in range(count):
        try:
            theirs(index, text)
        except Exception:
            return True
    return False


def test_all_recognisers_without_a_model_are_compared(everything: list[tuple[PresidioSource, Any]]) -> None:
    assert len(everything) >= 93
    assert {"IbanRecognizer", "PhoneRecognizer", "ZaMobileNumberRecognizer"} <= {
        one.recogniser for one, _ in everything
    }


def test_generated_texts_have_presidios_findings(
    everything: list[tuple[PresidioSource, Any]],
    ours: Callable[[str], dict[int, Found]],
    theirs: Callable[[int, str], Found],
) -> None:
    random = Random(SEED)
    count = 0
    for number in range(TEXTS):
        index = number % len(everything)
        recogniser = everything[index][1]
        text = text_for(random, recogniser) if hasattr(recogniser, "patterns") else phone_text(random, _NUMBERS)
        try:
            found = ours(text)
        except UnmaskableError:
            # Some of Presidio's validators fail on digits outside ASCII; then the text is refused.
            assert _fails(theirs, len(everything), text)
            continue
        for other in {index, *random.sample(range(len(everything)), 5)}:
            expected = theirs(other, text)
            count += len(expected)
            assert found.get(other, set()) == expected, (SEED, everything[other][0], ascii(text))
    assert count > TEXTS / 2


@pytest.mark.skipif(not DEV.is_dir(), reason="../shared/data/dev is not here")
def test_the_development_texts_have_presidios_findings(
    everything: list[tuple[PresidioSource, Any]],
    ours: Callable[[str], dict[int, Found]],
    theirs: Callable[[int, str], Found],
) -> None:
    lines = [line for path in sorted(DEV.glob("*.jsonl")) for line in path.read_text("utf-8").splitlines()]
    random = Random(SEED)
    count = 0
    for line in lines if NIGHTLY else random.sample(lines, 300):
        text = json.loads(line)["text"]
        found = ours(text)
        for index in range(len(everything)) if NIGHTLY else random.sample(range(len(everything)), 20):
            expected = theirs(index, text)
            count += len(expected)
            assert found.get(index, set()) == expected, (everything[index][0], ascii(text))
    assert count


@pytest.mark.parametrize(
    ("text", "entity", "places"),
    [
        pytest.param(
            "mail 你好a@example.com", "EMAIL_ADDRESS", [(5, 20)], id="Presidio takes Chinese before an address"
        ),
        pytest.param("号911-70-1234", "US_ITIN", [], id="no word boundary between Chinese and a digit"),
        pytest.param("9１1-70-1234", "US_ITIN", [(0, 11)], id="a full-width digit is one"),
        pytest.param("a/b@example.com", "EMAIL_ADDRESS", [], id="a slash in the local part, as tldextract reads it"),
        pytest.param("tel 212-555-0101 212-555-0102", "PHONE_NUMBER", [(4, 16), (17, 29)], id="two numbers"),
    ],
)
def test_presidios_peculiarities_are_kept(
    everything: list[tuple[PresidioSource, Any]],
    ours: Callable[[str], dict[int, Found]],
    theirs: Callable[[int, str], Found],
    text: str,
    entity: str,
    places: list[tuple[int, int]],
) -> None:
    (index,) = [at for at, (_, one) in enumerate(everything) if one.supported_entities == [entity]]
    expected = theirs(index, text)

    assert ours(text).get(index, set()) == expected
    assert sorted((start, end) for _, start, end, _ in expected) == places


@pytest.mark.parametrize("size", [200, 245, 246, 250, 253, 254, 300, 600])
def test_a_long_host_is_found_where_presidio_finds_it(
    everything: list[tuple[PresidioSource, Any]],
    ours: Callable[[str], dict[int, Found]],
    theirs: Callable[[int, str], Found],
    size: int,
) -> None:
    (index,) = [at for at, (_, one) in enumerate(everything) if one.supported_entities == ["URL"]]
    for text in (f"{'a' * size}.com", f"{'a' * size}.com.com b.org", f"http://{'a.' * (size // 2)}com/x"):
        expected = theirs(index, text)
        assert expected
        assert ours(text).get(index, set()) == expected


_NUMBERS = [
    number
    for region in sorted(phonenumbers.SUPPORTED_REGIONS)
    for kind in range(11)
    if (number := phonenumbers.example_number_for_type(region, kind)) is not None
]
_DEFAULT = ("US", "GB", "DE", "FR", "IL", "IN", "CA", "BR")


@pytest.mark.parametrize(
    "regions",
    [
        pytest.param(_DEFAULT, id="Presidio's regions"),
        pytest.param(("CN", "HK", "SG", "JP"), id="East Asia"),
        pytest.param(("AR", "MX", "IT", "SM", "BS", "ZA"), id="lands with rules of their own"),
    ],
)
def test_telephone_numbers_are_those_that_phonenumbers_finds(regions: tuple[str, ...]) -> None:
    random = Random(SEED)
    phones, in_runs = Phones(regions), _in_runs(regions)
    count = 0
    for _ in range(TEXTS // 6):
        text = phone_text(random, _NUMBERS)
        expected = {
            (match.start, match.end)
            for region in regions
            for match in phonenumbers.PhoneNumberMatcher(text, region, leniency=phonenumbers.Leniency.VALID)
        }
        count += len(expected)
        # Presidio drops what lies within another finding of the same score, and so may we.
        assert _outermost(phones.find(text)) == _outermost(expected), (SEED, ascii(text))
        assert _outermost(in_runs(text)) == _outermost(expected), (SEED, ascii(text))
    assert count


_PIECES = [
    "ext", "xt", "x", "int", "anexo", " ", "-", ".", "(", ")", "+", "1640", "1641", "164", "16", "030", "12", "1234", "0164", "49", "00", "99",
    "555", "#", "~", ";ext=", ",", "/", "  ", "\n", "a", "2125550101",
]  # fmt: skip


def test_short_numbers_and_extensions_are_those_that_phonenumbers_finds() -> None:
    random = Random(SEED)
    phones, in_runs = Phones(_DEFAULT), _in_runs(_DEFAULT)
    count = 0
    fixed = ["12;ext=1234#1640", "(7;ext=12;ext=1640", " 16;ext=49;ext=2125550101", "1234 ext 5678", "+1640"]
    fixed += ["+0049 30 23125000", "+ 011 44 20 7946 0123", "+(00) 33 1 99 00 12 34"]
    for text in fixed + ["".join(random.choices(_PIECES, k=random.randrange(1, 7))) for _ in range(TEXTS)]:
        expected = {
            (match.start, match.end)
            for region in _DEFAULT
            for match in phonenumbers.PhoneNumberMatcher(text, region, leniency=phonenumbers.Leniency.VALID)
        }
        count += bool(expected)
        assert _outermost(phones.find(text)) == _outermost(expected), (SEED, text)
        assert _outermost(in_runs(text)) == _outermost(expected), (SEED, text)
    assert count > TEXTS / 20


@pytest.mark.parametrize(
    ("pattern", "most", "expected"),
    [
        pytest.param(r"1[2-4]\d{2}|5(?:6|7\d)", 4, {"12", "13", "14", "56", "57"}, id="classes, repeats, alternatives"),
        pytest.param(r"1[2-4]\d{2}|5(?:6|7\d)", 3, {"56", "57"}, id="without what is too long"),
        pytest.param(r"0?1\d{1,5}", 3, {"01", *(f"1{digit}" for digit in range(10))}, id="what may be missing"),
        pytest.param(r"(1)\1", 4, None, id="what cannot be told"),
    ],
)
def test_what_short_matches_begin_with(pattern: str, most: int, expected: set[str] | None) -> None:
    found = sized_leads(pattern, most, 2)
    assert (None if found is None else {lead for lead in found if len(lead) == 2}) == expected


def _in_runs(regions: tuple[str, ...]) -> Callable[[str], set[tuple[int, int]]]:
    """Telephone numbers as they are found beside other patterns."""
    from presidio_analyzer.predefined_recognizers import PhoneRecognizer

    bank = Bank([runner(PhoneRecognizer(supported_regions=regions))])
    return lambda text: {(one.start, one.end) for _, one in bank.find(text)}


def _outermost(places: set[tuple[int, int]]) -> set[tuple[int, int]]:
    return {one for one in places if not any(other != one and _holds(other, one) for other in places)}


def _holds(other: tuple[int, int], one: tuple[int, int]) -> bool:
    return other[0] <= one[0] and one[1] <= other[1]


@pytest.mark.parametrize("seed", range(4))
def test_a_possible_length_is_one_that_phonenumbers_takes(seed: int) -> None:
    generator = Random(seed)
    codes = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
    for _ in range(2_000):
        lead = generator.choice(("", "0", str(generator.choice(codes)), f"{generator.choice(codes)}0"))
        digits = lead + "".join(generator.choices("0123456789", k=generator.randrange(18)))
        try:
            expected = phonenumbers.is_possible_number(phonenumbers.parse(f"+{digits}", "ZZ"))
        except phonenumbers.NumberParseException:
            expected = False

        assert (Plan.possible(digits) is True) == expected, digits


def test_numbering_plans_agree_with_phonenumbers_in_every_land() -> None:
    from phonenumbers.phonenumbermatcher import _verify

    random = Random(SEED)
    regions = sorted(phonenumbers.SUPPORTED_REGIONS)
    count = 0
    for _ in range(TEXTS):
        number = random.choice(_NUMBERS)
        digits = phonenumbers.national_significant_number(number)
        if random.random() < 0.3:
            digits = "".join(random.choice("0123456789") if random.random() < 0.3 else one for one in digits)
        before = random.choice(
            ["", "", "0", "1", "8", "15", "9", "00", "011", str(number.country_code), f"00{number.country_code}"]
        )
        digits, plus = before + digits, random.random() < 0.3
        if len(digits) < 3:
            continue
        own = phonenumbers.region_code_for_number(number)
        region = own if own in regions and random.random() < 0.5 else random.choice(regions)
        try:
            text = f"{'+' * plus}{digits}"
            expected = _verify(1, phonenumbers.parse(text, region, keep_raw_input=True), text, None)
        except phonenumbers.NumberParseException:
            expected = False
        count += expected
        assert plan(region).accepts(digits, plus=plus) == expected, (SEED, region, plus)
    assert count


def test_a_text_of_numbers_that_are_none_is_read_to_its_end() -> None:
    text = "1 2 3 4 5 6 7 8 9, " * 500 + "212-555-0101"

    assert Phones(_DEFAULT).find(text) == {(len(text) - 12, len(text))}


def test_without_re2_the_findings_are_the_same(
    everything: list[tuple[PresidioSource, Any]],
    ours: Callable[[str], dict[int, Found]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    random = Random(SEED)
    recognisers_ = [one for _, one in everything if hasattr(one, "patterns")]
    texts = [text_for(random, random.choice(recognisers_)).replace("𝟗", "") for _ in range(60)]
    texts += [phone_text(random, _NUMBERS) for _ in range(20)]
    expected = [ours(text) for text in texts]
    monkeypatch.setitem(sys.modules, "re2", None)
    bank = Bank([runner(one) for _, one in everything])

    for text, right in zip(texts, expected, strict=True):
        found: dict[int, Found] = {}
        for index, one in bank.find(text):
            found.setdefault(index, set()).add((one.label, one.start, one.end, one.score))
        assert found == right, ascii(text)
    assert any(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a1 中é_", b"a1 ___", id="letters of any script are word characters"),
        pytest.param("，\u3000\u200b", b"\x01\x0c\x01", id="punctuation, a space, a joiner"),
        pytest.param("𠀀a", b"_a", id="beyond the first plane"),
        pytest.param("\ud800a", b"\x01a", id="a lone surrogate"),
    ],
)
def test_images_have_one_byte_a_character(text: str, expected: bytes) -> None:
    assert image(text) == expected


@pytest.mark.parametrize("character", ["ſ", "\u212a", "İ", "ı", "９", "٣", "𝟗"])
def test_characters_that_an_image_would_hide_are_odd(character: str) -> None:
    assert is_odd(f"a{character}b")
    assert not is_odd("aß中é²")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[pytest.param("UsSsnRecognizer", value) for value in ("078-05-1120", "219-09-9998", "219.09-9998", "000-12-3456", "666 12 3456", "111111111", "123-00-4567", "21909-9998")],
        *[pytest.param("IbanRecognizer", value) for value in ("DE89370400440532013000", "DE89 3704 0044 0532 0130 00", "DE88370400440532013000", "de89370400440532013000", "GB33BUKB20201555555555", "XX59370400440532013000", "DE89", "DE8937040044０532013000")],
        *[pytest.param("IpRecognizer", value) for value in ("192.0.2.7", "192.0.2.07", "1.2.3", "::1", "192.0.2.7/24", "192.0.2.256")],
        *[pytest.param("NhsRecognizer", value) for value in ("943 476 5919", "943-476-5918", "9434765919", "943 476 591９", "94347659", "")],
        *[pytest.param("CreditCardRecognizer", value) for value in ("4111 1111-1111 1111", "4111111111111112", "", "４111111111111111")],
        *[pytest.param("EmailRecognizer", value) for value in ("a@example.com", "a@b.c", "a/b@example.com", "a#@example.com", "a@例子.中国")],
    ],
)  # fmt: skip
def test_validators_answer_as_presidios(name: str, value: str) -> None:
    (one,) = recognisers(PresidioSource(name, "en"))
    for ours_, theirs_ in ((validator, one.validate_result), (invalidator, one.invalidate_result)):
        judge = ours_(one)
        assert (None if judge is None else judge(value)) == theirs_(value)


@pytest.mark.parametrize(
    ("pattern", "exact"),
    [
        pytest.param(r"\b\d{9}\b", True, id="classes and edges"),
        pytest.param(r"(?<!\d)[A-Z]{2}(?![\w-])", True, id="one character's look-around at the ends"),
        pytest.param(r"([- ])\d\1", False, id="a back-reference"),
        pytest.param(r"a(?!b)c", False, id="a look-ahead inside"),
        pytest.param(r"(?<=ab)c", False, id="a look-behind of two"),
        pytest.param(r"[a-zÄ]+", False, id="a letter outside ASCII"),
        pytest.param("a_b", False, id="an underscore, which stands for other letters"),
        pytest.param(r"(?:a?)*b", False, id="a loop that may turn on nothing"),
        pytest.param(r"\p{L}+", False, id="a property, which the reader does not know"),
        pytest.param("(?:ab){e<=1}", False, id="fuzzy matching"),
        pytest.param("a++b", False, id="a possessive repeat"),
    ],
)
def test_what_re2_cannot_say_exactly_is_not_said(pattern: str, exact: bool) -> None:
    import regex

    assert (linear(pattern, int(regex.I | regex.M | regex.S)).exact is not None) is exact
