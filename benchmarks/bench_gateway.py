"""What the gateway costs beside two floors and a peer, in the same run; and whether 1,000 streams at once all come through.

    python benchmarks/bench_gateway.py                    both tables, in about two minutes
    python benchmarks/bench_gateway.py --soak 60          1,000 streams for a minute, nothing else
    python benchmarks/bench_gateway.py --litellm PYTHON   with LiteLLM's proxy, which that interpreter has
    python benchmarks/bench_gateway.py --json             one JSON object

The floors: `raw`, a pair of asyncio protocols that pass bytes on and read none of them; `http`, uvicorn and aiohttp on
uvloop, the server and the client that the gateway is made of, passing on what they read. What `gateway` costs more than
`http` is the gateway's own: finding the session, reading events, restoring.

Upstream, proxies and gateway are processes of their own, on loopback; the client is this one. CPU is the proxy's own, by
/proc (Linux), of all its threads. Latency is from the upstream's write to the client's read, by one clock; what is
added is the difference to no proxy at all. Ratios hold from machine to machine, microseconds do not.

In the soak every stream has a value of its own: the upstream checks that it never arrives, the client that its own
comes back and no other, and that every event comes once and in order.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast

import httptools
import uvloop

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

WORDS = [
    "the",
    "answer",
    "is",
    "plain",
    "text",
    "of",
    "ordinary",
    "words",
    "and",
    "so",
    "on",
    "until",
    "it",
    "ends",
    "with",
    "a",
    "full",
    "stop",
    "here",
]
VALUE = re.compile(rb"1[3-9]\d{9}")
SENT = re.compile(rb": sent at ([\d ]+)\n")
PLACEHOLDER = re.compile(rb"<PHONE_NUMBER_1>")


def chunk(text: str, finish: str = "null") -> bytes:
    """One event of OpenAI's chat API."""
    delta = json.dumps({"content": text}) if text else "{}"
    return (
        f'{{"id":"chatcmpl-0001","object":"chat.completion.chunk","created":1700000000,"model":"bench-1",'
        f'"choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}}}]}}'
    ).encode()


# The upstream: what the request asks for, in headers of its own


class UpstreamProtocol(asyncio.Protocol):
    """Answers with events, `x-events` of them, one every `x-every` milliseconds (0: as fast as they are read)."""

    leaked = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.parser = httptools.HttpRequestParser(self)
        self.headers: dict[bytes, bytes] = {}
        self.body = b""
        self.can = asyncio.Event()
        self.can.set()
        self.task: asyncio.Task[None] | None = None

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_begin(self) -> None:
        self.headers, self.body = {}, b""

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.lower()] = value

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        UpstreamProtocol.leaked += len(VALUE.findall(self.body))
        self.task = asyncio.ensure_future(self.answer(self.headers, self.body))

    def pause_writing(self) -> None:
        self.can.clear()

    def resume_writing(self) -> None:
        self.can.set()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.task is not None:
            self.task.cancel()
        self.can.set()

    def event(self, data: bytes) -> bytes:
        data = b"data: " + data + b"\n\n"
        return b"%x\r\n%s\r\n" % (len(data), data)

    async def answer(self, headers: dict[bytes, bytes], body: bytes) -> None:
        if body == b"leaked?":
            text = str(UpstreamProtocol.leaked).encode()
            self.transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(text), text))
            return
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        self.transport.write(head)
        asked = json.loads(body)
        count, every = asked["max_tokens"], asked["seed"] / 1000
        marked = asked.get("user", "")
        placeholder = PLACEHOLDER.search(body)
        said = placeholder[0].decode() if placeholder else "none"
        clock = time.monotonic_ns
        times: list[str] = []
        if not every:
            events = [self.event(chunk(WORDS[n % len(WORDS)] + " ")) for n in range(len(WORDS) * 4)]
            for start in range(0, count, 64):
                await self.can.wait()
                for n in range(start, min(start + 64, count)):
                    self.transport.write(events[n % len(events)])
                await asyncio.sleep(0)
        else:
            begun = time.monotonic()
            for n in range(count):
                text = f"{WORDS[n % len(WORDS)]} "
                if marked:  # every fourth event quotes the value, cut in two
                    half = len(said) // 2
                    text = {1: f" {said[:half]}", 2: f"{said[half:]} "}.get(n % 4, f" {marked}.{n}")
                times.append(str(clock()))
                self.transport.write(self.event(chunk(text)))
                pause = begun + (n + 1) * every - time.monotonic()
                await asyncio.sleep(max(0.0, pause))
        said = b": sent at " + " ".join(times).encode() + b"\n\n"  # a comment: it passes whoever stands between
        self.transport.write(self.event(chunk("", '"stop"')) + b"%x\r\n%s\r\n" % (len(said), said))
        self.transport.write(self.event(b"[DONE]") + b"0\r\n\r\n")


# The floor: bytes in, bytes out


class Pipe(asyncio.Protocol):
    """Passes on what it reads."""

    def __init__(self, other: asyncio.Transport | None = None, upstream: int = 0) -> None:
        self.other = other
        self.upstream = upstream
        self.waiting: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        if self.other is None:
            self.connecting = asyncio.ensure_future(self.connect())

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(lambda: Pipe(self.transport), "127.0.0.1", self.upstream)
        self.other = transport
        for data in self.waiting:
            transport.write(data)
        self.waiting.clear()

    def data_received(self, data: bytes) -> None:
        if self.other is None:
            self.waiting.append(data)
        else:
            self.other.write(data)

    def pause_writing(self) -> None:
        if self.other is not None:
            self.other.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None:
            self.other.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other is not None:
            self.other.close()


async def listen(make: Callable[[], asyncio.Protocol]) -> None:
    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def run_http(upstream: int) -> None:
    """The gateway's own server and client, with nothing between them."""
    import aiohttp
    import uvicorn

    session: aiohttp.ClientSession | None = None
    url = f"http://127.0.0.1:{upstream}"

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal session
        if scope["type"] != "http":
            return
        session = session or aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        async with session.post(url + scope["path"], data=body, timeout=aiohttp.ClientTimeout(total=None)) as reply:
            kind = reply.headers["content-type"].encode()
            await send({"type": "http.response.start", "status": reply.status, "headers": [(b"content-type", kind)]})
            async for part in reply.content.iter_any():
                await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        print(bound.getsockname()[1], flush=True)
        config = uvicorn.Config(app, lifespan="off", log_level="warning", access_log=False, http="httptools")
        asyncio.run(uvicorn.Server(config).serve(sockets=[bound]))


@contextmanager
def litellm(python: str, upstream: int) -> Iterator[tuple[int, int]]:
    """LiteLLM's proxy in an interpreter that has it, with the same upstream: its process and port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    to = {"model": "openai/bench-1", "api_base": f"http://127.0.0.1:{upstream}/v1", "api_key": "none"}
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        config.write_text(json.dumps({"model_list": [{"model_name": "bench-1", "litellm_params": to}]}))
        command = [python, "-c", "from litellm import run_server; run_server()", "--config", str(config)]
        command += ["--host", "127.0.0.1", "--port", str(port), "--telemetry", "False"]
        quiet = {
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # it would ask the network for prices
            "LITELLM_LOG": "ERROR",
            "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",  # on loopback, with nothing behind it
        }
        log = Path(folder) / "log"
        with log.open("wb") as out, started(command, stdout=out, stderr=out, env={**os.environ, **quiet}) as process:
            wait(port, process, 180, log)
            yield process.pid, port


def run_gateway(upstream: int, names: str) -> None:
    """The gateway as it ships, with an OpenAI-compatible upstream."""
    from masking.gateway import Server, Settings

    settings = Settings.model_validate(
        {
            "listen": {"port": 0},
            "names": names,
            "upstreams": {"bench": {"api": "openai", "url": f"http://127.0.0.1:{upstream}/v1"}},
            "routes": {"openai": {"upstream": "bench"}},
        }
    )
    server = Server(settings)
    print(server.port, flush=True)
    server.run()


@contextmanager
def process(role: str, *arguments: str) -> Iterator[tuple[int, int]]:
    """A server of this file in a process of its own: its id and port."""
    command = [sys.executable, __file__, "--role", role, *arguments]
    with started(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        line = process.stdout.readline()
        if not line:
            raise SystemExit(f"{role} did not start")
        wait(int(line), process, 30)
        yield process.pid, int(line)


@contextmanager
def started(command: list[str], **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """A process until the block ends."""
    with subprocess.Popen(command, **options) as process:
        try:
            yield process
        finally:
            process.kill()


def wait(port: int, process: subprocess.Popen[Any], seconds: float, log: Path | None = None) -> None:
    until = time.monotonic() + seconds
    while not listens(port):
        if time.monotonic() > until or process.poll() is not None:
            raise SystemExit(f"nobody listens: {process.args}\n{log.read_text()[-2000:] if log else ''}")
        time.sleep(0.05)


def listens(port: int) -> bool:
    with socket.socket() as one:
        one.settimeout(1)
        return one.connect_ex(("127.0.0.1", port)) == 0


def cpu(pid: int) -> float:
    """Seconds that a process has run, all of its threads."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def memory(pid: int) -> int:
    """Bytes in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# The client


class Client(asyncio.Protocol):
    """Sends one request, reads one stream."""

    def __init__(self, body: bytes, see: Callable[[bytes], None]) -> None:
        self.body = body
        self.see = see
        self.done: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        transport.write(f"{head}content-length: {len(self.body)}\r\n\r\n".encode() + self.body)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        self.see(data)

    def on_message_complete(self) -> None:
        status = self.parser.get_status_code()
        self.finish("" if status == 200 else f"status {status}")

    def connection_lost(self, exc: Exception | None) -> None:
        self.finish("cut")

    def finish(self, how: str) -> None:
        if not self.done.done():
            self.done.set_result(how)
            self.transport.close()


def request(events: int, every: float, text: str = "hello", mark: str = "") -> bytes:
    doc: dict[str, Any] = {
        "model": "bench-1", "stream": True, "max_tokens": events, "seed": every,
        "messages": [{"role": "user", "content": text}],
    }  # fmt: skip
    if mark:
        doc["user"] = mark
    return json.dumps(doc).encode()


async def stream(port: int, body: bytes, see: Callable[[bytes], None]) -> str:
    _, client = await asyncio.get_running_loop().create_connection(lambda: Client(body, see), "127.0.0.1", port)
    return await client.done


async def burst(port: int, pid: int, streams: int, events: int) -> float:
    """CPU seconds of the proxy per event."""
    seen = 0

    def see(data: bytes) -> None:
        nonlocal seen
        seen += data.count(b'"created"')

    before = cpu(pid)
    ends = await asyncio.gather(*(stream(port, request(events, 0), see) for _ in range(streams)))
    assert set(ends) == {""}, ends
    assert seen >= streams * events * 0.99, (seen, streams * events)
    return (cpu(pid) - before) / (streams * events)


async def paced(port: int, pid: int, streams: int, events: int, every: float) -> tuple[float, list[float]]:
    """CPU seconds of the proxy per event, and each event's seconds from the upstream's write to our read."""
    late: list[float] = []
    clock = time.monotonic_ns
    before = cpu(pid) if pid else 0.0

    async def one(number: int) -> str:
        came: list[int] = []
        rest = bytearray()

        def see(data: bytes) -> None:
            came.extend([clock()] * data.count(b'"created"'))
            if b": sent at" in data or rest:
                rest.extend(data)

        await asyncio.sleep(every / 1000 * number / streams)
        end = await stream(port, request(events, every), see)
        assert len(came) >= events * 0.99, (len(came), events)
        sent = SENT.search(rest)  # LiteLLM writes events anew, without comments
        if sent:
            late.extend((after - int(at)) / 1e9 for at, after in zip(sent[1].split(), came, strict=False))
        return end

    ends = await asyncio.gather(*(one(number) for number in range(streams)))
    assert set(ends) == {""}, ends
    return ((cpu(pid) if pid else 0.0) - before) / (streams * events), late


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


async def compare(upstream: int, proxies: dict[str, tuple[int, int]], rounds: int, count: int) -> dict[str, Any]:
    """Interleaved rounds; medians. `count` events in each paced stream."""
    got: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        got.setdefault(name, []).append(value)

    for pid, port in proxies.values():
        await burst(port, pid, 1, 500)  # warm
    for _ in range(rounds):
        for name, (pid, port) in proxies.items():
            events = 1_000 if name == "litellm" else 20_000
            note(f"burst 1 {name}", await burst(port, pid, 1, events))
            note(f"burst 8 {name}", await burst(port, pid, 8, events // 5))
        for name, (pid, port) in {"none": (0, upstream), **proxies}.items():
            slow = 10 if name == "litellm" else 1  # as many events: it would fall behind
            used, late = await paced(port, pid, 50, count // slow, 20 * slow)
            note(f"paced {name}", used)
            latencies = [(50, late)]
            if name != "litellm":
                latencies.append((1, (await paced(port, pid, 1, 150, 10))[1]))
            for streams, late in latencies:
                if late:
                    note(f"p50 {streams} {name}", statistics.median(late))
                    note(f"p99 {streams} {name}", quantile(late, 0.99))
    return {name: statistics.median(values) for name, values in got.items()}


class Marked:
    """One stream of the soak, and what is wrong with it."""

    def __init__(self, number: int) -> None:
        self.value = f"13{number:09}"
        self.mark = f"stream-{number:05}x"
        self.data = bytearray()
        self.foreign = 0

    def see(self, data: bytes) -> None:
        self.data += data

    def wrong(self, end: str, events: int) -> str:
        if end:
            return end
        parts = [part for part in bytes(self.data).split(b"\n\n") if part]
        texts = [
            choice["delta"].get("content", "")
            for part in parts
            if part.startswith(b"data: {")
            for choice in json.loads(part[6:])["choices"]
        ]
        self.foreign = sum(one != self.value.encode() for one in VALUE.findall("".join(texts).encode()))
        last = parts[-1] if parts else b""
        if last != b"data: [DONE]":
            return "no end"
        wanted = "".join({1: f" {self.value}", 2: " "}.get(n % 4, f" {self.mark}.{n}") for n in range(events))
        if len(texts) != events + 1:
            return f"{len(texts) - 1} events of {events}"
        return "" if "".join(texts) == wanted else "another text"


async def soak(gateway: tuple[int, int], upstream: int, streams: int, seconds: float, every: float) -> dict[str, Any]:
    """Many streams at once, for that long; each is checked as a whole."""
    pid, port = gateway
    events = max(4, int(seconds * 1000 / every) // 4 * 4)
    marked = [Marked(number) for number in range(streams)]
    before = memory(pid)
    used = cpu(pid)
    begun = time.monotonic()

    async def one(this: Marked, delay: float) -> str:
        await asyncio.sleep(delay)
        return await stream(port, request(events, every, f"我的电话是{this.value}。", this.mark), this.see)

    tasks = [asyncio.ensure_future(one(this, every / 1000 * n / streams)) for n, this in enumerate(marked)]
    await asyncio.sleep(seconds * 0.8)
    full = memory(pid)
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    took = time.monotonic() - begun
    used = cpu(pid) - used
    wrong: dict[str, int] = {}
    for this, end in zip(marked, ends, strict=True):
        fault = this.wrong(end if isinstance(end, str) else type(end).__name__, events)
        if fault:
            wrong[fault] = wrong.get(fault, 0) + 1
    foreign = sum(this.foreign for this in marked)
    leaked = bytearray()
    await stream(upstream, b"leaked?", leaked.extend)
    return {
        "streams": streams, "seconds": took, "events": streams * events, "wrong": wrong, "foreign values": foreign,
        "values that reached the upstream": int(leaked), "cpu share": used / took, "kB per stream": (full - before) / streams / 1000,
    }  # fmt: skip


def show(result: dict[str, Any]) -> None:
    compared, soaked = result.get("compared"), result.get("soak")
    if compared:
        names = [name for name in ("raw", "http", "gateway", "litellm") if f"paced {name}" in compared]
        print(f"{'CPU per event':34}" + "".join(f"{name:>12}" for name in names) + f"{'to raw':>9}{'to http':>9}")
        for name, what in (
            ("burst 1", "burst, 1 stream"),
            ("burst 8", "burst, 8 streams"),
            ("paced", "50 streams, 50 events/s each"),
        ):
            values = [compared[f"{name} {one}"] for one in names]
            ours = compared[f"{name} gateway"]
            ratios = (ours / compared[f"{name} raw"], ours / compared[f"{name} http"])
            print(
                f"{what:34}" + "".join(f"{one * 1e6:9.1f} µs" for one in values) + "".join(f"{r:9.2f}" for r in ratios)
            )
        if "litellm" in names:
            print("LiteLLM is paced at 5 events/s for each stream.")
        names = ["raw", "http", "gateway"]
        head = "".join(f"{name:>12}" for name in names)
        print(f"\n{'added to an event':34}{head}{'nothing between':>18}")
        for name, what in (
            ("p50 1", "p50, 1 stream"),
            ("p99 1", "p99, 1 stream"),
            ("p50 50", "p50, 50 streams"),
            ("p99 50", "p99, 50 streams"),
        ):
            none = compared[f"{name} none"]
            row = "".join(f"{(compared[f'{name} {one}'] - none) * 1e3:9.2f} ms" for one in names)
            print(f"{what:34}{row}{none * 1e3:15.2f} ms")
    if soaked:
        print()
        for name, value in soaked.items():
            print(f"{name:34}{value if not isinstance(value, float) else f'{value:.2f}'}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--events", type=int, default=150, help="of each of the 50 paced streams")
    parser.add_argument("--streams", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=15.0, help="how long the soak takes when all is run")
    parser.add_argument("--soak", type=float, metavar="SECONDS", help="the soak alone")
    parser.add_argument(
        "--every", type=float, default=500.0, help="milliseconds between two events of a stream of the soak"
    )
    parser.add_argument("--no-soak", action="store_true")
    parser.add_argument("--names", choices=["on", "off"], default="off", help="with the models that find names")
    parser.add_argument("--litellm", metavar="PYTHON", help="an interpreter that has litellm[proxy], as a peer")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--role", choices=["upstream", "raw", "http", "gateway"], help=argparse.SUPPRESS)
    parser.add_argument("--upstream", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.role == "gateway":
        run_gateway(given.upstream, given.names)
        return
    uvloop.install()
    if given.role == "http":
        run_http(given.upstream)
        return
    if given.role:
        asyncio.run(listen(UpstreamProtocol if given.role == "upstream" else lambda: Pipe(upstream=given.upstream)))
        return
    result: dict[str, Any] = {"python": platform.python_version(), "machine": platform.machine()}
    with process("upstream") as (_, upstream):
        to = ("--upstream", str(upstream))
        with ExitStack() as stack:
            gateway = stack.enter_context(process("gateway", *to, "--names", given.names))
            if given.soak is None:
                proxies = {name: stack.enter_context(process(name, *to)) for name in ("raw", "http")}
                proxies["gateway"] = gateway
                if given.litellm:
                    proxies["litellm"] = stack.enter_context(litellm(given.litellm, upstream))
                result["compared"] = asyncio.run(compare(upstream, proxies, given.rounds, given.events))
            if not given.no_soak:
                seconds = given.soak or given.seconds
                result["soak"] = asyncio.run(soak(gateway, upstream, given.streams, seconds, given.every))
    if given.json:
        print(json.dumps(result))
    else:
        show(result)
    soaked = result.get("soak", {})
    if soaked.get("wrong") or soaked.get("foreign values") or soaked.get("values that reached the upstream"):
        sys.exit(1)


if __name__ == "__main__":
    main()
