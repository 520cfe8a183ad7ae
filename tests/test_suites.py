"""The suites and obligations that ship: complete, consistent, and true of the rules beside them."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

import pytest

from masking import Masker, ModelError
from masking.core.errors import ConfigurationError, RuleError
from masking.core.yamltext import load
from masking.files import category_names, read_category, shipped

RULES = {rule.id: rule for name in category_names() for rule in read_category(name).rules}
ENTITIES = {rule.entity for rule in RULES.values()}


def _read(folder: str) -> dict[str, Any]:
    entries = sorted(shipped("rules").joinpath(folder).iterdir(), key=lambda entry: entry.name)
    return {
        entry.name.removesuffix(".yaml"): load(entry.read_text("utf-8"), entry.name, error=RuleError)[0]
        for entry in entries
    }


SUITES = _read("suites")
OBLIGATIONS = _read("obligations")
CASES = [
    pytest.param(suite, case, id=f"{name}:{case['id']}") for name, suite in SUITES.items() for case in suite["cases"]
]


def _texts(case: dict[str, Any]) -> list[str]:
    return [case["text"]] if "text" in case else [turn["content"] for turn in case["chat"]]


@cache
def _masker(category: str, names: str) -> Masker:
    return Masker(category, names="off" if names == "off" else "on")


def _findings(suite: dict[str, Any], case: dict[str, Any]) -> list[tuple[str, list[Any]]]:
    try:
        masker = _masker(case.get("category", suite["category"]), suite.get("names", "on"))
    except ModelError as error:
        pytest.skip(str(error))
    with masker.session() as session:
        return [(text, list(session.masked(text).findings)) for text in _texts(case)]


@pytest.mark.parametrize("category", category_names())
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_shipped_category_has_a_suite_in_both_languages(category: str, language: str) -> None:
    suite = SUITES[f"{category}.{language}"]

    assert suite["category"] == category
    assert len(suite["cases"]) >= (60 if category == "UserInfo" else 20)
    if language == "zh":
        assert any("\u4e00" <= letter <= "\u9fff" for case in suite["cases"] for letter in "".join(_texts(case)))


@pytest.mark.parametrize("name", SUITES)
def test_a_suite_says_what_it_is_and_each_case_has_a_name_of_its_own(name: str) -> None:
    suite = SUITES[name]

    assert suite["suite"] == name
    assert set(suite["about"]) == {"en", "zh"}
    assert [found for found, count in Counter(case["id"] for case in suite["cases"]).items() if count > 1] == []


@pytest.mark.parametrize(("suite", "case"), CASES)
def test_what_a_case_names_stands_in_its_text_and_has_an_entity_of_its_category(
    suite: dict[str, Any], case: dict[str, Any]
) -> None:
    text = "\n".join(_texts(case))
    entities = {rule.entity for rule in read_category(case.get("category", suite["category"])).rules}
    masked = case.get("must_mask", [])

    assert masked or case.get("must_keep")
    assert [item for item in masked if item["value"] not in text or item["entity"] not in entities] == []
    assert [kept for kept in case.get("must_keep", []) if kept not in text] == []


@pytest.mark.parametrize(("suite", "case"), CASES)
def test_a_case_holds_or_says_why_not(suite: dict[str, Any], case: dict[str, Any]) -> None:
    wrong: list[str] = []
    for text, findings in _findings(suite, case):
        for item in case.get("must_mask", []):
            wrong += [
                f"{item['entity']} at {start} is not masked"
                for start, end in _places(text, item["value"])
                if not any(one.start <= start and end <= one.end and one.entity == item["entity"] for one in findings)
            ]
        for kept in case.get("must_keep", []):
            wrong += [
                f"{kept!r} is taken for {one.entity}"
                for start, end in _places(text, kept)
                for one in findings
                if one.start < end and start < one.end
            ]

    assert bool(wrong) == ("known_gap" in case), wrong


def _places(text: str, value: str) -> list[tuple[int, int]]:
    starts = [at for at in range(len(text)) if text.startswith(value, at)]
    return [(at, at + len(value)) for at in starts]


@pytest.mark.parametrize("category", [name for name in category_names() if name != "Everything"])
def test_every_rule_of_a_category_is_hit_by_a_case_of_its_suites(category: str) -> None:
    """`Everything` has no rules of its own: they are those of the others."""
    hit = {
        one.rule
        for suite in SUITES.values()
        for case in suite["cases"]
        if case.get("category", suite["category"]) == category
        for _, findings in _findings(suite, case)
        for one in findings
    }

    assert [rule.id for rule in read_category(category).rules if rule.id not in hit] == []


def test_every_category_proves_what_it_keeps_as_well_as_what_it_masks() -> None:
    for name, suite in SUITES.items():
        kept = sum(bool(case.get("must_keep")) for case in suite["cases"])

        assert kept >= len(suite["cases"]) // 4, name


def test_the_files_beside_the_categories_are_no_categories() -> None:
    assert not {"suites", "obligations", "UserInfo.zh", "hipaa_safe_harbor"} & set(category_names())
    for stranger in ("suites", "obligations", "suites/UserInfo.zh", "UserInfo.zh"):
        with pytest.raises(ConfigurationError):
            read_category(stranger)


LEAST = {"pipl": 12, "gbt_35273": 13, "gdpr": 16, "hipaa_safe_harbor": 18, "pci_dss": 8}


@pytest.mark.parametrize("name", LEAST)
def test_an_obligation_names_its_source_and_entities_that_rules_find(name: str) -> None:
    obligation = OBLIGATIONS[name]
    items = obligation["items"]

    assert obligation["obligation"] == name
    assert set(obligation["about"]) == {"en", "zh"}
    assert set(obligation["source"]) == {"title", "url"}
    assert len({item["id"] for item in items}) == len(items) >= LEAST[name]
    for item in items:
        assert item["source"]
        assert set(item["about"]) == {"en", "zh"}
        assert set(item["entities"]) <= ENTITIES, item["id"]
        assert len(set(item["entities"])) == len(item["entities"])


@pytest.mark.parametrize("name", LEAST)
def test_what_no_rule_covers_is_said_in_both_languages(name: str) -> None:
    for item in OBLIGATIONS[name]["items"]:
        assert item["entities"] or item.get("gap"), item["id"]
        if "gap" in item:
            assert set(item["gap"]) == {"en", "zh"}, item["id"]


def test_safe_harbor_has_its_eighteen_letters() -> None:
    sources = [item["source"] for item in OBLIGATIONS["hipaa_safe_harbor"]["items"]]

    assert sources == [f"45 CFR 164.514(b)(2)(i)({letter})" for letter in "ABCDEFGHIJKLMNOPQR"]


def test_no_secret_of_a_suite_could_be_a_live_one() -> None:
    """Scanners of code hosts block what looks live: every key is made of words that say what it is."""
    made = ("fake", "deadbeef", "bogus", "qpzry9x8")
    for name, suite in SUITES.items():
        for case in suite["cases"]:
            for item in case.get("must_mask", []):
                if item["entity"] in {"API_KEY", "PRIVATE_KEY"}:
                    assert any(word in item["value"].lower() for word in made), (name, case["id"])
