"""What is noted of an exchange: for the audit log, metrics and traces. Counts and names, never a value."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Decision", "Record"]

Decision = Literal["masked", "clean", "unmasked", "refused"]


@dataclass(slots=True)
class Record:
    """One exchange as far as it is known."""

    client: str = ""
    """A client's name; "" where none are named or none was recognised."""
    route: str = ""
    operation: str = ""
    """The descriptor's id."""
    category: str = ""
    version: str = ""
    """The category's."""
    rules: Counter[str] = field(default_factory=Counter)
    entities: Counter[str] = field(default_factory=Counter)
    decision: Decision = "masked"
    code: str = ""
    """Why it was refused."""
    masking: float = 0.0
    """Seconds that masking took."""
    sent: bool = False
    """Whether it was noted and may have left."""

    def fields(self) -> dict[str, Any]:
        """A line of the audit log."""
        line: dict[str, Any] = {
            "event": "request",
            "client": self.client,
            "route": self.route,
            "operation": self.operation,
            "category": self.category,
            "version": self.version,
            "rules": dict(sorted(self.rules.items())),
            "decision": self.decision,
        }
        return {**line, "code": self.code} if self.code else line
