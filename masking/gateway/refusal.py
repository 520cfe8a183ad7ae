"""Refusals, in the shape that the client's SDK reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal
from uuid import uuid4

from masking.core.errors import MaskingError

__all__ = ["Refused", "Shape", "document", "event", "failed", "spell"]

Shape = Literal["openapi", "dashscope", "openai", "anthropic", "gemini", "ollama"]

# https://docs.claude.com/en/api/errors, https://cloud.google.com/apis/design/errors
_ANTHROPIC = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
}
# https://help.aliyun.com/zh/model-studio/error-code: SDKs choose the class of an error by these.
_DASHSCOPE = {"invalid_api_key": "InvalidApiKey"}
_GOOGLE = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class Refused(MaskingError):  # noqa: N818 - a decision, not a mistake
    """A request that is not served; `code` names the reason for programs, `what` says it to people, without values."""

    def __init__(self, status: int, code: str, what: str) -> None:
        self.status = status
        self.code = code
        self.what = what
        super().__init__(status, code, what)

    def __str__(self) -> str:
        return f"{self.code}: {self.what}"


def document(shape: Shape, refused: Refused, *, request_id: str = "", host: str = "") -> dict[str, Any]:
    """The body of an error as a document."""
    status, code, what = refused.status, refused.code, refused.what
    request_id = request_id or str(uuid4())
    match shape:
        case "openapi":
            head = {"RequestId": request_id.upper(), "HostId": host, "Recommend": ""}
            return {**head, "Code": code, "Message": what}
        case "dashscope":
            return {"code": _DASHSCOPE.get(code, code), "message": what, "request_id": request_id}
        case "anthropic":
            kind = _ANTHROPIC.get(status, "api_error" if status >= 500 else "invalid_request_error")
            error = {"type": kind, "message": what, "code": code}
            return {"type": "error", "error": error, "request_id": request_id}
        case "gemini":
            kind = _GOOGLE.get(status, "INTERNAL" if status >= 500 else "INVALID_ARGUMENT")
            return {"error": {"code": status, "message": what, "status": kind, "details": [{"reason": code}]}}
        case "ollama":
            return {"error": what, "code": code}
    kind = "server_error" if status >= 500 else "masking_refused"
    return {"error": {"message": what, "type": kind, "param": None, "code": code}, "request_id": request_id}


def spell(shape: Shape, refused: Refused, *, request_id: str = "", host: str = "") -> bytes:
    """The body of an error, in ASCII."""
    return json.dumps(document(shape, refused, request_id=request_id, host=host)).encode()


def failed(refused: Refused) -> bytes:
    """The document of a DMS operation that failed, under a good status: for a reply that has begun already."""
    head = {"RequestId": str(uuid4()).upper(), "Success": False}
    return json.dumps({**head, "ErrorCode": refused.code, "ErrorMessage": refused.what}).encode()


def event(shape: Shape, action: str, refused: Refused, *, request_id: str = "") -> bytes:
    """An error within a stream: the last event, after which the connection ends. b"" where the protocol has none."""
    doc: Mapping[str, Any] = document(shape, refused, request_id=request_id)
    data = json.dumps(doc)
    match shape:
        case "openapi" if action == "ChatWithDesensitizeSSE":
            failed = {"RequestId": doc["RequestId"], "Success": False}
            data = json.dumps({**failed, "ErrorCode": refused.code, "ErrorMessage": refused.what})
            return f"event:error\ndata:{data}\n\n".encode()
        case "openapi":
            return f"event:error\ndata:{data}\n\n".encode()
        case "dashscope":
            # A space after `event:` would hide the error from SDK 1.x, which also reads the status from its own line.
            head = f"event:error\n:HTTP_STATUS/{refused.status}\nstatus:{refused.status}\n"
            return f"{head}data:{data}\n\n".encode()
        case "anthropic":
            return f"event: error\ndata: {data}\n\n".encode()
        case "ollama":
            return f"{data}\n".encode()
    return f"data: {data}\n\n".encode()
