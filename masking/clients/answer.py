"""What an API answers: the same few words for all of them, and the document itself in `raw`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Answer", "Choice", "Event", "ToolCall", "choices_of", "objects", "text_of"]


@dataclass(frozen=True, slots=True, repr=False)
class ToolCall:
    """A call of a tool; `arguments` is JSON text, in an event a piece of it."""

    index: int = 0
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Choice:
    """One of the answers that were asked for; in an event, what is new of it. `finish_reason` is "" until its end."""

    index: int = 0
    content: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """A whole answer. Ids are "" where an API has none; `raw` is the document with values restored.

    Its repr shows no text.
    """

    choices: tuple[Choice, ...] = ()
    request_id: str = ""
    model: str = ""
    session_id: str = ""
    """Model Studio applications: the conversation that the service keeps."""
    conversation_id: str = ""
    """RdsAi: the conversation that the service keeps."""
    message_id: str = ""
    """RdsAi: this message, the next one's parent."""
    task_id: str = ""
    """RdsAi: what `stop` takes."""
    usage: Mapping[str, Any] = field(default_factory=dict)
    thoughts: tuple[Mapping[str, Any], ...] = ()
    doc_references: tuple[Mapping[str, Any], ...] = ()
    workflow_message: Mapping[str, Any] | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        length = sum(len(choice.content) for choice in self.choices)
        return f"{type(self).__name__}({len(self.choices)} choices, {length} characters)"

    @property
    def text(self) -> str:
        """The first choice's content."""
        return self.choices[0].content if self.choices else ""

    @property
    def reasoning(self) -> str:
        """The first choice's thinking."""
        return self.choices[0].reasoning if self.choices else ""

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The first choice's calls."""
        return self.choices[0].tool_calls if self.choices else ()

    @property
    def finish_reason(self) -> str:
        """Why the first choice ended: stop, length, tool_calls; "" when it has not."""
        return self.choices[0].finish_reason if self.choices else ""

    def message(self) -> dict[str, Any]:
        """The first choice as a message to send along next time."""
        made: dict[str, Any] = {"role": "assistant", "content": self.text}
        if self.tool_calls:
            made["tool_calls"] = [
                {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                for call in self.tool_calls
            ]
        return made


@dataclass(frozen=True, slots=True, repr=False)
class Event(Answer):
    """One event of a stream. Its choices hold what is new, also where the API repeats all text so far.

    `name` and `id` are the event's own; `raw` is as it came, values restored.
    """

    name: str = ""
    id: str = ""
    open_ended: bool = False
    """Whether events of this shape cannot say which is the last: the end of the connection is then the end."""


def text_of(node: Any, *path: str) -> str:
    """The string at `path`; "" where there is none. Numbers are spelled: DMS sends some as text, some not."""
    for step in path:
        node = node.get(step) if isinstance(node, Mapping) else None
    if isinstance(node, str):
        return node
    return str(node) if isinstance(node, int | float) and not isinstance(node, bool) else ""


def objects(node: Any, *path: str) -> tuple[Mapping[str, Any], ...]:
    """The objects in the list at `path`."""
    for step in path:
        node = node.get(step) if isinstance(node, Mapping) else None
    if not isinstance(node, Sequence) or isinstance(node, str):
        return ()
    return tuple(item for item in node if isinstance(item, Mapping))


def choices_of(found: Sequence[Mapping[str, Any]], part: str) -> tuple[Choice, ...]:
    """Choices in OpenAI's shape; `part` is `message` or `delta`."""
    return tuple(_choice(choice, part, position) for position, choice in enumerate(found))


def _choice(choice: Mapping[str, Any], part: str, position: int) -> Choice:
    message = choice.get(part) or choice.get("message") or choice.get("delta") or {}
    index = choice.get("index")
    reason = text_of(choice, "finish_reason")
    return Choice(
        index if isinstance(index, int) else position,
        _content(message),
        text_of(message, "reasoning_content") or text_of(message, "reasoning"),
        tuple(_tool_call(call, at) for at, call in enumerate(objects(message, "tool_calls"))),
        "" if reason == "null" else reason,
        text_of(message, "role"),
    )


def _content(message: Any) -> str:
    parts = objects(message, "content")  # models that see and hear answer in parts
    return "".join(text_of(part, "text") for part in parts) if parts else text_of(message, "content")


def _tool_call(call: Mapping[str, Any], position: int) -> ToolCall:
    index = call.get("index")
    return ToolCall(
        index if isinstance(index, int) else position,
        text_of(call, "id"),
        text_of(call, "function", "name"),
        text_of(call, "function", "arguments"),
    )
