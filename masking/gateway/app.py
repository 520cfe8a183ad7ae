"""The ASGI application: every request gets an answer in its own protocol, every stream is watched."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any

from masking.core.errors import ConfigurationError, MaskingError
from masking.files import Mark, mark_of
from masking.gateway.auth import MemoryNonces, SharedNonces
from masking.gateway.exchange import Receive, admit, exchange, read_body, refused
from masking.gateway.family import FAMILIES, Family, Name, family_of
from masking.gateway.incoming import Incoming, incoming
from masking.gateway.maskers import Maskers
from masking.gateway.metrics import TimedVault
from masking.gateway.observer import Observer
from masking.gateway.outlet import EXTENSION
from masking.gateway.record import Record
from masking.gateway.refusal import Refused, spell
from masking.gateway.relay import Relay, Send
from masking.gateway.serving import Serving
from masking.gateway.settings import Settings, Studio
from masking.gateway.settingsfile import Source
from masking.gateway.upstream import Network, Upstream, UpstreamBroke
from masking.gateway.watch import Watch
from masking.gateway.wiring import check_upstream, make_authenticator, make_upstream, make_vault
from masking.vault import Vault

__all__ = ["Gateway"]

Scope = Mapping[str, Any]

_log = logging.getLogger("masking.gateway")

_SHORT = 4_096  # characters of a query in which an operation is looked for, where the whole was too long
_AT_START = ("listen", "vault", "limits", "audit", "studio")
"""Keys whose change needs a new start."""


class Gateway:
    """One gateway; call it as an ASGI application.

    `upstreams` take the place of the configured ones by name ("echo" and "direct" too), `vault` that of the
    configured one: for tests and for programs that bring their own.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        upstreams: Mapping[str, Upstream] | None = None,
        vault: Vault | None = None,
        source: Source | None = None,
    ) -> None:
        """Reads rules, secrets and models: raises what is wrong with them as MaskingError. `source` is read again with
        the rules."""
        self.settings = settings or Settings()
        limits = self.settings.limits
        self._given = dict(upstreams or {})
        self._source = source
        self._source_mark = mark_of(source.file) if source is not None else None
        self._reading = Lock()
        self._network: Network | None = None
        self._files: asyncio.Task[None] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._open: dict[Relay, asyncio.Task[Any]] = {}
        self._studio_path = self.settings.studio.path + "/"
        self._studio = _studio(self.settings.studio) if self.settings.studio.path else None
        observer = Observer(self.settings.audit)
        kept = TimedVault(vault if vault is not None else make_vault(self.settings.vault), observer.metrics)
        self._nonces = SharedNonces(kept) if self.settings.vault.blocks else MemoryNonces()
        self._serving = Serving(
            self.settings,
            Maskers(self.settings),
            kept,
            ThreadPoolExecutor(limits.threads, thread_name_prefix="masking"),
            self.settings.served(),
            {},
            make_authenticator(self.settings, self._nonces),
            {client.name: client for client in self.settings.clients},
            observer,
        )
        self._tell_categories()

    @property
    def open_exchanges(self) -> int:
        """How many requests are being served."""
        return len(self._open)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def start(self) -> None:
        """Open the network; within the event loop that serves. Raises MaskingError."""
        self._serving.observer.open()
        self._network = Network.open()
        self._serving = replace(self._serving, upstreams=self._upstreams(self.settings))
        self._watch = asyncio.create_task(self._watch_streams())
        if self.settings.watch:
            self._files = asyncio.create_task(self._watch_files())

    def _upstreams(self, settings: Settings) -> dict[Name, Upstream]:
        network, vault = self._network, self._serving.vault
        assert network is not None
        return {
            name: self._given.get(route.upstream) or make_upstream(network, settings, FAMILIES[name], route, vault)
            for name, route in settings.served().items()
        }

    async def stop(self) -> None:
        """Close what `start` opened, and the vault."""
        if self._watch is not None:
            self._watch.cancel()
        if self._files is not None:
            self._files.cancel()
        if self._network is not None:
            await self._network.close()
        self._serving.threads.shutdown(wait=False, cancel_futures=True)
        self._serving.vault.close()
        self._serving.observer.close()

    def check(self) -> None:
        """Whether it could serve: secrets, addresses and the vault. Raises MaskingError."""
        for upstream in self.settings.upstreams.values():
            check_upstream(upstream)
        self._serving.vault.check()
        self._serving.vault.close()
        self._serving.threads.shutdown()

    def reload(self) -> None:
        """Read the rules again, and the configuration where it has a source, for the requests that come from now on.
        Raises what is wrong with them, and goes on with those that were in use."""
        settings, mark = self.settings, self._source_mark
        if self._source is not None:
            mark = mark_of(self._source.file)
            settings = self._source.read()
        for name in _AT_START:
            if getattr(settings, name) != getattr(self.settings, name):
                raise ConfigurationError(
                    f"{name}: counts from the next start on, so nothing else was taken over either"
                )
        serving = replace(self._serving, maskers=Maskers(settings))
        if settings != self.settings:
            serving = replace(
                serving,
                settings=settings,
                routes=settings.served(),
                upstreams=self._upstreams(settings),
                authenticator=make_authenticator(settings, self._nonces),
                clients={client.name: client for client in settings.clients},
            )
        self.settings, self._serving, self._source_mark = settings, serving, mark
        self._tell_categories()

    def reread(self) -> bool:
        """As `reload`, but a mistake is logged and counted; whether it went well."""
        with self._reading:
            try:
                self.reload()
            except Exception as error:  # noqa: BLE001 - whatever it is, the old rules are in order
                self._serving.observer.metrics.reloaded("refused")
                what = str(error) if isinstance(error, MaskingError) else type(error).__name__
                _log.error("the rules stay as they are: %s", what)
                return False
        self._serving.observer.metrics.reloaded("done")
        _log.info("rules read again")
        return True

    async def _watch_files(self) -> None:
        """Read again what changed."""
        watch = Watch()
        while True:
            await asyncio.sleep(self.settings.watch or 1.0)
            if self.settings.watch and await asyncio.to_thread(watch.look, self._watched()):
                await asyncio.to_thread(self.reread)

    def _watched(self) -> dict[Path, Mark]:
        own = {self._source.file: self._source_mark} if self._source is not None else {}
        return {**self._serving.maskers.files, **own}

    def _tell_categories(self) -> None:
        self._serving.observer.metrics.categories(self._serving.maskers.versions())

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    await self.start()
                except MaskingError as error:
                    _log.error("%s", error)
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    return
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._studio is not None and scope["path"].startswith(self._studio_path):
            # Its own guard refuses who does not come from this machine.
            await self._studio({**scope, "root_path": self.settings.studio.path}, receive, send)
            return
        if self._studio is not None and scope["path"] == self.settings.studio.path:
            await _answer(send, 307, b"text/plain", b"", (b"location", self._studio_path.encode()))
            return
        page = await self._page(scope["path"]) if scope["method"] == "GET" else None
        if page is not None:
            await _answer(send, *page)
            return
        record = Record()
        try:
            request = incoming(scope)
        except Refused as error:
            request = Incoming(scope["method"], scope["path"], "", "", _named(scope["headers"]))
            family = _family(request)
            record.route = family.name
            await Relay(request, family, send).refuse(error, close=True)
            self._refused(record, error)
            return
        family = _family(request)
        record.route = family.name
        relay = Relay(request, family, send, scope.get("extensions", {}).get(EXTENSION))
        task = asyncio.current_task()
        assert task is not None
        watch: asyncio.Task[None] | None = None
        self._open[relay] = task
        limits = self.settings.limits
        try:
            if len(self._open) > limits.exchanges:
                raise Refused(503, "ServiceUnavailable", "too many requests at a time; try again later")  # noqa: TRY301
            admit(self._serving, request)
            if not await read_body(request, receive, limit=limits.body, seconds=limits.body_seconds):
                return
            watch = asyncio.create_task(_watch_client(receive, task))
            with self._serving.observer.tracing.request(request.headers, {}) as span:
                await exchange(self._serving, request, relay, record)
                span.set({"masking.route": record.route, "masking.client": record.client})
        except asyncio.CancelledError:
            if not (watch is not None and watch.done()) and not relay.writing:
                raise
        except UpstreamBroke as broke:
            await self._fail(
                request, relay, record, Refused(502, "upstream_broke", f"the upstream's reply {broke.what}")
            )
        except Exception as error:  # noqa: BLE001 - whatever it is: nothing leaves, and nothing of it is told
            await self._fail(request, relay, record, refused(error) or _unexpected(error))
        finally:
            if watch is not None:
                watch.cancel()
            del self._open[relay]
            self._serving.observer.ended(record, relay)

    async def _page(self, path: str) -> tuple[int, bytes, bytes] | None:
        """The gateway's own pages: status, content type, body."""
        match path:
            case "/healthz":
                return 200, b"text/plain", b"ok\n"
            case "/readyz":
                return await self._ready()
            case "/metrics":
                return self._serving.observer.page()
        return None

    async def _ready(self) -> tuple[int, bytes, bytes]:
        """Whether new requests can be served: not while it ends, nor without its vault."""
        serving = self._serving
        for check, what in (
            (serving.vault.check, b"the vault does not answer\n"),
            (serving.observer.check, b"the audit log cannot be written\n"),
        ):
            try:
                await asyncio.to_thread(check)
            except MaskingError:
                return 503, b"text/plain", what
        return 200, b"text/plain", b"ready\n"

    async def _fail(self, request: Incoming, relay: Relay, record: Record, error: Refused) -> None:
        if relay.started == "true":
            await relay.fail(error)
        else:
            await relay.refuse(error, close=not request.is_read)
        self._refused(record, error)

    def turned_away(self, target: bytes, headers: Iterable[tuple[bytes, bytes]], error: Refused) -> bytes:
        """Count and note a request that was refused before it was one; the body of the answer. `target` and `headers`
        as far as they came, b"" for none."""
        record = Record()
        family = FAMILIES["openai"]  # whose error shape most SDKs read
        if target:
            path, _, query = target.decode("latin-1").partition("?")
            family = _family(Incoming("", path, "", query[:_SHORT], _named(headers)))
            record.route = family.name
        self._refused(record, error)
        return spell(family.shape, error)

    def _refused(self, record: Record, error: Refused) -> None:
        record.decision, record.code = "refused", error.code
        self._serving.observer.refused(record)

    async def _watch_streams(self) -> None:
        """Heartbeats for the silent, an end for those whose client does not read."""
        limits = self.settings.limits
        pause = min(limits.heartbeat, limits.stall) / 5
        while True:
            await asyncio.sleep(pause)
            at = monotonic()
            for relay, task in list(self._open.items()):
                if relay.writing:
                    if at - relay.last > limits.stall:
                        task.cancel()
                elif at - relay.last > limits.heartbeat:
                    with contextlib.suppress(Exception):
                        await relay.heartbeat()


def _studio(settings: Studio) -> Any:
    """The page. Raises ConfigurationError where its libraries are missing."""
    try:
        from masking.policy.studio import app
    except ImportError:
        raise ConfigurationError("studio needs its libraries: pip install 'masking-pipeline[studio]'") from None
    return app(settings.folder, key=settings.key.read() if settings.key else None)


async def _answer(send: Send, status: int, kind: bytes, body: bytes, *more: tuple[bytes, bytes]) -> None:
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), (b"cache-control", b"no-store"), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def _watch_client(receive: Receive, task: asyncio.Task[Any]) -> None:
    """Cancel the exchange when its client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
    task.cancel()


def _named(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by name, however often they come."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}


def _family(request: Incoming) -> Family:
    try:
        return family_of(request)
    except Refused:
        return FAMILIES["dms"]


def _unexpected(error: Exception) -> Refused:
    """An error of our own. Its message may quote values, so only its kind and place are logged."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    where = f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame is not None else "?"
    _log.error("%s at %s", type(error).__name__, where)
    return Refused(500, "masking_failed", "this request could not be masked, so nothing was sent on")
