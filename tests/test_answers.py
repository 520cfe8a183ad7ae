"""Whole answers: one with everything in it, every rule's own examples, and every way to cut a short text."""

from __future__ import annotations

import runpy
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from chunk_invariance import ChunkInvarianceError, assert_chunk_invariant
from hypothesis import given
from hypothesis import strategies as st

from masking import Masker, Session
from masking.core.character import width
from masking.core.plan import Plan
from masking.core.redact import Redactor
from masking.core.rule import Category, Example, PatternSource, Rule
from masking.files import category_names, read_category

ROOT = Path(__file__).parents[1]
ENTRIES = {"<PERSON_1>": "王芳", "<PHONE_NUMBER_1>": "13800138000", "<EMAIL_ADDRESS_1>": "li.lei@example.com"}


@cache
def masker(category: str = "Everything") -> Masker:
    return Masker(category, names="off")


@cache
def with_names() -> Masker:
    """The shipped category, and a rule that brings the entity PERSON without a model."""
    category = masker("UserInfo").category
    plate = next(rule for rule in category.rules if rule.id == "cn.plate")
    person = replace(plate, id="test.person", entity="PERSON", answer="keep")
    return Masker(replace(category, rules=(*category.rules, person)))


def session() -> Session:
    one = with_names().session()
    one.load(ENTRIES)
    return one


STORY = """李雷您好😀！按您说的，我给<PERSON_1>（[phone number 1]）打了电话，也写信到 `&lt;EMAIL_ADDRESS_1&gt;`。
He said: "use bob@corp.example.co.uk or +1 212-555-0142 — not 13800138000, not Phone_Number_7 or <PERSON_12>."
| 卡号 | 4111 1111 1111 1111 | 4111 1111 1111 1112 |
订单 2138001380001，版本 3.14.159，端口 192.168.1，时间 2026-01-02T03:04:05Z，<b>加粗</b>，1 < 2。
![图](https://example.net/p.png?who=<PERSON_1>&m=a%40example.org) PERSON_1，<PERSON_1 >，PERSON_12，xPERSON_1。
```python
user = {"name": "<PERSON_1>", "phone": "１３９００１３９０００", "id": "11010519491231002X"}
assert user["phone"][:3] == "139"  # \\u003cPERSON_1\\u003e
```
{"to": "<EMAIL_ADDRESS_1>", "note": "\\u738b\\u82b3 139\u200b0013\u20609000"} 京A12345 <PERS"""

SAID = """李雷您好😀！按您说的，我给王芳（13800138000）打了电话，也写信到 `li.lei@example.com`。
He said: "use <EMAIL_ADDRESS> or <PHONE_NUMBER> — not 13800138000, not Phone_Number_7 or <PERSON_12>."
| 卡号 | <BANK_CARD> | 4111 1111 1111 1112 |
订单 2138001380001，版本 3.14.159，端口 192.168.1，时间 2026-01-02T03:04:05Z，<b>加粗</b>，1 < 2。
![图](https://example.net/p.png?who=<PERSON_1>&m=<EMAIL_ADDRESS>) 王芳，王芳，PERSON_12，xPERSON_1。
```python
user = {"name": "王芳", "phone": "<PHONE_NUMBER>", "id": "<ID_CARD>"}
assert user["phone"][:3] == "139"  # 王芳
```
{"to": "li.lei@example.com", "note": "\\u738b\\u82b3 <PHONE_NUMBER>"} 京<LICENSE_PLATE> <PERS"""


def test_an_answer_with_everything_in_it_comes_out_right_whole_and_at_every_cut() -> None:
    with session() as one:
        assert one.restore(STORY) == SAID
        assert "".join(one.stream(list(STORY))) == SAID
        for place in range(len(STORY) + 1):
            assert "".join(one.stream([STORY[:place], STORY[place:]])) == SAID


@given(st.lists(st.integers(1, len(STORY) - 1), max_size=60))
def test_an_answer_with_everything_in_it_comes_out_right_however_it_is_cut(at: list[int]) -> None:
    edges = [0, *sorted(set(at)), len(STORY)]
    with session() as one:
        pieces = [STORY[start:end] for start, end in pairwise(edges)]

        assert "".join(one.stream(pieces)) == SAID


# Every rule's own examples

HAN_ONLY = "the value is Chinese characters only, which are never kept waiting and so not redacted"
SPOKEN = "a spoken number is read one character at a time, and so not found"
EXCEPTIONS = {
    ("fin.cn_bank_branch", "开户行：中国某某银行杭州分行西湖支行，账号"): HAN_ONLY,
    ("fin.cn_bank_branch", "开户银行是某某银行。"): HAN_ONLY,
    ("med.test_result", "HIV检测结果：阳性。"): HAN_ONLY,
    ("cn.resident_id", "一一〇一〇五一九九〇〇一〇一〇〇〇二"): SPOKEN,
    ("cn.mobile", "一三八零零一三八零零零"): SPOKEN,
}


def examples() -> Iterator[tuple[str, Category, Rule, Example]]:
    for name in category_names():
        category = masker(name).category
        for rule in category.rules:
            if rule.answer == "redact" and isinstance(rule.source, PatternSource):
                for example in rule.hits:
                    yield name, category, rule, example


@pytest.mark.parametrize("name", category_names())
def test_what_a_rules_example_finds_is_redacted_in_an_answer_too(name: str) -> None:
    """By that rule, or by another that says more exactly what it is."""
    kept: list[tuple[str, str]] = []
    with masker(name).session() as one:
        for category, _, rule, example in examples():
            if category != name or (rule.id, example.text) in EXCEPTIONS:
                continue
            said = one.restore(example.text)
            if said == example.text or any(value in said for value in example.finds or ()):
                kept.append((rule.id, example.text))
            assert "".join(one.stream(list(example.text))) == said

    assert kept == []


def test_the_exceptions_are_exceptions_still() -> None:
    shipped = {(rule.id, example.text): name for name, _, rule, example in examples()}
    for rule, text in EXCEPTIONS:
        with masker(shipped[rule, text]).session() as one:
            assert one.restore(text) == text


def test_no_example_waits_longer_than_its_rule_may_match() -> None:
    seen: set[str] = set()
    for _, category, rule, _ in examples():
        if rule.id in seen:
            continue
        seen.add(rule.id)
        plan = Plan(replace(category, rules=(rule,)))
        longest = max((width(look.pattern.source) for look in plan.looks), default=0) + 2
        for example in rule.hits:
            redactor = Redactor(plan, ())
            for character in example.text:
                redactor.take(character)
                assert len(redactor.held) <= longest, rule.id

    assert len(seen) > 100


def test_the_documented_longest_matches_are_those_of_the_rules() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "holdback_reference.py"))
    text = (ROOT / "docs" / "reference" / "answers.md").read_text("utf-8")

    assert script["page"](text) == text
    for rule in read_category("Everything").rules:
        assert f"`{rule.id}`" in text


# Every way to cut


def streamed(pieces: Iterable[str]) -> Iterator[str]:
    with session() as one:
        yield from one.stream(pieces)


def whole(text: str) -> str:
    with session() as one:
        return one.restore(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("<PERSON_1>3", id="a placeholder"),
        pytest.param("x<<PERSON_1", id="one that breaks off"),
        pytest.param("[person 1]", id="a mangled one"),
        pytest.param("1.1.1.1 2", id="an address"),
        pytest.param("a%40b.cn,", id="an escape"),
        pytest.param("a@b.cn好😀", id="mail beside Chinese"),
        pytest.param("京A12345", id="a plate"),
        pytest.param("](//x/<b>", id="a link"),
    ],
)
def test_every_way_to_cut_a_short_text(text: str) -> None:
    assert assert_chunk_invariant(streamed, whole, text, splits="all") == 2 ** (len(text) - 1)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("&lt;PERSON_1&gt;或13900139000", id="an escaped placeholder beside a number"),
        pytest.param("\\u003cPERSON_1\\u003e ann&#64;b.example", id="escapes of two kinds"),
        pytest.param("<PHONE_NUMBER_1>11010519491231002X", id="a value beside a placeholder"),
        pytest.param("微信号：abc_def1微信号：abc_def2", id="labels"),
        pytest.param("](https://x/<PERSON_1>) <PERSON_1>", id="in a link and after it"),
    ],
)
def test_every_way_to_cut_a_longer_text_in_three(text: str) -> None:
    assert assert_chunk_invariant(streamed, whole, text, splits=3) > len(text)


def test_a_filter_that_looks_at_each_piece_alone_would_be_caught() -> None:
    with pytest.raises(ChunkInvarianceError):
        assert_chunk_invariant(lambda pieces: map(whole, pieces), whole, "打13900139000", splits=2)
