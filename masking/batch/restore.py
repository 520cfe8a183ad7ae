"""Rows with their values put back, from the table that a masking run has kept."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from masking.batch.rows import Outcome, Rows, Settings, owner_of

__all__ = ["Restoring"]

_PLACEHOLDER = re.compile(r"<[A-Z]+(?:_[A-Z]+)*_[1-9][0-9]{0,17}>")
UNKNOWN = "unknown"
"""What placeholders that the table does not know are counted as; they stay."""


class Restoring(Rows):
    """Puts values back. Only canonical placeholders count, for nothing but a masking run has written them."""

    def __init__(self, settings: Settings) -> None:
        from masking.vault import open_table

        self._settings = settings
        self._walks = {}
        self._table = open_table(settings.vault)

    def texts(
        self, rows: Sequence[tuple[Sequence[str], str | None]], outcome: Outcome
    ) -> Iterator[Sequence[str] | None]:
        by_owner: dict[str, set[str]] = {}
        for texts, conversation in rows:
            found = {one for text in texts for one in _PLACEHOLDER.findall(text)}
            if found:
                by_owner.setdefault(owner_of(self._settings, conversation), set()).update(found)
        known = {owner: self._table.get(owner, wanted) for owner, wanted in by_owner.items()}
        for texts, conversation in rows:
            values = known.get(owner_of(self._settings, conversation), {})

            def value(match: re.Match[str], values: dict[str, str] = values) -> str:
                here = values.get(match[0])
                outcome.findings[UNKNOWN if here is None else match[0][1:-1].rpartition("_")[0]] += 1
                return match[0] if here is None else here

            new = [_PLACEHOLDER.sub(value, text) for text in texts]
            yield None if new == list(texts) else new

    def is_word(self, name: str) -> bool:
        del name  # whatever a field is called, nothing but placeholders is looked for in it
        return False
