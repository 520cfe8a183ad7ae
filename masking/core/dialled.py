"""Which of several regions' telephone numbers some digits can be, by how many they are and how they begin.

One table for all regions, made from their numbering plans. It may name a region too many, never one too few.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from masking.core.digitlead import sized_leads
from masking.core.numberform import LEAD
from masking.core.numberplan import Plan

__all__ = ["Dialled", "Row"]

_MOST: Final = 20  # digits; of more no table is kept

Row = dict[str, tuple[int, ...]]


class Dialled:
    """The table of some regions' plans, which are named by their place among them."""

    __slots__ = ("_every", "_other", "_rows")

    def __init__(self, plans: Sequence[Plan]) -> None:
        self._every = tuple(range(len(plans)))
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
        leads = [f"{number:0{LEAD}}" for number in range(10**LEAD)] if always else []
        self._rows: list[Row] = [
            {lead: tuple(sorted([*row.get(lead, ()), *always])) for lead in leads or row} for row in rows
        ]
        self._other: Row = dict.fromkeys((f"{number:0{LEAD}}" for number in range(10**LEAD)), self._every)

    def row(self, size: int) -> Row:
        """By the first digits (LEAD of them) of digits so many, the regions in which they may be a valid number.

        They are dialled without a plus sign; whoever is not named refuses them.
        """
        return self._rows[size] if size <= _MOST else self._other

    def able(self, digits: str) -> Sequence[int]:
        """The regions in which digits may be a valid number."""
        size = len(digits)
        return self.row(size).get(digits[:LEAD], ()) if size >= LEAD else self._every
