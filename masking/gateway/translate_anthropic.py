"""Anthropic's messages, as chat completions. Source: https://docs.claude.com/en/api/messages"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

from masking.gateway.chat import Asked, choice_of, compact, pieces_of, text, usage_of
from masking.gateway.given import Given, body_of
from masking.gateway.refusal import Refused
from masking.gateway.upstream import Outgoing, UpstreamBroke

__all__ = ["Anthropic"]

_CODE = "invalid_request_error"
_NUMBERS = {"max_tokens": "max_tokens", "temperature": "temperature", "top_p": "top_p", "top_k": "top_k"}
_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
_CHOICES = {"": "auto", "auto": "auto", "any": "required", "none": "none"}


class Anthropic:
    """`/v1/messages`: text, images in base64 or by address, thinking, tools and their results."""

    def ask(self, outgoing: Outgoing) -> Asked:
        if not outgoing.tail.endswith("/messages"):
            raise Refused(
                404,
                "not_found_error",
                "behind this upstream there are messages alone: it neither counts tokens nor lists models",
            )
        given = body_of(outgoing, code=_CODE)
        body: dict[str, Any] = {"model": given.text("model"), "messages": _messages(given), **given.same(_NUMBERS)}
        if stop := given.texts("stop_sequences"):
            body["stop"] = stop
        given.only("service_tier", ["auto", "standard_only"])
        if (about := given.object("metadata")) is not None and (user := about.text("user_id")):
            body["user"] = user
        thinks = _think(body, given)
        _offer(body, given)
        stream = given.flag("stream") is True
        given.end()
        if stream:
            body["stream_options"] = {"include_usage": True}
        return Asked(body, _Speaker(body["model"], stream=stream, thinks=thinks), stream)


def _messages(given: Given) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    if system := _text(given, "system"):
        messages.append({"role": "system", "content": system})
    asked = given.objects("messages")
    if not asked:
        raise given.refused("messages", "at least one is required")
    for message in asked:
        messages += _turn(message)
    return messages


def _text(given: Given, name: str) -> str:
    """Text, or parts that are text."""
    content = given.take(name)
    if content is None or isinstance(content, str):
        return content or ""
    said = []
    for part in given.objects(name):
        part.skip("cache_control", "citations")
        if part.text("type") != "text":
            raise part.refused("type", "this upstream takes text alone here")
        said.append(part.text("text"))
    return "\n".join(said)


def _turn(message: Given) -> list[dict[str, Any]]:
    """One message is several in a chat completion when it holds results of tools."""
    role = message.text("role")
    if role not in ("user", "assistant"):
        raise message.refused("role", "user or assistant")
    content = message.take("content")
    if content is None or isinstance(content, str):
        return [{"role": role, "content": content or ""}]
    turns: list[dict[str, Any]] = []
    parts: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    for part in message.objects("content"):
        part.skip("cache_control")
        match part.text("type"):
            case "text":
                part.skip("citations")
                parts.append({"type": "text", "text": part.text("text")})
            case "image":
                parts.append({"type": "image_url", "image_url": {"url": _image(part)}})
            case "tool_use":
                function = {"name": part.text("name"), "arguments": compact(part.mapping("input"))}
                part.skip("caller")
                calls.append({"id": part.text("id"), "type": "function", "function": function})
            case "tool_result":
                said = _text(part, "content")
                said = f"Error: {said}" if part.flag("is_error") else said
                turns.append({"role": "tool", "tool_call_id": part.text("tool_use_id"), "content": said})
            case "thinking" | "redacted_thinking":
                part.skip("thinking", "signature", "data")  # sealed for the provider that wrote it
            case kind:
                raise part.refused("type", f"this upstream takes no part of type {kind[:60]}")
    if parts or calls:
        plain = all(part["type"] == "text" for part in parts)
        said_parts: Any = "\n".join(part["text"] for part in parts) if plain else parts
        turn: dict[str, Any] = {"role": role, "content": said_parts or None}
        turns.append({**turn, "tool_calls": calls} if calls else turn)
    return turns


def _image(part: Given) -> str:
    source = part.object("source")
    if source is None:
        raise part.refused("source", "an object is required")
    match source.text("type"):
        case "url":
            return source.text("url")
        case "base64":
            return f"data:{source.text('media_type')};base64,{source.text('data')}"
    raise source.refused("type", "base64 or url")


def _think(body: dict[str, Any], given: Given) -> bool:
    """Whether thoughts are to be shown."""
    thinking = given.object("thinking")
    if thinking is None:
        return False
    kind, budget = thinking.text("type"), thinking.number("budget_tokens")
    if kind not in ("enabled", "adaptive", "disabled"):
        raise thinking.refused("type", "enabled, adaptive or disabled")
    body["enable_thinking"] = kind != "disabled"
    if budget is not None:
        body["thinking_budget"] = budget
    return kind != "disabled"


def _offer(body: dict[str, Any], given: Given) -> None:
    tools = []
    for tool in given.objects("tools"):
        tool.skip("cache_control", "type")
        if tool.take("input_schema") is None:
            raise tool.refused("input_schema", "required: this upstream has no tools of its own")
        function: dict[str, Any] = {"name": tool.text("name"), "parameters": tool.mapping("input_schema")}
        if about := tool.text("description"):
            function["description"] = about
        tools.append({"type": "function", "function": function})
    choice = given.object("tool_choice")
    chosen: Any = None
    if choice is not None:
        kind, is_single = choice.text("type"), choice.flag("disable_parallel_tool_use")
        if kind == "tool":
            chosen = {"type": "function", "function": {"name": choice.text("name")}}
        elif kind in _CHOICES:
            chosen = _CHOICES[kind]
        else:
            raise choice.refused("type", "auto, any, tool or none")
        if is_single and tools:
            body["parallel_tool_calls"] = False
    if tools:
        body["tools"] = tools
        body |= {"tool_choice": chosen} if chosen is not None else {}


class _Speaker:
    def __init__(self, model: str, *, stream: bool, thinks: bool) -> None:
        self.content_type = "text/event-stream; charset=utf-8" if stream else "application/json"
        self._id = f"msg_{uuid4().hex[:24]}"
        self._model = model
        self._thinks = thinks
        self._begun = False
        self._index = -1
        self._called: set[int] = set()
        self._open = ""  # what the open block is: text, or the index of a call
        self._reason = "stop"
        self._usage: dict[str, int] = {}

    def whole(self, answer: Mapping[str, Any]) -> bytes:
        message, reason = choice_of(answer, "message")
        content: list[dict[str, Any]] = []
        if self._thinks and text(message, "reasoning_content"):
            content.append({"type": "thinking", "thinking": text(message, "reasoning_content"), "signature": ""})
        if text(message, "content"):
            content.append({"type": "text", "text": text(message, "content")})
        content += [
            {
                "type": "tool_use",
                "id": text(call, "id"),
                "name": text(call, "function", "name"),
                "input": _arguments(text(call, "function", "arguments")),
            }
            for _, call in pieces_of(message)
        ]
        self._usage = usage_of(answer)
        whole = {**self._message(), "content": content, "stop_reason": _REASONS.get(reason, "end_turn")}
        return compact(whole).encode()

    def events(self, chunk: Mapping[str, Any]) -> Iterator[bytes]:
        self._usage = usage_of(chunk) or self._usage
        yield from self._begin()
        delta, reason = choice_of(chunk, "delta")
        self._reason = reason or self._reason
        thought = text(delta, "reasoning_content") if self._thinks else ""
        if thought:
            if self._open != "thinking":
                yield from self._block("thinking", {"type": "thinking", "thinking": "", "signature": ""})
            yield self._delta({"type": "thinking_delta", "thinking": thought})
        said = text(delta, "content")
        if said:
            if self._open != "text":
                yield from self._block("text", {"type": "text", "text": ""})
            yield self._delta({"type": "text_delta", "text": said})
        for number, piece in pieces_of(delta):
            name = f"call {number}"
            if self._open != name:
                if number in self._called:  # a block cannot be opened again
                    raise UpstreamBroke("has the pieces of several calls in turns")
                self._called.add(number)
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
