"""Whatever a client asks, and whatever an upstream answers: a translation makes a request of it or refuses, and never fails."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masking.gateway.chat import Asked, as_chunk
from masking.gateway.refusal import Refused
from masking.gateway.translated import translation
from masking.gateway.upstream import Outgoing, UpstreamBroke

TEXT = "hi"
TOOL = {"type": "function", "function": {"name": "a", "parameters": {"type": "object"}}}
CALLS = [{"id": "c", "type": "function", "function": {"name": "a", "arguments": {"x": 1}}}]
REQUESTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "gemini": (
        "gemini", "/v1beta/models/m:streamGenerateContent",
        {
            "contents": [
                {"role": "user", "parts": [{"text": TEXT}, {"inlineData": {"mimeType": "image/png", "data": "AA=="}}]},
                {"role": "model", "parts": [{"functionCall": {"name": "a", "args": {"x": 1}}, "thoughtSignature": "s"}]},
                {"role": "user", "parts": [{"functionResponse": {"name": "a", "response": {"y": 2}}}]},
            ],
            "systemInstruction": {"role": "user", "parts": [{"text": TEXT}]},
            "tools": [{"functionDeclarations": [{"name": "a", "parameters": {"type": "OBJECT", "properties": {"x": {"type": "STRING"}}}}]}],
            "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["a"]}},
            "safetySettings": [{"category": "c", "threshold": "OFF"}],
            "generationConfig": {
                "temperature": 0.5, "stopSequences": ["x"], "responseMimeType": "application/json",
                "responseSchema": {"type": "ARRAY", "items": {"type": "INTEGER"}}, "thinkingConfig": {"thinkingBudget": 5},
            },
        },
    ),
    "ollama": (
        "ollama", "/api/chat",
        {
            "model": "m",
            "messages": [
                {"role": "system", "content": TEXT}, {"role": "user", "content": TEXT, "images": ["iVBORw0KGgo="]},
                {"role": "assistant", "content": "", "tool_calls": CALLS, "thinking": TEXT},
                {"role": "tool", "tool_name": "a", "content": TEXT},
            ],
            "tools": [TOOL], "format": {"type": "object"}, "think": "low", "keep_alive": 0,
            "options": {"temperature": 1, "num_predict": 5, "stop": ["x"], "num_ctx": 10},
        },
    ),
    "ollama generate": (
        "ollama", "/api/generate",
        {"model": "m", "prompt": TEXT, "system": TEXT, "images": ["/9j/4AAQ"], "stream": False, "options": {"top_k": 1}},
    ),
    "responses": (
        "openai", "/responses",
        {
            "model": "m", "instructions": TEXT, "previous_response_id": "r", "store": True, "stream": True,
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": TEXT}, {"type": "input_image", "image_url": "u", "detail": "low"}]},
                {"type": "function_call", "call_id": "c", "name": "a", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": TEXT}]},
                {"type": "reasoning", "id": "r", "summary": []},
            ],
            "tools": [{"type": "function", "name": "a", "parameters": {"type": "object"}, "strict": True}],
            "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "a"}]},
            "reasoning": {"effort": "low"}, "text": {"format": {"type": "json_schema", "name": "n", "schema": {}}},
            "include": ["reasoning.encrypted_content"], "metadata": {"a": "b"}, "temperature": 1,
        },
    ),
    "anthropic": (
        "anthropic", "/messages",
        {
            "model": "m", "max_tokens": 9, "stream": True, "system": [{"type": "text", "text": TEXT}],
            "messages": [
                {"role": "user", "content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A"}}]},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "a", "input": {"x": 1}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": TEXT}]}]},
            ],
            "tools": [{"name": "a", "input_schema": {"type": "object"}}], "tool_choice": {"type": "tool", "name": "a"},
            "thinking": {"type": "enabled", "budget_tokens": 5}, "metadata": {"user_id": "u"}, "stop_sequences": ["x"],
        },
    ),
    "application": (
        "dashscope", "/apps/a/completion",
        {"input": {"prompt": TEXT, "session_id": "s"}, "parameters": {"has_thoughts": True, "incremental_output": True}},
    ),
    "generation": (
        "dashscope", "/services/aigc/multimodal-generation/generation",
        {
            "model": "m", "input": {"messages": [{"role": "user", "content": [{"image": "u"}, {"text": TEXT}]}]},
            "parameters": {"result_format": "message", "incremental_output": False, "n": 1, "tools": [TOOL]},
        },
    ),
}  # fmt: skip
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.just(10**30), st.floats(allow_nan=False), st.text(max_size=3),
    st.sampled_from([[], {}, [[]], [{}], [1], [None], ["x"], {"": ""}, {"type": 1}, {"text": []}, "\ud800"]),
)  # fmt: skip


def places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a document: what holds it, and where."""
    for name, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
        yield node, name
        if isinstance(value, dict | list):
            yield from places(value)


def spoilt(document: dict[str, Any], data: st.DataObject) -> dict[str, Any]:
    """The document with something else in one to three places."""
    made = copy.deepcopy(document)
    for _ in range(data.draw(st.integers(1, 3))):
        holder, name = data.draw(st.sampled_from(list(places(made))))
        match data.draw(st.sampled_from(["change", "add", "remove"])):
            case "change":
                holder[name] = copy.deepcopy(data.draw(ODD))
            case "add" if isinstance(holder, dict):
                holder[data.draw(st.sampled_from(["text", "type", "role", "content", "name", "x"]))] = copy.deepcopy(
                    data.draw(ODD)
                )
            case "remove" if isinstance(holder, dict):
                del holder[name]
        if not made:
            break
    return made


CHUNK: dict[str, Any] = {
    "id": "c", "model": "m", "created": 1, "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    "choices": [
        {
            "index": 0, "finish_reason": "tool_calls",
            "delta": {
                "role": "assistant", "content": TEXT, "reasoning_content": TEXT,
                "tool_calls": [{"index": 0, "id": "c", "type": "function", "function": {"name": "a", "arguments": "{}"}}],
            },
        }
    ],
}  # fmt: skip


def outgoing(name: str, tail: str, body: Any) -> Outgoing:
    headers = {"content-type": "application/json"} | ({"x-dashscope-sse": "enable"} if name == "dashscope" else {})
    return Outgoing("POST", tail, "", headers, json.dumps(body).encode())


def asked_or_refused(name: str, sent: Outgoing) -> Any:
    """What is asked; None for what is refused as the client's own fault."""
    try:
        return translation(name)[0].ask(sent)
    except Refused as error:
        refused = error
    assert refused.status in (400, 404)
    assert refused.what
    return None


def spoken(asked: Asked, chunks: list[dict[str, Any]], whole: dict[str, Any]) -> bytes:
    """All that the client would read."""
    if not asked.stream:
        return asked.speaker.whole(whole)
    said = [event for chunk in chunks for event in asked.speaker.events(chunk)]
    return b"".join([*said, *asked.speaker.end()])


@pytest.mark.parametrize("case", REQUESTS)
def test_each_of_these_is_asked(case: str) -> None:
    name, tail, body = REQUESTS[case]
    asked = translation(name)[0].ask(outgoing(name, tail, body))

    assert isinstance(asked, Asked)
    message = {**CHUNK["choices"][0], "message": CHUNK["choices"][0]["delta"]}
    assert TEXT.encode() in spoken(asked, [CHUNK], {**CHUNK, "choices": [message]})


@pytest.mark.parametrize("case", REQUESTS)
@given(data=st.data())
def test_any_body_is_asked_or_refused(case: str, data: st.DataObject) -> None:
    name, tail, body = REQUESTS[case]
    asked = asked_or_refused(name, outgoing(name, tail, spoilt(body, data)))
    if isinstance(asked, Asked):
        json.dumps(asked.body)
        assert asked.body["messages"]


@pytest.mark.parametrize("case", REQUESTS)
@given(data=st.data())
def test_any_answer_is_told_or_said_to_be_broken(case: str, data: st.DataObject) -> None:
    name, tail, body = REQUESTS[case]
    asked = translation(name)[0].ask(outgoing(name, tail, body))
    assert isinstance(asked, Asked)
    chunks = [spoilt(CHUNK, data) for _ in range(data.draw(st.integers(1, 3)))]
    message = {**CHUNK["choices"][0], "message": CHUNK["choices"][0]["delta"]}
    said = b""
    with contextlib.suppress(UpstreamBroke):
        said = spoken(asked, [*chunks, as_chunk(chunks[0])], spoilt({**CHUNK, "choices": [message]}, data))
    assert said.isascii()


NAMES = [
    "Query",
    "Inputs",
    "Messages",
    "InstanceId",
    "Temperature",
    "Stop",
    "Tools",
    "ToolChoice",
    "Model",
    "Files",
    "x",
]
VALUES = [
    "",
    "1",
    "[]",
    "{}",
    "[1]",
    '{"a": [1]}',
    "null",
    "x",
    "NaN",
    '[{"role": "user", "content": "hi"}]',
    "\x00",
    "你",
]


@pytest.mark.parametrize(
    ("name", "action"),
    [
        ("dms", "ChatWithDesensitize"),
        ("dms", "ChatWithDesensitizeSSE"),
        ("rdsai", "ChatMessages"),
        ("rdsai", "ChatMessagesTaskStop"),
    ],
)
@given(data=st.data())
def test_any_parameters_are_asked_or_refused(name: str, action: str, data: st.DataObject) -> None:
    given_ = data.draw(st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES), max_size=6))
    usual = {"InstanceId": "1", "Messages": VALUES[-3]} if name == "dms" else {"Query": "hi"}
    sent = Outgoing("POST", "/", urlencode({**usual, **given_}), {}, b"", action=action)
    asked = asked_or_refused(name, sent)

    assert not isinstance(asked, Asked) or json.loads(json.dumps(asked.body)) == asked.body
