"""Sessions in this process's memory: the default. They end with it, and nobody else sees them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from threading import Lock
from types import TracebackType

from masking.core.errors import ConflictError, VaultError
from masking.vault.store import DAY, Limits, Stored, new_version

__all__ = ["MemoryTable", "MemoryVault"]

_SWEEP = 60.0  # seconds between two looks for what has expired


class MemoryVault:
    """A vault in memory. `ttl` in seconds since a session's last use; `now` gives seconds."""

    def __init__(
        self, *, ttl: float = DAY, limits: Limits | None = None, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._ttl = ttl
        self._limits = limits or Limits()
        self._now = now
        self._lock = Lock()
        self._owners: dict[str, dict[str, tuple[float, Stored]]] = {}  # until when, what
        self._claims: dict[tuple[str, str], float] = {}  # until when
        self._swept = now()
        self._closed = False

    def __repr__(self) -> str:
        return f"<MemoryVault ({sum(map(len, self._owners.values()))} sessions)>"

    def __enter__(self) -> MemoryVault:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def load(self, owner: str, name: str) -> Stored | None:
        """The session, None when there is none; see `masking.vault.store.Vault`."""
        with self._lock:
            self._check_open()
            held = self._held(owner, name)
            if held is not None:
                self._owners[owner][name] = (self._now() + self._ttl, held)
            return held

    def save(self, owner: str, name: str, entries: Mapping[str, str], version: int) -> int:
        """Keep the session; its new version. Raises ConflictError or LimitError."""
        self._limits.check_entries(len(entries))
        made = Stored(dict(entries), new_version())
        with self._lock:
            self._check_open()
            held = self._held(owner, name)
            if (held.version if held else 0) != version:
                raise ConflictError("the session was saved or deleted by somebody else since it was loaded")
            now = self._now()
            if now - self._swept > _SWEEP:
                self._sweep(now)
            sessions = self._owners.setdefault(owner, {})
            if held is None and len(sessions) >= self._limits.sessions:
                self._sweep(now)
                sessions = self._owners.setdefault(owner, {})
                self._limits.check_sessions(len(sessions))
            sessions[name] = (now + self._ttl, made)
        return made.version

    def delete(self, owner: str, name: str) -> bool:
        """Forget a session; whether there was one."""
        with self._lock:
            there = self._held(owner, name) is not None
            self._drop(owner, name)
            return there

    def forget(self, owner: str) -> int:
        """Forget every session of an owner; how many there were."""
        with self._lock:
            self._sweep(self._now())
            return len(self._owners.pop(owner, {}))

    def claim(self, owner: str, name: str, seconds: float) -> bool:
        """Whether the name is free; it is claimed for that long."""
        with self._lock:
            self._check_open()
            now = self._now()
            if now - self._swept > _SWEEP:
                self._sweep(now)
            if self._claims.get((owner, name), now) > now:
                return False
            self._claims[owner, name] = now + seconds
            return True

    def purge(self) -> int:
        """Remove what has expired; how many sessions."""
        with self._lock:
            return self._sweep(self._now())

    def check(self) -> None:
        """Raises VaultError when the vault is closed."""
        self._check_open()

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._owners.clear()
            self._claims.clear()
            self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise VaultError("this vault is closed")

    def _held(self, owner: str, name: str) -> Stored | None:
        until, held = self._owners.get(owner, {}).get(name, (0.0, None))
        if held is not None and until <= self._now():
            self._drop(owner, name)
            return None
        return held

    def _drop(self, owner: str, name: str) -> None:
        sessions = self._owners.get(owner, {})
        sessions.pop(name, None)
        if not sessions:
            self._owners.pop(owner, None)

    def _sweep(self, now: float) -> int:
        self._swept = now
        self._claims = {claim: until for claim, until in self._claims.items() if until > now}
        old = [
            (owner, name)
            for owner, sessions in self._owners.items()
            for name, (until, _) in sessions.items()
            if until <= now
        ]
        for owner, name in old:
            self._drop(owner, name)
        return len(old)


class MemoryTable:
    """A table in memory."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._owners: dict[str, dict[str, str]] = {}

    def __repr__(self) -> str:
        return f"<MemoryTable ({sum(map(len, self._owners.values()))} entries)>"

    def __enter__(self) -> MemoryTable:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def put(self, owner: str, entries: Mapping[str, str]) -> int:
        """Keep entries; how many were new. Raises ConflictError when one stands for another value already."""
        with self._lock:
            held = self._owners.setdefault(owner, {})
            if any(held.get(placeholder, value) != value for placeholder, value in entries.items()):
                raise ConflictError("a placeholder stands for another value in this table already")
            before = len(held)
            held.update(entries)
            return len(held) - before

    def get(self, owner: str, placeholders: Collection[str]) -> dict[str, str]:
        """The values of those placeholders that are known."""
        with self._lock:
            held = self._owners.get(owner, {})
            return {one: held[one] for one in placeholders if one in held}

    def count(self, owner: str) -> int:
        """How many entries an owner has."""
        return len(self._owners.get(owner, {}))

    def forget(self, owner: str) -> int:
        """Remove every entry of an owner; how many there were."""
        with self._lock:
            return len(self._owners.pop(owner, {}))

    def close(self) -> None:
        """Forget everything."""
        self._owners.clear()
