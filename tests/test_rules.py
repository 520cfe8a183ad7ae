"""The shipped rules: every example beside a rule is a test of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from masking import Masker, ModelError
from masking.core.proof import prove
from masking.core.rule import ModelSource, PatternSource, PresidioSource, Rule
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
