"""OpenAI chat completions, completions and embeddings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

from masking.echo.model import MODEL, Spoken, speak, text_of
from masking.echo.wire import CREATED, Reply, Request, sse, whole

__all__ = ["chat", "completions", "embeddings"]

_DONE = b"data: [DONE]\n\n"


def chat(request: Request) -> Reply:
    """`POST */chat/completions`; thinking is asked for by `enable_thinking`, as Model Studio has it."""
    asked = request.document
    tools = [tool.get("function", {}).get("name", "") for tool in asked.get("tools") or ()]
    spoken = speak(asked.get("messages") or [], tools, thinks=bool(asked.get("enable_thinking")), manner=request.manner)
    count = int(asked.get("n") or 1)
    if asked.get("stream"):
        return sse(_chunks(asked, spoken, count), end=_DONE)
    message: dict[str, Any] = {"role": "assistant", "content": spoken.text or None}
    if spoken.thought:
        message["reasoning_content"] = spoken.thought
    if spoken.tool:
        function = {"name": spoken.tool, "arguments": spoken.json}
        message["tool_calls"] = [{"id": "call_1", "type": "function", "function": function}]
    choices = [{"index": index, "message": message, "finish_reason": _reason(spoken)} for index in range(count)]
    head = {"id": "chatcmpl-echo", "object": "chat.completion", "created": CREATED, "model": MODEL}
    return whole({**head, "choices": choices, "usage": _usage(spoken)})


def completions(request: Request) -> Reply:
    """`POST */completions`: it goes on by quoting the prompt."""
    asked = request.document
    spoken = speak([{"role": "user", "content": text_of(asked.get("prompt"))}], manner=request.manner)
    head = {"id": "cmpl-echo", "object": "text_completion", "created": CREATED, "model": MODEL}
    if not asked.get("stream"):
        choices = [{"index": 0, "text": spoken.text, "finish_reason": "stop", "logprobs": None}]
        return whole({**head, "choices": choices, "usage": _usage(spoken)})
    pieces = [(piece, None) for piece in spoken.tokens(spoken.text)]
    return sse(
        (
            {**head, "choices": [{"index": 0, "text": piece, "finish_reason": reason, "logprobs": None}]}
            for piece, reason in [*pieces, ("", "stop")]
        ),
        end=_DONE,
    )


def embeddings(request: Request) -> Reply:
    """`POST */embeddings`: the vector of a text is its length."""
    given = request.document.get("input")
    texts = given if isinstance(given, list) else [given]
    data = [
        {"object": "embedding", "index": index, "embedding": [float(len(str(text)))]}
        for index, text in enumerate(texts)
    ]
    return whole({"object": "list", "data": data, "model": MODEL, "usage": {"prompt_tokens": 1, "total_tokens": 1}})


def _chunks(asked: Mapping[str, Any], spoken: Spoken, count: int) -> Iterator[dict[str, Any]]:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"reasoning_content": piece} for piece in spoken.tokens(spoken.thought)]
    if spoken.tool:
        call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": spoken.tool, "arguments": ""}}
        deltas.append({"tool_calls": [call]})
        deltas += [
            {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in spoken.tokens(spoken.json)
        ]
    else:
        deltas += [{"content": piece} for piece in spoken.tokens(spoken.text)]
    head = {"id": "chatcmpl-echo", "object": "chat.completion.chunk", "created": CREATED, "model": MODEL}
    # Choices take turns, as servers send them; each starts one delta later than the one before it.
    lanes = [[(index, None)] * index + [(index, delta) for delta in deltas] for index in range(count)]
    for row in zip_longest(*lanes, fillvalue=(0, None)):
        for index, delta in row:
            if delta is not None:
                yield {**head, "choices": [{"index": index, "delta": delta, "finish_reason": None}]}
    for index in range(count):
        yield {**head, "choices": [{"index": index, "delta": {}, "finish_reason": _reason(spoken)}]}
    if (asked.get("stream_options") or {}).get("include_usage"):
        yield {**head, "choices": [], "usage": _usage(spoken)}


def _reason(spoken: Spoken) -> str:
    return "tool_calls" if spoken.tool else "stop"


def _usage(spoken: Spoken) -> dict[str, int]:
    return {"prompt_tokens": 1, "completion_tokens": spoken.count, "total_tokens": spoken.count + 1}
