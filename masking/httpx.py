"""The hook for SDKs on HTTPX: a transport that masks what leaves and restores what comes back.

    client = openai.OpenAI(http_client=masking.httpx.client(new_session, descriptors))

A request goes to the descriptor that fits it. One that fits none and has a body is answered here, with status 400 and
in OpenAI's error shape, so that no SDK retries it; so is one that cannot be made safe, in its provider's own shape.
Requests without a body (GET, HEAD, DELETE, OPTIONS) that fit none pass as they are. Errors of the network pass
unchanged.

`masking/httpx2.py` is generated from this file by `scripts/twin.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Protocol

import httpx

from masking.core.descriptor import Descriptors, Refusal, Route
from masking.core.errors import ConfigurationError, MaskingError, UnmaskableError
from masking.core.lane import Session
from masking.core.turn import Turn

__all__ = ["AsyncMaskingTransport", "MaskingTransport", "async_client", "client"]

_BODILESS = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
# They describe the bytes that came from upstream, not those that we hand on.
_REPLACED = frozenset({b"content-length", b"content-encoding", b"transfer-encoding"})
_NETWORK = ("verify", "cert", "trust_env", "http1", "http2", "limits", "proxy")
_DECODERS = {"br": ("brotli", "brotlicffi"), "zstd": ("zstandard",)}


class ClosableSession(Session, Protocol):
    """A session that forgets its values when it is closed."""

    def close(self) -> None: ...


NewSession = Callable[[], ClosableSession]


class MaskingTransport(httpx.BaseTransport):
    """Masks requests and restores replies around another transport."""

    def __init__(
        self, new_session: NewSession, descriptors: Descriptors, inner: httpx.BaseTransport | None = None
    ) -> None:
        """`new_session` makes the session of one exchange; `inner` is a plain httpx.HTTPTransport if left out."""
        self._new_session = new_session
        self._descriptors = descriptors
        self._inner = inner if inner is not None else httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        outgoing = _prepare(request, request.read(), self._descriptors, self._new_session)
        if isinstance(outgoing, httpx.Response):
            return outgoing
        try:
            response = self._inner.handle_request(outgoing.request)
            try:
                stream = None if not outgoing.opens(response) else _Restored(response, outgoing)
            except BaseException:
                response.close()
                raise
        except BaseException:
            outgoing.end()
            raise
        return response if stream is None else _answer(response, stream)

    def close(self) -> None:
        self._inner.close()


class AsyncMaskingTransport(httpx.AsyncBaseTransport):
    """As MaskingTransport, asynchronous. Masking itself runs in the event loop's thread."""

    def __init__(
        self, new_session: NewSession, descriptors: Descriptors, inner: httpx.AsyncBaseTransport | None = None
    ) -> None:
        """`new_session` makes the session of one exchange; `inner` is a plain httpx.AsyncHTTPTransport if left out."""
        self._new_session = new_session
        self._descriptors = descriptors
        self._inner = inner if inner is not None else httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        outgoing = _prepare(request, await request.aread(), self._descriptors, self._new_session)
        if isinstance(outgoing, httpx.Response):
            return outgoing
        try:
            response = await self._inner.handle_async_request(outgoing.request)
            try:
                stream = None if not outgoing.opens(response) else _AsyncRestored(response, outgoing)
            except BaseException:
                await response.aclose()
                raise
        except BaseException:
            outgoing.end()
            raise
        return response if stream is None else _answer(response, stream)

    async def aclose(self) -> None:
        await self._inner.aclose()


def client(
    new_session: NewSession, descriptors: Descriptors, *, transport: httpx.BaseTransport | None = None, **options: Any
) -> httpx.Client:
    """An httpx.Client that masks; `options` as httpx has them, `transport` is the one underneath.

    Proxies are not read from the environment: name one by `proxy`. Raises ConfigurationError for options that would
    lead around the mask.
    """
    network = _network(options, transport)
    inner = transport if transport is not None else httpx.HTTPTransport(**network)
    return httpx.Client(transport=MaskingTransport(new_session, descriptors, inner), **options)


def async_client(
    new_session: NewSession,
    descriptors: Descriptors,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    **options: Any,
) -> httpx.AsyncClient:
    """As `client`, asynchronous."""
    network = _network(options, transport)
    inner = transport if transport is not None else httpx.AsyncHTTPTransport(**network)
    return httpx.AsyncClient(transport=AsyncMaskingTransport(new_session, descriptors, inner), **options)


def _network(options: dict[str, Any], transport: object) -> dict[str, Any]:
    """Take the options that httpx would give to its own transport out of `options`."""
    if "mounts" in options:
        raise ConfigurationError("mounts lead around the mask; wrap their transports in MaskingTransport yourself")
    network = {name: options.pop(name) for name in _NETWORK if name in options}
    if "trust_env" in network:
        options["trust_env"] = network["trust_env"]  # the client reads it, too, for netrc files
    if transport is not None and "proxy" in network:
        raise ConfigurationError("a proxy leads around the transport that was given; give the proxy to that transport")
    return network


@dataclass(slots=True)
class _Outgoing:
    """A request ready to leave, and what its reply needs; without a turn the reply passes as it is."""

    request: httpx.Request
    turn: Turn | None = None
    session: ClosableSession | None = None

    def opens(self, response: httpx.Response) -> bool:
        """Whether the reply is to be restored; raises httpx.DecodingError for a compression not known here."""
        if self.turn is None or self.request.method == "HEAD":
            self.end()
            return False
        for encoding in response.headers.get("content-encoding", "identity").lower().split(","):
            if not _is_decodable(encoding.strip()):
                raise httpx.DecodingError(
                    "the reply is compressed although identity was asked for, in a way that is not known here",
                    request=self.request,
                )
        self.turn.open(response.status_code, response.headers.get("content-type", ""))
        return True

    def receive(self, chunk: bytes) -> bytes:
        return self.turn.receive(chunk) if self.turn is not None else chunk

    def rest(self) -> bytes:
        return self.turn.close() if self.turn is not None else b""

    def end(self) -> None:
        if self.session is not None:
            self.session.close()
            self.session = None


def _prepare(
    request: httpx.Request, body: bytes, descriptors: Descriptors, new_session: NewSession
) -> _Outgoing | httpx.Response:
    """The request as it may leave, or our own answer to it."""
    headers = dict(request.headers.items())
    query = request.url.query.decode("ascii")
    route = Route(request.method, request.url.host, request.url.path, dict(request.url.params), headers, body)
    descriptor = descriptors.pick(route)
    if descriptor is None:
        if not body and request.method in _BODILESS:
            return _Outgoing(request)
        what = "no descriptor knows this route, so its body was not sent; add one, or use another client for it"
        return _refused(request, Refusal(), what, "unknown_route")
    session = new_session()
    try:
        turn = Turn(descriptor, session)
        masked = turn.request(body, headers)
        masked_query = turn.query(query)
        replaced = turn.headers(headers)
    except UnmaskableError as error:
        session.close()
        return _refused(request, descriptor.refusal, str(error), "unmaskable")
    except MaskingError as error:
        session.close()
        return _refused(request, descriptor.refusal, str(error), "masking_failed")
    except BaseException:
        session.close()
        raise
    url = request.url if masked_query == query else request.url.copy_with(query=masked_query.encode("ascii"))
    return _Outgoing(_changed(request, url, masked, replaced), turn, session)


def _changed(request: httpx.Request, url: httpx.URL, body: bytes, replaced: dict[str, str]) -> httpx.Request:
    headers = request.headers.copy()
    for name, value in replaced.items():
        headers[name] = value  # spelled in UTF-8, where `update` would take only ASCII
    headers["accept-encoding"] = "identity"
    if body:
        headers.pop("transfer-encoding", None)
        headers["content-length"] = str(len(body))
    return httpx.Request(request.method, url, headers=headers, content=body or None, extensions=request.extensions)


def _refused(request: httpx.Request, refusal: Refusal, what: str, code: str) -> httpx.Response:
    headers = {"content-type": "application/json"}
    return httpx.Response(refusal.status, headers=headers, content=refusal.spell(what, code), request=request)


def _answer(response: httpx.Response, stream: httpx.SyncByteStream | httpx.AsyncByteStream) -> httpx.Response:
    headers = [(name, value) for name, value in response.headers.raw if name.lower() not in _REPLACED]
    return httpx.Response(response.status_code, headers=headers, stream=stream, extensions=response.extensions)


def _is_decodable(encoding: str) -> bool:
    if encoding in ("", "identity", "gzip", "deflate"):
        return True
    return any(find_spec(name) is not None for name in _DECODERS.get(encoding, ()))


class _Restored(httpx.SyncByteStream):
    """The restored bytes of a reply, as they come."""

    def __init__(self, response: httpx.Response, outgoing: _Outgoing) -> None:
        self._response = response
        self._outgoing = outgoing

    def __iter__(self) -> Iterator[bytes]:
        chunks = self._response.iter_bytes()
        while True:
            try:
                chunk = next(chunks, None)
            except Exception:
                # The connection broke: what was held back is said first, so that no text is lost on our account.
                yield from self._rest()
                raise
            if chunk is None:
                break
            said = self._outgoing.receive(chunk)
            if said:
                yield said
        yield from self._rest()

    def _rest(self) -> Iterator[bytes]:
        said = self._outgoing.rest()
        if said:
            yield said

    def close(self) -> None:
        try:
            self._response.close()
        finally:
            self._outgoing.end()


class _AsyncRestored(httpx.AsyncByteStream):
    """As _Restored, asynchronous."""

    def __init__(self, response: httpx.Response, outgoing: _Outgoing) -> None:
        self._response = response
        self._outgoing = outgoing

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks = self._response.aiter_bytes()
        while True:
            try:
                chunk = await anext(chunks, None)
            except Exception:
                said = self._outgoing.rest()
                if said:
                    yield said
                raise
            if chunk is None:
                break
            said = self._outgoing.receive(chunk)
            if said:
                yield said
        said = self._outgoing.rest()
        if said:
            yield said

    async def aclose(self) -> None:
        try:
            await self._response.aclose()
        finally:
            self._outgoing.end()
