"""What a conversation remembers between two turns: all messages, or the ids by which the service remembers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from masking.clients.answer import Answer

__all__ = ["Ids", "Memory", "Resent", "Said", "messages"]

Said = str | list[dict[str, Any]]
"""What is said in one turn: a user's text, or messages, such as the results of tools."""


class Memory(Protocol):
    """The memory of one conversation."""

    def recall(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """One turn's parameters with what is remembered."""

    def remember(self, values: Mapping[str, Any], answer: Answer) -> None:
        """A turn that went well; one that failed leaves no trace, and can be tried again."""

    def forget(self) -> None:
        """The conversation is over."""


class Resent:
    """All messages, sent along every time: DMS, Qwen generation, OpenAI-compatible servers."""

    __slots__ = ("_messages",)

    def __init__(self) -> None:
        self._messages: list[dict[str, Any]] = []

    def recall(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {**values, "messages": [*self._messages, *values.get("messages", ())]}

    def remember(self, values: Mapping[str, Any], answer: Answer) -> None:
        self._messages += [*values.get("messages", ()), answer.message()]

    def forget(self) -> None:
        self._messages.clear()


class Ids:
    """Ids of the service's own: parameter to the answer's attribute."""

    __slots__ = ("_ids", "_names")

    def __init__(self, **names: str) -> None:
        self._names = names
        self._ids: dict[str, str] = {}

    def recall(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {**self._ids, **values}

    def remember(self, values: Mapping[str, Any], answer: Answer) -> None:
        del values
        for parameter, attribute in self._names.items():
            self._ids[parameter] = getattr(answer, attribute) or self._ids.get(parameter, "")
        self._ids = {name: value for name, value in self._ids.items() if value}

    def forget(self) -> None:
        self._ids.clear()


def messages(said: Said) -> list[dict[str, Any]]:
    """What was said, as messages."""
    return [{"role": "user", "content": said}] if isinstance(said, str) else said
