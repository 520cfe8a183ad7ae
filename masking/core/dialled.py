"""Which of several regions' telephone numbers some digits can be, by how many they are and how they begin.

One table for all regions, made from their numbering plans. It may name a region too many, never one too few.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from masking.core.digitlead import sized_leads
from masking.core.numberplan import LEAD, Plan

__all__ = ["Dialled"]

_MOST: Final = 20  # digits; of more no table is kept


class Dialled:
    """The table of some regions' plans, which are named by their place among them."""

    __slots__ = ("_every", "_tables")

    def __init__(self, plans: Sequence[Plan]) -> None:
        self._every: Sequence[int] = tuple(range(len(plans)))
        rows: list[dict[str, list[int]]] = [{} for _ in range(_MOST + 1)]
        always: list[int] = []
        for index, one in enumerate(plans):
            needed = one.needed()
            found = None if needed is None else sized_leads(needed, _MOST, LEAD)
            if found is None:
                always.append(index)
                continue
            for lead, sizes in found.items():
                able = sizes & one.bare_sizes(lead) if len(lead) == LEAD else 0
                for size in range(LEAD, able.bit_length()):
                    if able >> size & 1:
                        rows[size].setdefault(lead, []).append(index)
        self._tables = [
            _Row(tuple(always), {lead: tuple(sorted([*some, *always])) for lead, some in row.items()}) for row in rows
        ]

    def able(self, digits: str) -> Sequence[int]:
        """The regions in which the digits, dialled without a plus sign, may be a valid number; the others refuse it."""
        size = len(digits)
        if not LEAD <= size <= _MOST:
            return self._every
        return self._tables[size][digits[:LEAD]]

    def is_able(self, size: int) -> bool:
        """Whether any region may have numbers of so many digits."""
        if not LEAD <= size <= _MOST:
            return bool(self._every)
        row = self._tables[size]
        return bool(row or row.others)


class _Row(dict[str, tuple[int, ...]]):
    """The regions by the first digits; `others` are those that any digits may belong to."""

    def __init__(self, others: tuple[int, ...], known: dict[str, tuple[int, ...]]) -> None:
        super().__init__(known)
        self.others = others

    def __missing__(self, lead: str) -> tuple[int, ...]:
        return self.others
