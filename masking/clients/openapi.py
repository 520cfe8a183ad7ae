"""What DMS and RdsAi share: Alibaba Cloud's RPC style, signed by ACS3-HMAC-SHA256.

Sources: https://help.aliyun.com/zh/sdk/product-overview/v3-request-structure-and-signature, and what the vendor's
Python SDKs (alibabacloud-dms-enterprise20181101 3.0.0, alibabacloud-rdsai20250507 3.10.0) send.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from masking.clients.answer import text_of
from masking.clients.auth import Acs3Auth, BearerToken, Credentials, acs_credentials
from masking.clients.exchange import Failure
from masking.clients.options import Options
from masking.clients.parameter import as_text
from masking.clients.prepared import Masks, Prepared
from masking.clients.sending import Retry, base_url

__all__ = ["OpenApi", "failure"]


class OpenApi(Options):
    """A product of Alibaba Cloud's OpenAPI."""

    def __init__(
        self,
        endpoint: str,
        credentials: Credentials | None,
        *,
        masker: Masks | None,
        timeout: float | httpx.Timeout | None,
        retry: Retry | None,
        user_agent: str | None,
        transport: Any,
        auth: Callable[[Credentials], httpx.Auth] = Acs3Auth,
    ) -> None:
        found = acs_credentials(credentials)
        super().__init__(auth(found), masker=masker, timeout=timeout, retry=retry, transport=transport)
        self._url = base_url(endpoint, "/")
        self._has_bearer = isinstance(found, BearerToken)
        self._user_agent = user_agent or _user_agent()

    def _prepared(
        self,
        action: str,
        version: str,
        query: Mapping[str, Any],
        form: Mapping[str, Any] | None = None,
        *,
        stream: bool = False,
    ) -> Prepared:
        """One operation; `form` None is an operation without a body, {} one whose body is empty."""
        parameters = {name: as_text(value) for name, value in query.items()}
        if self._has_bearer and not stream:  # the SDK's streaming method leaves it out
            parameters["SignatureType"] = "BEARERTOKEN"
        headers = {
            "Accept-Encoding": "identity",
            "host": httpx.URL(self._url).netloc.decode("ascii"),
            "x-acs-version": version,
            "x-acs-action": action,
            "user-agent": self._user_agent,
            "accept": "application/json",  # for streams, too
        }
        if form is not None:
            headers["content-type"] = "application/x-www-form-urlencoded"
        fields = None if form is None else {name: as_text(value) for name, value in form.items()}
        return Prepared(self._url, tuple(headers.items()), parameters, fields, signed="acs3")


def failure(doc: Mapping[str, Any]) -> Failure | None:
    """`{RequestId, Code, Message}` of a refusal, `{ErrorCode, ErrorMessage}` of an operation that failed; names begin
    with either case."""
    if doc.get("Success") is True:  # some products say Code: 200 beside it
        return None
    for code, message in (("Code", "Message"), ("code", "message"), ("ErrorCode", "ErrorMessage")):
        found = text_of(doc, code)
        if found:
            return Failure(found, text_of(doc, message), text_of(doc, "RequestId") or text_of(doc, "requestId"))
    if doc.get("Success") is False:
        return Failure("", text_of(doc, "ErrorMessage"), text_of(doc, "RequestId"))
    return None


def _user_agent() -> str:
    system = f"{platform.system()}; {platform.machine()}"
    return f"AlibabaCloud ({system}) Python/{platform.python_version()} Core/0.4.3 TeaDSL/2 masking-pipeline"
