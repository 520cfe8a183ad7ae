"""One stream event in the queue, and what became of its data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from masking.core.document import dump, read, respell
from masking.core.path import Find, Piece

__all__ = ["Held"]

E = TypeVar("E")


class Held(Generic[E]):
    """One event in the queue: `event` is the caller's, `doc` its data, `changed` whether the data differs from what
    came."""

    __slots__ = ("_around", "_opened", "_rest", "_touched", "_waiting", "doc", "event")

    def __init__(self, event: E, doc: Any, around: tuple[bytes, bytes] | None = None) -> None:
        """With `around`, `doc` is a list of the only text, and these bytes stand around it, with its quotes."""
        self.event = event
        self.doc = doc
        self._around = around
        self._waiting = 0
        self._rest = False
        # Most events need neither list.
        self._touched: list[tuple[Any, Any, str]] | None = None
        self._opened: list[tuple[Any, Any, Any, str]] | None = None

    @property
    def changed(self) -> bool:
        if self._touched is None or self._rest:
            return self._rest
        return any(container[name] != was for container, name, was in self._touched)

    def respelt(self, raw: bytes) -> bytes:
        """The JSON of what changed; `raw` is what came."""
        if self._around is None:
            return respell(raw, self.doc)
        before, after = self._around
        return before + dump(self.doc[0], ascii_only=raw.isascii())[1:-1] + after

    def open_strings(self, opens: Sequence[Find]) -> None:
        """Put the JSON that the found strings hold in their places, outer strings first, so that lanes can lead into
        it."""
        opened = self._opened = []
        for find in opens:
            found: list[Piece] = []
            find(self.doc, found, [])
            for _, container, name, text in found:
                if not text.lstrip().startswith(("{", "[")):
                    continue
                try:
                    container[name] = doc = read(text)
                except ValueError:  # a text, or JSON cut short: a lane of its own, or restored whole
                    continue
                opened.append((container, name, doc, text))

    def close_strings(self) -> None:
        """Make strings of what `open_strings` opened; JSON in which nothing changed keeps its own spelling."""
        changed = self.changed
        for container, name, doc, text in reversed(self._opened or ()):
            if changed and read(text) != doc:
                text = respell(text.encode("utf-8", "surrogatepass"), doc).decode()
            container[name] = text
