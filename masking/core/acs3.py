"""Alibaba Cloud's request signatures, without IO: ACS3-HMAC-SHA256, its verifier, and the older HMAC-SHA1 form.

    authorization = authorize(key, "POST", "/", parameters, headers, body)
    key = verify(received, secrets.get, now)          # raises SignatureError with the gateway's own error code

Clock and nonce come from the caller. Sources: https://help.aliyun.com/zh/sdk/product-overview/v3-request-structure-and-signature
and the vendor's Python SDK (alibabacloud-tea-openapi 0.4.6), whose bytes the test vectors hold.
"""

from __future__ import annotations

import re
from base64 import b64encode
from calendar import monthrange, timegm
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from hmac import compare_digest
from hmac import new as hmac
from urllib.parse import parse_qsl, quote, urlencode

from masking.core.errors import ConfigurationError, MaskingError

__all__ = [
    "ALGORITHM",
    "AccessKey",
    "Received",
    "SignatureError",
    "authorize",
    "canonical_query",
    "canonical_request",
    "form",
    "percent",
    "rpc_signature",
    "verify",
    "verify_rpc",
]

ALGORITHM = "ACS3-HMAC-SHA256"
WINDOW = 900.0
"""Seconds that a request's date may be away from the verifier's clock."""

# What a signature that does not cover them would leave to anyone on the way.
_REQUIRED = frozenset(
    {"host", "x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"}
)
_RPC_REQUIRED = (
    "Action", "Version", "AccessKeyId", "SignatureMethod", "SignatureVersion", "SignatureNonce", "Timestamp",
    "Signature",
)  # fmt: skip
_FORM = "application/x-www-form-urlencoded"
# The SDK does not encode keys. A key with `&` or `=` in it could then pass for several parameters.
_KEY = re.compile(r"[A-Za-z0-9._~-]+")
_NOT_IN_KEY = re.compile(r"[^\x21-\x2b\x2d-\x7e]")
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z")
_CREDENTIAL = re.compile(r"Credential=([^,\s]+)\s*,\s*SignedHeaders=([^,\s]+)\s*,\s*Signature=([0-9a-fA-F]{64})")


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A key pair; with `security_token` a temporary one of the Security Token Service (STS). Its repr shows no secret.

    Raises ConfigurationError when one is empty or holds spaces, commas or control characters.
    """

    id: str
    secret: str = field(repr=False)
    security_token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name, value in (("id", self.id), ("secret", self.secret), ("security_token", self.security_token)):
            if value is not None and (not value or _NOT_IN_KEY.search(value)):
                raise ConfigurationError(
                    f"the access key's {name} is empty or holds a character that none has: look for a stray space, "
                    "quote or line end where it is kept"
                )


@dataclass(frozen=True, slots=True, repr=False)
class Received:
    """A request as it arrived: header names in lower case, the query undecoded, the body's own bytes."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = b""


class SignatureError(MaskingError):
    """A signature that does not hold; `code` and `status` are what Alibaba's gateways answer with."""

    def __init__(self, code: str, what: str, status: int = 400) -> None:
        self.code = code
        self.status = status
        super().__init__(code, what, status)

    def __str__(self) -> str:
        return f"{self.code}: {self.args[1]}"


def percent(text: str) -> str:
    """Percent-encoded UTF-8; unreserved characters of RFC 3986 section 2.3 stay as they are."""
    return quote(text, safe="-_.~")


def form(fields: Mapping[str, str]) -> bytes:
    """A form body as the SDKs spell it: keys sorted, a space as `+`, `*` encoded, `~` not."""
    return urlencode(sorted(fields.items())).encode("ascii")


def canonical_query(parameters: Iterable[tuple[str, str]]) -> str:
    """Decoded parameters as they are signed. Raises SignatureError for a name that is not one."""
    pairs = sorted(parameters)
    for name, _ in pairs:
        if not _KEY.fullmatch(name):
            raise SignatureError("InvalidParameter", "a parameter's name has characters that no name has")
    return "&".join(f"{name}={percent(value)}" for name, value in pairs)


def canonical_request(
    method: str, path: str, parameters: Iterable[tuple[str, str]], headers: Mapping[str, str], digest: str
) -> str:
    """The text whose hash is signed; every one of `headers` counts, `digest` is the body's SHA-256 in hex."""
    names = sorted(headers)
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in names)
    query = canonical_query(parameters)
    return "\n".join((method.upper(), path or "/", query, lines, ";".join(names), digest))


def authorize(
    key: AccessKey,
    method: str,
    path: str,
    parameters: Iterable[tuple[str, str]],
    headers: Mapping[str, str],
    body: bytes = b"",
) -> str:
    """The value of the Authorization header; every one of `headers` (names in lower case) is signed, as the Python SDK
    does.

    Raises SignatureError when a header that must be signed is not among them.
    """
    missing = sorted(_REQUIRED - headers.keys())
    if missing:
        raise SignatureError("IncompleteSignature", f"to be signed, the request needs {', '.join(missing)}")
    canonical = canonical_request(method, path, parameters, headers, sha256(body).hexdigest())
    signed = ";".join(sorted(headers))
    return f"{ALGORITHM} Credential={key.id},SignedHeaders={signed},Signature={_signature(key.secret, canonical)}"


def verify(received: Received, secret_of: Callable[[str], str | None], now: float, *, window: float = WINDOW) -> str:
    """The id of the key that signed `received`; `now` in seconds since 1970 (UTC), `secret_of` knows the keys.

    A nonce that was used before is for the caller to refuse: only it remembers. Raises SignatureError.
    """
    headers = received.headers
    given = headers.get("authorization", "")
    scheme, _, rest = given.partition(" ")
    match = _CREDENTIAL.fullmatch(rest.strip())
    if scheme != ALGORITHM or match is None:
        raise SignatureError("IncompleteSignature", f"the Authorization header is missing, or not {ALGORITHM}'s")
    key_id, listed, signature = match.groups()
    names = listed.lower().split(";")
    missing = sorted((_REQUIRED - set(names)) | {name for name in names if name not in headers})
    if missing or len(set(names)) != len(names):
        raise SignatureError("IncompleteSignature", f"these headers must be there, signed, and once: {missing}")
    _check_date(headers["x-acs-date"], now, window)
    digest = sha256(received.body).hexdigest()
    if not compare_digest(headers["x-acs-content-sha256"].lower().encode(), digest.encode()):
        raise SignatureError("SignatureDoesNotMatch", "x-acs-content-sha256 is not the hash of the body that arrived")
    secret = secret_of(key_id)
    parameters = _decoded(received.query)
    canonical = canonical_request(
        received.method, received.path, parameters, {name: headers[name] for name in names}, digest
    )
    # An unknown key costs the same work, so that the time does not tell which keys exist.
    matches = compare_digest(_signature(secret or "-", canonical).encode(), signature.lower().encode())
    if secret is None:
        raise SignatureError("InvalidAccessKeyId.NotFound", "no such access key here", 404)
    if not matches:
        raise SignatureError("SignatureDoesNotMatch", "the signature is not that of this request with this key")
    return key_id


def rpc_signature(secret: str, method: str, parameters: Mapping[str, str]) -> str:
    """The older signature, HMAC-SHA1 over query and form parameters together.

    Source: https://help.aliyun.com/zh/sdk/product-overview/rpc-mechanism; SHA-1 is that scheme's own choice.
    """
    sorted_query = "&".join(f"{percent(name)}={percent(value)}" for name, value in sorted(parameters.items()))
    to_sign = f"{method.upper()}&{percent('/')}&{percent(sorted_query)}"
    return b64encode(hmac(f"{secret}&".encode(), to_sign.encode(), sha1).digest()).decode("ascii")


def verify_rpc(
    received: Received, secret_of: Callable[[str], str | None], now: float, *, window: float = WINDOW
) -> str:
    """As `verify`, for the older signature, which stands among the parameters and does not cover the headers."""
    given = _decoded(received.query)
    if received.body:
        if received.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
            raise SignatureError("SignatureDoesNotMatch", f"this signature covers no body but {_FORM}")
        try:
            given += _decoded(received.body.decode("ascii"))
        except UnicodeDecodeError:
            raise SignatureError("InvalidParameter", "the body is not percent-encoded UTF-8") from None
    parameters = dict(given)
    if len(parameters) != len(given):
        raise SignatureError("InvalidParameter", "a parameter comes in the query and in the body")
    for name in _RPC_REQUIRED:
        if not parameters.get(name):
            raise SignatureError(f"Missing{name}", f"the parameter {name} is missing")
    if (parameters["SignatureMethod"], parameters["SignatureVersion"]) != ("HMAC-SHA1", "1.0"):
        raise SignatureError("InvalidParameter", "SignatureMethod is HMAC-SHA1 and SignatureVersion 1.0")
    _check_date(parameters["Timestamp"], now, window, "Timestamp")
    signature = parameters.pop("Signature")
    key_id = parameters["AccessKeyId"]
    secret = secret_of(key_id)
    made = rpc_signature(secret or "-", received.method, parameters)
    matches = compare_digest(made.encode(), signature.encode("utf-8", "surrogatepass"))
    if secret is None:
        raise SignatureError("InvalidAccessKeyId.NotFound", "no such access key here", 404)
    if not matches:
        raise SignatureError("SignatureDoesNotMatch", "the signature is not that of this request with this key")
    return key_id


def _signature(secret: str, canonical: str) -> str:
    to_sign = f"{ALGORITHM}\n{sha256(canonical.encode()).hexdigest()}"
    return hmac(secret.encode(), to_sign.encode(), sha256).hexdigest()


def _decoded(query: str) -> list[tuple[str, str]]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict")
    except ValueError:
        raise SignatureError("InvalidParameter", "the query is not percent-encoded UTF-8") from None
    if len({name for name, _ in pairs}) != len(pairs):
        raise SignatureError("InvalidParameter", "a parameter comes twice")
    return pairs


def _check_date(text: str, now: float, window: float, name: str = "x-acs-date") -> None:
    match = _DATE.fullmatch(text)
    year, month, day, hour, minute, second = map(int, match.groups()) if match else (0,) * 6
    is_date = year >= 1970 and 1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]
    if not is_date or hour > 23 or minute > 59 or second > 60:
        raise SignatureError("InvalidTimeStamp.Format", f"{name} is not YYYY-MM-DDThh:mm:ssZ")
    if abs(timegm((year, month, day, hour, minute, second)) - now) > window:
        raise SignatureError(
            "InvalidTimeStamp.Expired", f"{name} is more than {window:g} seconds away; set the machine's clock"
        )
