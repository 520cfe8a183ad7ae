"""The shipped rules: every example beside a rule is a test of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from masking import Masker, ModelError, RuleError
from masking.core import rulekeys
from masking.core.proof import prove
from masking.core.rule import ModelSource, PatternSource, PresidioSource, Rule
from masking.core.ruleplace import Place
from masking.core.shippedkeys import ShippedKeys, shipped_keys
from masking.core.yamltext import Lines, load
from masking.files import category_names, read_category, recogniser_names, shipped
from masking.masker import detector

RULES = {rule.id: rule for name in category_names() for rule in read_category(name).rules}
ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule_id) for rule_id, rule in RULES.items()])
def test_every_example_beside_a_rule_holds(rule: Rule) -> None:
    try:
        failures = [str(failure) for failure in prove(rule, detector)]
    except ModelError as error:
        pytest.skip(str(error))

    assert failures == []


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule_id) for rule_id, rule in RULES.items()])
def test_every_rule_says_in_two_languages_what_it_is_and_where_its_format_is_defined(rule: Rule) -> None:
    assert set(rule.about) == {"en", "zh"}
    assert rule.origin


def test_every_shipped_recogniser_is_used_by_a_shipped_category() -> None:
    assert set(recogniser_names()) <= set(RULES)


def test_no_python_stands_among_the_data() -> None:
    """A .py file there would be shadowed by, or shadow, another project's `rules` or `providers` package."""
    assert [path for folder in ("rules", "providers") for path in (ROOT / folder).rglob("*.py")] == []
    assert shipped("rules").is_dir()


def test_presidio_stays_behind_a_gate() -> None:
    """Importing Presidio takes seconds, so a rule of UserInfo may ask for it only when its gate matches."""
    ungated = [
        rule.id for rule in RULES.values() if isinstance(rule.source, PresidioSource) and rule.source.gate is None
    ]

    assert ungated == []


def test_userinfo_covers_what_it_promises() -> None:
    entities = {rule.entity for rule in read_category("UserInfo").rules}
    promised = {
        "PERSON", "PHONE_NUMBER", "ID_CARD", "EMAIL_ADDRESS", "BANK_CARD", "ADDRESS", "PASSPORT", "LICENSE_PLATE",
        "WECHAT_ID", "QQ_NUMBER", "US_SSN", "IBAN", "IP_ADDRESS", "DATE_OF_BIRTH",
    }  # fmt: skip

    assert promised <= entities


ORDINARY = [
    pytest.param("请帮我把这段代码改成异步的，并解释一下为什么 for 循环会变慢。", id="Chinese request"),
    pytest.param(
        "订单号 20240118123456789 的物流什么时候更新？共 3 件，合计 1,299.00 元。", id="order number and price"
    ),
    pytest.param("Python 3.11.7 与 numpy 1.26.4 不兼容，升级到 2.4.6 即可。", id="versions"),
    pytest.param("commit 9f27d2491c3e4a5b6c7d8e9f0a1b2c3d4e5f6071 fixed it", id="hash"),
    pytest.param("550e8400-e29b-41d4-a716-446655440000", id="UUID"),
    pytest.param("2026-01-02T03:04:05.123456Z INFO worker=12 took 1234567890 ns", id="log line"),
    pytest.param("ISBN 978-7-111-12345-6, 2nd edition, pp. 1024-1048", id="ISBN"),
    pytest.param("aGVsbG8gd29ybGQgdGhpcyBpcyBiYXNlNjQgdGV4dA==", id="base64"),
    pytest.param("for i in range(1000000000): x[i] = 0.5772156649015328606", id="code and decimals"),
    pytest.param("The meeting is on 12/11/2026 at 10:30 in room 204.", id="a date that is nobody's birthday"),
]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_is_left_alone(patterns: Masker, text: str) -> None:
    assert patterns.scan(text) == []


def test_rules_without_a_model_run_without_presidio_or_a_model() -> None:
    assert any(isinstance(rule.source, ModelSource) for rule in RULES.values())
    assert sum(isinstance(rule.source, PatternSource) for rule in RULES.values()) >= 25


def _plain(value: Any) -> Any:
    """Keys of either reader as plain data."""
    if hasattr(value, "model_dump"):
        return value.model_dump()
    if isinstance(value, ShippedKeys):
        return {key: _plain(one) for key, one in vars(value).items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


@pytest.mark.parametrize("name", [*category_names(), *recogniser_names()])
def test_a_shipped_file_reads_the_same_without_pydantic(name: str) -> None:
    path = ROOT / "rules" / ("recognisers/" + name.replace(".", "/") if "." in name else name)
    data, lines = load(path.with_name(path.name + ".yaml").read_text("utf-8"), name, error=RuleError)
    for kind, one in (
        ("SharedKeys" if "." in name else "CategoryKeys", data),
        *(("UseKeys", u) for u in data.get("rules", ())),
    ):
        slow = rulekeys.validated(getattr(rulekeys, kind), one, Place(name, lines, (), ""))

        assert _plain(shipped_keys(kind, one)) == _plain(slow)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"use": "net.email", "scoer": 1.0}, id="an unknown key"),
        pytest.param({"score": 1.0}, id="a missing key"),
        pytest.param({"use": "net.email", "score": "high"}, id="another type"),
        pytest.param({"use": "net.email", "context": {"within": 3}}, id="a missing key below"),
        pytest.param({"use": "net.email", "allow": {"words": []}}, id="an unknown key below"),
        pytest.param(["net.email"], id="no mapping"),
    ],
)
def test_what_is_not_as_expected_is_left_to_the_strict_reader(wrong: object) -> None:
    assert shipped_keys("UseKeys", wrong) is None
    with pytest.raises(RuleError):
        rulekeys.validated(rulekeys.UseKeys, wrong, Place("f", Lines({}), (), ""))
