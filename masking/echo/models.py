"""The list of models, in the shapes of OpenAI, Anthropic, Gemini and Ollama: one model, `echo`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from masking.echo.model import MODEL
from masking.echo.wire import Reply, whole

__all__ = ["models"]

_SINCE = "2026-01-01T00:00:00Z"
_OPENAI = {"id": MODEL, "object": "model", "created": 0, "owned_by": "echo"}
_ANTHROPIC = {"type": "model", "id": MODEL, "display_name": "Echo", "created_at": _SINCE}
_GEMINI = {
    "name": f"models/{MODEL}", "version": "1", "displayName": "Echo", "inputTokenLimit": 1_000_000,
    "outputTokenLimit": 1_000_000, "supportedGenerationMethods": ["generateContent", "countTokens"],
}  # fmt: skip
_OLLAMA = {
    "name": f"{MODEL}:latest", "model": f"{MODEL}:latest", "modified_at": _SINCE, "size": 0, "digest": "0" * 64,
    "details": {"format": "echo", "family": "echo", "families": ["echo"], "parameter_size": "0"},
}  # fmt: skip
_ANSWERS: dict[str, dict[str, Any]] = {
    "/api/tags": {"models": [_OLLAMA]},
    "/api/ps": {"models": []},
    "/api/version": {"version": "0.0.0"},
}


def models(path: str, headers: Mapping[str, str]) -> Reply | None:
    """`GET */models` and `*/models/echo`, `*/api/tags`, `*/api/ps`, `*/api/version`; None for other paths."""
    for end, answer in _ANSWERS.items():
        if path.endswith(end):
            return whole(answer)
    one: dict[str, Any]
    listed: dict[str, Any]
    if "anthropic-version" in headers:
        one, listed = _ANTHROPIC, {"data": [_ANTHROPIC], "has_more": False, "first_id": MODEL, "last_id": MODEL}
    elif "x-goog-api-key" in headers or "/v1beta/" in path or "/v1alpha/" in path:
        one, listed = _GEMINI, {"models": [_GEMINI]}
    else:
        one, listed = _OPENAI, {"object": "list", "data": [_OPENAI]}
    if path.endswith("/models"):
        return whole(listed)
    return whole(one) if path.endswith(f"/models/{MODEL}") else None
