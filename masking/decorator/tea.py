"""Alibaba's Tea models, known by their `to_map` and `from_map` and without importing them.

A model keeps its values in attributes of its own (`messages`), and names them for the wire in `to_map` (`Messages`).
Requests are masked by attribute; replies are restored by wire name, because that is what descriptors speak of. A reply
is a model of headers, status and a `body`, which is the document.
"""

from __future__ import annotations

import copy
from typing import Any

__all__ = ["document", "is_model", "rebuilt"]


def is_model(node: object) -> bool:
    """Whether `node` is a model with both directions."""
    ways = (getattr(type(node), name, None) for name in ("to_map", "from_map"))
    return hasattr(node, "__dict__") and all(map(callable, ways))


def document(model: Any) -> Any:
    """The document that a reply holds, under its wire names, as a copy."""
    # A model may hand out the very map that it was read from.
    return copy.deepcopy(_inner(model).to_map())


def rebuilt(model: Any, doc: Any) -> Any:
    """A copy of a reply that holds `doc` in the place of its own document."""
    inner = _inner(model)
    read = copy.copy(inner)
    read.from_map(doc)
    _remember(read, doc)
    if inner is model:
        return read
    made = copy.copy(model)
    made.body = read
    kept = vars(made).get("_map")
    if isinstance(kept, dict):
        _remember(made, {**kept, "body": doc})
    return made


def _inner(model: Any) -> Any:
    body = getattr(model, "body", None)
    return body if is_model(body) else model


def _remember(model: Any, doc: Any) -> None:
    """The map that a model was read from, if it keeps one: what it does not name is written out from there."""
    if vars(model).get("_map") is not None:
        model._map = doc
