"""New names in answers: found sentence by sentence, the same for every cut, and never in place of what is surer."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masking import Answers, ConfigurationError, Masker
from masking.core.sentences import LONGEST_SENTENCE, sentence_end

TERMS = """
category: Staff
version: "1"
about: {en: "Staff by a list", zh: "员工名单"}
rules:
  - id: staff
    entity: PERSON
    about: {en: "Staff", zh: "员工"}
    source: test
    terms: [王建国, 欧阳锦程, Alice Johnson, 北京]
    not_beside: letter
    hits: ["王建国"]
    misses: ["王"]
  - use: cn.mobile
  - use: net.email
"""


@cache
def staff(folder: Path) -> Masker:
    file = folder / "Staff.yaml"
    file.write_text(TERMS, "utf-8")
    return Masker(file, answers=Answers(names="sentence"))


@pytest.fixture(scope="module")
def masker(tmp_path_factory: pytest.TempPathFactory) -> Masker:
    return staff(tmp_path_factory.mktemp("staff"))


@pytest.mark.parametrize(
    ("text", "end"),
    [
        pytest.param("他来了。我走", "他来了。", id="Chinese full stop"),
        pytest.param("Maybe. No", "Maybe. ", id="a full stop and a blank"),
        pytest.param("He said “yes.” Then", "He said “yes.” ", id="a quotation mark behind it"),
        pytest.param("ask Dr. Alice", "", id="a title"),
        pytest.param("ask J. Alice", "", id="an initial"),
        pytest.param("3.14 is pi.", "", id="a number, and an end that more must tell"),
        pytest.param("one\ntwo", "one\n", id="a line"),
        pytest.param("x" * 299, "", id="no end yet"),
        pytest.param("x" * 300, "x" * 300, id="no end, and enough"),
        pytest.param("a b," + "x" * 300, "a b,", id="no end: behind the last comma"),
    ],
)
def test_a_sentence_ends_where_the_text_says(text: str, end: str) -> None:
    assert text[: sentence_end(text)] == end


TEXTS = [
    pytest.param("请找王建国。他在北京。", "请找<PERSON>。他在<PERSON>。", id="Chinese"),
    pytest.param("Ask Alice Johnson. She knows", "Ask <PERSON>. She knows", id="English"),
    pytest.param("Ask Alice Johnson", "Ask <PERSON>", id="no end"),
    pytest.param("<PERSON_1>和王建国，13900139000。", "欧阳锦程和<PERSON>，<PHONE_NUMBER>。", id="with a placeholder"),
    pytest.param("欧阳锦程说", "欧阳锦程说", id="the user's own is kept"),
    pytest.param("Alice Johnson@example.com", "Alice <EMAIL_ADDRESS>", id="inside an address"),
    pytest.param("<PERSON_", "<PERSON_", id="half a placeholder"),
    pytest.param("", "", id="nothing"),
]


@pytest.mark.parametrize(("text", "said"), TEXTS)
def test_names_are_redacted_at_every_cut(masker: Masker, text: str, said: str) -> None:
    with masker.session() as session:
        session.mask("我是欧阳锦程")
        assert session.restore(text) == said
        for cut in range(len(text) + 1):
            stream = session.stream_object()

            assert stream.feed(text[:cut]) + stream.feed(text[cut:]) + stream.flush() == said
        stream = session.stream_object()

        assert "".join(map(stream.feed, text)) + stream.flush() == said
        assert not stream.held


fragments = st.sampled_from(
    [
        *(str(case.values[0]) for case in TEXTS),
        "王",
        "建国",
        "。",
        ". ",
        "Dr. ",
        "\n",
        "！",
        " ",
        ",",
        "x" * 140,
        "13900",
        "139000",
    ]
)
answers = st.lists(st.one_of(fragments, st.text(max_size=3)), max_size=12).map("".join)


@given(text=answers, at=st.lists(st.integers(0, 400), max_size=12))
def test_the_joined_output_does_not_depend_on_the_cuts(masker: Masker, text: str, at: list[int]) -> None:
    edges = [0, *sorted({place for place in at if 0 < place < len(text)}), len(text)]
    with masker.session() as session:
        session.mask("我是欧阳锦程")
        whole = session.restore(text)
        stream, one_by_one = session.stream_object(), session.stream_object()
        pieces = [text[start:end] for start, end in pairwise(edges)]

        assert "".join(map(stream.feed, pieces)) + stream.flush() == whole
        assert "".join(map(one_by_one.feed, text)) + one_by_one.flush() == whole


def test_what_waits_is_a_sentence_at_most(masker: Masker) -> None:
    with masker.session() as session:
        stream = session.stream_object()
        for character in "王建国在北京，" * 200:
            stream.feed(character)
            assert len(stream.waiting) <= LONGEST_SENTENCE


def test_strings_of_json_are_read_sentence_by_sentence(masker: Masker) -> None:
    with masker.session() as session:
        assert session.restore('{"a": "王建国。北京", "b": 1}', json=True) == '{"a": "<PERSON>。<PERSON>", "b": 1}'


def test_without_being_asked_for_names_wait_for_no_sentence(tmp_path: Path) -> None:
    file = tmp_path / "Staff.yaml"
    file.write_text(TERMS, "utf-8")
    with Masker(file).session() as session:
        stream = session.stream_object()

        assert stream.feed("他是王建国") == "他是王建国"
        assert stream.feed("，Alice Johnson") + stream.feed("，") == "，<PERSON>，"


def test_a_policy_that_says_anything_else_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="names"):
        Answers(names="always")  # type: ignore[arg-type]


def test_models_find_new_names_in_sentences(userinfo: Masker) -> None:
    with Masker("UserInfo", answers=Answers(names="sentence")).session() as session:
        session.mask("我叫王建国")
        text = "请联系张伟经理，或者王建国。Please ask Dr. Alice Johnson, she knows."
        said = session.restore(text)

        assert "张伟" not in said
        assert "Alice" not in said
        assert "王建国" in said
        stream = session.stream_object()
        assert "".join(map(stream.feed, text)) + stream.flush() == said
