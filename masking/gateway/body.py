"""The body of an upstream's reply, handed over where it arrives.

aiohttp connects, sends and reads the head; what follows goes through its parser, its reader's buffer and a future that
wakes a task, which for streams of small events costs more than reading the events. So a chunked body, as every stream
of events has it, is read here instead: httptools in the connection's own callback, and then whoever takes it. Anything
else (a length, an encoding, no chunks) stays with aiohttp, and so does the connection when the body has ended.

    session = aiohttp.ClientSession(response_class=Response)
    response = await session.request(...)
    while piece := await response.pieces.read(take):
        ...                     # what `take` did not take
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Protocol

import aiohttp
import httptools

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection

__all__ = ["Pieces", "Response", "Take"]

Take = Callable[[bytes], float]
"""Takes a piece at once and says when that was, by the monotonic clock; 0.0 where it cannot be taken now."""

_ENOUGH = 64 * 1024  # bytes that wait for who reads before the connection is read no further


class Pieces(Protocol):
    """The body of one reply; `since` is when somebody began to wait for more, by the monotonic clock, else
    infinite."""

    since: float

    async def read(self, take: Take | None = None) -> bytes:
        """The next piece that `take` does not take; b"" at the end. Raises aiohttp.ClientError and OSError for a body
        that ends before its end, and what `take` raises."""


class Response(aiohttp.ClientResponse):
    """A response of aiohttp's whose body may be read in the connection's own callback."""

    _chunked: _Chunked | None = None

    @property
    def pieces(self) -> Pieces:
        """The body; for one reader."""
        return self._chunked or _Buffered(self.content)

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        handler, transport = connection.protocol, connection.transport
        if handler is None or transport is None:  # lost already, which aiohttp tells of
            return await super().start(connection)
        head = _Head(handler, transport)
        try:
            await super().start(connection)
        except BaseException:
            head.leave()
            raise
        is_over = self.content.is_eof() or self.content.exception() is not None or transport.is_closing()
        is_chunked = self.headers.get("Transfer-Encoding", "").strip().lower() == "chunked"
        is_plain = self.headers.get("Content-Encoding", "identity").strip().lower() == "identity"
        if is_chunked and is_plain and not is_over:
            self._chunked = _Chunked(handler, transport, self)
            self._chunked.data_received(head.seen())
        else:
            head.leave()
        return self


class _Buffered:
    """A body as aiohttp reads it."""

    def __init__(self, content: aiohttp.StreamReader) -> None:
        self._content = content
        self.since = math.inf

    async def read(self, take: Take | None = None) -> bytes:
        del take
        self.since = monotonic()
        piece = await self._content.readany()
        self.since = math.inf
        return piece


class _Follower(asyncio.Protocol):
    """Stands before aiohttp's protocol on its connection, which still gets to know what becomes of that."""

    __slots__ = ("handler", "transport")

    def __init__(self, handler: ResponseHandler, transport: asyncio.Transport) -> None:
        self.handler = handler
        self.transport = transport
        transport.set_protocol(self)

    def leave(self) -> None:
        """Hand the connection back."""
        if self.transport.get_protocol() is self:
            self.transport.set_protocol(self.handler)

    def connection_lost(self, exc: Exception | None) -> None:
        self.handler.connection_lost(exc)

    def eof_received(self) -> None:
        self.handler.eof_received()

    def pause_writing(self) -> None:
        self.handler.pause_writing()

    def resume_writing(self) -> None:
        self.handler.resume_writing()


class _Head(_Follower):
    """Reads along until aiohttp has the head: it keeps to itself where in the body its parser stands."""

    __slots__ = ("_seen",)

    def __init__(self, handler: ResponseHandler, transport: asyncio.Transport) -> None:
        self._seen: list[bytes] = []
        super().__init__(handler, transport)

    def data_received(self, data: bytes) -> None:
        self._seen.append(data)
        self.handler.data_received(data)

    def seen(self) -> bytes:
        """All that came so far."""
        return b"".join(self._seen)


class _Chunked(_Follower):
    """A chunked body."""

    __slots__ = (
        "_error", "_is_more", "_is_over", "_is_paused", "_last", "_loop", "_parser", "_parts", "_response", "_size",
        "_take", "_waiter", "_waiting", "on_body", "since",
    )  # fmt: skip

    def __init__(self, handler: ResponseHandler, transport: asyncio.Transport, response: Response) -> None:
        self._response = response
        self._loop = asyncio.get_running_loop()
        self._take: Take | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._waiting: list[bytes] = []
        self._size = 0
        self._error: Exception | None = None
        self._is_over = self._is_more = self._is_paused = False
        self.since = math.inf
        self._parts: list[bytes] = []
        self._last = 0
        self.on_body = self._parts.append
        self._parser = httptools.HttpResponseParser(self)
        super().__init__(handler, transport)
        transport.resume_reading()  # aiohttp may have had enough of it

    # What the parser finds

    def on_message_begin(self) -> None:
        self._is_more = self._is_over

    def on_message_complete(self) -> None:
        if not self._is_over and self._parser.get_status_code() >= 200:  # RFC 9110 §15.2: others come before
            self._is_over = True
            self._last = len(self._parts)

    # What the connection says

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._is_more = True
            if not self._is_over:
                self._error = aiohttp.ClientPayloadError("no chunk of HTTP")
        parts = self._parts
        if self._is_over:
            del parts[self._last :]  # of an answer that nobody asked for
        if parts:
            piece = parts[0] if len(parts) == 1 else b"".join(parts)
            parts.clear()
            take = self._take
            try:
                if take is not None and (taken := take(piece)):
                    self.since = taken
                else:
                    self._keep(piece)
            except Exception as error:  # noqa: BLE001 - told to who reads
                self._error = error
        if self._is_over or self._error is not None:
            self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if not self._is_over and self._error is None:
            self._error = aiohttp.ClientPayloadError("ended before its end")
        self._wake()

    def _keep(self, piece: bytes) -> None:
        """Nobody waits for this one, or who does cannot take it now."""
        self._waiting.append(piece)
        self._size += len(piece)
        if self._size > _ENOUGH and not self._is_paused:
            self._is_paused = True
            self.transport.pause_reading()
        self._wake()

    def _end(self) -> None:
        """The connection is free for the next request, or is of no use any more."""
        if self._is_over and not self._is_more and self._error is None:
            self._resume()
            self.leave()
            self._response.content.feed_eof()  # aiohttp's own parser saw no end
        else:
            self._response.close()
        self._wake()

    def _resume(self) -> None:
        if self._is_paused and not self.transport.is_closing():
            self._is_paused = False
            self.transport.resume_reading()

    def _wake(self) -> None:
        self._take, self.since = None, math.inf
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # Who reads

    async def read(self, take: Take | None = None) -> bytes:
        if not (self._waiting or self._is_over or self._error is not None):
            self._take, self.since = take, monotonic()
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._take, self._waiter, self.since = None, None, math.inf
        if self._waiting:
            piece = b"".join(self._waiting)
            self._waiting.clear()
            self._size = 0
            self._resume()
            return piece
        if self._error is not None:
            raise self._error
        return b""
