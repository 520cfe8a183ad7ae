"""What is asked of a server that has chat completions alone, and how its answer is told in each API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from chat_only import (
    FIRST,
    MASKED,
    OTHER,
    PHONE,
    arrived,
    asked,
    google,
    ollama,
    post,
    translating,
)
from echo_server import Server as Upstream
from echo_server import serving as echoing
from talks import KEY

from masking import echo
from masking.gateway import Server


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
