"""Anthropic messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from masking.echo.model import MODEL, Spoken, speak, text_of, tokens
from masking.echo.wire import Reply, Request, sse, whole

__all__ = ["count_tokens", "messages"]


def messages(request: Request) -> Reply:
    """`POST */v1/messages`; thinking is asked for by `thinking`."""
    asked = request.document
    tools = [tool.get("name", "") for tool in asked.get("tools") or ()]
    thinks = (asked.get("thinking") or {}).get("type") in ("enabled", "adaptive")
    spoken = speak(_messages(asked), tools, thinks=thinks, manner=request.manner)
    message = {
        "id": "msg_echo",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": list(_blocks(spoken)),
        "stop_reason": "tool_use" if spoken.tool else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": spoken.count},
    }
    return sse(_events(message, spoken), named="type") if asked.get("stream") else whole(message)


def count_tokens(request: Request) -> Reply:
    """`POST */v1/messages/count_tokens`."""
    return whole({"input_tokens": sum(1 for message in _messages(request.document) for _ in tokens(text_of(message)))})


def _messages(asked: Any) -> list[dict[str, Any]]:
    turned = []
    for message in asked.get("messages") or ():
        content = message.get("content")
        results = (
            [block for block in content if block.get("type") == "tool_result"] if isinstance(content, list) else []
        )
        if results:
            turned.append({"role": "tool", "content": results})
        else:
            turned.append(message)
    return turned


def _blocks(spoken: Spoken) -> Iterator[dict[str, Any]]:
    if spoken.thought:
        yield {"type": "thinking", "thinking": spoken.thought, "signature": "c2VhbGVk"}
    if spoken.tool:
        yield {"type": "tool_use", "id": "toolu_1", "name": spoken.tool, "input": dict(spoken.arguments)}
    else:
        yield {"type": "text", "text": spoken.text}


def _events(message: dict[str, Any], spoken: Spoken) -> Iterator[dict[str, Any]]:
    usage = {"input_tokens": 1, "output_tokens": 0}
    begun = {**message, "content": [], "stop_reason": None, "usage": usage}
    yield {"type": "message_start", "message": begun}
    empty: dict[str, Any] = {"thinking": "", "signature": "", "text": "", "input": {}}
    for index, block in enumerate(message["content"]):
        opened = {key: empty.get(key, value) for key, value in block.items()}
        yield {"type": "content_block_start", "index": index, "content_block": opened}
        if index == 0:
            yield {"type": "ping"}
        for delta in _deltas(block, spoken):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    ends = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": ends, "usage": {"output_tokens": spoken.count}}
    yield {"type": "message_stop"}


def _deltas(block: dict[str, Any], spoken: Spoken) -> Iterator[dict[str, Any]]:
    match block["type"]:
        case "thinking":
            for piece in spoken.tokens(block["thinking"]):
                yield {"type": "thinking_delta", "thinking": piece}
            yield {"type": "signature_delta", "signature": block["signature"]}
        case "tool_use":
            for piece in spoken.tokens(spoken.json):
                yield {"type": "input_json_delta", "partial_json": piece}
        case _:
            for piece in spoken.tokens(block["text"]):
                yield {"type": "text_delta", "text": piece}
