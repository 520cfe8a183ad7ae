"""Copies of lists, dicts, dataclasses, pydantic objects and Tea models, in which every string can be replaced."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import decimal
import enum
import uuid
from collections.abc import Callable
from types import ModuleType
from typing import Any

from masking.core.errors import UnmaskableError
from masking.core.path import fields
from masking.decorator import tea

__all__ = ["Copies", "is_data", "is_data_class", "is_plain", "is_text"]

_COLLECTIONS = (list, tuple, set, frozenset, dict)
_PLAIN = (
    int,
    float,
    complex,
    type(None),
    enum.Enum,
    dt.date,
    dt.time,
    dt.timedelta,
    decimal.Decimal,
    uuid.UUID,
    ModuleType,
)

# What a provider signed and wants back as it was: Gemini's thoughts.
_SIGNED = frozenset({"thought_signature"})


def is_text(node: object) -> bool:
    """Whether `node` is a string; the members of a string enumeration are names, not text."""
    return isinstance(node, str) and not isinstance(node, enum.Enum)


def is_plain(node: object) -> bool:
    """Whether `node` passes as it is: a number, a date, a name, a module."""
    return isinstance(node, _PLAIN)


def is_data(node: object) -> bool:
    """Whether `node` is a collection, a dataclass, a pydantic object or a Tea model (known without importing them)."""
    kind = type(node)
    return (
        isinstance(node, _COLLECTIONS)
        or hasattr(kind, "__pydantic_fields__")
        or dataclasses.is_dataclass(kind)
        or tea.is_model(node)
    )


def is_data_class(kind: type) -> bool:
    """Whether the objects of `kind` are data, or members of an enumeration."""
    known = (*_COLLECTIONS, enum.Enum)
    models = hasattr(kind, "to_map") and hasattr(kind, "from_map")
    return models or issubclass(kind, known) or hasattr(kind, "__pydantic_fields__") or dataclasses.is_dataclass(kind)


class Copies:
    """Copies of what can be looked into, with lists for tuples, so that every string in them can be replaced.

    With `where`, what cannot be looked into is refused: UnmaskableError. Without, it is kept as it is.
    """

    def __init__(self, where: str, text: Callable[[str], str]) -> None:
        self._where = where
        self._text = text
        self._tuples: dict[int, tuple[list[Any], type[tuple[Any, ...]]]] = {}

    def of(self, node: Any) -> Any:
        """A copy of `node`."""
        if is_text(node):
            return str(node)
        if is_plain(node) or callable(node):
            return node
        if isinstance(node, list):
            return [self.of(item) for item in node]
        if isinstance(node, tuple):
            items = [self.of(item) for item in node]
            self._tuples[id(items)] = (items, type(node))
            return items
        if isinstance(node, (set, frozenset)):  # has no places, so its strings are replaced here
            return type(node)(self._text(item) if isinstance(item, str) else self.of(item) for item in node)
        if is_data(node):
            made = copy.copy(node)
            view = fields(made)
            for name, value in list(view.items()):
                if name not in _SIGNED or not isinstance(value, bytes):
                    view[name] = self.of(value)
            return made
        if not self._where:
            return node
        raise UnmaskableError(
            f"cannot look into {type(node).__module__}.{type(node).__qualname__}: pass text, lists, dicts, dataclasses "
            "or pydantic objects, or declare the parameter opaque if it carries no text"
        )

    def finished(self, node: Any) -> Any:
        """`node`, a copy made by `of`, with its tuples as tuples again."""
        if not self._tuples:
            return node
        if isinstance(node, list):
            items = [self.finished(item) for item in node]
            made = self._tuples.get(id(node))
            if made is None:
                return items
            return made[1]._make(items) if hasattr(made[1], "_make") else made[1](items)
        view = fields(node)
        if view is not None:
            for name, value in list(view.items()):
                if isinstance(value, (list, dict)) or fields(value) is not None:
                    view[name] = self.finished(value)
        return node
