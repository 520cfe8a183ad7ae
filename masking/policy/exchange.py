"""A case as an application sends it: through the wire of OpenAI's chat completions, requests and replies.

Three lanes, each in a conversation of its own: text as `content` of messages, the reply whole; the same as events of a
stream; text as a JSON string in the arguments of a tool call. https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import orjson

from masking.core.descriptor import Descriptor
from masking.core.session import Session
from masking.core.turn import Turn
from masking.files import read_descriptors
from masking.policy.suite import Message

__all__ = ["answered", "answered_in_events", "called", "called_back", "sent"]

_PIECE = 4  # characters of an event: shorter than any placeholder, so that each is cut


@cache
def _descriptor() -> Descriptor:
    found = read_descriptors().named("openai.chat")
    assert found is not None, "openai.chat ships"
    return found


def sent(session: Session, messages: Sequence[Message]) -> list[str]:
    """What leaves as the contents of the messages. Raises UnmaskableError."""
    plain = [{"role": message.role, "content": message.text} for message in messages]
    body = Turn(_descriptor(), session).request(orjson.dumps({"model": "m", "messages": plain}))
    return [message["content"] for message in orjson.loads(body)["messages"]]


def called(session: Session, messages: Sequence[Message]) -> list[str]:
    """What leaves as the arguments of a tool call, each message the string at `text`. Raises UnmaskableError."""
    calls = [_call(orjson.dumps({"text": message.text}).decode(), index) for index, message in enumerate(messages)]
    plain = [{"role": "assistant", "content": None, "tool_calls": calls}]
    body = Turn(_descriptor(), session).request(orjson.dumps({"model": "m", "messages": plain}))
    made = orjson.loads(body)["messages"][0]["tool_calls"]
    return [orjson.loads(call["function"]["arguments"])["text"] for call in made]


def answered(session: Session, texts: Sequence[str]) -> list[str]:
    """What a caller reads of a reply in one document whose choices say `texts`."""
    choices = [{"index": index, "message": {"role": "assistant", "content": text}} for index, text in enumerate(texts)]
    turn = Turn(_descriptor(), session)
    turn.open(200, "application/json")
    raw = turn.receive(orjson.dumps({"id": "c", "choices": choices})) + turn.close()
    return [choice["message"]["content"] for choice in orjson.loads(raw)["choices"]]


def answered_in_events(session: Session, texts: Sequence[str]) -> list[str]:
    """What a caller reads of a reply that streams `texts`, in turns, a few characters an event."""
    read = [""] * len(texts)
    for choice in _streamed(session, [[{"content": piece} for piece in _pieces(text)] for text in texts]):
        read[choice["index"]] += choice["delta"].get("content") or ""
    return read


def called_back(session: Session, texts: Sequence[str]) -> list[str]:
    """What a caller reads of a reply that streams tool calls with `texts` in their arguments, piece by piece."""
    arguments = [orjson.dumps({"text": text}).decode() for text in texts]
    deltas = [
        [{"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in _pieces(one)]
        for one in arguments
    ]
    read = [""] * len(texts)
    for choice in _streamed(session, deltas):
        for call in choice["delta"].get("tool_calls") or ():
            read[choice["index"]] += call["function"].get("arguments") or ""
    return [orjson.loads(one)["text"] for one in read]


def _call(arguments: str, index: int) -> dict[str, Any]:
    return {"id": f"call_{index}", "type": "function", "function": {"name": "note", "arguments": arguments}}


def _pieces(text: str) -> list[str]:
    return [text[at : at + _PIECE] for at in range(0, len(text), _PIECE)]


def _streamed(session: Session, deltas: Sequence[Sequence[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """The choices of the events that a caller reads."""
    turn = Turn(_descriptor(), session)
    turn.open(200, "text/event-stream")
    raw: list[bytes] = []
    for at in range(max(map(len, deltas), default=0)):
        for index, one in enumerate(deltas):
            if at < len(one):
                raw.append(turn.receive(_event(index, one[at])))
    raw += [turn.receive(_event(index, {}, "stop")) for index in range(len(deltas))]
    raw += [turn.receive(b"data: [DONE]\n\n"), turn.close()]
    for event in b"".join(raw).split(b"\n\n"):
        data = event.removeprefix(b"data: ")
        if data and data != b"[DONE]":
            yield from orjson.loads(data)["choices"]


def _event(index: int, delta: dict[str, Any], finish: str | None = None) -> bytes:
    doc = {"id": "c", "choices": [{"index": index, "delta": delta, "finish_reason": finish}]}
    return b"data: " + orjson.dumps(doc) + b"\n\n"
