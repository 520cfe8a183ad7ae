"""What Model Studio's own two operations share: addresses, headers, errors.

Sources: https://help.aliyun.com/zh/model-studio/application-calling-guide,
https://help.aliyun.com/zh/model-studio/qwen-api-reference, and what the vendor's SDK dashscope 2.0.2 sends.
"""

from __future__ import annotations

import json
import platform
import sys
import uuid
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import httpx

from masking.clients.answer import objects, text_of
from masking.clients.auth import api_key as auth_of
from masking.clients.exchange import Failure
from masking.clients.options import Options
from masking.clients.prepared import Masks
from masking.clients.sending import Retry, base_url

__all__ = ["BASE_URL", "DashScope", "failure", "first_model", "header_json", "usage"]

BASE_URL = "https://dashscope.aliyuncs.com/api/v1"
"""Beijing; `https://dashscope-intl.aliyuncs.com/api/v1` is Singapore's."""


class DashScope(Options):
    """An operation of Model Studio's native API."""

    _client: ClassVar[str]  # what the SDK calls this operation in x-dashscope-sdk-client

    def __init__(
        self,
        *,
        api_key: str | Callable[[], str] | None = None,
        base_url: str = BASE_URL,
        workspace: str | None = None,
        masker: Masks | None = None,
        timeout: float | httpx.Timeout | None = None,
        retry: Retry | None = None,
        user_agent: str | None = None,
        transport: Any = None,
    ) -> None:
        """`api_key` is that of DASHSCOPE_API_KEY if left out; `workspace` goes with every request.

        `transport` is an httpx transport, plain if left out. Raises ParameterError.
        """
        super().__init__(auth_of(api_key), masker=masker, timeout=timeout, retry=retry, transport=transport)
        self._base = _base(base_url)
        self._workspace = workspace
        self._user_agent = user_agent
        self._session_id = uuid.uuid4().hex

    def _dashscope_headers(
        self, *, stream: bool, merges: bool, more: Mapping[str, str] | None = None
    ) -> tuple[tuple[str, str], ...]:
        """In the SDK's order. `merges`: pieces are asked for although the whole is wanted, and joined here."""
        headers = {
            "Host": httpx.URL(self._base).netloc.decode("ascii"),
            "user-agent": self._user_agent or _user_agent(merges=merges),
            "Accept-Encoding": "gzip, deflate",
            "Accept": "text/event-stream" if stream else "application/json; charset=utf-8",
            "Connection": "keep-alive",
            "Authorization": "",  # keeps its place for the key
            "x-dashscope-sdk-client": f"python-sdk/2.0.2/{self._client}",
            "x-dashscope-sdk-session-id": self._session_id,
            "Content-Type": "application/json; charset=utf-8",
        }
        if stream:
            headers |= {"X-Accel-Buffering": "no", "X-DashScope-SSE": "enable"}
        if self._workspace:
            headers["X-DashScope-WorkSpace"] = self._workspace
        return tuple((headers | dict(more or {})).items())


def failure(doc: Mapping[str, Any]) -> Failure | None:
    """`{code, message, request_id}` without an output is an error, under whatever name and status it comes."""
    code = text_of(doc, "code")
    if not code or isinstance(doc.get("output"), Mapping):
        error = doc.get("error")  # gateways in between speak OpenAI's shape
        if not isinstance(error, Mapping):
            return None
        return Failure(text_of(error, "code"), text_of(error, "message"), text_of(doc, "request_id"))
    return Failure(code, text_of(doc, "message"), text_of(doc, "request_id"))


def usage(doc: Mapping[str, Any]) -> dict[str, Any]:
    """Token counts, as they come."""
    found = doc.get("usage")
    return dict(found) if isinstance(found, Mapping) else {}


def header_json(value: str | Mapping[str, Any]) -> str:
    """A header's JSON as the SDK spells it: ASCII."""
    return value if isinstance(value, str) else json.dumps(value)


def first_model(doc: Mapping[str, Any]) -> str:
    """The model that answered, where the usage names one."""
    models = objects(doc, "usage", "models")
    return text_of(models[0], "model_id") if models else ""


def _base(given: str) -> str:
    return base_url(given, "/api/v1")


def _user_agent(*, merges: bool) -> str:
    version = ".".join(map(str, sys.version_info[:3]))
    system = f"{platform.system()}-{platform.machine()}"
    return (
        f"dashscope/2.0.2; python/{version}; platform/{system}; processor/; "
        f"incremental_to_full/{int(merges)}; masking-pipeline"
    )
