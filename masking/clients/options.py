"""What all clients have in common, whether they block or not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import httpx

from masking.clients.errors import ParameterError
from masking.clients.exchange import Exchange, Parties
from masking.clients.memory import Memory, Resent, Said, messages
from masking.clients.parameter import Parameters
from masking.clients.prepared import ClosableSession, Masks
from masking.clients.sending import TIMEOUT, Retry

__all__ = ["Options", "values_of"]


class Options:
    """What all clients have in common: who masks, who signs, how long to wait."""

    def __init__(
        self,
        auth: httpx.Auth,
        *,
        masker: Masks | None = None,
        timeout: float | httpx.Timeout | None = None,
        retry: Retry | None = None,
        transport: Any = None,
    ) -> None:
        del transport  # each kind of client takes its own
        self._auth = auth
        self._masker = masker
        self._timeout = httpx.Timeout(timeout) if isinstance(timeout, int | float) else timeout or TIMEOUT
        self._retry = retry or Retry()
        self._is_closed = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def _parties(self, session: ClosableSession | None) -> Parties | None:
        """Who masks one exchange: the caller's session, or one of the masker's that ends with the exchange."""
        if self._is_closed:
            raise ParameterError("this client is closed; make a new one")
        if session is None and self._masker is None:
            return None
        from masking.files import read_descriptors

        owned = session is None
        if session is None:
            assert self._masker is not None
            session = self._masker.session()
        return Parties(read_descriptors(), session, owned)

    def _exchange(self, values: Mapping[str, Any], session: ClosableSession | None, *, stream: bool) -> Exchange:
        """One request from its parameters; raises ParameterError or UnmaskableError before anything is sent."""
        raise NotImplementedError

    def _said(self, said: Said) -> dict[str, Any]:
        """What was said, as a parameter."""
        return {"messages": messages(said)}

    def _memory(self) -> Memory:
        """What a conversation with this API remembers."""
        return Resent()

    def _session(self) -> ClosableSession | None:
        """A session for a whole conversation; None when nothing is masked here."""
        return None if self._masker is None else self._masker.session()


def values_of(
    said: Said | Parameters | None, parameters: Mapping[str, Any], spell: Callable[[Said], dict[str, Any]]
) -> dict[str, Any]:
    """All that one call was given, as parameters."""
    if isinstance(said, Parameters):
        set_here = [name for name in type(said).model_fields if name in said.model_fields_set]
        return {**{name: getattr(said, name) for name in set_here}, **parameters}
    return {**(spell(said) if said is not None else {}), **parameters}
