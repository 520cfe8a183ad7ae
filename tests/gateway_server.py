"""A gateway on loopback, and what its upstream saw."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from masking.gateway import Gateway, Server, Settings
from masking.gateway.upstream import EchoUpstream, Outgoing, Reply

__all__ = ["Watched", "serving"]


class Watched(EchoUpstream):
    """The echo model; `seen` keeps what it was sent."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.seen: list[Outgoing] = []

    async def send(self, outgoing: Outgoing) -> Reply:
        self.seen.append(outgoing)
        return await super().send(outgoing)

    @property
    def text(self) -> str:
        """Everything that it was sent, decoded."""
        from urllib.parse import unquote_plus

        return "\n".join(unquote_plus(one.target) + "\n" + unquote_plus(one.body.decode()) for one in self.seen)


@contextmanager
def serving(upstream: EchoUpstream | None = None, **settings: Any) -> Iterator[Server]:
    """A gateway without name models, at a free port, whose routes lead to `upstream`."""
    given = {"names": "off", "listen": {"port": 0}, **settings}
    gateway = Gateway(Settings.model_validate(given), upstreams={"echo": upstream} if upstream else None)
    with Server(gateway=gateway) as server:
        yield server
