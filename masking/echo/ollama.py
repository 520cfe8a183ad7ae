"""Ollama chat and generate: streams unless told not to, one JSON document a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from masking.echo.model import MODEL, Spoken, speak
from masking.echo.wire import Reply, Request, lines, whole

__all__ = ["chat", "generate"]

_CREATED = "2023-11-14T22:13:20Z"


def chat(request: Request) -> Reply:
    """`POST */api/chat`."""
    asked = request.document
    tools = [tool.get("function", {}).get("name", "") for tool in asked.get("tools") or ()]
    spoken = speak(asked.get("messages") or [], tools, thinks=bool(asked.get("think")), manner=request.manner)
    calls = [{"function": {"name": spoken.tool, "arguments": dict(spoken.arguments)}}] if spoken.tool else []
    if asked.get("stream") is False:
        message: dict[str, Any] = {"role": "assistant", "content": spoken.text}
        message |= {"thinking": spoken.thought} if spoken.thought else {}
        message |= {"tool_calls": calls} if calls else {}
        return whole(_document({"message": message}, spoken, ends=True))
    messages: list[dict[str, Any]] = [{"content": "", "thinking": piece} for piece in spoken.tokens(spoken.thought)]
    messages += [{"content": piece} for piece in spoken.tokens(spoken.text)]
    messages += [{"content": "", "tool_calls": calls}] if calls else []
    documents = [_document({"message": {"role": "assistant", **message}}, spoken, ends=False) for message in messages]
    last = _document({"message": {"role": "assistant", "content": ""}}, spoken, ends=True)
    return lines([*documents, last])


def generate(request: Request) -> Reply:
    """`POST */api/generate`."""
    asked = request.document
    spoken = speak(
        [{"role": "user", "content": asked.get("prompt")}], thinks=bool(asked.get("think")), manner=request.manner
    )
    if asked.get("stream") is False:
        thinking = {"thinking": spoken.thought} if spoken.thought else {}
        return whole(_document({"response": spoken.text, **thinking}, spoken, ends=True))
    documents = [
        _document({"response": "", "thinking": piece}, spoken, ends=False) for piece in spoken.tokens(spoken.thought)
    ]
    documents += [_document({"response": piece}, spoken, ends=False) for piece in spoken.tokens(spoken.text)]
    return lines([*documents, _document({"response": ""}, spoken, ends=True)])


def _document(said: Mapping[str, Any], spoken: Spoken, *, ends: bool) -> dict[str, Any]:
    counts = {"prompt_eval_count": 1, "eval_count": spoken.count, "total_duration": 1}
    done: dict[str, Any] = {"done": True, "done_reason": "stop", **counts} if ends else {"done": False}
    return {"model": MODEL, "created_at": _CREATED, **said, **done}
