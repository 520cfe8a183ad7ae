"""Who answers: the API itself or a server that speaks it, over HTTP, or the echo model on this machine."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Protocol, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
from yarl import URL

from masking import echo
from masking.core.acs3 import AccessKey, authorize
from masking.gateway.body import Pieces, Response, Take
from masking.gateway.refusal import Refused

__all__ = [
    "SIGNATURE", "EchoUpstream", "HttpReply", "HttpUpstream", "Network", "Outgoing", "Reply", "Upstream",
    "UpstreamBroke",
]  # fmt: skip

# RFC 9110 §7.6.1, what describes the bytes of the other side, and what would tell who is asking: a client's address is
# personal data, too.
_NOT_SENT = frozenset(
    {
        "accept-encoding", "connection", "content-length", "cookie", "expect", "forwarded", "host", "keep-alive",
        "origin", "proxy-authenticate", "proxy-authorization", "proxy-connection", "referer", "te", "trailer",
        "transfer-encoding", "upgrade", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip",
    }
)  # fmt: skip
_NOT_RETURNED = frozenset(
    {
        "connection", "content-encoding", "content-length", "content-type", "date", "keep-alive", "location",
        "proxy-authenticate", "server", "set-cookie", "trailer", "transfer-encoding", "upgrade",
    }
)  # fmt: skip
_CREDENTIALS = frozenset({"authorization", "x-api-key", "x-goog-api-key", "api-key", "x-acs-bearer-token"})
# The older signature travels in the query; with it go a date and a nonce, which are the client's.
SIGNATURE = frozenset(
    {
        "AccessKeyId", "Action", "Format", "SecurityToken", "Signature", "SignatureMethod", "SignatureNonce",
        "SignatureType", "SignatureVersion", "Timestamp", "Version",
    }
)  # fmt: skip
_CONNECT = 10.0  # seconds


@dataclass(slots=True, repr=False)
class Outgoing:
    """A masked request: `tail` is the path below the API's prefix, as sent; `headers` are the client's."""

    method: str
    tail: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    action: str = ""
    version: str = ""
    target: str = ""
    """Path and query as the client sent them, masked: for who serves this gateway's own routes."""
    owner: str = ""
    """Whose sessions it may use."""
    category: str = ""
    """By which it was masked."""
    prepared: Any = None
    """What an upstream that prepares has made of it."""


class UpstreamBroke(Exception):  # noqa: N818 - what happened, not whose error
    """The reply ended before its end, or fell silent; `what` says which."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(what)


class Reply(Protocol):
    """A reply as it comes; `headers` are those that may be handed on."""

    @property
    def status(self) -> int: ...
    @property
    def content_type(self) -> str: ...
    @property
    def headers(self) -> list[tuple[bytes, bytes]]: ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises UpstreamBroke."""

    def close(self) -> None:
        """End it, at whatever point: a reply that was not read to its end is broken off."""


class Upstream(Protocol):
    """Sends one request. One that has `async prepare(outgoing)` is asked first, before anything is noted as sent: it
    raises Refused for what it cannot send."""

    async def send(self, outgoing: Outgoing) -> Reply:
        """The reply, once its head is there. Raises Refused when there is none."""


@dataclass(slots=True)
class Network:
    """The connections to all upstreams; made within the event loop."""

    session: aiohttp.ClientSession

    @classmethod
    def open(cls) -> Network:
        # Shorter than the 5 seconds after which common servers close: a request sent into that moment is lost.
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=4.0)
        return cls(
            aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                response_class=Response,
                skip_auto_headers=("User-Agent", "Content-Type", "Accept", "Accept-Encoding"),
            )
        )

    async def close(self) -> None:
        await self.session.close()


class HttpUpstream:
    """A server that speaks the client's API at `url`, which stands in the place of the API's prefix.

    `key` replaces the client's; without one the client's own is handed on if `hands_on`. `access_key` signs requests of
    the RPC style anew. `silence` in seconds between two reads.
    """

    def __init__(
        self,
        network: Network,
        url: str,
        *,
        key: Callable[[str], Mapping[str, str]] | None = None,
        access_key: AccessKey | None = None,
        hands_on: bool = False,
        connect: float = _CONNECT,
        silence: float = 300.0,
        ssl: Any = True,
    ) -> None:
        self._network = network
        self._url = url.rstrip("/")
        self._host = urlsplit(url).netloc
        self._key = key
        self._access_key = access_key
        self._hands_on = hands_on
        # Not sock_read: aiohttp would start that clock anew for every piece that comes.
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect)
        self._silence = silence
        self._ssl = ssl

    async def send(self, outgoing: Outgoing) -> Reply:
        headers, query = self._head(outgoing)
        url = f"{self._url}{outgoing.tail}" + (f"?{query}" if query else "")
        try:
            async with asyncio.timeout(self._silence):
                response = await self._network.session.request(
                    outgoing.method,
                    URL(url, encoded=True),
                    headers=headers,
                    data=outgoing.body or None,
                    timeout=self._timeout,
                    allow_redirects=False,
                    ssl=self._ssl,
                )
        except TimeoutError:
            raise Refused(504, "upstream_timeout", "the upstream did not answer in time") from None
        except (aiohttp.ClientError, OSError, ValueError):
            raise Refused(502, "upstream_unreachable", "the upstream cannot be reached, or speaks no HTTP") from None
        if 300 <= response.status < 400:
            # Followed by the client, it would lead around the mask.
            response.close()
            raise Refused(502, "upstream_redirects", "the upstream sends elsewhere; configure its final address")
        return HttpReply(cast("Response", response), self._silence)

    def _head(self, outgoing: Outgoing) -> tuple[dict[str, str], str]:
        named = {name.strip().lower() for name in outgoing.headers.get("connection", "").split(",")}
        drop = _NOT_SENT if self._hands_on else _NOT_SENT | _CREDENTIALS
        headers = {
            name: value
            for name, value in outgoing.headers.items()
            if name not in drop and name not in named and not name.startswith("x-masking-")
        }
        headers["accept-encoding"] = "identity"
        query = outgoing.query
        if outgoing.action:
            return self._signed(outgoing, headers)
        if self._key is not None:
            for name in _CREDENTIALS:
                headers.pop(name, None)
            headers.update(self._key(outgoing.tail))
        if not self._hands_on and "key=" in query:  # Gemini's may travel in the query
            query = urlencode([pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] != "key"])
        return headers, query

    def _signed(self, outgoing: Outgoing, headers: dict[str, str]) -> tuple[dict[str, str], str]:
        if self._access_key is None:
            raise Refused(500, "InternalError", "this upstream has no access key to sign with; configure access_key")
        key = self._access_key
        query = outgoing.query
        pairs = parse_qsl(query, keep_blank_values=True)
        kept = [pair for pair in pairs if pair[0] not in SIGNATURE]
        if len(kept) != len(pairs):
            query = urlencode(kept)
        signed = {
            name: value
            for name, value in headers.items()
            if name in ("accept", "content-type", "user-agent", "x-dashscope-datainspection")
        }
        signed |= {
            "host": self._host,
            "x-acs-version": outgoing.version,
            "x-acs-action": outgoing.action,
            "x-acs-date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "x-acs-signature-nonce": secrets.token_hex(16),
            "x-acs-content-sha256": sha256(outgoing.body).hexdigest(),
            "x-acs-credentials-provider": "static_ak" if key.security_token is None else "static_sts",
        }
        if key.security_token is not None:
            signed |= {"x-acs-accesskey-id": key.id, "x-acs-security-token": key.security_token}
        authorization = authorize(key, outgoing.method, "/", kept, signed, outgoing.body)
        return {**signed, "accept-encoding": "identity", "authorization": authorization}, query


class HttpReply:
    """A reply over HTTP. `silence` in seconds between two reads."""

    def __init__(self, response: Response, silence: float) -> None:
        self._response = response
        self._silence = silence
        self._is_silent = False
        self._timer: asyncio.TimerHandle | None = None
        self.status = response.status
        self.content_type = response.headers.get("Content-Type", "")
        self.headers = [
            (name.lower(), value) for name, value in response.raw_headers if _returns(name.decode("latin-1").lower())
        ]

    async def chunks(self, take: Take | None = None) -> AsyncIterator[bytes]:
        """The body as it comes, but for the pieces that `take` takes as they arrive, without this task's being woken.
        Raises UpstreamBroke, and what `take` raises."""
        pieces = self._response.pieces
        # Nobody waits for upstream where a client does not read: that is not its fault.
        self._look(pieces)
        try:
            while chunk := await pieces.read(take):
                yield chunk
        except (aiohttp.ClientError, OSError):
            raise UpstreamBroke("fell silent" if self._is_silent else "ended before its end") from None
        finally:
            self._stop_looking()

    def _look(self, pieces: Pieces) -> None:
        """One timer for all reads: it looks when the last one was, and comes again if that was lately."""
        loop = asyncio.get_running_loop()
        left = pieces.since + self._silence - time.monotonic()
        if left > 0:
            self._timer = loop.call_later(min(left, self._silence), self._look, pieces)
        else:
            self._is_silent = True
            self._response.close()

    def _stop_looking(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def close(self) -> None:
        self._stop_looking()
        self._response.close()


def _returns(name: str) -> bool:
    return name not in _NOT_RETURNED


class EchoUpstream:
    """The echo model, in whatever API. `pace` in seconds between two events; `manner` makes it misbehave."""

    def __init__(self, *, pace: float = 0.0, manner: echo.Manner | None = None) -> None:
        self._pace = pace
        self._manner = manner

    async def send(self, outgoing: Outgoing) -> Reply:
        made = echo.reply(outgoing.method, outgoing.target, outgoing.headers, outgoing.body, self._manner)
        return _EchoReply(made, self._pace)


@dataclass(slots=True)
class _EchoReply:
    made: echo.Reply
    pace: float
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)

    @property
    def status(self) -> int:
        return self.made.status

    @property
    def content_type(self) -> str:
        return self.made.content_type

    async def chunks(self) -> AsyncIterator[bytes]:
        for number, chunk in enumerate(self.made.chunks):
            if number:
                await asyncio.sleep(self.pace)
            yield chunk
        if self.made.breaks:
            raise UpstreamBroke("was told to break off")

    def close(self) -> None:
        """Nothing is open."""
