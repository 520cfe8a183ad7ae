"""Reads one lane of an answer in one pass: restores its placeholders as a stream does, and redacts the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from masking.core.links import Links
from masking.core.placeholder import Grammar
from masking.core.plan import Plan
from masking.core.reader import Lane
from masking.core.redact import Edit, Redactor
from masking.core.stream import Stream

__all__ = ["RedactingStream"]


class RedactingStream(Stream):
    """As Stream, and what the model writes itself is redacted by the rules of `plan`; `own` values are kept."""

    __slots__ = ("_redactor",)

    def __init__(
        self,
        grammar: Grammar,
        values: Mapping[str, str],
        counts: Mapping[str, int],
        plan: Plan,
        own: Collection[str],
        links: Links | None = None,
        redacted: Counter[str] | None = None,
    ) -> None:
        """`redacted` counts by entity what is redacted."""
        super().__init__(grammar, values, counts, links)
        self._redactor = Redactor(plan, own, redacted)
        self._open(self._redactor, grammar.signs)

    @property
    def held(self) -> bool:
        """Whether text waits that has been fed and not said."""
        return bool(self._redactor.held or self._form)

    @property
    def waiting(self) -> str:
        """The text that waits."""
        return self._redactor.held + self._form

    feed = Lane.feed

    def _thought(self, text: str) -> str:
        """What can be said now, where a placeholder or a link may begin, or has begun, or the piece is odd."""
        loud = text not in self._quiet
        if self._form or (loud and text not in self._grammar.loud and not self._is_quiet(text)):
            return self._said(text, last=False)
        said = self._redactor.step(text)
        if said is None:
            return self._said(text, last=False)
        self._before = text or self._before
        links = self._links
        if links is not None and (loud or self._busy):
            links.read(text)
            self._busy = links.open
        self._quick = not self._busy
        return said

    def _edits(self, text: str, *, last: bool) -> list[Edit]:
        redactor = self._redactor
        waiting = self._form + text
        edits: list[Edit] = []
        at = 0
        restored = self._restored(text, last=last)
        for number, (length, value) in enumerate(restored, 1):
            if value is None:
                # Before a value, and at the end, the redactor is told that nothing follows.
                ends = number < len(restored) or last
                edits += redactor.take(waiting[at : at + length], last=ends)
            else:
                if redactor.held:
                    edits += redactor.take("", last=True)
                redactor.afresh()
                edits.append((length, value))
            at += length
        if last and redactor.held:
            edits += redactor.take("", last=True)
        self._quick = not self._busy and redactor.read == len(redactor.held)
        return edits
