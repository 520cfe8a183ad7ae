"""Where sessions are kept between turns: in memory, in a SQLite file, or in Redis.

    vault = open_vault("sqlite:/var/lib/masking/vault.db", keys=Keys.of_environment())
    stored = vault.load(client, "conversation-7")
    version = vault.save(client, "conversation-7", session.entries(), stored.version if stored else 0)

Everything outside memory is encrypted; see `masking.vault.seal`.
"""

from __future__ import annotations

from masking.vault.memory import MemoryTable, MemoryVault
from masking.vault.store import Limits, Stored, Table, Vault

__all__ = ["Limits", "MemoryTable", "MemoryVault", "Stored", "Table", "Vault"]
