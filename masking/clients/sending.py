"""What sending needs besides a socket: when to try again, how long to wait, and what a failure is called. No IO.

Nothing is sent twice unless the caller allows it: a connection that did not come about has sent nothing, anything
later may have arrived. A reply of 429 or 503 is asked for again only if the client was told that asking twice does no
harm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from masking.clients.errors import ParameterError, TransportError
from masking.clients.prepared import Prepared

__all__ = ["TIMEOUT", "Retry", "base_url", "failed", "request_of", "retry_after"]

TIMEOUT = httpx.Timeout(300.0, connect=10.0)
"""Seconds: models may think for minutes without a word, and the vendor's own 10 seconds cut such answers off."""

# httpx refuses longer ones; a RdsAi query carries a whole text, so it is then handed to the transport as it is.
_LONGEST_URL = 60_000
_UNSENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
_WORDS: tuple[tuple[type[httpx.RequestError], str], ...] = (
    (httpx.ConnectTimeout, "no connection in time; check the address and what stands between"),
    (httpx.PoolTimeout, "no connection became free in time; raise the limits of the transport, or ask less at once"),
    (httpx.TimeoutException, "the service fell silent for longer than the timeout; raise it for slow models"),
    (httpx.ConnectError, "no connection; check the address, name service, certificates and what stands between"),
    (httpx.ProxyError, "the proxy refused; check its address and credentials"),
    (httpx.DecodingError, "the reply says that it is compressed, and does not decompress"),
    (httpx.RemoteProtocolError, "the connection broke, or the reply is not HTTP"),
    (httpx.NetworkError, "the connection broke"),
)


@dataclass(frozen=True, slots=True)
class Retry:
    """How often to try again. `connects`: when no connection came about. `replies`: after 429 and 503.

    Waiting is half a second, then twice as long each time, or what the server asks for; when it asks for more than
    `longest` seconds, its error is raised at once.
    """

    connects: int = 2
    replies: int = 0
    longest: float = 60.0

    def after_failure(self, attempt: int, error: TransportError) -> float | None:
        """Seconds to wait before the next attempt; None to give up. `attempt` counts from 0."""
        return 0.5 * 2**attempt if not error.sent and attempt < self.connects else None

    def after_reply(self, attempt: int, status: int, asked: float | None) -> float | None:
        """As `after_failure`, for a reply; `asked` is what the server asks for, in seconds."""
        if status not in (429, 503) or attempt >= self.replies:
            return None
        wait = 0.5 * 2**attempt if asked is None else asked
        return wait if wait <= self.longest else None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait. Milliseconds in the vendors' own headers; a date (RFC 9110 section
    10.2.3) is not read."""
    for name, unit in (("x-acs-retry-after", 1000), ("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            wait = float(headers.get(name, "")) / unit
        except ValueError:
            continue
        if 0 <= wait < float("inf"):
            return wait
    return None


def failed(error: httpx.RequestError) -> TransportError:
    """What httpx says, in words that hold nothing of the request: its own may quote an address with the query in it."""
    words = next((words for kind, words in _WORDS if isinstance(error, kind)), "the network failed")
    return TransportError(f"{words} ({type(error).__name__})", sent=not isinstance(error, _UNSENT))


def base_url(given: str, default_path: str = "") -> str:
    """An endpoint as `scheme://host[:port]/path`; https unless it says otherwise. Raises ParameterError."""
    text = given if "://" in given else f"https://{given}"
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment or url.userinfo:
        raise ParameterError(
            "the endpoint is a host, or https://host:port/path, without a query and without credentials",
            parameter="endpoint",
        )
    path = url.path.rstrip("/") or default_path
    return f"{url.scheme}://{url.netloc.decode('ascii')}{path}"


def request_of(made: Prepared, timeout: httpx.Timeout) -> httpx.Request:
    """A fresh request, not yet signed."""
    url = httpx.URL(made.url)
    query = made.query
    extensions: dict[str, object] = {"timeout": timeout.as_dict()}
    if len(query) > _LONGEST_URL:
        extensions["target"] = url.raw_path + b"?" + query.encode("ascii")
    elif query:
        url = httpx.URL(f"{made.url}?{query}")
    return httpx.Request("POST", url, headers=list(made.headers), content=made.body, extensions=extensions)
