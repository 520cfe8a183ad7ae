"""The way to a client whose reply has begun, for who cannot wait: a callback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

__all__ = ["CHUNK", "EXTENSION", "Outlet"]

CHUNK: Final = b"%x\r\n%b\r\n"
"""One part, of its length and its bytes: RFC 9112 §7.1."""

EXTENSION: Final = "masking.outlet"
"""Where an application finds it in the scope's extensions."""


class Outlet:
    """Writes parts of a chunked body, as ASGI's send does, but without a coroutine for each.

    `write` takes a CHUNK. `is_full` says whether only send can write now: the client does not read, or is gone, or the
    reply has not begun, or has no chunks.
    """

    __slots__ = ("_cycle", "is_full", "write")

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self.write: Callable[[bytes], None] = cycle.transport.write
        self.is_full = True

    def open(self) -> None:
        """The reply has begun, or the client reads again, or it does not."""
        cycle = self._cycle
        is_chunked = bool(cycle.chunked_encoding) and cycle.scope["method"] != "HEAD"
        self.is_full = cycle.flow.write_paused or cycle.disconnected or not is_chunked

    def close(self) -> None:
        """The client is gone."""
        self.is_full = True
