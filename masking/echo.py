"""A stand-in for a language model: it quotes what it was sent, the same way every time, and needs no network.

`answer` is what it says, `tokens` how it cuts it: into pieces of two to four characters, so that every placeholder
arrives in several. `EchoTransport` puts it behind httpx as OpenAI chat completions and Model Studio application
completion:

    client = openai.OpenAI(api_key="none", http_client=masker.client(transport=EchoTransport()))

It answers in Chinese when the last user message holds a Chinese character. When the request offers tools and the last
user message says `call NAME` or `调用NAME` with a tool's name, it calls that tool with `{"text": <the message>}`. With
`enable_thinking` it thinks before it answers.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, zip_longest
from typing import Any

import httpx

__all__ = ["EchoTransport", "Reply", "answer", "reply", "tokens"]

_MODEL = "echo"
_CREATED = 1_700_000_000  # seconds; a constant, because an answer that never changes can be compared
_SIZES = (3, 2, 4, 2, 3)


def answer(messages: Sequence[Mapping[str, Any]]) -> str:
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
class Reply:
    """A reply as bytes; a stream has one event in each chunk."""

    status: int
    content_type: str
    chunks: tuple[bytes, ...]


def reply(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
    """The reply to one request; header names in lower case. Anything but the routes it knows is 404, bad JSON is
    400."""
    if method == "GET" and path.endswith("/models"):
        return _whole({"object": "list", "data": [{"id": _MODEL, "object": "model", "created": 0, "owned_by": "echo"}]})
    speak = _speaker(method, path, headers)
    if speak is None:
        return _whole(
            {"error": {"message": "no such route", "type": "invalid_request_error", "code": "not_found"}}, 404
        )
    try:
        request = json.loads(body)
    except ValueError:
        return _whole({"error": {"message": "not JSON", "type": "invalid_request_error", "code": "bad_json"}}, 400)
    return speak(request)


def _speaker(method: str, path: str, headers: Mapping[str, str]) -> Callable[[Mapping[str, Any]], Reply] | None:
    if method == "POST" and path.endswith("/chat/completions"):
        return _chat
    if method == "POST" and "/apps/" in path and path.endswith("/completion"):
        streams = headers.get("x-dashscope-sse") == "enable" or "text/event-stream" in headers.get("accept", "")
        return partial(_app, streams=streams)
    return None


class EchoTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """The model behind httpx, sync and async; `requests` keeps the body of every request it was sent, in order."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._respond(request, request.read())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self._respond(request, await request.aread())

    def _respond(self, request: httpx.Request, body: bytes) -> httpx.Response:
        self.requests.append(body)
        made = reply(request.method, request.url.path, dict(request.headers.items()), body)
        return httpx.Response(made.status, headers={"content-type": made.content_type}, stream=_Chunks(made.chunks))


class _Chunks(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __init__(self, chunks: tuple[bytes, ...]) -> None:
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk


def _last(messages: Sequence[Mapping[str, Any]]) -> str:
    for message in reversed(messages):
        if message.get("role") == "user":
            return _text(message.get("content"))
    return ""


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return " ".join(str(part["text"]) for part in content if isinstance(part, dict) and "text" in part)
    return ""


def _whole(document: Mapping[str, Any], status: int = 200) -> Reply:
    return Reply(status, "application/json", (json.dumps(document, ensure_ascii=False).encode(),))


def _usage(said: str) -> dict[str, int]:
    count = sum(1 for _ in tokens(said))
    return {"prompt_tokens": 1, "completion_tokens": count, "total_tokens": count + 1}


def _wanted_tool(request: Mapping[str, Any], said: str) -> str | None:
    for tool in request.get("tools") or ():
        name = str(tool.get("function", {}).get("name", ""))
        if name and (f"call {name}" in said or f"调用{name}" in said):
            return name
    return None


def _chat(request: Mapping[str, Any]) -> Reply:
    messages = request.get("messages") or []
    said = _last(messages)
    tool = _wanted_tool(request, said)
    text = answer(messages)
    thought = f"The user says: {said}" if request.get("enable_thinking") else None
    count = int(request.get("n") or 1)
    if request.get("stream"):
        return _chat_stream(request, text, thought, tool, said, count)
    message: dict[str, Any] = {"role": "assistant", "content": None if tool else text}
    if thought:
        message["reasoning_content"] = thought
    if tool:
        function = {"name": tool, "arguments": json.dumps({"text": said}, ensure_ascii=False)}
        message["tool_calls"] = [{"id": "call_1", "type": "function", "function": function}]
    reason = "tool_calls" if tool else "stop"
    choices = [{"index": index, "message": message, "finish_reason": reason} for index in range(count)]
    head = {"id": "chatcmpl-echo", "object": "chat.completion", "created": _CREATED, "model": _MODEL}
    return _whole({**head, "choices": choices, "usage": _usage(text)})


def _chat_stream(
    request: Mapping[str, Any], text: str, thought: str | None, tool: str | None, said: str, count: int
) -> Reply:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"reasoning_content": piece} for piece in tokens(thought or "")]
    if tool:
        call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": tool, "arguments": ""}}
        deltas.append({"tool_calls": [call]})
        arguments = json.dumps({"text": said}, ensure_ascii=False)
        deltas += [{"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in tokens(arguments)]
    else:
        deltas += [{"content": piece} for piece in tokens(text)]
    head = {"id": "chatcmpl-echo", "object": "chat.completion.chunk", "created": _CREATED, "model": _MODEL}

    def chunk(choices: list[dict[str, Any]], **more: Any) -> bytes:
        return b"data: " + json.dumps({**head, "choices": choices, **more}).encode() + b"\n\n"

    # Choices take turns, as servers send them; each starts one delta later than the one before it.
    lanes = [[(index, None)] * index + [(index, delta) for delta in deltas] for index in range(count)]
    chunks = [
        chunk([{"index": index, "delta": delta, "finish_reason": None}])
        for row in zip_longest(*lanes, fillvalue=(0, None))
        for index, delta in row
        if delta is not None
    ]
    reason = "tool_calls" if tool else "stop"
    chunks += [chunk([{"index": index, "delta": {}, "finish_reason": reason}]) for index in range(count)]
    if (request.get("stream_options") or {}).get("include_usage"):
        chunks.append(chunk([], usage=_usage(text)))
    return Reply(200, "text/event-stream", (*chunks, b"data: [DONE]\n\n"))


def _app(request: Mapping[str, Any], *, streams: bool) -> Reply:
    given = request.get("input") or {}
    messages = [*(given.get("messages") or [])]
    if given.get("prompt"):
        messages.append({"role": "user", "content": given["prompt"]})
    text = answer(messages)
    ids = {"session_id": str(given.get("session_id") or "echo-session")}
    if not streams:
        return _whole({"output": {**ids, "text": text, "finish_reason": "stop"}, "usage": {}, "request_id": "echo"})
    incremental = (request.get("parameters") or {}).get("incremental_output") is True
    pieces = list(tokens(text))
    chunks: list[bytes] = []
    for number in range(len(pieces) + 1):
        is_last = number == len(pieces)
        said = ("" if is_last else pieces[number]) if incremental else "".join(pieces[: number + 1])
        output = {**ids, "finish_reason": "stop" if is_last else "null", "text": said}
        data = json.dumps({"output": output, "usage": {}, "request_id": "echo"})
        chunks.append(f"id:{number + 1}\nevent:result\n:HTTP_STATUS/200\ndata:{data}\n\n".encode())
    return Reply(200, "text/event-stream", tuple(chunks))
