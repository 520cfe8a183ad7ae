"""Bodies of upstreams' replies, read in the connection's own callback: whatever comes, however it is cut."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from masking.gateway.body import Response, Take

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n"
MANY = [b"data: %d " % number + b"x" * (number % 50) + b"\n\n" for number in range(40)]

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def chunked(pieces: list[bytes]) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "uvloop": uvloop.new_event_loop,
    "asyncio": asyncio.new_event_loop,
}
CHOSEN = {"loop": "uvloop"}


@pytest.fixture(scope="module", params=LOOPS, autouse=True)
def loop(request: pytest.FixtureRequest) -> None:
    """In the loop that serves, and in the one of the standard library."""
    CHOSEN["loop"] = request.param


def run(main: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=LOOPS[CHOSEN["loop"]]) as runner:
        runner.run(main)


@asynccontextmanager
async def upstream(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[str, list[int]]]:
    """A server that reads requests without bodies and answers each by `serve`; its address, and its connections."""
    connections: list[int] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        try:
            while not writer.is_closing():
                await reader.readuntil(b"\r\n\r\n")
                await serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client has enough
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}/", connections
        await asyncio.sleep(0.01)  # until the connections have told that they are closed


def writing(*parts: bytes | float) -> Serve:
    """Writes these bytes, one write after the other, and waits as many seconds as the numbers say."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader
        for part in parts:
            if isinstance(part, bytes):
                writer.write(part)
                await asyncio.sleep(0)
            else:
                await asyncio.sleep(part)

    return serve


@asynccontextmanager
async def asked(url: str, **options: Any) -> AsyncIterator[Callable[[], Awaitable[Response]]]:
    responses: list[Response] = []
    async with aiohttp.ClientSession(response_class=Response) as session:

        async def ask() -> Response:
            responses.append(cast("Response", await session.get(url, **options)))
            return responses[-1]

        yield ask
        for response in responses:
            response.close()


class Reader:
    """Takes pieces as `takes` says, in turns, and keeps all that came."""

    def __init__(self, takes: list[bool]) -> None:
        self.takes = takes
        self.count = self.taken = 0
        self.said = bytearray()

    def take(self, piece: bytes) -> float:
        self.count += 1
        if not self.takes[self.count % len(self.takes)]:
            return 0.0
        self.taken += 1
        self.said += piece
        return time.monotonic()

    async def read(self, response: Response, take: Take | None = None) -> bytes:
        pieces = response.pieces
        while piece := await pieces.read(take or self.take):
            self.said += piece
        return bytes(self.said)


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context and a client's, of a certificate made for this test."""
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "upstream")]),
    )
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder: Path = tmp_path_factory.mktemp("tls")
    certificate, secret = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate, secret)
    return server, ssl.create_default_context(cafile=str(certificate))


def parted(data: bytes, sizes: list[int]) -> list[bytes]:
    edges = [0, *(end for end in accumulate(sizes * (len(data) // sum(sizes) + 1)) if end < len(data)), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@given(
    pieces=st.lists(st.binary(min_size=1, max_size=40), max_size=12),
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=4),
    takes=st.lists(st.booleans(), min_size=1, max_size=4),
    early=st.booleans(),
)
def test_a_body_is_the_same_however_it_is_cut_and_taken(
    pieces: list[bytes], sizes: list[int], takes: list[bool], early: bool
) -> None:
    hint = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" if early else b""
    parts = parted(hint + HEAD + b"\r\n" + chunked(pieces), sizes)

    async def main() -> None:
        async with upstream(writing(*parts)) as (url, connections), asked(url) as ask:
            for _ in range(2):
                assert await Reader(takes).read(await ask()) == b"".join(pieces)
        assert len(connections) == 1, "what ended well serves the next request"

    run(main())


@pytest.mark.parametrize("size", [1, 7, 10**9], ids=["byte by byte", "sevens", "whole"])
@pytest.mark.parametrize("over", ["tcp", "tls"])
def test_a_connection_serves_one_request_after_the_other(
    size: int, over: str, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    whole = HEAD + b"\r\n" + chunked(MANY)
    document = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
    answers: Iterator[bytes] = iter([whole, document, whole, whole])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await writing(*parted(next(answers), [size]))(reader, writer)

    async def main() -> None:
        with_tls = (tls[0], {"ssl": tls[1]}) if over == "tls" else (None, {})
        async with upstream(serve, with_tls[0]) as (url, connections), asked(url, **with_tls[1]) as ask:
            for wanted in (b"".join(MANY), b"{}", b"".join(MANY), b"".join(MANY)):
                assert await Reader([True]).read(await ask()) == wanted
        assert len(connections) == 1

    run(main())


@pytest.mark.parametrize(
    "after",
    [
        pytest.param(b"more", id="garbage"),
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nstolen", id="an answer that nobody asked for"),
    ],
)
def test_a_connection_that_says_more_than_its_answer_is_closed(after: bytes) -> None:
    async def main() -> None:
        async with (
            upstream(writing(HEAD + b"\r\n", 0.02, chunked(MANY) + after)) as (url, connections),
            asked(url) as ask,
        ):
            for _ in range(2):
                assert await Reader([True]).read(await ask()) == b"".join(MANY)
        assert len(connections) == 2

    run(main())


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del reader
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def half_closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write_eof()
    await reader.read()


async def closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del reader
    writer.close()


async def garbled(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"no size\r\ndata: x\n\n\r\n")
    await reader.read()


@pytest.mark.parametrize("takes", [[True], [False], [True, False]], ids=["taken", "read", "both"])
@pytest.mark.parametrize("pause", [0.0, 0.03], ids=["at once", "later"])
@pytest.mark.parametrize(
    ("end", "rest"),
    [
        *((end, rest) for end in (reset, half_closed, closed) for rest in (b"", b"10\r\ndata: ")),
        (garbled, b""),  # within a chunk, any bytes are the rest of it
    ],
)
def test_a_body_that_ends_before_its_end_is_said_as_far_as_it_came(
    takes: list[bool], pause: float, end: Serve, rest: bytes
) -> None:
    before = chunked(MANY).removesuffix(b"0\r\n\r\n") + rest

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await writing(HEAD + b"\r\n", 0.02, before, 0.03, pause)(reader, writer)
        await end(reader, writer)

    async def main() -> None:
        reader = Reader(takes)
        async with upstream(serve) as (url, connections), asked(url) as ask:
            for _ in range(2):
                reader.said.clear()
                with pytest.raises((aiohttp.ClientError, OSError)):
                    async with asyncio.timeout(5):
                        await reader.read(await ask())
                assert bytes(reader.said) == b"".join(MANY) + rest[4:]
        assert len(connections) == 2

    run(main())


def test_a_connection_that_is_lost_with_its_head_is_no_endless_wait() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"\r\n")
        await closed(reader, writer)

    async def main() -> None:
        async with upstream(serve) as (url, _), asked(url) as ask:
            for _ in range(5):
                with pytest.raises((aiohttp.ClientError, OSError)):
                    async with asyncio.timeout(5):
                        await Reader([True]).read(await ask())

    run(main())


@pytest.mark.parametrize("over", ["tcp", "tls"])
def test_who_does_not_read_makes_the_upstream_wait(over: str, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    piece, count = b"data: " + b"x" * 16_000 + b"\n\n", 3_000  # 48 MB
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        del reader
        writer.write(HEAD + b"\r\n")
        for _ in range(count):
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
            sent += 1
        writer.write(b"0\r\n\r\n")

    async def main() -> None:
        with_tls = (tls[0], {"ssl": tls[1]}) if over == "tls" else (None, {})
        async with upstream(serve, with_tls[0]) as (url, _), asked(url, **with_tls[1]) as ask:
            response = await ask()
            first = await response.pieces.read(lambda piece: 0.0)
            await asyncio.sleep(0.5)
            held = sent
            await asyncio.sleep(0.2)
            assert sent == held
            assert held * len(piece) < 24 * 1024 * 1024, "the sockets' own buffers, and little more"
            size = len(first)
            while got := await response.pieces.read():
                size += len(got)
            assert size == len(piece) * count

    run(main())


def test_an_error_of_who_takes_reaches_who_reads() -> None:
    def take(piece: bytes) -> float:
        raise ValueError(len(piece))

    async def main() -> None:
        async with upstream(writing(HEAD + b"\r\n", 0.02, b"3\r\nabc\r\n", 5.0)) as (url, _), asked(url) as ask:
            response = await ask()
            with pytest.raises(ValueError, match="3"):
                async with asyncio.timeout(5):
                    await response.pieces.read(take)
            assert response.closed

    run(main())


def test_who_stops_waiting_is_not_handed_anything() -> None:
    async def main() -> None:
        async with upstream(writing(HEAD + b"\r\n", 0.1, chunked([b"abc"]))) as (url, _), asked(url) as ask:
            response, reader = await ask(), Reader([True])
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await reader.read(response)
            await asyncio.sleep(0.2)
            assert (reader.taken, bytes(reader.said)) == (0, b"")
            assert await response.pieces.read() == b"abc"
            assert await response.pieces.read() == b""

    run(main())


@pytest.mark.parametrize(
    ("head", "body"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n", b"data: x\n\n", id="a length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nconnection: close\r\n", b"data: x\n\n", id="until it closes"),
        pytest.param(b"HTTP/1.0 200 OK\r\n", b"data: x\n\n", id="HTTP 1.0"),
        pytest.param(
            HEAD + b"content-encoding: gzip\r\n", chunked([gzip.compress(b"data: x\n\n", mtime=0)]), id="compressed"
        ),
    ],
)
@pytest.mark.parametrize("size", [1, 10**9], ids=["byte by byte", "whole"])
def test_other_bodies_stay_with_aiohttp(head: bytes, body: bytes, size: int) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await writing(*parted(head + b"\r\n" + body, [size]))(reader, writer)
        if b"length" not in head and b"chunked" not in head:
            writer.close()

    async def main() -> None:
        async with upstream(serve) as (url, _), asked(url) as ask:
            for _ in range(2):
                reader = Reader([True])
                assert await reader.read(await ask()) == b"data: x\n\n"
                assert reader.count == 0

    run(main())


def test_a_reply_without_a_body_is_over() -> None:
    answers = iter([b"HTTP/1.1 304 Not Modified\r\ntransfer-encoding: chunked\r\n\r\n", HEAD + b"\r\n" + chunked([])])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await writing(next(answers))(reader, writer)

    async def main() -> None:
        async with upstream(serve) as (url, connections), asked(url) as ask:
            for _ in range(2):
                async with asyncio.timeout(5):
                    assert await Reader([True]).read(await ask()) == b""
        assert len(connections) == 1

    run(main())
