"""Events to a whole answer, and repeated text to what is new of it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from masking.clients.answer import Answer, Choice, Event, ToolCall

__all__ = ["Fresh", "Gathered"]


class Fresh:
    """Takes what is new out of events that repeat all text so far.

    A text that does not go on from the former one is taken as new: some servers send pieces although they were asked
    for the whole.
    """

    __slots__ = ("_so_far",)

    def __init__(self) -> None:
        self._so_far: dict[tuple[int, str], str] = {}

    def of(self, event: Event) -> Event:
        """The event with only what is new in its choices."""
        return replace(event, choices=tuple(map(self._choice, event.choices)))

    def _choice(self, choice: Choice) -> Choice:
        index = choice.index
        calls = tuple(
            replace(call, arguments=self._new(index, f"arguments {call.index}", call.arguments))
            for call in choice.tool_calls
        )
        content = self._new(index, "content", choice.content)
        reasoning = self._new(index, "reasoning", choice.reasoning)
        return replace(choice, content=content, reasoning=reasoning, tool_calls=calls)

    def _new(self, index: int, name: str, text: str) -> str:
        before = self._so_far.get((index, name), "")
        if text.startswith(before):
            self._so_far[index, name] = text
            return text[len(before) :]
        self._so_far[index, name] = before + text
        return text


@dataclass(slots=True)
class _Call:
    id: str
    name: str
    pieces: list[str]


class _Parts:
    """One choice so far."""

    __slots__ = ("calls", "content", "finish_reason", "reasoning", "role")

    def __init__(self) -> None:
        self.content: list[str] = []
        self.reasoning: list[str] = []
        self.calls: dict[int, _Call] = {}
        self.finish_reason = self.role = ""

    def add(self, choice: Choice) -> None:
        self.content.append(choice.content)
        self.reasoning.append(choice.reasoning)
        self.finish_reason = choice.finish_reason or self.finish_reason
        self.role = self.role or choice.role
        for call in choice.tool_calls:
            known = self.calls.setdefault(call.index, _Call("", "", []))
            known.id = known.id or call.id
            known.name = known.name or call.name
            known.pieces.append(call.arguments)

    def whole(self, index: int) -> Choice:
        calls = tuple(ToolCall(at, one.id, one.name, "".join(one.pieces)) for at, one in sorted(self.calls.items()))
        content, reasoning = "".join(self.content), "".join(self.reasoning)
        return Choice(index, content, reasoning, calls, self.finish_reason, self.role)


_KEPT = [each.name for each in fields(Answer) if each.name not in ("choices", "raw")]


class Gathered:
    """The answer so far; of everything but text and calls, the last that was said."""

    __slots__ = ("_parts", "_raw", "_said")

    def __init__(self) -> None:
        self._parts: dict[int, _Parts] = {}
        self._said: dict[str, Any] = {}
        self._raw: Any = {}

    def add(self, event: Event) -> None:
        """Take one event in."""
        for choice in event.choices:
            self._parts.setdefault(choice.index, _Parts()).add(choice)
        for name in _KEPT:
            value = getattr(event, name)
            if value:
                self._said[name] = value
        self._raw = event.raw

    def answer(self) -> Answer:
        """Everything so far; its `raw` is that of the last event."""
        choices = tuple(parts.whole(index) for index, parts in sorted(self._parts.items()))
        return Answer(choices, raw=self._raw, **self._said)

    def finished(self, choices: int) -> bool:
        """Whether that many choices have come, and each has ended."""
        parts = self._parts.values()
        return len(parts) >= choices and all(one.finish_reason for one in parts)
