"""OpenAI's chat completions, as what every other API is translated to and from.

A translation says what to ask (`Asked`) and how the answer is spelled in the client's own API (`Speaker`). All of it is
on the masked side: placeholders are translated, never values.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from masking.gateway.upstream import Outgoing

__all__ = ["Asked", "Calls", "Speaker", "Translation", "choice_of", "compact", "text", "usage_of"]


@dataclass(slots=True)
class Asked:
    """What to ask: the body of a chat completion without `stream`, and who spells the answer.

    `conversation` is the name under which the history is kept here, where the client's API keeps it; "" where the
    client sends it.
    """

    body: dict[str, Any]
    speaker: Speaker
    stream: bool = False
    conversation: str = ""


class Speaker(Protocol):
    """Spells one answer in the client's API."""

    content_type: str

    def whole(self, answer: Mapping[str, Any]) -> bytes:
        """A whole answer."""

    def events(self, chunk: Mapping[str, Any]) -> Iterator[bytes]:
        """What one chunk of a stream becomes: whole events."""

    def end(self) -> Iterator[bytes]:
        """The last events."""


class Translation(Protocol):
    """One API."""

    def ask(self, outgoing: Outgoing) -> Asked:
        """Raises Refused for parameters that are missing or out of range."""


def text(node: Any, *path: str) -> str:
    """The string at a path, "" where there is none."""
    for step in path:
        node = node.get(step) if isinstance(node, Mapping) else None
    return node if isinstance(node, str) else ""


def choice_of(doc: Mapping[str, Any], part: str) -> tuple[Mapping[str, Any], str]:
    """The first choice's `message` or `delta`, and its finish reason, "" while it goes on."""
    choices = doc.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], Mapping) else {}
    found = choice.get(part)
    return (found if isinstance(found, Mapping) else {}), text(choice, "finish_reason")


def usage_of(doc: Mapping[str, Any]) -> dict[str, int]:
    """Tokens of question and answer; empty where they were not counted."""
    usage = doc.get("usage")
    if not isinstance(usage, Mapping):
        return {}
    asked, answered = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if not isinstance(asked, int) or not isinstance(answered, int):
        return {}
    return {"input_tokens": asked, "output_tokens": answered, "total_tokens": asked + answered}


def compact(document: Any) -> str:
    """JSON in ASCII: some SDKs lose what is not."""
    return json.dumps(document, separators=(",", ":"))


@dataclass(slots=True)
class Calls:
    """Tool calls put together from their pieces."""

    calls: dict[int, dict[str, Any]] = field(default_factory=dict)

    def add(self, pieces: Any) -> None:
        """Take the pieces of one chunk."""
        for piece in pieces if isinstance(pieces, list) else ():
            index = piece.get("index", 0)
            call = self.calls.setdefault(
                index, {"index": index, "id": "", "type": "function", "function": {"name": "", "arguments": ""}}
            )
            call["id"] = call["id"] or piece.get("id") or ""
            for name in ("name", "arguments"):
                call["function"][name] += text(piece, "function", name)

    def whole(self) -> list[dict[str, Any]]:
        """The calls so far."""
        return [{**call, "function": {**call["function"]}} for _, call in sorted(self.calls.items())]
