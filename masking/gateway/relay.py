"""Hands a reply on: what the turn says goes to the client as it is said, in the form that its SDK reads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any, Literal

import orjson

from masking.core.errors import UnmaskableError
from masking.core.turn import Turn
from masking.gateway.chat import text
from masking.gateway.conversation import Conversation, Counting
from masking.gateway.family import Family
from masking.gateway.incoming import Incoming
from masking.gateway.outlet import CHUNK, Outlet
from masking.gateway.refusal import Refused, event, failed, spell
from masking.gateway.spelling import ascii_events, ascii_json, ended, flags_as_text, split, whole
from masking.gateway.upstream import HttpReply, Reply, UpstreamBroke

__all__ = ["Relay", "Send"]

Send = Callable[[dict[str, Any]], Awaitable[None]]

_SSE = "text/event-stream"
_EVENTS = (_SSE, "application/x-ndjson")
_LARGE = 64 * 1024  # bytes of a whole reply that are restored in a thread


class Relay:
    """One reply on its way to the client.

    `last` is when it last wrote, by the monotonic clock, `writing` whether it waits for the client to read: who watches
    open streams goes by them. `early` says in which form the reply may begin before upstream has answered: SDKs of
    the RPC style give up after 10 seconds of silence.
    """

    __slots__ = (
        "_comments", "_family", "_is_direct", "_outlet", "_receive", "_request", "_said", "_send", "counting", "early",
        "last", "parts", "restoring", "started", "streams", "withheld", "writing",
    )  # fmt: skip

    def __init__(self, request: Incoming, family: Family, send: Send, outlet: Outlet | None = None) -> None:
        self._request = request
        self._family = family
        self._send = send
        self._outlet = outlet
        self._receive: Callable[[bytes], bytes] = bytes
        self._is_direct = False  # whether a piece may be handed on as it arrives
        self._said = b""  # the last of what was said
        self.last = monotonic()
        self.writing = False
        self.started: Literal["", "early", "true"] = ""
        self.streams = False
        self._comments = False
        self.early: Literal["", "events", "document"] = ""
        self.counting: Counting | None = None
        # What it cost: parts of the reply, the seconds of restoring them, the most characters withheld at a time.
        self.parts = 0
        self.restoring = 0.0
        self.withheld = 0

    async def hand_on(self, reply: Reply, turn: Turn, conversation: Conversation) -> None:
        """The whole reply. Raises Refused for one that cannot be handed on and of which nothing has left yet, and
        UpstreamBroke for one that ended before its end."""
        media = reply.content_type.partition(";")[0].strip().lower()
        is_json = media in ("", "application/json") or media.endswith("+json")
        if reply.status >= 400 and self._family.ascii_only and not (is_json and media):
            raise Refused(reply.status, "UpstreamError", "the upstream refused this, in words that are no JSON")
        turn.open(reply.status, reply.content_type)
        is_events = media in _EVENTS
        if not self.started:
            self.streams = is_events
            # Google's SDK takes a comment for JSON.
            self._comments = media == _SSE and self._family.shape != "gemini"
        elif not is_json and is_events is not self.streams:  # begun early, in the form that was asked for
            raise Refused(502, "UpstreamError", "the upstream answered with something else than was asked for")
        try:
            if is_json:
                await self._whole(reply, turn, conversation)
            else:
                await self._start(reply)
                await self._stream(reply, turn, conversation, is_sse=media == _SSE)
        except UnmaskableError as error:  # the upstream's fault and not the client's: too long, or not to be read
            raise Refused(502, "reply_unreadable", str(error)) from None

    async def heartbeat(self) -> None:
        """Something that says nothing, where it has been silent."""
        if self.writing:
            return
        if not self.started and self.early:
            self.started = "early"
            self.streams = self._comments = self.early == "events"
            kind = b"text/event-stream;charset=utf-8" if self.streams else b"application/json;charset=utf-8"
            headers = [(b"content-type", kind), (b"cache-control", b"no-cache")]
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        if self._comments:
            await self._write(b":hb\n")
        elif self.started == "early":
            await self._write(b" ")

    async def fail(self, refused: Refused) -> None:
        """Say that the reply broke, in its own words; the connection is then cut, so that nobody takes it as whole."""
        said = event(self._family.shape, self._request.action, refused) if self.streams else b""
        if said:
            await self._write(said)

    async def refuse(self, refused: Refused, *, close: bool = False) -> None:
        """The answer to a request that is not served."""
        if self.started == "early":
            await self._refuse_early(refused)
            return
        host = self._request.headers.get("host", "")
        body = spell(self._family.shape, refused, host=host)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        if close:
            headers.append((b"connection", b"close"))
        self.started = "true"
        await self._send({"type": "http.response.start", "status": refused.status, "headers": headers})
        await self._end(body)

    async def _refuse_early(self, refused: Refused) -> None:
        self.started = "true"
        if self.streams:
            await self._end(event(self._family.shape, self._request.action, refused))
        else:
            await self._end(failed(refused))

    async def _start(self, reply: Reply, length: int | None = None) -> None:
        if self.started:
            return
        headers = [*reply.headers]
        if reply.content_type:
            headers.append((b"content-type", reply.content_type.encode("latin-1")))
        if length is not None:
            headers.append((b"content-length", b"%d" % length))
        elif self.streams:
            # Proxies between us and the client are asked not to gather events.
            headers += [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]
        self.started = "true"
        await self._send({"type": "http.response.start", "status": reply.status, "headers": headers})

    async def _whole(self, reply: Reply, turn: Turn, conversation: Conversation) -> None:
        parts: list[bytes] = []
        size = 0
        try:
            async for chunk in reply.chunks():
                size += len(chunk)
                said = turn.receive(chunk)  # an array of events leaves as it comes
                if said:
                    parts.append(said)
                if conversation.watches:
                    await asyncio.to_thread(conversation.watch_whole, chunk)
        except UpstreamBroke as broke:
            raise Refused(502, "upstream_broke", f"the upstream's reply {broke.what}") from None
        parts.append(await asyncio.to_thread(turn.close) if size > _LARGE else turn.close())
        body = b"".join(parts)
        if self._family.ascii_only:
            body = ascii_json(self._flagged(body))
        if self.started == "early":
            await self._early_document(reply.status, body)
            return
        await self._start(reply, len(body))
        await self._end(body)

    async def _early_document(self, status: int, body: bytes) -> None:
        """A document after a reply that has begun already: as such if it may be, an error in its own words."""
        if status < 400 and not self.streams:
            await self._end(body)
            return
        try:
            doc = orjson.loads(body)
        except ValueError:
            doc = None
        code, what = text(doc, "Code") or "UpstreamError", text(doc, "Message") or "the upstream refused this"
        await self._refuse_early(Refused(status, code, what))

    async def _stream(self, reply: Reply, turn: Turn, conversation: Conversation, *, is_sse: bool) -> None:
        self._receive = turn.receive
        if self._outlet is not None:
            self._outlet.open()
        may = self._outlet is not None and not self._family.ascii_only
        self._is_direct = may and not conversation.watches
        try:
            async for chunk in reply.chunks(self._take) if isinstance(reply, HttpReply) else reply.chunks():
                if conversation.watches:
                    await asyncio.to_thread(conversation.watch, chunk)
                    self._is_direct = may and not conversation.watches
                begun = monotonic()
                said = turn.receive(chunk)
                self.restoring += monotonic() - begun
                self.parts += 1
                if len(said) < len(chunk):
                    self._weigh()
                if said:
                    self._said = said
                    await (self._say(said) if self._family.ascii_only else self._write(said))
        except UpstreamBroke:
            # What was held back is said first, so that no text is lost on our account.
            said = whole(turn.close()) if is_sse else turn.close()
            if said:
                await self._say(said)
            raise
        said = turn.close()
        said += ended(said or self._said) if is_sse else b""
        if said:
            await self._say(said)
        await self._end(b"")

    def _take(self, chunk: bytes) -> float:
        """As `_stream`, for a piece with which nothing has to be waited for. It runs for every event of every stream,
        so it calls as little as it can."""
        outlet = self._outlet
        if outlet is None or outlet.is_full or not self._is_direct:
            return 0.0
        receive = self._receive
        begun = monotonic()
        said = receive(chunk)
        ended = monotonic()
        self.restoring += ended - begun
        self.parts += 1
        if len(said) < len(chunk):
            self._weigh()
        if said:
            write = outlet.write
            write(CHUNK % (len(said), said))
            self._said = said
            self.last = ended
        return ended

    def _weigh(self) -> None:
        """A piece became shorter: it may be that something waits."""
        if self.counting is not None:
            self.withheld = max(self.withheld, self.counting.withheld)

    async def _say(self, said: bytes) -> None:
        if self._family.ascii_only and self.streams:
            for one in split(ascii_events(self._flagged(said))):
                await self._write(one)
        else:
            await self._write(said)

    def _flagged(self, said: bytes) -> bytes:
        is_newest = self._request.headers.get("x-dashscope-sdk-client", "").endswith("/app2")
        return flags_as_text(said) if is_newest else said

    async def _write(self, body: bytes) -> None:
        self.writing = True
        await self._send({"type": "http.response.body", "body": body, "more_body": True})
        self.writing = False
        self.last = monotonic()

    async def _end(self, body: bytes) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": False})
