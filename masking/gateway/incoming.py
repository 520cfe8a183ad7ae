"""One request as it arrived."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

from masking.core.descriptor import Route
from masking.gateway.refusal import Refused

__all__ = ["Incoming", "incoming"]

# Two of these would leave two readers of the request with two opinions of it.
_ONCE = frozenset({"authorization", "content-encoding", "content-length", "content-type", "host", "x-api-key"})


@dataclass(repr=False)
class Incoming:
    """Header names in lower case; `path` decoded, `raw_path` and `query` as sent; `peer` is the client's address."""

    method: str
    path: str
    raw_path: str
    query: str
    headers: Mapping[str, str]
    peer: str = ""
    body: bytes = field(default=b"")
    is_read: bool = False
    """Whether the body was read to its end."""

    @cached_property
    def parameters(self) -> dict[str, str]:
        """The query, decoded; the last of several that share a name."""
        return dict(parse_qsl(self.query, keep_blank_values=True)) if self.query else {}

    @property
    def action(self) -> str:
        """The operation of Alibaba Cloud's RPC style, "" in other requests. Raises Refused when there are two."""
        header, query = self.headers.get("x-acs-action", ""), self.parameters.get("Action", "")
        if header and query and header != query:
            raise Refused(400, "InvalidParameter", "x-acs-action and the parameter Action differ; send one of them")
        return header or query

    @property
    def version(self) -> str:
        """The API version of Alibaba Cloud's RPC style."""
        return self.headers.get("x-acs-version", "") or self.parameters.get("Version", "")

    def parameter(self, name: str) -> str:
        """A parameter of the RPC style, wherever it travels: in the query, or in a form. "" when there is none."""
        found = self.parameters.get(name)
        if found is None and "form" in self.headers.get("content-type", ""):
            found = dict(parse_qsl(self.body.decode("latin-1"), keep_blank_values=True)).get(name)
        return found or ""

    def route(self) -> Route:
        """What a descriptor is picked by."""
        host = self.headers.get("host", "").rpartition("//")[2].partition(":")[0]
        return Route(self.method, host, self.path, self.parameters, self.headers, self.body)


def incoming(scope: Mapping[str, Any]) -> Incoming:
    """The request of an ASGI scope, without its body. Raises Refused."""
    client = scope.get("client")
    return Incoming(
        method=scope["method"],
        path=scope["path"],
        raw_path=scope["raw_path"].decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers=_headers(scope["headers"]),
        peer=client[0] if client else "",
    )


def _headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers, names in lower case; repeated ones are joined, RFC 9110 §5.3. Raises Refused where only one may be."""
    headers: dict[str, str] = {}
    for name_bytes, value_bytes in raw:
        name, value = name_bytes.decode("latin-1"), value_bytes.decode("latin-1")
        if name in headers:
            if name in _ONCE or name.startswith("x-acs-"):
                raise Refused(400, "InvalidHeader", f"the header {name} comes twice; send it once")
            value = f"{headers[name]}, {value}"
        headers[name] = value
    return headers
