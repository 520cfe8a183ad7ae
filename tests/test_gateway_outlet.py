"""Events go from the upstream's connection straight to the client's, where nothing has to be waited for; where something
has, they wait, and nobody can tell the one from the other."""

from __future__ import annotations

import json
import re
import socket
import socketserver
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from gateway_server import serving
from running import running
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

PHONE = "13800138000"
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"

Manner = Callable[[socket.socket, dict[str, Any]], None]


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(text: str) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return b"data: " + json.dumps({"id": "c", "model": "m", "choices": [choice]}).encode() + b"\n\n"


DONE = chunk(b"data: [DONE]\n\n") + END


class Upstream(socketserver.ThreadingTCPServer):
    """Answers as `manner` says, again and again on one connection; `seen` is what it was sent."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.manner: Manner = paced
        self.seen: list[dict[str, Any]] = []
        self.connections = 0

    def configured(self, **more: Any) -> dict[str, Any]:
        own = {"api": "openai", "url": f"http://127.0.0.1:{self.server_address[1]}/v1"}
        return {"upstreams": {"own": own}, "routes": {"openai": {"upstream": "own"}}, **more}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that leave early are what some tests are about."""


class _Handler(socketserver.StreamRequestHandler):
    server: Upstream

    def handle(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.server.connections += 1
        while self.rfile.readline():
            length = 0
            while (line := self.rfile.readline()) not in (b"\r\n", b""):
                if found := re.match(rb"content-length: *(\d+)", line, re.IGNORECASE):
                    length = int(found[1])
            doc = json.loads(self.rfile.read(length))
            self.server.seen.append(doc)
            self.server.manner(self.request, doc)


def paced(client: socket.socket, doc: dict[str, Any]) -> None:
    """What it was sent, said thirty times, each time by itself."""
    said = doc["messages"][-1]["content"]
    client.sendall(HEAD)
    for number in range(30):
        time.sleep(0.005)
        client.sendall(chunk(event(f"{number} {said} ")))
    client.sendall(DONE)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with running(Upstream()) as server:
        yield server


def body(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "m", "stream": True, "messages": [{"role": "user", "content": text}], **more}


def text_of(answer: str) -> str:
    parts = [part[6:] for part in answer.split("\n\n") if part.startswith("data: {")]
    return "".join(json.loads(part)["choices"][0]["delta"]["content"] for part in parts)


@pytest.fixture
def sends(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the application was woken to send something, by kind."""
    counted: Counter[str] = Counter()
    send = RequestResponseCycle.send

    async def counting(self: RequestResponseCycle, message: Any) -> None:
        counted[message["type"]] += 1
        await send(self, message)

    monkeypatch.setattr(RequestResponseCycle, "send", counting)
    return counted


def test_events_of_a_stream_wake_no_task(upstream: Upstream, sends: Counter[str]) -> None:
    with serving(**upstream.configured()) as server:
        answers = [httpx.post(f"{server.url}/v1/chat/completions", json=body(f"Tel {PHONE}")) for _ in range(2)]

    for answer in answers:
        assert text_of(answer.text) == "".join(f"{number} Tel {PHONE} " for number in range(30))
        assert answer.text.endswith("data: [DONE]\n\n")
    assert PHONE not in json.dumps(upstream.seen)
    assert upstream.connections == 1
    assert sends["http.response.start"] == 2
    assert sends["http.response.body"] <= 8, "the first event may come with the head; the end; of 62 events in all"


def test_a_conversation_is_kept_before_its_events_take_the_short_way(upstream: Upstream, sends: Counter[str]) -> None:
    def respond(client: socket.socket, doc: dict[str, Any]) -> None:
        name, said = f"resp_{len(upstream.seen)}", doc["input"]
        client.sendall(HEAD)
        docs: list[dict[str, Any]] = [{"type": "response.created", "response": {"id": name}}]
        docs += [{"type": "response.output_text.delta", "item_id": "i", "output_index": 0, "content_index": 0, "delta": f"{said} "}] * 20  # fmt: skip
        docs += [{"type": "response.completed", "response": {"id": name}}]
        for one in docs:
            time.sleep(0.005)
            client.sendall(chunk(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n".encode()))
        client.sendall(END)

    upstream.manner = respond
    with serving(**upstream.configured()) as server:
        first = {"model": "m", "stream": True, "input": f"Tel {PHONE}"}
        again = {
            "model": "m",
            "stream": True,
            "input": "Tel 13900139000 or 13800138000",
            "previous_response_id": "resp_1",
        }
        texts = [
            "".join(
                json.loads(line[6:]).get("delta", "") for line in answer.text.split("\n") if line.startswith("data: {")
            )
            for answer in (httpx.post(f"{server.url}/v1/responses", json=doc) for doc in (first, again))
        ]

    assert texts == [f"Tel {PHONE} " * 20, f"Tel 13900139000 or {PHONE} " * 20]
    assert upstream.seen[1]["input"] == "Tel <PHONE_NUMBER_2> or <PHONE_NUMBER_1>"
    assert sends["http.response.body"] <= 12


def test_a_client_that_reads_slowly_gets_all_in_order(upstream: Upstream, sends: Counter[str]) -> None:
    count = 2_000

    sent = 0

    def much(client: socket.socket, doc: dict[str, Any]) -> None:
        nonlocal sent
        said = doc["messages"][-1]["content"]
        client.sendall(HEAD)
        for number in range(count):
            client.sendall(chunk(event(f"{number} {said} ").replace(b'"c"', b'"%b"' % (b"c" * 16_000))))
            sent += 1
        client.sendall(DONE)

    upstream.manner = much
    raw = json.dumps(body(f"Tel {PHONE}")).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {len(raw)}\r\n\r\n"
    got = bytearray()
    with (
        serving(**upstream.configured()) as server,
        socket.create_connection(("127.0.0.1", server.port)) as client,
    ):
        client.sendall(head.encode() + raw)
        before = -1
        while sent != before:  # until nothing more goes in
            before = sent
            time.sleep(0.3)
        assert 0 < sent < count
        while part := client.recv(1 << 16):
            got += part
            if len(got) % 7 == 0:
                time.sleep(0.02)  # now and then it does not keep up

    numbers = [int(one) for one in re.findall(rb'"content":\s*"(\d+) Tel %b ' % PHONE.encode(), got)]
    assert numbers == list(range(count))
    assert sends["http.response.body"] > 3, "it was full"
    assert got.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")


def test_silence_within_a_stream_is_broken(upstream: Upstream) -> None:
    def silent(client: socket.socket, doc: dict[str, Any]) -> None:
        del doc
        client.sendall(HEAD + chunk(event("eins ")))
        time.sleep(0.05)
        client.sendall(chunk(event("zwei ")))
        time.sleep(0.6)
        client.sendall(chunk(event("drei ")) + DONE)

    upstream.manner = silent
    with serving(**upstream.configured(limits={"heartbeat": 0.2})) as server:
        answer = httpx.post(f"{server.url}/v1/chat/completions", json=body("hallo")).text

    assert text_of(answer.replace(":hb\n", "")) == "eins zwei drei "
    assert answer.index("zwei") < answer.index(":hb\n") < answer.index("drei")


def test_requests_that_are_sent_before_their_turn_are_answered_in_turn(upstream: Upstream) -> None:
    def request(text: str, *, last: bool = False) -> bytes:
        raw = json.dumps(body(text)).encode()
        close = "connection: close\r\n" if last else ""
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n{close}content-type: application/json\r\ncontent-length: {len(raw)}\r\n\r\n"
        return head.encode() + raw

    with (
        serving(**upstream.configured()) as server,
        socket.create_connection(("127.0.0.1", server.port)) as client,
    ):
        client.sendall(request("eins"))
        time.sleep(0.03)
        client.sendall(request("zwei") + request("drei", last=True))
        got = b""
        while part := client.recv(1 << 16):
            got += part

    said = re.findall(rb"\d+ (eins|zwei|drei) ", got)
    assert said == [b"eins"] * 30 + [b"zwei"] * 30 + [b"drei"] * 30
    assert got.count(b"HTTP/1.1 200 OK") == got.count(b"data: [DONE]\n\n\r\n0\r\n\r\n") == 3


def test_a_client_that_leaves_within_a_stream_ends_it(upstream: Upstream) -> None:
    gone = threading.Event()

    def endless(client: socket.socket, doc: dict[str, Any]) -> None:
        del doc
        client.sendall(HEAD)
        try:
            while True:
                client.sendall(chunk(event("wort ")))
                time.sleep(0.002)
        except OSError:
            gone.set()

    upstream.manner = endless
    with serving(**upstream.configured()) as server:
        with httpx.stream("POST", f"{server.url}/v1/chat/completions", json=body("hallo")) as answer:
            for seen in answer.iter_bytes():
                if b"wort" in seen:
                    break
        assert gone.wait(10)
        until = time.monotonic() + 10
        while server.gateway.open_exchanges and time.monotonic() < until:
            time.sleep(0.01)
        assert server.gateway.open_exchanges == 0
        upstream.manner = paced
        text = text_of(httpx.post(f"{server.url}/v1/chat/completions", json=body("hallo")).text)
    assert text.startswith("0 hallo 1 hallo ")
