"""Signed requests that are not what they say: refused with the codes of Alibaba Cloud's own gateway, counted, audited,
never sent on; and addresses that try to be another."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest
from gateway_server import Watched, serving
from test_gateway_attacks import ask, code_of, noted, refusals, soon

from masking.core.acs3 import AccessKey, authorize
from masking.gateway import Server

KEY = AccessKey("LTAIshop", "shopSecret")
PHONE = "13800138000"
MESSAGES = json.dumps([{"role": "user", "content": f"call {PHONE}"}])


@pytest.fixture(scope="module")
def upstream() -> Watched:
    return Watched()


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("audit") / "audit.jsonl"


@pytest.fixture(scope="module")
def server(upstream: Watched, log: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("secrets")
    for name, value in {"id": KEY.id, "secret": KEY.secret}.items():
        (folder / name).write_text(value)
    pair = {"id": {"file": str(folder / "id")}, "secret": {"file": str(folder / "secret")}}
    clients = [{"name": "shop", "access_keys": [pair]}]
    with serving(upstream, clients=clients, audit={"path": str(log), "sync": "never"}) as server:
        yield server


def stamp(seconds: float = 0.0) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


class Signed:
    """A signed request of DMS or RDS AI, which a test spoils before or after it is signed."""

    count = 0

    def __init__(self, action: str, key: AccessKey = KEY, **headers: str) -> None:
        is_dms = action.startswith("ChatWith")
        Signed.count += 1
        self.query = {"InstanceId": "1"} if is_dms else {"Query": f"call {PHONE}"}
        self.body = urlencode({"Messages": MESSAGES}, quote_via=quote).encode() if is_dms else b""
        self.headers = {
            "host": "gateway",
            "x-acs-action": action,
            "x-acs-version": "2018-11-01" if is_dms else "2025-05-07",
            "x-acs-date": stamp(),
            "x-acs-signature-nonce": f"nonce-{Signed.count}",
            "x-acs-content-sha256": sha256(self.body).hexdigest(),
            **({"content-type": "application/x-www-form-urlencoded"} if is_dms else {}),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        self.headers["authorization"] = authorize(key, "POST", "/", self.query.items(), self.headers, self.body)

    def raw(self) -> bytes:
        lines = {**self.headers, "content-length": str(len(self.body)), "connection": "close"}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return f"POST /?{urlencode(self.query, quote_via=quote)} HTTP/1.1\r\n{head}\r\n".encode() + self.body


def changed(**changes: Any) -> Callable[[str], Signed]:
    """After it was signed; None takes a header away."""

    def make(action: str) -> Signed:
        made = Signed(action)
        for name, value in changes.items():
            if name in ("query", "body"):
                setattr(made, name, value)
            elif value is None:
                made.headers.pop(name.replace("_", "-"))
            else:
                made.headers[name.replace("_", "-")] = value
        return made

    return make


def signed(key: AccessKey = KEY, **headers: str) -> Callable[[str], Signed]:
    return lambda action: Signed(action, key, **headers)


def spoilt_date(made: Signed) -> Signed:
    made.headers["x-acs-date"] = stamp(1)
    return made


def dated(seconds: float) -> Callable[[str], Signed]:
    """As it would be signed so many seconds from now."""
    return lambda action: Signed(action, x_acs_date=stamp(seconds))


CASES: dict[str, tuple[Callable[[str], Signed], int, str]] = {
    "another secret": (signed(AccessKey(KEY.id, "guess")), 400, "SignatureDoesNotMatch"),
    "another access key": (signed(AccessKey("LTAInobody", "guess")), 404, "InvalidAccessKeyId.NotFound"),
    "a late date": (dated(-1_000), 400, "InvalidTimeStamp.Expired"),
    "an early date": (dated(1_000), 400, "InvalidTimeStamp.Expired"),
    "a date of another form": (signed(x_acs_date="yesterday"), 400, "InvalidTimeStamp.Format"),
    "another query": (changed(query={"InstanceId": "2", "Query": "x"}), 400, "SignatureDoesNotMatch"),
    "another body": (changed(body=b"Messages=%5B%5D"), 400, "SignatureDoesNotMatch"),
    "another date": (lambda action: spoilt_date(Signed(action)), 400, "SignatureDoesNotMatch"),
    "another nonce": (changed(x_acs_signature_nonce="n"), 400, "SignatureDoesNotMatch"),
    "no signature": (changed(authorization=None), 400, "IncompleteSignature"),
    "half a signature": (changed(authorization="ACS3-HMAC-SHA256 Credential=LTAIshop"), 400, "IncompleteSignature"),
    "another algorithm": (
        changed(authorization=f"ACS3-HMAC-SM3 Credential={KEY.id},SignedHeaders=host,Signature={'0' * 64}"), 400, "",
    ),
    "a signature of less": (
        changed(authorization=f"ACS3-HMAC-SHA256 Credential={KEY.id},SignedHeaders=host,Signature={'0' * 64}"),
        400, "IncompleteSignature",
    ),
    "a token of another kind": (changed(authorization=None, x_acs_bearer_token="sk-x"), 401, "InvalidBearerToken.NotFound"),
    "a temporary key's token": (signed(x_acs_security_token="t"), 400, "InvalidSecurityToken.Malformed"),
}  # fmt: skip


@pytest.mark.parametrize(("action", "route"), [("ChatWithDesensitize", "dms"), ("ChatMessages", "rdsai")])
@pytest.mark.parametrize("case", CASES)
def test_a_signature_that_does_not_hold(
    server: Server, upstream: Watched, log: Path, action: str, route: str, case: str
) -> None:
    make, status, code = CASES[case]
    before, lines = refusals(server), len(noted(log))
    upstream.seen.clear()
    first, body = ask(server, make(action).raw())
    found = code_of(route, body)
    label = f'masking_refusals_total{{reason="{found}",route="{route}"}}'

    assert first.split(b" ")[1:2] == [b"%d" % status], body
    assert found == code or not code
    assert KEY.secret.encode() not in body
    assert not upstream.seen
    assert soon(lambda: noted(log)[lines:] == [(route, "refused", found)]), noted(log)[lines:]
    assert refusals(server).get(label, 0.0) == before.get(label, 0.0) + 1


@pytest.mark.parametrize(("action", "route"), [("ChatWithDesensitize", "dms"), ("ChatMessages", "rdsai")])
def test_a_request_that_is_sent_again_is_refused(
    server: Server, upstream: Watched, log: Path, action: str, route: str
) -> None:
    request = Signed(action).raw()
    upstream.seen.clear()
    first, _ = ask(server, request)
    again, body = ask(server, request)

    assert b" 200 " in first
    assert (b" 400 " in again, code_of(route, body)) == (True, "SignatureNonceUsed")
    assert len(upstream.seen) == 1
    assert soon(lambda: noted(log)[-1] == (route, "refused", "SignatureNonceUsed"))


# Addresses

ADDRESSES = [
    "//v1/chat/completions", "/v1//chat/completions", "/v1/./chat/completions", "/v1/x/../chat/completions",
    "/v1/chat/completions/", "/v1/chat/completions/..", "/v1/chat/completions;x=1", "/v1/chat%2Fcompletions",
    "/v1/chat/completions%00", "/V1/chat/completions", "/v1/chat/completions%3Fx", "/v1/files", "/api/v1/x", "/api/pull",
    "/v1beta/files", "/v1/messages/batches", "/v1/threads", "/compatible-mode/v1/files", "/v1beta/models/m:embedContent",
    "/v1/../../etc/passwd", "http://elsewhere/v1/chat/completions", "/v1/chat/completions#x", "*",
]  # fmt: skip


@pytest.fixture(scope="module")
def open_server(upstream: Watched) -> Iterator[Server]:
    with serving(upstream) as server:
        yield server


@pytest.mark.parametrize("path", ADDRESSES)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_an_address_that_nobody_describes_leads_nowhere(
    open_server: Server, upstream: Watched, path: str, method: str
) -> None:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": PHONE}]}).encode()
    upstream.seen.clear()
    head = f"{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nconnection: close\r\n"
    first, said = ask(open_server, f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    status = int(first.split(b" ")[1])

    # Whatever is taken for the same address is masked like it; all else goes nowhere.
    assert PHONE not in upstream.text
    assert upstream.seen or status in (400, 404, 405), (first, said)
    assert not upstream.seen or all("completions" in one.target for one in upstream.seen)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE", "CONNECT", "PROPFIND"])
def test_other_methods_lead_nowhere(open_server: Server, upstream: Watched, method: str) -> None:
    upstream.seen.clear()
    answer = httpx.request(method, f"{open_server.url}/v1/chat/completions")

    assert answer.status_code in (400, 404, 405)
    assert not upstream.seen
