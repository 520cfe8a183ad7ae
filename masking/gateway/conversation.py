"""The session of an exchange: new, or found again by what names the conversation."""

from __future__ import annotations

from collections import Counter

from masking.core.lane import Stream
from masking.core.session import Session

__all__ = ["Counting", "Unmasked"]


class Counting:
    """A session that counts what it finds: rule ids, never values."""

    __slots__ = ("_session", "counts", "entities")

    def __init__(self, session: Session) -> None:
        self._session = session
        self.counts: Counter[str] = Counter()
        self.entities: Counter[str] = Counter()

    def mask(self, text: str) -> str:
        masked = self._session.masked(text)
        for finding in masked.findings:
            self.counts[finding.rule] += 1
            self.entities[finding.entity] += 1
        return masked.text

    def restore(self, text: str, *, json: bool = False) -> str:
        return self._session.restore(text, json=json)

    def stream_object(self, *, json: bool = False) -> Stream:
        return self._session.stream_object(json=json)


class Unmasked:
    """A session that masks nothing: where the configuration allows NeedDesensitization=false."""

    __slots__ = ()

    def mask(self, text: str) -> str:
        return text

    def restore(self, text: str, *, json: bool = False) -> str:
        del json
        return text

    def stream_object(self, *, json: bool = False) -> Stream:
        del json
        return _Straight()


class _Straight:
    __slots__ = ()
    held = False

    def feed(self, text: str) -> str:
        return text

    def flush(self) -> str:
        return ""
