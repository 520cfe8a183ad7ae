"""Files as tasks for workers, from where an earlier run stood."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from masking.batch.cut import Block, DamagedError, Prefix, Reader
from masking.batch.job import Job
from masking.batch.layout import cutter, layout_of
from masking.batch.rows import Layout, Settings
from masking.batch.source import Source
from masking.core.errors import ConfigurationError

if TYPE_CHECKING:
    from masking.batch.parquet import Group

__all__ = ["Reading", "Task", "digest_of"]

Entry = dict[str, Any] | None
"""A line of the journal: how a file was begun, or its last block."""


@dataclass(frozen=True, slots=True)
class Task:
    """A block or row group of one file, or (without one) the file's end."""

    file: int
    layout: Layout
    block: Block | None = None
    group: Group | None = None
    read: int = 0
    digest: str = ""
    damage: str = ""


class Reading:
    """Reads files; `parts` is where masked row groups are put."""

    def __init__(self, job: Job, settings: Settings, parts: Path) -> None:
        self._job = job
        self._parts = parts
        self._block = job.block_size
        self._patterns = None if settings.restore else dataclasses.replace(settings, names="off").masker()

    def _groups(self, index: int, source: Source, begun: Entry, last: Entry) -> Iterator[Task]:
        """The row groups of a Parquet file."""
        from masking.batch import parquet

        status = source.path.stat()
        if begun and last and [status.st_size, status.st_mtime_ns] != [begun["size"], begun["mtime_ns"]]:
            raise ConfigurationError(
                f"{source.path} has changed since the run began; give back the old one, or choose a new output folder"
            )
        damage, read = "", 0
        layout = Layout("parquet")
        try:
            layout = _layout(begun["layout"]) if begun and last else parquet.layout_of(source.path, self._job.shape)
            for group in parquet.groups(source.path, self._parts):
                read += group.size
                if last is None or group.number > last["group"]:
                    yield Task(index, layout, group=group, read=read)
        except DamagedError as error:
            damage = str(error)
        yield Task(index, layout, read=status.st_size, digest=digest_of(source.path), damage=damage)

    def tasks(self, index: int, source: Source, begun: Entry, last: Entry) -> Iterator[Task]:
        """The tasks of one file that an earlier run has not done, and its end. Raises ConfigurationError."""
        if source.format == "parquet":
            yield from self._groups(index, source, begun, last)
            return
        try:
            file = source.path.open("rb")
        except OSError as error:
            raise ConfigurationError(f"cannot read {source.path}: {error.strerror}") from None
        with file:
            reader = Reader(file, source.compression)
            layout: Layout | None = _layout(begun["layout"]) if begun and last else None
            before = Prefix(last["end"], last["in"]) if last else Prefix()
            cut, records = cutter(source, layout, header=self._job.header)
            damage = ""
            try:
                for block in cut(reader.pieces(), self._block, self._job.longest, before):
                    layout = layout or layout_of(source, block, self._job.shape, records, self._is_clean)
                    yield Task(index, layout, block, read=reader.size)
            except DamagedError as error:
                damage = str(error)
            except ConfigurationError as error:
                raise ConfigurationError(f"{source.path}: {error}") from None
            layout = layout or Layout(source.format, source.compression)
            yield Task(index, layout, read=reader.size, digest=reader.raw.hexdigest(), damage=damage)

    def _is_clean(self, name: str) -> bool:
        return self._patterns is None or not self._patterns.scan(name)


def _layout(said: dict[str, Any]) -> Layout:
    return Layout(**{**said, "columns": tuple(said["columns"])})


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
