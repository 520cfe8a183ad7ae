"""The server around the application: uvicorn, with the limits of a machine that faces strangers.

server = Server(settings)
server.run()                      # until SIGINT or SIGTERM; SIGHUP loads the rules again
with Server(settings) as server:  # in a thread, for tests: server.url
    ...
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import threading
from asyncio.events import TimerHandle
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from masking.core.errors import ConfigurationError
from masking.gateway.app import Gateway
from masking.gateway.outlet import EXTENSION, Outlet
from masking.gateway.refusal import Refused
from masking.gateway.settings import Limits, Settings

__all__ = ["Server"]

TurnedAway = Callable[[bytes, Iterable[tuple[bytes, bytes]], Refused], bytes]


class Server:
    """One gateway at one address, which is bound when it is made: port 0 takes a free one, `url` says which."""

    def __init__(self, settings: Settings | None = None, gateway: Gateway | None = None) -> None:
        """Raises ConfigurationError when the address is taken, and what Gateway raises."""
        self.gateway = gateway or Gateway(settings)
        self.settings = self.gateway.settings
        listen = self.settings.listen
        limits = self.settings.limits
        self._socket = _bound(listen.host, listen.port)
        config = uvicorn.Config(
            self.gateway,
            http=_protocol(limits, self.gateway.turned_away),
            ws="none",
            lifespan="on",
            loop="auto",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=2048,
            timeout_keep_alive=int(limits.keep_alive) or 1,
            timeout_graceful_shutdown=int(limits.shutdown) or 1,
            ssl_certfile=listen.certificate,
            ssl_keyfile=listen.key,
        )
        self._server = _Uvicorn(config)
        # A reply that broke off is cut on purpose, and was told of already.
        logging.getLogger("uvicorn.error").addFilter(_is_news)
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port it listens at."""
        port: int = self._socket.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """Its address, as clients on this machine name it."""
        listen = self.settings.listen
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(listen.host, listen.host)  # noqa: S104 - read, not bound
        return f"{'https' if listen.certificate else 'http'}://{host}:{self.port}"

    def run(self) -> None:
        """Serve until SIGINT or SIGTERM; streams may end first. SIGHUP reads the rules again."""
        with asyncio.Runner(loop_factory=self._server.config.get_loop_factory()) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        if threading.current_thread() is threading.main_thread() and hasattr(signal, "SIGHUP"):
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._reload_soon)
        await self._server.serve(sockets=[self._socket])

    def _reload_soon(self) -> None:
        self._reloading = asyncio.get_running_loop().run_in_executor(None, self.reload)

    def reload(self) -> bool:
        """Read rules and configuration again, and whether that went well; open streams keep those that they began
        with."""
        return self.gateway.reread()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.run, name="gateway", daemon=True)
        self._thread.start()
        deadline = threading.Event()
        while not self._server.started and self._thread.is_alive():
            deadline.wait(0.005)
        if not self._server.started:
            raise ConfigurationError("the gateway did not start; its log says why")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End a server that runs in a thread; open streams may end first."""
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join()


class _Uvicorn(uvicorn.Server):
    """Ends with exit code 0 where uvicorn raises the signal again."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {one: signal.signal(one, self.handle_exit) for one in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)


def _is_news(record: logging.LogRecord) -> bool:
    return "without completing response" not in str(record.msg)


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise ConfigurationError(f"cannot listen at {host}:{port}: {error.strerror}; choose another --port") from None
    return bound


def _protocol(limits: Limits, turned_away: TurnedAway) -> type[asyncio.Protocol]:
    """uvicorn's protocol over httptools, which by itself takes heads of any length and at any pace. `turned_away` is
    told of every request that is refused here, and says how."""

    class Limited(HttpToolsProtocol):
        _head: TimerHandle | None = None
        _size = 0
        _came = False
        _outlet: Outlet | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._wait_for_head()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)
            if self._outlet is not None:
                self._outlet.close()

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._size = 0
            if self._head is None:
                self._wait_for_head()

        def on_url(self, url: bytes) -> None:
            super().on_url(url)
            if len(self.url) > limits.request_line:
                self._refuse(414, "request_line_too_long", f"longer than {limits.request_line} bytes")

        def on_header(self, name: bytes, value: bytes) -> None:
            super().on_header(name, value)
            self._size += len(name) + len(value)
            if self._size > limits.header_bytes or len(self.headers) > limits.headers:
                what = f"more than {limits.headers} headers, or {limits.header_bytes} bytes of them"
                self._refuse(431, "headers_too_long", what)

        def on_headers_complete(self) -> None:
            self._stop_waiting()
            # httptools cannot take a URL of 64 KiB apart, and RDS AI asks in the query.
            self.url, _, query = self.url.partition(b"?")
            is_next = self.cycle is None or self.cycle.response_complete
            super().on_headers_complete()
            self.scope["query_string"] = query.partition(b"#")[0]
            if is_next:  # one that was sent before its turn is answered the slower way
                self._outlet = Outlet(self.cycle)
                self.scope["extensions"] = {EXTENSION: self._outlet}  # type: ignore[dict-item]

        def pause_writing(self) -> None:
            super().pause_writing()
            self._open_outlet()

        def resume_writing(self) -> None:
            super().resume_writing()
            self._open_outlet()

        def _open_outlet(self) -> None:
            if self._outlet is not None:
                self._outlet.open()

        def _wait_for_head(self) -> None:
            self._head = self.loop.call_later(limits.head_seconds, self._too_slow)

        def _stop_waiting(self) -> None:
            if self._head is not None:
                self._head.cancel()
                self._head = None

        def _too_slow(self) -> None:
            self._head = None
            if not self.transport.is_closing():
                self._write(408, "head_too_slow", f"no headers within {limits.head_seconds:g} seconds")

        def _refuse(self, status: int, code: str, what: str) -> None:
            self._write(status, code, what)
            raise _TooMuch

        def _write(self, status: int, code: str, what: str) -> None:
            body = b""
            if self._came:  # a connection on which nothing came is no request
                body = turned_away(self.url or b"", self.headers or (), Refused(status, code, what))
            head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
            self._stop_waiting()
            self.transport.write(STATUS_LINE[status] + head + body)
            self.transport.close()

        def data_received(self, data: bytes) -> None:
            if self.transport.is_closing():
                return
            self._came = True
            super().data_received(data)

        def send_400_response(self, msg: str) -> None:
            if not self.transport.is_closing():  # our own refusal ends the parser, too
                self._write(400, "bad_http", msg)

    return Limited


class _TooMuch(Exception):  # noqa: N818 - ends the parser; httptools makes an error of its own of it
    pass
