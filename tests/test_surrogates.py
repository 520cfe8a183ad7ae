"""Surrogates look like the value and belong to nobody, as far as the page says that they can."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import imei, lei, luhn
from stdnum.cn import uscc
from stdnum.es import nif
from stdnum.gb import nhs
from stdnum.it import codicefiscale
from stdnum.pl import pesel

from masking.core.check import check
from masking.core.errors import UnmaskableError
from masking.core.operator_shape import table_of
from masking.core.surrogate import LEAST, fake, surrogate
from masking.files import category_names, read_category

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "operators.md"
SECRET = b"a session's own secret, random"


def fakes(entity: str, value: str, count: int = 40, number: int = 1) -> list[str]:
    return list(islice(surrogate(value, entity, number, SECRET), count))


def shape(text: str) -> str:
    """Digits as 0, letters as A or a, Chinese characters as 中, signs as they are."""
    return "".join(
        "0" if one.isdecimal() else "中" if "\u3400" <= one <= "\u9fff" else "A" if one.isupper() else "a" if one.isalpha() else one
        for one in text
    )  # fmt: skip


# --- in ranges that belong to nobody -----------------------------------------------------------------------------------


def is_valid_number(text: str, region: str | None) -> bool:
    return phonenumbers.is_valid_number(phonenumbers.parse(text, region))


def mod97(text: str) -> int:
    compact = text.replace(" ", "")
    return int("".join(str(int(one, 36)) for one in compact[4:] + compact[:4])) % 97


def area(text: str) -> str:
    return re.sub(r"\W", "", text)[:2]


NOWHERE = {"10", "20", "30", "40", "60"}
DOCUMENTATION = [ipaddress.ip_network(one) for one in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")]


@pytest.mark.parametrize(
    ("entity", "value", "nobodys"),
    [
        pytest.param("PHONE_NUMBER", "13800138000", lambda t: not is_valid_number(t, "CN"), id="Chinese mobile"),
        pytest.param("PHONE_NUMBER", "+86 138-0013-8000", lambda t: not is_valid_number(t, None), id="with +86"),
        pytest.param("PHONE_NUMBER", "0086 13800138000", lambda t: not is_valid_number("+" + t[2:], None), id="with 0086"),
        pytest.param("PHONE_NUMBER", "010-62345678", lambda t: not is_valid_number(t, "CN"), id="Chinese landline"),
        pytest.param("PHONE_NUMBER", "0571-87654321", lambda t: not is_valid_number(t, "CN"), id="twelve digits"),
        pytest.param("PHONE_NUMBER", "(415) 555-2671", lambda t: re.search(r"\d{3}\) 555-01\d\d$", t), id="NANP"),
        pytest.param("PHONE_NUMBER", "+1 415 555 2671", lambda t: re.search(r"^\+1 \d{3} 555 01\d\d$", t), id="+1"),
        pytest.param("PHONE_NUMBER", "07911 123456", lambda t: re.match(r"07700 900\d{3}$", t), id="UK mobile"),
        pytest.param("PHONE_NUMBER", "+44 7911 123456", lambda t: re.match(r"\+44 7700 900\d{3}$", t), id="+44"),
        pytest.param("PHONE_NUMBER", "020 7123 4567", lambda t: re.match(r"020 7946 0\d{3}$", t), id="London"),
        pytest.param("PHONE_NUMBER", "0113 496 0999", lambda t: re.match(r"0163 296 0\d{3}$", t), id="Leeds"),
        pytest.param(
            "PHONE_NUMBER", "+49 30 1234567",
            lambda t: re.sub(r"\D", "", t)[:3] not in map(str, phonenumbers.COUNTRY_CODE_TO_REGION_CODE), id="elsewhere",
        ),
        pytest.param("PHONE_NUMBER", "03-1234-5678", lambda t: t.startswith("00-2"), id="a plan that we do not know"),
        pytest.param("ID_CARD", "11010519491231002X", lambda t: t[:2] in NOWHERE, id="resident number"),
        pytest.param("ID_CARD", "110105 19491231 002X", lambda t: t[:2] in NOWHERE, id="with blanks"),
        pytest.param("ID_CARD", "110105491231002", lambda t: t[:2] in NOWHERE, id="of 15 digits"),
        pytest.param("USCC", "91350100M000100Y43", lambda t: t[2:4] in NOWHERE, id="credit code"),
        pytest.param("BANK_CARD", "4111 1111 1111 1111", lambda t: t[0] == "0", id="card"),
        pytest.param("BANK_ACCOUNT", "6222020200112233445", lambda t: t[0] == "0", id="account"),
        pytest.param("IBAN", "GB82 WEST 1234 5698 7654 32", lambda t: t.startswith("ZZ") and not check("iban")(t), id="IBAN"),
        pytest.param("US_SSN", "123-45-6789", lambda t: re.match(r"9\d\d-[0-4]", t) and not check("us.ssn")(t), id="SSN"),
        pytest.param("US_ITIN", "912-70-1234", lambda t: re.match(r"9\d\d-[0-4]", t), id="ITIN"),
        pytest.param("UK_NINO", "AB 12 34 56 C", lambda t: t[:2] == "QQ" and not check("uk.nino")(t), id="NINO"),
        pytest.param("UK_NHS", "943 476 5919", lambda t: t.startswith("999 "), id="NHS"),
        pytest.param("HK_ID", "A123456(3)", lambda t: not check("hk.id")(t), id="Hong Kong"),
        pytest.param("TWID", "A123456789", lambda t: not check("tw.id")(t), id="Taiwan"),
        pytest.param("IT_FISCAL_CODE", "RSSMRA85T10A562S", lambda t: not codicefiscale.is_valid(t), id="Italy"),
        pytest.param("ES_NIF", "12345678Z", lambda t: not nif.is_valid(t), id="Spain"),
        pytest.param("PL_PESEL", "44051401359", lambda t: not pesel.is_valid(t), id="Poland"),
        pytest.param("PASSPORT", "E12345678", lambda t: re.match(r"E[IO]\d{7}$", t), id="Chinese passport"),
        pytest.param("PASSPORT", "EA1234567", lambda t: re.match(r"E[IO]\d{7}$", t), id="newer Chinese passport"),
        pytest.param("LICENSE_PLATE", "京A12345", lambda t: t[1] == "I", id="Chinese plate"),
        pytest.param("EMAIL_ADDRESS", "a.b@qq.com", lambda t: re.search(r"@example\.(com|net|org)$", t), id="mail"),
        pytest.param("URL", "https://x.cn/me", lambda t: re.match(r"https://example\.(com|net|org)/", t), id="web"),
        pytest.param(
            "IP_ADDRESS", "8.8.8.8", lambda t: any(ipaddress.ip_address(t) in one for one in DOCUMENTATION), id="IPv4"
        ),
        pytest.param(
            "IP_ADDRESS", "2400:3200::1",
            lambda t: ipaddress.ip_address(t) in ipaddress.ip_network("2001:db8::/32"), id="IPv6",
        ),
        pytest.param("MAC_ADDRESS", "3C-22-FB-12-34-56", lambda t: t.startswith("00-00-5E-00-53-"), id="MAC"),
        pytest.param("IMEI", "490154203237518", lambda t: t.startswith("00"), id="IMEI"),
        pytest.param("IMSI", "460001234567890", lambda t: t.startswith("00101"), id="IMSI"),
        pytest.param("ICCID", "89860012345678901234", lambda t: t[0] == "0", id="ICCID"),
        pytest.param("BUSINESS_ID", "110105123456789", lambda t: t[:2] in NOWHERE, id="business licence"),
        pytest.param("TAX_ID", "91350100M000100Y43", lambda t: t[2:4] in NOWHERE, id="taxpayer"),
        pytest.param("EU_VAT", "DE136695976", lambda t: re.match(r"ZZ\d{9}$", t), id="VAT"),
        pytest.param("SWIFT_BIC", "DEUTDEFF500", lambda t: t[4:6] == "ZZ", id="BIC"),
        pytest.param("US_EIN", "12-3456789", lambda t: t.startswith("00-"), id="EIN"),
        pytest.param("US_NPI", "1234567893", lambda t: not check("us.npi")(t), id="NPI"),
        pytest.param("US_MBI", "1EG4-TE5-MK73", lambda t: re.match(r"\d[SLOIBZ][A-Z]\d-", t), id="MBI"),
        pytest.param("US_DEA", "AB1234563", lambda t: not check("us.dea")(t), id="DEA"),
        pytest.param("LEI", "213800KUD8LAJWSQ9D15", lambda t: not lei.is_valid(t), id="LEI"),
        pytest.param("ROUTING_NUMBER", "021000021", lambda t: t[0] == "9", id="ABA"),
        pytest.param("POSTCODE", "310012", lambda t: t[:2] == "00", id="Chinese postcode"),
        pytest.param("POSTCODE", "SW1A 2AA", lambda t: t.startswith("ZZ99 "), id="British postcode"),
        pytest.param("COORDINATES", "30.2741, 120.1551", lambda t: re.match(r"-4\d\.\d{4}, -12\d\.\d{4}$", t), id="map"),
        pytest.param("CARD_EXPIRY", "09/28", lambda t: re.match(r"(0[1-9]|1[0-2])/3\d$", t), id="expiry"),
        pytest.param("ALIPAY_ID", "a@b.cn", lambda t: "@example." in t, id="Alipay by mail"),
        pytest.param("ALIPAY_ID", "13800138000", lambda t: not is_valid_number(t, "CN"), id="Alipay by telephone"),
        pytest.param("DEVICE_ID", "8f14e45f-ceea-467e", lambda t: re.fullmatch("[0-9a-f-]{18}", t), id="hex stays hex"),
        pytest.param("QQ_NUMBER", "123456", lambda t: t[0] == "0", id="QQ"),
        pytest.param("PERSON", "王伟", lambda t: len(t) == 4, id="Chinese name"),
        pytest.param("ADDRESS", "10 Downing Street, London SW1A 2AA", lambda t: " ZZ99 " in t, id="UK postcode"),
        pytest.param("ADDRESS", "1 Main St, Springfield 62704", lambda t: int(t[-5:]) < 501, id="ZIP code"),
    ],
)  # fmt: skip
def test_a_surrogate_is_in_a_range_that_belongs_to_nobody(
    entity: str, value: str, nobodys: Callable[[str], object]
) -> None:
    made = fakes(entity, value)

    assert len(made) == 40
    assert [one for one in made if not nobodys(one)] == []


@pytest.mark.parametrize(
    ("entity", "value", "true"),
    [
        ("BANK_CARD", "4111111111111111", luhn.is_valid),
        ("UK_NHS", "9434765919", nhs.is_valid),
        ("IMEI", "490154203237518", imei.is_valid),
        ("USCC", "91350100M000100Y43", uscc.is_valid),
        ("IBAN", "GB82 WEST 1234 5698 7654 32", lambda text: mod97(text) == 1),
        ("ID_CARD", "11010519491231002X", lambda text: check("cn.ric")("11" + text[2:]) or weighted(text)),
    ],
)
def test_check_digits_are_true_where_the_range_is_nobodys(
    entity: str, value: str, true: Callable[[str], object]
) -> None:
    assert [one for one in fakes(entity, value) if not true(one)] == []


def weighted(text: str) -> bool:
    """ISO 7064 MOD 11-2 by its definition: the weighted sum is 1 modulo 11."""
    values = [10 if one == "X" else int(one) for one in text]
    return sum(value * pow(2, 17 - place, 11) for place, value in enumerate(values)) % 11 == 1


def test_no_shipped_check_takes_a_fake_resident_number_for_a_real_one() -> None:
    for one in fakes("ID_CARD", "11010519491231002X", 200):
        assert not check("cn.ric")(one)
        assert not check("cn.ric_plausible")(one)


# --- of the same shape -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entity", "value"),
    [
        ("PHONE_NUMBER", "+86 138-0013-8000"),
        ("PHONE_NUMBER", "1-415-555-2671"),
        ("PHONE_NUMBER", "+49 (30) 1234567"),
        ("BANK_CARD", "4111-1111-1111-1111"),
        ("IBAN", "DE89 3704 0044 0532 0130 00"),
        ("US_SSN", "123 45 6789"),
        ("UK_NINO", "AB123456C"),
        ("MAC_ADDRESS", "3c:22:fb:12:34:56"),
        ("DATE_OF_BIRTH", "1990-05-17"),
        ("LICENSE_PLATE", "AB12 CDE"),
        ("API_KEY", "sk-Ab3_x9"),
        ("EMPLOYEE_ID", "工号A-10234"),
    ],
)
def test_a_surrogate_has_the_shape_of_its_value(entity: str, value: str) -> None:
    if entity == "MAC_ADDRESS":
        assert all(re.fullmatch("([0-9a-f]{2}:){5}[0-9a-f]{2}", one) for one in fakes(entity, value))
    else:
        assert {shape(one) for one in fakes(entity, value)} == {shape(value)}


@pytest.mark.parametrize(
    ("value", "pattern"),
    [
        ("John", r"[A-Z][a-z]+"),
        ("JOHN SMITH", r"[A-Z]+ [A-Z]+"),
        ("mary ann lee", r"[a-z]+ [a-z]+ [a-z]+"),
        ("张三", r"[\u4e00-\u9fff]{4}"),
        ("Иван Петров", r"[A-Z][a-z]+ [A-Z][a-z]+"),
    ],
)
def test_a_name_keeps_its_case_its_words_and_chinese_its_script(value: str, pattern: str) -> None:
    assert all(re.fullmatch(pattern, one) for one in fakes("PERSON", value))


def test_a_chinese_address_keeps_its_elements() -> None:
    for one in fakes("ADDRESS", "浙江省杭州市西湖区文三路489号302室"):
        assert re.fullmatch(r"新..省.{3}市.{3}区.{3}路\d{3}号\d+室", one)


@pytest.mark.parametrize("value", ["1990年5月17日", "17 May 1990", "05/17/90", "19900517"])
def test_a_date_moves_by_at_most_four_years_in_its_notation(value: str) -> None:
    for one in fakes("DATE_OF_BIRTH", value):
        assert check("date")(one)
        assert re.sub(r"\d+|[A-Z][a-z]{2}", "#", one) == re.sub(r"\d+|[A-Z][a-z]{2}", "#", value)


# --- properties --------------------------------------------------------------------------------------------------------

ENTITIES = sorted({rule.entity for name in category_names() for rule in read_category(name).rules} | {"AGE", "API_KEY"})


@given(st.sampled_from(ENTITIES), st.text(min_size=1, max_size=40))
def test_whatever_the_value_a_fake_tells_nothing_of_it_and_is_long_enough(entity: str, value: str) -> None:
    for one in fakes(entity, value, 5):
        assert len(one) >= LEAST
        assert one != value
        assert len(value) < (LEAST if value.isascii() else 2) or value.casefold() not in one.casefold()


@given(st.sampled_from(ENTITIES), st.text("0123456789 -+()ABCx王", min_size=1, max_size=24))
def test_values_that_are_nearly_numbers_do_not_make_it_fail(entity: str, value: str) -> None:
    made = fakes(entity, value, 3)

    assert made
    assert all(len(one) >= LEAST for one in made)


@given(st.sampled_from(ENTITIES), st.text(min_size=1, max_size=20), st.integers(1, 2000), st.binary(min_size=16))
def test_the_arguments_determine_the_fakes(entity: str, value: str, number: int, secret: bytes) -> None:
    once, again = (list(islice(surrogate(value, entity, number, secret), 5)) for _ in range(2))

    assert once == again
    assert len(set(once)) == len(once)


@given(st.text(min_size=1, max_size=20))
def test_an_unknown_entity_keeps_the_kind_of_every_character(value: str) -> None:
    for one in fakes("SOMETHING_ELSE", value, 3):
        if len(one) == len(value) and any(map(table_of, value)):
            assert all(
                new in table_of(old) if table_of(old) else new == old for old, new in zip(value, one, strict=True)
            )


def test_another_session_has_other_fakes() -> None:
    values = [f"1380013{number:04}" for number in range(50)]
    ours = [next(surrogate(value, "PHONE_NUMBER", 1, SECRET)) for value in values]
    theirs = [next(surrogate(value, "PHONE_NUMBER", 1, b"another secret of 16")) for value in values]

    assert not set(ours) & set(theirs)


# --- story -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entity", "values"),
    [
        ("PERSON", [f"王{chr(0x4E00 + number)}" for number in range(2000)]),
        ("PHONE_NUMBER", [f"1380013{number:04}" for number in range(2000)]),
        ("PHONE_NUMBER", [f"07911 12{number:04}" for number in range(1000)]),
        ("IP_ADDRESS", [f"8.8.{number // 250}.{number % 250 + 1}" for number in range(2000)]),
        ("MAC_ADDRESS", [f"3c:22:fb:12:{number // 256:02x}:{number % 256:02x}" for number in range(1000)]),
        ("EMAIL_ADDRESS", [f"user{number}@corp.example" for number in range(2000)]),
    ],
)
def test_a_long_conversation_gets_as_many_fakes_as_it_has_values(entity: str, values: list[str]) -> None:
    taken: set[str] = set(values)
    for number, value in enumerate(values, start=1):
        one = fake(value, entity, number, SECRET, taken.__contains__)
        assert one not in taken
        taken.add(one)


def test_when_a_shape_is_used_up_the_value_does_not_leave() -> None:
    with pytest.raises(UnmaskableError, match="no surrogate is left for another AGE") as caught:
        fake("34", "AGE", 1, SECRET, lambda one: True)
    assert "34" not in str(caught.value)


def test_every_value_that_the_shipped_rules_find_has_a_fake() -> None:
    seen = 0
    for name in category_names():
        for rule in read_category(name).rules:
            for value in (text for hit in rule.hits for text in hit.finds or ()):
                made = fakes(rule.entity, value, 3)
                assert made, (rule.id, value)
                assert all(len(one) >= LEAST for one in made), rule.id
                assert not any(value in one for one in made if len(value) >= LEAST), rule.id
                seen += 1
    assert seen > 100


def test_the_page_names_every_entity_that_has_fakes_of_its_own() -> None:
    from masking.core.surrogate import _MAKERS

    table = PAGE.read_text("utf-8").partition("## surrogate")[2].partition("\n## ")[0]
    named = set(re.findall(r"`([A-Z][A-Z_]+)`", table))

    assert set(_MAKERS) - named <= {"IBAN_CODE", "DRIVER_LICENSE", "QQ_NUMBER"}
    assert named - set(_MAKERS) == set()


@pytest.mark.parametrize("entity", ENTITIES)
@pytest.mark.parametrize(
    "value",
    [
        "110105194912310021王",
        "１１０１０５１９４９１２３１００２１",
        "x" * 400,
        "1" * 400,
        "😀😀😀😀",
        "\ud800\ud800",
        "ÄÖÜ-٣٤٥",
    ],
)
def test_no_odd_value_makes_any_entity_fail_or_shines_through(entity: str, value: str) -> None:
    made = fakes(entity, value, 3)

    assert made
    assert all(value not in one for one in made)
