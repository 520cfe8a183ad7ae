"""Anthropic's messages, as chat completions. Source: https://docs.claude.com/en/api/messages"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

from masking.gateway.chat import Asked, choice_of, compact, text, usage_of
from masking.gateway.refusal import Refused
from masking.gateway.upstream import Outgoing

__all__ = ["Anthropic"]

_SAME = {"max_tokens": "max_tokens", "temperature": "temperature", "top_p": "top_p", "stop_sequences": "stop"}
_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


class Anthropic:
    """`/v1/messages`: text, images in base64 or by address, tools and their results."""

    def ask(self, outgoing: Outgoing) -> Asked:
        if not outgoing.tail.endswith("/messages"):
            raise Refused(
                404,
                "not_found_error",
                "behind this upstream there are messages alone: it neither counts tokens nor lists models",
            )
        given = json.loads(outgoing.body)
        if not isinstance(given.get("messages"), list):
            raise Refused(400, "invalid_request_error", "messages: a list is required")
        body = {name: given[own] for own, name in _SAME.items() if given.get(own) is not None}
        messages: list[dict[str, Any]] = []
        if given.get("system"):
            messages.append({"role": "system", "content": _text(given["system"])})
        for message in given["messages"]:
            messages += _turn(message)
        body |= {"model": given.get("model") or "", "messages": messages}
        if given.get("tools"):
            body["tools"] = [_tool(tool) for tool in given["tools"]]
            body |= _choice(given.get("tool_choice") or {})
        stream = given.get("stream") is True
        if stream:
            body["stream_options"] = {"include_usage": True}
        return Asked(body, _Speaker(body["model"], stream=stream), stream)


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(text(part, "text") for part in content if isinstance(part, Mapping)) if content else ""


def _turn(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One message is several in a chat completion when it holds results of tools."""
    role, content = text(message, "role"), message.get("content")
    if isinstance(content, str) or not isinstance(content, list):
        return [{"role": role, "content": content if isinstance(content, str) else ""}]
    turns: list[dict[str, Any]] = []
    parts: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    for part in content:
        match text(part, "type"):
            case "text":
                parts.append({"type": "text", "text": text(part, "text")})
            case "image":
                parts.append({"type": "image_url", "image_url": {"url": _image(part.get("source") or {})}})
            case "tool_use":
                function = {"name": text(part, "name"), "arguments": compact(part.get("input") or {})}
                calls.append({"id": text(part, "id"), "type": "function", "function": function})
            case "tool_result":
                said = _text(part.get("content") or "")
                turns.append({"role": "tool", "tool_call_id": text(part, "tool_use_id"), "content": said})
            case "thinking" | "redacted_thinking":
                continue  # sealed for the provider that wrote it
            case kind:
                raise Refused(400, "invalid_request_error", f"messages: this upstream takes no part of type {kind}")
    if parts or calls:
        plain = all(part["type"] == "text" for part in parts)
        said_parts: Any = "\n".join(part["text"] for part in parts) if plain else parts
        turn: dict[str, Any] = {"role": role, "content": said_parts or None}
        turns.append({**turn, "tool_calls": calls} if calls else turn)
    return turns


def _image(source: Mapping[str, Any]) -> str:
    if text(source, "type") == "url":
        return text(source, "url")
    return f"data:{text(source, 'media_type')};base64,{text(source, 'data')}"


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    if "input_schema" not in tool:
        raise Refused(400, "invalid_request_error", "tools: this upstream has no tools of its own")
    function = {"name": text(tool, "name"), "parameters": tool["input_schema"]}
    if text(tool, "description"):
        function["description"] = text(tool, "description")
    return {"type": "function", "function": function}


def _choice(choice: Mapping[str, Any]) -> dict[str, Any]:
    match text(choice, "type"):
        case "any":
            return {"tool_choice": "required"}
        case "none":
            return {"tool_choice": "none"}
        case "tool":
            return {"tool_choice": {"type": "function", "function": {"name": text(choice, "name")}}}
    return {}


class _Speaker:
    def __init__(self, model: str, *, stream: bool) -> None:
        self.content_type = "text/event-stream; charset=utf-8" if stream else "application/json"
        self._id = f"msg_{uuid4().hex[:24]}"
        self._model = model
        self._begun = False
        self._index = -1
        self._open = ""  # what the open block is: text, or the index of a call
        self._reason = "stop"
        self._usage: dict[str, int] = {}

    def whole(self, answer: Mapping[str, Any]) -> bytes:
        message, reason = choice_of(answer, "message")
        content: list[dict[str, Any]] = []
        if text(message, "content"):
            content.append({"type": "text", "text": text(message, "content")})
        content += [
            {
                "type": "tool_use",
                "id": text(call, "id"),
                "name": text(call, "function", "name"),
                "input": _arguments(text(call, "function", "arguments")),
            }
            for call in message.get("tool_calls") or []
        ]
        self._usage = usage_of(answer)
        whole = {**self._message(), "content": content, "stop_reason": _REASONS.get(reason, "end_turn")}
        return compact(whole).encode()

    def events(self, chunk: Mapping[str, Any]) -> Iterator[bytes]:
        self._usage = usage_of(chunk) or self._usage
        yield from self._begin()
        delta, reason = choice_of(chunk, "delta")
        self._reason = reason or self._reason
        said = text(delta, "content")
        if said:
            if self._open != "text":
                yield from self._block("text", {"type": "text", "text": ""})
            yield self._delta({"type": "text_delta", "text": said})
        for piece in delta.get("tool_calls") or []:
            name = f"call {piece.get('index', 0)}"
            if self._open != name:
                use = {
                    "type": "tool_use",
                    "id": text(piece, "id"),
                    "name": text(piece, "function", "name"),
                    "input": {},
                }
                yield from self._block(name, use)
            arguments = text(piece, "function", "arguments")
            if arguments:
                yield self._delta({"type": "input_json_delta", "partial_json": arguments})

    def end(self) -> Iterator[bytes]:
        yield from self._begin()
        yield from self._close()
        ended = {"stop_reason": _REASONS.get(self._reason, "end_turn"), "stop_sequence": None}
        usage = {"output_tokens": self._usage.get("output_tokens", 0)}
        yield _event({"type": "message_delta", "delta": ended, "usage": usage})
        yield _event({"type": "message_stop"})

    def _begin(self) -> Iterator[bytes]:
        if not self._begun:
            self._begun = True
            yield _event({"type": "message_start", "message": {**self._message(), "content": []}})

    def _block(self, name: str, block: Mapping[str, Any]) -> Iterator[bytes]:
        yield from self._close()
        self._open = name
        self._index += 1
        yield _event({"type": "content_block_start", "index": self._index, "content_block": block})

    def _close(self) -> Iterator[bytes]:
        if self._open:
            self._open = ""
            yield _event({"type": "content_block_stop", "index": self._index})

    def _delta(self, delta: Mapping[str, Any]) -> bytes:
        return _event({"type": "content_block_delta", "index": self._index, "delta": delta})

    def _message(self) -> dict[str, Any]:
        usage = {name: self._usage.get(name, 0) for name in ("input_tokens", "output_tokens")}
        head = {"id": self._id, "type": "message", "role": "assistant", "model": self._model}
        return {**head, "stop_reason": None, "stop_sequence": None, "usage": usage}


def _event(document: Mapping[str, Any]) -> bytes:
    return f"event: {document['type']}\ndata: {compact(document)}\n\n".encode()


def _arguments(spelled: str) -> Any:
    try:
        return json.loads(spelled or "{}")
    except ValueError:
        return {"_": spelled}  # cut short: what there is of it
