"""What the stand-in says, whatever the API."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any, Literal

__all__ = ["MODEL", "Manner", "Spoken", "Turns", "answer", "speak", "text_of", "tokens"]

MODEL = "echo"

Turns = Sequence[Mapping[str, Any]]
"""Messages as OpenAI has them: role user, assistant, system or tool, and content."""

_SIZES = (3, 2, 4, 2, 3)
_PLACEHOLDER = re.compile(r"<([A-Z][A-Z_]*_[0-9]+)>")

Mangle = Literal["", "lower", "html", "markdown", "brackets", "bare", "wide"]


@dataclass(frozen=True, slots=True)
class Manner:
    """How the model misbehaves: what a stream has to withstand.

    `sizes` are the lengths of its pieces in characters, over and over; `mangle` is how it spells placeholders;
    `invents` is what it adds to every answer, such as a phone number that nobody told it; `breaks_after` is the number
    of chunks after which its connection breaks (0: never), `stalls_after` the number after which it falls silent
    (0: never), until what is given to the transport as `stall` returns.
    """

    sizes: tuple[int, ...] = _SIZES
    mangle: Mangle = ""
    invents: str = ""
    breaks_after: int = 0
    stalls_after: int = 0

    def of(self, text: str) -> str:
        """The text as this model says it."""
        return _PLACEHOLDER.sub(self._spelled, text) + self.invents

    def _spelled(self, found: re.Match[str]) -> str:
        name = found[1]
        match self.mangle:
            case "lower":
                return f"<{name.lower()}>"
            case "html":
                return html.escape(found[0])
            case "markdown":
                return "\\<" + name.replace("_", "\\_") + "\\>"
            case "brackets":
                return f"[{name}]"
            case "bare":
                return f" {name} "
            case "wide":
                return f"＜{name}＞"
        return found[0]


_PLAIN = Manner()


def answer(messages: Turns) -> str:
    """What the model says to a conversation: it quotes the last user message, in the language of that message."""
    said = _last(messages)
    if any("\u4e00" <= character <= "\u9fff" for character in said):
        return f"你说的是：“{said}”。我已经记下了，共 {len(messages)} 条消息。"
    return f'You said: "{said}". I have made a note of it; there are {len(messages)} messages so far.'


def tokens(text: str, sizes: Sequence[int] = _SIZES) -> Iterator[str]:
    """The text in pieces of 2 to 4 characters, as a tokeniser might cut it: no placeholder fits in one piece."""
    lengths = cycle(sizes)
    at = 0
    while at < len(text):
        size = next(lengths)
        yield text[at : at + size]
        at += size


@dataclass(frozen=True, slots=True)
class Spoken:
    """One answer: a text, or a call of `tool` with `arguments`; `thought` is empty unless thinking was asked for."""

    text: str
    thought: str
    tool: str
    arguments: Mapping[str, str]
    manner: Manner = _PLAIN

    def tokens(self, text: str) -> Iterator[str]:
        """A text of it in pieces."""
        return tokens(text, self.manner.sizes)

    @property
    def json(self) -> str:
        """The arguments as a model writes them."""
        return json.dumps(self.arguments, ensure_ascii=False)

    @property
    def count(self) -> int:
        """How many tokens the answer has."""
        return sum(1 for _ in self.tokens(self.json if self.tool else self.text))


def speak(messages: Turns, tools: Iterable[object] = (), *, thinks: bool = False, manner: Manner = _PLAIN) -> Spoken:
    """The answer to a conversation; `tools` are the names on offer."""
    said = _last(messages)
    thought = manner.of(f"The user says: {said}") if thinks else ""
    if messages and messages[-1].get("role") == "tool":
        messages = [*messages, {"role": "user", "content": text_of(messages[-1])}]
    else:
        for tool in map(str, tools):
            if tool and (f"call {tool}" in said or f"调用{tool}" in said):
                return Spoken("", thought, tool, {"text": manner.of(said)}, manner)
    return Spoken(manner.of(answer(messages)), thought, "", {}, manner)


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
