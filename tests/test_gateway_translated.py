"""Every API in front of a server that has chat completions alone: whole, streamed, in several turns, with tools, with errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from echo_server import Server as Upstream
from echo_server import serving as echoing
from gateway_server import serving
from talks import ID, KEY, SECRET, TALKS, Talk

from masking import echo
from masking.gateway import Server

# dashscope's first client leaves the connection of a stream that broke to the collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

PHONE, OTHER = "13800138000", "13900139000"
MASKED = "<PHONE_NUMBER_1>"
FIRST, SECOND = f"我的手机号是{PHONE}。", f"还有{OTHER}。"
CHAT = "/v1/chat/completions"
NAMES = ("dms", "rdsai", "dashscope", "anthropic", "gemini", "ollama", "openai", "compatible")
CALL = f"call send {PHONE}"
TOOL = {"type": "function", "function": {"name": "send", "parameters": {"type": "object", "properties": {"text": {"type": "string"}}}}}  # fmt: skip


def bytewise(body: bytes) -> echo.Reply:
    """The echo model's answer, in chunks of five bytes."""
    made = echo.reply("POST", CHAT, {}, body)
    raw = b"".join(made.chunks)
    return replace(made, chunks=tuple(raw[at : at + 5] for at in range(0, len(raw), 5)))


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with echoing() as server:
        yield server


@pytest.fixture(scope="module")
def server(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("secrets")
    for name, value in {"key": KEY, "id": ID, "secret": SECRET}.items():
        (folder / name).write_text(value)
    pair = {"id": {"file": str(folder / "id")}, "secret": {"file": str(folder / "secret")}}
    own = {"api": "openai", "url": f"{upstream.url}/v1", "model": "qwen-plus", "chat_only": True}
    clients = [{"name": "shop", "keys": [{"file": str(folder / "key")}], "access_keys": [pair]}]
    routes = {name: {"upstream": "own"} for name in NAMES}
    with serving(upstreams={"own": own}, routes=routes, clients=clients) as server:
        yield server


@pytest.fixture(autouse=True)
def _masked(upstream: Upstream) -> Iterator[None]:
    """Whatever a test does: what arrived was masked."""
    upstream.seen.clear()
    upstream.answer, upstream.cut_after = None, 0
    yield
    assert PHONE not in arrived(upstream)
    assert OTHER not in arrived(upstream)


def arrived(upstream: Upstream) -> str:
    """All that reached the upstream, without JSON's escapes."""
    return "\n".join(f"{path}\n{headers}\n{json.loads(body or b'0')}" for path, headers, body in upstream.seen)


def asked(upstream: Upstream, number: int = -1) -> dict[str, Any]:
    """A request as it arrived."""
    path, _, body = upstream.seen[number]
    assert path == CHAT
    found: dict[str, Any] = json.loads(body)
    return found


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
    if talk.api() in NATIVE and how == "no end":
        pytest.skip("its own API: SDKs take a stream without its last event as they like")
    if how == "cut":
        upstream.cut_after = 8
    else:
        error = b'data: {"error": {"message": "overloaded", "type": "server_error", "code": "overloaded"}}\n\n'

        def answer(body: bytes) -> echo.Reply:
            made = echo.reply("POST", CHAT, {}, body)
            return replace(made, chunks=(*made.chunks[:8], *([error] if how == "error event" else [])))

        upstream.answer = answer
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


def google(server: Server) -> Any:
    return pytest.importorskip("google.genai").Client(api_key=KEY, http_options={"base_url": server.url})


def ollama(server: Server) -> Any:
    return pytest.importorskip("ollama").Client(host=server.url, headers={"authorization": f"Bearer {KEY}"})


def openai(server: Server) -> Any:
    return pytest.importorskip("openai").OpenAI(api_key=KEY, base_url=f"{server.url}/v1", max_retries=0)


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


# What is asked, and what comes back


def post(server: Server, path: str, body: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    return httpx.post(server.url + path, headers=headers, content=body if isinstance(body, bytes) else json.dumps(body))


GENERATE = "/v1beta/models/gemini-x:generateContent"
CONTENTS = [{"role": "user", "parts": [{"text": FIRST}]}]
MESSAGES = [{"role": "user", "content": FIRST}]
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
PNG = "iVBORw0KGgoAAAANSUhEUg=="

ASKED: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    (
        "gemini configuration", GENERATE,
        {"contents": CONTENTS, "generationConfig": {
            "temperature": 0, "topP": 0.5, "topK": 3, "maxOutputTokens": 9, "stopSequences": ["x"], "seed": 1,
            "candidateCount": 1, "presencePenalty": 0.1, "frequency_penalty": 0.2, "responseMimeType": "application/json",
            "thinkingConfig": {"thinkingBudget": 7, "includeThoughts": True}}},
        {"temperature": 0, "top_p": 0.5, "top_k": 3, "max_tokens": 9, "stop": ["x"], "seed": 1, "presence_penalty": 0.1,
         "frequency_penalty": 0.2, "response_format": {"type": "json_object"}, "thinking_budget": 7,
         "enable_thinking": True},
    ),
    (
        "gemini schema and snake case", GENERATE,
        {"contents": CONTENTS, "system_instruction": {"parts": [{"text": "Be brief."}]}, "generation_config": {
            "response_mime_type": "application/json",
            "response_schema": {"type": "OBJECT", "properties": {"a_b": {"type": "INTEGER"}}, "property_ordering": ["a_b"]}}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": {
            "type": "object", "properties": {"a_b": {"type": "integer"}}}}},
         "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": f"我的手机号是{MASKED}。"}]},
    ),
    (
        "gemini functions by force", GENERATE,
        {"contents": CONTENTS, "tools": [{"functionDeclarations": [{"name": "a"}, {"name": "b"}]}],
         "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["b"]}}},
        {"tool_choice": "required",
         "tools": [{"type": "function", "function": {"name": "b", "parameters": {"type": "object", "properties": {}}}}]},
    ),
    (
        "gemini image", GENERATE,
        {"contents": [{"parts": [{"text": "see"}, {"inlineData": {"mimeType": "image/png", "data": PNG}}]}]},
        {"messages": [{"role": "user", "content": [
            {"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}]}]},
    ),
    (
        "gemini without filters, which is said", GENERATE,
        {"contents": CONTENTS, "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]},
        {"messages": [{"role": "user", "content": f"我的手机号是{MASKED}。"}]},
    ),
    (
        "ollama options", "/api/chat",
        {"model": "m", "messages": MESSAGES, "stream": False, "format": "json", "think": False, "keep_alive": "5m",
         "options": {"temperature": 0, "num_predict": 9, "top_k": 2, "top_p": 0.3, "min_p": 0.1, "seed": 4, "stop": "x",
                     "num_ctx": 4096, "repeat_penalty": 1.1}},
        {"temperature": 0, "max_tokens": 9, "top_k": 2, "top_p": 0.3, "min_p": 0.1, "seed": 4, "stop": ["x"],
         "repetition_penalty": 1.1, "response_format": {"type": "json_object"}, "enable_thinking": False},
    ),
    (
        "ollama schema, no limit, an image", "/api/generate",
        {"model": "m", "prompt": FIRST, "system": "Be brief.", "stream": False, "format": SCHEMA, "images": [PNG],
         "think": "low", "options": {"num_predict": -1}},
        {"reasoning_effort": "low", "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}},
         "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": [
             {"type": "text", "text": f"我的手机号是{MASKED}。"},
             {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}]}]},
    ),
    (
        "responses", "/v1/responses",
        {"model": "m", "instructions": "Be brief.", "max_output_tokens": 9, "temperature": 0, "top_p": 0.5, "store": False,
         "input": [{"role": "developer", "content": "Sure."}, {"type": "reasoning", "id": "rs_1", "summary": []},
                   {"role": "user", "content": [{"type": "input_text", "text": FIRST},
                                                {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}]}],
         "reasoning": {"effort": "low", "summary": "auto"}, "metadata": {"a": "b"}, "truncation": "disabled",
         "text": {"format": {"type": "json_schema", "name": "s", "schema": SCHEMA, "strict": True}}},
        {"max_tokens": 9, "temperature": 0, "top_p": 0.5, "reasoning_effort": "low",
         "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA, "strict": True}},
         "messages": [{"role": "system", "content": "Be brief."}, {"role": "system", "content": "Sure."},
                      {"role": "user", "content": [
                          {"type": "text", "text": f"我的手机号是{MASKED}。"},
                          {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}]}]},
    ),
    (
        "responses with a chosen tool", "/v1/responses",
        {"model": "m", "input": FIRST, "tools": [{"type": "function", "name": "a", "parameters": SCHEMA, "strict": False}],
         "tool_choice": {"type": "function", "name": "a"}, "parallel_tool_calls": False, "include": []},
        {"tool_choice": {"type": "function", "function": {"name": "a"}}, "parallel_tool_calls": False,
         "tools": [{"type": "function", "function": {"name": "a", "parameters": SCHEMA, "strict": False}}]},
    ),
    (
        "anthropic", "/v1/messages",
        {"model": "m", "max_tokens": 9, "top_k": 4, "stop_sequences": ["x"], "metadata": {"user_id": "u-1"},
         "thinking": {"type": "enabled", "budget_tokens": 1024}, "tools": [{"name": "a", "input_schema": SCHEMA}],
         "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
         "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
         "messages": [{"role": "user", "content": [
             {"type": "tool_result", "tool_use_id": "t", "content": "no", "is_error": True}, {"type": "text", "text": FIRST}]}]},
        {"max_tokens": 9, "top_k": 4, "stop": ["x"], "user": "u-1", "enable_thinking": True, "thinking_budget": 1024,
         "tool_choice": "required", "parallel_tool_calls": False,
         "messages": [{"role": "system", "content": "Be brief."},
                      {"role": "tool", "tool_call_id": "t", "content": "Error: no"},
                      {"role": "user", "content": f"我的手机号是{MASKED}。"}]},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "expected"), [case[1:] for case in ASKED], ids=[case[0] for case in ASKED])
def test_what_a_client_asks_is_asked(
    server: Server, upstream: Upstream, path: str, body: dict[str, Any], expected: dict[str, Any]
) -> None:
    answer = post(server, path, body)

    assert answer.status_code == 200, answer.text
    sent = asked(upstream)
    assert {name: sent.get(name) for name in expected} == expected
    known = {*expected, "model", "messages", "stream", "tools"}
    assert set(sent) <= known, "nothing else was asked"
    assert (sent["model"], sent["stream"]) == ("qwen-plus", False)


REASONS = [
    ("stop", "STOP", "stop", "completed", "end_turn"),
    ("length", "MAX_TOKENS", "length", "incomplete", "max_tokens"),
    ("content_filter", "SAFETY", "stop", "incomplete", "refusal"),
]


@pytest.mark.parametrize(
    ("reason", "gemini", "local", "response", "anthropic"), REASONS, ids=[one[0] for one in REASONS]
)
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_why_an_answer_ended_and_what_it_cost_is_told_in_the_clients_words(
    server: Server,
    upstream: Upstream,
    reason: str,
    gemini: str,
    local: str,
    response: str,
    anthropic: str,
    stream: bool,
) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": f"Hi {MASKED}"}, "finish_reason": reason}
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    document = json.dumps({"id": "c", "model": "qwen-plus", "choices": [choice], "usage": usage}).encode()
    # Where a stream was asked for, too: some servers answer whole.
    upstream.answer = lambda _: echo.Reply(200, "application/json", (document,))
    verb = "streamGenerateContent" if stream else "generateContent"
    by_google = post(server, f"/v1beta/models/x:{verb}", {"contents": CONTENTS}).json()
    by_ollama = post(server, "/api/chat", {"model": "m", "messages": MESSAGES, "stream": stream}).text
    by_openai = post(server, "/v1/responses", {"model": "m", "input": FIRST, "stream": stream}).text
    by_claude = post(
        server, "/v1/messages", {"model": "m", "max_tokens": 9, "messages": MESSAGES, "stream": stream}
    ).text
    told = by_google if stream else [by_google]
    last = json.loads(by_ollama.splitlines()[-1])
    done = json.loads(by_openai.split("data: ")[-1])["response"] if stream else json.loads(by_openai)

    assert told[-1]["candidates"][0]["finishReason"] == gemini
    assert told[-1]["usageMetadata"] == {"promptTokenCount": 3, "candidatesTokenCount": 4, "totalTokenCount": 7}
    assert f"Hi {PHONE}" == "".join(part["text"] for one in told for part in one["candidates"][0]["content"]["parts"])
    assert (last["done_reason"], last["prompt_eval_count"], last["eval_count"]) == (local, 3, 4)
    assert f"Hi {PHONE}" in by_ollama
    assert (done["status"], done["usage"]["input_tokens"], done["usage"]["output_tokens"]) == (response, 3, 4)
    assert done["output"][0]["content"][0]["text"] == f"Hi {PHONE}"
    assert (done["incomplete_details"] is None) == (response == "completed")
    assert f'"stop_reason":"{anthropic}"' in by_claude


def test_thoughts_are_told_where_they_were_asked_for(server: Server) -> None:
    thought = f"The user says: {FIRST}"
    client = google(server)
    whole = client.models.generate_content(
        model="m", contents=FIRST, config={"thinking_config": {"include_thoughts": True}}
    )
    parts = whole.candidates[0].content.parts
    client.close()
    local = ollama(server)
    pieces = list(local.chat(model="m", messages=MESSAGES, think=True, stream=True))
    local.close()
    anthropic = pytest.importorskip("anthropic")
    with (
        anthropic.Anthropic(api_key=KEY, base_url=server.url) as claude,
        claude.messages.stream(
            model="m", max_tokens=9, messages=MESSAGES, thinking={"type": "enabled", "budget_tokens": 1024}
        ) as events,
    ):
        blocks = events.get_final_message().content

    assert (parts[0].thought, parts[0].text) == (True, thought)
    assert "".join(piece.message.thinking or "" for piece in pieces) == thought
    assert FIRST in "".join(piece.message.content or "" for piece in pieces)
    # Anthropic's own thoughts are signed, so nobody changes them.
    assert (blocks[0].type, blocks[0].thinking) == ("thinking", thought.replace(PHONE, MASKED))
    assert FIRST in blocks[1].text


def test_an_array_of_content_grows_without_alt_and_events_come_with_it(server: Server) -> None:
    array = post(server, "/v1beta/models/x:streamGenerateContent", {"contents": CONTENTS})
    events = post(server, "/v1beta/models/x:streamGenerateContent?alt=sse", {"contents": CONTENTS})
    told = [json.loads(line[6:]) for line in events.text.splitlines() if line.startswith("data: ")]

    assert array.headers["content-type"].startswith("application/json")
    assert events.headers["content-type"].startswith("text/event-stream")
    assert len(array.json()) == len(told) > 5
    texts = [[one["candidates"][0]["content"]["parts"][0]["text"] for one in doc] for doc in (array.json(), told)]
    assert FIRST in "".join(texts[0])
    assert texts[0] == texts[1]


def test_the_upstreams_models_are_listed_as_each_sdk_reads_them(server: Server, upstream: Upstream) -> None:
    client, local = google(server), ollama(server)
    names = [model.name for model in client.models.list()]
    one = client.models.get(model="echo")
    with pytest.raises(Exception, match="no such model") as caught:
        client.models.get(model="other")
    listed = [model.model for model in local.list().models]
    running = local.ps().models
    client.close()
    local.close()

    assert names == ["models/echo"] == [one.name]
    assert caught.value.code == 404
    assert listed == ["echo"]
    assert list(running) == []
    assert {path for path, _, _ in upstream.seen} == {"/v1/models"}
    assert post(server, "/api/chat", {"model": "m", "messages": []}).json()["done_reason"] == "load"
    assert httpx.get(f"{server.url}/api/version", headers={"authorization": f"Bearer {KEY}"}).json()["version"]
