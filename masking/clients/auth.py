"""Who is asking: access keys, temporary ones, bearer tokens and API keys, each as an `httpx.Auth`.

    httpx.Client(auth=Acs3Auth(AccessKey("LTAI…", "…")))

Everything is made at the moment of sending, so that a request sent again carries a date and a nonce of its own.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from hashlib import sha256
from urllib.parse import parse_qsl

import httpx

from masking.clients.errors import ParameterError
from masking.core.acs3 import AccessKey, authorize

__all__ = [
    "AccessKey",
    "Acs3Auth",
    "ApiKeyAuth",
    "BearerToken",
    "Credentials",
    "acs_credentials",
    "api_key",
]

# Set by HTTP itself, after the signature.
_UNSIGNED = frozenset({"accept-encoding", "connection", "content-length", "transfer-encoding", "authorization"})


@dataclass(frozen=True, slots=True)
class BearerToken:
    """A bearer token of Alibaba Cloud; requests with one are not signed. Its repr does not show it."""

    token: str = field(repr=False)

    def __post_init__(self) -> None:
        _check_token(self.token, "the bearer token")


Credentials = AccessKey | BearerToken | Callable[[], AccessKey | BearerToken]
"""A function is asked before each request: for temporary keys that are renewed."""


class Acs3Auth(httpx.Auth):
    """Signs by ACS3-HMAC-SHA256 at the moment of sending, every header that is set, as the vendor's Python SDK does.

    `now` gives seconds since 1970 (UTC), `nonce` a text that is used once.
    """

    requires_request_body = True

    def __init__(
        self,
        credentials: Credentials,
        *,
        now: Callable[[], float] = time.time,
        nonce: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        self._credentials = credentials
        self._now = now
        self._nonce = nonce

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        self.sign(request)
        yield request

    def sign(self, request: httpx.Request) -> None:
        """Give the request its date, nonce and signature; those that it had are replaced."""
        credentials = self._credentials() if callable(self._credentials) else self._credentials
        headers = request.headers
        for name in [name for name in headers if name == "authorization" or name.startswith("x-acs-")]:
            if name not in ("x-acs-action", "x-acs-version"):
                del headers[name]
        headers["x-acs-date"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._now()))
        headers["x-acs-signature-nonce"] = self._nonce()
        headers["x-acs-content-sha256"] = sha256(request.content).hexdigest()
        if isinstance(credentials, BearerToken):
            headers["x-acs-bearer-token"] = credentials.token
            return
        if credentials.security_token is None:
            headers["x-acs-credentials-provider"] = "static_ak"
        else:
            headers["x-acs-credentials-provider"] = "static_sts"
            headers["x-acs-accesskey-id"] = credentials.id
            headers["x-acs-security-token"] = credentials.security_token
        path, _, query = _target(request).partition("?")
        signed = {name: value for name, value in headers.items() if name not in _UNSIGNED}
        parameters = parse_qsl(query, keep_blank_values=True)
        headers["authorization"] = authorize(credentials, request.method, path, parameters, signed, request.content)


class ApiKeyAuth(httpx.Auth):
    """`Authorization: Bearer`, as Model Studio and the OpenAI-compatible servers take it."""

    def __init__(self, key: str | Callable[[], str]) -> None:
        """A function is asked before each request. Raises ParameterError for a key that no header can hold."""
        self._key = key
        if isinstance(key, str):
            _check_token(key, "the API key")

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        key = self._key() if callable(self._key) else self._key
        _check_token(key, "the API key")
        request.headers["authorization"] = f"Bearer {key}"
        yield request


def _target(request: httpx.Request) -> str:
    """Path and query as they are sent, also where they are too long for httpx's own URL."""
    target = request.extensions.get("target")
    return (target if isinstance(target, bytes) else request.url.raw_path).decode("ascii")


def acs_credentials(given: Credentials | None) -> Credentials:
    """`given`, or those of the environment, by the vendor's own names: ALIBABA_CLOUD_ACCESS_KEY_ID, …_SECRET and
    ALIBABA_CLOUD_SECURITY_TOKEN. Raises ParameterError when there are none."""
    if given is not None:
        return given
    key = os.environ.get("ALIBABA_CLOUD_ACCESS_KEY_ID")
    secret = os.environ.get("ALIBABA_CLOUD_ACCESS_KEY_SECRET")
    if not key or not secret:
        raise ParameterError(
            "no credentials: pass credentials=AccessKey(id, secret), or set ALIBABA_CLOUD_ACCESS_KEY_ID and "
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
            parameter="credentials",
        )
    return AccessKey(key, secret, os.environ.get("ALIBABA_CLOUD_SECURITY_TOKEN") or None)


def api_key(given: str | Callable[[], str] | None, variable: str = "DASHSCOPE_API_KEY") -> ApiKeyAuth:
    """An API key as an httpx.Auth: `given`, or that of the environment. Raises ParameterError when there is none."""
    key = given if given is not None else os.environ.get(variable)
    if not key:
        raise ParameterError(f"no API key: pass api_key=…, or set {variable}", parameter="api_key")
    return ApiKeyAuth(key)


def _check_token(token: str, what: str) -> None:
    if not token or not token.isascii() or any(character <= " " or character == "\x7f" for character in token):
        raise ParameterError(
            f"{what} is empty or holds a character that none has: look for a stray space or line end", parameter=what
        )
