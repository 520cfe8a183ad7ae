"""One conversation: stable placeholders, nothing of another's, nothing lost, nothing told sideways."""

from __future__ import annotations

import logging
import threading
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masking import ConfigurationError, Masker, UnmaskableError

CATEGORY = """\
category: Small
version: "1"
about: {en: For these tests, zh: 测试}
rules:
  - {id: mobile, entity: PHONE_NUMBER, pattern: '1[3-9]\\d{9}', not_beside: digit, hits: ["13800138000"], misses: ["1"]}
  - {id: mail, entity: EMAIL, pattern: '[a-z.]+@[a-z]+\\.[a-z]+', hits: ["a@example.com"], misses: ["a"]}
  - {id: any, entity: ANY, pattern: '§[^§]+§', not_beside: none, hits: ["§x§"], misses: ["x"]}
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Masker:
    path: Path = tmp_path_factory.mktemp("rules") / "Small.yaml"
    path.write_text(CATEGORY, "utf-8")
    return Masker(path)


def test_the_same_value_has_the_same_placeholder_in_every_turn(small: Masker) -> None:
    with small.session() as session:
        assert session.mask("打13800138000") == "打<PHONE_NUMBER_1>"
        assert session.mask("a@example.com 13900139000") == "<EMAIL_1> <PHONE_NUMBER_2>"
        assert session.mask("还是13800138000") == "还是<PHONE_NUMBER_1>"


def test_a_conversation_sent_again_in_a_new_session_gets_the_same_placeholders(small: Masker) -> None:
    turns = ["打13800138000", "a@example.com", "或13900139000", "打13800138000"]
    with small.session() as one, small.session() as other:
        first = [one.mask(turn) for turn in turns[:3]]
        again = [other.mask(turn) for turn in turns]

    assert again[:3] == first


def test_one_session_never_restores_anothers_values(small: Masker) -> None:
    with small.session() as alice, small.session() as bob:
        alice.mask("13800138000")

        assert bob.restore("<PHONE_NUMBER_1>") == "<PHONE_NUMBER_1>"
        bob.mask("13900139000")
        assert bob.restore("<PHONE_NUMBER_1>") == "13900139000"
        assert alice.restore("<PHONE_NUMBER_1>") == "13800138000"


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param("<PHONE_NUMBER_1>", id="canonical"),
        pytest.param("[phone number 1]", id="mangled"),
        pytest.param("&lt;EMAIL_1&gt;", id="escaped"),
        pytest.param("PHONE_NUMBER_1", id="bare"),
        pytest.param("<LITERAL_1>", id="the form of what is kept apart"),
    ],
)
@pytest.mark.parametrize("order", ["typed first", "value first"])
def test_a_placeholder_that_the_user_typed_is_kept_apart(small: Masker, typed: str, order: str) -> None:
    value = "13800138000 a@example.com"
    text = f"{typed} {value}" if order == "typed first" else f"{value} {typed}"
    with small.session() as session:
        masked = session.mask(text)

        assert masked.count("<LITERAL_1>") == 1
        assert "13800138000" not in masked
        assert session.restore(masked) == text


def test_masking_what_is_masked_already_can_still_be_undone(small: Masker) -> None:
    with small.session() as session:
        once = session.mask("打13800138000")
        twice = session.mask(once)

        assert session.restore(twice) == once
        assert session.restore(once) == "打13800138000"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("\ud800 13800138000 \udfff", id="lone surrogates"),
        pytest.param("\x0013800138000\x00", id="NUL"),
        pytest.param("😀13800138000👩‍👩‍👧", id="emoji with joiners"),
        pytest.param("1380\u200b0138000", id="zero-width character inside"),
        pytest.param("§<PHONE_NUMBER_1>§", id="a value that contains a placeholder"),
        pytest.param("§<EMAIL_1§ a@example.com", id="a value that contains half a placeholder"),
        pytest.param("\u202e13800138000", id="right-to-left"),
        pytest.param(
            "C:\\13800138000\\> \\[13800138000\\] <13800138000>", id="signs that look like escapes around a value"
        ),
    ],
)
def test_odd_text_makes_the_round_trip(small: Masker, text: str) -> None:
    with small.session() as session:
        session.mask("13900139000 b@example.com")
        masked = session.mask(text)

        assert session.restore(masked) == text


values = st.sampled_from(
    ["13800138000", "a@example.com", "§<PERSON_1>§", "<PHONE_NUMBER_1>", "EMAIL_1", "\\", "<", "_1>"]
)
texts = st.lists(st.one_of(values, st.text(max_size=6)), max_size=8).map("".join)


@given(st.lists(texts, min_size=1, max_size=4))
def test_whatever_is_masked_comes_back(small: Masker, turns: list[str]) -> None:
    with small.session() as session:
        masked = [session.mask(turn) for turn in turns]

        assert [session.restore(one) for one in masked] == turns


def test_ten_megabytes_in_one_message(small: Masker) -> None:
    text = "没有什么 nothing here 12345\n" * 450_000 + "13800138000"
    assert len(text) > 10_000_000
    with small.session() as session:
        masked = session.mask(text)

        assert masked == text[:-11] + "<PHONE_NUMBER_1>"
        assert session.restore(masked) == text


@pytest.mark.parametrize(
    "wrong", [pytest.param(b"x", id="bytes"), pytest.param(None, id="None"), pytest.param(3, id="int")]
)
def test_what_is_no_text_is_refused_by_its_type(small: Masker, wrong: object) -> None:
    with small.session() as session:
        for call in (session.mask, session.restore, small.scan, small.mask):
            with pytest.raises(TypeError, match=type(wrong).__name__):
                call(wrong)  # type: ignore[arg-type]


def test_a_closed_session_refuses_to_mask_and_has_forgotten(small: Masker) -> None:
    session = small.session()
    masked = session.mask("13800138000")
    session.close()

    with pytest.raises(UnmaskableError, match="closed"):
        session.mask("13800138000")
    assert session.restore(masked) == masked
    assert session.entries() == {}


def test_entries_move_a_conversation_to_another_session(small: Masker) -> None:
    with small.session() as one:
        one.mask("13800138000 a@example.com")
        entries = one.entries()
    with small.session() as other:
        other.load(entries)

        assert other.mask("13900139000, a@example.com") == "<PHONE_NUMBER_2>, <EMAIL_1>"
        assert other.restore("<PHONE_NUMBER_1>") == "13800138000"


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param({"<PERSON_1>": "x"}, id="an entity of another category"),
        pytest.param({"<EMAIL_01>": "x"}, id="not canonical"),
        pytest.param({"EMAIL_1": "x"}, id="no brackets"),
        pytest.param({"<EMAIL_x>": "x"}, id="no number"),
    ],
)
def test_entries_that_are_not_this_categorys_are_refused(small: Masker, entries: dict[str, str]) -> None:
    with small.session() as session, pytest.raises(ConfigurationError, match="Small"):
        session.load(entries)


def test_entries_that_contradict_the_session_are_refused(small: Masker) -> None:
    with small.session() as session:
        session.mask("13800138000")
        with pytest.raises(ConfigurationError, match="another value"):
            session.load({"<PHONE_NUMBER_1>": "13900139000"})


def test_threads_share_a_session_without_two_placeholders_for_one_value(small: Masker) -> None:
    numbers = [f"138001380{number:02}" for number in range(40)]
    masked: list[str] = []
    with small.session() as session:
        threads = [threading.Thread(target=lambda: masked.append(session.mask(" ".join(numbers)))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(set(masked)) == 1
        assert session.restore(masked[0]) == " ".join(numbers)


def test_no_repr_error_or_log_shows_a_value(small: Masker, caplog: pytest.LogCaptureFixture) -> None:
    secret = "13800138000"
    told: list[str] = []
    with caplog.at_level(logging.DEBUG), small.session() as session:
        masked = session.masked(f"打{secret}")
        told += [repr(session), repr(masked), repr(masked.findings), repr(small), repr(session.stream_object())]
        for entries in ({"<EMAIL_9>x": secret}, {"<PHONE_NUMBER_1>": secret + "0"}):
            try:
                session.load(entries)
            except ConfigurationError:
                told.append(traceback.format_exc())
    told.append(caplog.text)

    assert len(told) == 8
    assert not [text for text in told if secret in text]


def test_a_value_that_one_turn_tells_is_found_in_the_next(small: Masker) -> None:
    """`§…§` is found by its signs; the next turn writes the value without them, and spaced."""
    with small.session() as session:
        session.mask("mail li.lei@example.com or 13800138000")

        assert "138 0013 8000" not in session.mask("yes, 138 0013 8000")
        assert session.restore(session.mask("yes, 138 0013 8000")) == "yes, 138 0013 8000"
    with small.session() as other:
        assert other.mask("yes, 138 0013 8000") == "yes, 138 0013 8000", "known from the conversation, not by its shape"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("?m=ann%40example.com&x=1", id="percent-encoded"),
        pytest.param("ann&#64;example.com", id="a character reference"),
        pytest.param("ann\\u0040example.com", id="a JSON escape"),
        pytest.param("１３%38００138000", id="full-width and escaped"),
    ],
)
def test_escaped_values_are_masked_as_they_are_written(small: Masker, text: str) -> None:
    with small.session() as session:
        masked = session.mask(text)

        assert "ann" not in masked
        assert "1380" not in masked
        assert masked.count("_1>") == 1
        assert session.restore(masked) == text


turns = st.lists(
    st.lists(
        st.sampled_from(["13800138000", "138 0013 8000", "a@example.com", "<EMAIL_1>", "§x y§", "x y", "13800138000a@example.com", "é", "%40", " "]),
        max_size=4,
    ).map("".join),
    max_size=4,
)  # fmt: skip


@given(turns)
def test_texts_are_masked_together_as_one_by_one(small: Masker, texts: list[str]) -> None:
    scanned = [small.scan(text) for text in texts]
    with small.session() as one, small.session() as together:
        for text, findings in zip(texts, scanned, strict=True):
            one.expect(text, findings)
        expected = [one.masked(text, findings) for text, findings in zip(texts, scanned, strict=True)]

        assert together.masked_together(texts, scanned) == expected
        assert together.entries() == one.entries()


@given(turns)
def test_a_text_alone_is_masked_as_in_a_new_session(small: Masker, texts: list[str]) -> None:
    for text in texts:
        with small.session() as session:
            assert small.mask(text) == session.masked(text)


def test_masking_together_in_a_closed_session_is_refused(small: Masker) -> None:
    session = small.session()
    session.close()

    with pytest.raises(UnmaskableError, match="closed"):
        session.masked_together(["hello"], [[]])
