"""A loopback server that speaks DMS, RdsAi, Model Studio and OpenAI's form over real HTTP: it quotes what it was sent.

Signatures are checked by `masking.core.acs3.verify`, nonces are remembered, streams are chunked, one event a chunk. A
test may put its own `answer` in the place of any, and see what arrived.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

from running import running

from masking.clients import AccessKey
from masking.core.acs3 import Received, SignatureError, verify

__all__ = ["KEY", "Out", "Seen", "Server", "data", "pieces", "serving", "sse", "whole"]

KEY = AccessKey("LTAIfakeAccessKeyId0001", "fakeAccessKeySecret0000000000001")
JSON = "application/json; charset=utf-8"


@dataclass
class Seen:
    """A request that arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    key_id: str = ""
    parameters: dict[str, str] = field(default_factory=dict)  # query and form together

    @property
    def doc(self) -> Any:
        return json.loads(self.body)

    @property
    def everything(self) -> str:
        """All text that arrived, decoded: what must not hold a value."""
        return "\n".join([*self.parameters.values(), self.body.decode(), *self.headers.values(), self.target])


@dataclass
class Out:
    """A reply; `cut_after` chunks the connection breaks, `pause` is waited for after the first chunk."""

    status: int = 200
    chunks: Sequence[bytes] = ()
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    pause: threading.Event | None = None


def whole(doc: Any, status: int = 200, **headers: str) -> Out:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Out(status, [json.dumps(doc, ensure_ascii=False).encode()], headers=named)


def data(doc: Any, number: int = 1, event: str = "") -> bytes:
    """One event as the services send it: ASCII, one data line, an empty line."""
    head = f"id:{number}\n" + (f"event:{event}\n:HTTP_STATUS/200\n" if event else "")
    text = doc if isinstance(doc, str) else json.dumps(doc)
    return f"{head}data:{text}\n\n".encode()


def sse(*events: bytes, **more: Any) -> Out:
    return Out(chunks=events, content_type="text/event-stream; charset=utf-8", **more)


def pieces(text: str) -> list[str]:
    """Three characters at a time: no placeholder comes in one piece."""
    return [text[at : at + 3] for at in range(0, len(text), 3)]


def said(messages: list[dict[str, Any]]) -> str:
    last = next((message["content"] for message in reversed(messages) if message["role"] == "user"), "")
    return f"“{last}” ({len(messages)})"


class Server(ThreadingHTTPServer):
    """One server for all APIs."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen: list[Seen] = []
        self.answer: Callable[[Seen], Out] | None = None
        self.gone = threading.Event()
        self.nonces: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def reply(self, seen: Seen) -> Out:
        """What a well-behaved service answers."""
        if "x-acs-action" in seen.headers:
            try:
                self.check(seen)
            except SignatureError as error:
                return whole({"RequestId": "R-0", "Code": error.code, "Message": str(error)}, error.status)
        elif seen.headers.get("authorization") != "Bearer sk-fake":
            return whole({"code": "InvalidApiKey", "message": "no such key", "request_id": "r-0"}, 401)
        if self.answer is not None:
            return self.answer(seen)
        action = seen.headers.get("x-acs-action", "")
        if action:
            return getattr(self, f"_{action}")(seen)
        if seen.target.endswith("/chat/completions"):
            return self._compatible(seen)
        return self._app(seen) if "/apps/" in seen.target else self._generation(seen)

    def check(self, seen: Seen) -> None:
        if "x-acs-bearer-token" in seen.headers:
            return
        path, _, query = seen.target.partition("?")
        received = Received(seen.method, path, query, seen.headers, seen.body)
        seen.key_id = verify(received, {KEY.id: KEY.secret}.get, time.time())
        nonce = seen.headers["x-acs-signature-nonce"]
        if nonce in self.nonces:
            raise SignatureError("SignatureNonceUsed", "this nonce was used before")
        self.nonces.add(nonce)

    def _ChatWithDesensitize(self, seen: Seen) -> Out:  # noqa: N802
        text = said(json.loads(seen.parameters["Messages"]))
        message = {"Role": "assistant", "Content": text}
        return whole(
            {
                "RequestId": "R-1",
                "Success": True,
                "Data": {
                    "Created": "1763710100",
                    "Model": "qwen-plus",
                    "StatusCode": "200",
                    "Choices": [{"FinishReason": "stop", "Message": message}],
                    "Usage": {"TotalTokens": "19"},
                },
            }
        )

    def _ChatWithDesensitizeSSE(self, seen: Seen) -> Out:  # noqa: N802
        text = said(json.loads(seen.parameters["Messages"]))
        chunks = [({"content": piece}, None) for piece in pieces(text)] + [({}, "stop")]
        if seen.parameters.get("EnableThinking") == "True":
            chunks = [({"reasoning_content": piece}, None) for piece in pieces(f"Thinking of {text}")] + chunks
        events = []
        for number, (delta, reason) in enumerate(chunks, 1):
            chunk = {"id": "c-1", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
            events.append(data({"RequestId": "R-1", "Success": True, "Data": json.dumps(chunk)}, number, "message"))
        return sse(*events)

    def _ChatMessages(self, seen: Seen) -> Out:  # noqa: N802
        ids = {"RequestId": "R-1", "ConversationId": seen.parameters.get("ConversationId") or "c-1", "TaskId": "t-1"}
        ids |= {"MessageId": f"m-{len(self.seen)}", "CreatedAt": 1763986004}
        said = [{**ids, "Event": "message", "Answer": piece} for piece in pieces(f"“{seen.parameters['Query']}”")]
        return sse(*(data(event, n) for n, event in enumerate([*said, {**ids, "Event": "finish", "Answer": ""}], 1)))

    def _ChatMessagesTaskStop(self, seen: Seen) -> Out:  # noqa: N802
        return whole({"RequestId": "R-1", "Result": f"stopped {seen.parameters['TaskId']}"})

    def _app(self, seen: Seen) -> Out:
        given = seen.doc["input"]
        text = said([*given.get("messages", []), {"role": "user", "content": given["prompt"]}]
                    if "prompt" in given else given["messages"])  # fmt: skip
        ids = {"session_id": given.get("session_id") or f"s-{len(self.seen)}"}
        end = {"usage": {"models": [{"model_id": "qwen-max", "input_tokens": 1}]}, "request_id": "r-1"}
        if seen.headers.get("x-dashscope-sse") != "enable":
            return whole({"output": {**ids, "text": text, "finish_reason": "stop"}, **end})
        incremental = seen.doc["parameters"].get("incremental_output") is True
        parts = pieces(text)
        texts = [*parts, ""] if incremental else ["".join(parts[: n + 1]) for n in range(len(parts))] + [text]
        events = []
        for number, piece in enumerate(texts, 1):
            reason = "stop" if number == len(texts) else "null"
            events.append(data({"output": {**ids, "finish_reason": reason, "text": piece}, **end}, number, "result"))
        return sse(*events)

    def _generation(self, seen: Seen) -> Out:
        text = said(seen.doc["input"]["messages"])
        end = {"usage": {"total_tokens": 4}, "request_id": "r-1"}

        def output(message: dict[str, Any], reason: str) -> dict[str, Any]:
            return {
                "output": {"choices": [{"finish_reason": reason, "message": {"role": "assistant", **message}}]},
                **end,
            }

        if seen.headers.get("x-dashscope-sse") != "enable":
            return whole(output({"content": text}, "stop"))
        parts = pieces(text)
        incremental = seen.doc["parameters"].get("incremental_output") is True
        texts = [*parts, ""] if incremental else ["".join(parts[: n + 1]) for n in range(len(parts))] + [text]
        last = len(texts)
        return sse(
            *(
                data(output({"content": one}, "stop" if n == last else "null"), n, "result")
                for n, one in enumerate(texts, 1)
            )
        )

    def _compatible(self, seen: Seen) -> Out:
        text = said(seen.doc["messages"])
        head = {"id": "chatcmpl-1", "model": "qwen-plus"}
        if not seen.doc.get("stream"):
            message = {"role": "assistant", "content": text}
            return whole({**head, "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": {}})
        deltas = [({"content": piece}, None) for piece in pieces(text)] + [({}, "stop")]
        events = [
            data({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})
            for delta, reason in deltas
        ]
        return sse(*events, data({**head, "choices": [], "usage": {"total_tokens": 3}}), data("[DONE]"))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep quiet."""

    def handle_one_request(self) -> None:
        # http.server's own refuses request lines beyond 64 kB; a question to RdsAi may be longer.
        try:
            self.raw_requestline = self.rfile.readline(1 << 20)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            self.do_POST()
            self.wfile.flush()
        except OSError:
            self.close_connection = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = self.path.partition("?")[2]
        seen = Seen("POST", self.path, headers, body)
        seen.parameters = dict(parse_qsl(query, keep_blank_values=True))
        if "form" in headers.get("content-type", ""):
            seen.parameters |= dict(parse_qsl(body.decode(), keep_blank_values=True))
        self.server.seen.append(seen)
        out = self.server.reply(seen)
        self.send_response(out.status)
        self.send_header("content-type", out.content_type)
        for name, value in out.headers.items():
            self.send_header(name, value)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        try:
            for number, chunk in enumerate(out.chunks):
                if out.cut_after == number:
                    self.close_connection = True
                    return
                if chunk:  # an empty one would end the body
                    self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
                    self.wfile.flush()
                if number == 0 and out.pause is not None:
                    out.pause.wait(10)
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.server.gone.set()
            self.close_connection = True


def serving() -> AbstractContextManager[Server]:
    """A running server."""
    return running(Server())
