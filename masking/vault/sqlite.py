"""Sessions and tables in one SQLite file: durable, encrypted, for the processes of one machine.

Written ahead (WAL) and flushed to the disk at every save: a process that is killed, or a machine that loses power,
leaves the last state that was saved. SQLite's locks need a local disk: do not put the file on a network share.
Source: https://www.sqlite.org/wal.html
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import Literal, Self

from masking.core.errors import ConflictError, VaultError
from masking.vault.seal import Keys, Sealer, dump, read
from masking.vault.store import DAY, Limits, Stored, new_version

__all__ = ["SqliteTable", "SqliteVault"]

_BUSY = 10.0  # seconds that a writer waits for another
_BATCH = 500
_SWEEP = 600.0  # seconds between two looks for what has expired
_TOUCH = 0.9  # of the time to live: a use writes only when this much of it is left, or less
_SCHEMA = 2
_TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS sessions (
    id INTEGER PRIMARY KEY, owner BLOB NOT NULL, name BLOB NOT NULL, version INTEGER NOT NULL, until REAL NOT NULL,
    sealed BLOB NOT NULL, UNIQUE (owner, name)
);
CREATE INDEX IF NOT EXISTS sessions_until ON sessions (until);
CREATE TABLE IF NOT EXISTS entries (
    owner BLOB NOT NULL, name BLOB NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (owner, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS claims (
    owner BLOB NOT NULL, name BLOB NOT NULL, until REAL NOT NULL, PRIMARY KEY (owner, name)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS claims_until ON claims (until);
"""


class _File:
    """One file, one connection, which threads share; a process that forks opens its own."""

    def __init__(self, path: str | Path, keys: Keys, *, synchronous: Literal["full", "normal"] = "full") -> None:
        """With synchronous "normal" a save survives the process and not the machine's power. Raises VaultError, or
        SealError when the keys are not the file's."""
        self._path = Path(path)
        self._keys = keys
        self._synchronous = synchronous
        self._lock = RLock()
        self._process = 0
        self._db: sqlite3.Connection | None = None
        self._closed = False
        with self._transaction() as db:
            row = db.execute("SELECT value FROM meta WHERE name = 'names'").fetchone()
            self._sealer = Sealer(keys, row and row[0])
            if row is None:
                db.execute("INSERT INTO meta VALUES ('names', ?)", (self._sealer.wrapped(),))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._path}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; calls afterwards raise VaultError."""
        with self._lock:
            self._closed = True
            if self._db is not None and self._process == os.getpid():
                self._db.close()
            self._db = None

    def check(self) -> None:
        """Raises VaultError when the file cannot be read and written."""
        with self._transaction() as db:
            db.execute("SELECT value FROM meta").fetchone()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._connection()
            except sqlite3.Error as error:
                raise self._down(error) from None

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; other writers wait."""
        with self._lock:
            try:
                db = self._connection()
                db.execute("BEGIN IMMEDIATE")
                try:
                    yield db
                    db.execute("COMMIT")
                finally:
                    if db.in_transaction:
                        db.execute("ROLLBACK")
            except sqlite3.Error as error:
                raise self._down(error) from None

    def _down(self, error: sqlite3.Error) -> VaultError:
        return VaultError(f"the vault {self._path} cannot be used: {error}")

    def _connection(self) -> sqlite3.Connection:
        if self._closed:
            raise VaultError("this vault is closed")
        if self._db is None or self._process != os.getpid():
            self._db = self._opened()
            self._process = os.getpid()
        return self._db

    def _opened(self) -> sqlite3.Connection:
        try:
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))  # for its owner alone; -wal and -shm follow
        except OSError as error:
            raise VaultError(f"the vault {self._path} cannot be opened: {error.strerror}") from None
        db = sqlite3.connect(self._path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(db)
        except BaseException:
            db.close()
            raise
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        patience = time.monotonic() + _BUSY
        while True:
            try:
                db.execute("PRAGMA journal_mode = WAL")
                break
            except sqlite3.OperationalError:  # SQLite does not wait where another process is changing it too
                if time.monotonic() > patience:
                    raise
                time.sleep(0.01)
        db.execute(f"PRAGMA synchronous = {self._synchronous.upper()}")
        db.execute("PRAGMA secure_delete = ON")
        (schema,) = db.execute("PRAGMA user_version").fetchone()
        if schema > _SCHEMA:
            raise VaultError(f"the vault {self._path} was written by a newer version of this program; update it")
        if schema < _SCHEMA:
            db.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {_SCHEMA}; COMMIT;")

    def rotate(self) -> int:
        """Encrypt again, with the first key, whatever another one wrote; how many records. May run beside others.

        Raises SealError for a record that none of the keys opens.
        """
        with self._transaction() as db:
            db.execute("UPDATE meta SET value = ? WHERE name = 'names'", (self._sealer.wrapped(),))
        return self._rotate("sessions", b"session") + self._rotate("entries", b"entry")

    def _rotate(self, table: str, kind: bytes) -> int:
        version = "version" if table == "sessions" else "0"
        page = f"SELECT owner, name, {version}, sealed FROM {table} WHERE (owner, name) > (?, ?) "  # noqa: S608 - ours
        page += "ORDER BY owner, name LIMIT ?"
        update = f"UPDATE {table} SET sealed = ? WHERE owner = ? AND name = ?"  # noqa: S608 - ours
        at, count = (b"", b""), 0
        while True:
            with self._transaction() as db:
                rows = db.execute(page, (*at, _BATCH)).fetchall()
                for owner, name, number, sealed in rows:
                    if not self._sealer.is_newest(sealed):
                        data = self._sealer.open(kind, owner, name, number, sealed)
                        db.execute(update, (self._sealer.seal(kind, owner, name, number, data), owner, name))
                        count += 1
            if len(rows) < _BATCH:
                return count
            at = rows[-1][:2]


class SqliteVault(_File):
    """A vault in a SQLite file. `ttl` in seconds since a session's last use; `now` gives seconds since 1970."""

    def __init__(
        self,
        path: str | Path,
        keys: Keys,
        *,
        ttl: float = DAY,
        limits: Limits | None = None,
        now: Callable[[], float] = time.time,
        synchronous: Literal["full", "normal"] = "full",
    ) -> None:
        super().__init__(path, keys, synchronous=synchronous)
        self._ttl = ttl
        self._limits = limits or Limits()
        self._now = now
        self._swept = now()

    def load(self, owner: str, name: str) -> Stored | None:
        """The session, None when there is none; see `masking.vault.store.Vault`."""
        blind, key = self._place(owner, name)
        now = self._now()
        with self._reading() as db:
            row = db.execute(
                "SELECT version, sealed, until FROM sessions WHERE owner = ? AND name = ? AND until > ?",
                (blind, key, now),
            ).fetchone()
        if row is None:
            return None
        version, sealed, until = row
        stored = Stored(read(self._sealer.open(b"session", blind, key, version, sealed)), version)
        if until - now < _TOUCH * self._ttl:
            with self._transaction() as db:
                update = "UPDATE sessions SET until = ? WHERE owner = ? AND name = ? AND until < ?"
                db.execute(update, (now + self._ttl, blind, key, now + self._ttl))
        return stored

    def save(self, owner: str, name: str, entries: Mapping[str, str], version: int) -> int:
        """Keep the session; its new version. Raises ConflictError or LimitError."""
        self._limits.check_entries(len(entries))
        blind, key = self._place(owner, name)
        made = new_version()
        sealed = self._sealer.seal(b"session", blind, key, made, dump(entries))
        now = self._now()
        with self._transaction() as db:
            self._sweep(db, now)
            where = (blind, key, now)
            row = db.execute(
                "SELECT version FROM sessions WHERE owner = ? AND name = ? AND until > ?", where
            ).fetchone()
            if (row[0] if row else 0) != version:
                raise ConflictError("the session was saved or deleted by somebody else since it was loaded")
            if row is None:
                mine = "SELECT count(*) FROM sessions WHERE owner = ? AND until > ? AND name <> ?"
                self._limits.check_sessions(db.execute(mine, (blind, now, key)).fetchone()[0])
            db.execute(
                "INSERT OR REPLACE INTO sessions (owner, name, version, until, sealed) VALUES (?, ?, ?, ?, ?)",
                (blind, key, made, now + self._ttl, sealed),
            )
        return made

    def delete(self, owner: str, name: str) -> bool:
        """Forget a session; whether there was one."""
        blind, key = self._place(owner, name)
        with self._transaction() as db:
            found = db.execute(
                "SELECT until > ? FROM sessions WHERE owner = ? AND name = ?", (self._now(), blind, key)
            ).fetchone()
            db.execute("DELETE FROM sessions WHERE owner = ? AND name = ?", (blind, key))
        return bool(found and found[0])

    def forget(self, owner: str) -> int:
        """Forget every session of an owner; how many there were."""
        blind = self._sealer.owner(owner)
        with self._transaction() as db:
            live = "SELECT count(*) FROM sessions WHERE owner = ? AND until > ?"
            (count,) = db.execute(live, (blind, self._now())).fetchone()
            db.execute("DELETE FROM sessions WHERE owner = ?", (blind,))
        return int(count)

    def claim(self, owner: str, name: str, seconds: float) -> bool:
        """Whether the name is free, for every process that has the file; it is claimed for that long."""
        blind, key = self._place(owner, name)
        now = self._now()
        claim = "INSERT INTO claims VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET until = excluded.until WHERE until <= ?"
        with self._transaction() as db:
            self._sweep(db, now)
            return db.execute(claim, (blind, key, now + seconds, now)).rowcount > 0

    def _sweep(self, db: sqlite3.Connection, now: float) -> None:
        """Remove what has expired, now and then."""
        if now - self._swept > _SWEEP:
            self._swept = now
            db.execute("DELETE FROM sessions WHERE until <= ?", (now,))
            db.execute("DELETE FROM claims WHERE until <= ?", (now,))

    def purge(self) -> int:
        """Remove what has expired; how many sessions."""
        with self._transaction() as db:
            db.execute("DELETE FROM claims WHERE until <= ?", (self._now(),))
            return db.execute("DELETE FROM sessions WHERE until <= ?", (self._now(),)).rowcount

    def _place(self, owner: str, name: str) -> tuple[bytes, bytes]:
        blind = self._sealer.owner(owner)
        return blind, self._sealer.name(blind, name)


class SqliteTable(_File):
    """A table of single entries in a SQLite file; it may be the same file as a vault's."""

    def put(self, owner: str, entries: Mapping[str, str]) -> int:
        """Keep entries; how many were new. Raises ConflictError when one stands for another value already."""
        blind = self._sealer.owner(owner)
        placed = {self._sealer.name(blind, placeholder): value for placeholder, value in entries.items()}
        new = 0
        with self._transaction() as db:
            for part in _parts(placed):
                known = self._known(db, blind, part)
                for key, value in known.items():
                    if value != placed[key]:
                        raise ConflictError("a placeholder stands for another value in this table already")
                rows = [
                    (blind, key, self._sealer.seal(b"entry", blind, key, 0, _bytes(placed[key])))
                    for key in part
                    if key not in known
                ]
                db.executemany("INSERT INTO entries VALUES (?, ?, ?)", rows)
                new += len(rows)
        return new

    def get(self, owner: str, placeholders: Collection[str]) -> dict[str, str]:
        """The values of those placeholders that are known."""
        blind = self._sealer.owner(owner)
        placed = {self._sealer.name(blind, one): one for one in placeholders}
        found: dict[str, str] = {}
        for part in _parts(placed):
            with self._reading() as db:
                known = self._known(db, blind, part)
            found |= {placed[key]: value for key, value in known.items()}
        return found

    def count(self, owner: str) -> int:
        """How many entries an owner has."""
        with self._reading() as db:
            query = "SELECT count(*) FROM entries WHERE owner = ?"
            return int(db.execute(query, (self._sealer.owner(owner),)).fetchone()[0])

    def forget(self, owner: str) -> int:
        """Remove every entry of an owner; how many there were."""
        with self._transaction() as db:
            return db.execute("DELETE FROM entries WHERE owner = ?", (self._sealer.owner(owner),)).rowcount

    def _known(self, db: sqlite3.Connection, blind: bytes, keys: Collection[bytes]) -> dict[bytes, str]:
        marks = ", ".join("?" * len(keys))
        query = f"SELECT name, sealed FROM entries WHERE owner = ? AND name IN ({marks})"  # noqa: S608 - question marks
        rows = db.execute(query, (blind, *keys)).fetchall()
        return {key: _text(self._sealer.open(b"entry", blind, key, 0, sealed)) for key, sealed in rows}


def _parts(keys: Collection[bytes]) -> Iterator[list[bytes]]:
    rest = iter(keys)
    while part := list(islice(rest, _BATCH)):
        yield part


def _bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")
