"""The audit log: who sent what kinds of values where, and what was decided; never the values. One JSON object a line.

    log = AuditLog("audit.jsonl", key=key)
    await log.record({"event": "request", "client": "shop", "route": "openai", "category": "UserInfo", …})
    verdict = verify([path], key=key)              # see masking.gateway.chain

Each line holds the number and the hash of the line before, and its own hash: HMAC-SHA256 with a key, plain SHA-256
without. Beside the file stands `<file>.head`, the number and hash of the last line that was flushed, so that a file
cut short is noticed. A restart goes on with the chain; a file that grows beyond `rotate` bytes, or that somebody moves
away, is followed by a new one that goes on with it as well.

When a line cannot be written (disk full, file gone), `on_failure` decides: "refuse" raises AuditError, "continue"
counts the line as lost, says so in the program's log, and writes how many were lost as soon as it can write again.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any, Literal

from masking.core.errors import ConfigurationError, MaskingError
from masking.gateway.chain import FIRST, Head, line_of, read_head, tail_of

__all__ = ["AuditError", "AuditLog"]

_log = logging.getLogger("masking.audit")

_GROUP = 1_000  # lines that are flushed together at most
_ROTATE = 256 * 1024 * 1024  # bytes
_RESERVED = frozenset({"seq", "time", "prev", "hash"})

Sync = Literal["always", "second", "never"]


class AuditError(MaskingError):
    """A line could not be written, so what it tells of must not happen."""


class AuditLog:
    """One file, written by one process. A thread of its own writes and flushes, lines that come together together.

    `sync` says when lines are flushed to the disk: "always" before `record` returns, once a "second", or "never", which
    leaves it to the system. `rotate` in bytes, 0 for never. `now` gives seconds since 1970.

    Raises ConfigurationError when another process writes the file, or it cannot be opened.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        key: bytes | None = None,
        on_failure: Literal["refuse", "continue"] = "refuse",
        sync: Sync = "always",
        rotate: int = _ROTATE,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._path = Path(path)
        self._head_path = self._path.with_name(self._path.name + ".head")
        self._key = key
        self._on_failure = on_failure
        self._sync = sync
        self._rotate = rotate
        self._now = now
        self._file = -1
        self._size = 0
        self._synced = 0.0
        self._is_dirty = False
        self._is_torn = False
        self._is_failing = False
        self._lost_unsaid = 0
        self.lost = 0
        """Lines that could not be written, where on_failure is "continue"."""
        self._lock = _locked(self._path)
        try:
            self._at = self._resume()
        except BaseException:
            os.close(self._lock)
            raise
        self._queue: SimpleQueue[tuple[dict[str, Any], Future[None]] | None] = SimpleQueue()
        self._gate = Lock()
        self._closed = False
        self._done = Event()
        self._thread = Thread(target=self._work, name="audit", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"<AuditLog {self._path} at line {self._at.seq}>"

    def __enter__(self) -> AuditLog:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    async def record(self, fields: Mapping[str, Any]) -> None:
        """Write one line; `fields` are JSON's, and hold no value that was found. Raises AuditError."""
        await asyncio.wrap_future(self._put(fields))

    def write(self, fields: Mapping[str, Any]) -> None:
        """As `record`, for a thread that may wait."""
        self._put(fields).result()

    def note(self, fields: Mapping[str, Any]) -> None:
        """As `record`, without waiting: for what has happened already. A failure is logged."""
        self._put(fields).add_done_callback(_logged)

    def check(self) -> None:
        """Raises AuditError when the last line could not be written and another one cannot either."""
        if self._closed:
            raise AuditError("the audit log is closed")
        if self._is_failing:
            self.write({"event": "check"})
            if self._is_failing:
                raise AuditError(f"the audit log {self._path} cannot be written; {self.lost} lines are lost")

    def close(self) -> None:
        """Write what waits, flush, and let another process have the file."""
        with self._gate:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        self._done.wait()
        self._thread.join()

    def _put(self, fields: Mapping[str, Any]) -> Future[None]:
        if not _RESERVED.isdisjoint(fields):
            raise ConfigurationError(f"an audit line has {', '.join(sorted(_RESERVED))} by itself")
        done: Future[None] = Future()
        with self._gate:
            if self._closed:
                raise AuditError("the audit log is closed")
            self._queue.put((dict(fields), done))
        return done

    # The thread

    def _work(self) -> None:
        try:
            while self._group():
                pass
        finally:
            if self._file >= 0:
                self._try_to_flush()
                os.close(self._file)
            os.close(self._lock)
            self._done.set()

    def _group(self) -> bool:
        """Write what has come, together; False at the end."""
        try:
            first = self._queue.get(timeout=1.0 if self._is_dirty else None)
        except Empty:
            self._try_to_flush()
            return True
        group = [first]
        while len(group) < _GROUP and not self._queue.empty():
            group.append(self._queue.get())
        wanted = [one for one in group if one is not None]
        if wanted:
            self._serve(wanted)
        return len(wanted) == len(group)

    def _serve(self, wanted: list[tuple[dict[str, Any], Future[None]]]) -> None:
        try:
            self._append([fields for fields, _ in wanted])
        except (OSError, TypeError, ValueError) as error:
            self._is_failing = True
            why = error.strerror if isinstance(error, OSError) else type(error).__name__
            if self._on_failure == "refuse" or not isinstance(error, OSError):
                failure = AuditError(f"the audit log {self._path} cannot be written: {why}; nothing was sent on")
                for _, done in wanted:
                    done.set_exception(failure)
                return
            self.lost += len(wanted)
            self._lost_unsaid += len(wanted)
            _log.error("audit lines lost: %d so far; %s cannot be written: %s", self.lost, self._path, why)
        for _, done in wanted:
            done.set_result(None)

    def _append(self, many: list[dict[str, Any]]) -> None:
        """All of the lines or none."""
        self._reopen()
        if self._lost_unsaid:
            many = [{"event": "gap", "lost": self._lost_unsaid}, *many]
        at = self._at
        lines: list[bytes] = []
        for fields in many:
            at, line = line_of(at, self._now(), fields, self._key)
            lines.append(line)
        data = b"".join(lines)
        try:
            _write(self._file, data)
            if self._sync == "always":
                os.fsync(self._file)
        except OSError:
            self._is_torn = True
            self._untear()
            raise
        self._at = at
        self._size += len(data)
        self._lost_unsaid = 0
        self._is_failing = False
        self._is_dirty = True
        if self._sync == "always" or time.monotonic() - self._synced >= 1.0:
            self._try_to_flush()

    def _untear(self) -> None:
        """Take back what was written of lines that failed; tried again before the next line if it fails, too."""
        os.ftruncate(self._file, self._size)
        self._is_torn = False

    def _try_to_flush(self) -> None:
        """Flush, and remember how far the chain has come. The head may lag behind the file, never run ahead of it."""
        try:
            if self._sync == "second":
                os.fsync(self._file)
            self._write_head()
        except OSError as error:
            _log.error("the audit log's head %s cannot be written: %s", self._head_path, error.strerror)
        self._is_dirty = False
        self._synced = time.monotonic()

    def _write_head(self) -> None:
        made = self._head_path.with_name(self._head_path.name + ".new")
        file = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            _write(file, self._at.dump(self._key))
        finally:
            os.close(file)
        made.replace(self._head_path)

    def _reopen(self) -> None:
        """A new file where the old one is full, or was moved away; and no torn line before the next."""
        if self._is_torn:
            self._untear()
        if self._file >= 0:
            try:
                here, there = os.fstat(self._file), self._path.stat()
                moved = (here.st_ino, here.st_dev) != (there.st_ino, there.st_dev)
            except FileNotFoundError:
                moved = True
            if not moved and (not self._rotate or self._size < self._rotate):
                return
            if not moved:
                self._path.rename(self._path.with_name(f"{self._path.name}.{self._at.seq:012}"))
            if self._sync != "never":
                os.fsync(self._file)
            os.close(self._file)
            self._file = -1
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._file).st_size

    def _resume(self) -> Head:
        """Where the chain goes on. A line that a crash left unfinished is taken away, and the next line says so."""
        try:
            last, torn = tail_of(self._path)
            head = read_head(self._head_path)
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            self._size = os.fstat(self._file).st_size
            if torn:
                self._size -= torn
                os.ftruncate(self._file, self._size)
        except OSError as error:
            raise ConfigurationError(f"cannot open the audit log {self._path}: {error.strerror}") from None
        at = last or head or FIRST
        if torn or (last and head and head.seq > last.seq):
            # The chain goes on from the file; what is missing between it and the head stays visible as this line.
            fields = {"event": "recovered", "torn_bytes": torn, "head_seq": head.seq if head else 0}
            at, line = line_of(at, self._now(), fields, self._key)
            try:
                _write(self._file, line)
            except OSError as error:
                raise ConfigurationError(f"cannot write the audit log {self._path}: {error.strerror}") from None
            self._size += len(line)
        return at


def _write(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _locked(path: Path) -> int:
    """A lock that ends with the process: two writers would break the chain."""
    try:
        file = os.open(path.with_name(path.name + ".lock"), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigurationError(f"cannot open the audit log {path}: {error.strerror}") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise ConfigurationError(
            f"another process writes the audit log {path}; give each gateway a file of its own"
        ) from None
    return file


def _logged(done: Future[None]) -> None:
    error = done.exception()
    if error is not None:
        _log.error("%s", error)
