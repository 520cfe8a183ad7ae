"""One of OpenAI's responses, spelled from a chat completion: whole, or in events that repeat each text whole."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

from masking.gateway.chat import as_chunk, choice_of, compact, pieces_of, text, usage_of

__all__ = ["Response"]

_PREFIXES = {"reasoning": "rs", "message": "msg", "function_call": "fc"}
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


class Response:
    """`echoed` is what a response repeats of its request."""

    def __init__(self, made: str, model: str, echoed: Mapping[str, Any], *, stream: bool) -> None:
        self.content_type = "text/event-stream; charset=utf-8" if stream else "application/json"
        self._id = made
        self._model = model
        self._echoed = echoed
        self._created = int(time.time())
        self._number = -1
        self._items: list[dict[str, Any]] = []
        self._open = ""  # the kind of text that the last item is, "" when it is done
        self._calls: dict[int, int] = {}  # numbers of calls, and of their items: pieces of several may take turns
        self._reason = "stop"
        self._usage: dict[str, int] = {}

    def whole(self, answer: Mapping[str, Any]) -> bytes:
        for _ in (*self.events(as_chunk(answer)), *self._close()):
            pass  # the items are made on the way
        return compact(self._response(self._status())).encode()

    def events(self, chunk: Mapping[str, Any]) -> Iterator[bytes]:
        self._usage = usage_of(chunk) or self._usage
        yield from self._begin()
        delta, reason = choice_of(chunk, "delta")
        self._reason = reason or self._reason
        for kind, said in (("reasoning", text(delta, "reasoning_content")), ("message", text(delta, "content"))):
            if said:
                yield from self._opened(kind)
                yield self._said(kind, said)
        for number, piece in pieces_of(delta):
            if number not in self._calls:
                made = {"call_id": text(piece, "id") or f"call_{uuid4().hex[:24]}"}
                yield from self._close_text()
                self._calls[number] = len(self._items)
                yield self._added("function_call", {**made, "name": text(piece, "function", "name"), "arguments": ""})
            if arguments := text(piece, "function", "arguments"):
                index = self._calls[number]
                self._items[index]["arguments"] += arguments
                yield self._event("response.function_call_arguments.delta", **self._at(index), delta=arguments)

    def end(self) -> Iterator[bytes]:
        yield from self._begin()
        yield from self._close()
        status = self._status()
        yield self._event(f"response.{status}", response=self._response(status))

    def _begin(self) -> Iterator[bytes]:
        if self._number < 0:
            begun = self._response("in_progress")
            yield self._event("response.created", response=begun)
            yield self._event("response.in_progress", response=begun)

    def _opened(self, kind: str) -> Iterator[bytes]:
        """See that the last item is a text of this kind."""
        if self._open == kind:
            return
        yield from self._close_text()
        self._open = kind
        parts: list[dict[str, Any]] = []
        more = {"role": "assistant", "content": parts} if kind == "message" else {"summary": parts}
        yield self._added(kind, more)
        if kind == "message":
            parts.append({"type": "output_text", "text": "", "annotations": []})
            name, place = "response.content_part.added", "content_index"
        else:
            parts.append({"type": "summary_text", "text": ""})
            name, place = "response.reasoning_summary_part.added", "summary_index"
        yield self._event(name, **self._at(), **{place: 0}, part=parts[0])

    def _added(self, kind: str, more: Mapping[str, Any]) -> bytes:
        item = {"id": f"{_PREFIXES[kind]}_{uuid4().hex}", "type": kind, "status": "in_progress", **more}
        self._items.append(item)
        return self._event("response.output_item.added", output_index=len(self._items) - 1, item=item)

    def _said(self, kind: str, said: str) -> bytes:
        item = self._items[-1]
        if kind == "message":
            item["content"][0]["text"] += said
            return self._event("response.output_text.delta", **self._at(), content_index=0, logprobs=[], delta=said)
        item["summary"][0]["text"] += said
        return self._event("response.reasoning_summary_text.delta", **self._at(), summary_index=0, delta=said)

    def _close(self) -> Iterator[bytes]:
        yield from self._close_text()
        for index in self._calls.values():
            item = self._items[index]
            said = {"name": item["name"], "arguments": item["arguments"]}
            yield self._event("response.function_call_arguments.done", **self._at(index), **said)
            yield self._done(index)

    def _close_text(self) -> Iterator[bytes]:
        kind, self._open = self._open, ""
        if kind == "message":
            part = self._items[-1]["content"][0]
            at = {**self._at(), "content_index": 0}
            yield self._event("response.output_text.done", **at, text=part["text"], logprobs=[])
            yield self._event("response.content_part.done", **at, part=part)
            yield self._done(-1)
        elif kind:
            part = self._items[-1]["summary"][0]
            at = {**self._at(), "summary_index": 0}
            yield self._event("response.reasoning_summary_text.done", **at, text=part["text"])
            yield self._event("response.reasoning_summary_part.done", **at, part=part)
            yield self._done(-1)

    def _done(self, index: int) -> bytes:
        item = self._items[index]
        item["status"] = self._status()
        at = index if index >= 0 else len(self._items) - 1
        return self._event("response.output_item.done", output_index=at, item=item)

    def _at(self, index: int = -1) -> dict[str, Any]:
        return {"item_id": self._items[index]["id"], "output_index": index if index >= 0 else len(self._items) - 1}

    def _status(self) -> str:
        return "incomplete" if self._reason in _INCOMPLETE else "completed"

    def _response(self, status: str) -> dict[str, Any]:
        reason = _INCOMPLETE.get(self._reason) if status == "incomplete" else None
        usage = None
        if self._usage and status != "in_progress":
            details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
            usage = {**self._usage, **details}
        usual: dict[str, Any] = {
            "instructions": None, "metadata": {}, "parallel_tool_calls": True, "previous_response_id": None,
            "temperature": None, "tool_choice": "auto", "tools": [], "top_p": None,
        }  # fmt: skip
        return {
            "id": self._id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "error": None,
            "incomplete_details": {"reason": reason} if reason else None,
            "model": self._model,
            **usual,
            **self._echoed,
            "output": self._items if status != "in_progress" else [],
            "usage": usage,
        }

    def _event(self, kind: str, **fields: Any) -> bytes:
        self._number += 1
        document = {"type": kind, "sequence_number": self._number, **fields}
        return f"event: {kind}\ndata: {compact(document)}\n\n".encode()
