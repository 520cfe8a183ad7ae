"""A request before it leaves: plain, then masked, then spelled as the vendor's SDK spells it. No IO."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit

from masking.clients.errors import ParameterError
from masking.clients.parameter import as_json
from masking.core.acs3 import form
from masking.core.descriptor import Descriptors, Route
from masking.core.errors import UnmaskableError
from masking.core.lane import Session
from masking.core.turn import Turn

__all__ = ["ClosableSession", "Masks", "Prepared", "masked"]


class ClosableSession(Session, Protocol):
    """A session that forgets its values when it is closed."""

    def close(self) -> None: ...


class Masks(Protocol):
    """What a client asks of a Masker."""

    @property
    def category(self) -> Any: ...
    def session(self) -> ClosableSession: ...


@dataclass(frozen=True, slots=True, repr=False)
class Prepared:
    """One request. `parameters` are the query's, decoded; the body is a form, a JSON document, or neither.

    `signed` names the scheme in which it is signed later; `spaced` says how the JSON is spelled.
    """

    url: str
    """Scheme, host and path: no query."""
    headers: tuple[tuple[str, str], ...]
    parameters: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] | None = None
    document: Any = None
    spaced: bool = True
    signed: str = ""

    def __repr__(self) -> str:
        return f"Prepared({self.action or urlsplit(self.url).path})"

    @property
    def action(self) -> str:
        """The operation's name, where the API has names for them."""
        return dict(self.headers).get("x-acs-action", "")

    @property
    def query(self) -> str:
        """The query as `requests` spells it: sorted, a space as `+`."""
        return urlencode(sorted(self.parameters.items()))

    @property
    def body(self) -> bytes:
        """The body's bytes: b"" where there is none."""
        if self.fields is not None:
            return form(self.fields)
        return b"" if self.document is None else as_json(self.document, spaced=self.spaced).encode()

    def route(self) -> Route:
        """What a descriptor is picked by."""
        parts = urlsplit(self.url)
        headers = {name.lower(): value for name, value in self.headers}
        return Route("POST", parts.hostname or "", parts.path, dict(self.parameters), headers, self.body)


def masked(plain: Prepared, descriptors: Descriptors, session: Session) -> tuple[Prepared, Turn]:
    """The request as it may leave, and the turn that restores its reply.

    Raises UnmaskableError when no descriptor knows the route, or the request cannot be made safe.
    """
    route = plain.route()
    descriptor = descriptors.pick(route)
    if descriptor is None:
        raise UnmaskableError(
            "no descriptor knows this address, so nothing was sent; use the API's usual path, or write a descriptor",
            where=plain.action or route.path,
        )
    turn = Turn(descriptor, session, signer=plain.signed)
    made = plain
    changed = turn.headers(route.headers)
    if changed:
        made = replace(made, headers=tuple((name, changed.get(name.lower(), value)) for name, value in plain.headers))
    query = turn.query(plain.query)
    if query != plain.query:
        made = replace(made, parameters=dict(parse_qsl(query, keep_blank_values=True)))
    body = turn.request(route.body, route.headers)
    if body is not route.body:
        made = _with_body(made, body)
    return made, turn


def _with_body(plain: Prepared, body: bytes) -> Prepared:
    if plain.fields is not None:
        return replace(plain, fields=dict(parse_qsl(body.decode("ascii"), keep_blank_values=True)))
    if plain.document is None:
        raise ParameterError("a request without a body got one; report this")
    return replace(plain, document=json.loads(body))
