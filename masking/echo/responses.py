"""OpenAI responses: numbered events that repeat every text whole when it is done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from masking.echo.model import MODEL, Spoken, speak
from masking.echo.wire import CREATED, Reply, Request, sse, whole

__all__ = ["responses"]


def responses(request: Request) -> Reply:
    """`POST */responses`; thinking is asked for by `reasoning`."""
    asked = request.document
    tools = [tool.get("name", "") for tool in asked.get("tools") or () if tool.get("type") == "function"]
    spoken = speak(_messages(asked.get("input")), tools, thinks=bool(asked.get("reasoning")), manner=request.manner)
    items = list(_items(spoken))
    if not asked.get("stream"):
        return whole(_response(asked, "completed", items, spoken))
    numbered = ({**event, "sequence_number": number} for number, event in enumerate(_events(asked, spoken, items)))
    return sse(numbered, named="type")


def _messages(given: Any) -> list[dict[str, Any]]:
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    messages = []
    for item in given or ():
        if item.get("type") == "function_call_output":
            messages.append({"role": "tool", "content": item.get("output")})
        elif item.get("role"):
            messages.append({"role": item["role"], "content": item.get("content")})
    return messages


def _items(spoken: Spoken) -> Iterator[dict[str, Any]]:
    if spoken.thought:
        summary = [{"type": "summary_text", "text": spoken.thought}]
        yield {"id": "rs_1", "type": "reasoning", "summary": summary, "encrypted_content": "c2VhbGVk"}
    if spoken.tool:
        call = {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": spoken.tool}
        yield {**call, "arguments": spoken.json, "status": "completed"}
    else:
        content = [{"type": "output_text", "text": spoken.text, "annotations": []}]
        yield {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": content}


def _response(asked: Mapping[str, Any], status: str, items: list[dict[str, Any]], spoken: Spoken) -> dict[str, Any]:
    usage = {
        "input_tokens": 1,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": spoken.count,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": spoken.count + 1,
    }
    return {
        "id": "resp_echo",
        "object": "response",
        "created_at": CREATED,
        "model": MODEL,
        "status": status,
        "instructions": asked.get("instructions"),
        "output": items,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": asked.get("tools") or [],
        "usage": usage if status == "completed" else None,
    }


def _events(asked: Mapping[str, Any], spoken: Spoken, items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    begun = _response(asked, "in_progress", [], spoken)
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for index, item in enumerate(items):
        at = {"output_index": index, "item_id": item["id"]}
        yield {"type": "response.output_item.added", "output_index": index, "item": _empty(item)}
        if item["type"] == "reasoning":
            summary = item["summary"][0]
            yield from _text(spoken, "response.reasoning_summary", summary, {**at, "summary_index": 0}, delta="text")
        elif item["type"] == "message":
            part = item["content"][0]
            yield from _text(spoken, "response.content", part, {**at, "content_index": 0}, delta="output_text")
        else:
            name = "response.function_call_arguments"
            yield from ({"type": f"{name}.delta", **at, "delta": piece} for piece in spoken.tokens(item["arguments"]))
            yield {"type": f"{name}.done", **at, "arguments": item["arguments"]}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": "response.completed", "response": _response(asked, "completed", items, spoken)}


def _empty(item: Mapping[str, Any]) -> dict[str, Any]:
    empty = {"summary": [], "content": [], "arguments": "", "status": "in_progress"}
    return {key: empty.get(key, value) for key, value in item.items()}


def _text(
    spoken: Spoken, name: str, part: Mapping[str, Any], at: Mapping[str, Any], *, delta: str
) -> Iterator[dict[str, Any]]:
    kind = f"{name}_{delta}" if delta == "text" else f"response.{delta}"
    yield {"type": f"{name}_part.added", **at, "part": {**part, "text": ""}}
    for piece in spoken.tokens(part["text"]):
        yield {"type": f"{kind}.delta", **at, "delta": piece, "logprobs": []}
    yield {"type": f"{kind}.done", **at, "text": part["text"], "logprobs": []}
    yield {"type": f"{name}_part.done", **at, "part": part}
