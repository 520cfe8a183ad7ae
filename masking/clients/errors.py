"""What can go wrong between a client and its API.

ClientError
  ParameterError            the caller: a parameter is missing, of a wrong type or out of its range; nothing was sent
  TransportError            the network: refused, timed out, broken off
  StreamError               the stream carried an error, or ended without its last event
  ApiError                  the API answered with an error
    BadRequestError         400 and what has no class of its own
    AuthenticationError     401, and codes that speak of the key, the signature or its date
    PermissionDeniedError   403
    NotFoundError           404
    RateLimitError          429, and codes that speak of throttling or quota
    ServerError             500 and above

No message has text of a request or an answer in it: the words of the server are in `message`, for who wants them.
"""

from __future__ import annotations

import re

from masking.core.errors import ConfigurationError, MaskingError

__all__ = [
    "ApiError",
    "AuthenticationError",
    "BadRequestError",
    "ClientError",
    "NotFoundError",
    "ParameterError",
    "PermissionDeniedError",
    "RateLimitError",
    "ServerError",
    "StreamError",
    "TransportError",
    "api_error",
]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")
_KEY = re.compile(
    r"InvalidAccessKeyId|SignatureDoesNotMatch|IncompleteSignature|SignatureNonce|InvalidTimeStamp|InvalidSecurityToken"
    r"|InvalidApiKey|invalid_api_key|Unauthorized"
)
_FORBIDDEN = re.compile(r"AccessDenied|Forbidden|NoPermission|Arrearage|access_denied")
_THROTTLED = re.compile(r"Throttling|TooManyRequests|RateQuota|limit_requests|insufficient_quota|rate_limit")
_BROKEN = re.compile(r"InternalError|ServiceUnavailable|internal_error|SystemError")


class ClientError(MaskingError):
    """Anything that a client raises on purpose, apart from what masking itself raises."""


class ParameterError(ClientError, ConfigurationError):
    """A parameter is missing, of a wrong type or out of range; nothing was sent. `parameter` names it."""

    def __init__(self, what: str, *, parameter: str = "") -> None:
        self.parameter = parameter
        super().__init__(what)


class TransportError(ClientError):
    """The network failed. `sent` says whether the request may have arrived: if not, sending it again is safe."""

    def __init__(self, what: str, *, sent: bool = True) -> None:
        self.sent = sent
        super().__init__(what)


class _ServerSaidError(ClientError):
    """`code` and `request_id` are the server's names; `message` its own words, which may quote the request."""

    def __init__(self, what: str, *, code: str = "", message: str = "", request_id: str = "", status: int = 0) -> None:
        self.code = _name(code)
        self.message = message
        self.request_id = _name(request_id)
        self.status = status
        about = [f"status {status}"] if status else []
        about += [self.code] if self.code else []
        about += [f"request id {self.request_id}"] if self.request_id else []
        super().__init__(f"{what} ({', '.join(about)})" if about else what)


class StreamError(_ServerSaidError):
    """The stream carried an error, or ended without its last event: what came before is not the whole answer."""


class ApiError(_ServerSaidError):
    """The API answered with an error. `retry_after` in seconds, where the server gave it."""

    def __init__(
        self,
        what: str,
        *,
        code: str = "",
        message: str = "",
        request_id: str = "",
        status: int = 0,
        retry_after: float | None = None,
    ) -> None:
        self.retry_after = retry_after
        super().__init__(what, code=code, message=message, request_id=request_id, status=status)


class BadRequestError(ApiError):
    """The request is wrong, in a way that has no class of its own."""


class AuthenticationError(ApiError):
    """The key, its signature, its token or the machine's clock is wrong."""


class PermissionDeniedError(ApiError):
    """The key is good, but may not do this."""


class NotFoundError(ApiError):
    """No such application, model, instance or address."""


class RateLimitError(ApiError):
    """Too many requests, or a quota is used up."""


class ServerError(ApiError):
    """The service failed; `status` is 500 or above, or the code says so."""


def api_error(
    status: int, code: str = "", message: str = "", request_id: str = "", retry_after: float | None = None
) -> ApiError:
    """The error for one answer. A code that names its cause wins over the status: DMS and RdsAi say 400 for most."""
    kind, what = _kind(status, code)
    return kind(what, code=code, message=message, request_id=request_id, status=status, retry_after=retry_after)


def _kind(status: int, code: str) -> tuple[type[ApiError], str]:
    if status == 429 or _THROTTLED.search(code):
        return RateLimitError, "the service asks for fewer requests; wait, or ask for a larger quota"
    if status == 401 or _KEY.search(code):
        return AuthenticationError, "the service does not accept the key; check key, secret, token and this clock"
    if status == 403 or _FORBIDDEN.search(code):
        return PermissionDeniedError, "the key may not do this; give its account the permission"
    if status == 404:
        return NotFoundError, "the service does not know this; check address, application, instance and model"
    if status >= 500 or _BROKEN.search(code):
        return ServerError, "the service failed; try again later"
    if 300 <= status < 400:
        return BadRequestError, "the service points to another address, which is not followed; set it as the endpoint"
    return BadRequestError, "the service refuses the request; its words are in this error's `message`"


def _name(text: str) -> str:
    """Only what looks like a code or an id: a server may put anything there, and this goes into logs."""
    return text if _NAME.fullmatch(text) else ""
