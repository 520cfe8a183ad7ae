"""Gemini generateContent, streamed as events or as a JSON array that grows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from masking.echo.model import MODEL, Spoken, speak, text_of, tokens
from masking.echo.wire import Reply, Request, sse, whole

__all__ = ["count_tokens", "generate", "stream"]


def generate(request: Request) -> Reply:
    """`POST */models/NAME:generateContent`; thinking is asked for by `includeThoughts`."""
    spoken = _spoken(request)
    parts = [{"text": spoken.thought, "thought": True}] if spoken.thought else []
    return whole(_answer([*parts, _last_part(spoken, spoken.text)], spoken, ends=True))


def stream(request: Request) -> Reply:
    """`POST */models/NAME:streamGenerateContent`: events with `alt=sse`, else one array."""
    answers = list(_answers(_spoken(request)))
    if request.query.get("alt") == "sse":
        return sse(answers)
    documents = [json.dumps(answer, ensure_ascii=False).encode() for answer in answers]
    chunks = [(b"[" if number == 0 else b",\r\n") + document for number, document in enumerate(documents)]
    return Reply(200, "application/json", (*chunks, b"]"))


def count_tokens(request: Request) -> Reply:
    """`POST */models/NAME:countTokens`."""
    said = text_of(list(request.document.get("contents") or ()))
    return whole({"totalTokens": sum(1 for _ in tokens(said))})


def _spoken(request: Request) -> Spoken:
    asked = request.document
    messages = []
    for content in asked.get("contents") or ():
        parts = content.get("parts") or []
        results = [part["functionResponse"].get("response") for part in parts if "functionResponse" in part]
        if results:
            messages.append({"role": "tool", "content": json.dumps(results, ensure_ascii=False)})
        else:
            role = "assistant" if content.get("role") == "model" else "user"
            messages.append({"role": role, "content": text_of(parts)})
    tools = [
        function.get("name", "")
        for tool in asked.get("tools") or ()
        for function in tool.get("functionDeclarations") or ()
    ]
    config = (asked.get("generationConfig") or {}).get("thinkingConfig") or {}
    return speak(
        messages,
        tools,
        thinks=bool(config.get("includeThoughts") or config.get("include_thoughts")),
        manner=request.manner,
    )


def _last_part(spoken: Spoken, text: str) -> dict[str, Any]:
    if not spoken.tool:
        return {"text": text}
    return {"functionCall": {"name": spoken.tool, "args": dict(spoken.arguments)}, "thoughtSignature": "c2VhbGVk"}


def _answers(spoken: Spoken) -> Iterator[dict[str, Any]]:
    for piece in spoken.tokens(spoken.thought):
        yield _answer([{"text": piece, "thought": True}], spoken, ends=False)
    for piece in spoken.tokens(spoken.text):
        yield _answer([{"text": piece}], spoken, ends=False)
    yield _answer([_last_part(spoken, "")], spoken, ends=True)


def _answer(parts: list[dict[str, Any]], spoken: Spoken, *, ends: bool) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
    if ends:
        candidate["finishReason"] = "STOP"
    usage = {"promptTokenCount": 1, "candidatesTokenCount": spoken.count, "totalTokenCount": spoken.count + 1}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": MODEL, "responseId": "echo"}
