"""Rows of plain data masked together: every text of all of them is scanned first, each once, names in batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, MutableMapping, Sequence
from typing import Any

from masking.core.document import Document
from masking.core.errors import ConfigurationError, UnmaskableError
from masking.core.finding import Finding
from masking.core.path import Path
from masking.core.session import Session
from masking.masker import Masker

__all__ = ["Texts", "masked_at"]

Mask = Callable[[str], str]
Walk = Callable[[Any, Mask], bool]
"""Gives every text of a row to a function and puts what it returns in its place; says whether anything changed."""


class Texts:
    """A masker at work on rows; each row is a conversation of its own.

    `entries` takes up the table of all rows, placeholder to value; a masker without a key has none, for <PERSON_1> is
    somebody else in every row. `found` counts findings by entity.
    """

    def __init__(self, masker: Masker, *, entries: MutableMapping[str, str] | None = None) -> None:
        if entries is not None and not masker.is_keyed:
            raise ConfigurationError("entries are taken up only with a key: without one <PERSON_1> is many people")
        self._masker = masker
        self._entries = entries
        self.found: Counter[str] = Counter()

    def mask_rows(self, rows: Sequence[Any], walk: Walk) -> bool:
        """Mask the rows in place; whether anything changed. Raises UnmaskableError with the row's number, from 0."""
        scanned = self._scanned(rows, walk)
        changed = False
        session: Session | None = None
        told = False

        def mask(text: str) -> str:
            nonlocal told
            assert session is not None
            masked = session.masked(text, scanned.get(text))
            if masked.findings:
                told = True
                self.found.update(finding.entity for finding in masked.findings)
            return masked.text

        for number, row in enumerate(rows):
            if session is None or told:
                session, told = self._next(session), False
            try:
                changed = walk(row, mask) or changed
            except UnmaskableError as error:
                raise UnmaskableError(error.what, where=f"row {number}") from None
        if session is not None:
            self._closed(session)
        return changed

    def _scanned(self, rows: Sequence[Any], walk: Walk) -> dict[str, list[Finding]]:
        """What every text of the rows holds, as if it stood alone."""
        seen: dict[str, None] = {}

        def remember(text: str) -> str:
            seen[text] = None
            return text

        for number, row in enumerate(rows):
            try:
                walk(row, remember)
            except UnmaskableError as error:
                raise UnmaskableError(error.what, where=f"row {number}") from None
        return dict(zip(seen, self._masker.scan_many(seen), strict=True))

    def _next(self, session: Session | None) -> Session:
        if session is not None:
            self._closed(session)
        return self._masker.session()

    def _closed(self, session: Session) -> None:
        if self._entries is not None:
            self._entries.update(session.entries())
        session.close()


def masked_at(row: Any, path: Path, mask: Mask) -> bool:
    """Mask what stands at a path of a row, and everything below it; whether anything changed."""
    if not path:
        return False
    changed = False
    step, below = path[0], path[1:]
    if step is None:
        places: Sequence[Any] = range(len(row)) if isinstance(row, list) else ()
    else:
        places = (step,) if isinstance(row, dict) and step in row else ()
    for place in places:
        if below:
            changed = masked_at(row[place], below, mask) or changed
        else:
            row[place], new = Document().mask(row[place], mask)
            changed = changed or new
    return changed
