"""What a vault promises, whichever keeps it.

Every method may raise VaultError: the vault does not answer, and what needs it must not leave. `owner` is whose session
it is, a client's identity; `name` is the session's own. Nobody gets a session by its name alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from secrets import randbelow
from typing import Protocol

from masking.core.errors import ConfigurationError, LimitError

__all__ = ["DAY", "Limits", "Stored", "Table", "Vault", "new_version"]

DAY = 86_400.0
"""Seconds."""

_VERSIONS = 2**62


@dataclass(frozen=True, slots=True, repr=False)
class Stored:
    """A session as it was saved: placeholder to value, and the version to save it with. Its repr shows no value."""

    entries: Mapping[str, str]
    version: int

    def __repr__(self) -> str:
        return f"Stored({len(self.entries)} entries)"


@dataclass(frozen=True, slots=True)
class Limits:
    """The most `entries` that one session may have, and the most `sessions` that one owner may have at a time."""

    entries: int = 10_000
    sessions: int = 100_000

    def __post_init__(self) -> None:
        if self.entries < 1 or self.sessions < 1:
            raise ConfigurationError("a vault's limits are whole numbers from 1")

    def check_entries(self, count: int) -> None:
        """Raises LimitError when a session of `count` entries is too large."""
        if count > self.entries:
            raise LimitError(
                f"this session has {count} values and the limit is {self.entries}; begin a new conversation, or raise "
                "the vault's limit of entries"
            )

    def check_sessions(self, count: int) -> None:
        """Raises LimitError when an owner who has `count` sessions may have no other."""
        if count >= self.sessions:
            raise LimitError(
                f"this client has {count} sessions and the limit is {self.sessions}; end some, wait until they expire, "
                "or raise the vault's limit of sessions"
            )


class Vault(Protocol):
    """Keeps sessions; may be used from several threads. Calls block: on an event loop, make them in a thread."""

    def load(self, owner: str, name: str) -> Stored | None:
        """The session as it was last saved, None when there is none or it has expired. Counts as use: it starts the
        time to live again. Raises SealError for what was altered."""
        ...

    def save(self, owner: str, name: str, entries: Mapping[str, str], version: int) -> int:
        """Keep the session in place of the one that `version` was loaded with, 0 for a new one; its new version.

        Raises ConflictError when somebody else saved or deleted it since, LimitError when it is too large or the
        owner has too many.
        """
        ...

    def delete(self, owner: str, name: str) -> bool:
        """Forget a session; whether there was one."""
        ...

    def forget(self, owner: str) -> int:
        """Forget every session of an owner; how many there were."""
        ...

    def claim(self, owner: str, name: str, seconds: float) -> bool:
        """Whether nobody has claimed that name within the seconds that its last claim holds; it is claimed now. Names
        of claims and of sessions have nothing to do with each other."""
        ...

    def purge(self) -> int:
        """Remove what has expired; how many sessions. Expired ones are never given out, purged or not."""
        ...

    def check(self) -> None:
        """Raises VaultError when sessions could not be kept now."""
        ...

    def close(self) -> None:
        """Give back files and connections; calls afterwards raise VaultError."""
        ...


class Table(Protocol):
    """Keeps single entries, for work on millions of texts; may be used from several threads and processes."""

    def put(self, owner: str, entries: Mapping[str, str]) -> int:
        """Keep entries, placeholder to value; how many were new. May be repeated.

        Raises ConflictError, and keeps none, when a placeholder stands for another value already.
        """
        ...

    def get(self, owner: str, placeholders: Collection[str]) -> dict[str, str]:
        """The values of those placeholders that are known."""
        ...

    def count(self, owner: str) -> int:
        """How many entries an owner has."""
        ...

    def forget(self, owner: str) -> int:
        """Remove every entry of an owner; how many there were."""
        ...

    def close(self) -> None:
        """Give back files and connections."""
        ...


def new_version() -> int:
    """A version that was never there before, not even for a session that was deleted and made again."""
    return 1 + randbelow(_VERSIONS)
