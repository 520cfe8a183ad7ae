"""Restoring and redacting in one pass: the same for every cut, nothing lost, nothing of a value read again."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from masking import Masker, Session
from masking.core.character import identifies
from masking.core.context import Context
from masking.core.finding import Finding, resolve
from masking.core.pattern import Pattern
from masking.core.plan import Plan, Together, mark
from masking.core.rule import PatternSource
from masking.core.state import plainly
from masking.core.streamview import StreamView, seen
from masking.files import category_names

OWN = {"<PHONE_NUMBER_1>": "13800138000", "<EMAIL_ADDRESS_1>": "li.lei@example.com"}
CATEGORIES = [name for name in category_names() if name != "Everything"] + ["Everything"][
    : "Everything" in category_names()
]


@cache
def masker(category: str = "UserInfo") -> Masker:
    return Masker(category, names="off")


def session(category: str = "UserInfo") -> Session:
    one = masker(category).session()
    entities = masker(category).category.entities
    one.load({placeholder: value for placeholder, value in OWN.items() if placeholder[1:-3] in entities})
    return one


def cut(text: str, at: list[int]) -> list[str]:
    edges = [0, *sorted({place for place in at if 0 < place < len(text)}), len(text)]
    return [text[start:end] for start, end in pairwise(edges)]


def slow_twin(text: str, category: str = "UserInfo") -> str:
    """The promise again: placeholders split the text; in each part every rule looks at all of it, in order."""
    one = session(category)
    only_restored = masker(category).session()
    only_restored._plan = None
    only_restored.load(one.entries())
    parts: list[str] = []
    at = 0
    for length, value in only_restored.stream_object().edits(text, last=True):
        if value is None:
            parts.append(redacted(text[at : at + length], category, one))
        else:
            parts.append(value)
        at += length
    return "".join(parts)


def redacted(text: str, category: str, one: Session) -> str:
    found: list[tuple[Finding, int]] = []
    own = set(one.entries().values())
    kept: set[tuple[int, int]] = set()
    for order, rule in enumerate(masker(category).category.rules):
        source = rule.source
        if rule.answer != "redact" or not isinstance(source, PatternSource):
            continue
        assert rule.context is None or rule.context.side == "before", "the twin knows no other context yet"
        view = StreamView(text)
        for pattern in source.patterns:
            for start, end in pattern.spans(view, source.accepts if source.checks else None):
                first, last = view.original(start, end)
                is_own = text[first:last] in own
                while first < last and not (identifies(text[first]) and seen(text[first])):
                    first += 1
                if first < last:
                    found.append((Finding(first, last, rule.entity, rule.score, rule.id, source.proves), order))
                    if is_own or text[first:last] in own:
                        kept.add((first, last))
    said, at = [], 0
    for finding in resolve(found, text):
        if (finding.start, finding.end) in kept:
            continue
        said += [text[at : finding.start], mark(finding.entity)]
        at = finding.end
    return "".join([*said, text[at:]])


TEXTS = [
    pytest.param("", "", id="nothing"),
    pytest.param("call 13900139000 now", "call <PHONE_NUMBER> now", id="a new phone"),
    pytest.param("打13900139000吧", "打<PHONE_NUMBER>吧", id="beside Chinese"),
    pytest.param("打１３９００１３９０００吧", "打<PHONE_NUMBER>吧", id="full-width"),
    pytest.param("139\u200b0013\ufeff9000", "<PHONE_NUMBER>", id="zero-width characters inside"),
    pytest.param("call 13800138000 now", "call 13800138000 now", id="the user's own is kept"),
    pytest.param("<PHONE_NUMBER_1> or 13900139000", "13800138000 or <PHONE_NUMBER>", id="restored beside redacted"),
    pytest.param("<PHONE_NUMBER_1>0 x", "138001380000 x", id="a restored value is not read again"),
    pytest.param("mail bob@corp.example.co.uk.", "mail <EMAIL_ADDRESS>.", id="a tail of an address"),
    pytest.param(
        "https://example.com/reset?user=ann@example.org",
        "https://example.com/reset?user=<EMAIL_ADDRESS>",
        id="in a URL",
    ),
    pytest.param("192.0.2.45, 10.20.30.4", "<IP_ADDRESS>, <IP_ADDRESS>", id="addresses with a tail"),
    pytest.param("卡号4111 1111 1111 1111，谢谢", "卡号<BANK_CARD>，谢谢", id="a card in groups"),
    pytest.param("我的车牌是京A12345。", "我的车牌是京<LICENSE_PLATE>。", id="a plate keeps its province"),
    pytest.param("京\u200bA\u200b12345。", "京\u200b<LICENSE_PLATE>。", id="what shows nothing behind the province"),
    pytest.param("微信号：abc_def1 ok", "微信号：<WECHAT_ID> ok", id="context before a value"),
    pytest.param("SSN 078-05-1120", "SSN <US_SSN>", id="SSN"),
    pytest.param("订单 2138001380001，共 3 件", "订单 2138001380001，共 3 件", id="a near miss"),
    pytest.param("?m=ann%40example.org&x", "?m=<EMAIL_ADDRESS>&x", id="percent-encoded"),
    pytest.param(
        "ann&#64;example.org ann&#x40;example&#46;org", "<EMAIL_ADDRESS> <EMAIL_ADDRESS>", id="character references"
    ),
    pytest.param("ann\\u0040example.org", "<EMAIL_ADDRESS>", id="a JSON escape in text"),
    pytest.param("call %2B1%20212-555-0142 now", "call <PHONE_NUMBER> now", id="a number that begins with an escape"),
    pytest.param("100% of a & b\\c %4", "100% of a & b\\c %4", id="signs that begin no escape"),
    pytest.param("1380013800", "1380013800", id="a stream that ends inside a number"),
    pytest.param("x@", "x@", id="a stream that ends inside an address"),
    pytest.param("\ud800 13900139000 \x00", "\ud800 <PHONE_NUMBER> \x00", id="a lone surrogate and NUL"),
]


@pytest.mark.parametrize(("text", "said"), TEXTS)
def test_new_values_are_redacted_and_the_sessions_restored(text: str, said: str) -> None:
    with session() as one:
        assert one.restore(text) == said


@given(st.lists(st.integers(0, 200), max_size=8))
def test_what_is_redacted_is_counted_once_however_it_is_cut(at: list[int]) -> None:
    text = "Call <PHONE_NUMBER_1>, 13900139000 or han@example.com; not 13800138000. Or 13700137000, han@example.com?"
    one = session()
    said = "".join(one.stream(cut(text, at)))

    assert one.redacted == {"PHONE_NUMBER": 2, "EMAIL_ADDRESS": 2}
    assert said.count("<") == 4
    one.close()
    assert sum(one.redacted.values()) == 4


@pytest.mark.parametrize(
    "written",
    [
        pytest.param("\u200b".join("4000 0000 0000 0010"), id="zero-width between every two"),
        pytest.param("".join(f"&#{ord(digit)};" for digit in "4000000000000010"), id="character references"),
        pytest.param("".join(f"\\u{ord(digit):04x}" for digit in "4000000000000010"), id="JSON escapes"),
    ],
)
def test_a_value_written_in_far_more_characters_than_it_has_waits_whole(written: str) -> None:
    with masker("Financial").session() as one:
        assert "".join(one.stream(list(f"pay {written}, please"))) == "pay <BANK_CARD>, please"


@pytest.mark.parametrize(("text", "said"), TEXTS)
def test_every_single_cut_gives_the_same(text: str, said: str) -> None:
    with session() as one:
        for place in range(len(text) + 1):
            stream = one.stream_object()

            assert stream.feed(text[:place]) + stream.feed(text[place:]) + stream.flush() == said
        stream = one.stream_object()

        assert "".join(map(stream.feed, text)) + stream.flush() == said
        assert not stream.held


fragments = st.sampled_from(
    [
        *(str(case.values[0]) for case in TEXTS),
        *OWN,
        *OWN.values(),
        "<PHONE_NUM", "BER_1>", "[phone number 1]", "&lt;EMAIL_ADDRESS_1&gt;", "PHONE_NUMBER_1",
        "4111111111111111", "11010519491231002X", "GB82 WEST 1234 5698 7654 32", "+44 20 7946 0018", "(212) 555-0142",
        "742 Evergreen Terrace, Springfield, IL 62704", "上海市浦东新区世纪大道100号3号楼1502室", "护照号：E12345678", "出生于1990年1月2日",
        "password: hunter2hunter2", "sk-EXAMPLEEXAMPLEEXAMPLEEXAMPLE", "AKIAEXAMPLEEXAMPLE12", "00:1A:2B:3C:4D:5E",
        "hello world", "我们今天讨论", "，", "。", " ", "\n", "-", ".", "@", "1", "12", "0", "a", "Z", "_", "京", "沪", "😀", "\u200b",
        "%40", "%3", "1", "&#6", "4;", "&#x40;", "\\u00", "40", "%", "&", "\\", "ann%40example.org", "１３%39",
        "a" * 33, "aGVsbG8x" * 5, "%61" * 30, "\u200b" * 40, "１", "：", '{"a": ', "def f(x):", "3.14", "2026-01-02T03:04:05Z", "550e8400-e29b-41d4-a716-446655440000",
    ]
)  # fmt: skip
answers = st.lists(st.one_of(fragments, fragments, st.text(max_size=3)), max_size=10).map("".join)
cuts = st.lists(st.integers(0, 200), max_size=14)
NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"


@pytest.mark.parametrize("category", CATEGORIES)
@settings(max_examples=4_000 if NIGHTLY else 40)
@given(text=answers, at=cuts)
@example(text="sk-" + "EXAMPLE" * 4 + "aGVsbG8x" * 5 + "ann@example.organn@example.org", at=[])  # the second one only
def test_the_joined_output_does_not_depend_on_the_cuts(category: str, text: str, at: list[int]) -> None:
    with session(category) as one:
        whole = one.restore(text)
        stream = one.stream_object()
        one_by_one = one.stream_object()

        assert "".join(map(stream.feed, cut(text, at))) + stream.flush() == whole
        assert "".join(map(one_by_one.feed, text)) + one_by_one.flush() == whole


beside = st.lists(
    st.tuples(
        st.sampled_from([
            "4111 1111 1111 1111", "4111111111111111", "4111 1111 1111 1112", "5500 0055 5555 5559", "13912345678", "+1 212-555-0142",
            "(212) 555-0142", "11010519491231002X", "192.0.2.45", "2001:db8::17", "GB82WEST12345698765432", "123-45-6789", "020 7946 0958",
            "a1.y@ex07.org", "card 4111111111111111", "电话13912345678", "账号", "tel ", "call ", "from ", "to ",
        ])
        | st.text("0123456789", min_size=1, max_size=24)
        | st.lists(st.text("0123456789", min_size=4, max_size=4), min_size=2, max_size=5).map(" ".join),
        st.sampled_from([" ", " ", "-", ",", ", ", "", "\n", "，", " / "]),
    ).map("".join),
    min_size=1, max_size=5,
).map("".join)  # fmt: skip


@pytest.mark.parametrize("category", CATEGORIES)
@settings(max_examples=4_000 if NIGHTLY else 60)
@given(text=beside, at=cuts)
def test_values_side_by_side_are_told_apart_however_they_are_cut(category: str, text: str, at: list[int]) -> None:
    """One that fills all that waits spares the search for others in it, and what follows is found all the same."""
    with session(category) as one:
        whole = one.restore(text)

        for pieces in (cut(text, at), list(text), [text[start : start + 3] for start in range(0, len(text), 3)]):
            assert "".join(one.stream(pieces)) == whole


@settings(max_examples=20_000 if NIGHTLY else 200)
@given(text=answers)
@example(text="微信号：abc_def1微信号：abc_def2")
def test_the_stream_says_what_the_slow_twin_says(text: str) -> None:
    with session() as one:
        assert one.restore(text) == slow_twin(text)


@given(text=answers, sizes=st.lists(st.integers(1, 5), max_size=80))
def test_pieces_seen_before_take_the_quick_way_to_the_same_end(text: str, sizes: list[int]) -> None:
    """The same pieces twice: the second time from memory."""
    with session() as one:
        parts, at = [], 0
        for size in sizes:
            parts.append(text[at : at + size])
            at += size
        parts.append(text[at:])
        first, second = one.stream_object(), one.stream_object()
        slow = "".join(map(first.feed, parts)) + first.flush()

        assert "".join(map(second.feed, parts)) + second.flush() == slow == one.restore(text)


digits = st.text("0123456789", min_size=1, max_size=6)
alike = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "+1 ", "(212) ", "555", "-", " ", ".", ",", "，", "：", "４", "4111 ", "1111", "139", "13912345678", "110105", "19491231",
                "002X", "\u200b", "%40", "@", "ann", ".org", "card ", "卡号", "手机是", "ID card ", "tel", "微信号：", "é", "_", "电话+",
            ]
        ),
        digits,
    ),
    max_size=7,
).map("".join)  # fmt: skip


@pytest.mark.parametrize("category", ["UserInfo", "Financial", "Everything"])
@settings(max_examples=6_000 if NIGHTLY else 150)
@given(
    before=st.one_of(alike, fragments),
    text=alike,
    until=st.integers(0, 4),
    some=st.sampled_from([0, 3, 7, 40]),
    swaps=st.lists(
        st.sampled_from([". ", ", ", "- ", ".,", "1１", "4４", "52", "90", "a1", "éx", "，,", "：，", "京x", "@.", "_x"]), max_size=3
    ),
)  # fmt: skip
@example(before="", text="5.13912345678", until=4, some=0, swaps=[". "])
@example(before="", text="电话13912345678", until=4, some=0, swaps=["1１"])
def test_a_known_shape_tells_what_the_patterns_find(
    category: str, before: str, text: str, until: int, some: int, swaps: list[str]
) -> None:
    """The patterns alone, and by shapes that other texts have left behind: the same candidates."""
    plan = masker(category)._answers()
    touched = plan.automaton.move(plan.automaton.idle, before + text).touched
    if some and len(touched) > 1:
        touched = frozenset(sorted(touched)[some % len(touched) :])
    ends = {plainly(number): max(len(before) - until, 0) for number in touched if until < 4}
    texts = [(before, text)]
    for swap in swaps:
        texts.append((texts[-1][0].replace(*swap), texts[-1][1].replace(*swap)))
    every = tuple(sorted({plainly(number) for number in touched}))
    alone = [sorted(plan.candidates(*one, Together((), every, (), 0, 0), ends)) for one in texts]
    together = plan.together(touched) if touched else Together((), (), (), 0, 0)
    for _ in range(26):
        plan.candidates(*texts[-1], together, ends)

    assert [sorted(plan.candidates(*one, together, ends)) for one in texts] == alone
    assert [sorted(plan.candidates(*one, together, ends)) for one in texts] == alone


@pytest.mark.parametrize("category", CATEGORIES)
@settings(max_examples=6_000 if NIGHTLY else 100)
@given(before=st.sampled_from(["", "card ", "电话", "call ", "password: ", "ID card "]), text=st.one_of(beside, alike))
def test_what_fills_a_text_decides_it_as_all_would(category: str, before: str, text: str) -> None:
    """The others are not looked for, and the findings are those that all of them leave."""
    plan = masker(category)._answers()
    touched = plan.automaton.move(plan.automaton.idle, before + text).touched
    if not touched:
        return
    every = tuple(sorted({plainly(number) for number in touched}))
    alone = plan.candidates(before, text, Together((), every, (), 0, 0), {})
    until = max((one.after for one in alone), default=0)
    together = plan.together(touched)
    for _ in range(26):
        some = plan.candidates(before, text, together, {}, len(text), until)

    assert len(some) <= len(alone)
    kept = resolve([(plan.finding(one), one.order) for one in alone], text)
    assert resolve([(plan.finding(one), one.order) for one in some], text) == kept


def test_what_fills_a_text_but_ranks_behind_is_not_all() -> None:
    """A pattern with context words is looked for after those without, and may rank before them."""
    rule = next(rule for rule in masker().category.rules if rule.answer == "redact")
    wide = replace(rule, id="wide", entity="WIDE", source=PatternSource((Pattern(r"\d{8}"),)), score=0.5, context=None)
    context = Context(["code"], 8, "before", score=0.9)
    near = replace(
        rule, id="near", entity="NEAR", source=PatternSource((Pattern(r"7\d{3}"),)), score=0.6, context=context
    )
    plan = Plan(replace(masker().category, rules=(wide, near)))
    touched = plan.automaton.move(plan.automaton.idle, "12347123").touched
    found = plan.candidates("", "12347123", plan.together(touched), {}, 8, 8)

    assert [finding.entity for finding in resolve([(plan.finding(one), one.order) for one in found], "12347123")] == [
        "WIDE",
        "NEAR",
    ]


@pytest.mark.parametrize("category", ["UserInfo", "Credentials"])
@given(
    pieces=st.lists(st.sampled_from(["Ab", "x", "9Q", "+/", "aGVs", "/", "7", "@", ".", "eyJ", "sk-", "%", " "]), max_size=90)
)  # fmt: skip
def test_runs_longer_than_any_match_are_cut_alike_from_memory(category: str, pieces: list[str]) -> None:
    long = [piece for piece in pieces if piece not in {"@", "%", " "}] * 2 + pieces
    with session(category) as one:
        whole = one.restore("".join(long))
        for _ in range(3):
            stream = one.stream_object()

            assert "".join(map(stream.feed, long)) + stream.flush() == whole


@pytest.mark.parametrize("category", ["UserInfo", "Everything"])
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a" * 200 + "@example.org, " + "b" * 90, id="a run that becomes an address after all"),
        pytest.param("%61" * 60 + "%40" + "%62" * 40 + "%2eorg now", id="an address in escapes"),
        pytest.param(
            "ann" + "\u200b" * 300 + "@exa" + "\u2060" * 200 + "mple.org now", id="characters that show nothing"
        ),
        pytest.param("１" * 90 + "@example.org", id="full-width"),
        pytest.param("x" * 63 + "." + "y" * 63 + "@z.example.org", id="at the edge of the longest local part"),
        pytest.param(
            "eyJ" + "a" * 300 + ".eyJ" + "b" * 300 + "." + "c" * 300 + "\n", id="an outline longer than others"
        ),
        pytest.param("AccountKey=" + "Ab1+" * 21 + "Ab== x", id="a key behind its name"),
        pytest.param("À13800138000110105194912310Xann@example.org ann", id="an older beginning that is bounded sooner"),
        pytest.param("À13800138000110105194912310Xann&#64;example.org ann", id="the same with an escape"),
    ],
)
def test_a_run_longer_than_any_wait_is_read_alike_however_it_is_cut(category: str, text: str) -> None:
    with session(category) as one:
        whole = one.restore(text)
        for size in (1, 2, 3, 7, 50, 64, 65, 66, 130):
            stream = one.stream_object()
            parts = [text[at : at + size] for at in range(0, len(text), size)]

            assert "".join(map(stream.feed, parts)) + stream.flush() == whole


@pytest.mark.parametrize(
    ("category", "most"),
    [("UserInfo", 64), pytest.param("Credentials", 78, id="the longest key that only its end tells, Azure's")],
)
def test_letters_and_digits_wait_no_longer_than_the_longest_beginning(category: str, most: int) -> None:
    generator = random.Random(3)
    with session(category) as one:
        stream = one.stream_object()
        for _ in range(3_000):
            stream.feed(generator.choice("ABCDEFGHIJabcdefghij0123456789+/"))
            assert len(stream.waiting) <= most


@pytest.mark.parametrize("hidden", [1, 40, 700])
@pytest.mark.parametrize(
    ("category", "before", "value"),
    [("Network", "now", "00:1A:2B:3C:4D:5E"), ("UserInfo", "QQ：", "123456789"), ("UserInfo", "x", "13900139000")],
)
def test_characters_that_show_nothing_never_hide_what_stands_before(
    category: str, before: str, value: str, hidden: int
) -> None:
    text = before + "\u200b" * hidden + value + " now"
    with session(category) as one:
        whole = one.restore(text)
        for size in (1, 7, len(text)):
            stream = one.stream_object()
            parts = [text[at : at + size] for at in range(0, len(text), size)]

            assert "".join(map(stream.feed, parts)) + stream.flush() == whole


@given(text=answers)
def test_what_waits_is_bounded(text: str) -> None:
    with session() as one:
        stream = one.stream_object()
        plan = masker()._answers()
        most = max(plan.automaton.widths) + 200
        for character in text * 3:
            stream.feed(character)
            assert len(stream.waiting) <= most


@pytest.mark.parametrize("category", CATEGORIES)
def test_no_pattern_that_looks_at_answers_is_without_an_end(category: str) -> None:
    assert max(masker(category)._answers().automaton.widths) < 5_000


@pytest.mark.parametrize("category", CATEGORIES)
def test_chinese_prose_without_a_digit_never_waits(category: str) -> None:
    prose = (
        "我们在北京和上海讨论了三个方案，手机和电脑都可以，其中第二个最合适。身份证、银行卡、护照、微信、邮箱、密码、地址、"
        "浙江省杭州市西湖区文三路的办公室里，大家说：“好的！”京津沪渝、鲁豫皖苏；出生在春天（那年很冷）……一二三。"
    )
    with session(category) as one:
        stream = one.stream_object()

        assert [stream.feed(character) for character in prose] == list(prose)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a" * 200_000, id="letters"),
        pytest.param("1" * 200_000, id="digits"),
        pytest.param("1 " * 100_000, id="digits and blanks"),
        pytest.param("a.b@" * 50_000, id="almost addresses"),
        pytest.param("192.0.2." * 25_000, id="almost IP addresses"),
        pytest.param("aGVsbG8x" * 25_000, id="base64"),
    ],
)
def test_hostile_text_of_two_hundred_thousand_characters_comes_out_whole_or_redacted(text: str) -> None:
    """Quadratic cost would not end within the run's patience; the cut of 50 characters keeps something waiting."""
    with session() as one:
        stream = one.stream_object()
        said = "".join(stream.feed(text[at : at + 50]) for at in range(0, len(text), 50)) + stream.flush()

        assert said.replace("<", "").replace(">", "")
        assert len(said) <= len(text) + 20


# JSON lanes

documents = st.recursive(
    st.one_of(
        answers, st.integers(0, 2**40), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.none()
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)),
    max_leaves=5,
)


def strings(node: object) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, list):
        for item in node:
            yield from strings(item)
    elif isinstance(node, dict):
        for item in node.values():
            yield from strings(item)


@settings(max_examples=4_000 if NIGHTLY else 80)
@given(document=documents, ascii_only=st.booleans(), at=cuts)
def test_json_stays_json_and_its_strings_become_what_they_would_alone(
    document: object, ascii_only: bool, at: list[int]
) -> None:
    text = json.dumps(document, ensure_ascii=ascii_only)
    with session() as one:
        stream = one.stream_object(json=True)
        said = "".join(map(stream.feed, cut(text, at))) + stream.flush()
        one_by_one = one.stream_object(json=True)

        assert "".join(map(one_by_one.feed, text)) + one_by_one.flush() == said
        read = json.loads(said)
        expected = [one.restore(part) for part in strings(document)]
        assert [part for part in strings(read) if part not in {"<PHONE_NUMBER>", "<BANK_CARD>"}] == [
            part for part in expected if part not in {"<PHONE_NUMBER>", "<BANK_CARD>"}
        ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param('{"a": "\\u003cPHONE_NUMBER_1\\u003e"}', '{"a": "13800138000"}', id="an escaped placeholder"),
        pytest.param('{"m": "x\\u0040example.org"}', '{"m": "<EMAIL_ADDRESS>"}', id="an escaped sign in a value"),
        pytest.param('{"n": 13900139000}', '{"n": "<PHONE_NUMBER>"}', id="a number that is a phone"),
        pytest.param('{"n": 3.14, "k": [1, -2e5]}', '{"n": 3.14, "k": [1, -2e5]}', id="numbers that are nothing"),
        pytest.param(
            '{"t": "\\u4f60\\n\\/\\ud83d\\ude00"}',
            '{"t": "\\u4f60\\n\\/\\ud83d\\ude00"}',
            id="escapes keep their spelling",
        ),
        pytest.param('{"t": "\\\\u003cx"}', '{"t": "\\\\u003cx"}', id="an escaped backslash"),
        pytest.param('{"t": "open', '{"t": "open', id="cut short"),
        pytest.param('{"t": "open\\u00', '{"t": "open\\u00', id="cut short inside an escape"),
        pytest.param("<PHONE_NUMBER_1>", "13800138000", id="no JSON at all"),
    ],
)
def test_json_lanes_understand_escapes(text: str, said: str) -> None:
    with session() as one:
        for parts in ([text], list(text), cut(text, [5, 9, 14])):
            stream = one.stream_object(json=True)

            assert "".join(map(stream.feed, parts)) + stream.flush() == said
