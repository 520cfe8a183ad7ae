"""Restoring an answer: every form of a placeholder, every way of cutting it, nothing else."""

from __future__ import annotations

import html
import json
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import pairwise
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from masking.core.form import forms
from masking.core.jsonstream import JsonStream
from masking.core.placeholder import Grammar
from masking.core.stream import Stream, astreamed, streamed

ENTITIES = ("PERSON", "PHONE_NUMBER", "ID_CARD", "ID", "LITERAL")
GRAMMAR = Grammar(ENTITIES)
VALUES = {
    "<PERSON_1>": "王芳",
    "<PERSON_2>": 'Ann "A" <PERSON_1> & Co\\',
    "<PERSON_12>": "李雷",
    "<PHONE_NUMBER_1>": "13800138000",
    "<ID_1>": "x",
    "<LITERAL_1>": "<PERSON_1>",
}
COUNTS = {"PERSON": 12, "PHONE_NUMBER": 1, "ID": 1, "LITERAL": 1}


def stream() -> Stream:
    return Stream(GRAMMAR, VALUES, COUNTS)


def whole(text: str) -> str:
    one = stream()
    return one.feed(text) + one.flush()


def pieces(text: str, cuts: Sequence[int]) -> list[str]:
    edges = [0, *sorted(cut for cut in set(cuts) if 0 < cut < len(text)), len(text)]
    return [text[start:end] for start, end in pairwise(edges)]


FORMS = [
    pytest.param("<PERSON_1>", "王芳", id="canonical"),
    pytest.param("<person_1> <Person_1>", "王芳 王芳", id="any case"),
    pytest.param("＜PERSON_1＞〈PERSON_1〉«PERSON_1»", "王芳王芳王芳", id="other angle brackets"),
    pytest.param("[PERSON_1]【PERSON_1】［PERSON_1］", "王芳王芳王芳", id="square brackets"),
    pytest.param("{PERSON_1} {{PERSON_1}}", "王芳 王芳", id="braces"),
    pytest.param("<ＰＥＲＳＯＮ＿１>", "王芳", id="full-width letters"),
    pytest.param("&lt;PERSON_1&gt; &#60;PERSON_1&#62; &#x3C;PERSON_1&#x3E;", "王芳 王芳 王芳", id="HTML escapes"),
    pytest.param(r"\u003cPERSON_1\u003e \u003CPERSON_1\u003E", "王芳 王芳", id="JSON escapes"),
    pytest.param("%3CPHONE_NUMBER_1%3E", "13800138000", id="percent escapes"),
    pytest.param(r"\<PERSON\_1\> <PHONE\_NUMBER\_1>", "王芳 13800138000", id="Markdown escapes"),
    pytest.param("<PHONE NUMBER 1> <phone-number-1>", "13800138000 13800138000", id="other separators"),
    pytest.param("<PERSON1> < PERSON_1 >", "王芳 王芳", id="blanks and a lost separator"),
    pytest.param("<PERSON_1 said", "王芳 said", id="closing bracket lost"),
    pytest.param("PERSON_1> said", "王芳 said", id="opening bracket lost"),
    pytest.param("ask PERSON_1. PERSON_1先生", "ask 王芳. 王芳先生", id="bare, on its own"),
    pytest.param(r"C:\<PERSON_1>\x \[PERSON_1]", r"C:\王芳\x \王芳", id="a backslash that escapes nothing is kept"),
    pytest.param("<PERSON_1>'s", "王芳's", id="possessive"),
    pytest.param("[PERSON_1, PERSON_12]", "[王芳, 李雷]", id="a list keeps its brackets"),
    pytest.param('["[PERSON_1]"]', '["王芳"]', id="brackets in brackets"),
    pytest.param("[[PERSON_1]](mailto:<PHONE_NUMBER_1>)", "[王芳](mailto:13800138000)", id="Markdown link"),
    pytest.param("<PERSON_2>", VALUES["<PERSON_2>"], id="a placeholder inside a value is not read again"),
    pytest.param("&lt;PERSON_2&gt;", html.escape(VALUES["<PERSON_2>"]), id="HTML in, HTML out"),
    pytest.param("%3CPERSON_2%3E", quote(VALUES["<PERSON_2>"], safe=""), id="percent in, percent out"),
    pytest.param(
        r"\u003cPERSON_2\u003e", json.dumps(VALUES["<PERSON_2>"], ensure_ascii=False)[1:-1], id="JSON in, JSON out"
    ),
    pytest.param("<LITERAL_1>", "<PERSON_1>", id="what the user typed comes back as typed"),
    pytest.param("<ID_1>", "x", id="an entity that begins another"),
]

KEPT = [
    pytest.param("<PERSON_3>", id="not in the session"),
    pytest.param("<PERSON_123>", id="a longer number"),
    pytest.param("<PERSON_01>", id="a leading zero"),
    pytest.param("<PERSON_1_2>", id="something joined to it"),
    pytest.param("<ID_CARD_1>", id="another entity"),
    pytest.param("<PERSON_>", id="no number"),
    pytest.param("person_1", id="bare in lower case"),
    pytest.param("PERSON 1", id="bare with a blank"),
    pytest.param("XPERSON_1 PERSON_1x PERSON_1_a MY_PERSON_1", id="bare and joined"),
    pytest.param("[PERSON_9", id="an open bracket and no such placeholder"),
    pytest.param(r"\\u003cPERSON_9", id="an escaped backslash"),
    pytest.param("a < b && c > d [1] {x} %20 \\n 100% <b>bold</b>", id="ordinary signs"),
    pytest.param("", id="nothing"),
    pytest.param("😀\ud800<\x00>", id="emoji, surrogate, NUL"),
]


@pytest.mark.parametrize(("text", "restored"), FORMS)
def test_every_form_of_a_placeholder_is_restored(text: str, restored: str) -> None:
    assert whole(text) == restored


@pytest.mark.parametrize("text", KEPT)
def test_everything_else_is_kept(text: str) -> None:
    assert whole(text) == text


TEXTS = [pytest.param(case.values[0], id=case.id) for case in (*FORMS, *KEPT)]


@pytest.mark.parametrize("text", TEXTS)
def test_every_single_cut_gives_the_same(text: str) -> None:
    expected = whole(text)
    for cut in range(len(text) + 1):
        one = stream()

        assert one.feed(text[:cut]) + one.feed(text[cut:]) + one.flush() == expected
    one = stream()

    assert "".join(map(one.feed, text)) + one.flush() == expected


fragments = st.sampled_from(
    [
        *(str(case.values[0]) for case in TEXTS),
        *"<>[]{}&;\\%_-＜＞ 王aP1",
        *VALUES,
        "<PER",
        "SON",
        "_1",
        "PHONE",
        "&lt",
        "\\u003",
        "c",
        "%3",
        "\\",
        "{{",
        "hello ",
        "，你好",
        "<PERSON",
        "0",
    ]
)
answers = st.lists(st.one_of(fragments, st.text(max_size=4)), max_size=12).map("".join)
cuts = st.lists(st.integers(0, 120), max_size=12)


@given(answers, cuts)
@example("<PERSON_1>", [1, 2, 3])
@example("\\\\u003cPERSON_1>", [1])
def test_the_joined_output_does_not_depend_on_the_cuts(text: str, at: list[int]) -> None:
    one = stream()

    assert "".join(map(one.feed, pieces(text, at))) + one.flush() == whole(text)


def _slow_twin(text: str) -> str:
    """The promise again, written with one regular expression and no automaton."""
    angle = (r"(?:<|&lt;|&\#60;|&\#x3c;|\\u003c|%3c)", r"(?:>|&gt;|&\#62;|&\#x3e;|\\u003e|%3e)")
    others = [(r"\\<", r"\\>"), (r"\[", r"\]"), (r"\\\[", r"\\\]"), (r"\{", r"\}"), (r"\{\{", r"\}\}")]
    inner = r"(?:\\\\_|\\_|_|[ ]|-|%5f|&\#95;)"
    names = {entity: inner.join(entity.lower().split("_")) for entity in ENTITIES}
    out: list[str] = []
    at = 0
    folded = "".join(_fold(character) for character in text)
    while at < len(text):
        if text.startswith("\\\\", at):
            out.append("\\\\")
            at += 2
            continue
        best: tuple[int, str] = (at, "")
        for entity, name in names.items():
            for opener, closer in (angle, *others):
                head = rf"{opener}[ ]{{0,2}}{name}{inner}?([1-9][0-9]{{0,17}})"
                for pattern, closed in ((rf"{head}[ ]{{0,2}}{closer}", True), (rf"{head}(?![0-9a-z_])", False)):
                    match = re.compile(pattern).match(folded, at)
                    if not match or not (closed or opener == angle[0]) or match.end() <= best[0]:
                        continue
                    if closed or not re.match(r"[0-9A-Za-z_]", text[match.end() : match.end() + 1]):
                        best = (match.end(), f"<{entity}_{match[1]}>")
            bare = r"\\?_".join(entity.split("_"))
            match = re.compile(rf"(?<![0-9A-Za-z_]){bare}\\?_([1-9][0-9]{{0,17}})(?:(?:>|＞)|(?![0-9A-Za-z_]))").match(
                text, at
            )
            if match and match.end() > best[0]:
                best = (match.end(), f"<{entity}_{match[1]}>")
        value = VALUES.get(best[1])
        if value is None:
            out.append(text[at])
            at += 1
            continue
        form = text[at : best[0]]
        if form[0] in "&＆":
            value = html.escape(value)
        elif form[0] in "%％":
            value = quote(value, safe="")
        elif form[:2].lower() == "\\u":
            value = json.dumps(value, ensure_ascii=False)[1:-1]
        out.append(value)
        at = best[0]
    return "".join(out)


def _fold(character: str) -> str:
    if "！" <= character <= "～":
        return chr(ord(character) - 0xFEE0).lower()
    table = {"〈": "<", "⟨": "<", "‹": "<", "«": "<", "〉": ">", "⟩": ">", "›": ">", "»": ">"}
    table |= {"【": "[", "〔": "[", "】": "]", "〕": "]", "\u3000": " ", "\u00a0": " "}
    return table.get(character, character.lower() if character.isascii() else character)


@given(answers)
def test_the_automaton_restores_what_the_slow_twin_restores(text: str) -> None:
    assert whole(text) == _slow_twin(text)


@given(answers, cuts)
def test_in_a_json_lane_the_joined_text_stays_json(text: str, at: list[int]) -> None:
    document = json.dumps({"key": text}, ensure_ascii=False)
    one = JsonStream(stream, stream())
    restored = "".join(map(one.feed, pieces(document, at))) + one.flush()

    assert isinstance(json.loads(restored), dict)


@given(answers)
def test_what_waits_is_bounded_and_could_still_become_a_placeholder(text: str) -> None:
    one = stream()
    said = 0
    for at, character in enumerate(text, 1):
        said += len(one.feed(character))
        waiting = one.waiting
        assert len(waiting) <= 6 + 2 + 24 + 3 * 5 + 18 + 2 + 6
        assert one.held == bool(waiting)
        assert text[:at].endswith(waiting)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("我们今天讨论了三个方案，其中第二个最合适。", id="Chinese prose"),
        pytest.param("The quick brown fox jumps over the lazy dog.", id="English prose"),
        pytest.param("person phone number id card literal", id="lower-case entity words"),
        pytest.param("1234 5678, 3.14; 2026-01-02", id="numbers"),
    ],
)
def test_ordinary_text_never_waits(text: str) -> None:
    one = stream()

    assert [one.feed(character) for character in text] == list(text)


def test_nothing_waits_in_an_empty_session() -> None:
    one = Stream(GRAMMAR, {}, {})

    assert [one.feed(character) for character in "<PERSON_1>[ID_1]"] == list("<PERSON_1>[ID_1]")


def test_only_forms_that_the_session_could_hold_are_waited_for() -> None:
    assert stream().feed("<PERSON_1") == ""
    assert stream().feed("<PERSON_13") == "<PERSON_13"
    assert stream().feed("<ID_CA") == "<ID_CA"


def test_a_closed_placeholder_does_not_wait_for_what_follows() -> None:
    one = stream()

    assert one.feed("<PERSON_1>") == "王芳"
    assert not one.held
    assert one.feed("[person_1]") == "王芳"


def test_a_flushed_stream_is_ready_for_another_text() -> None:
    one = stream()

    assert one.feed("X") + one.feed("<PERSON") + one.flush() == "X<PERSON"
    assert one.feed("PERSON_1") + one.flush() == "王芳"


@given(answers)
def test_a_text_without_its_forms_holds_nothing_that_any_session_restores(text: str) -> None:
    everything = {f"<{entity}_{number}>": "~" for entity in ENTITIES for number in range(1, 200)}
    cut, at = [], 0
    for start, end in forms(GRAMMAR, text):
        cut.append(text[at:start])
        at = end
    kept = "\n".join([*cut, text[at:]])
    one = Stream(GRAMMAR, everything, dict.fromkeys(ENTITIES, 10**9))

    assert one.feed(kept) + one.flush() == kept


@given(answers)
def test_the_quick_look_never_hides_a_form(text: str) -> None:
    assert GRAMMAR.possible_in(text) or not list(forms(GRAMMAR, text))


@pytest.mark.parametrize(("text", "_"), FORMS)
def test_every_form_counts_as_typed_by_the_user_when_he_types_it(text: str, _: str) -> None:
    restored = whole(text)

    assert restored == text or list(forms(GRAMMAR, text))


class _Source:
    """An iterator that says whether it was closed."""

    def __init__(self, parts: list[str]) -> None:
        self.parts = iter(parts)
        self.closed = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        return next(self.parts)

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        try:
            return next(self.parts)
        except StopIteration:
            raise StopAsyncIteration from None

    def close(self) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True


def test_a_streamed_iterator_yields_what_is_said_and_closes_its_source() -> None:
    source = _Source(["Hi <PER", "SON_1", "> and <PERSON"])

    assert list(streamed(stream(), source)) == ["Hi ", "王芳 and ", "<PERSON"]
    assert source.closed


def test_closing_a_streamed_iterator_early_closes_its_source() -> None:
    source = _Source(["a", "b"])
    restored = streamed(stream(), source)
    next(restored)
    restored.close()  # type: ignore[attr-defined]

    assert source.closed


@pytest.mark.anyio
async def test_an_async_iterator_is_streamed_alike() -> None:
    source = _Source(["Hi <PER", "SON_1", "> and <PERSON"])

    assert [said async for said in astreamed(stream(), source)] == ["Hi ", "王芳 and ", "<PERSON"]
    assert source.closed
