"""Which API a request speaks, and the reply to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

from masking.echo import anthropic, dashscope, gemini, ollama, openai, openapi, responses
from masking.echo.model import Manner
from masking.echo.models import models
from masking.echo.wire import Reply, Request, whole

__all__ = ["reply"]

_SPEAKERS: tuple[tuple[str, Callable[[Request], Reply]], ...] = (
    ("/chat/completions", openai.chat),
    ("/completions", openai.completions),
    ("/embeddings", openai.embeddings),
    ("/responses", responses.responses),
    ("/messages", anthropic.messages),
    ("/messages/count_tokens", anthropic.count_tokens),
    (":generateContent", gemini.generate),
    (":streamGenerateContent", gemini.stream),
    (":countTokens", gemini.count_tokens),
    ("/api/chat", ollama.chat),
    ("/api/generate", ollama.generate),
    ("/generation/generation", dashscope.generation),
    ("-generation/generation", dashscope.generation),
    ("/completion", dashscope.application),
)


def reply(method: str, target: str, headers: Mapping[str, str], body: bytes, manner: Manner | None = None) -> Reply:
    """The reply to one request: `target` is path and query, header names are in lower case.

    Anything but the routes it knows is 404, an unreadable body is 400.
    """
    manner = manner or Manner()
    made = _reply(method, target, headers, body, manner)
    if 0 < manner.breaks_after < len(made.chunks):
        return replace(made, chunks=made.chunks[: manner.breaks_after], breaks=True)
    return made


def _reply(method: str, target: str, headers: Mapping[str, str], body: bytes, manner: Manner) -> Reply:
    path, _, tail = target.partition("?")
    query = dict(parse_qsl(tail, keep_blank_values=True))
    if method == "GET" and (listed := models(path, headers)) is not None:
        return listed
    action = headers.get("x-acs-action") or query.get("Action")
    if method == "POST" and action:
        form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        return openapi.act(action, Request(path, query, headers, form, manner))
    speak = next((speak for end, speak in _SPEAKERS if method == "POST" and path.endswith(end)), None)
    if speak is None:
        return _error("no such route", "not_found", 404)
    try:
        document: Any = json.loads(body)
    except ValueError:
        return _error("not JSON", "bad_json", 400)
    if not isinstance(document, dict):
        return _error("not an object", "bad_json", 400)
    return speak(Request(path, query, headers, document, manner))


def _error(message: str, code: str, status: int) -> Reply:
    return whole({"error": {"message": message, "type": "invalid_request_error", "code": code}}, status)
