"""Who may use the page: this machine's user, from this machine, through the page itself.

    not from this machine            403   the connection's other end is no loopback address, or a proxy stands between
    another host's name in Host      403   DNS rebinding: a foreign name that resolves to 127.0.0.1
    no key                           403   another user of this machine; the link that was printed carries the key
    a POST from elsewhere            403   Sec-Fetch-Site, Origin and the form's token, each must agree

The cookie holds the proof of the key, nothing else; without a key it holds a random value for the token.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from secrets import token_bytes, token_urlsafe
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Guard", "allowed_host"]

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Not no-referrer: with it browsers send `Origin: null` with our own forms.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), clipboard-read=()",
    "cache-control": "no-store",
}
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "via")


class Guard:
    """ASGI around the page; `refuse` is the application that says why, from `scope["studio.refused"]`."""

    def __init__(self, inner: ASGIApp, refuse: ASGIApp, key: str | None) -> None:
        self._inner = inner
        self._refuse = refuse
        self._key = key
        self._secret = token_bytes(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._inner(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})  # there are none here
            return
        request = Request(scope)
        cookie, fresh = self._cookie(request)
        root = str(scope.get("root_path", ""))
        path = str(scope["path"]).removeprefix(root) or "/"
        given = request.query_params.get("key")
        refused = _from_elsewhere(request)
        if not refused and given is not None and self._opens(given):
            reply = RedirectResponse(f"{root}/", status_code=303)
            self._set(reply.headers, request, self._proof(), root)
            await reply(scope, receive, _adding(send, {}))
            return
        if not refused and not path.startswith("/static/"):
            if self._key is not None and not hmac.compare_digest(cookie.encode(), self._proof().encode()):
                refused = "key"
            elif request.method not in ("GET", "HEAD"):
                refused = _not_ours(request)
        scope = {**scope, "studio.token": self.token(cookie), "studio.refused": refused}
        extra: dict[str, str] = {}
        if not refused and fresh and self._key is None and not path.startswith("/static/"):
            made = MutableHeaders()
            self._set(made, request, cookie, root)
            extra = dict(made)
        await (self._refuse if refused else self._inner)(scope, receive, _adding(send, extra))

    def token(self, cookie: str) -> str:
        """What a form must send back, for the holder of this cookie."""
        return hmac.new(self._secret, b"form\0" + cookie.encode(), sha256).hexdigest()

    def _opens(self, given: str) -> bool:
        return self._key is not None and hmac.compare_digest(given.encode(), self._key.encode())

    def _proof(self) -> str:
        return hmac.new(self._secret, b"key\0" + (self._key or "").encode(), sha256).hexdigest()

    def _cookie(self, request: Request) -> tuple[str, bool]:
        """The cookie's value and whether it is new."""
        try:
            found = SimpleCookie(request.headers.get("cookie", "")).get(_name(request))
        except CookieError:
            found = None
        return (found.value, False) if found and found.value else (token_urlsafe(16), True)

    @staticmethod
    def _set(headers: MutableHeaders, request: Request, value: str, root: str) -> None:
        headers["set-cookie"] = f"{_name(request)}={value}; Path={root or '/'}; HttpOnly; SameSite=Strict"


def _name(request: Request) -> str:
    """The cookie's name: browsers keep one set of cookies for all ports of a machine."""
    return f"masking_studio_{_port(request.headers.get('host', ''))}"


def _port(host: str) -> str:
    port = host.rpartition(":")[2]
    return port if port.isdecimal() and not host.endswith("]") else "80"


def allowed_host(host: str) -> bool:
    """Whether a Host header names this machine by a loopback address or as localhost."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        _ = urlsplit(f"//{host}").port
    except ValueError:
        return False
    if "@" in host or "/" in host or "\\" in host:
        return False
    return name == "localhost" or _loopback(name)


def _loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _from_elsewhere(request: Request) -> str:
    client = request.client
    if client is None or not _loopback(client.host):
        return "remote"
    if any(name in request.headers for name in _FORWARDED):
        return "remote"
    return "" if allowed_host(request.headers.get("host", "")) else "host"


def _not_ours(request: Request) -> str:
    """Why a request that changes something is refused: it does not come from this page."""
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return "origin"
    origin = request.headers.get("origin")
    return "origin" if origin is not None and urlsplit(origin).netloc != request.headers.get("host", "") else ""


def _adding(send: Send, extra: dict[str, str]) -> Send:
    async def adding(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            for name, value in {**_HEADERS, **extra}.items():
                headers[name] = value
            message["headers"] = headers.raw
        await send(message)

    return adding
