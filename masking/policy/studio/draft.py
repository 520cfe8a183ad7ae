"""What the user is working on, kept in memory so that changing pages, language or theme loses nothing."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any

__all__ = ["Draft", "Drafts"]

_KEPT = 16  # drafts, of as many browsers
VIEWS = ("findings", "masked", "wire", "answer")


@dataclass(frozen=True, slots=True, repr=False)
class Draft:
    """The fields of the first page; `edits` are rule files (name -> text) that differ from those on disk."""

    text: str = ""
    category: str = "UserInfo"
    names: bool = True
    edits: Mapping[str, str] = field(default_factory=dict)
    open: str = ""
    """The rule file in the editor; empty when the editor is closed."""
    view: str = "findings"
    answer: str = ""
    cut: int = 3
    number: int = 1
    """Which conversation of a log is shown, from 1."""

    def with_(self, **changes: Any) -> Draft:
        """A copy with other values."""
        return replace(self, **changes)


class Drafts:
    """Drafts by owner; those not used for longest are forgotten. Nothing is written to a disk."""

    def __init__(self) -> None:
        self._drafts: OrderedDict[str, Draft] = OrderedDict()
        self._lock = Lock()

    def get(self, owner: str) -> Draft:
        """The owner's draft, an empty one at first."""
        with self._lock:
            return self._drafts.get(owner, Draft())

    def put(self, owner: str, draft: Draft) -> None:
        """Keep the owner's draft."""
        with self._lock:
            self._drafts[owner] = draft
            self._drafts.move_to_end(owner)
            while len(self._drafts) > _KEPT:
                self._drafts.popitem(last=False)

    def forget(self, owner: str) -> None:
        """Forget it."""
        with self._lock:
            self._drafts.pop(owner, None)
