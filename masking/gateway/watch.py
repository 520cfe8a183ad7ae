"""Looks at files again and again, and says when they are others than those that were read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from masking.files import Mark, mark_of

__all__ = ["Watch"]


class Watch:
    """A change is told once, when it has been still from one look to the next: an editor may be in the middle of it."""

    def __init__(self) -> None:
        self._last: dict[Path, Mark] = {}
        self._told: dict[Path, Mark] = {}

    def look(self, read: Mapping[Path, Mark]) -> bool:
        """Whether files are others than when they were read; one that was not there may have appeared."""
        now = {file: mark_of(file) for file in read}
        is_still, self._last = now == self._last, now
        if not is_still or now in (read, self._told):
            return False
        self._told = now
        return True
