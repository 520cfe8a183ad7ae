"""Events that differ in one plain text alone are not parsed, and nobody can tell."""

from __future__ import annotations

import json
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masking import Masker
from masking.core.answers import Answers
from masking.core.descriptor import load
from masking.core.document import read
from masking.core.lane import Lanes
from masking.core.turn import Turn

PROVIDERS = Path(__file__).parents[1] / "providers"
NAMES = ["openai.chat", "anthropic.messages", "ollama.generate", "dashscope.app.incremental"]
DESCRIPTORS = {name: load((PROVIDERS / f"{name}.yaml").read_text("utf-8"), name) for name in NAMES}
MASKER = Masker("UserInfo", names="off")
RESTORING = Masker("UserInfo", names="off", answers=Answers(redact=False))
STRICT = Masker("UserInfo", names="off", answers=Answers(own="redact"))
OWN = {"<PHONE_NUMBER_1>": "13800138000", "<EMAIL_ADDRESS_1>": 'a"b@example.com'}


def chat(text: str, lane: int, at: int) -> dict[str, Any]:
    if lane == 2:
        function = {"name": "send" if at % 3 else "", "arguments": text}
        delta: dict[str, Any] = {"tool_calls": [{"index": 0, "function": function}]}
    else:
        delta = {"content": text}
    return {"id": "c", "created": 1, "choices": [{"index": lane % 2, "delta": delta, "finish_reason": None}]}


def messages(text: str, lane: int, at: int) -> dict[str, Any]:
    if lane == 2 and at % 3 == 0:
        return {"type": "content_block_stop", "index": 0}
    return {"type": "content_block_delta", "index": lane % 2, "delta": {"type": "text_delta", "text": text}}


def generate(text: str, lane: int, at: int) -> dict[str, Any]:
    del at
    return {"model": "m", "thinking" if lane == 2 else "response": text, "done": False}


def application(text: str, lane: int, at: int) -> dict[str, Any]:
    usage = {"usage": {"models": [{"output_tokens": at}]}} if lane == 2 else {}
    return {"output": {"session_id": "s", "finish_reason": "null", "text": text}, **usage}


EVENTS = dict(zip(NAMES, (chat, messages, generate, application), strict=True))

texts = st.one_of(
    st.sampled_from(["the ", "答案", " is", "<PHONE", "_NUMBER_1>", "<PHONE_NUMBER_1>", "<EMAIL_ADDRESS_1> ", "139", "0013", "9000 "]),
    st.sampled_from(["", '"', "\\", "a/b", "\n", "\0?", "\ud83d", "null", "send", "c", "m", "han@example.com", "<", "é", "\u2028"]),
    st.text(max_size=4),
)  # fmt: skip
pieces = st.lists(st.tuples(texts, st.sampled_from([0, 0, 0, 0, 1, 2])), max_size=24)
spellings = st.sampled_from([(True, (",", ":")), (False, (",", ":")), (True, (", ", ": ")), (False, (", ", ": "))])


def told(name: str, chunks: list[bytes]) -> list[Any]:
    """The documents that come out, in order."""
    session = MASKER.session()
    session.load(OWN)
    turn = Turn(DESCRIPTORS[name], session)
    is_lines = name.startswith("ollama")
    turn.open(200, "application/x-ndjson" if is_lines else "text/event-stream")
    said = b"".join([*map(turn.receive, chunks), turn.close()])
    parts = [part for part in said.split(b"\n" if is_lines else b"\n\n") if part]
    return [json.loads(part if is_lines else part.partition(b"data: ")[2]) for part in parts]


def framed(name: str, given: list[tuple[str, int]], spelling: tuple[bool, tuple[str, str]]) -> bytes:
    ascii_only, separators = spelling
    events = [
        json.dumps(EVENTS[name](text, lane, at), ensure_ascii=ascii_only, separators=separators).encode(
            "utf-8", "surrogatepass"
        )
        for at, (text, lane) in enumerate(given)
    ]
    line = b"%s\n" if name.startswith("ollama") else b"data: %s\n\n"
    return b"".join(line % event for event in events)


def slowly(name: str, data: list[bytes]) -> list[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lanes, "quick", lambda self, event, raw: None)
        patch.setattr(Lanes, "alone", lambda self: None)
        return told(name, data)


def events_of(name: str, data: bytes) -> list[bytes]:
    ends = b"\n" if name.startswith("ollama") else b"\n\n"
    return [part + ends for part in data.split(ends) if part]


def parted(docs: list[Any]) -> tuple[list[Any], dict[str, str]]:
    """Events without their texts, and each lane's text joined: in which of its events a text is said depends on what
    the automaton has seen before."""
    said: dict[str, str] = {}

    def bare(node: Any, path: str) -> Any:
        if isinstance(node, dict):
            index = node.get("index", "")
            return {key: bare(value, f"{path}/{index}{key}") for key, value in node.items()}
        if isinstance(node, list):
            return [bare(value, path) for value in node]
        if path.rpartition("/")[2].lstrip("01") in ("content", "text", "response", "thinking", "arguments"):
            said[path] = said.get(path, "") + node
            return None
        return node

    return [bare(doc, "") for doc in docs], said


@pytest.mark.parametrize("name", NAMES)
@given(given=pieces, spelling=spellings, sizes=st.lists(st.integers(1, 90), min_size=1, max_size=9))
def test_the_quick_way_says_what_the_slow_one_says(
    name: str, given: list[tuple[str, int]], spelling: tuple[bool, tuple[str, str]], sizes: list[int]
) -> None:
    data = framed(name, given, spelling)
    edges = [0, *(end for end in accumulate(sizes * (len(data) // sum(sizes) + 1)) if end < len(data)), len(data)]
    cut = [data[start:end] for start, end in pairwise(edges)]

    assert parted(told(name, cut)) == parted(slowly(name, [data]))


@pytest.mark.parametrize("name", NAMES)
@given(given=pieces, spelling=spellings, joined=st.lists(st.integers(0, 5), min_size=1, max_size=5))
def test_events_in_chunks_of_their_own_say_the_same(
    name: str, given: list[tuple[str, int]], spelling: tuple[bool, tuple[str, str]], joined: list[int]
) -> None:
    events = events_of(name, framed(name, given, spelling))
    if name == "anthropic.messages":
        events = [b"event: content_block_delta\n" + one for one in events]
    chunks, rest = [], iter(events)
    for number, one in enumerate(rest):  # mostly one in a chunk, here and there one more
        chunks.append(one + (next(rest, b"") if joined[number % len(joined)] == 5 else b""))

    assert parted(told(name, chunks)) == parted(slowly(name, events))
    assert b"".join(chunks) == b"".join(events)


def test_an_event_that_is_quoted_in_another_is_not_taken_for_it() -> None:
    one = b'data: {"choices":[{"index":0,"delta":{"content":"the "}}]}\n\n'
    chunks = [
        one, one, one.replace(b"the", b"so"), b": x" + one, b"id: 7\n" + one, one.replace(b"\n\n", b"\r\n\r\n"), one,
        one[:-1], one, one.replace(b"the", b"\xff"), one.replace(b"the ", b"<PHONE_NUMBER_1>"), one[:20], one[20:], one + one,
        one.replace(b'"the "', b'"the ","content":"so "'), one,
    ]  # fmt: skip
    session = MASKER.session()
    session.load(OWN)
    whole, cut, slow = (Turn(DESCRIPTORS["openai.chat"], session) for _ in range(3))
    for turn in (whole, cut, slow):
        turn.open(200, "text/event-stream")
    data = b"".join(chunks)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lanes, "quick", lambda self, event, raw: None)
        patch.setattr(Lanes, "alone", lambda self: None)
        expected = slow.receive(data) + slow.close()

    assert b"".join(map(whole.receive, chunks)) + whole.close() == expected
    assert b"".join(cut.receive(data[at : at + 1]) for at in range(len(data))) + cut.close() == expected
    assert b"13800138000" in expected


@pytest.mark.parametrize("index", ["0", "[0]", '{"a": [1]}', "null"])
def test_lanes_are_told_apart_by_whatever_stands_there(index: str) -> None:
    event = 'data: {"choices": [{"index": %s, "delta": {"content": "%s"}}]}\n\n'
    events = [(event % (index, text)).encode() for text in ("the ", "so ", "<PHONE_NU", "MBER_1> ", "then ", "<")]

    assert parted(told("openai.chat", events)) == parted(slowly("openai.chat", events))
    assert b"13800138000" in json.dumps(told("openai.chat", events)).encode()


@pytest.mark.parametrize("json_text", [True, False])
@pytest.mark.parametrize("masker", [MASKER, RESTORING, STRICT], ids=["redacting", "restoring", "strict"])
@given(given=st.lists(texts, max_size=12))
def test_a_stream_that_gives_back_what_it_was_given_holds_nothing(
    masker: Masker, json_text: bool, given: list[str]
) -> None:
    session = masker.session()
    session.load(OWN)
    stream = session.stream_object(json=json_text)
    for text in given:
        fresh = text.encode("utf-8", "surrogatepass").decode("utf-8", "surrogatepass")  # an object of its own
        if stream.feed(fresh) is fresh and len(fresh) > 1:
            assert not stream.held


@pytest.mark.parametrize("name", ["openai.chat", "anthropic.messages", "ollama.generate"])
@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("apart", [True, False])
def test_plain_events_are_not_parsed(name: str, ascii_only: bool, apart: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [
        "Call ",
        "<PHONE_NU",
        "MBER_1> ",
        "or ",
        "mine, ",
        "say ",
        "you. ",
        "<EMAIL_ADDRESS_1> ",
        "139001",
        "39000. ",
        "end ",
    ]
    data = framed(name, [(text, 0) for text in texts], (ascii_only, (",", ":")))
    slow = parted(slowly(name, [data]))
    parsed: list[bytes] = []

    def counted(raw: bytes) -> Any:
        parsed.append(raw)
        return read(raw)

    monkeypatch.setattr("masking.core.turn.read", counted)
    said = told(name, events_of(name, data) if apart else [data])

    assert parted(said) == slow
    assert len(said) == len(texts)
    assert len(parsed) <= 2, "two events alike, and all others are known"
    assert "13800138000" in json.dumps(said)
    assert "13900139000" not in "".join(filter(str.isdigit, json.dumps(said)))


@pytest.mark.parametrize(
    "events",
    [
        pytest.param(['{"a":"x\\/y","response":"x/y","done":false}'], id="the same text elsewhere, spelt otherwise"),
        pytest.param(['{"response":"x","response":"hi","done":false}'], id="a key that comes twice"),
        pytest.param(['{"response":"hi","done":false,"response":"x"}'], id="twice, the last one counts"),
        pytest.param(['{"thinking":"hi <","response":"","done":false}', '{"thinking":"","response":"hi","done":false}'], id="a lane that closes"),
    ],
)  # fmt: skip
def test_where_the_text_is_not_alone_nothing_is_taken_for_granted(events: list[str]) -> None:
    tails = ["hi", "<PHONE_NUMBER_1>", "x/y", "x", "ho ", "<PHONE_NUM", "BER_1>"]
    data = "".join(f"{one}\n{one}\n{one.replace('hi', tail)}\n" for tail in tails for one in events).encode()

    assert parted(told("ollama.generate", [data])) == parted(slowly("ollama.generate", [data]))
