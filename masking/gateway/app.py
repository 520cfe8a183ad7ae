"""The ASGI application: reads a request, decides, masks, asks upstream, restores."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from masking.core.errors import MaskingError, ModelError, UnmaskableError
from masking.core.turn import Turn
from masking.gateway.conversation import Counting, Unmasked
from masking.gateway.exchange import Relay, Send
from masking.gateway.family import FAMILIES, Family, family_of, pick, tail
from masking.gateway.incoming import Incoming, incoming
from masking.gateway.maskers import Maskers, uses_models
from masking.gateway.refusal import Refused
from masking.gateway.settings import Route, Settings
from masking.gateway.upstream import EchoUpstream, HttpUpstream, Network, Outgoing, Upstream, UpstreamBroke
from masking.masker import Masker

__all__ = ["Gateway"]

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]

_LONG = 2_048  # bytes of a request that are masked without a thread, where no model is asked
_log = logging.getLogger("masking.gateway")


class Gateway:
    """One gateway; call it as an ASGI application. `upstreams` take the place of configured ones, by name."""

    def __init__(self, settings: Settings | None = None, *, upstreams: Mapping[str, Upstream] | None = None) -> None:
        """Reads rules, secrets and models: raises what is wrong with them as MaskingError."""
        self.settings = settings or Settings()
        self.maskers = Maskers(self.settings)
        self._given = dict(upstreams or {})
        self._upstreams: dict[str, Upstream] = {}
        self._network: Network | None = None
        self._threads = ThreadPoolExecutor(self.settings.limits.threads, thread_name_prefix="masking")
        self._open: dict[Relay, asyncio.Task[Any]] = {}
        self._watch: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def start(self) -> None:
        """Open the network; within the event loop that serves."""
        self._network = Network.open()
        for name, route in self.settings.served().items():
            self._upstreams[name] = self._upstream(FAMILIES[name], route)
        self._watch = asyncio.create_task(self._watch_streams())

    async def stop(self) -> None:
        """Close what `start` opened."""
        if self._watch is not None:
            self._watch.cancel()
        if self._network is not None:
            await self._network.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    await self.start()
                except MaskingError as error:
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    return
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            request = incoming(scope)
        except Refused as refused:
            request = Incoming(scope["method"], scope["path"], "", "", {})
            await Relay(request, FAMILIES["openai"], send).refuse(refused, close=True)
            return
        relay = Relay(request, _family(request), send)
        task = asyncio.current_task()
        assert task is not None
        self._open[relay] = task
        watch: asyncio.Task[None] | None = None
        try:
            await self._read(request, receive)
            watch = asyncio.create_task(_watch_client(receive, task))
            await self._exchange(request, relay)
        except asyncio.CancelledError:
            if not (watch is not None and watch.done()):
                raise
        except UpstreamBroke as broke:
            await relay.fail(Refused(502, "upstream_broke", f"the upstream's reply {broke.what}"))
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing unmasked leaves, and nothing is told of it
            await self._fail(relay, _refused(error))
        finally:
            if watch is not None:
                watch.cancel()
            del self._open[relay]

    async def _fail(self, relay: Relay, refused: Refused) -> None:
        if relay.started:
            await relay.fail(refused)
        else:
            await relay.refuse(refused, close=refused.status in (408, 413))

    async def _exchange(self, request: Incoming, relay: Relay) -> None:
        family = family_of(request)
        upstream = self._upstreams.get(family.name)
        descriptor = pick(request, family, self.maskers.descriptors)
        if upstream is None:
            raise Refused(404, "unknown_route", f"this gateway does not serve {family.about}")
        masker = await self._masker(request, family)
        with masker.session() as session:
            if self._is_unmasked(request, family):
                turn = Turn(descriptor, Unmasked(), signer="acs3", limit=self.settings.limits.reply)
            else:
                turn = Turn(descriptor, Counting(session), signer="acs3", limit=self.settings.limits.reply)
            outgoing = await self._masked(request, family, turn, masker)
            reply = await upstream.send(outgoing)
            try:
                await relay.hand_on(reply, turn)
            finally:
                reply.close()

    async def _masked(self, request: Incoming, family: Family, turn: Turn, masker: Masker) -> Outgoing:
        if len(request.body) + len(request.query) <= _LONG and not uses_models(masker):
            return _outgoing(request, family, turn)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, _outgoing, request, family, turn)

    async def _masker(self, request: Incoming, family: Family) -> Masker:
        settings = self.settings
        route = settings.routes.get(family.name)
        name = (route.category if route else "") or settings.category
        chosen = _parameter(request, "DesensitizationRule") if family.name == "dms" else ""
        chosen = chosen or request.headers.get("x-masking-category", "")
        if chosen:
            name = self.maskers.check(chosen, frozenset())
        ready = self.maskers.ready(name)
        return ready if ready is not None else await asyncio.to_thread(self.maskers.named, name)

    def _is_unmasked(self, request: Incoming, family: Family) -> bool:
        route = self.settings.routes.get(family.name)
        allowed = route is not None and route.allow_unmasked
        return allowed and _parameter(request, "NeedDesensitization").lower() == "false"

    async def _read(self, request: Incoming, receive: Receive) -> None:
        """The body. Raises Refused for one that is too long or too slow."""
        limits = self.settings.limits
        declared = request.headers.get("content-length", "0")
        too_long = Refused(413, "body_too_long", f"the body is longer than {limits.body} bytes; send less")
        if not declared.isdecimal() or int(declared) > limits.body:
            raise too_long
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(limits.body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise asyncio.CancelledError
                    part = message.get("body", b"")
                    size += len(part)
                    if size > limits.body:
                        raise too_long
                    parts.append(part)
                    if not message.get("more_body", False):
                        break
        except TimeoutError:
            what = f"the body was not there after {limits.body_seconds:g} seconds"
            raise Refused(408, "body_too_slow", what) from None
        request.body = b"".join(parts)

    def _upstream(self, family: Family, route: Route) -> Upstream:
        given = self._given.get(route.upstream)
        if given is not None:
            return given
        assert self._network is not None
        if route.upstream == "echo":
            return EchoUpstream()
        if route.upstream == "direct":
            return HttpUpstream(self._network, family.url, hands_on=not self.settings.clients)
        return EchoUpstream()

    async def _watch_streams(self) -> None:
        """Heartbeats for the silent, an end for those whose client does not read."""
        limits = self.settings.limits
        pause = min(limits.heartbeat, limits.stall) / 5
        now = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(pause)
            at = now()
            for relay, task in list(self._open.items()):
                if relay.writing and at - relay.last > limits.stall:
                    task.cancel()
                elif at - relay.last > limits.heartbeat:
                    with contextlib.suppress(Exception):
                        await relay.heartbeat()


async def _watch_client(receive: Receive, task: asyncio.Task[Any]) -> None:
    """Cancel the exchange when its client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
    task.cancel()


def _outgoing(request: Incoming, family: Family, turn: Turn) -> Outgoing:
    """The request as it may leave. Raises UnmaskableError."""
    body = turn.request(request.body, request.headers)
    query = turn.query(request.query)
    changed = turn.headers(request.headers)
    target = request.raw_path + (f"?{query}" if query else "")
    return Outgoing(
        request.method,
        tail(request, family),
        query,
        {**request.headers, **changed},
        body,
        request.action,
        request.version,
        target,
    )


def _parameter(request: Incoming, name: str) -> str:
    return request.parameters.get(name, "")


def _family(request: Incoming) -> Family:
    try:
        return family_of(request)
    except Refused:
        return FAMILIES["dms"]


def _refused(error: Exception) -> Refused:
    if isinstance(error, Refused):
        return error
    if isinstance(error, UnmaskableError):
        return Refused(400, "unmaskable", str(error))
    if isinstance(error, ModelError):
        return Refused(503, "detector_down", "what finds personal data is not ready here, so nothing was sent on")
    # The traceback may quote values: only where it happened is told.
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    where = f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame is not None else "?"
    _log.error("%s at %s", type(error).__name__, where)
    return Refused(500, "masking_failed", "this request could not be masked, so nothing was sent on")
