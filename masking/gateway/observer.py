"""Tells of every exchange: to the audit log before anything leaves, to metrics and traces on the way."""

from __future__ import annotations

import contextlib

from masking.gateway.audit import AuditLog
from masking.gateway.metrics import Metrics
from masking.gateway.record import Record
from masking.gateway.relay import Relay
from masking.gateway.settings import Audit
from masking.gateway.tracing import Tracing

__all__ = ["Observer"]


class Observer:
    """Everything that looks on. `open` begins the audit log."""

    def __init__(self, audit: Audit) -> None:
        self._settings = audit
        self._audit: AuditLog | None = None
        self.metrics = Metrics()
        self.tracing = Tracing()

    def open(self) -> None:
        """Begin the audit log. Raises ConfigurationError when it cannot be written."""
        given = self._settings
        if given.path is not None:
            key = given.key.read().encode() if given.key else None
            self._audit = AuditLog(given.path, key=key, on_failure=given.on_failure, sync=given.sync)

    def close(self) -> None:
        """Write what waits."""
        if self._audit is not None:
            self._audit.close()
            self._audit = None

    def check(self) -> None:
        """Raises AuditError when a request could not be noted now; waits for the disk."""
        if self._audit is not None:
            self._audit.check()

    async def sending(self, record: Record) -> None:
        """A request is about to leave. Raises AuditError where it must not."""
        if record.decision == "masked" and not record.rules:
            record.decision = "clean"
        if self._audit is not None:
            await self._audit.record(record.fields())
        record.sent = True
        self.metrics.requested(record.route, record.decision, record.entities, record.masking)

    def refused(self, record: Record) -> None:
        """A request was not served, or its reply broke."""
        if record.sent:
            self.metrics.replied(record.route, 0)
        else:
            self.metrics.refused(record.route or "none", record.code)
        if self._audit is not None:
            with contextlib.suppress(Exception):  # it said so itself, and nothing left
                self._audit.note(record.fields())

    def ended(self, record: Record, relay: Relay) -> None:
        """A reply was handed on, or its client is gone."""
        if relay.counting is not None and relay.counting.redacted:
            self.metrics.redacted(relay.counting.redacted)
        if relay.streams:
            self.metrics.streamed(record.route, relay.restoring, relay.parts, relay.withheld)

    def page(self) -> tuple[int, bytes, bytes]:
        """The metrics: status, content type, body."""
        if self._audit is not None:
            self.metrics.audit_lost(self._audit.lost)
        body, kind = self.metrics.page()
        return 200, kind.encode("ascii"), body
