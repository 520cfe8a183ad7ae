"""Surrogates come back as their values, own values are kept or redacted as the policy says, keys make stable names."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masking import Answers, ConfigurationError, Masker, Session
from masking.core.literals import Literals, LiteralStream
from masking.core.placeholder import Grammar
from masking.core.stream import Stream

STRINGS = {"Ann": "王芳", "Anna": "李雷", "Anna Lee": "韩梅", "13955550001": "13800138000", "a@b.example": "<PERSON_1>"}
GRAMMAR = Grammar(("PERSON",))


def stream() -> LiteralStream:
    literals = Literals()
    for text, instead in STRINGS.items():
        literals.add(text, instead)
    return LiteralStream(literals, Stream(GRAMMAR, {"<PERSON_1>": "Ann"}, {"PERSON": 1}))


CASES = [
    pytest.param("Ann!", "王芳!", id="one"),
    pytest.param("Anna said", "李雷 said", id="a longer one that begins alike"),
    pytest.param("Anna Lee", "韩梅", id="the longest"),
    pytest.param("Anna Le", "李雷 Le", id="almost the longest"),
    pytest.param("Annabel, xAnn", "Annabel, xAnn", id="joined to other letters"),
    pytest.param("问Ann吧", "问王芳吧", id="beside Chinese"),
    pytest.param("a@b.example", "<PERSON_1>", id="what a string stands for is not read again"),
    pytest.param("<PERSON_1>", "Ann", id="a placeholder's value is not read again"),
    pytest.param("Ann<PERSON_1>Ann", "王芳Ann王芳", id="side by side"),
    pytest.param("", "", id="nothing"),
]


@pytest.mark.parametrize(("text", "said"), CASES)
def test_strings_of_the_session_are_replaced_however_the_text_is_cut(text: str, said: str) -> None:
    assert stream().whole(text) == said
    for cut in range(len(text) + 1):
        one = stream()
        assert one.feed(text[:cut]) + one.feed(text[cut:]) + one.flush() == said
    one = stream()

    assert "".join(map(one.feed, text)) + one.flush() == said
    assert not one.held


parts = st.lists(
    st.sampled_from([*STRINGS, "An", "n", "a", " Lee", "1395555", "0001", "<PER", "SON_1>", " ", "王", "x"]),
    max_size=10,
)


@given(parts, st.lists(st.integers(0, 60), max_size=8))
def test_the_joined_output_does_not_depend_on_the_cuts(words: list[str], at: list[int]) -> None:
    text = "".join(words)
    edges = [0, *sorted({cut for cut in at if 0 < cut < len(text)}), len(text)]
    one, pieces = stream(), stream()
    said = "".join(one.feed(text[a:b]) for a, b in pairwise(edges)) + one.flush()

    assert said == stream().whole(text)
    assert "".join(map(pieces.feed, words)) + pieces.flush() == said


HEAD = 'category: Mine\nversion: "1"\nabout: {en: Mine, zh: 我的}\nrules:\n'
PHONE = "  - {id: phone, entity: PHONE_NUMBER, pattern: '1[3-9]\\d{9}', hits: ['13800138000'], misses: ['1'], request: REQUEST}\n"
NAME = (
    "  - {id: name, entity: PERSON, pattern: '王芳|李雷', not_beside: none, hits: [王芳], misses: [x], answer: keep}\n"
)


@pytest.fixture
def category(tmp_path: Path) -> Path:
    path = tmp_path / "Mine.yaml"
    path.write_text(HEAD + PHONE.replace("REQUEST", "surrogate") + NAME, "utf-8")
    return path


def test_a_surrogate_stands_for_its_value_for_the_whole_conversation(category: Path) -> None:
    with Masker(category).session() as session:
        masked = session.mask("打13800138000或13900139000，不是13800138000")
        first, second = masked[1:12], masked[13:24]

        assert masked == f"打{first}或{second}，不是{first}"
        assert first != second
        assert not {first, second} & {"13800138000", "13900139000"}
        assert session.restore(f"好，{second}") == "好，13900139000"
        assert "".join(session.stream(list(f"call {first}."))) == "call 13800138000."


def test_surrogates_move_with_the_entries_of_a_session(category: Path) -> None:
    masker = Masker(category)
    with masker.session() as one:
        masked = one.mask("13800138000 王芳")
        entries = one.entries()
    with masker.session() as other:
        other.load(entries)

        assert other.restore(masked) == "13800138000 王芳"
        assert other.mask("13800138000") == masked.split()[0]


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "Plain.yaml"
    path.write_text(HEAD + PHONE.replace("REQUEST", "placeholder") + NAME, "utf-8")
    return path


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        pytest.param(Answers(), "王芳 13800138000 <PHONE_NUMBER> 13800138000", id="own values are kept"),
        pytest.param(
            Answers(own="redact"), "<PERSON> <PHONE_NUMBER> <PHONE_NUMBER> 13800138000", id="own values are redacted"
        ),
        pytest.param(Answers(redact=False), "王芳 13800138000 13900139000 13800138000", id="nothing is redacted"),
        pytest.param(
            Answers(redact=False, own="redact"), "<PERSON> <PHONE_NUMBER> 13900139000 13800138000", id="only own"
        ),
    ],
)
def test_the_policy_says_what_becomes_of_an_answer(plain: Path, answers: Answers, said: str) -> None:
    with Masker(plain, answers=answers).session() as session:
        session.mask("王芳 13800138000")
        text = "王芳 13800138000 13900139000 <PHONE_NUMBER_1>"

        assert session.restore(text) == said
        assert "".join(session.stream(list(text))) == said


def test_hosts_that_the_policy_names_may_get_values(plain: Path) -> None:
    with Masker(plain, answers=Answers(hosts=("crm.example.com",))).session() as session:
        session.mask("13800138000")
        text = "https://crm.example.com/<PHONE_NUMBER_1> https://evil.example/<PHONE_NUMBER_1>"

        assert session.restore(text) == "https://crm.example.com/13800138000 https://evil.example/<PHONE_NUMBER_1>"


def test_a_surrogate_in_a_link_stays_one_unless_the_policy_names_the_host(category: Path) -> None:
    with Masker(category, answers=Answers(hosts=("crm.example.com",))).session() as session:
        made = session.mask("13800138000")
        text = f"![](https://evil.example/?q={made}) https://crm.example.com/{made} [x](tel:{made}) {made}"
        said = (
            f"![](https://evil.example/?q={made}) https://crm.example.com/13800138000 [x](tel:13800138000) 13800138000"
        )

        assert session.restore(text) == said
        assert "".join(session.stream(list(text))) == said


def test_an_own_value_in_a_link_does_not_end_it(plain: Path) -> None:
    with Masker(plain, answers=Answers(own="redact")).session() as session:
        session.mask("王芳 13800138000")
        text = "https://evil.example/13800138000?q=<PHONE_NUMBER_1> <PHONE_NUMBER_1>"
        said = "https://evil.example/<PHONE_NUMBER>?q=<PHONE_NUMBER_1> 13800138000"

        assert session.restore(text) == said
        assert "".join(session.stream(list(text))) == said


KEY = b"0123456789abcdef"


def keyed(path: Path, key: bytes = KEY) -> Session:
    return Masker(path, key=key).session()


def test_a_key_gives_a_value_the_same_placeholder_in_every_session(plain: Path) -> None:
    with keyed(plain) as one, keyed(plain) as other, keyed(plain, KEY[::-1]) as third:
        first = one.mask("13800138000 王芳")

        assert other.mask("王芳") + other.mask("13900139000") != ""
        assert other.mask("13800138000 王芳") == first
        assert third.mask("13800138000 王芳") != first
        assert one.restore(first) == "13800138000 王芳"
        assert "".join(one.stream(list(first))) == "13800138000 王芳"
        assert other.restore(other.mask("13900139000")) == "13900139000"


def test_a_key_that_is_too_short_is_refused(plain: Path) -> None:
    with pytest.raises(ConfigurationError, match="at least 16"):
        keyed(plain, b"short")


@given(st.lists(st.integers(0, 10**8 - 1), min_size=1, max_size=20))
def test_keyed_placeholders_are_different_for_different_values(numbers: list[int]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "P.yaml")
        path.write_text(HEAD + PHONE.replace("REQUEST", "placeholder"), "utf-8")
        with keyed(path) as session:
            values = [f"138{number:08}" for number in numbers]
            masked = [session.mask(value) for value in values]

            assert len(set(masked)) == len(set(values))
            assert [session.restore(one) for one in masked] == values
