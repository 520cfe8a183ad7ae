"""Gemini's generateContent and streamGenerateContent, as chat completions. Source: https://ai.google.dev/api/generate-content"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote
from uuid import uuid4

from masking.gateway.chat import Asked, CallIds, Calls, Listing, choice_of, compact, text, usage_of
from masking.gateway.given import Given, body_of
from masking.gateway.googleschema import json_schema
from masking.gateway.refusal import Refused
from masking.gateway.upstream import Outgoing, UpstreamBroke

__all__ = ["Gemini"]

_CODE = "invalid_parameter"
_CALLED = re.compile(r"/v1\w*/(?:models/)?(?P<model>.+):(?P<verb>\w+)")
_LISTED = re.compile(r"/v1\w*/models(?:/(?P<model>.+))?")
_NUMBERS = {
    "temperature": "temperature", "topP": "top_p", "topK": "top_k", "maxOutputTokens": "max_tokens", "seed": "seed",
    "presencePenalty": "presence_penalty", "frequencyPenalty": "frequency_penalty",
}  # fmt: skip
_MODES = {
    "": "auto",
    "MODE_UNSPECIFIED": "auto",
    "AUTO": "auto",
    "VALIDATED": "auto",
    "ANY": "required",
    "NONE": "none",
}
_REASONS = {"stop": "STOP", "tool_calls": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"}
_UNFILTERED = ("BLOCK_NONE", "OFF", "HARM_BLOCK_THRESHOLD_UNSPECIFIED")


class Gemini:
    """Text, images in the request, functions, JSON mode; and the list of models."""

    def ask(self, outgoing: Outgoing) -> Asked | Listing:
        path = unquote(outgoing.tail)
        listed = _LISTED.fullmatch(path) if outgoing.method != "POST" else None
        if listed is not None:
            one = listed["model"] or ""
            return Listing(lambda models: _model(models[0]) if one else {"models": list(map(_model, models))}, one)
        called = _CALLED.fullmatch(path)
        if called is None or called["verb"] not in ("generateContent", "streamGenerateContent"):
            raise Refused(404, "unknown_route", "behind this upstream content is generated, and no tokens are counted")
        stream = called["verb"] == "streamGenerateContent"
        alt = _alt(outgoing.query)
        given = body_of(outgoing, code=_CODE, camel=True)
        given.skip("model")  # the path names it
        body: dict[str, Any] = {"model": called["model"], "messages": _messages(given)}
        config = given.object("generationConfig")
        thinks = _configure(body, config) if config is not None else False
        _offer(body, given)
        _check_safety(given)
        given.end()
        if stream:
            body["stream_options"] = {"include_usage": True}
        return Asked(body, _Speaker(called["model"], alt if stream else "json", thinks=thinks), stream)


def _alt(query: str) -> str:
    asked = dict(parse_qsl(query, keep_blank_values=True))
    for name, value in asked.items():
        if name not in ("alt", "key", "prettyPrint"):
            raise Refused(400, _CODE, f"query: this upstream has no parameter {name[:60]}")
        if name == "alt" and value not in ("", "json", "sse"):
            raise Refused(400, _CODE, "alt: json or sse")
    return asked.get("alt") or "json"


def _model(model: Mapping[str, Any]) -> dict[str, Any]:
    name = text(model, "id")
    methods = ["generateContent", "streamGenerateContent"]
    return {"name": f"models/{name}", "displayName": name, "supportedGenerationMethods": methods}


def _messages(given: Given) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    system = given.object("systemInstruction")
    if system is not None:
        system.skip("role")
        parts = system.objects("parts")
        messages.append({"role": "system", "content": "\n".join(part.text("text") for part in parts)})
    ids = CallIds()
    contents = given.objects("contents")
    if not contents:
        raise given.refused("contents", "at least one is required")
    for content in contents:
        for turn in _turn(content, ids):
            _add(messages, turn)
    return messages


def _add(messages: list[dict[str, Any]], turn: dict[str, Any]) -> None:
    """Put a message after the others: the SDK's chats keep each piece of a stream as a content of its own."""
    last = messages[-1] if messages else turn
    if turn["role"] == "assistant" == last["role"] and last is not turn:
        last["content"] += turn["content"]
        if "tool_calls" in turn:
            last["tool_calls"] = [*last.get("tool_calls", []), *turn["tool_calls"]]
    else:
        messages.append(turn)


def _turn(content: Given, ids: CallIds) -> list[dict[str, Any]]:
    """One content is several messages in a chat completion when it holds results of functions."""
    role = content.text("role")
    if role not in ("", "user", "model", "function"):
        raise content.refused("role", "user or model")
    turns: list[dict[str, Any]] = []
    parts: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    for part in content.objects("parts"):
        part.skip("thoughtSignature")  # sealed for the provider that wrote it
        if part.flag("thought"):
            part.skip("text")
            continue
        call, result, data = part.object("functionCall"), part.object("functionResponse"), part.object("inlineData")
        if call is not None:
            name = call.text("name")
            function = {"name": name, "arguments": compact(call.mapping("args"))}
            calls.append({"id": ids.call(name, call.text("id")), "type": "function", "function": function})
        elif result is not None:
            made = ids.result(result.text("name"), result.text("id"))
            if not made:
                raise result.refused("name", "answers a call that is not in contents")
            turns.append({"role": "tool", "tool_call_id": made, "content": compact(result.mapping("response"))})
        elif data is not None:
            kind = data.text("mimeType")
            if not kind.startswith("image/"):
                raise data.refused("mimeType", "this upstream takes images alone")
            parts.append({"type": "image_url", "image_url": {"url": f"data:{kind};base64,{data.text('data')}"}})
        else:
            parts.append({"type": "text", "text": part.text("text")})
    if parts or calls or not turns:
        plain = all(part["type"] == "text" for part in parts)
        if role == "model" and not plain:
            raise content.refused("parts", "this upstream takes no images of the model")
        between = "" if role == "model" else "\n"  # what a model said may be in pieces
        said: Any = between.join(part["text"] for part in parts) if plain else parts
        turn: dict[str, Any] = {"role": "assistant" if role == "model" else "user", "content": said}
        turns.append({**turn, "tool_calls": calls} if calls else turn)
    return turns


def _configure(body: dict[str, Any], config: Given) -> bool:
    """Put the configuration into the body; whether thoughts are to be shown."""
    body |= config.same(_NUMBERS)
    stop = config.texts("stopSequences")
    if stop:
        body["stop"] = stop
    config.only("candidateCount", [1], "this upstream gives one candidate")
    config.only("responseModalities", [["TEXT"]], "this upstream answers in text")
    kind = config.text("responseMimeType")
    schema = config.take("responseJsonSchema") or json_schema(config.take("responseSchema"))
    if kind not in ("", "text/plain", "application/json"):
        raise config.refused("responseMimeType", "text/plain or application/json")
    if schema is not None and kind != "application/json":
        raise config.refused("responseSchema", "goes with responseMimeType: application/json")
    if schema is not None:
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    elif kind == "application/json":
        body["response_format"] = {"type": "json_object"}
    thinking = config.object("thinkingConfig")
    if thinking is None:
        return False
    budget, level = thinking.number("thinkingBudget"), thinking.text("thinkingLevel")
    if level:
        body["reasoning_effort"] = level.lower()
    if budget is not None and budget >= 0:  # -1: as the model likes
        body["enable_thinking"] = budget > 0
        if budget:
            body["thinking_budget"] = budget
    shown = thinking.flag("includeThoughts") is True
    if shown and budget != 0:
        body["enable_thinking"] = True
    return shown


def _offer(body: dict[str, Any], given: Given) -> None:
    """Put the functions on offer into the body."""
    tools: list[dict[str, Any]] = []
    for tool in given.objects("tools"):
        for one in tool.objects("functionDeclarations"):
            function: dict[str, Any] = {"name": one.text("name")}
            if about := one.text("description"):
                function["description"] = about
            schema = one.take("parametersJsonSchema") or json_schema(one.take("parameters"))
            function["parameters"] = schema if schema is not None else {"type": "object", "properties": {}}
            one.skip("response", "responseJsonSchema")  # what it gives back is seen when it does
            tools.append({"type": "function", "function": function})
    config = given.object("toolConfig")
    calling = config.object("functionCallingConfig") if config is not None else None
    if calling is not None:
        mode, allowed = calling.text("mode"), calling.texts("allowedFunctionNames")
        if mode not in _MODES:
            raise calling.refused("mode", "AUTO, ANY or NONE")
        if allowed:
            tools = [tool for tool in tools if tool["function"]["name"] in allowed]
        if tools:
            body["tool_choice"] = _MODES[mode]
    if tools:
        body["tools"] = tools


def _check_safety(given: Given) -> None:
    for setting in given.objects("safetySettings"):
        setting.skip("category", "method")
        setting.only("threshold", _UNFILTERED, "this upstream filters nothing; BLOCK_NONE says that this is meant")


class _Speaker:
    """`form`: json, a document or a JSON array that grows; sse, events."""

    def __init__(self, model: str, form: str, *, thinks: bool) -> None:
        self.content_type = "text/event-stream" if form == "sse" else "application/json; charset=UTF-8"
        self._is_events = form == "sse"
        self._thinks = thinks
        self._head = {"modelVersion": model, "responseId": uuid4().hex[:24]}
        self._calls = Calls()
        self._reason = "stop"
        self._usage: dict[str, int] = {}
        self._is_begun = False

    def whole(self, answer: Mapping[str, Any]) -> bytes:
        message, reason = choice_of(answer, "message")
        self._usage, self._reason = usage_of(answer), reason or "stop"
        self._calls.add(message)
        parts, said = self._thought(message), text(message, "content")
        parts += [{"text": said}] if said else []
        return compact(self._last(parts)).encode()

    def events(self, chunk: Mapping[str, Any]) -> Iterator[bytes]:
        self._usage = usage_of(chunk) or self._usage
        delta, reason = choice_of(chunk, "delta")
        self._reason = reason or self._reason
        self._calls.add(delta)
        parts, said = self._thought(delta), text(delta, "content")
        parts += [{"text": said}] if said else []
        if parts:
            yield self._event({**self._document(parts), **self._head})

    def end(self) -> Iterator[bytes]:
        yield self._event(self._last([]))
        if not self._is_events:
            yield b"]"

    def _thought(self, message: Mapping[str, Any]) -> list[dict[str, Any]]:
        thought = text(message, "reasoning_content") if self._thinks else ""
        return [{"text": thought, "thought": True}] if thought else []

    def _last(self, parts: list[dict[str, Any]]) -> dict[str, Any]:
        reason = _REASONS.get(self._reason, "OTHER")
        try:
            calls = [{"id": own, "name": name, "args": args} for own, name, args in self._calls.objects()]
        except UpstreamBroke:
            calls, reason = [], "MALFORMED_FUNCTION_CALL"
        parts = [*parts, *({"functionCall": call} for call in calls)] or [{"text": ""}]
        usage = self._usage
        counts = {"promptTokenCount": usage["input_tokens"], "candidatesTokenCount": usage["output_tokens"],
                  "totalTokenCount": usage["total_tokens"]} if usage else {}  # fmt: skip
        return {**self._document(parts, finishReason=reason), "usageMetadata": counts, **self._head}

    def _document(self, parts: list[dict[str, Any]], **ends: str) -> dict[str, Any]:
        return {"candidates": [{"content": {"role": "model", "parts": parts}, **ends, "index": 0}]}

    def _event(self, document: Mapping[str, Any]) -> bytes:
        if self._is_events:
            return f"data: {compact(document)}\n\n".encode()
        begun, self._is_begun = self._is_begun, True
        return (",\r\n" if begun else "[").encode() + compact(document).encode()
