"""What a run has done so far, on disk, so that it goes on after a kill at any moment.

One line of JSON for every block that is in its output, written after the output's bytes are on disk. A line that was
being written when the process died is not there: the block is masked again, and the output cut back to the line before.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import orjson

from masking.batch.source import STATE
from masking.core.errors import ConfigurationError

__all__ = ["Growing", "Journal", "Lock", "folder_synced", "write_whole"]


def folder_synced(folder: Path) -> None:
    """Put a folder's entries on disk: a rename counts only then. Where folders cannot be synced, nothing is done."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_whole(path: Path, data: bytes, *, mode: int | None = None) -> None:
    """Write a file so that it is there whole or not at all; `mode` other than the folder's habit."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder_synced(path.parent)


class Lock:
    """Keeps a second run out of an output folder."""

    def __init__(self, folder: Path) -> None:
        self._file = (folder / "lock").open("ab")
        try:
            import fcntl

            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:
            pass  # Windows
        except OSError:
            self._file.close()
            raise ConfigurationError(
                f"another run is writing to {folder.parent}; wait for it, or choose another output folder"
            ) from None

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()


class Journal:
    """The journal in an output folder's own folder."""

    def __init__(self, output: Path) -> None:
        self.path = output / STATE / "journal.jsonl"
        self._file: Any = None

    def read(self) -> Iterator[dict[str, Any]]:
        """Its lines; a last one that is not whole is cut off."""
        if not self.path.exists():
            return
        whole = 0
        with self.path.open("rb") as file:
            for line in file:
                try:
                    entry = orjson.loads(line) if line.endswith(b"\n") else None
                except orjson.JSONDecodeError:
                    entry = None
                if not isinstance(entry, dict):
                    break
                whole += len(line)
                yield entry
        with self.path.open("rb+") as file:
            file.truncate(whole)

    def add(self, entry: dict[str, Any]) -> None:
        """Put one line on disk."""
        if self._file is None:
            self._file = self.path.open("ab", buffering=0)
        line = orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)
        if self._file.write(line) != len(line):
            raise OSError(28, "No space left on device")
        os.fsync(self._file.fileno())

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def clear(self) -> None:
        """Its lines are in the manifest now."""
        self.close()
        self.path.unlink(missing_ok=True)


class Growing:
    """A file that is written at its end and can be cut back to where it was."""

    def __init__(self, path: Path, size: int = 0, digest: str = "") -> None:
        self.path = path
        self.sha = hashlib.sha256()
        self._file: BinaryIO = path.open("rb+" if size else "wb")
        self.size = size
        if size:
            left = size
            while left and (piece := self._file.read(min(left, 1 << 20))):
                self.sha.update(piece)
                left -= len(piece)
            if left or self.sha.hexdigest() != digest:
                self._file.close()
                raise ConfigurationError(
                    f"{path} is not what the journal says it is: somebody has changed it; choose a new output folder"
                )
            self._file.truncate(size)
            self._file.seek(size)

    def add(self, data: bytes) -> None:
        if data:
            self._file.write(data)
            self.sha.update(data)
            self.size += len(data)

    def sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()
