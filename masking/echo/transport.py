"""The stand-in behind httpx."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from inspect import isawaitable
from typing import Any

import httpx

from masking.echo.model import Manner
from masking.echo.routes import reply
from masking.echo.wire import Reply

__all__ = ["EchoTransport"]


class EchoTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """The model behind httpx, sync and async; `requests` keeps the body of every request it was sent, in order, and
    `targets` its path with the query. `manner` tells it to misbehave; a connection that breaks is httpx.ReadError."""

    def __init__(self, manner: Manner | None = None, *, stall: Callable[[], Any] | None = None) -> None:
        """`stall` is called, and awaited if it can be, where `manner` says that the model falls silent."""
        self._manner = manner or Manner()
        self._stall = stall
        self.requests: list[bytes] = []
        self.targets: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._respond(request, request.read())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self._respond(request, await request.aread())

    def _respond(self, request: httpx.Request, body: bytes) -> httpx.Response:
        target = request.url.raw_path.decode("ascii")
        self.requests.append(body)
        self.targets.append(target)
        made = reply(request.method, target, dict(request.headers.items()), body, self._manner)
        return httpx.Response(
            made.status,
            headers={"content-type": made.content_type},
            stream=_Chunks(made, self._manner.stalls_after, self._stall),
        )


class _Chunks(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __init__(self, reply: Reply, stalls_after: int = 0, stall: Callable[[], Any] | None = None) -> None:
        self._reply = reply
        self._stalls_after = stalls_after
        self._stall = stall

    def _breaks(self) -> None:
        if self._reply.breaks:
            raise httpx.ReadError("the stand-in was told to break off")

    def _stalls(self, number: int) -> bool:
        return self._stall is not None and self._stalls_after > 0 and number == self._stalls_after

    def __iter__(self) -> Iterator[bytes]:
        for number, chunk in enumerate(self._reply.chunks):
            if self._stall is not None and self._stalls(number):
                self._stall()
            yield chunk
        self._breaks()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for number, chunk in enumerate(self._reply.chunks):
            if self._stall is not None and self._stalls(number):
                silence = self._stall()
                if isawaitable(silence):
                    await silence
            yield chunk
        self._breaks()
