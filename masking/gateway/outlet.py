"""The way to a client whose reply has begun, for who cannot wait: a callback."""

from __future__ import annotations

from typing import Final

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

__all__ = ["EXTENSION", "Outlet"]

EXTENSION: Final = "masking.outlet"
"""Where an application finds it in the scope's extensions."""


class Outlet:
    """Writes parts of a chunked body, as ASGI's send does, but without a coroutine for each.

    `is_full` says whether only send can write now: the client does not read, or is gone, or the reply has not begun, or
    has no chunks.
    """

    __slots__ = ("_cycle", "_write", "is_full")

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._write = cycle.transport.write
        self.is_full = True

    def open(self) -> None:
        """The reply has begun, or the client reads again, or it does not."""
        cycle = self._cycle
        is_chunked = bool(cycle.chunked_encoding) and cycle.scope["method"] != "HEAD"
        self.is_full = cycle.flow.write_paused or cycle.disconnected or not is_chunked

    def close(self) -> None:
        """The client is gone."""
        self.is_full = True

    def write(self, body: bytes) -> None:
        """One part, which is not empty."""
        self._write(b"%x\r\n%b\r\n" % (len(body), body))
