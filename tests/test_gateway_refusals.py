"""What cannot be made safe does not leave: refused in the protocol's own words, and nothing reaches the upstream."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from gateway_server import Watched, serving

from masking.core.errors import ModelError, VaultError
from masking.gateway import Gateway, Server, Settings
from masking.vault import MemoryVault

CHAT = "/v1/chat/completions"
DMS = {"x-acs-version": "2018-11-01", "x-acs-action": "ChatWithDesensitize"}
JSON = {"content-type": "application/json"}
LIMITS = {"body": 100_000, "header_bytes": 8_000, "headers": 50, "head_seconds": 0.5, "body_seconds": 0.5}


@pytest.fixture(scope="module")
def upstream() -> Watched:
    return Watched()


@pytest.fixture(scope="module")
def server(upstream: Watched) -> Iterator[Server]:
    with serving(upstream, limits=LIMITS) as server:
        yield server


@pytest.fixture(autouse=True)
def _nothing_left(upstream: Watched) -> Iterator[None]:
    upstream.seen.clear()
    yield
    assert not upstream.seen


def code_of(answer: httpx.Response) -> str:
    """The code, wherever the protocol has it."""
    doc = answer.json()
    error = doc.get("error", doc)
    if not isinstance(error, dict):
        error = doc
    found = error.get("code") or error.get("Code")
    return str(error["details"][0]["reason"] if isinstance(found, int) else found)


CASES: list[tuple[str, str, str, dict[str, str], bytes, int, str]] = [
    ("unknown path", "POST", "/v1/files", JSON, b"{}", 404, "unknown_route"),
    ("unknown path without a body", "GET", "/v1/files", {}, b"", 404, "unknown_route"),
    ("root without an action", "POST", "/", JSON, b"{}", 400, "MissingAction"),
    ("unknown action", "POST", "/", {**DMS, "x-acs-action": "ListUsers"}, b"", 404, "InvalidAction.NotFound"),
    ("two actions", "POST", "/?Action=ChatMessages", DMS, b"", 400, "InvalidParameter"),
    ("wrong version", "POST", "/", {**DMS, "x-acs-version": "2000-01-01"}, b"", 400, "InvalidVersion"),
    ("wrong method", "GET", "/", DMS, b"", 405, "UnsupportedHTTPMethod"),
    ("an operation elsewhere", "POST", "/v1/chat/completions", DMS, b"", 404, "InvalidAction.NotFound"),
    ("no instance", "POST", "/", DMS, b"", 400, "MissingInstanceId"),
    ("parameter twice", "POST", "/?InstanceId=1&InstanceId=2", DMS, b"", 400, "InvalidParameter"),
    ("not JSON", "POST", CHAT, JSON, b"{", 400, "unmaskable"),
    ("empty body of another kind", "POST", CHAT, {"content-type": "text/plain"}, b"x", 400, "unmaskable"),
    ("NaN", "POST", CHAT, JSON, b'{"temperature": NaN}', 400, "unmaskable"),
    ("duplicate keys", "POST", CHAT, JSON, b'{"model": "a", "model": "b"}', 400, "unmaskable"),
    ("10,000 deep", "POST", CHAT, JSON, b"[" * 10_000 + b"]" * 10_000, 400, "unmaskable"),
    ("UTF-16", "POST", CHAT, JSON, '{"model": "a"}'.encode("utf-16"), 400, "unmaskable"),
    (
        "UTF-16 that says so",
        "POST",
        CHAT,
        {"content-type": "application/json; charset=utf-16"},
        b"{}",
        400,
        "unmaskable",
    ),
    ("compressed", "POST", CHAT, {**JSON, "content-encoding": "gzip"}, gzip.compress(b"{}"), 415, "unmaskable"),
    ("compressed twice", "POST", CHAT, {**JSON, "content-encoding": "gzip, br"}, b"x", 415, "unmaskable"),
    ("multipart", "POST", CHAT, {"content-type": "multipart/form-data; boundary=x"}, b"--x--", 415, "unmaskable"),
    ("websocket", "GET", "/v1/realtime", {"upgrade": "websocket", "connection": "upgrade"}, b"", 400, "unknown_route"),
    ("too long", "POST", CHAT, JSON, b" " * 100_001, 413, "body_too_long"),
    ("a key with a value", "POST", CHAT, JSON, b'{"13800138000": 1}', 400, "unmaskable"),
    ("unknown category", "POST", CHAT, {**JSON, "x-masking-category": "No"}, b"{}", 400, "InvalidParameter"),
    ("a value in an unknown query", "GET", "/v1/models?q=13800138000", {}, b"", 400, "unmaskable"),
    ("a value in the path", "GET", "/v1/models/13800138000", {}, b"", 400, "unmaskable"),
    ("a value in the path, escaped", "GET", "/v1/models/1380013%38000", {}, b"", 400, "unmaskable"),
    ("model studio", "POST", "/api/v1/apps/a/completion", JSON, b"[", 400, "unmaskable"),
    ("anthropic", "POST", "/v1/messages", JSON, b"[", 400, "unmaskable"),
    ("gemini", "POST", "/v1beta/models/m:generateContent", JSON, b"[", 400, "unmaskable"),
    ("ollama", "POST", "/api/chat", JSON, b"[", 400, "unmaskable"),
]


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status", "code"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_refused(
    server: Server, method: str, path: str, headers: dict[str, str], body: bytes, status: int, code: str
) -> None:
    answer = httpx.request(method, server.url + path, headers=headers, content=body)

    assert (answer.status_code, code_of(answer)) == (status, code), answer.text
    assert "13800138000" not in answer.text


SHAPES = {
    "/v1/chat/completions": {"error", "request_id"},
    "/compatible-mode/v1/chat/completions": {"error", "request_id"},
    "/api/v1/apps/a/completion": {"code", "message", "request_id"},
    "/v1/messages": {"type", "error", "request_id"},
    "/v1beta/models/m:generateContent": {"error"},
    "/api/chat": {"error", "code"},
    "/": {"RequestId", "HostId", "Code", "Message", "Recommend"},
}


@pytest.mark.parametrize("path", SHAPES)
def test_each_protocol_has_its_own_shape(server: Server, path: str) -> None:
    answer = httpx.post(server.url + path, content=b"{")

    assert set(answer.json()) == SHAPES[path]


def raw(server: Server, data: bytes, *, wait: float = 5.0, end: bool = False) -> bytes:
    """What comes back for bytes as they are, until the connection ends or nothing comes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=wait) as connection:
        connection.sendall(data)
        if end:
            connection.shutdown(socket.SHUT_WR)
        got = b""
        while True:
            try:
                part = connection.recv(65536)
            except TimeoutError:
                return got
            except ConnectionResetError:
                return got
            if not part:
                return got
            got += part


HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"

RAW = [
    ("many headers", HEAD + b"".join(b"x-%d: 1\r\n" % n for n in range(60)) + b"\r\n", b" 431 "),
    ("long headers", HEAD + b"x: " + b"a" * 9_000 + b"\r\n\r\n", b" 431 "),
    ("long request line", b"GET /v1/models?" + b"a" * 3_000_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n", b" 414 "),
    ("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b" 400 "),
    ("slow head", HEAD, b" 408 "),
    ("slow body", HEAD + b"content-length: 10\r\n\r\n{", b" 408 "),
    ("authorization twice", HEAD + b"authorization: Bearer a\r\nauthorization: Bearer b\r\n\r\n", b" 400 "),
    ("lengths that differ", HEAD + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}", b" 400 "),
    ("length and chunks", HEAD + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", b" 400 "),
]


@pytest.mark.parametrize(("data", "status"), [case[1:] for case in RAW], ids=[case[0] for case in RAW])
def test_a_head_that_cannot_be_served(server: Server, data: bytes, status: bytes) -> None:
    answer = raw(server, data)

    assert answer.startswith(b"HTTP/1.1")
    assert status in answer.partition(b"\r\n")[0] + b" "
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]


def test_a_half_closed_request_ends_quietly(server: Server) -> None:
    begun = time.monotonic()
    raw(server, HEAD + b"content-length: 10\r\n\r\n{", end=True)

    assert time.monotonic() - begun < 4
    assert httpx.get(f"{server.url}/healthz").status_code == 200


def test_expect_continue_is_answered(server: Server, upstream: Watched) -> None:
    body = b'{"model": "m", "messages": []}'
    answer = raw(
        server, HEAD + b"expect: 100-continue\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    )
    upstream.seen.clear()

    assert answer.startswith(b"HTTP/1.1 100 Continue")
    assert b" 200 " in answer


class _DownVault(MemoryVault):
    def load(self, owner: str, name: str) -> Any:
        raise VaultError("down")


def _gateway(upstream: Watched, **options: Any) -> Gateway:
    settings = Settings.model_validate({"names": "off", "listen": {"port": 0}})
    return Gateway(settings, upstreams={"echo": upstream}, **options)


def test_a_vault_that_is_down(upstream: Watched) -> None:
    with Server(gateway=_gateway(upstream, vault=_DownVault())) as server:
        body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
        answer = httpx.post(f"{server.url}{CHAT}", json=body, headers={"x-masking-session": "s"})

    assert (answer.status_code, code_of(answer)) == (503, "vault_down")


def test_a_detector_that_is_down(upstream: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    from masking.core.session import Session

    def masked(self: Session, text: str) -> Any:
        raise ModelError("gone")

    with Server(gateway=_gateway(upstream)) as server:
        monkeypatch.setattr(Session, "masked", masked)
        body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
        answer = httpx.post(f"{server.url}{CHAT}", json=body)

    assert (answer.status_code, code_of(answer)) == (503, "detector_down")


def test_an_error_nobody_expected_tells_no_value(
    upstream: Watched, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from masking.core.session import Session

    def masked(self: Session, text: str) -> Any:
        raise RuntimeError(text)

    with Server(gateway=_gateway(upstream)) as server:
        monkeypatch.setattr(Session, "masked", masked)
        body = {"model": "m", "messages": [{"role": "user", "content": "13800138000"}]}
        answer = httpx.post(f"{server.url}{CHAT}", json=body)

    assert (answer.status_code, code_of(answer)) == (500, "masking_failed")
    assert "13800138000" not in answer.text + caplog.text
    assert "RuntimeError at " in caplog.text
