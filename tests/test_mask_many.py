"""Many texts at once are masked as one after another: the same findings, the same texts, in order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking import Masker, models
from masking.core.document import Document
from masking.core.errors import ConfigurationError, UnmaskableError
from masking.core.session import Masked
from masking.masker import _TOGETHER, _TOGETHER_LONG
from masking.models.lac import Lac
from masking.models.rampart import Rampart

KEY = b"sixteen bytes or more"
DATA = Path(__file__).parents[1] / "benchmarks" / "data"

PIECES = [
    "My name is Ann Walker",
    "please call Ruth at +1 555 0147",
    "write to ann.walker@example.com",
    "she lives at 12 Elm Street, Springfield",
    "the build failed again",
    "我叫王小明",
    "联系人：左建军",
    "电话13800138000",
    "住在北京市海淀区中关村大街27号",
    "今天天气很好",
    "<PERSON_1>",
    "Żółć ½ \u200b",
    "",
]
texts = st.lists(st.sampled_from(PIECES), min_size=0, max_size=4).map(lambda some: ", ".join(some)) | st.text(
    max_size=30
)


@settings(max_examples=40)
@given(many=st.lists(texts, max_size=12))
def test_many_texts_are_masked_as_one_by_one(many: list[str]) -> None:
    alone, together = _pair()
    assert [_plain(one) for one in together.mask_many(many)] == [_plain(alone.mask(text)) for text in many]


@settings(max_examples=25)
@given(turns=st.lists(st.tuples(st.integers(0, 2), texts), max_size=12))
def test_sessions_see_their_own_texts_in_order(turns: list[tuple[int, str]]) -> None:
    alone, together = _pair()
    own, shared = [alone.session() for _ in range(3)], [together.session() for _ in range(3)]

    got = list(together.mask_many([text for _, text in turns], sessions=[shared[which] for which, _ in turns]))

    assert [_plain(one) for one in got] == [_plain(own[which].masked(text)) for which, text in turns]
    assert [one.entries() for one in shared] == [one.entries() for one in own]


@pytest.mark.parametrize(
    ("name", "file"), [("latin", "en_own_prompts.jsonl"), ("zh", "zh_own_prompts.jsonl"), ("latin", "secrets.jsonl")]
)
def test_a_model_finds_the_same_in_company(userinfo: Masker, name: str, file: str) -> None:
    model = models.load(name)
    assert isinstance(model, (Lac, Rampart))
    lines = [json.loads(line)["text"] for line in (DATA / file).read_text("utf-8").splitlines()][:150]

    assert model.find_many(lines) == [model.find(line) for line in lines]


@pytest.mark.parametrize("name", ["latin", "zh"])
@pytest.mark.parametrize("length", [3, 4, 7, 31, 64])
@pytest.mark.parametrize("count", [2, 3, 16, 33])
def test_a_network_answers_to_the_bit_what_it_answers_alone(
    userinfo: Masker, name: str, length: int, count: int
) -> None:
    """What batches rest on: with rows of one length, no row changes another, not even in the last bit.

    From three on: a window of one piece stands between two special ones.
    """
    model: Any = models.load(name)
    rows = np.random.default_rng(length * 100 + count).integers(200, 5000, (count, length))

    def run(some: np.ndarray) -> np.ndarray:
        ones = np.ones_like(some)
        feeds = {
            "latin": {"input_ids": some, "attention_mask": ones, "token_type_ids": ones * 0},
            "zh": {"token_ids": some, "length": np.full(len(some), some.shape[1])},
        }
        return np.asarray(model._session.run(None, feeds[name])[0])

    assert np.array_equal(run(rows), np.concatenate([run(row[None]) for row in rows]))


def test_an_identical_text_is_scanned_once(userinfo: Masker, monkeypatch: pytest.MonkeyPatch) -> None:
    masker = Masker("UserInfo")
    seen: list[str] = []
    latin: Any = models.load("latin")
    find_many = latin.find_many

    def watched(self: Rampart, some: list[str]) -> object:
        seen.extend(some)
        return find_many(some)

    monkeypatch.setattr(Rampart, "find_many", watched)
    text = "My name is Ann Walker, scanned once."

    masked = [one.text for one in masker.mask_many([text, "another text", text, text])]

    assert masked[0] == masked[2] == masked[3] != text
    assert sorted(seen) == ["My name is Ann Walker, scanned once.", "another text"]


def test_the_table_of_keyed_texts_is_taken_up(patterns: Masker) -> None:
    masker = Masker("UserInfo", names="off", key=KEY)
    entries: dict[str, str] = {}

    first, again, other = masker.mask_many(["call 13800138000", "13800138000 again", "a@example.com"], entries=entries)

    assert entries[first.text.removeprefix("call ")] == "13800138000"
    assert again.text == first.text.removeprefix("call ") + " again"
    assert entries == {first.text.removeprefix("call "): "13800138000", other.text: "a@example.com"}


def test_texts_are_read_as_results_are_taken(patterns: Masker) -> None:
    read = 0

    def lines() -> Iterator[str]:
        nonlocal read
        while True:
            read += 1
            yield f"line {read}"

    many = patterns.mask_many(lines())
    assert read == 0
    assert next(many).text == "line 1"
    assert read == _TOGETHER


def test_long_texts_are_worked_on_in_smaller_blocks(patterns: Masker) -> None:
    read = 0

    def lines() -> Iterator[str]:
        nonlocal read
        for _ in range(100):
            read += 1
            yield "x " * (_TOGETHER_LONG // 8)

    next(patterns.mask_many(lines()))
    assert read == 4


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("one text", "many texts"),
        (["fine", None], "number 1 (from 0) is NoneType"),
        ([b"bytes"], "number 0 (from 0) is bytes"),
    ],
)
def test_what_is_no_text_is_refused_by_its_place(patterns: Masker, wrong: Any, told: str) -> None:
    with pytest.raises(TypeError) as error:
        list(patterns.mask_many(wrong))
    assert told in str(error.value)


def test_a_table_that_would_mix_people_up_is_refused(patterns: Masker) -> None:
    with pytest.raises(ConfigurationError, match="key"):
        patterns.mask_many(["a"], entries={})
    keyed = Masker("UserInfo", names="off", key=KEY)
    with pytest.raises(ConfigurationError, match="sessions"):
        keyed.mask_many(["a"], entries={}, sessions=[keyed.session()])


def test_too_few_sessions_and_closed_ones_are_refused(patterns: Masker) -> None:
    session = patterns.session()
    with pytest.raises(ConfigurationError, match="fewer sessions"):
        list(patterns.mask_many(["a", "b"], sessions=[session]))
    session.close()
    with pytest.raises(UnmaskableError, match="closed"):
        list(patterns.mask_many(["a"], sessions=[session]))


def _plain(masked: Masked) -> tuple[str, object]:
    return masked.text, masked.findings


@cache
def _pair() -> tuple[Masker, Masker]:
    """Two maskers that know nothing of each other's texts; what one has seen is all it remembers."""
    names: Any = "on" if {model.name for model in models.installed()} >= {"zh", "latin"} else "off"
    return Masker("UserInfo", names=names), Masker("UserInfo", names=names)


@pytest.mark.parametrize(
    ("key", "stays"),
    [("enum", True), ("args", True), ("lang", True), ("x1", True), ("Ann Walker", False), ("ann_walker", False),
     ("王小明", False), ("13800138000", False), ("ann@example.com", False), ("told", False)],
)  # fmt: skip
def test_a_plain_word_as_a_key_is_nobodys_name(userinfo: Masker, key: str, stays: bool) -> None:
    with userinfo.session() as session:
        session.load({"<PERSON_1>": "told"})

        assert session.is_word(key) == stays
        if stays or key != "told":
            assert userinfo.is_word(key) == stays


def test_keys_that_a_model_takes_for_names_do_not_stop_a_request(userinfo: Masker) -> None:
    schema = {"type": "object", "properties": {"args": {"enum": ["a"]}, "lang": {"type": "string"}}}
    with userinfo.session() as session:
        assert Document().mask(schema, session.mask, session.is_word)[0].keys() == {"type", "properties"}
        with pytest.raises(UnmaskableError, match="object key"):
            Document().mask({"王小明": 1}, session.mask, session.is_word)
