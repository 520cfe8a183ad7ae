"""Where sessions are kept between turns: in memory, in a SQLite file, or in Redis.

    vault = open_vault("sqlite:/var/lib/masking/vault.db")              # keys from the environment
    stored = vault.load(client, "conversation-7")
    version = vault.save(client, "conversation-7", session.entries(), stored.version if stored else 0)

Addresses: `memory:`, `sqlite:PATH`, `redis://HOST:PORT/0`, `rediss://…` (TLS), `unix://…`. Everything outside memory is
encrypted; see `masking.vault.seal`.
"""

from __future__ import annotations

from masking.core.errors import ConfigurationError
from masking.vault.memory import MemoryTable, MemoryVault
from masking.vault.seal import Keys, new_key
from masking.vault.store import DAY, Limits, Stored, Table, Vault

__all__ = [
    "Keys",
    "Limits",
    "MemoryTable",
    "MemoryVault",
    "Stored",
    "Table",
    "Vault",
    "new_key",
    "open_table",
    "open_vault",
]

_REDIS = ("redis:", "rediss:", "unix:")


def open_vault(address: str, *, keys: Keys | None = None, ttl: float = DAY, limits: Limits | None = None) -> Vault:
    """The vault at an address; `keys` left out are those of the environment, `ttl` in seconds since the last use.

    Raises ConfigurationError for the address or the keys, SealError when the keys are not those of what is there,
    VaultError when it cannot be reached.
    """
    if address in ("memory", "memory:"):
        return MemoryVault(ttl=ttl, limits=limits)
    if address.startswith("sqlite:"):
        from masking.vault.sqlite import SqliteVault

        return SqliteVault(_path(address), keys or Keys.of_environment(), ttl=ttl, limits=limits)
    if address.startswith(_REDIS):
        from masking.vault.redis import RedisVault

        return RedisVault(address, keys or Keys.of_environment(), ttl=ttl, limits=limits)
    raise _unknown()


def open_table(address: str, *, keys: Keys | None = None) -> Table:
    """The table of single entries at an address; otherwise as `open_vault`."""
    if address in ("memory", "memory:"):
        return MemoryTable()
    if address.startswith("sqlite:"):
        from masking.vault.sqlite import SqliteTable

        return SqliteTable(_path(address), keys or Keys.of_environment())
    if address.startswith(_REDIS):
        from masking.vault.redis import RedisTable

        return RedisTable(address, keys or Keys.of_environment())
    raise _unknown()


def _path(address: str) -> str:
    """sqlite:vault.db, sqlite:/var/vault.db and sqlite:///var/vault.db, as in a file URL."""
    path = address.removeprefix("sqlite:").removeprefix("//")
    if not path:
        raise ConfigurationError("sqlite: names no file; write sqlite:PATH")
    return path


def _unknown() -> ConfigurationError:
    return ConfigurationError("a vault's address is memory:, sqlite:PATH, redis://HOST:PORT/0, rediss://… or unix://…")
