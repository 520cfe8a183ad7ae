"""Streams as SDKs need them: an event in each HTTP chunk, ASCII, never silent, never whole when they are not."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from echo_server import serving as echoing
from gateway_server import Watched, serving

from masking.echo import Manner
from masking.gateway import Server
from masking.gateway.refusal import Refused
from masking.gateway.upstream import Outgoing, Reply

PHONE = "13800138000"
PROMPT = f"我的手机号是{PHONE}。"
CHAT = {"model": "m", "messages": [{"role": "user", "content": PROMPT}], "stream": True}
SSE = {"x-dashscope-sse": "enable"}
DMS = {"x-acs-version": "2018-11-01", "x-acs-action": "ChatWithDesensitizeSSE"}
APP = {"input": {"prompt": PROMPT}, "parameters": {"incremental_output": True}}


def request(path: str, body: bytes, **headers: str) -> bytes:
    lines = {"host": "x", "content-length": str(len(body)), "connection": "close", **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in lines.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body


def talk(server: Server, data: bytes) -> tuple[bytes, list[bytes], bool]:
    """The head of the answer, its HTTP chunks, and whether the last one came."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(data)
        got = b""
        while part := connection.recv(65536):
            got += part
    head, _, rest = got.partition(b"\r\n\r\n")
    chunks = []
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            return head, chunks, True
        chunks.append(rest[:length])
        rest = rest[length + 2 :]
    return head, chunks, False


class Scripted:
    """Answers as a test says; `closed` is set when its reply was closed."""

    def __init__(
        self, *steps: bytes | float, wait: float = 0.0, kind: str = "text/event-stream", status: int = 200
    ) -> None:
        self.steps = steps
        self.wait = wait
        self.kind = kind
        self.status = status
        self.closed = threading.Event()

    async def send(self, outgoing: Outgoing) -> Reply:
        await asyncio.sleep(self.wait)
        return _ScriptedReply(self)


class _ScriptedReply:
    headers: list[tuple[bytes, bytes]] = []  # noqa: RUF012

    def __init__(self, script: Scripted) -> None:
        self._script = script
        self.status = script.status
        self.content_type = script.kind

    async def chunks(self) -> AsyncIterator[bytes]:
        for step in self._script.steps:
            if isinstance(step, float):
                await asyncio.sleep(step)
            else:
                yield step

    def close(self) -> None:
        self._script.closed.set()


def event(text: str, *, escaped: bool = True) -> bytes:
    output = {"text": text, "finish_reason": "null", "session_id": "s"}
    document = json.dumps({"output": output, "usage": {}, "request_id": "r"}, ensure_ascii=escaped)
    return f"id:1\nevent:result\n:HTTP_STATUS/200\ndata:{document}\n\n".encode()


def words(chunks: list[bytes]) -> str:
    lines = b"".join(chunks).decode().split("\n")
    return "".join(json.loads(line[5:])["output"]["text"] for line in lines if line.startswith("data:"))


CUTS = {"whole": 10**9, "byte by byte": 1, "threes": 3, "hundreds": 100}


@pytest.mark.parametrize("size", CUTS.values(), ids=CUTS)
def test_one_event_in_each_chunk_in_ascii_however_it_came(size: int) -> None:
    texts = ["你的号码是<PHO", "NE_NUMBER_1>，对", "吗\u2028？😀", ""]
    raw = b"".join(event(text, escaped=False) for text in texts)
    script = Scripted(*(raw[at : at + size] for at in range(0, len(raw), size)))
    with serving(script) as server:
        head, chunks, ended = talk(server, request("/api/v1/apps/a/completion", json.dumps(APP).encode(), **SSE))

    assert ended
    assert b"transfer-encoding: chunked" in head
    assert [chunk.count(b"data:") for chunk in chunks] == [1] * len(texts)
    assert all(
        chunk.isascii() and chunk.endswith(b"\n\n") and chunk.startswith(b"id:1\nevent:result\n") for chunk in chunks
    )
    assert words(chunks) == f"你的号码是{PHONE}，对吗\u2028？😀"


def test_a_last_event_without_a_blank_line_gets_one() -> None:
    with serving(Scripted(event("a"), event("b").rstrip(b"\n"))) as server:
        _, chunks, ended = talk(server, request("/api/v1/apps/a/completion", json.dumps(APP).encode(), **SSE))

    assert ended
    assert b"".join(chunks).endswith(b"}\n\n")
    assert words(chunks) == "ab"


LIMITS = {"heartbeat": 0.1, "stall": 0.5, "shutdown": 5}


def test_silence_is_broken_by_a_comment() -> None:
    with serving(Scripted(event("好。"), 0.5, event("b")), limits=LIMITS) as server:
        _, chunks, _ = talk(server, request("/api/v1/apps/a/completion", json.dumps(APP).encode(), **SSE))

    assert [chunk for chunk in chunks if chunk != b":hb\n"] == [event("好。"), event("b")]
    assert len(chunks) > 4


def dms(**parameters: str) -> bytes:
    query = "&".join(f"{name}={value}" for name, value in {"InstanceId": "1", **parameters}.items())
    body = httpx.Request("POST", "http://x", data={"Messages": json.dumps(CHAT["messages"])}).content
    return request(f"/?{query}", body, content_type="application/x-www-form-urlencoded", **DMS)


def test_an_sdk_that_gives_up_after_ten_seconds_hears_something_before_the_model_speaks() -> None:
    said = b'id:1\nevent:message\ndata:{"RequestId":"r","Success":true,"Data":"{}"}\n\n'
    with serving(Scripted(said, wait=0.5), limits=LIMITS) as server:
        head, chunks, ended = talk(server, dms())

    assert ended
    assert b" 200 " in head
    assert chunks[0] == b":hb\n"
    assert chunks[-1] == said


@pytest.mark.parametrize("stream", ["true", "false"])
def test_an_error_after_that_is_an_event_or_a_failed_operation(stream: str) -> None:
    class Late(Scripted):
        async def send(self, outgoing: Outgoing) -> Reply:
            await asyncio.sleep(self.wait)
            raise Refused(502, "upstream_unreachable", "gone")

    with serving(Late(wait=0.5), limits=LIMITS) as server:
        _, chunks, ended = talk(server, dms(Stream=stream))
    last = json.loads(chunks[-1].partition(b"data:")[2] if stream == "true" else b"".join(chunks))

    assert ended
    assert (last["Success"], last["ErrorCode"]) == (False, "upstream_unreachable")


@pytest.mark.parametrize("stream", ["true", "false"])
def test_an_error_of_the_upstream_after_that_is_told_in_the_same_way(stream: str) -> None:
    refused = b'{"RequestId": "r", "Code": "Throttling.User", "Message": "slower: <PHONE_NUMBER_1>"}'
    with serving(Scripted(refused, wait=0.5, kind="application/json", status=429), limits=LIMITS) as server:
        _, chunks, ended = talk(server, dms(Stream=stream))
    last = json.loads(chunks[-1].partition(b"data:")[2] if stream == "true" else b"".join(chunks))

    assert ended
    assert (last["Success"], last["ErrorCode"], last["ErrorMessage"]) == (False, "Throttling.User", f"slower: {PHONE}")


def test_a_stream_where_a_document_was_begun_is_a_failed_operation() -> None:
    with serving(Scripted(event("a"), wait=0.5), limits=LIMITS) as server:
        _, chunks, ended = talk(server, dms(Stream="false"))

    assert ended
    assert json.loads(b"".join(chunks))["ErrorCode"] == "UpstreamError"


BROKEN = {
    "/v1/chat/completions": (CHAT, b'"error"'),
    "/api/v1/apps/a/completion": (APP, b"event:error\n:HTTP_STATUS/502\nstatus:502\n"),
    "/v1/messages": ({**CHAT, "max_tokens": 9}, b"event: error\n"),
}


@pytest.mark.parametrize("path", BROKEN)
def test_a_reply_that_breaks_off_says_so_and_is_not_ended(path: str) -> None:
    body, said = BROKEN[path]
    with serving(Watched(manner=Manner(breaks_after=6))) as server:
        _, chunks, ended = talk(server, request(path, json.dumps(body).encode(), **SSE))

    assert not ended
    assert said in chunks[-1]
    assert len(chunks) > 3


def test_a_whole_reply_that_breaks_off_is_an_error() -> None:
    from masking.gateway.upstream import UpstreamBroke

    class Cut(Scripted):
        async def send(self, outgoing: Outgoing) -> Reply:
            reply = _ScriptedReply(self)

            async def chunks() -> AsyncIterator[bytes]:
                yield b'{"choices": ['
                raise UpstreamBroke("ended before its end")

            reply.chunks = chunks  # type: ignore[method-assign]
            return reply

    with serving(Cut(kind="application/json")) as server:
        answer = httpx.post(f"{server.url}/v1/chat/completions", json=CHAT)

    assert answer.status_code == 502
    assert answer.json()["error"]["code"] == "upstream_broke"


def until(condition: Any, seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


def test_a_client_that_leaves_ends_its_upstream() -> None:
    script = Scripted(event("好。"), 30.0, event("b"))
    with serving(script) as server:
        with httpx.stream("POST", f"{server.url}/api/v1/apps/a/completion", json=APP, headers=SSE) as answer:
            parts = answer.iter_raw()  # an iterator that nobody holds would close the connection
            next(parts)
            assert server.gateway.open_exchanges == 1
        assert script.closed.wait(5)
        assert until(lambda: server.gateway.open_exchanges == 0)


def test_a_client_that_leaves_ends_a_real_upstream() -> None:
    with echoing() as upstream:
        upstream.pause = threading.Event()
        own = {"api": "openai", "url": f"{upstream.url}/v1"}
        with serving(upstreams={"own": own}, routes={"openai": {"upstream": "own"}}) as server:
            with httpx.stream("POST", f"{server.url}/v1/chat/completions", json=CHAT) as answer:
                parts = answer.iter_raw()
                next(parts)
            assert until(lambda: server.gateway.open_exchanges == 0)
        upstream.pause.set()
        assert upstream.gone.wait(5) or upstream.ended.is_set()


def test_a_client_that_does_not_read_is_given_up_and_stops_nobody() -> None:
    big = event("好。" * 10_000)
    script = Scripted(*[big, 0.0] * 400)
    with serving(script, limits=LIMITS) as server, socket.create_connection(("127.0.0.1", server.port)) as idle:
        idle.sendall(request("/api/v1/apps/a/completion", json.dumps(APP).encode(), **SSE))
        assert until(lambda: server.gateway.open_exchanges == 1)
        assert httpx.get(f"{server.url}/healthz").text == "ok\n"
        assert until(lambda: server.gateway.open_exchanges == 0)
        assert script.closed.is_set()


def test_a_redirect_is_not_followed_around_the_mask() -> None:
    from masking import echo

    with echoing() as upstream:
        upstream.answer = lambda body: echo.Reply(302, "text/plain", (b"x",))
        own = {"api": "openai", "url": f"{upstream.url}/v1"}
        with serving(upstreams={"own": own}, routes={"openai": {"upstream": "own"}}) as server:
            answer = httpx.post(f"{server.url}/v1/chat/completions", json={**CHAT, "stream": False})

    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_redirects")


def test_errors_of_the_upstream_pass_through_restored() -> None:
    from masking import echo

    body = json.dumps({"error": {"message": "bad: <PHONE_NUMBER_1>", "type": "t", "code": "c"}}).encode()
    with echoing() as upstream:
        upstream.answer = lambda _: echo.Reply(429, "application/json", (body,))
        own = {"api": "openai", "url": f"{upstream.url}/v1"}
        routes = {"openai": {"upstream": "own"}, "dashscope": {"upstream": "translated"}}
        upstreams = {"own": own, "translated": {**own, "model": "m"}}
        with serving(upstreams=upstreams, routes=routes) as server:
            same = httpx.post(f"{server.url}/v1/chat/completions", json={**CHAT, "stream": False})
            other = httpx.post(f"{server.url}/api/v1/apps/a/completion", json=APP)

    assert same.status_code == other.status_code == 429
    assert same.json()["error"] == {"message": f"bad: {PHONE}", "type": "t", "code": "c"}
    assert (other.json()["code"], other.json()["message"]) == ("c", f"bad: {PHONE}")


@pytest.mark.parametrize("status", [200, 500])
def test_an_upstream_that_sends_something_else(status: int) -> None:
    with serving(Scripted(b"<html>oops</html>", kind="text/html", status=status)) as server:
        answer = httpx.post(f"{server.url}/api/v1/apps/a/completion", json=APP)

    if status == 500:
        assert answer.json()["code"] == "UpstreamError"
    assert answer.status_code == status


@pytest.fixture
def slow_gateway(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str, Path]]:
    """`masking serve` as a process, its echo model in no hurry, its category in a file."""
    category = tmp_path / "Mine.yaml"
    category.write_text(_category(r"ord-\d+"))
    config = tmp_path / "gateway.yaml"
    config.write_text(
        f"category: {category}\nlisten: {{port: 0}}\nupstreams: {{slow: {{api: echo, pace: 0.05}}}}\n"
        "routes: {openai: {upstream: slow}}\n"
    )
    arguments = [sys.executable, "-c", "from masking.cli import main; main()", "serve", str(config)]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, line
        assert until(lambda: _is_up(found[0]), 30)
        yield process, found[0], category
    finally:
        process.kill()
        process.communicate()


def _category(pattern: str) -> str:
    return (
        "category: Mine\nversion: '1'\nabout: {en: Orders, zh: 订单}\nrules:\n"
        f"  - id: order\n    entity: ORDER\n    about: {{en: Order, zh: 订单}}\n    pattern: '{pattern}'\n"
        f"    hits: ['see {pattern[:3]}-12']\n    misses: ['nothing']\n"
    )


def _is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.HTTPError:
        return False


def _streamed(url: str, content: str, during: Any = None) -> str:
    body = {"model": "m", "messages": [{"role": "user", "content": content}], "stream": True}
    text = ""
    with httpx.stream("POST", f"{url}/v1/chat/completions", json=body, timeout=30) as answer:
        for number, line in enumerate(answer.iter_lines()):
            if number == 4 and during is not None:
                during()
            if line.startswith("data: {"):
                text += json.loads(line[6:])["choices"][0]["delta"].get("content") or ""
    return text


def test_sigterm_lets_streams_end(slow_gateway: tuple[subprocess.Popen[str], str, Path]) -> None:
    process, url, _ = slow_gateway
    text = _streamed(url, "my order is ord-12345 please", lambda: process.send_signal(signal.SIGTERM))

    assert 'You said: "my order is ord-12345 please".' in text
    assert text.endswith("so far.")
    assert process.wait(10) == 0


def test_rules_are_read_again_while_a_stream_goes_on(slow_gateway: tuple[subprocess.Popen[str], str, Path]) -> None:
    process, url, category = slow_gateway

    def reload() -> None:
        category.write_text(_category(r"inv-\d+"))
        process.send_signal(signal.SIGHUP)

    first = _streamed(url, "ord-12345 and some more words to say", reload)
    assert "ord-12345 and some more words to say" in first

    def is_new() -> bool:
        page = httpx.get(f"{url}/metrics").text
        _streamed(url, "inv-99")
        return 'masking_findings_total{entity="ORDER"} 2.0' in page

    assert until(is_new)
    # A mistake in the rules leaves those in use in use.
    category.write_text("nonsense")
    process.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    assert "inv-99" in _streamed(url, "inv-99")


def _openai(url: str) -> str:
    openai = pytest.importorskip("openai")
    with openai.OpenAI(api_key="none", base_url=f"{url}/v1") as client:
        stream = client.chat.completions.create(**CHAT)
        return "".join(chunk.choices[0].delta.content or "" for chunk in stream)


def _anthropic(url: str) -> str:
    anthropic = pytest.importorskip("anthropic")
    with (
        anthropic.Anthropic(api_key="none", base_url=url) as client,
        client.messages.stream(model="m", max_tokens=9, messages=CHAT["messages"]) as stream,
    ):
        return "".join(stream.text_stream)


def _gemini(url: str) -> str:
    genai = pytest.importorskip("google.genai")
    client = genai.Client(api_key="none", http_options={"base_url": url})
    try:
        return "".join(chunk.text or "" for chunk in client.models.generate_content_stream(model="m", contents=PROMPT))
    finally:
        client.close()


def _ollama(url: str) -> str:
    client = pytest.importorskip("ollama").Client(host=url)
    try:
        return "".join(part.message.content for part in client.chat(model="m", messages=CHAT["messages"], stream=True))
    finally:
        client.close()


def _dashscope(url: str) -> str:
    application = pytest.importorskip("dashscope").Application
    options = {"api_key": "none", "base_address": f"{url}/api/v1", "app_id": "a", "prompt": PROMPT}
    return "".join(item.output.text for item in application.call(**options, stream=True, incremental_output=True))


@pytest.mark.parametrize("ask", [_openai, _anthropic, _gemini, _ollama, _dashscope])
def test_every_sdk_reads_over_what_breaks_a_silence(ask: Any) -> None:
    slow = {"api": "echo", "pace": 0.06}
    names = ("openai", "anthropic", "gemini", "ollama", "dashscope")
    limits = {"heartbeat": 0.02}
    with serving(
        upstreams={"slow": slow}, routes={name: {"upstream": "slow"} for name in names}, limits=limits
    ) as server:
        assert PROMPT in ask(server.url)
