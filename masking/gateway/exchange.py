"""One request: read, known, decided, masked, sent on, its reply restored.

    read          the body, within its limits of size and time
    known         who is asking; whose sessions that gives access to
    decided       the API, its descriptor, the category, the upstream
    masked        with the conversation's session, in a thread where it may take long
    noted         in the audit log, before anything leaves
    sent on       and handed back by the relay

Whatever goes wrong before the last step: nothing leaves.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from masking.core.acs3 import Received
from masking.core.descriptor import Descriptor
from masking.core.errors import LimitError, MaskingError, ModelError, UnmaskableError, VaultError
from masking.core.session import Session
from masking.core.turn import Turn
from masking.gateway.audit import AuditError
from masking.gateway.auth import AuthenticationError
from masking.gateway.conversation import Conversation, Counting, Unmasked, naming
from masking.gateway.family import Family, family_of, pick, tail
from masking.gateway.incoming import Incoming
from masking.gateway.operations import check
from masking.gateway.record import Record
from masking.gateway.refusal import Refused
from masking.gateway.relay import Relay
from masking.gateway.serving import Serving
from masking.gateway.settings import Client, Route
from masking.gateway.upstream import HttpUpstream, Outgoing
from masking.gateway.wiring import owner_of
from masking.masker import Masker

__all__ = ["admit", "exchange", "read_body", "refused"]

Receive = Callable[[], Awaitable[dict[str, Any]]]

_LINGER = 2.0  # seconds
_LONG = 2_048  # bytes of a request that are masked without a thread, where neither model nor vault makes it wait


@dataclass(slots=True)
class _Who:
    owner: str
    client: Client | None


async def exchange(serving: Serving, request: Incoming, relay: Relay, record: Record) -> None:
    """Serve one request whose body was read. Raises Refused, or what `refused` makes one of."""
    family = family_of(request)
    record.route = family.name
    who = await _known(serving, request, family)
    record.client = who.client.name if who.client else ""
    route = serving.routes.get(family.name)
    if route is None or (who.client is not None and who.client.routes and family.name not in who.client.routes):
        raise Refused(404, *_unknown(family))
    descriptor = pick(request, family, serving.maskers.descriptors)
    record.operation = descriptor.id
    masker = await _masker(serving, request, family, route, who.client)
    record.category, record.version = masker.category.name, masker.category.version
    if _is_unmasked(request, family, route):
        record.decision = "unmasked"
    conversation = Conversation(serving.vault, who.owner, record.category, naming(request, descriptor))
    try:
        with serving.observer.tracing.part("masking.mask") as span:
            turn, outgoing = await _masked(serving, request, family, descriptor, masker, conversation, record, relay)
            span.set({"masking.findings": record.rules.total()})
        outgoing.owner, outgoing.category = who.owner, record.category
        upstream = serving.upstreams[family.name]
        if family.is_openapi and not isinstance(upstream, HttpUpstream):
            check(outgoing)  # what the service itself would do
        prepare = getattr(upstream, "prepare", None)
        if prepare is not None:
            await prepare(outgoing)
        await serving.observer.sending(record)
        relay.early = _early(request)
        with serving.observer.tracing.part("masking.upstream"):
            reply = await upstream.send(outgoing)
        serving.observer.metrics.replied(family.name, reply.status)
        try:
            with serving.observer.metrics.stream(family.name):
                await relay.hand_on(reply, turn, conversation)
        finally:
            reply.close()
    finally:
        conversation.close()


async def read_body(request: Incoming, receive: Receive, *, limit: int, seconds: float) -> bool:
    """The body, and whether its client is still there. Raises Refused for one that is too long, too slow or packed."""
    _check_head(request)
    declared = request.headers.get("content-length", "0")
    too_long = Refused(413, "body_too_long", f"the body is longer than {limit} bytes; send less")
    if not declared.isdecimal() or int(declared) > limit:
        if "expect" not in request.headers:
            await _discard(receive)
        raise too_long
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return False
                part = message.get("body", b"")
                size += len(part)
                parts.append(part)
                goes_on = message.get("more_body", False)
                if size > limit or not goes_on:
                    break
    except TimeoutError:
        raise Refused(408, "body_too_slow", f"the body was not there after {seconds:g} seconds") from None
    if size > limit:
        if goes_on:
            await _discard(receive)
        raise too_long
    request.body = parts[0] if len(parts) == 1 else b"".join(parts)
    request.is_read = True
    return True


async def _discard(receive: Receive) -> None:
    """Read on for a moment: a connection that is closed on unread bytes takes our answer with it."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LINGER):
            while (await receive()).get("more_body", False):
                pass


def admit(serving: Serving, request: Incoming) -> None:
    """Turn away who shows no key, before the body is read. Signatures need the body. Raises AuthenticationError."""
    family = family_of(request)
    if serving.authenticator is not None and not family.is_openapi:
        received = Received(request.method, request.raw_path, request.query, request.headers)
        serving.authenticator.identify(received, signed=False)


def _check_head(request: Incoming) -> None:
    headers = request.headers
    if headers.get("upgrade", "").lower() == "websocket":
        raise Refused(400, "unknown_route", "websockets are not served: what they carry could not be masked")
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise Refused(415, "unmaskable", "the body is compressed; send it plain")
    if headers.get("content-type", "").strip().lower().startswith("multipart/"):
        raise Refused(415, "unmaskable", "files cannot be masked; send text as JSON")


async def _known(serving: Serving, request: Incoming, family: Family) -> _Who:
    if serving.authenticator is None:
        return _Who(owner_of(request), None)
    received = Received(request.method, request.raw_path, request.query, request.headers, request.body)
    if family.is_openapi and serving.settings.vault.blocks:  # where nonces are remembered
        name = await asyncio.to_thread(serving.authenticator.identify, received, signed=True)
    else:
        name = serving.authenticator.identify(received, signed=family.is_openapi)
    return _Who(f"client:{name}", serving.clients[name])


def _unknown(family: Family) -> tuple[str, str]:
    what = f"this gateway does not serve {family.about}"
    return ("InvalidAction.NotFound" if family.is_openapi else "unknown_route"), what


async def _masker(serving: Serving, request: Incoming, family: Family, route: Route, client: Client | None) -> Masker:
    name = (client.category if client else "") or route.category or serving.settings.category
    chosen = ""
    if family.name == "dms":
        chosen = request.parameter("DesensitizationRule")
    chosen = chosen or request.headers.get("x-masking-category", "")
    if chosen and chosen != name:
        name = serving.maskers.check(chosen, frozenset(client.categories if client else ()))
    ready = serving.maskers.ready(name)
    return ready if ready is not None else await asyncio.to_thread(serving.maskers.named, name)


def _is_unmasked(request: Incoming, family: Family, route: Route) -> bool:
    return (
        family.name == "dms" and route.allow_unmasked and (request.parameter("NeedDesensitization").lower() == "false")
    )


async def _masked(
    serving: Serving,
    request: Incoming,
    family: Family,
    descriptor: Descriptor,
    masker: Masker,
    conversation: Conversation,
    record: Record,
    relay: Relay,
) -> tuple[Turn, Outgoing]:
    limit = serving.settings.limits.reply

    def mask(session: Session) -> tuple[Turn, Outgoing]:
        if record.decision == "unmasked":
            turn = Turn(descriptor, Unmasked(), signer="acs3", limit=limit)
            return turn, _outgoing(request, family, turn)
        serving.maskers.check_path(masker, request.path)
        counting = Counting(session)
        turn = Turn(descriptor, counting, signer="acs3", limit=limit)
        outgoing = _outgoing(request, family, turn)
        record.rules, record.entities = counting.rules, counting.entities
        relay.counting = counting
        return turn, outgoing

    begun = time.perf_counter()
    is_quick = len(request.body) + len(request.query) <= _LONG and not serving.maskers.uses_models(masker)
    if is_quick and not (conversation.is_named and serving.settings.vault.blocks):
        made: tuple[Turn, Outgoing] = conversation.masked(masker.session, mask)
    else:
        loop = asyncio.get_running_loop()
        made = await loop.run_in_executor(serving.threads, conversation.masked, masker.session, mask)
    record.masking = time.perf_counter() - begun
    return made


def _outgoing(request: Incoming, family: Family, turn: Turn) -> Outgoing:
    """The request as it may leave. Raises UnmaskableError."""
    body = turn.request(request.body, request.headers)
    query = turn.query(request.query)
    changed = turn.headers(request.headers)
    return Outgoing(
        request.method,
        tail(request, family),
        query,
        {**request.headers, **changed},
        body,
        request.action,
        request.version,
        request.raw_path + (f"?{query}" if query else ""),
    )


def _early(request: Incoming) -> Any:
    """The form in which the reply may begin before upstream has answered."""
    match request.action:
        case "ChatMessages":
            return "events"
        case "ChatWithDesensitizeSSE":
            return "document" if request.parameter("Stream").lower() == "false" else "events"
        case "ChatWithDesensitize":
            return "document"
    return ""


def refused(error: Exception) -> Refused | None:
    """The refusal that an error becomes; None for one that nobody expected."""
    match error:
        case Refused():
            return error
        case AuthenticationError():
            return Refused(error.status, error.code, error.what)
        case UnmaskableError():
            return Refused(400, "unmaskable", str(error))
        case LimitError():
            return Refused(429, "session_too_large", str(error))
        case VaultError():
            return Refused(503, "vault_down", "the store of sessions does not answer, so nothing was sent on")
        case ModelError():
            return Refused(503, "detector_down", "what finds personal data is not ready, so nothing was sent on")
        case AuditError():
            return Refused(503, "audit_down", "what must be noted cannot be noted, so nothing was sent on")
        case MaskingError():
            return Refused(500, "masking_failed", "this exchange could not be masked")
    return None
