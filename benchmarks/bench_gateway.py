"""What the gateway costs beside a bare asyncio proxy that only passes bytes on, in the same run; and whether 1,000
streams at once all come through.

    python benchmarks/bench_gateway.py               both tables, in about two minutes
    python benchmarks/bench_gateway.py --soak 60     1,000 streams for a minute, nothing else
    python benchmarks/bench_gateway.py --json        one JSON object

Upstream, proxy and gateway are processes of their own, on loopback; the client is this one. CPU is the proxy's own, by
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
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as started:
        try:
            assert started.stdout
            line = started.stdout.readline()
            if not line:
                raise SystemExit(f"{role} did not start")
            until = time.monotonic() + 30
            while not listens(int(line)):
                if time.monotonic() > until:
                    raise SystemExit(f"{role} does not listen")
                time.sleep(0.05)
            yield started.pid, int(line)
        finally:
            started.kill()


def listens(port: int) -> bool:
    import socket

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
        sent = SENT.search(rest)
        assert sent, bytes(rest[:100])
        late.extend((after - int(at)) / 1e9 for at, after in zip(sent[1].split(), came, strict=False))
        return end

    ends = await asyncio.gather(*(one(number) for number in range(streams)))
    assert set(ends) == {""}, ends
    return ((cpu(pid) if pid else 0.0) - before) / (streams * events), late


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


async def compare(upstream: int, raw: tuple[int, int], gateway: tuple[int, int], rounds: int) -> dict[str, Any]:
    """Interleaved rounds; medians."""
    got: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        got.setdefault(name, []).append(value)

    for pid, port in (raw, gateway):
        await burst(port, pid, 1, 2_000)  # warm
    for _ in range(rounds):
        for name, (pid, port) in (("raw", raw), ("gateway", gateway)):
            note(f"burst 1 {name}", await burst(port, pid, 1, 20_000))
            note(f"burst 8 {name}", await burst(port, pid, 8, 4_000))
        for name, (pid, port) in (("none", (0, upstream)), ("raw", raw), ("gateway", gateway)):
            used, late = await paced(port, pid, 50, 150, 20)
            note(f"paced {name}", used)
            note(f"p50 50 {name}", statistics.median(late))
            note(f"p99 50 {name}", quantile(late, 0.99))
            used, late = await paced(port, pid, 1, 150, 10)
            note(f"p50 1 {name}", statistics.median(late))
            note(f"p99 1 {name}", quantile(late, 0.99))
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
        print(f"{'CPU per event':34}{'raw':>12}{'gateway':>12}{'ratio':>8}")
        for name, what in (
            ("burst 1", "burst, 1 stream"),
            ("burst 8", "burst, 8 streams"),
            ("paced", "50 streams, 50 events/s each"),
        ):
            raw, ours = compared[f"{name} raw"], compared[f"{name} gateway"]
            print(f"{what:34}{raw * 1e6:9.1f} µs{ours * 1e6:9.1f} µs{ours / raw:8.2f}")
        print(f"\n{'added to an event':34}{'raw':>12}{'gateway':>12}{'nothing between':>18}")
        for name, what in (
            ("p50 1", "p50, 1 stream"),
            ("p99 1", "p99, 1 stream"),
            ("p50 50", "p50, 50 streams"),
            ("p99 50", "p99, 50 streams"),
        ):
            none = compared[f"{name} none"]
            raw, ours = compared[f"{name} raw"] - none, compared[f"{name} gateway"] - none
            print(f"{what:34}{raw * 1e3:9.2f} ms{ours * 1e3:9.2f} ms{none * 1e3:15.2f} ms")
    if soaked:
        print()
        for name, value in soaked.items():
            print(f"{name:34}{value if not isinstance(value, float) else f'{value:.2f}'}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--streams", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=15.0, help="how long the soak takes when all is run")
    parser.add_argument("--soak", type=float, metavar="SECONDS", help="the soak alone")
    parser.add_argument(
        "--every", type=float, default=500.0, help="milliseconds between two events of a stream of the soak"
    )
    parser.add_argument("--no-soak", action="store_true")
    parser.add_argument("--names", choices=["on", "off"], default="off", help="with the models that find names")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--role", choices=["upstream", "raw", "gateway"], help=argparse.SUPPRESS)
    parser.add_argument("--upstream", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.role == "gateway":
        run_gateway(given.upstream, given.names)
        return
    uvloop.install()
    if given.role:
        asyncio.run(listen(UpstreamProtocol if given.role == "upstream" else lambda: Pipe(upstream=given.upstream)))
        return
    result: dict[str, Any] = {"python": platform.python_version(), "machine": platform.machine()}
    with process("upstream") as (_, upstream):
        to = ("--upstream", str(upstream))
        with process("raw", *to) as raw, process("gateway", *to, "--names", given.names) as gateway:
            if given.soak is None:
                result["compared"] = asyncio.run(compare(upstream, raw, gateway, given.rounds))
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
