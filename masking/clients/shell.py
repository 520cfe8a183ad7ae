"""The thin outside of every client: sockets, time, and nothing else.

Requests go straight to an httpx transport: no redirects, no cookies, no proxies from the environment, and no log line
with the address, which for RdsAi holds the whole question.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import cache
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import anyio
import httpx

from masking.clients.answer import Answer, Event
from masking.clients.errors import TransportError
from masking.clients.exchange import Exchange
from masking.clients.options import Options
from masking.clients.sending import Retry, failed, request_of, retry_after

if TYPE_CHECKING:
    import ssl

__all__ = ["AsyncClient", "AsyncEvents", "Client", "Events"]


class Events:
    """The events of a stream; use it as a context manager, or run it to its end.

    Nothing is sent before the first event is asked for.
    """

    def __init__(self, run: Iterator[Event], exchange: Exchange, ended: Callable[[Answer], None] | None = None) -> None:
        self._run = run
        self._exchange = exchange
        self._ended = ended

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        try:
            return next(self._run)
        except StopIteration:
            if self._ended is not None and self._exchange.done:
                ended, self._ended = self._ended, None
                ended(self._exchange.answer())
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def text(self) -> Iterator[str]:
        """The new text of the first choice, piece by piece; empty ones are left out."""
        for event in self:
            if event.text:
                yield event.text

    def answer(self) -> Answer:
        """The whole answer, once the rest has been read."""
        for _ in self:
            pass
        return self._exchange.answer()

    def close(self) -> None:
        """Leave early; the connection is given up."""
        getattr(self._run, "close", _nothing)()
        self._exchange.close()


class AsyncEvents:
    """As Events, asynchronous."""

    def __init__(
        self, run: AsyncIterator[Event], exchange: Exchange, ended: Callable[[Answer], None] | None = None
    ) -> None:
        self._run = run
        self._exchange = exchange
        self._ended = ended

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        try:
            return await anext(self._run)
        except StopAsyncIteration:
            if self._ended is not None and self._exchange.done:
                ended, self._ended = self._ended, None
                ended(self._exchange.answer())
            raise

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.aclose()

    async def text(self) -> AsyncIterator[str]:
        """The new text of the first choice, piece by piece; empty ones are left out."""
        async for event in self:
            if event.text:
                yield event.text

    async def answer(self) -> Answer:
        """The whole answer, once the rest has been read."""
        async for _ in self:
            pass
        return self._exchange.answer()

    async def aclose(self) -> None:
        """Leave early; the connection is given up."""
        close: Any = getattr(self._run, "aclose", None)
        if close is not None:
            await close()
        self._exchange.close()


class Client(Options):
    """A client that blocks."""

    def __init__(self, auth: httpx.Auth, *, transport: httpx.BaseTransport | None = None, **options: Any) -> None:
        super().__init__(auth, **options)
        self._transport = transport if transport is not None else httpx.HTTPTransport(verify=_certificates())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._is_closed = True
        self._transport.close()

    def _ask(self, exchange: Exchange) -> Answer:
        return Events(self._run(exchange), exchange).answer()

    def _stream(self, exchange: Exchange, ended: Callable[[Answer], None] | None = None) -> Events:
        return Events(self._run(exchange), exchange, ended)

    def _run(self, exchange: Exchange) -> Iterator[Event]:
        try:
            response = self._send(exchange)
            try:
                yield from _read(response, exchange)
            finally:
                response.close()
        finally:
            exchange.close()

    def _send(self, exchange: Exchange) -> httpx.Response:
        attempt = 0
        while True:
            request = next(self._auth.sync_auth_flow(request_of(exchange.request, self._timeout)))
            try:
                response = self._transport.handle_request(request)
            except httpx.RequestError as error:
                wait = _after_failure(self._retry, attempt, error)
            else:
                again = _after_reply(self._retry, attempt, response, exchange)
                if again is None:
                    return response
                response.close()
                wait = again
            time.sleep(wait)
            attempt += 1


class AsyncClient(Options):
    """A client for asyncio; it waits by anyio, as httpx does."""

    def __init__(self, auth: httpx.Auth, *, transport: httpx.AsyncBaseTransport | None = None, **options: Any) -> None:
        super().__init__(auth, **options)
        self._transport = transport if transport is not None else httpx.AsyncHTTPTransport(verify=_certificates())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close its connections."""
        self._is_closed = True
        await self._transport.aclose()

    async def _ask(self, exchange: Exchange) -> Answer:
        return await AsyncEvents(self._run(exchange), exchange).answer()

    def _stream(self, exchange: Exchange, ended: Callable[[Answer], None] | None = None) -> AsyncEvents:
        return AsyncEvents(self._run(exchange), exchange, ended)

    async def _run(self, exchange: Exchange) -> AsyncIterator[Event]:
        try:
            response = await self._send(exchange)
            try:
                chunks = response.aiter_bytes()
                while True:
                    try:
                        chunk = await anext(chunks, None)
                    except httpx.RequestError as error:
                        problem: TransportError | None = failed(error)
                        break
                    if chunk is None:
                        problem = None
                        break
                    for event in exchange.feed(chunk):
                        yield event
                    if exchange.error is not None:
                        raise exchange.error
                for event in exchange.finish():
                    yield event
                _check(exchange, problem)
            finally:
                await response.aclose()
        finally:
            exchange.close()

    async def _send(self, exchange: Exchange) -> httpx.Response:
        attempt = 0
        while True:
            request = await anext(self._auth.async_auth_flow(request_of(exchange.request, self._timeout)))
            try:
                response = await self._transport.handle_async_request(request)
            except httpx.RequestError as error:
                wait = _after_failure(self._retry, attempt, error)
            else:
                again = _after_reply(self._retry, attempt, response, exchange)
                if again is None:
                    return response
                await response.aclose()
                wait = again
            await anyio.sleep(wait)
            attempt += 1


def _after_failure(retry: Retry, attempt: int, error: httpx.RequestError) -> float:
    """Seconds until the next attempt; raises TransportError when there is none."""
    problem = failed(error)
    wait = retry.after_failure(attempt, problem)
    if wait is None:
        raise problem from None
    return wait


def _after_reply(retry: Retry, attempt: int, response: httpx.Response, exchange: Exchange) -> float | None:
    """Seconds until the next attempt; None when this reply is the one, and the exchange has been told of it."""
    asked = retry_after(response.headers)
    wait = retry.after_reply(attempt, response.status_code, asked)
    if wait is None:
        exchange.open(response.status_code, response.headers.get("content-type", ""), asked)
    return wait


def _read(response: httpx.Response, exchange: Exchange) -> Iterator[Event]:
    chunks = response.iter_bytes()
    while True:
        try:
            chunk = next(chunks, None)
        except httpx.RequestError as error:
            problem: TransportError | None = failed(error)
            break
        if chunk is None:
            problem = None
            break
        yield from exchange.feed(chunk)
        if exchange.error is not None:
            raise exchange.error
    # What was held back is said first, so that no text is lost.
    yield from exchange.finish()
    _check(exchange, problem)


def _check(exchange: Exchange, problem: TransportError | None) -> None:
    """Raise what was wrong. A connection that breaks after everything has arrived did no harm."""
    if problem is not None and not exchange.done:
        raise problem from None
    if exchange.error is not None:
        raise exchange.error


@cache
def _certificates() -> ssl.SSLContext:
    """Read once: it takes as long as everything else that a new client does, many times over."""
    return httpx.create_ssl_context()


def _nothing() -> None:
    """There is nothing to close."""
