"""Which of some entities, in order and none overlapping another, meet a place in the text."""

from __future__ import annotations

from collections.abc import Sequence

from masking.core.entity import Entity

__all__ = ["meeting"]


def meeting(entities: Sequence[Entity], index: int, start: int, end: int) -> tuple[int, int]:
    """From `index` on, the first entity that ends behind `start`, and the first after it that begins at `end` or later.

    Places are in characters.
    """
    while index < len(entities) and entities[index].end <= start:
        index += 1
    behind = index
    while behind < len(entities) and entities[behind].start < end:
        behind += 1
    return index, behind
