"""What breaks around the gateway: upstreams, Redis, clients, the disk, the gateway itself. Nothing unmasked leaves, nobody
gets another's value, and the next request is served."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import socketserver
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from gateway_server import serving
from running import RedisServer, free_port, redis_server

from masking.core.acs3 import AccessKey, authorize
from masking.gateway import Server
from masking.gateway.chain import files_of, read_head, verify
from masking.vault import new_key

ROOT = Path(__file__).parents[1]
PHONE, OTHER = "13800138000", "13900139000"
# It says that it closes: a request that were sent into that moment would be lost.
HEAD = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
MASKED = "<PHONE_NUMBER_1>"


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def event(text: str) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    doc = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(doc).encode() + b"\n\n"


# An upstream that does what it likes

Manner = Callable[["Wild", socket.socket, str], None]


class Wild(socketserver.ThreadingTCPServer):
    """Reads a request, remembers it, and then behaves as `manner` says."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128  # of five at a time the sixth would wait for a second, which is its limit here

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.manner: Manner = quote
        self.seen: list[str] = []
        self.gone = threading.Event()
        self.port: int = self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The other side went away: that is what is tested."""
        del request, client_address


class _Handler(socketserver.BaseRequestHandler):
    server: Wild

    def handle(self) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            part = self.request.recv(65536)
            if not part:
                return
            data += part
        head, _, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        while len(body) < int(length[1] if length else 0):
            body += self.request.recv(65536)
        self.server.seen.append(body.decode())
        self.server.manner(self.server, self.request, body.decode())


def said_in(body: str) -> str:
    return str(json.loads(body)["messages"][-1]["content"])


def quote(server: Wild, client: socket.socket, body: str) -> None:
    """A good answer: what it was sent, in pieces of five characters."""
    del server
    text = said_in(body)
    events = [event(text[at : at + 5]) for at in range(0, len(text), 5)]
    client.sendall(HEAD + b"".join(map(chunked, [*events, b"data: [DONE]\n\n"])) + b"0\r\n\r\n")


def killed(server: Wild, client: socket.socket, body: str) -> None:
    """Resets the connection in the middle of an event."""
    del server, body
    client.sendall(HEAD + chunked(event("eins ")) + chunked(event("zwei <PHONE_NUM")) + b"40\r\ndata: {")
    time.sleep(0.1)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def hung(server: Wild, client: socket.socket, body: str) -> None:
    """Never answers."""
    del server, client, body
    time.sleep(5)


def hung_within(server: Wild, client: socket.socket, body: str) -> None:
    """Says something, then nothing."""
    del server, body
    client.sendall(HEAD + chunked(event("eins ")))
    time.sleep(5)


def slow(server: Wild, client: socket.socket, body: str) -> None:
    """One byte at a time."""
    del server
    data = HEAD + b"".join(map(chunked, [event(said_in(body)), b"data: [DONE]\n\n"])) + b"0\r\n\r\n"
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for at in range(len(data)):
        client.sendall(data[at : at + 1])
        if at % 16 == 0:
            time.sleep(0.001)


def noise(server: Wild, client: socket.socket, body: str) -> None:
    """No HTTP."""
    del server, body
    client.sendall(bytes(range(256)) * 8)


def noise_of_events(server: Wild, client: socket.socket, body: str) -> None:
    """HTTP, but no events of the API: JSON cut off, no UTF-8, NULs."""
    del server, body
    bad = [b"data: {\n\n", b"data: \xff\xfe\x00\n\n", b"\0\0\0\n\n", b"data: [1, 2\n\n", b"data: 7\n\n"]
    client.sendall(HEAD + b"".join(map(chunked, bad)) + b"0\r\n\r\n")


def document_of_100_mb(server: Wild, client: socket.socket, body: str) -> None:
    del server, body
    client.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 104857600\r\n\r\n")
    for _ in range(100):
        client.sendall(b" " * 1024 * 1024)


def event_of_100_mb(server: Wild, client: socket.socket, body: str) -> None:
    del server, body
    client.sendall(HEAD + chunked(b"data: "))
    for _ in range(100):
        client.sendall(chunked(b"x" * 1024 * 1024))


def stream_of_100_mb(server: Wild, client: socket.socket, body: str) -> None:
    del server, body
    client.sendall(HEAD)
    part = chunked(event("wort ").replace(b'"c"', b'"%s"' % (b"c" * 16_000))) * 16
    for _ in range(100 * 1024 * 1024 // len(part)):
        client.sendall(part)
    client.sendall(chunked(b"data: [DONE]\n\n") + b"0\r\n\r\n")


def endless(server: Wild, client: socket.socket, body: str) -> None:
    """Talks until nobody listens."""
    del body
    client.sendall(HEAD)
    try:
        while True:
            client.sendall(chunked(event("wort ")))
            time.sleep(0.005)
    except OSError:
        server.gone.set()


@pytest.fixture
def wild() -> Iterator[Wild]:
    with Wild() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def configured(port: int, **more: Any) -> dict[str, Any]:
    upstream = {"api": "openai", "url": f"http://127.0.0.1:{port}/v1", "silence": 1.0, "connect": 1.0}
    routes = {name: {"upstream": "own"} for name in ("openai", "anthropic", "dashscope", "rdsai", "dms")}
    return {"upstreams": {"own": upstream}, "routes": routes, **more}


@pytest.fixture
def server(wild: Wild) -> Iterator[Server]:
    with serving(**configured(wild.port)) as server:
        yield server


def chat(url: str, text: str, *, stream: bool = True, timeout: float = 20, **headers: str) -> httpx.Response:
    doc = {"model": "m", "stream": stream, "messages": [{"role": "user", "content": text}]}
    heads = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(f"{url}/v1/chat/completions", json=doc, headers=heads, timeout=timeout)


def text_of(answer: str) -> str:
    """What a stream says, as far as it went."""
    found = []
    for part in answer.split("\n\n"):
        if part.startswith("data: {"):
            doc = json.loads(part[6:])
            found += [choice["delta"].get("content") or "" for choice in doc.get("choices", ())]
    return "".join(found)


def serves_on(server: Server, wild: Wild) -> None:
    """The next request is served as if nothing had been, and no value has ever arrived."""
    wild.manner = quote
    answer = chat(server.url, f"电话{PHONE}。")
    assert answer.status_code == 200
    assert text_of(answer.text) == f"电话{PHONE}。"
    assert PHONE not in "".join(wild.seen)
    until = time.monotonic() + 10  # the client has its answer a moment before the exchange is over
    while server.gateway.open_exchanges and time.monotonic() < until:
        time.sleep(0.01)
    assert server.gateway.open_exchanges == 0


# Upstreams


def test_an_upstream_that_is_not_there(server: Server, wild: Wild) -> None:
    with serving(**configured(free_port())) as other:
        answer = chat(other.url, f"电话{PHONE}")

        assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_unreachable")
    serves_on(server, wild)


@pytest.mark.parametrize(
    ("manner", "status", "code"),
    [
        pytest.param(hung, 504, "upstream_timeout", id="hung"),
        pytest.param(noise, 502, "upstream_unreachable", id="noise"),
        pytest.param(document_of_100_mb, 502, "reply_unreadable", id="a document of 100 MB"),
    ],
)
def test_an_upstream_that_does_not_answer_well(
    server: Server, wild: Wild, manner: Manner, status: int, code: str
) -> None:
    wild.manner = manner
    answer = chat(server.url, f"电话{PHONE}", stream=False)

    assert answer.status_code == status, answer.text
    assert code in answer.json()["error"]["code"]
    assert PHONE not in answer.text
    serves_on(server, wild)


@pytest.mark.parametrize(("manner", "before"), [(killed, "eins zwei <PHONE_NUM"), (hung_within, "eins ")])
def test_a_stream_that_breaks_says_so_after_what_it_said(
    server: Server, wild: Wild, manner: Manner, before: str
) -> None:
    wild.manner = manner
    with httpx.stream(
        "POST", f"{server.url}/v1/chat/completions",
        json={"model": "m", "stream": True, "messages": [{"role": "user", "content": f"电话{PHONE}"}]}, timeout=20,
    ) as answer:  # fmt: skip
        got = ""
        try:
            for part in answer.iter_text():
                got += part
            whole = True
        except httpx.RemoteProtocolError:
            whole = False

    assert text_of(got) == before
    assert '"upstream_broke"' in got
    assert "[DONE]" not in got
    assert not whole, "a broken stream must not look like a whole one"
    serves_on(server, wild)


def test_an_sdk_is_told_that_its_stream_broke(server: Server, wild: Wild) -> None:
    openai = pytest.importorskip("openai")
    wild.manner = killed
    with openai.OpenAI(api_key="none", base_url=f"{server.url}/v1", max_retries=0) as client:
        stream = client.chat.completions.create(model="m", messages=[{"role": "user", "content": PHONE}], stream=True)
        got = []
        with pytest.raises(openai.APIError, match="ended before its end"):
            got += [chunk.choices[0].delta.content for chunk in iter(stream)]
    serves_on(server, wild)


def test_a_slow_upstream_is_restored_byte_by_byte(server: Server, wild: Wild) -> None:
    wild.manner = slow
    answer = chat(server.url, f"电话{PHONE}。")

    assert text_of(answer.text) == f"电话{PHONE}。"
    serves_on(server, wild)


def test_noise_in_place_of_events_ends_in_an_error_or_as_it_came(server: Server, wild: Wild) -> None:
    wild.manner = noise_of_events
    try:
        got = chat(server.url, f"电话{PHONE}").content
    except httpx.RemoteProtocolError:
        got = b""

    assert PHONE.encode() not in got
    assert b"PHONE_NUMBER" not in got
    serves_on(server, wild)


def memory() -> int:
    """Bytes of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_an_event_without_end_is_broken_off(server: Server, wild: Wild) -> None:
    wild.manner = event_of_100_mb
    before = memory()
    try:
        got = chat(server.url, f"电话{PHONE}").text
    except httpx.RemoteProtocolError:
        got = ""

    assert len(got) < 32 * 1024 * 1024
    assert memory() - before < 200 * 1024 * 1024
    serves_on(server, wild)


def test_a_long_stream_is_not_gathered(server: Server, wild: Wild) -> None:
    wild.manner = stream_of_100_mb
    before, most, size, tail = memory(), 0, 0, b""
    doc = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "hallo"}]}
    with httpx.stream("POST", f"{server.url}/v1/chat/completions", json=doc, timeout=60) as answer:
        for part in answer.iter_raw():
            size += len(part)
            tail = (tail + part)[-64:]
            most = max(most, memory())

    assert size > 100_000_000
    assert b"[DONE]" in tail
    assert most - before < 60 * 1024 * 1024
    serves_on(server, wild)


# Clients


@pytest.mark.parametrize("how", ["closed", "reset", "half closed"])
def test_a_client_that_is_gone_ends_its_upstream(server: Server, wild: Wild, how: str) -> None:
    wild.manner = endless
    doc = {"model": "m", "stream": True, "messages": [{"role": "user", "content": f"电话{PHONE}"}]}
    body = json.dumps(doc).encode()
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        client.sendall(head.encode() + body)
        assert client.recv(65536).startswith(b"HTTP/1.1 200")
        if how == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if how == "half closed":
            client.shutdown(socket.SHUT_WR)
            assert wild.gone.wait(5)
    assert wild.gone.wait(5)
    until = time.monotonic() + 5
    while server.gateway.open_exchanges and time.monotonic() < until:
        time.sleep(0.01)
    serves_on(server, wild)


def test_a_client_that_does_not_read_holds_back_its_upstream_and_is_let_go(wild: Wild) -> None:
    wild.manner = stream_of_100_mb
    before = memory()
    with serving(**configured(wild.port, limits={"stall": 1.0})) as server:
        doc = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "hallo"}]}
        body = json.dumps(doc).encode()
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
            client.sendall(head.encode() + body)
            until = time.monotonic() + 10
            time.sleep(0.5)
            assert server.gateway.open_exchanges == 1
            while server.gateway.open_exchanges and time.monotonic() < until:
                time.sleep(0.02)
            assert server.gateway.open_exchanges == 0
        assert memory() - before < 60 * 1024 * 1024
        serves_on(server, wild)


# Redis


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> str:
    key = new_key()
    monkeypatch.setenv("MASKING_VAULT_KEYS", key)
    return key


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path) as server:
        yield server


@pytest.mark.usefixtures("keys")
def test_two_gateways_share_a_conversation(redis: RedisServer, wild: Wild) -> None:
    shared = configured(wild.port, vault={"address": redis.url})
    with serving(**shared) as one, serving(**shared) as other:
        first = chat(one.url, f"电话{PHONE}。", x_masking_session="talk")
        second = chat(other.url, f"号码{OTHER}，不是{PHONE}。", x_masking_session="talk")
        third = chat(one.url, f"再说{OTHER}。", x_masking_session="talk")

    assert [said_in(one) for one in wild.seen] == [
        "电话<PHONE_NUMBER_1>。",
        "号码<PHONE_NUMBER_2>，不是<PHONE_NUMBER_1>。",
        "再说<PHONE_NUMBER_2>。",
    ]
    assert [text_of(one.text) for one in (first, second, third)] == [
        f"电话{PHONE}。", f"号码{OTHER}，不是{PHONE}。", f"再说{OTHER}。",
    ]  # fmt: skip


@pytest.mark.usefixtures("keys")
def test_two_gateways_that_answer_one_conversation_at_once_agree(redis: RedisServer, wild: Wild) -> None:
    shared = configured(wild.port, vault={"address": redis.url})
    shared["upstreams"]["own"] |= {"connect": 20.0, "silence": 20.0}  # this is not about slow upstreams
    numbers = [f"138001380{number:02}" for number in range(24)]
    answers: dict[str, str] = {}
    with serving(**shared) as one, serving(**shared) as other:

        def ask(number: str, url: str) -> None:
            answers[number] = text_of(chat(url, f"电话{number}。", x_masking_session="talk").text)

        threads = [
            threading.Thread(target=ask, args=(number, (one, other)[at % 2].url)) for at, number in enumerate(numbers)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert answers == {number: f"电话{number}。" for number in numbers}
    placeholders = [said_in(body) for body in wild.seen]
    assert len(set(placeholders)) == len(numbers), "two values must not share a placeholder"


@pytest.mark.usefixtures("keys")
def test_redis_killed_and_back(redis: RedisServer, wild: Wild) -> None:
    with serving(**configured(wild.port, vault={"address": redis.url})) as server:
        assert text_of(chat(server.url, f"电话{PHONE}。", x_masking_session="talk").text) == f"电话{PHONE}。"
        redis.kill()
        sent = len(wild.seen)
        refused = chat(server.url, f"号码{OTHER}。", x_masking_session="talk")
        ready = httpx.get(f"{server.url}/readyz").status_code
        alone = chat(server.url, f"电话{PHONE}。")

        assert (refused.status_code, refused.json()["error"]["code"], ready) == (503, "vault_down", 503)
        assert len(wild.seen) == sent + 1, "what needs the vault must not leave, what does not is served"
        assert text_of(alone.text) == f"电话{PHONE}。"
        redis.start()
        again = chat(server.url, f"号码{OTHER}，{PHONE}。", x_masking_session="talk")
        assert said_in(wild.seen[-1]) == "号码<PHONE_NUMBER_2>，<PHONE_NUMBER_1>。"
        assert text_of(again.text) == f"号码{OTHER}，{PHONE}。"
        assert httpx.get(f"{server.url}/readyz").status_code == 200


# Signed requests that are sent again

ACCESS = AccessKey("LTAIshop", "shopSecret")


def signed(url: str, nonce: str) -> httpx.Response:
    """A question to RDS AI, signed now."""
    parameters = [("Query", "hi")]
    headers = {
        "host": url.removeprefix("http://"), "x-acs-action": "ChatMessages", "x-acs-version": "2025-05-07",
        "x-acs-date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "x-acs-signature-nonce": nonce,
        "x-acs-content-sha256": sha256(b"").hexdigest(),
    }  # fmt: skip
    headers["authorization"] = authorize(ACCESS, "POST", "/", parameters, headers)
    return httpx.post(url, params=parameters, headers=headers)


def refusal(answer: httpx.Response) -> str:
    return str(answer.json()["Code"]) if answer.status_code != 200 else ""


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    monkeypatch.setenv("SHOP_ID", ACCESS.id)
    monkeypatch.setenv("SHOP_SECRET", ACCESS.secret)
    return [{"name": "shop", "access_keys": [{"id": {"env": "SHOP_ID"}, "secret": {"env": "SHOP_SECRET"}}]}]


@pytest.mark.usefixtures("keys")
def test_a_request_that_one_gateway_served_is_refused_by_the_other(
    redis: RedisServer, shop: list[dict[str, Any]]
) -> None:
    shared = {"clients": shop, "vault": {"address": redis.url}}
    with serving(**shared) as one, serving(**shared) as other:
        codes = [refusal(signed(*ask)) for ask in [(one.url, "a"), (other.url, "a"), (other.url, "b"), (one.url, "b")]]
        redis.kill()
        down = signed(one.url, "c")
        redis.start()
        after = [refusal(signed(one.url, nonce)) for nonce in "ac"]

    assert codes == ["", "SignatureNonceUsed", "", "SignatureNonceUsed"]
    assert (down.status_code, refusal(down)) == (503, "vault_down"), "what cannot be remembered is not served"
    assert after == ["SignatureNonceUsed", ""]


def test_a_request_from_before_a_restart_is_refused(tmp_path: Path, keys: str, shop: list[dict[str, Any]]) -> None:
    settings = {"clients": shop, "vault": {"address": f"sqlite:{tmp_path}/vault.db"}}
    with program(tmp_path, settings, MASKING_VAULT_KEYS=keys) as (process, url):
        assert refusal(signed(url, "a")) == ""
        process.kill()
        process.wait()
    with program(tmp_path, settings, MASKING_VAULT_KEYS=keys) as (_, url):
        codes = [refusal(signed(url, nonce)) for nonce in "ab"]

    assert codes == ["SignatureNonceUsed", ""]


# The gateway itself, as a process


@contextmanager
def program(
    tmp_path: Path, settings: dict[str, Any], **environment: str
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`masking serve` with a configuration, and its address."""
    port = free_port()
    file = tmp_path / "gateway.yaml"
    file.write_text(yaml.safe_dump({"names": "off", "listen": {"port": port}, **settings}))
    command = [sys.executable, "-c", "from masking.cli import main; main()", "serve", str(file)]
    with ExitStack() as stack:
        log = stack.enter_context((tmp_path / "log").open("a"))
        process = subprocess.Popen(
            command, env={**os.environ, "PYTHONPATH": str(ROOT), **environment}, stdout=log, stderr=log, text=True,
            start_new_session=True,
        )  # fmt: skip
        url = f"http://127.0.0.1:{port}"
        try:
            until = time.monotonic() + 30
            while True:
                try:
                    if httpx.get(f"{url}/readyz").status_code == 200:
                        break
                except httpx.TransportError:
                    assert process.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < until, (tmp_path / "log").read_text()
                time.sleep(0.05)
            yield process, url
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_conversation_in_sqlite_outlives_the_gateway(
    tmp_path: Path, keys: str, wild: Wild, how: signal.Signals
) -> None:
    settings = configured(wild.port, vault={"address": f"sqlite:{tmp_path}/vault.db"})
    with program(tmp_path, settings, MASKING_VAULT_KEYS=keys) as (process, url):
        first = chat(url, f"电话{PHONE}。", x_masking_session="talk")
        process.send_signal(how)
        assert process.wait(20) == (0 if how == signal.SIGTERM else -9)
    assert text_of(first.text) == f"电话{PHONE}。"
    with program(tmp_path, settings, MASKING_VAULT_KEYS=keys) as (_, url):
        again = chat(url, f"号码{OTHER}，{PHONE}。", x_masking_session="talk")

    assert said_in(wild.seen[-1]) == "号码<PHONE_NUMBER_2>，<PHONE_NUMBER_1>。"
    assert text_of(again.text) == f"号码{OTHER}，{PHONE}。"
    assert PHONE.encode() not in b"".join(file.read_bytes() for file in tmp_path.glob("vault.db*"))


def test_sigterm_lets_an_open_stream_end_and_takes_no_new_one(tmp_path: Path, wild: Wild) -> None:
    def unhurried(server: Wild, client: socket.socket, body: str) -> None:
        client.sendall(HEAD)
        for piece in re.findall(".{1,4}", said_in(body)):
            client.sendall(chunked(event(piece)))
            time.sleep(0.3)
        client.sendall(chunked(b"data: [DONE]\n\n") + b"0\r\n\r\n")

    wild.manner = unhurried
    answers: list[str] = []
    with program(tmp_path, configured(wild.port)) as (process, url):
        thread = threading.Thread(target=lambda: answers.append(chat(url, f"电话{PHONE}，谢谢。").text))
        thread.start()
        while not wild.seen:
            time.sleep(0.01)
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        with pytest.raises(httpx.TransportError):
            chat(url, "hallo")
        thread.join()
        assert process.wait(20) == 0

    assert text_of(answers[0]) == f"电话{PHONE}，谢谢。"
    assert "[DONE]" in answers[0]


_LIMITED = (
    "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))\nfrom masking.cli import main; main()"
)


@pytest.mark.parametrize("mode", ["refuse", "continue"])
def test_a_full_disk_refuses_or_goes_on_as_configured_and_says_so(
    tmp_path: Path, wild: Wild, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    del monkeypatch
    path = tmp_path / "audit.jsonl"
    port = free_port()
    settings = {
        "names": "off", "listen": {"port": port}, "audit": {"path": str(path), "on_failure": mode},
        **configured(wild.port),
    }  # fmt: skip
    (tmp_path / "gateway.yaml").write_text(yaml.safe_dump(settings))
    command = [sys.executable, "-c", _LIMITED.format(size=4_000), "serve", str(tmp_path / "gateway.yaml")]
    url = f"http://127.0.0.1:{port}"
    # Its log goes to a pipe, which no limit of a file's size concerns.
    with subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            until = time.monotonic() + 30
            while True:
                try:
                    httpx.get(f"{url}/healthz")
                    break
                except httpx.TransportError:
                    assert time.monotonic() < until
                    time.sleep(0.05)
            answers = [chat(url, f"电话{PHONE}。") for _ in range(30)]
            ready = httpx.get(f"{url}/readyz")
            metrics = httpx.get(f"{url}/metrics").text
        finally:
            process.kill()
        said = process.stderr.read() if process.stderr else ""
    served = [one for one in answers if one.status_code == 200]
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    noted = [one for one in lines if one.get("decision") == "masked"]

    assert 0 < len(noted) < 30
    assert ready.status_code == 503
    assert "audit" in ready.text
    assert PHONE not in path.read_text() + said
    assert verify(files_of(path), head=read_head(tmp_path / "audit.jsonl.head")).ok
    if mode == "refuse":
        assert len(served) == len(noted) == len(wild.seen), "what is not noted must not leave"
        assert {one.json()["error"]["code"] for one in answers if one.status_code != 200} == {"audit_down"}
    else:
        assert len(served) == 30
        lost = re.search(r"^masking_audit_lost_total ([\d.]+)", metrics, re.MULTILINE)
        assert lost
        assert float(lost[1]) >= 30 - len(noted)
        assert "audit lines lost" in said


# Others


def test_no_client_gets_anothers_value_however_it_asks(
    wild: Wild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANN", "key-of-ann-0001")
    monkeypatch.setenv("EVE", "key-of-eve-0001")
    monkeypatch.setenv("MASKING_VAULT_KEYS", new_key())
    clients = [{"name": name, "keys": [{"env": name.upper()}]} for name in ("ann", "eve")]
    vault = {"address": f"sqlite:{tmp_path}/vault.db"}
    with serving(**configured(wild.port, clients=clients, vault=vault)) as server:
        ann = {"authorization": "Bearer key-of-ann-0001"}
        eve = {"authorization": "Bearer key-of-eve-0001"}
        assert text_of(chat(server.url, f"电话{PHONE}。", x_masking_session="talk", **ann).text) == f"电话{PHONE}。"
        tries = [
            MASKED,
            "<phone_number_1>",
            "＜PHONE_NUMBER_1＞",
            "\\<PHONE\\_NUMBER\\_1\\>",
            "PHONE_NUMBER_1",
            "%3CPHONE_NUMBER_1%3E",
        ]
        for text in tries:
            for session in ("talk", "ann/talk", "../ann/talk", "UserInfo/header:talk", "talk\0", ""):
                heads = {"x_masking_session": session} if session and "\0" not in session else {}
                answer = chat(server.url, text, **heads, **eve)
                assert answer.status_code == 200
                assert PHONE not in answer.text
        for key in ("x", "key-of-ann-0002", "key-of-ann-000"):
            answer = chat(server.url, MASKED, x_masking_session="talk", authorization=f"Bearer {key}")
            assert answer.status_code == 401
        both = httpx.post(
            f"{server.url}/v1/chat/completions", json={"model": "m", "messages": []},
            headers={**eve, "x-api-key": "key-of-ann-0001"},
        )  # fmt: skip
        assert both.status_code == 401
        mine = chat(server.url, f"再说{PHONE}。", x_masking_session="talk", **ann)
        assert said_in(wild.seen[-1]) == f"再说{MASKED}。"
        assert text_of(mine.text) == f"再说{PHONE}。"
