"""Operators do what their page says, are checked at load, tell no secret, and what is reversible comes back."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from masking import Masker
from masking.core.check import check
from masking.core.errors import ConfigurationError, RestoreError, RuleError, UnmaskableError
from masking.core.operator import NAMES, Operation, make
from masking.core.operator_date import read_date
from masking.core.operator_shape import table_of
from masking.core.rule import OperatorSpec

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "operators.md"
SECRETS = {"EXAMPLE_KEY": "0123456789abcdef" * 2, "EXAMPLE_SALT": "pepper", "EMPTY": "", "HEX": "hex:" + "0f" * 16}
KEY = {"env": "EXAMPLE_KEY"}


def made(name: str, **parameters: Any) -> Operation:
    return make(OperatorSpec(name, parameters), SECRETS.__getitem__)


# --- what the page says ------------------------------------------------------------------------------------------------


def examples() -> list[Any]:
    found: list[Any] = []
    request: Any = None
    for number, line in enumerate(PAGE.read_text("utf-8").split("\n"), start=1):
        if line.startswith("request: "):
            request = yaml.safe_load(line)["request"]
        elif shown := re.fullmatch(r"# (.*) ([-~])> (.*)", line):
            name, parameters = next(iter(request.items())) if isinstance(request, dict) else (request, {})
            found.append(pytest.param(name, parameters, shown[1], shown[3], shown[2] == "-", id=f"{name}:{number}"))
    return found


@pytest.mark.parametrize(("name", "parameters", "value", "result", "always"), examples())
def test_the_page_shows_what_happens(
    name: str, parameters: Mapping[str, Any], value: str, result: str, always: bool
) -> None:
    if name == "FF1":
        pytest.importorskip("ffx")
    operator = made(name, **parameters)

    if always:
        assert operator(value, "EXAMPLE") == result
    else:
        assert len({operator(value, "EXAMPLE") for _ in range(60)}) > 1
    if operator.inverse is not None:
        assert operator.inverse(result, "EXAMPLE") == value


def test_the_page_has_an_example_of_every_operator() -> None:
    assert {example.values[0] for example in examples()} == set(NAMES)


def test_the_page_names_every_parameter() -> None:
    from masking.core.operator_kind import KINDS

    page = PAGE.read_text("utf-8")
    for name, kind in KINDS.items():
        heading = re.search(rf"^##+ [^\n]*\b{name}\b(.*?)(?=^##)", page, re.MULTILINE | re.DOTALL)
        assert heading is not None, name
        for field, about in kind.model_fields.items():
            assert f"`{about.alias or field}`" in heading[1], f"{name}: {field}"


# --- table -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "parameters", "value", "result"),
    [
        pytest.param("DEFAULT", {}, "", "", id="nothing stays nothing"),
        pytest.param("DEFAULT", {"mask": "×"}, "a😀b", "×××", id="a mask per code point"),
        pytest.param("FIX_POS", {"positions": [[1, 1], [3, 3]], "mask": "#"}, "abcd", "#b#d", id="several pairs"),
        pytest.param("FIX_POS", {"positions": [[1, 2], [4, 5]], "mask": "--"}, "abcdef", "--c--f", id="long masks"),
        pytest.param("FIX_POS", {"positions": [[3, 99]]}, "abcd", "ab**", id="beyond the end"),
        pytest.param("FIX_POS", {"from": 3}, "ab", "**", id="a short value does not leave in clear"),
        pytest.param("FIX_CHAR", {"characters": ".", "mask": "_"}, "1.2.3", "1_2_3", id="each one"),
        pytest.param("MD5", {}, "abc", "900150983cd24fb0d6963f7d28e17f72", id="RFC 1321 A.5"),
        pytest.param("SHA1", {}, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d", id="RFC 3174 TEST1"),
        pytest.param(
            "SHA256", {}, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", id="FIPS 180-4"
        ),
        pytest.param(
            "HMAC", {"key": "hex:" + "0b" * 20}, "Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7", id="RFC 4231 4.2",
        ),
        pytest.param("MAP_REPLACE", {"upper": "BACDEFGHIJKLMNOPQRSTUVWXYZ"}, "ABC-1", "BAC-1", id="one table"),
        pytest.param("NUMBER_ROUNDING", {"digit": 1}, "1234.9", "1234", id="units stay, decimals go"),
        pytest.param("NUMBER_ROUNDING", {"digit": 3}, "-1,234", "-1,200", id="sign and thousands"),
        pytest.param("NUMBER_ROUNDING", {"digit": 19}, "9" * 20, "9" + "9" + "0" * 18, id="longer than any integer"),
        pytest.param("NUMBER_ROUNDING", {"digit": 2}, "Room 12", "*******", id="words are no number"),
        pytest.param("NUMBER_ROUNDING", {"digit": 3}, "3500元", "3500元", id="as coarse already"),
        pytest.param("DATE_ROUNDING", {"unit": "year"}, "17/05/1990", "01/01/1990", id="dmy"),
        pytest.param("DATE_ROUNDING", {"unit": "month", "order": "mdy"}, "03/04/1990", "03/01/1990", id="order given"),
        pytest.param("DATE_ROUNDING", {"unit": "month"}, "03/04/1990", "01/04/1990", id="order guessed"),
        pytest.param("DATE_ROUNDING", {"unit": "day"}, "1990-05-17T13:45:10.123Z", "1990-05-17T00:00:00.000Z", id="ISO"),
        pytest.param("DATE_ROUNDING", {"unit": "day"}, "5/17/1990 3:45 PM", "5/17/1990 12:00 AM", id="twelve hours"),
        pytest.param("DATE_ROUNDING", {"unit": "minute"}, "1990年5月17日 13时5分9秒", "1990年5月17日 13时5分0秒", id="时分秒"),
        pytest.param("DATE_ROUNDING", {"unit": "year"}, "19900230", "********", id="no such day"),
        pytest.param("STRING_TRANSFORM", {"shift": 3}, "abc", "cab", id="a whole turn is one step"),
        pytest.param("STRING_TRANSFORM", {"shift": 1}, "a\U0001f600b", "ba\U0001f600", id="code points, not bytes"),
    ],
)  # fmt: skip
def test_operators_do_what_they_are_told(name: str, parameters: dict[str, Any], value: str, result: str) -> None:
    assert made(name, **parameters)(value, "X") == result


# NIST SP 800-38G, FF1 samples 1 to 9 (csrc.nist.gov, "FF1samples.pdf").
K128, K192, K256 = (
    "2B7E151628AED2A6ABF7158809CF4F3C",
    "2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F",
    "2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94",
)
T10, T11 = "39383736353433323130", "3737373770717273373737"


@pytest.mark.parametrize(
    ("key", "radix", "tweak", "plain", "cipher"),
    [
        (K128, 10, "", "0123456789", "2433477484"),
        (K128, 10, T10, "0123456789", "6124200773"),
        (K128, 36, T11, "0123456789abcdefghi", "a9tv40mll9kdu509eum"),
        (K192, 10, "", "0123456789", "2830668132"),
        (K192, 10, T10, "0123456789", "2496655549"),
        (K192, 36, T11, "0123456789abcdefghi", "xbj3kv35jrawxv32ysr"),
        (K256, 10, "", "0123456789", "6657667009"),
        (K256, 10, T10, "0123456789", "1001623463"),
        (K256, 36, T11, "0123456789abcdefghi", "xs8a0azh2avyalyzuwd"),
    ],
)
def test_ff1_agrees_with_the_samples_of_nist(key: str, radix: int, tweak: str, plain: str, cipher: str) -> None:
    pytest.importorskip("ffx")
    parameters = {"tweak": f"hex:{tweak}"} if tweak else {}
    operator = made("FF1", key=f"hex:{key}", radix=radix, **parameters)

    assert operator(plain, "X") == cipher
    assert operator.inverse is not None
    assert operator.inverse(cipher, "X") == plain


@pytest.mark.parametrize(
    ("parameters", "value", "said"),
    [
        pytest.param({}, "12345", "6 are needed for a domain of a million", id="a hundred thousand values are too few"),
        pytest.param({"radix": 36}, "abc", "4 are needed", id="radix 36"),
        pytest.param({}, "AB123456", "neither in the alphabet nor in keep", id="letters would leave in clear"),
    ],
)
def test_ff1_refuses_what_it_cannot_hide(parameters: dict[str, Any], value: str, said: str) -> None:
    pytest.importorskip("ffx")

    with pytest.raises(UnmaskableError, match=said) as caught:
        made("FF1", key=KEY, **parameters)(value, "NUMBER")
    assert value not in str(caught.value)


def test_ff1_without_its_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ffx", None)

    with pytest.raises(ConfigurationError, match=r"pip install 'masking-pipeline\[fpe\]'"):
        made("FF1", key=KEY)


@pytest.mark.parametrize(
    ("name", "parameters", "said"),
    [
        pytest.param("NOPE", {}, "no operator is called 'NOPE'; there are placeholder, surrogate, DEFAULT", id="name"),
        pytest.param("default", {}, "no operator is called 'default'", id="names are upper case"),
        pytest.param("DEFAULT", {"masking": "*"}, "there is no parameter masking; there are: mask", id="parameter"),
        pytest.param("PLAINTEXT", {"mask": "*"}, "no parameter mask; there are: none", id="no parameters at all"),
        pytest.param("DEFAULT", {"mask": ""}, "mask: String should have at least 1 character", id="empty mask"),
        pytest.param("DEFAULT", {"mask": 0}, "mask: expected a valid string", id="a number is no mask"),
        pytest.param("FIX_POS", {}, "give either from", id="no positions"),
        pytest.param("FIX_POS", {"from": 1, "positions": [[1, 2]]}, "give either from", id="both ways"),
        pytest.param("FIX_POS", {"from": 5, "to": 4}, "to comes before from", id="backwards"),
        pytest.param("FIX_POS", {"from": 0}, "from: expected greater than or equal to 1", id="positions begin at 1"),
        pytest.param("FIX_POS", {"positions": [[1, 3], [3, 4]]}, "expected pairs such as", id="overlapping"),
        pytest.param("FIX_POS", {"positions": [[1]]}, "expected pairs such as", id="half a pair"),
        pytest.param("FIX_CHAR", {}, "the parameter characters is missing", id="missing"),
        pytest.param("HMAC", {}, "the parameter key is missing", id="no key"),
        pytest.param("HMAC", {"key": "fifteen bytes.."}, "key: expected at least 16 bytes, not 15", id="short key"),
        pytest.param("HMAC", {"key": {"env": "UNSET"}}, "environment variable UNSET is not set", id="unset"),
        pytest.param("HMAC", {"key": {"env": "EMPTY"}}, "environment variable EMPTY is empty", id="empty"),
        pytest.param("HMAC", {"key": {"file": "x"}}, "expected a text in quotes, or {env: NAME}", id="other source"),
        pytest.param("HMAC", {"key": 1234567890123456}, "expected a text in quotes", id="digits without quotes"),
        pytest.param("AES", {"key": "hex:0g"}, "the secret is not hex", id="no hex"),
        pytest.param("AES", {"key": "base64:%"}, "the secret is not base64", id="no base64"),
        pytest.param("AES", {"key": "x" * 17}, "key: expected 16, 24, 32 bytes, not 17", id="AES key"),
        pytest.param("AES", {"key": "x" * 16, "deterministic": True}, "32, 48, 64 bytes with deterministic", id="SIV key"),
        pytest.param("DES", {"key": "x" * 8}, "say allow_broken: true", id="DES wants to be meant"),
        pytest.param("DES", {"key": "x" * 16, "allow_broken": True}, "expected 8 bytes, not 16", id="DES key"),
        pytest.param("FF1", {"key": KEY, "radix": 10, "alphabet": "ab"}, "radix or alphabet, not both", id="FF1 both"),
        pytest.param("FF1", {"key": KEY, "radix": 37}, "radix: expected less than or equal to 36", id="FF1 radix"),
        pytest.param("FF1", {"key": KEY, "keep": "-0"}, "no character of the alphabet", id="FF1 keep"),
        pytest.param("FF1", {"key": "x" * 8}, "expected 16, 24 or 32 bytes, not 8", id="FF1 key"),
        pytest.param("MAP_REPLACE", {}, "give at least one of", id="no table"),
        pytest.param("MAP_REPLACE", {"digits": "0123456789"}, "in another order", id="a table that changes nothing"),
        pytest.param("MAP_REPLACE", {"digits": "0012345678"}, "digits is expected to have each of", id="a digit twice"),
        pytest.param("MAP_REPLACE", {"special": {"-": "/"}}, "to each other", id="no way back"),
        pytest.param("RANDOM_REPLACE", {"values": ["a", "a"]}, "two different texts", id="one value"),
        pytest.param("RANDOM_REPLACE", {"range": {"min": 5, "max": 5}}, "max is expected to be greater", id="no range"),
        pytest.param("RANDOM_REPLACE", {"range": {"min": 5}}, "range.max is missing", id="half a range"),
        pytest.param("NUMBER_ROUNDING", {"digit": 20}, "digit: expected less than or equal to 19", id="N is 1 to 19"),
        pytest.param("DATE_ROUNDING", {"unit": "week"}, "unit: expected 'year', 'month'", id="unit"),
        pytest.param("STRING_TRANSFORM", {"shift": 0}, "shift: expected greater than or equal to 1", id="no shift"),
    ],
)  # fmt: skip
def test_parameters_are_checked_when_the_operator_is_made(name: str, parameters: dict[str, Any], said: str) -> None:
    if name == "FF1":
        pytest.importorskip("ffx")
    with pytest.raises(ConfigurationError, match=said) as caught:
        made(name, **parameters)
    assert name in str(caught.value)


def test_no_secret_stands_in_a_repr_or_an_error() -> None:
    secret = "correct horse"
    spec = OperatorSpec("AES", {"key": secret})

    assert secret not in repr(spec)
    with pytest.raises(ConfigurationError) as caught:
        make(spec, SECRETS.__getitem__)
    assert secret not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "0123" not in repr(made("AES", key=KEY))
    assert repr(made("AES", key=KEY)) == "Operation(AES, reversible)"


@pytest.mark.parametrize(
    ("name", "parameters", "value"),
    [
        pytest.param("STRING_TRANSFORM", {"shift": 2}, "1111", id="turning equal characters"),
        pytest.param("MAP_REPLACE", {"digits": "1234567890"}, "欧阳明远", id="no table for Chinese"),
    ],
)
def test_a_value_that_would_leave_unchanged_is_refused(name: str, parameters: dict[str, Any], value: str) -> None:
    with pytest.raises(UnmaskableError, match=f"operator {name} leaves a X as it is") as caught:
        made(name, **parameters)(value, "X")
    assert value not in str(caught.value)


# --- properties --------------------------------------------------------------------------------------------------------

ANY = st.text(min_size=1, max_size=40)
REVERSIBLE: list[tuple[str, dict[str, Any]]] = [
    ("AES", {"key": KEY}),
    ("AES", {"key": KEY, "deterministic": True}),
    ("DES", {"key": "12345678", "allow_broken": True}),
    ("STRING_TRANSFORM", {"shift": 7}),
    ("STRING_TRANSFORM", {"shift": 2, "direction": "left"}),
    ("MAP_REPLACE", {"digits": "1234567890", "lower": "bcdefghijklmnopqrstuvwxyza", "special": {"é": "王", "王": "é"}}),
    ("PLAINTEXT", {}),
]


@given(ANY, st.sampled_from(REVERSIBLE))
def test_what_is_reversible_comes_back(value: str, which: tuple[str, dict[str, Any]]) -> None:
    operator = made(which[0], **which[1])
    try:
        replaced = operator(value, "X")
    except UnmaskableError:
        assume(False)

    assert operator.reversible
    assert operator.inverse is not None
    assert operator.inverse(replaced, "X") == value


@given(st.text("0123456789", min_size=6, max_size=30), st.lists(st.sampled_from(" -./()+"), max_size=4))
def test_ff1_keeps_length_and_signs_and_comes_back(digits: str, signs: list[str]) -> None:
    pytest.importorskip("ffx")
    operator = made("FF1", key=KEY)
    value = "".join(signs[:2]) + digits + "".join(signs[2:])
    try:
        replaced = operator(value, "X")
    except UnmaskableError:
        assume(False)  # one in a million stays what it is

    assert [one if one in " -./()+" else "0" for one in replaced] == [one if one in " -./()+" else "0" for one in value]
    assert operator.inverse is not None
    assert operator.inverse(replaced, "X") == value


@given(ANY, st.integers(0, 200))
def test_an_encrypted_text_that_was_changed_or_moved_is_not_taken_for_a_value(value: str, at: int) -> None:
    operator = made("AES", key=KEY)
    assert operator.inverse is not None
    text = operator(value, "PERSON")
    place = at % len(text)
    changed = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]

    for wrong, entity in ((text, "PLACE"), (text[:-4], "PERSON"), (value, "PERSON"), ("", "PERSON")):
        with pytest.raises(RestoreError):
            operator.inverse(wrong, entity)
    if place < len(text) - 1:  # the last character of base64 has bits that mean nothing
        with pytest.raises(RestoreError) as caught:
            operator.inverse(changed, "PERSON")
        assert len(value) < 12 or value not in str(caught.value)


COVERING: list[tuple[str, dict[str, Any]]] = [
    ("DEFAULT", {}),
    ("FIX_POS", {"from": 3, "to": 5}),
    ("FIX_CHAR", {"characters": "0123456789"}),
    ("MD5", {}),
    ("SHA1", {"salt": "s"}),
    ("SHA256", {"salt": "s"}),
    ("HMAC", {"key": KEY}),
    ("RANDOM_REPLACE", {}),
    ("RANDOM_REPLACE", {"values": ["a", "b"]}),
    ("RANDOM_REPLACE", {"range": {"min": -1, "max": 1}}),
    ("AES", {"key": KEY}),
    ("AES", {"key": KEY, "deterministic": True}),
    ("DES", {"key": "12345678", "allow_broken": True}),
]


@given(ANY, st.sampled_from(COVERING))
def test_a_value_never_leaves_as_it_is(value: str, which: tuple[str, dict[str, Any]]) -> None:
    operator = made(which[0], **which[1])
    try:
        assert operator(value, "X") != value
    except UnmaskableError:
        assert set(value) <= {"*"}  # the mask itself


@given(ANY)
def test_random_replace_keeps_the_kind_of_every_character(value: str) -> None:
    assume(set(value) != {"*"})  # what covers a value of signs only
    replaced = made("RANDOM_REPLACE")(value, "X")

    if any(map(table_of, value)):
        assert len(replaced) == len(value)
        for old, new in zip(value, replaced, strict=True):
            assert new in table_of(old) if table_of(old) else new == old
    else:
        assert set(replaced) == {"*"}


@pytest.mark.parametrize(
    "one", ["7", "٣", "Q", "q", "ß", "王", "\U00020000", "ж", "Ж", "λ", "か", "カ", "한", "é", "Ａ", "９"]
)
def test_the_table_of_a_character_has_characters_of_its_kind(one: str) -> None:
    table = table_of(one)

    assert len(set(table)) > 5
    assert {unicodedata.category(new)[0] for new in table} == {unicodedata.category(one)[0]}


DAYS = st.dates(date(1790, 1, 1), date(2210, 1, 1))
WRITTEN = st.one_of(
    DAYS.map(str),
    st.builds(lambda d, s: f"{d.day}{s}{d.month}{s}{d.year}", DAYS, st.sampled_from("-/. ")),
    st.builds(lambda d: f"{d.year}年{d.month}月{d.day}日", DAYS),
    st.builds(lambda d: d.strftime("%B %d, %Y"), DAYS),
    st.builds(lambda d: d.strftime("%d %b %Y"), DAYS),
    st.builds(lambda d: d.strftime("%Y%m%d"), DAYS),
    st.text("0123456789-/. 年月日maysept", max_size=12),
)


@given(WRITTEN)
def test_every_notation_that_the_check_date_reads_is_read_and_written_again(text: str) -> None:
    read = read_date(text)

    assert (read is not None) == check("date")(text)
    if read is not None:
        rounded = read.rounded("year")
        again = read_date(rounded)
        assert again is not None
        assert (again.month, again.day) == (1, 1)
        assert again.year == read.year
        assert read_date(read.moved(0)) is not None


@given(st.dates(date(1800, 1, 1), date(2199, 12, 31)), st.integers(-90_000, 90_000))
def test_a_date_moves_as_the_calendar_does(day: date, days: int) -> None:
    read = read_date(str(day))

    assert read is not None
    assert read.moved(days) == str(day + timedelta(days=days))


# --- story -------------------------------------------------------------------------------------------------------------

CATEGORY = """
category: Shop
version: "1"
about: {en: "a shop"}
rules:
  - {use: cn.mobile, request: {FIX_POS: {from: 4, to: 7}}}
  - {use: net.email, request: {HMAC: {key: {env: SHOP_KEY}}}}
  - {use: intl.card, request: %s}
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("SHOP_KEY", "0123456789abcdef")

    def write(request: str) -> Masker:
        file = tmp_path / "Shop.yaml"
        file.write_text(CATEGORY % request, "utf-8")
        return Masker(file)

    return write


def test_a_category_masks_with_the_operators_that_it_names(shop: Any) -> None:
    masked = shop("DEFAULT").mask("电话13812345678，a@example.com，卡4111111111111111").text

    assert re.fullmatch(r"电话138\*{4}5678，[0-9a-f]{64}，卡\*{16}", masked)


def test_what_a_category_encrypted_its_owner_decrypts(shop: Any) -> None:
    masked = shop("{AES: {key: {env: SHOP_KEY}}}").mask("卡4111111111111111。").text
    cipher = make(OperatorSpec("AES", {"key": {"env": "K"}}), {"K": "0123456789abcdef"}.__getitem__)

    assert cipher.inverse is not None
    assert cipher.inverse(masked[1:-1], "BANK_CARD") == "4111111111111111"


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ("{AES: {key: {env: SHOP_KEYS}}}", "request: operator AES: the environment variable SHOP_KEYS is not set"),
        ("{FIX_POS: {form: 1}}", "request: operator FIX_POS: there is no parameter form; there are: from"),
        ("nope", "no operator is called 'nope'; there are placeholder, surrogate, DEFAULT, .*PLAINTEXT, encrypt, hash"),
        ("{encrypt: {key: {env: SHOP_KEYS}}}", "operator encrypt: key: the environment variable SHOP_KEYS is not set"),
    ],
)
def test_a_wrong_operator_is_refused_with_file_line_and_rule(shop: Any, request_: str, said: str) -> None:
    with pytest.raises(RuleError, match=said) as caught:
        shop(request_)
    assert "rule intl.card" in str(caught.value)
    assert re.search(r"\.yaml:\d+", str(caught.value))


def test_presidios_operators_take_keys_from_the_environment_too(shop: Any) -> None:
    masked = shop("{encrypt: {key: {env: SHOP_KEY}}}").mask("卡4111111111111111。").text

    assert "4111" not in masked
    assert len(masked) > 30


def test_a_value_that_an_operator_cannot_hide_stops_the_text(shop: Any) -> None:
    with pytest.raises(UnmaskableError, match="operator MAP_REPLACE leaves a BANK_CARD as it is"):
        shop("{MAP_REPLACE: {special: {a: b, b: a}}}").mask("卡4111111111111111")
