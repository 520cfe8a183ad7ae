"""The stand-in model: it quotes what it was sent, always the same way, unless it is told to misbehave."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masking.echo import EchoTransport, Manner, answer, reply, tokens


@pytest.mark.parametrize(
    ("messages", "says"),
    [
        pytest.param([{"role": "user", "content": "I am <PERSON_1>"}], 'You said: "I am <PERSON_1>"', id="English"),
        pytest.param([{"role": "user", "content": "我是<PERSON_1>"}], "你说的是：“我是<PERSON_1>”", id="Chinese"),
        pytest.param(
            [
                {"role": "user", "content": "一"},
                {"role": "assistant", "content": "x"},
                {"role": "user", "content": "b"},
            ],
            'You said: "b"',
            id="the last user message tells the language",
        ),
        pytest.param([{"role": "user", "content": [{"type": "text", "text": "part"}]}], '"part"', id="content parts"),
        pytest.param([], 'You said: ""', id="nothing"),
    ],
)
def test_it_quotes_what_it_was_sent(messages: list[dict[str, Any]], says: str) -> None:
    assert says in answer(messages)
    assert answer(messages) == answer(messages)


@given(st.text())
def test_tokens_are_short_and_join_to_the_text(text: str) -> None:
    pieces = list(tokens(text))

    assert "".join(pieces) == text
    assert all(len(piece) <= 4 for piece in pieces)
    assert "<A_1>" not in pieces


def lines(chunks: tuple[bytes, ...]) -> list[str]:
    return [line[5:].strip() for chunk in chunks for line in chunk.decode().splitlines() if line.startswith("data:")]


def chat(**body: Any) -> tuple[bytes, ...]:
    request = {"messages": [{"role": "user", "content": "please call send"}], "stream": True, **body}
    return reply("POST", "/v1/chat/completions", {}, json.dumps(request).encode()).chunks


def test_a_chat_stream_has_one_event_a_chunk_and_ends_as_openai_does() -> None:
    data = lines(chat(n=2, stream_options={"include_usage": True}))
    events = [json.loads(line) for line in data[:-1]]
    said = ["", ""]
    for event in events:
        for choice in event["choices"]:
            said[choice["index"]] += choice["delta"].get("content") or ""

    assert data[-1] == "[DONE]"
    assert said[0] == said[1] == answer([{"role": "user", "content": "please call send"}])
    assert [choice["finish_reason"] for event in events[-3:-1] for choice in event["choices"]] == ["stop", "stop"]
    assert events[-1]["choices"] == []
    assert events[-1]["usage"]["completion_tokens"] > 3


@pytest.mark.parametrize(("name", "calls"), [("send", True), ("other", False)])
def test_it_calls_a_tool_when_it_is_asked_to(name: str, calls: bool) -> None:
    tools = [{"type": "function", "function": {"name": name}}]
    events = [json.loads(line) for line in lines(chat(tools=tools))[:-1]]
    arguments = "".join(
        call["function"]["arguments"] for event in events for call in event["choices"][0]["delta"].get("tool_calls", ())
    )
    whole = json.loads(chat(tools=tools, stream=False)[0])["choices"][0]

    assert bool(arguments) is calls
    assert (whole["finish_reason"] == "tool_calls") is calls
    if calls:
        assert json.loads(arguments) == json.loads(whole["message"]["tool_calls"][0]["function"]["arguments"])


@pytest.mark.parametrize("incremental", [True, False])
def test_an_application_streams_in_pieces_or_repeats(incremental: bool) -> None:
    body = {"input": {"prompt": "我是张三"}, "parameters": {"incremental_output": incremental}}
    made = reply("POST", "/api/v1/apps/a/completion", {"x-dashscope-sse": "enable"}, json.dumps(body).encode())
    outputs = [json.loads(line)["output"] for line in lines(made.chunks)]
    texts = [output["text"] for output in outputs]

    assert [output["finish_reason"] for output in outputs] == ["null"] * (len(outputs) - 1) + ["stop"]
    assert ("".join(texts) if incremental else texts[-1]) == answer([{"role": "user", "content": "我是张三"}])
    assert all(chunk.isascii() for chunk in made.chunks)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/v1/models", b"", 200),
        ("POST", "/v1/chat/completions", b"{}", 200),
        ("POST", "/api/v1/apps/a/completion", b"{}", 200),
        ("POST", "/v1/chat/completions", b"{", 400),
        ("POST", "/v1/other", b"{}", 404),
    ],
)
@pytest.mark.anyio
async def test_the_transport_answers_sync_and_async(method: str, path: str, body: bytes, status: int) -> None:
    transport = EchoTransport()
    with httpx.Client(transport=transport) as client:
        first = client.request(method, "http://echo" + path, content=body)
    async with httpx.AsyncClient(transport=transport) as client:
        second = await client.request(method, "http://echo" + path, content=body)

    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert first.status_code == status
    assert transport.requests == [body, body]


# Manners


@pytest.mark.parametrize(
    ("mangle", "spelled"),
    [
        ("", "<PERSON_1>"),
        ("lower", "<person_1>"),
        ("html", "&lt;PERSON_1&gt;"),
        ("markdown", r"\<PERSON\_1\>"),
        ("brackets", "[PERSON_1]"),
        ("bare", " PERSON_1 "),
        ("wide", "＜PERSON_1＞"),
    ],
)
def test_it_can_be_told_to_mangle_placeholders(mangle: Any, spelled: str) -> None:
    manner = Manner(mangle=mangle)
    body = json.dumps({"messages": [{"role": "user", "content": "I am <PERSON_1>"}]}).encode()
    said = json.loads(b"".join(reply("POST", "/v1/chat/completions", {}, body, manner).chunks))

    assert f'"I am {spelled}"' in said["choices"][0]["message"]["content"]


@pytest.mark.anyio
async def test_it_can_be_told_to_invent_to_cut_elsewhere_and_to_break_off() -> None:
    manner = Manner(sizes=(1,), invents=" Call 020 7946 0123.", breaks_after=9)
    body = {"messages": [{"role": "user", "content": "hi"}], "stream": True}
    whole = reply(
        "POST",
        "/v1/chat/completions",
        {},
        json.dumps(body).encode(),
        Manner(sizes=(1,), invents=" Call 020 7946 0123."),
    )
    texts = [json.loads(line)["choices"][0]["delta"].get("content", "") for line in lines(whole.chunks)[:-1]]

    assert "".join(texts).endswith(" Call 020 7946 0123.")
    assert {len(text) for text in texts[1:-1]} == {1}

    with (
        httpx.Client(transport=EchoTransport(manner)) as client,
        client.stream("POST", "http://echo/v1/chat/completions", json=body) as response,
    ):
        pieces = response.iter_raw()
        assert tuple(next(pieces) for _ in range(9)) == whole.chunks[:9]
        with pytest.raises(httpx.ReadError, match="break off"):
            next(pieces)

    async with httpx.AsyncClient(transport=EchoTransport(manner)) as client:
        with pytest.raises(httpx.ReadError, match="break off"):
            await client.post("http://echo/v1/chat/completions", json=body)


def test_the_targets_of_requests_are_kept() -> None:
    transport = EchoTransport()
    with httpx.Client(transport=transport) as client:
        client.get("http://echo/v1/models", params={"a": "1"})

    assert transport.targets == ["/v1/models?a=1"]


def test_it_falls_silent_where_it_is_told_to_and_goes_on() -> None:
    seen: list[str] = []
    silence: list[int] = []
    echo = EchoTransport(Manner(stalls_after=3), stall=lambda: silence.append(len(seen)))
    request = {"stream": True, "messages": [{"role": "user", "content": "a longer text to quote"}]}
    with (
        httpx.Client(transport=echo) as client,
        client.stream("POST", "http://e/v1/chat/completions", json=request) as reply,
    ):
        seen += [line for line in reply.iter_lines() if line]

    assert silence == [0]
    assert len(seen) > 3


@pytest.mark.anyio
async def test_an_asynchronous_reader_awaits_its_silence() -> None:
    said: list[str] = []

    async def stall() -> None:
        said.append("silence")

    request = {"stream": True, "messages": [{"role": "user", "content": "a longer text to quote"}]}
    async with (
        httpx.AsyncClient(transport=EchoTransport(Manner(stalls_after=2), stall=stall)) as client,
        client.stream("POST", "http://e/v1/chat/completions", json=request) as reply,
    ):
        async for chunk in reply.aiter_raw():
            said += [chunk.decode()]

    assert said.index("silence") == 2
    assert len(said) > 4
