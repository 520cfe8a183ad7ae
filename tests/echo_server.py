"""The embedded echo model as a real HTTP/1.1 server on loopback, for SDKs that bring their own transport."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from running import running

from masking import echo

__all__ = ["Server", "serving"]


class Server(ThreadingHTTPServer):
    """Answers as the echo model does; a test may change how, and see what arrived."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen: list[tuple[str, dict[str, str], bytes]] = []
        self.compress = False
        self.answer: Callable[[bytes], echo.Reply] | None = None
        self.pause: threading.Event | None = None  # waited for after the first chunk, or the one that pause_after says
        self.pause_after = 0  # the number of a chunk, from 0; negative: from the end
        self.ended = threading.Event()  # the last chunk of a stream was sent
        self.cut_after = 0  # chunks, then the connection breaks
        self.gone = threading.Event()  # the client left early

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep quiet: clients that leave early are what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep quiet."""

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        server = self.server
        server.seen.append((self.path, headers, body))
        made = server.answer(body) if server.answer else echo.reply(self.command, self.path, headers, body)
        chunks = made.chunks
        if server.compress:
            chunks = (gzip.compress(b"".join(chunks)),)
        self.send_response(made.status)
        self.send_header("content-type", made.content_type)
        self.send_header("x-request-id", "r-1")
        if server.compress:
            self.send_header("content-encoding", "gzip")
        if made.content_type == "application/json" and len(chunks) == 1:
            self.send_header("content-length", str(sum(map(len, chunks))))
            self.end_headers()
            self.wfile.write(b"".join(chunks))
            return
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        try:
            for number, chunk in enumerate(chunks):
                if server.cut_after and number == server.cut_after:
                    self.close_connection = True
                    return
                self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
                self.wfile.flush()
                if number == server.pause_after % len(chunks) and server.pause is not None:
                    server.pause.wait(10)
            server.ended.set()
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            server.gone.set()
            self.close_connection = True


def serving() -> AbstractContextManager[Server]:
    """A running server."""
    return running(Server())
