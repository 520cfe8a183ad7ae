"""Streams run compiled where that was built, and say what they say in Python."""

from __future__ import annotations

import gc
import json
import os
import random
import subprocess
import sys
import threading
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masking import Masker, Session
from masking.core.automaton import Automaton
from masking.core.character import identifies
from masking.core.links import LOUD
from masking.core.placeholder import Grammar
from masking.core.plan import Plan
from masking.core.reader import COMPILED
from masking.core.state import State
from masking.files import category_names, read_category

ROOT = Path(__file__).parents[1]
WITHOUT_COMPILER = "streams are not compiled here: that takes a C compiler and Python's headers at `make setup`"
NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
needs_compiled = pytest.mark.skipif(not COMPILED, reason=WITHOUT_COMPILER)

PARTS = [
    "<PERSON_1>", "<PERSON_12>", "PERSON_1", "&lt;PERSON_1&gt;", "%3CPERSON_1%3E", "[PERSON_1]", "<PER", "](", "https://",
    "dana.smith@example.com", "a%40b.org", "+1 212-555-0142", "4111 1111 1111 1111", "4111 1111 1111 1112", "13912345678",
    "11010519491231002X", "京A12345", "192.0.2.45", "2001:db8::1", "密码：abc12345", "card ", "身份证", "手机是", "，", "。",
    "\u200b", "\u00ad", "１２３", "é", "ſ", "😀", "\ud800", "\\u0040", '{"a": "b"}', " ", "\n", "0", "00", "123", "9.5", "the",
    "我们", "AKIAIOSFODNN7EXAMPLE", "x" * 70, "1" * 40, "-", ".", ":", "@",
]  # fmt: skip


def answers(count: int, seed: int) -> list[list[str]]:
    """Texts of such parts, cut at random."""
    generator = random.Random(seed)
    made = []
    for _ in range(count):
        text = "".join(generator.choices(PARTS, k=generator.randrange(1, 24)))
        cuts = sorted(generator.sample(range(len(text)), k=generator.randrange(0, min(len(text), 30))))
        made.append([text[at:end] for at, end in zip([0, *cuts], [*cuts, len(text)], strict=True)])
    return made


@cache
def masker(category: str) -> Masker:
    return Masker(category, names="off")


def session(category: str) -> Session:
    made = masker(category).session()
    made.load({"<PERSON_1>": "Dana Smith", "<EMAIL_ADDRESS_1>": "li.na@example.org"})
    return made


SAY = """
import json, sys
sys.path.insert(0, {root!r})
from masking.core.reader import COMPILED
from tests.test_compiled import session
said = []
for category, pieces in json.load(sys.stdin):
    stream = session(category).stream_object()
    said.append("".join([stream.feed(piece) for piece in pieces]) + stream.flush())
json.dump([COMPILED, said], sys.stdout)
"""


def in_python(code: str, given: str = "", **environment: str) -> str:
    """What a process prints whose streams are not compiled."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=given, capture_output=True, text=True, check=False, cwd=ROOT,
        env={**os.environ, "MASKING_COMPILED": "0", **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@needs_compiled
def test_what_is_said_is_what_is_said_in_python() -> None:
    asked = [(category, pieces) for category in ("UserInfo", "Everything") for pieces in answers(150, 5)]
    ours = []
    for category, pieces in asked:
        stream = session(category).stream_object()
        ours.append("".join([stream.feed(piece) for piece in pieces]) + stream.flush())

    compiled, theirs = json.loads(in_python(SAY.format(root=str(ROOT)), json.dumps(asked)))

    assert not compiled
    assert ours == theirs
    assert sum(text != "".join(pieces) for text, (_, pieces) in zip(ours, asked, strict=True)) > 100


@cache
def plan(category: str) -> Plan:
    return Plan(read_category(category))


@cache
def some(category: str) -> Automaton:
    """Each third pattern, in an automaton that tells digits apart."""
    return plan(category).automaton.exactly(range(0, len(plan(category).looks), 3))


@needs_compiled
@pytest.mark.parametrize("category", category_names())
@settings(max_examples=1_000 if NIGHTLY else 25)
@given(parts=st.lists(st.sampled_from(PARTS), min_size=1, max_size=6))
def test_each_step_is_the_one_that_sets_of_positions_make(category: str, parts: list[str]) -> None:
    for of in (plan(category).automaton, some(category)):
        ours: State = of.idle
        theirs: State = of.idle
        for character in "".join(parts):
            made = of.classes.step(ours, character)  # type: ignore[attr-defined]
            if made is None:
                break
            shown = of._seen(character)
            assert len(shown) == 1
            if character in "123456789" and of._takes_digits_alike(theirs):
                shown = "0"
            step = of._stepped(theirs, shown, identifies(character))
            assert made[1:] == (step.kept, step.touched)
            ours, theirs = made[0], step.state
            assert (ours.groups, ours.unheld, ours.exact) == (theirs.groups, theirs.unheld, theirs.exact)
            assert (ours.word, ours.open, ours.bound) == (theirs.word, theirs.open, theirs.bound)


@given(text=st.text() | st.lists(st.sampled_from(PARTS)).map("".join))
def test_a_text_without_signs_begins_no_form_and_no_link(text: str) -> None:
    grammar = Grammar(["PERSON", "PHONE_NUMBER", "EMAIL_ADDRESS", "ID_CARD"])
    if not any(sign in text for sign in grammar.signs):
        assert grammar.starts.search(text) is None
        assert LOUD.search(text) is None


@pytest.mark.parametrize("wrong", [b"bytes", None, 3, ["a"]], ids=repr)
def test_what_is_no_text_is_refused_and_nothing_is_lost(wrong: object) -> None:
    stream = session("UserInfo").stream_object()
    said = stream.feed("call 139")

    with pytest.raises(TypeError):
        stream.feed(wrong)  # type: ignore[arg-type]

    assert said + stream.feed("12345678 ok") + stream.flush() == "call <PHONE_NUMBER> ok"


def test_a_kind_of_text_is_text() -> None:
    class Token(str):
        __slots__ = ()

    stream = session("UserInfo").stream_object()

    assert "".join(
        map(stream.feed, map(Token, ["call ", "139", "1234", "5678", " <PERS", "ON_1>"]))
    ) + stream.flush() == ("call <PHONE_NUMBER> Dana Smith")


def test_an_empty_piece_is_no_end_of_a_word() -> None:
    for pieces in (["x", "", "PERSON_1"], ["x", "", "", "<PERSON_1>"]):
        stream = session("UserInfo").stream_object()
        said = "".join(map(stream.feed, pieces)) + stream.flush()
        assert said == session("UserInfo").restore("".join(pieces))


def test_streams_that_have_ended_leave_nothing_behind() -> None:
    one = session("UserInfo")
    pieces = [piece for pieces in answers(40, 9) for piece in pieces]

    def run() -> None:
        stream = one.stream_object()
        for piece in pieces:
            stream.feed(piece)
        stream.flush()

    for _ in range(60):  # until all that is remembered is
        run()
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(20):
        run()
    gc.collect()

    assert sys.getallocatedblocks() - before < 200  # 20 streams, some 10,000 pieces


def test_threads_share_a_plan() -> None:
    masker = Masker("Everything", names="off")
    texts = answers(60, 21)
    with masker.session() as one:
        wanted = [one.restore("".join(pieces)) for pieces in texts]
    fresh = Masker("Everything", names="off")
    failed: list[str] = []

    def read(offset: int) -> None:
        with fresh.session() as mine:
            for at in range(len(texts)):
                number = (at + offset) % len(texts)
                said = "".join(mine.stream(texts[number]))
                if said != wanted[number]:
                    failed.append(said)

    threads = [threading.Thread(target=read, args=(offset * 15,)) for offset in range(4)]
    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(switch)

    assert failed == []


def test_the_environment_may_ask_for_streams_in_python() -> None:
    assert in_python("from masking.core.reader import COMPILED; print(COMPILED)").strip() == "False"


def test_what_was_compiled_from_another_version_is_not_used() -> None:
    code = (
        "import sys, types; sys.modules['masking.core.compiled'] = types.ModuleType('masking.core.compiled')\n"
        "from masking.core.reader import COMPILED; from masking import Masker\n"
        "print(COMPILED, ''.join(Masker('UserInfo', names='off').session().stream(['call 139', '12345678'])))"
    )

    assert in_python(code, MASKING_COMPILED="").strip() == "False call <PHONE_NUMBER>"


def test_the_command_says_which_streams_run() -> None:
    code = "from masking.cli import main; main()"
    said = subprocess.run(
        [sys.executable, "-c", code, "--version"], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout

    assert said.strip().endswith("streams compiled" if COMPILED else "streams in Python")
