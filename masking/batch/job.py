"""What a run is asked for, how far it is, and what it has done."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from masking.batch.rows import Settings
from masking.batch.source import Format
from masking.core.rule import ModelSource

__all__ = ["Job", "Progress", "Summary"]

_BLOCK = 1 << 20  # bytes
_BLOCK_WITH_MODELS = 1 << 17  # a model takes a second for some kilobytes, and a killed run loses blocks
_LONGEST = 64 << 20  # bytes of one row


@dataclass(frozen=True, slots=True)
class Job:
    """What a run is asked for; `workers` 0 means all cores. `block` (0: as fits the category) and `longest` count
    bytes."""

    inputs: tuple[str, ...]
    output: Path
    settings: Settings
    format: Format | None = None
    shape: str = ""
    on_error: Literal["refuse", "quarantine"] = "refuse"
    workers: int = 0
    block: int = 0
    longest: int = _LONGEST
    header: bool = True
    """Whether CSV and TSV files begin with the names of their columns."""

    @property
    def block_size(self) -> int:
        """Bytes of a block."""
        if self.block or self.settings.restore:
            return self.block or _BLOCK
        rules = self.settings.masker().category.rules
        return _BLOCK_WITH_MODELS if any(isinstance(rule.source, ModelSource) for rule in rules) else _BLOCK


@dataclass(slots=True)
class Progress:
    """How far a run is; `read` and `size` count bytes of the inputs as they lie on disk."""

    files: int = 0
    done: int = 0
    size: int = 0
    read: int = 0
    resumed: int = 0
    """Bytes that earlier runs have done."""
    rows: int = 0
    fresh_rows: int = 0
    """Those of this run alone."""
    masked: int = 0
    quarantined: int = 0
    findings: Counter[str] = field(default_factory=Counter)
    file: str = ""


@dataclass(slots=True)
class Summary:
    """What a run has done, earlier interrupted runs of the same command included."""

    files: list[dict[str, Any]]
    totals: dict[str, Any]
    seconds: float
    resumed: bool
    unknown: list[str]
    """Files in the input folders that are of no known format, and were left alone."""

    @property
    def quarantined(self) -> int:
        return int(self.totals["quarantined"])
