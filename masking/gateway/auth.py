"""Who is asking: signatures of Alibaba Cloud, bearer tokens and API keys, told apart and checked.

    authenticator = Authenticator([Account("shop", api_keys=["sk-…"], access_keys=[AccessKey("LTAI…", "…")])])
    name = authenticator.identify(received, signed=True)     # "shop", or AuthenticationError with code and status

`signed` says that the API is of Alibaba Cloud's RPC style. What is accepted there: ACS3-HMAC-SHA256, the older
HMAC-SHA1 form, and `x-acs-bearer-token` with one of the client's API keys. Everywhere: an API key as
`Authorization: Bearer`, `x-api-key`, `api-key` or `x-goog-api-key`.

No credential is in any message or repr. API keys are kept as hashes alone; the secrets of access keys have to be kept,
because signatures are made with them.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from secrets import token_bytes
from threading import Lock
from typing import Protocol
from urllib.parse import parse_qsl

from masking.core.acs3 import WINDOW, AccessKey, Received, SignatureError, verify, verify_rpc
from masking.core.errors import ConfigurationError, MaskingError
from masking.vault import Vault

__all__ = ["Account", "AuthenticationError", "Authenticator", "MemoryNonces", "Nonces", "SharedNonces"]

_KEY_HEADERS = ("x-api-key", "api-key", "x-goog-api-key")
_BEARER = "x-acs-bearer-token"
_BUCKET = 60.0  # seconds of expiry that share a set of nonces
_LONGEST_NONCE = 256  # characters


class AuthenticationError(MaskingError):
    """Nobody that is known here; `code` and `status` are those that the API's own servers answer with."""

    def __init__(self, code: str, what: str, status: int) -> None:
        self.code = code
        self.what = what
        self.status = status
        super().__init__(code, what, status)

    def __str__(self) -> str:
        return f"{self.code}: {self.what}"


@dataclass(frozen=True, slots=True)
class Account:
    """A client and what it proves itself by. `api_key_hashes` are SHA-256 in hex, for keys that nobody keeps."""

    name: str
    api_keys: Collection[str] = field(default=(), repr=False)
    access_keys: Collection[AccessKey] = ()
    api_key_hashes: Collection[str] = field(default=(), repr=False)


class Nonces(Protocol):
    """Remembers which nonces were used."""

    def use(self, key_id: str, nonce: str, until: float) -> bool:
        """Whether the nonce is new; it is remembered until then, in seconds since 1970.

        Raises AuthenticationError when no more can be remembered.
        """
        ...


class MemoryNonces:
    """Nonces of this process: at most `limit` of each access key, so that no client uses up another's.

    What they cannot tell: a nonce that was used before the process started, or at another gateway.
    """

    def __init__(self, limit: int = 500_000, now: Callable[[], float] = time.time) -> None:
        self._limit = limit
        self._now = now
        self._lock = Lock()
        self._seed = token_bytes(16)
        self._used: dict[str, dict[int, set[int]]] = {}  # by key, by the minute in which they end

    def use(self, key_id: str, nonce: str, until: float) -> bool:
        """Whether the nonce is new. Raises AuthenticationError when no more can be remembered."""
        digest = hmac.digest(self._seed, nonce.encode("utf-8", "surrogatepass"), sha256)
        mark = int.from_bytes(digest[:8])
        with self._lock:
            minutes = self._used.setdefault(key_id, {})
            for minute in [one for one in minutes if one * _BUCKET < self._now() - _BUCKET]:
                del minutes[minute]
            if any(mark in marks for marks in minutes.values()):
                return False
            if sum(map(len, minutes.values())) >= self._limit:
                raise AuthenticationError("Throttling.User", "too many requests of this access key at a time", 429)
            minutes.setdefault(int(until // _BUCKET), set()).add(mark)
            return True


class SharedNonces:
    """Nonces in the vault: those of all gateways that share it, also from before they started. Its calls block."""

    def __init__(self, vault: Vault, now: Callable[[], float] = time.time) -> None:
        self._vault = vault
        self._now = now

    def use(self, key_id: str, nonce: str, until: float) -> bool:
        """Whether the nonce is new. Raises VaultError: what cannot be remembered counts as used."""
        return self._vault.claim(f"nonces:{key_id}", nonce, until - self._now())


class Authenticator:
    """Knows the clients; may be used from several threads. Its repr shows their number."""

    def __init__(
        self,
        accounts: Iterable[Account],
        *,
        now: Callable[[], float] = time.time,
        window: float = WINDOW,
        nonces: Nonces | None = None,
    ) -> None:
        """`window` in seconds that a signature's date may be away. Raises ConfigurationError when two clients share a
        key."""
        self._now = now
        self._window = window
        self._nonces = nonces or MemoryNonces(now=now)
        self._seed = token_bytes(32)
        self._names: dict[bytes, str] = {}
        self._access: dict[str, tuple[str, AccessKey]] = {}
        given = list(accounts)
        for account in given:
            hashes = [sha256(key.encode()).digest() for key in account.api_keys]
            hashes += [_unhexed(text, account.name) for text in account.api_key_hashes]
            marks = {self._mark(hashed) for hashed in hashes}
            keys = {key.id: (account.name, key) for key in account.access_keys}
            if marks & self._names.keys() or keys.keys() & self._access.keys():
                raise ConfigurationError(f"the client {account.name} has a key that another client has")
            self._names.update(dict.fromkeys(marks, account.name))
            self._access.update(keys)
        self._count = len(given)

    def __repr__(self) -> str:
        return f"<Authenticator of {self._count} clients>"

    def identify(self, received: Received, *, signed: bool = False) -> str:
        """The client's name. Raises AuthenticationError; see the module."""
        if signed and self._has_signature(received):
            return self._signer(received)
        given = _keys(received.headers, bearer=signed)
        if not given:
            raise _unsigned() if signed else _no_key()
        names = {self._names.get(self._mark(sha256(key.encode("utf-8", "surrogatepass")).digest())) for key in given}
        name = names.pop()
        if name is None or names:
            raise _wrong_token() if signed else _no_key()
        return name

    def _has_signature(self, received: Received) -> bool:
        authorization = received.headers.get("authorization", "")
        if authorization:
            return not authorization.lower().startswith("bearer ")
        return "Signature=" in received.query and _BEARER not in received.headers

    def _signer(self, received: Received) -> str:
        now = self._now()
        old = "authorization" not in received.headers
        try:
            key_id = (verify_rpc if old else verify)(received, self._secret, now, window=self._window)
        except SignatureError as error:
            raise AuthenticationError(error.code, error.args[1], error.status) from None
        name, key = self._access[key_id]
        if old:
            parameters = dict(parse_qsl(received.query, keep_blank_values=True))
            token, nonce = parameters.get("SecurityToken", ""), parameters.get("SignatureNonce", "")
        else:
            token = received.headers.get("x-acs-security-token", "")
            nonce = received.headers["x-acs-signature-nonce"]
        _check_token(token, key)
        if not nonce.strip() or len(nonce) > _LONGEST_NONCE:
            raise AuthenticationError("InvalidParameter", f"a nonce has 1 to {_LONGEST_NONCE} characters", 400)
        # The date may lie ahead by the window, and be good for another one from there.
        if not self._nonces.use(key_id, nonce.strip(), now + 2 * self._window):
            raise AuthenticationError("SignatureNonceUsed", "this nonce was used before; make a new one each time", 400)
        return name

    def _secret(self, key_id: str) -> str | None:
        found = self._access.get(key_id)
        return found[1].secret if found else None

    def _mark(self, hashed: bytes) -> bytes:
        """What a key is looked up by: nobody outside can choose it, so the look-up's time tells nothing."""
        return hmac.digest(self._seed, hashed, sha256)


def _keys(headers: Mapping[str, str], *, bearer: bool) -> list[str]:
    """Every API key that a request shows."""
    found = [headers[name] for name in _KEY_HEADERS if headers.get(name)]
    if bearer and headers.get(_BEARER):
        found.append(headers[_BEARER])
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme:
        found.append(token.strip() if scheme.lower() == "bearer" else "")
    return found


def _check_token(token: str, key: AccessKey) -> None:
    """A temporary key counts with its token alone."""
    if key.security_token is None and not token:
        return
    if not token:
        raise AuthenticationError("MissingSecurityToken", "a temporary access key comes with its token", 400)
    if not _same(token, key.security_token or ""):
        raise AuthenticationError("InvalidSecurityToken.Malformed", "this is not the token of this access key", 400)


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))


def _unhexed(text: str, name: str) -> bytes:
    try:
        hashed = bytes.fromhex(text)
    except ValueError:
        hashed = b""
    if len(hashed) != sha256().digest_size:
        raise ConfigurationError(f"the client {name} has a key's hash that is not SHA-256 in hex (64 characters)")
    return hashed


def _no_key() -> AuthenticationError:
    what = "send an API key of this gateway, as Authorization: Bearer or x-api-key"
    return AuthenticationError("invalid_api_key", what, 401)


def _unsigned() -> AuthenticationError:
    return AuthenticationError("IncompleteSignature", "sign this request, or send x-acs-bearer-token", 400)


def _wrong_token() -> AuthenticationError:
    return AuthenticationError("InvalidBearerToken.NotFound", "no such bearer token here", 401)
