"""What a name model finds, and the one method that a name model has.

A model knows nothing of categories, rules or placeholders: it is given a text and says where it sees a person, a
place or an address. The rules that name the model decide which labels count and what is done with them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol, runtime_checkable

__all__ = ["Entity", "ManyModel", "NameModel"]


class Entity(NamedTuple):
    """One stretch that a model labels; it knows where, never what, so its repr shows no text.

    `start` and `end` are offsets in code points of the text that was given, `end` exclusive. `score` lies in 0..1 and
    orders the findings of one model; it is no probability and does not compare between models.
    """

    start: int
    end: int
    label: str
    score: float


@runtime_checkable
class NameModel(Protocol):
    """Anything that finds names: one method, safe to call from several threads."""

    def find(self, text: str) -> list[Entity]:
        """Entities by `start`, none overlapping; the same for the same text, whatever was seen before."""
        ...


@runtime_checkable
class ManyModel(NameModel, Protocol):
    """A name model that is quicker with many texts at once than with one after another."""

    def find_many(self, texts: Iterable[str]) -> list[list[Entity]]:
        """As `find` for each text, and equal to it."""
        ...
