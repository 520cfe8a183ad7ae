"""Requests that mean harm, at every API: refused in the API's own error shape, counted, audited, and never sent on."""

from __future__ import annotations

import gzip
import json
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from gateway_server import Watched, serving

from masking.gateway import Server

PHONE = "13800138000"
LIMITS = {
    "body": 250_000, "header_bytes": 8_000, "headers": 50, "head_seconds": 0.4, "body_seconds": 0.6,
    "request_line": 1_100_000,
}  # fmt: skip
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MESSAGES: list[Any] = [{"role": "user", "content": f"call {PHONE}"}]


@dataclass
class Api:
    """Where an API is served, and a good request to it. `spell` puts JSON where it travels."""

    path: str
    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)
    kind: str = JSON
    spell: Callable[[bytes], bytes] = lambda document: document


def as_messages(document: bytes) -> bytes:
    return b"Messages=" + quote(document).encode()


def as_inputs(document: bytes) -> bytes:
    return f"{urlencode({'Query': PHONE})}&Inputs={quote(document)}".encode()


APIS = {
    "openai": Api("/v1/chat/completions", {"model": "m", "messages": MESSAGES}),
    "compatible": Api("/compatible-mode/v1/chat/completions", {"model": "m", "messages": MESSAGES}),
    "anthropic": Api("/v1/messages", {"model": "m", "max_tokens": 9, "messages": MESSAGES}),
    "gemini": Api("/v1beta/models/m:generateContent", {"contents": [{"parts": [{"text": PHONE}]}]}),
    "ollama": Api("/api/chat", {"model": "m", "messages": MESSAGES}),
    "dashscope": Api("/api/v1/apps/a/completion", {"input": {"prompt": PHONE}}),
    "dms": Api(
        "/?InstanceId=1", {}, {"x-acs-action": "ChatWithDesensitize", "x-acs-version": "2018-11-01"}, FORM, as_messages
    ),
    "rdsai": Api("/", {}, {"x-acs-action": "ChatMessages", "x-acs-version": "2025-05-07"}, FORM, as_inputs),
}


def code_of(name: str, answer: bytes) -> str:
    """The code of an error in the shape of this API; a KeyError in any other."""
    doc = json.loads(answer)
    match name:
        case "dms" | "rdsai":
            assert set(doc) == {"RequestId", "HostId", "Code", "Message", "Recommend"}
            return str(doc["Code"])
        case "dashscope":
            assert set(doc) == {"code", "message", "request_id"}
            return str(doc["code"])
        case "anthropic":
            assert doc["type"] == "error"
            return str(doc["error"]["code"])
        case "gemini":
            assert isinstance(doc["error"]["code"], int)
            return str(doc["error"]["details"][0]["reason"])
        case "ollama":
            assert isinstance(doc["error"], str)
            return str(doc["code"])
    assert set(doc["error"]) == {"message", "type", "param", "code"}
    return str(doc["error"]["code"])


@pytest.fixture(scope="module")
def upstream() -> Watched:
    return Watched()


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("audit") / "audit.jsonl"


@pytest.fixture(scope="module")
def server(upstream: Watched, log: Path) -> Iterator[Server]:
    with serving(upstream, limits=LIMITS, audit={"path": str(log), "sync": "never"}) as server:
        yield server


def head(api: Api, *, path: str = "", method: str = "POST", **more: str) -> bytes:
    lines = {
        "host": "x",
        "content-type": api.kind,
        **api.headers,
        **{key.replace("_", "-"): value for key, value in more.items()},
    }
    return f"{method} {path or api.path} HTTP/1.1\r\n".encode() + b"".join(
        f"{key}: {value}\r\n".encode() for key, value in lines.items()
    )


def whole(api: Api, body: bytes, **more: str) -> bytes:
    return head(api, content_length=str(len(body)), **more) + b"\r\n" + body


def ask(server: Server, *parts: bytes, pause: float = 0.0, end: bool = False) -> tuple[bytes, bytes]:
    """The status line and the body of the answer to bytes as they are."""
    got = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=8) as connection:
        try:
            for number, part in enumerate(parts):
                if number and pause:
                    time.sleep(pause)
                connection.sendall(part)
            if end:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it was answered, and closed
        while True:
            try:
                part = connection.recv(65536)
            except (TimeoutError, OSError):
                break
            if not part:
                break
            got += part
            if b"\r\n\r\n" in got:
                top, _, body = got.partition(b"\r\n\r\n")
                length = next(
                    (int(line[15:]) for line in top.lower().split(b"\r\n") if line[:15] == b"content-length:"), None
                )
                if length is not None and len(body) >= length:
                    break
    top, _, body = got.partition(b"\r\n\r\n")
    return top.partition(b"\r\n")[0], body


def refusals(server: Server) -> dict[str, float]:
    page = server.gateway._serving.observer.page()[2].decode().splitlines()
    counts = (line.rpartition(" ") for line in page if line.startswith("masking_refusals_total{"))
    return {label: float(count) for label, _, count in counts}


def noted(log: Path) -> list[tuple[str, str, str]]:
    """Route, decision and code of every request in the audit log; its last line may be on its way."""
    whole = log.read_text("utf-8").rpartition("\n")[0]
    lines = (json.loads(line) for line in whole.splitlines())
    return [(line["route"], line["decision"], line.get("code", "")) for line in lines if line["event"] == "request"]


def soon(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Whether it comes true: what is noted is noted after the answer."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


# The bytes of a request, the status and the code of its refusal.
Attack = tuple[Callable[[Api], list[bytes]], int, str]


def document(raw: bytes) -> Callable[[Api], list[bytes]]:
    return lambda api: [whole(api, api.spell(raw))]


def encoded(name: str, pack: Callable[[bytes], bytes]) -> Callable[[Api], list[bytes]]:
    return lambda api: [whole(api, pack(api.spell(json.dumps(api.body).encode())), content_encoding=name)]


ATTACKS: dict[str, Attack] = {
    "a request line that is too long": (
        lambda api: [head(api, path=f"{api.path}{'&' if '?' in api.path else '?'}q=" + "a" * 1_200_000) + b"\r\n"],
        414, "request_line_too_long",
    ),
    "a flood of headers": (
        lambda api: [head(api) + b"".join(b"x-%d: 1\r\n" % n for n in range(60)) + b"\r\n"], 431, "headers_too_long",
    ),
    "a flood of one header": (
        lambda api: [head(api) + b"x-a: 1\r\n" * 60 + b"\r\n"], 431, "headers_too_long",
    ),
    "a header that is too long": (lambda api: [head(api, x_long="a" * 9_000) + b"\r\n"], 431, "headers_too_long"),
    "a head that does not end": (lambda api: [head(api)], 408, "head_too_slow"),
    "a head byte by byte": (
        lambda api: [head(api), *(b"x" for _ in range(8))], 408, "head_too_slow",
    ),
    "a body that does not end": (lambda api: [head(api, content_length="10") + b"\r\n{"], 408, "body_too_slow"),
    "a body byte by byte": (
        lambda api: [head(api, content_length="99") + b"\r\n", *(b" " for _ in range(9))], 408, "body_too_slow",
    ),
    "a chunked body that does not end": (
        lambda api: [head(api, transfer_encoding="chunked") + b"\r\n1\r\n{\r\n"], 408, "body_too_slow",
    ),
    "a body that says it is too long": (
        lambda api: [head(api, content_length="250001") + b"\r\n"], 413, "body_too_long",
    ),
    "a chunked body that is too long": (
        lambda api: [head(api, transfer_encoding="chunked") + b"\r\n" + (b"4000\r\n" + b" " * 0x4000 + b"\r\n") * 16 + b"0\r\n\r\n"],
        413, "body_too_long",
    ),
    "a chunk without length": (
        lambda api: [head(api, transfer_encoding="chunked") + b"\r\nnone\r\n"], 400, "bad_http",
    ),
    "a length that is none": (lambda api: [head(api, content_length="+5") + b"\r\n"], 400, "bad_http"),
    "a length and chunks": (
        lambda api: [head(api, content_length="2", transfer_encoding="chunked") + b"\r\n0\r\n\r\n"], 400, "bad_http",
    ),
    "a line end in a header": (lambda api: [head(api) + b"x\x00y: 1\r\n\r\n"], 400, "bad_http"),
    "a host twice": (lambda api: [head(api) + b"host: y\r\n\r\n"], 400, "InvalidHeader"),
    "keys twice": (document(b'{"a": 1, "a": 2}'), 400, "unmaskable"),
    "NaN": (document(b'{"a": NaN}'), 400, "unmaskable"),
    "Infinity": (document(b'{"a": -Infinity}'), 400, "unmaskable"),
    "10,000 deep": (document(b"[" * 10_000 + b"]" * 10_000), 400, "unmaskable"),
    "10,000 objects deep": (document(b'{"a":' * 10_000 + b"1" + b"}" * 10_000), 400, "unmaskable"),
    "UTF-16": (document('{"a": "b"}'.encode("utf-16")), 400, "unmaskable"),
    "UTF-16 without a mark": (document('{"a": "b"}'.encode("utf-16-le")), 400, "unmaskable"),
    "UTF-32": (document('{"a": "b"}'.encode("utf-32")), 400, "unmaskable"),
    "half a character": (document(b'{"a": "\xe4\xbd"}'), 400, "unmaskable"),
    "a longer form of a character": (document(b'{"a": "\xc0\xb1"}'), 400, "unmaskable"),
    "two documents": (document(b'{"a": 1} {"b": 2}'), 400, "unmaskable"),
    "a number without end": (document(b'{"a": ' + b"9" * 50_000 + b"}"), 400, "unmaskable"),
    "gzip": (encoded("gzip", gzip.compress), 415, "unmaskable"),
    "zstd": (encoded("zstd", lambda raw: b"\x28\xb5\x2f\xfd" + raw), 415, "unmaskable"),
    "deflate": (encoded("deflate", zlib.compress), 415, "unmaskable"),
    "br, and capitals": (encoded("BR", lambda raw: raw), 415, "unmaskable"),
    "gzip that does not say so": (
        lambda api: [whole(api, gzip.compress(api.spell(json.dumps(api.body).encode())))], 400, "unmaskable",
    ),
    "multipart": (
        lambda api: [whole(Api(api.path, {}, api.headers, "multipart/form-data; boundary=x"), b"--x\r\n\r\nhi\r\n--x--")],
        415, "unmaskable",
    ),
    "a kind of text": (lambda api: [whole(Api(api.path, {}, api.headers, "text/plain"), b"{}")], 400, "unmaskable"),
    "a charset": (
        lambda api: [whole(Api(api.path, {}, api.headers, f"{api.kind}; charset=utf-16"), api.spell(b"{}"))], 400, "unmaskable",
    ),
    "a websocket": (
        lambda api: [head(api, method="GET", upgrade="websocket", connection="Upgrade",
                          sec_websocket_key="x" * 22 + "==", sec_websocket_version="13") + b"\r\n"],
        400, "unknown_route",
    ),
    "a websocket that posts": (
        lambda api: [whole(api, api.spell(b"{}"), upgrade="WebSocket", connection="upgrade")], 400, "unknown_route",
    ),
}  # fmt: skip


# JSON in a form that is none is masked as text, and refused as the operation itself does.
IN_A_FORM = (
    "NaN", "Infinity", "UTF-16 without a mark", "two documents", "a number without end",
)  # fmt: skip


# Whose API it is does not matter to a clock: byte by byte once is enough.
EACH = [(name, attack) for name in APIS for attack in ATTACKS if name == "openai" or "byte by byte" not in attack]


@pytest.mark.parametrize(("name", "attack"), EACH, ids=[f"{name}-{attack}" for name, attack in EACH])
def test_refused_in_its_own_shape_counted_and_noted(
    server: Server, upstream: Watched, log: Path, name: str, attack: str
) -> None:
    make, status, code = ATTACKS[attack]
    if code == "unmaskable" and APIS[name].kind == FORM and attack in IN_A_FORM:
        code = "InvalidParameter"
    before, lines = refusals(server), len(noted(log))
    upstream.seen.clear()
    first, body = ask(server, *make(APIS[name]), pause=0.15)
    # Whose operation it is stands in a header, after the line.
    route = "dms" if (name, code) == ("rdsai", "request_line_too_long") else name
    label = f'masking_refusals_total{{reason="{code}",route="{route}"}}'

    assert first.split(b" ")[1:2] == [b"%d" % status], (first, body[:300])
    assert code_of(name, body) == code
    assert PHONE.encode() not in body
    assert not upstream.seen
    assert soon(lambda: noted(log)[lines:] == [(route, "refused", code)]), noted(log)[lines:]
    assert refusals(server).get(label, 0.0) == before.get(label, 0.0) + 1


@pytest.mark.parametrize("name", APIS)
def test_after_all_of_it_a_good_request_is_served(server: Server, upstream: Watched, name: str) -> None:
    api = APIS[name]
    body = as_messages(json.dumps(MESSAGES).encode()) if name == "dms" else api.spell(json.dumps(api.body).encode())
    first, said = ask(server, whole(api, body, connection="close"))

    assert first.split(b" ")[1:2] == [b"200"], said[:300]
    assert PHONE not in upstream.text
