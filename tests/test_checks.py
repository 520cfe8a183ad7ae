"""The named validators: what they accept and refuse, that they never raise, and that they agree with python-stdnum."""

from __future__ import annotations

import ipaddress
import re
from datetime import date
from importlib.resources import files
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masking.core.check import CHECKS, NEEDS, check
from masking.core.errors import ConfigurationError

ARGUMENTS: dict[str, Any] = {
    "date": {"order": "dmy"},
    "digits": {"min": 3, "max": 8},
    "length": {"min": 2},
    "phone": ["US", "GB", "CN"],
}
EVERY = [pytest.param(name, id=name) for name in CHECKS] + [
    pytest.param({name: argument}, id=f"{name} with an argument") for name, argument in ARGUMENTS.items()
]
EVERY = [
    case for case in EVERY if case.values[0] not in ("digits", "length")
]  # these two make no sense without their bounds


def table(*rows: tuple[Any, str, bool, str]) -> list[Any]:
    return [pytest.param(spec, text, expected, id=why) for spec, text, expected, why in rows]


@pytest.mark.parametrize(
    ("spec", "text", "expected"),
    table(
        ("none", "anything", True, "none confirms everything"),
        ("cn.ric", "11010519491231002X", True, "the example of GB 11643"),
        ("cn.ric", "11010519491231002x", True, "a lower-case X"),
        ("cn.ric", "110105 19900101 0002", True, "blanks between the groups"),
        ("cn.ric", "110105-19900101-0002", True, "hyphens between the groups"),
        ("cn.ric", "110105199001010003", False, "a wrong check digit"),
        ("cn.ric", "11010519900230000X", False, "the thirtieth of February"),
        ("cn.ric", "110105190002290004", False, "1900 was no leap year"),
        ("cn.ric", "310115200002290005", True, "2000 was a leap year"),
        (
            "cn.ric",
            "１１０１０５１９９００１０１０００２",
            False,
            "full-width digits: the view has made them ASCII before",
        ),
        ("cn.ric_plausible", "110105199001010003", True, "a wrong check digit is plausible"),
        ("cn.ric_plausible", "160105199001010003", False, "no province has 16"),
        ("cn.ric_plausible", "110105189912310003", False, "nobody was born in 1899"),
        (
            "cn.ric_plausible",
            "911156198108030024",
            True,
            "a foreigner's permanent residence card: 9, province, country",
        ),
        ("cn.ric_plausible", "830000199201300022", True, "a residence permit for people of Hong Kong, Macao, Taiwan"),
        ("cn.ric15", "110105900101000", True, "the form of the first generation"),
        ("cn.ric15", "110105901301000", False, "month 13"),
        ("cn.ric15", "11010590010100X", False, "a letter in the old form"),
        ("cn.uscc", "91110105MA0000000Y", True, "a credit code"),
        ("cn.uscc", "91110105MA0000000X", False, "a credit code with a wrong last character"),
        ("cn.passport", "E00000012", True, "an ordinary passport"),
        ("cn.passport", "EA0000001", True, "an ordinary passport since 2017"),
        ("cn.passport", "E20231101", False, "a letter and a date is an order number"),
        ("cn.passport", "G11111111", False, "one digit repeated"),
        ("cn.address", "四川省成都市高要区无名路5号", True, "joining words that names of places hold"),
        ("cn.address", "上海来到这里3号", False, "a sentence between a place and a number"),
        ("hk.id", "A123456(3)", True, "the example of the Immigration Department"),
        ("hk.id", "A123456(4)", False, "a Hong Kong number with a wrong check digit"),
        ("tw.id", "A123456789", True, "the usual Taiwan example"),
        ("tw.id", "A123456788", False, "a Taiwan number with a wrong check digit"),
        ("luhn", "4111 1111 1111 1111", True, "the Visa test number in groups"),
        ("luhn", "6222-0200-0000-0000-000", True, "19 digits in groups"),
        ("luhn", "4111111111111112", False, "a wrong Luhn digit"),
        ("luhn", "0000000000000000", False, "zeros pass Luhn but are no card"),
        ("luhn", "42", False, "too short for a card"),
        ("luhn", "4111.1111.1111.1111", False, "dots are no separators of cards"),
        ("iban", "GB05TEST00000000000000", True, "an account of a bank that does not exist"),
        ("iban", "de36 0000 0000 0000 0000 00", True, "lower case and groups"),
        ("iban", "GB06TEST00000000000000", False, "wrong check digits"),
        ("iban", "ZZ05TEST00000000000000", False, "no such country"),
        ("iban", "ES3500000000001111111111", True, "the national check digits inside are not asked"),
        ("phone", "+44 20 7946 0958", True, "a number kept for drama"),
        ("phone", "0044 20 7946 0958", True, "00 instead of +"),
        ("phone", "020 7946 0958", False, "international without a country code"),
        ("phone", "+44 7700 900123", False, "kept for drama, in no use: not valid"),
        ({"phone": "possible"}, "+44 7700 900123", True, "kept for drama: possible by its length"),
        ({"phone": ["GB"]}, "020 7946 0958", True, "a national number"),
        ({"phone": ["US", "GB"]}, "(212) 555-0123", True, "the first of two regions"),
        ({"phone": ["US"]}, "020 7946 0958", False, "a national number of another region"),
        ({"phone": ["US"]}, "+44 20 7946 0958", False, "an international number of another region"),
        ("ipv4", "192.0.2.17", True, "an address for documentation"),
        ("ipv4", "127.0.0.1", False, "loopback"),
        ("ipv4", "255.255.255.0", False, "a mask"),
        ("ipv4", "120.0.0.0", False, "a browser's version"),
        ("ipv4", "2.0.1.5", False, "a version with single digits"),
        ("ipv4", "192.00.2.1", False, "a leading zero"),
        ("ipv6", "2001:db8::1", True, "an address for documentation, shortened"),
        ("ipv6", "fe80::1", True, "a link-local address"),
        ("ipv6", "::1", False, "loopback in IPv6"),
        ("ipv6", "a::b", False, "two names in C++"),
        ("ipv6", "00:11:22:33:44:55:66:77", False, "a hardware address of eight bytes"),
        ("us.ssn", "123-45-6789", True, "a number of an issued area"),
        ("us.ssn", "987-65-4320", False, "kept for advertising"),
        ("us.ssn", "666-12-3456", False, "area 666"),
        ("us.ssn", "078-05-1120", False, "the number in the wallet of 1938"),
        ("uk.nino", "AB 12 34 56 C", True, "a number in pairs"),
        ("uk.nino", "QQ123456C", False, "the prefix of HMRC's own example"),
        ("uk.nino", "GB123456A", False, "a prefix that is never allocated"),
        ("date", "7/14/1995", True, "an American date"),
        ("date", "14.7.95", True, "a European date with a short year"),
        ("date", "14th of July 1995", True, "a date in words"),
        ("date", "Sept. 4, 1990", True, "a shortened month"),
        ("date", "1990 年 1 月 2 日", True, "a Chinese date with blanks"),
        ("date", "19900102", True, "a date without separators"),
        ("date", "31/31/1995", False, "no order makes this a date"),
        ("date", "4 Foo 1990", False, "no such month"),
        ({"date": {"order": "dmy"}}, "7/14/1995", False, "the wrong order"),
        ("email", "first.last+tag@mail.example.co.uk", True, "dots, a tag and a long domain"),
        ("email", "a%40example.com", True, "percent-encoded"),
        ("email", "icon@2x.png", False, "a picture for dense screens"),
        ("email", "git@github.com", False, "the user of a repository's address"),
        ("email", "a..b@example.com", False, "two dots"),
        ("email", "a@example", False, "no top-level domain"),
        ({"digits": {"min": 3}}, "a1b2", False, "two digits are fewer than three"),
        ({"length": {"min": 2, "max": 4}}, "abc", True, "three characters are within two and four"),
        ("digits_vary", "555-0123", True, "digits that vary"),
        ("digits_vary", "111-1111", False, "one digit repeated is no number of anybody"),
        ("digits_vary", "1234567890", False, "counted up"),
        (["luhn", {"length": {"max": 16}}], "4111111111111111", True, "both of two checks"),
        (["luhn", {"length": {"max": 15}}], "4111111111111111", False, "one of two checks"),
    ),
)
def test_a_check_tells_a_value_from_a_look_alike(spec: Any, text: str, expected: bool) -> None:
    assert check(spec)(text) is expected


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param("no.such.check", id="unknown name"),
        pytest.param({"luhn": 3}, id="argument that the check does not take"),
        pytest.param({"phone": "US"}, id="a region that is not in a list"),
        pytest.param({"date": {"order": "ydm"}}, id="an order that nobody writes"),
        pytest.param({"length": {"least": 3}}, id="an unknown bound"),
        pytest.param({"length": {}, "luhn": None}, id="two checks in one mapping"),
        pytest.param("length", id="no bounds"),
    ],
)
def test_a_wrong_check_is_refused_when_it_is_named(spec: Any) -> None:
    with pytest.raises(ConfigurationError):
        check(spec)


def test_an_unknown_check_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"cn\.ric.*iban.*luhn"):
        check("cn.rick")


@pytest.mark.parametrize("spec", EVERY)
@given(
    text=st.one_of(
        st.text(max_size=40),
        st.text(alphabet="0123456789Xx -.+()年月日:/@%ABCE٣２²", max_size=40),
        st.from_regex(r"[0-9A-Z]{8,19}", fullmatch=True),
    )
)
def test_a_check_never_raises(spec: Any, text: str) -> None:
    assert check(spec)(text) in (True, False)


def with_check_digit(head: str) -> str:
    from stdnum.cn import ric

    return head + str(ric.calc_check_digit(head + "0"))


BIRTHS = st.dates(date(1900, 1, 1), date(2099, 12, 31))
PROVINCES = st.sampled_from([11, 15, 23, 31, 37, 44, 46, 50, 54, 61, 65, 71, 81, 82])


@given(PROVINCES, st.integers(0, 9999), BIRTHS, st.integers(0, 999))
def test_exactly_one_check_digit_makes_a_resident_number_valid(
    province: int, county: int, born: date, order: int
) -> None:
    head = f"{province}{county:04}{born:%Y%m%d}{order:03}"
    valid = [head + digit for digit in "0123456789X" if check("cn.ric")(head + digit)]

    assert valid == [with_check_digit(head)]
    assert all(check("cn.ric_plausible")(head + digit) for digit in "0123456789X")


@pytest.fixture(scope="module")
def counties() -> list[str]:
    """Every area code that python-stdnum knows, in whatever years it was in use."""
    province, found = "", []
    for line in (files("stdnum.cn") / "loc.dat").read_text(encoding="utf-8").splitlines():
        code = line.split("=")[0].split()[0]
        if line[0].isdigit():
            province = code
        elif line[0] == " ":
            found.append(province + code)
    return found


def test_every_area_that_stdnum_knows_is_plausible(counties: list[str]) -> None:
    refused = [county for county in counties if not check("cn.ric_plausible")(f"{county}199001010000")]

    assert len(counties) > 3000
    assert refused == []


@given(data=st.data(), born=BIRTHS)
def test_what_stdnum_accepts_as_a_resident_number_we_accept(
    counties: list[str], data: st.DataObject, born: date
) -> None:
    from stdnum.cn import ric

    number = with_check_digit(f"{data.draw(st.sampled_from(counties))}{born:%Y%m%d}000")

    assert check("cn.ric")(number) >= ric.is_valid(number)


@given(st.text(alphabet="0123456789ABCDEFGHJKLMNPQRTUWXY", min_size=18, max_size=18))
def test_what_stdnum_accepts_as_a_credit_code_we_accept(text: str) -> None:
    from stdnum.cn import uscc

    number = "91110105" + text[8:17]
    number += uscc.calc_check_digit(number)

    assert uscc.is_valid(number)
    assert check("cn.uscc")(number)


@given(st.text(alphabet="0123456789", min_size=12, max_size=18))
def test_exactly_one_luhn_digit_makes_a_card(head: str) -> None:
    from stdnum import luhn

    valid = [head + digit for digit in "0123456789" if check("luhn")(head + digit)]

    assert valid == [number for number in [head + luhn.calc_check_digit(head)] if len(set(number)) > 1]


@given(st.text(alphabet="0123456789", min_size=18, max_size=18), st.sampled_from(["DE", "GB", "FR", "NL"]))
def test_an_iban_is_valid_exactly_when_stdnum_says_so(digits: str, country: str) -> None:
    from stdnum import iban

    bban = {"DE": digits, "GB": "TEST" + digits[:14], "FR": digits + "00000", "NL": "TEST" + digits[:10]}[country]
    right = f"{country}{iban.calc_check_digits(f'{country}00{bban}')}{bban}"
    wrong = f"{country}{(int(right[2:4]) + 1) % 100:02}{bban}"

    assert check("iban")(right)
    assert check("iban")(wrong) == iban.is_valid(wrong, check_country=False)


@given(st.integers(0, 999), st.integers(0, 99), st.integers(0, 9999))
def test_a_social_security_number_is_valid_exactly_when_stdnum_says_so(area: int, group: int, serial: int) -> None:
    from stdnum.us import ssn

    text = f"{area:03}-{group:02}-{serial:04}"

    assert check("us.ssn")(text) == ssn.is_valid(text)


@given(st.dates(date(1800, 1, 1), date(2199, 12, 31)))
def test_every_day_of_the_calendar_is_a_date_in_every_order(day: date) -> None:
    assert check({"date": {"order": "ymd"}})(f"{day.year}年{day.month}月{day.day}日")
    assert check({"date": {"order": "mdy"}})(f"{day.month}/{day.day}/{day.year}")
    assert check({"date": {"order": "dmy"}})(f"{day.day}.{day.month}.{day.year}")
    assert check({"date": {"order": "mdy"}})(f"{day:%B} {day.day}, {day.year}")


@given(st.integers(1800, 2199), st.integers(0, 13), st.integers(0, 32))
def test_a_day_that_the_calendar_lacks_is_no_date(year: int, month: int, day: int) -> None:
    try:
        real = bool(date(year, month, day))
    except ValueError:
        real = False

    assert check({"date": {"order": "ymd"}})(f"{year}-{month}-{day}") == real


@given(st.ip_addresses(v=4))
def test_an_ipv4_check_never_accepts_what_is_no_address(address: object) -> None:
    assert not check("ipv4")(f"{address}.1")
    assert not check("ipv6")(str(address))


def test_our_check_digits_are_those_of_python_stdnum() -> None:
    from stdnum import luhn

    generator = Random(5)
    for _ in range(2_000):
        number = "".join(generator.choices("0123456789", k=generator.randrange(13, 20)))

        assert CHECKS["luhn"]()(number) == luhn.is_valid(number)


@given(st.text(alphabet="0123456789ABCDEFGHJKLMNPQRTUWXYIOSVZ", min_size=18, max_size=18), st.integers(0, 30))
def test_a_credit_code_is_valid_exactly_when_stdnum_says_so(text: str, last: int) -> None:
    from stdnum.cn import uscc

    code = f"91110105{text[8:17]}{'0123456789ABCDEFGHJKLMNPQRTUWXY'[last]}"

    for one in (text, code):
        assert check("cn.uscc")(one) == uscc.is_valid(one)


@given(
    st.from_regex(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{10,30}", fullmatch=True) | st.sampled_from(["XX", "IT", "BR", "MU"]),
    st.data(),
)
def test_an_iban_of_any_country_is_valid_exactly_when_stdnum_says_so(number: str, data: st.DataObject) -> None:
    from stdnum import iban

    if len(number) == 2:  # the form that a country has, with digits where letters may be as well
        length = data.draw(st.sampled_from([11, 14, 23, 24, 26]))
        body = data.draw(st.text(alphabet="0123456789AB", min_size=length, max_size=length))
        number = f"{number}{iban.calc_check_digits(f'{number}00{body}')}{body}"

    assert check("iban")(number) == iban.is_valid(number, check_country=False)


@given(st.lists(st.integers(0, 300).map(str) | st.sampled_from(["", "01", "٣", "a", "1000"]), min_size=3, max_size=5))
def test_an_ipv4_address_is_one_that_the_standard_library_reads(parts: list[str]) -> None:
    text = ".".join(parts)
    try:
        packed = ipaddress.IPv4Address(text).packed
    except ValueError:
        expected = False
    else:
        expected = packed[0] not in {0, 127, 255} and max(packed) > 9 and packed[2:] != b"\0\0"

    assert check("ipv4")(text) == expected


@given(st.ip_addresses(v=6).map(str) | st.text(alphabet="0123456789abcF:.", max_size=40))
def test_whatever_is_confirmed_holds_what_its_check_needs(text: str) -> None:
    for name, needed in NEEDS.items():
        assert re.search(needed, text) or not check(name)(text)
