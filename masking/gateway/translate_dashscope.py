"""Model Studio's applications and generation, as chat completions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

from masking.gateway.chat import Asked, Calls, Memory, choice_of, compact, pieces_of, text, usage_of
from masking.gateway.given import Given, body_of
from masking.gateway.refusal import Refused
from masking.gateway.upstream import Outgoing

__all__ = ["DashScope"]

_SAME = (
    "temperature", "top_p", "top_k", "max_tokens", "seed", "stop", "repetition_penalty", "presence_penalty",
    "logprobs", "top_logprobs", "enable_search", "search_options", "enable_thinking", "thinking_budget", "tools",
    "tool_choice", "parallel_tool_calls", "response_format",
)  # fmt: skip
_HEADERS = ("x-dashscope-plugin", "x-dashscope-datainspection")


class DashScope:
    """`apps/ID/completion` and `services/aigc/text-generation/generation`. Workflows stream as agents do.

    What only a real application has (plug-ins, workflow parameters, knowledge bases, long-term memory) is refused.
    """

    def ask(self, outgoing: Outgoing) -> Asked:
        document = body_of(outgoing)
        document.skip("debug")  # the samples of the API send it, empty
        for name in _HEADERS:
            if outgoing.headers.get(name, "").strip() not in ("", "{}"):
                raise Refused(400, "InvalidParameter", f"{name}: nothing that this upstream could do; leave it out")
        given = document.object("input") or Given({}, "input")
        options = document.object("parameters") or Given({}, "parameters")
        is_asked_with_prompt = bool(given.text("prompt"))
        messages = _messages(given)
        if not messages:
            raise Refused(400, "InvalidParameter", "input holds neither prompt nor messages")
        options.only("n", [1], "this upstream gives one answer")
        body = {name: value for name in _SAME if (value := options.value(name)) is not None}
        body["messages"] = messages
        headers = outgoing.headers
        stream = headers.get("x-dashscope-sse") == "enable" or "text/event-stream" in headers.get("accept", "")
        is_pieces = options.flag("incremental_output") is True
        form, is_app = options.text("result_format"), outgoing.tail.endswith("/completion")
        model = document.text("model")
        if stream:
            body["stream_options"] = {"include_usage": True}
        if not is_app:
            document.end()
            body["model"] = model
            as_text = form == "text" or (not form and is_asked_with_prompt)
            speaker: _Speaker = _Generation(stream=stream, is_pieces=is_pieces, as_text=as_text)
            if "/multimodal-generation/" in outgoing.tail:
                speaker = _Multimodal(stream=stream, is_pieces=is_pieces, as_text=False)
            return Asked(body, speaker, stream)
        session = given.text("session_id") or uuid4().hex
        thoughts = options.flag("has_thoughts") is True
        options.skip("flow_stream_mode")
        document.end()
        speaker = _Application(session, stream=stream, is_pieces=is_pieces, thoughts=thoughts)
        # Where a request has both, the messages count: https://help.aliyun.com/zh/model-studio/application-calling-guide
        memory = Memory() if given.take("messages") else Memory(session, session)
        return Asked(body, speaker, stream, memory)


def _messages(given: Given) -> list[Any]:
    messages = given.take("messages") or []
    if not isinstance(messages, list) or not all(isinstance(message, Mapping) for message in messages):
        raise given.refused("messages", "a list of objects is required")
    for number, message in enumerate(messages):
        if isinstance(message.get("content"), list):
            parts = Given(message, f"input.messages[{number}]").objects("content")
            message["content"] = [_part(part) for part in parts]
    prompt = given.text("prompt")
    return [*messages, {"role": "user", "content": prompt}] if prompt else messages


def _part(part: Given) -> dict[str, Any]:
    """A part of a multimodal message, which has no type of its own; one in OpenAI's form stays as it is."""
    if part.text("type"):
        return part.all()
    image = part.text("image")
    made = {"type": "image_url", "image_url": {"url": image}} if image else {"type": "text", "text": part.text("text")}
    part.end()
    return made


class _Speaker:
    """What both share: events of Model Studio, in pieces or each with all text so far."""

    def __init__(self, *, stream: bool, is_pieces: bool) -> None:
        self.content_type = "text/event-stream;charset=UTF-8" if stream else "application/json"
        self._is_pieces = is_pieces
        self._request_id = str(uuid4())
        self._number = 0
        self._said = self._thought = ""
        self._calls = Calls()
        self._reason = "stop"
        self._usage: dict[str, int] = {}
        self._model = ""

    def whole(self, answer: Mapping[str, Any]) -> bytes:
        message, reason = choice_of(answer, "message")
        self._usage, self._model = usage_of(answer), text(answer, "model")
        calls = message.get("tool_calls") or []
        said = text(message, "content"), text(message, "reasoning_content")
        return compact(self._document(*said, calls, reason or "stop")).encode()

    def events(self, chunk: Mapping[str, Any]) -> Iterator[bytes]:
        self._usage = usage_of(chunk) or self._usage
        self._model = text(chunk, "model") or self._model
        delta, reason = choice_of(chunk, "delta")
        self._reason = reason or self._reason
        said, thought = text(delta, "content"), text(delta, "reasoning_content")
        pieces = _spelled(delta)
        if not said and not thought and not pieces:
            return
        if self._is_pieces:
            yield self._event(self._document(said, thought, pieces, "null"))
            return
        self._said += said
        self._thought += thought
        self._calls.add(delta)
        yield self._event(self._document(self._said, self._thought, self._calls.whole(), "null"))

    def end(self) -> Iterator[bytes]:
        # In pieces the last event has no text, otherwise all of it.
        yield self._event(self._document(self._said, self._thought, self._calls.whole(), self._reason))

    def _event(self, document: Mapping[str, Any]) -> bytes:
        self._number += 1
        head = f"id:{self._number}\nevent:result\n:HTTP_STATUS/200\n"
        return f"{head}data:{compact(document)}\n\n".encode()

    def _document(self, said: str, thought: str, calls: list[Any], reason: str) -> dict[str, Any]:
        raise NotImplementedError


class _Generation(_Speaker):
    def __init__(self, *, stream: bool, is_pieces: bool, as_text: bool) -> None:
        super().__init__(stream=stream, is_pieces=is_pieces)
        self._as_text = as_text

    def _document(self, said: str, thought: str, calls: list[Any], reason: str) -> dict[str, Any]:
        if self._as_text:
            output: dict[str, Any] = {"text": said, "finish_reason": reason}
        else:
            message: dict[str, Any] = {"role": "assistant", "content": self._content(said)}
            if thought:
                message["reasoning_content"] = thought
            if calls:
                message["tool_calls"] = calls
            output = {"choices": [{"finish_reason": reason, "message": message}]}
        return {"output": output, "usage": self._usage, "request_id": self._request_id}

    def _content(self, said: str) -> Any:
        return said


class _Multimodal(_Generation):
    def _content(self, said: str) -> Any:
        return [{"text": said}] if said else []


class _Application(_Speaker):
    def __init__(self, session: str, *, stream: bool, is_pieces: bool, thoughts: bool) -> None:
        super().__init__(stream=stream, is_pieces=is_pieces)
        self._session = session
        self._has_thoughts = thoughts

    def _document(self, said: str, thought: str, calls: list[Any], reason: str) -> dict[str, Any]:
        output: dict[str, Any] = {"session_id": self._session, "finish_reason": reason, "text": said}
        if self._has_thoughts and thought:
            output["thoughts"] = [{"thought": thought, "action_type": "reasoning"}]
        tokens = {name: self._usage[name] for name in ("input_tokens", "output_tokens") if name in self._usage}
        usage: dict[str, Any] = {"models": [{"model_id": self._model, **tokens}]} if tokens else {}
        return {"output": output, "usage": usage, "request_id": self._request_id}


def _spelled(delta: Mapping[str, Any]) -> list[Any]:
    """Pieces of calls as Model Studio has them: later ones with an empty name and id."""
    return [
        {
            "index": index,
            "id": text(piece, "id"),
            "type": "function",
            "function": {"name": text(piece, "function", "name"), "arguments": text(piece, "function", "arguments")},
        }
        for index, piece in pieces_of(delta)
    ]
