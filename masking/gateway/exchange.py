"""One request and its reply: masked on the way out, restored while it streams back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from masking.core.turn import Turn
from masking.gateway.family import Family
from masking.gateway.incoming import Incoming
from masking.gateway.refusal import Refused, event, spell
from masking.gateway.spelling import ascii_events, ascii_json, ended, split
from masking.gateway.upstream import Reply, UpstreamBroke

__all__ = ["Relay", "Send"]

Send = Callable[[dict[str, Any]], Awaitable[None]]

_EVENTS = ("text/event-stream", "application/x-ndjson")
_LARGE = 64 * 1024  # bytes of a whole reply that are restored in a thread


class Relay:
    """Hands a reply on: what the turn says goes to the client as it is said.

    `last` is when it last wrote (seconds of the loop's clock), `writing` whether it waits for the client to read: who
    watches the open streams goes by them.
    """

    __slots__ = ("_family", "_loop", "_now", "_request", "_send", "last", "started", "streams", "writing")

    def __init__(self, request: Incoming, family: Family, send: Send) -> None:
        self._request = request
        self._family = family
        self._send = send
        self._now = asyncio.get_running_loop().time
        self.last = self._now()
        self.writing = False
        self.started = False
        self.streams = False

    async def hand_on(self, reply: Reply, turn: Turn) -> None:
        """The whole reply. Raises Refused for one that cannot be handed on and of which nothing has left yet."""
        media = reply.content_type.partition(";")[0].strip().lower()
        self.streams = media in _EVENTS
        is_json = media in ("", "application/json") or media.endswith("+json")
        if reply.status >= 400 and self._family.ascii_only and not (is_json and media):
            raise Refused(reply.status, "UpstreamError", "the upstream refused this, in words that are no JSON")
        turn.open(reply.status, reply.content_type)
        if self.streams:
            await self._start(reply)
            await self._stream(reply, turn, is_sse=media == _EVENTS[0])
        elif is_json:
            await self._whole(reply, turn)
        else:
            await self._start(reply)
            await self._stream(reply, turn, is_sse=False)

    async def heartbeat(self) -> None:
        """A comment line, where the stream has been silent."""
        if self.started and self.streams and not self.writing:
            await self._write(b":hb\n")

    async def fail(self, refused: Refused) -> None:
        """Say that the stream broke, in its own words; the connection is then cut, so that nobody takes it as whole."""
        said = event(self._family.shape, self._request.action, refused) if self.streams else b""
        if said:
            await self._write(said)

    async def refuse(self, refused: Refused, *, close: bool = False) -> None:
        """The answer to a request that is not served."""
        host = self._request.headers.get("host", "")
        body = spell(self._family.shape, refused, host=host)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        if close:
            headers.append((b"connection", b"close"))
        self.started = True
        await self._send({"type": "http.response.start", "status": refused.status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def _start(self, reply: Reply, length: int | None = None) -> None:
        headers = [*reply.headers]
        if reply.content_type:
            headers.append((b"content-type", reply.content_type.encode("latin-1")))
        if length is not None:
            headers.append((b"content-length", b"%d" % length))
        elif self.streams:
            # Proxies between us and the client are asked not to gather events.
            headers += [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]
        self.started = True
        await self._send({"type": "http.response.start", "status": reply.status, "headers": headers})

    async def _whole(self, reply: Reply, turn: Turn) -> None:
        size = 0
        try:
            async for chunk in reply.chunks():
                size += len(chunk)
                turn.receive(chunk)
        except UpstreamBroke as broke:
            raise Refused(502, "upstream_broke", f"the upstream's reply {broke.what}") from None
        body = await asyncio.to_thread(turn.close) if size > _LARGE else turn.close()
        if self._family.ascii_only:
            body = ascii_json(body)
        await self._start(reply, len(body))
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def _stream(self, reply: Reply, turn: Turn, *, is_sse: bool) -> None:
        last = b""
        try:
            async for chunk in reply.chunks():
                said = turn.receive(chunk)
                if said:
                    last = said
                    await self._say(said)
        except UpstreamBroke:
            # What was held back is said first, so that no text is lost on our account.
            said = turn.close()
            if said:
                await self._say(said)
            raise
        said = turn.close()
        said += ended(said or last) if is_sse else b""
        if said:
            await self._say(said)
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _say(self, said: bytes) -> None:
        if self._family.ascii_only and self.streams:
            for one in split(ascii_events(said)):
                await self._write(one)
        else:
            await self._write(said)

    async def _write(self, body: bytes) -> None:
        self.writing = True
        await self._send({"type": "http.response.body", "body": body, "more_body": True})
        self.writing = False
        self.last = self._now()
