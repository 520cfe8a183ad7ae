"""Every API in front of a server that has chat completions alone: whole, streamed, in several turns, with tools, with errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from chat_only import (
    CHAT,
    FIRST,
    MASKED,
    OTHER,
    PHONE,
    SECOND,
    arrived,
    asked,
    bytewise,
    google,
    ollama,
    openai,
    translating,
)
from echo_server import Server as Upstream
from echo_server import serving as echoing
from talks import KEY, TALKS, Talk

from masking import echo
from masking.gateway import Server

# dashscope's first client leaves the connection of a stream that broke to the collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

CALL = f"call send {PHONE}"
TOOL = {"type": "function", "function": {"name": "send", "parameters": {"type": "object", "properties": {"text": {"type": "string"}}}}}  # fmt: skip


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with echoing() as server:
        yield server


@pytest.fixture(scope="module")
def server(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with translating(upstream, tmp_path_factory.mktemp("secrets")) as server:
        yield server


@pytest.fixture(autouse=True)
def _masked(upstream: Upstream) -> Iterator[None]:
    """Whatever a test does: what arrived was masked."""
    upstream.seen.clear()
    upstream.answer, upstream.cut_after = None, 0
    yield
    assert PHONE not in arrived(upstream)
    assert OTHER not in arrived(upstream)


@pytest.fixture(params=TALKS, ids=lambda one: one.__name__)
def talk(request: pytest.FixtureRequest, server: Server) -> Iterator[Talk]:
    made: Talk = request.param(server.url)
    with made.stack:
        yield made


@pytest.mark.parametrize("cut", [False, True], ids=["events", "bytes"])
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_a_talk_of_several_turns(talk: Talk, upstream: Upstream, stream: bool, cut: bool) -> None:
    if cut:
        upstream.answer = bytewise
    said = [talk.say(text, stream=stream) for text in (FIRST, SECOND, f"再说{PHONE}")]

    assert [text in answer for text, answer in zip((FIRST, SECOND, f"再说{PHONE}"), said, strict=True)] == [True] * 3
    assert {path for path, _, _ in upstream.seen} == {CHAT}
    last = asked(upstream)["messages"]
    assert [message["role"] for message in last if message["role"] != "system"] == ["user", "assistant"] * 2 + ["user"]
    assert f"再说{MASKED}" in str(last[-1]["content"])
    assert MASKED in str(last[0]["content"])
    assert "authorization" not in upstream.seen[-1][1], "the client's key is the gateway's"


LIMIT = {"error": {"message": "slow down", "type": "rate_limit", "code": "rate_limited", "param": None}}
# What each SDK raises for an upstream's 429, and what the error says.
REFUSED = {
    "OpenAiChat": ("RateLimitError", "rate_limited"),
    "Compatible": ("RateLimitError", "rate_limited"),
    "OpenAiResponses": ("RateLimitError", "rate_limited"),
    "Anthropic": ("RateLimitError", "slow down"),
    "Gemini": ("ClientError", "RESOURCE_EXHAUSTED"),
    "Ollama": ("ResponseError", "slow down"),
    "Application": ("Told", "rate_limited"),
    "Generation": ("Told", "rate_limited"),
    "NewApplication": ("RateLimitError", "rate_limited"),
    "NewChat": ("RateLimitError", "rate_limited"),
    "NewCompatible": ("RateLimitError", "rate_limited"),
    "NewMessages": ("RateLimitError", "rate_limited"),
    "Dms": ("ClientException", "rate_limited"),
    "RdsAi": ("UnretryableException", "rate_limited"),
}


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_an_error_of_the_upstream_is_the_sdks_own(talk: Talk, upstream: Upstream, stream: bool) -> None:
    upstream.answer = lambda _: echo.Reply(429, "application/json", (json.dumps(LIMIT).encode(),))
    kind, what = REFUSED[talk.api()]
    with pytest.raises(Exception) as caught:
        talk.say(FIRST, stream=stream)

    if (kind, stream) == ("ClientException", True):
        kind = "UnretryableException"  # Tea's own, where an operation streams
    assert type(caught.value).__name__ == kind, repr(caught.value)
    assert what in str(caught.value) + str(getattr(caught.value, "code", ""))
    assert PHONE not in str(caught.value)


# What it raises when the upstream's connection breaks, or the upstream says that something went wrong, within the answer.
BROKEN = {
    "OpenAiChat": "APIError", "Compatible": "APIError", "OpenAiResponses": "APIError", "Anthropic": "APIStatusError",
    "Gemini": "ServerError", "Ollama": "ResponseError", "Application": "Told", "Generation": "Told",
    "NewApplication": "DashScopeError", "NewChat": "DashScopeError", "NewCompatible": "DashScopeError",
    "NewMessages": "DashScopeError", "Dms": "Told", "RdsAi": "Told",
}  # fmt: skip
NATIVE = ("OpenAiChat", "Compatible", "NewCompatible")  # what the upstream says itself passes through


@pytest.mark.parametrize("how", ["cut", "error event", "no end"])
def test_a_stream_that_breaks_is_an_error_and_never_a_whole_answer(talk: Talk, upstream: Upstream, how: str) -> None:
    if how == "cut":
        upstream.cut_after = 8
    else:
        error = b'data: {"error": {"message": "overloaded", "type": "server_error", "code": "overloaded"}}\n\n'

        def answer(body: bytes) -> echo.Reply:
            made = echo.reply("POST", CHAT, {}, body)
            return replace(made, chunks=(*made.chunks[:8], *([error] if how == "error event" else [])))

        upstream.answer = answer
    if talk.api() in NATIVE and how == "no end":
        # Its own API: what an SDK takes for whole passes as it came, to the half placeholder at its end.
        assert talk.say(FIRST, stream=True).endswith("<PHONE_")
    else:
        with pytest.raises(Exception) as caught:
            talk.say(FIRST, stream=True)
        assert type(caught.value).__name__ == BROKEN[talk.api()], repr(caught.value)
        assert PHONE not in str(caught.value)
    # A round that broke is not kept, and the next one is served.
    upstream.cut_after, upstream.answer = 0, None
    talk.history.clear()
    if not talk.api().startswith("Gemini"):  # its chat keeps the failed turn itself
        assert SECOND in talk.say(SECOND, stream=True)


# Tools


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_gemini_calls_a_tool_and_reads_its_result(server: Server, upstream: Upstream, stream: bool) -> None:
    client = google(server)
    types = pytest.importorskip("google.genai.types")
    declared = {"name": "send", "description": "sends", "parameters": {"type": "OBJECT", "properties": {"text": {"type": "STRING", "nullable": True}}}}  # fmt: skip
    config = {"tools": [{"function_declarations": [declared]}], "system_instruction": "Be brief."}
    history: list[Any] = [types.Content(role="user", parts=[types.Part(text=CALL)])]
    try:
        if stream:
            chunks = list(client.models.generate_content_stream(model="m", contents=history, config=config))
        else:
            chunks = [client.models.generate_content(model="m", contents=history, config=config)]
        calls = [call for chunk in chunks for call in chunk.function_calls or ()]
        answered = types.Part.from_function_response(name="send", response={"result": f"sent to {PHONE}"})
        history += [chunks[-1].candidates[0].content, types.Content(role="user", parts=[answered])]
        last = client.models.generate_content(model="m", contents=history, config=config)
    finally:
        client.close()

    assert [(call.name, call.args) for call in calls] == [("send", {"text": CALL})]
    assert chunks[-1].candidates[0].finish_reason.value == "STOP"
    assert f"sent to {PHONE}" in last.text
    assert last.usage_metadata.total_token_count == last.usage_metadata.candidates_token_count + 1
    sent = asked(upstream)
    assert [message["role"] for message in sent["messages"]] == ["system", "user", "assistant", "tool"]
    assert sent["messages"][3]["tool_call_id"] == sent["messages"][2]["tool_calls"][0]["id"]
    assert json.loads(sent["messages"][2]["tool_calls"][0]["function"]["arguments"]) == {"text": f"call send {MASKED}"}
    assert sent["tools"][0]["function"]["parameters"] == {
        "type": "object", "properties": {"text": {"type": ["string", "null"]}},
    }  # fmt: skip


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_ollama_calls_a_tool_and_reads_its_result(server: Server, upstream: Upstream, stream: bool) -> None:
    client = ollama(server)
    history: list[Any] = [{"role": "user", "content": CALL}]
    answer = client.chat(model="m", messages=history, tools=[TOOL], stream=stream)
    parts = list(answer) if stream else [answer]
    calls = [call for part in parts for call in part.message.tool_calls or ()]
    history += [
        {"role": "assistant", "content": "", "tool_calls": [call.model_dump() for call in calls]},
        {"role": "tool", "tool_name": "send", "content": f"sent to {PHONE}"},
    ]
    last = client.chat(model="m", messages=history, tools=[TOOL])
    client.close()

    assert [(call.function.name, dict(call.function.arguments)) for call in calls] == [("send", {"text": CALL})]
    assert (parts[-1].done, parts[-1].done_reason) == (True, "stop")
    assert parts[-1].eval_count > 1
    assert parts[-1].prompt_eval_count == 1
    assert parts[-1].total_duration > 0
    assert f"sent to {PHONE}" in last.message.content
    messages = asked(upstream)["messages"]
    assert messages[2]["tool_call_id"] == messages[1]["tool_calls"][0]["id"]


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("kept", [True, False], ids=["previous_response_id", "items"])
def test_responses_call_a_tool_and_read_its_result(
    server: Server, upstream: Upstream, stream: bool, kept: bool
) -> None:
    tool = {"type": "function", **TOOL["function"]}  # type: ignore[dict-item]
    with openai(server) as client:
        if stream:
            with client.responses.stream(model="m", input=CALL, tools=[tool]) as events:
                first = events.get_final_response()
        else:
            first = client.responses.create(model="m", input=CALL, tools=[tool])
        call = first.output[0]
        result = {"type": "function_call_output", "call_id": call.call_id, "output": f"sent to {PHONE}"}
        if kept:
            last = client.responses.create(model="m", input=[result], previous_response_id=first.id, tools=[tool])
        else:
            items = [
                {"role": "user", "content": CALL},
                call.model_dump(include={"type", "call_id", "name", "arguments"}),
            ]
            last = client.responses.create(model="m", input=[*items, result], tools=[tool])

    assert (call.type, call.name, json.loads(call.arguments)) == ("function_call", "send", {"text": CALL})
    assert f"sent to {PHONE}" in last.output_text
    assert last.usage.total_tokens == last.usage.output_tokens + 1
    messages = asked(upstream)["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool"]
    assert messages[2]["tool_call_id"] == messages[1]["tool_calls"][0]["id"] == call.call_id
    assert messages[1]["tool_calls"][0]["function"]["name"] == "send"


def test_a_response_is_spelled_as_openai_does_event_by_event(server: Server) -> None:
    body = {"model": "m", "input": FIRST, "stream": True, "instructions": f"Be kind to {OTHER}."}
    answer = httpx.post(f"{server.url}/v1/responses", json=body, headers={"authorization": f"Bearer {KEY}"})
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
    kinds = list(dict.fromkeys(event["type"] for event in events))
    deltas = [event["delta"] for event in events if event["type"] == "response.output_text.delta"]

    assert kinds == [
        "response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
        "response.output_text.delta", "response.output_text.done", "response.content_part.done",
        "response.output_item.done", "response.completed",
    ]  # fmt: skip
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert len(deltas) > 5
    done = events[-1]["response"]
    assert done["output"][0]["content"][0]["text"] == "".join(deltas) == events[-4]["text"]
    assert done["instructions"] == f"Be kind to {OTHER}."
    assert done["id"] == events[0]["response"]["id"]


def test_calls_whose_pieces_take_turns_are_told_apart(server: Server, upstream: Upstream) -> None:
    def piece(index: int, **fields: Any) -> dict[str, Any]:
        own = {name: fields.pop(name) for name in ("id",) if name in fields}
        return {"index": index, **own, "function": fields}

    deltas = [
        [piece(0, id="a", name="send", arguments="")], [piece(1, id="b", name="find", arguments='{"to"')],
        [piece(0, arguments='{"text": "<PHONE_'), piece(1, arguments=': "<PHONE_NUM')],
        [piece(0, arguments='NUMBER_1>"}'), piece(1, arguments='BER_1>"}')],
    ]  # fmt: skip
    chunks = [{"choices": [{"index": 0, "delta": {"tool_calls": delta}, "finish_reason": None}]} for delta in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    lines = tuple(f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks)
    upstream.answer = lambda _: echo.Reply(200, "text/event-stream", (*lines, b"data: [DONE]\n\n"))
    expected = [("send", {"text": PHONE}), ("find", {"to": PHONE})]
    with openai(server) as client, client.responses.stream(model="m", input=FIRST) as events:
        output = events.get_final_response().output
    gemini = google(server)
    told = [call for chunk in gemini.models.generate_content_stream(model="m", contents=FIRST) for call in chunk.function_calls or ()]  # fmt: skip
    gemini.close()
    local = ollama(server)
    parts = list(local.chat(model="m", messages=[{"role": "user", "content": FIRST}], stream=True))
    local.close()

    assert [(item.name, json.loads(item.arguments)) for item in output] == expected
    assert [item.call_id for item in output] == ["a", "b"]
    assert [(call.name, call.args) for call in told] == expected
    called = [call.function for part in parts for call in part.message.tool_calls or ()]
    assert [(call.name, dict(call.arguments)) for call in called] == expected
