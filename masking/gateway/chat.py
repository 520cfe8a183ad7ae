"""OpenAI's chat completions, as what every other API is translated to and from.

A translation says what to ask (`Asked`) and how the answer is spelled in the client's own API (`Speaker`). All of it is
on the masked side: placeholders are translated, never values.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from masking.gateway.refusal import Refused
from masking.gateway.upstream import Outgoing, UpstreamBroke

__all__ = [
    "Asked", "CallIds", "Calls", "Listing", "Memory", "Said", "Speaker", "Stop", "Told", "Translation", "as_chunk",
    "choice_of", "compact", "pieces_of", "text", "usage_of",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Memory:
    """What is kept of a conversation where the client's API leaves that to the service.

    The messages kept under `before` come first; all of them and the answer are kept under `after`. `unknown` is the
    refusal where nothing is kept under `before`; None begins a new conversation. `parent` must be the id that the round
    before was kept with as `last`, where both are given.
    """

    before: str = ""
    after: str = ""
    parent: str = ""
    last: str = ""
    unknown: Refused | None = None


@dataclass(slots=True)
class Asked:
    """What to ask: the body of a chat completion without `stream`, and who spells the answer.

    `instructions` are messages that come before all others and are not kept. `task` is the name by which the answer may
    be stopped.
    """

    body: dict[str, Any]
    speaker: Speaker
    stream: bool = False
    memory: Memory = field(default_factory=Memory)
    instructions: list[dict[str, Any]] = field(default_factory=list)
    task: str = ""


@dataclass(slots=True)
class Told:
    """An answer that nobody has to be asked for."""

    document: dict[str, Any]


@dataclass(slots=True)
class Listing:
    """The upstream's models are asked for: `name` is one of them, "" all; `spell` makes the answer of them."""

    spell: Callable[[list[Mapping[str, Any]]], dict[str, Any]]
    name: str = ""


@dataclass(slots=True)
class Stop:
    """A running answer is to end: `task` names it, `document` says that it did."""

    task: str
    document: dict[str, Any]


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

    def ask(self, outgoing: Outgoing) -> Asked | Told | Listing | Stop:
        """Raises Refused for parameters that are missing, out of range, or nothing that a chat completion has."""


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


def pieces_of(delta: Mapping[str, Any]) -> list[tuple[int, Mapping[str, Any]]]:
    """The pieces of tool calls in one chunk, each with the number of its call."""
    found = delta.get("tool_calls")
    pieces = [piece for piece in found if isinstance(piece, Mapping)] if isinstance(found, list) else []
    return [(at if isinstance(at := piece.get("index"), int) else number, piece) for number, piece in enumerate(pieces)]


def as_chunk(doc: Mapping[str, Any]) -> dict[str, Any]:
    """A whole answer as the only chunk of a stream: some servers answer so."""
    message, reason = choice_of(doc, "message")
    return {**doc, "choices": [{"index": 0, "delta": message, "finish_reason": reason or "stop"}]}


@dataclass(slots=True)
class Calls:
    """Tool calls put together from their pieces."""

    calls: dict[int, dict[str, Any]] = field(default_factory=dict)

    def add(self, delta: Mapping[str, Any]) -> None:
        """Take the pieces of one chunk."""
        for index, piece in pieces_of(delta):
            call = self.calls.setdefault(
                index, {"index": index, "id": "", "type": "function", "function": {"name": "", "arguments": ""}}
            )
            call["id"] = call["id"] or text(piece, "id")
            for name in ("name", "arguments"):
                call["function"][name] += text(piece, "function", name)

    def whole(self) -> list[dict[str, Any]]:
        """The calls so far."""
        return [{**call, "function": {**call["function"]}} for _, call in sorted(self.calls.items())]

    def objects(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Id, name and arguments of each call, for APIs that have arguments as objects. Raises UpstreamBroke."""
        found = []
        for call in self.whole():
            try:
                arguments = json.loads(call["function"]["arguments"] or "{}")
            except (ValueError, RecursionError):
                arguments = None
            if not isinstance(arguments, dict):
                raise UpstreamBroke("calls a tool with arguments that are no JSON object, or were cut short")
            found.append((call["id"], call["function"]["name"], arguments))
        return found


@dataclass(slots=True)
class Said:
    """What the model said in one round, as the message that the next round is asked with."""

    words: list[str] = field(default_factory=list)
    calls: Calls = field(default_factory=Calls)

    def add(self, delta: Mapping[str, Any]) -> None:
        """Take a piece of the answer, or the whole."""
        self.words.append(text(delta, "content"))
        self.calls.add(delta)

    def message(self) -> dict[str, Any]:
        """All of it."""
        message: dict[str, Any] = {"role": "assistant", "content": "".join(self.words)}
        calls = [{name: call[name] for name in ("id", "type", "function")} for call in self.calls.whole()]
        return {**message, "tool_calls": calls} if calls else message


@dataclass(slots=True)
class CallIds:
    """Ids for APIs that know a call by its tool's name: a result belongs to the oldest open call of that name."""

    open: list[tuple[str, str]] = field(default_factory=list)
    count: int = 0

    def call(self, name: str, given: str = "") -> str:
        """The id of a call."""
        self.count += 1
        made = given or f"made_call_{self.count}"
        self.open.append((name, made))
        return made

    def result(self, name: str, given: str = "") -> str:
        """The id of the call that a result answers, "" where there is none; without a name the oldest open one's."""
        for at, (called, made) in enumerate(self.open):
            if made == given or (not given and name in ("", called)):
                del self.open[at]
                return made
        return ""
