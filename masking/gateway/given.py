"""An object of a request, read by name: what nobody reads has no counterpart upstream, and is refused by its name.

    given = Given(outgoing, code="invalid_parameter")
    temperature = given.number("temperature")
    for message in given.objects("messages"):
        role = message.text("role")
    given.end()                       # Refused: messages[2].videoMetadata: …

Absent, null, false and empty are the same: what asks for nothing is not refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from masking.gateway.refusal import Refused
from masking.gateway.upstream import Outgoing

__all__ = ["Given", "asks", "body_of"]

_LONGEST = 60  # characters of a name that are shown
_SNAKE = re.compile("_([a-z0-9])")


class Given:
    """One object. Every method raises Refused for a value of another kind than it names; `camel` takes names in
    snake_case for the same in camelCase, as Google's servers do."""

    __slots__ = ("_camel", "_children", "_code", "_unread", "_values", "_where")

    def __init__(self, values: Any, where: str = "", *, code: str = "InvalidParameter", camel: bool = False) -> None:
        self._where = where
        self._code = code
        self._camel = camel
        if not isinstance(values, Mapping):
            raise self.refused("", "an object is required")
        self._values = {_camelled(name): value for name, value in values.items()} if camel else dict(values)
        if len(self._values) != len(values):
            raise self.refused("", "a name comes twice, in two spellings")
        self._unread = set(self._values)
        self._children: list[Given] = []

    def refused(self, name: str, what: str) -> Refused:
        """The refusal of one of its values."""
        place = self._place(name)
        return Refused(400, self._code, f"{place}: {what}" if place else what)

    def take(self, name: str) -> Any:
        """A value as it is, None where it asks for nothing."""
        value = self.value(name)
        return value if asks(value) else None

    def all(self) -> dict[str, Any]:
        """All of it, as it is."""
        self._unread.clear()
        return dict(self._values)

    def value(self, name: str) -> Any:
        """A value as it is, false and empty ones, too."""
        self._unread.discard(name)
        return self._values.get(name)

    def text(self, name: str) -> str:
        """A string, "" where there is none."""
        return self._typed(name, str, "text") or ""

    def flag(self, name: str) -> bool | None:
        """A boolean."""
        value = self.value(name)
        if value is not None and not isinstance(value, bool):
            raise self.refused(name, "true or false is required")
        return value

    def number(self, name: str) -> float | None:
        """A number, whole or not."""
        value = self.take(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise self.refused(name, "a number is required")
        return value

    def texts(self, name: str) -> list[str]:
        """A list of strings; one string counts as a list of one."""
        value = self.take(name)
        values = [value] if isinstance(value, str) else value or []
        if not isinstance(values, list) or not all(isinstance(one, str) for one in values):
            raise self.refused(name, "a list of text is required")
        return values

    def object(self, name: str) -> Given | None:
        """An object of its own."""
        value = self.take(name)
        return self._child(value, name) if value is not None else None

    def objects(self, name: str) -> list[Given]:
        """A list of objects."""
        values = self.take(name) or []
        if not isinstance(values, list):
            raise self.refused(name, "a list is required")
        return [self._child(value, f"{name}[{number}]") for number, value in enumerate(values)]

    def mapping(self, name: str) -> dict[str, Any]:
        """An object that is handed on as it is."""
        return self._typed(name, dict, "an object") or {}

    def same(self, names: Mapping[str, str]) -> dict[str, Any]:
        """Numbers under other names, as far as they are there."""
        found = {theirs: self.number(own) for own, theirs in names.items()}
        return {name: value for name, value in found.items() if value is not None}

    def skip(self, *names: str) -> None:
        """What has no say upstream, and needs none."""
        self._unread.difference_update(names)

    def only(self, name: str, allowed: Iterable[Any], what: str = "this upstream takes no other value") -> None:
        """Refuse a value that is none of these."""
        value = self.take(name)
        if value is not None and value not in list(allowed):
            raise self.refused(name, what)

    def end(self) -> None:
        """Refuse what nobody has read, here and in the objects read from here."""
        for name in sorted(self._unread):
            if asks(self._values[name]):
                raise self.refused(name, "not known, or nothing that this upstream could do; leave it out")
        for child in self._children:
            child.end()

    def _typed(self, name: str, kind: type, what: Literal["text", "an object"]) -> Any:
        value = self.take(name)
        if value is not None and not isinstance(value, kind):
            raise self.refused(name, f"{what} is required")
        return value

    def _child(self, value: Any, name: str) -> Given:
        child = Given(value, self._place(name), code=self._code, camel=self._camel)
        self._children.append(child)
        return child

    def _place(self, name: str) -> str:
        shown = name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…"
        return f"{self._where}.{shown}" if self._where and shown else self._where or shown


def asks(value: Any) -> bool:
    """Whether a value asks for something: 0 does."""
    return value is not None and value is not False and value not in ("", [], {})


def body_of(outgoing: Outgoing, *, code: str = "InvalidParameter", camel: bool = False) -> Given:
    """The JSON object that is the request's body. Raises Refused for any other."""
    try:
        values = json.loads(outgoing.body)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise Refused(400, code, "the body is a JSON object; send one")
    return Given(values, code=code, camel=camel)


def _camelled(name: str) -> str:
    return _SNAKE.sub(lambda found: found[1].upper(), name)
