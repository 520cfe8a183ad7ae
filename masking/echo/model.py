"""What the stand-in says, whatever the API."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

__all__ = ["MODEL", "Spoken", "Turns", "answer", "speak", "text_of", "tokens"]

MODEL = "echo"

Turns = Sequence[Mapping[str, Any]]
"""Messages as OpenAI has them: role user, assistant, system or tool, and content."""

_SIZES = (3, 2, 4, 2, 3)


def answer(messages: Turns) -> str:
    """What the model says to a conversation: it quotes the last user message, in the language of that message."""
    said = _last(messages)
    if any("\u4e00" <= character <= "\u9fff" for character in said):
        return f"你说的是：“{said}”。我已经记下了，共 {len(messages)} 条消息。"
    return f'You said: "{said}". I have made a note of it; there are {len(messages)} messages so far.'


def tokens(text: str) -> Iterator[str]:
    """The text in pieces of 2 to 4 characters, as a tokeniser might cut it: no placeholder fits in one piece."""
    sizes = cycle(_SIZES)
    at = 0
    while at < len(text):
        size = next(sizes)
        yield text[at : at + size]
        at += size


@dataclass(frozen=True, slots=True)
class Spoken:
    """One answer: a text, or a call of `tool` with `arguments`; `thought` is empty unless thinking was asked for."""

    text: str
    thought: str
    tool: str
    arguments: Mapping[str, str]

    @property
    def json(self) -> str:
        """The arguments as a model writes them."""
        return json.dumps(self.arguments, ensure_ascii=False)

    @property
    def count(self) -> int:
        """How many tokens the answer has."""
        return sum(1 for _ in tokens(self.json if self.tool else self.text))


def speak(messages: Turns, tools: Iterable[object] = (), *, thinks: bool = False) -> Spoken:
    """The answer to a conversation; `tools` are the names on offer."""
    said = _last(messages)
    thought = f"The user says: {said}" if thinks else ""
    if messages and messages[-1].get("role") == "tool":
        return Spoken(answer([*messages, {"role": "user", "content": text_of(messages[-1])}]), thought, "", {})
    for tool in map(str, tools):
        if tool and (f"call {tool}" in said or f"调用{tool}" in said):
            return Spoken("", thought, tool, {"text": said})
    return Spoken(answer(messages), thought, "", {})


def text_of(node: Any) -> str:
    """The text of a message, of content parts, or of a plain string."""
    if isinstance(node, str):
        return node
    if isinstance(node, Mapping):
        return text_of(node.get("text") or node.get("content") or node.get("parts") or "")
    if isinstance(node, list):
        return " ".join(filter(None, map(text_of, node)))
    return ""


def _last(messages: Turns) -> str:
    for message in reversed(messages):
        if message.get("role") == "user":
            return text_of(message)
    return ""
