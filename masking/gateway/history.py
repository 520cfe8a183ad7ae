"""The history of conversations that the client's API leaves to its service: kept here, masked, in the vault."""

from __future__ import annotations

import json
from typing import Any

from masking.core.errors import ConflictError
from masking.gateway.chat import Memory
from masking.gateway.refusal import Refused
from masking.vault import Vault

__all__ = ["History"]

_ROUNDS = 50  # what the service itself keeps of a conversation
_ATTEMPTS = 8


class History:
    """Rounds of conversations by owner, category and name. Its calls block where the vault does."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def load(self, owner: str, category: str, memory: Memory) -> list[Any]:
        """The messages before this round. Raises VaultError, and Refused for a round that is not known."""
        if not memory.before:
            return []
        stored = self._vault.load(owner, _name(category, memory.before))
        if stored is None:
            if memory.unknown is not None:
                raise memory.unknown
            return []
        if memory.parent and memory.parent != stored.entries.get("last", memory.parent):
            raise Refused(400, "InvalidParameter", "ParentMessageId: a conversation goes on from its last message here")
        return list(json.loads(stored.entries["messages"]))

    def save(self, owner: str, category: str, memory: Memory, messages: list[Any]) -> None:
        """Keep the messages up to and with this round. Raises VaultError."""
        if not memory.after:
            return
        entries = {"messages": json.dumps(_lately(messages)), "last": memory.last}
        name = _name(category, memory.after)
        for _ in range(_ATTEMPTS):
            stored = self._vault.load(owner, name)
            try:
                self._vault.save(owner, name, entries, stored.version if stored is not None else 0)
                return
            except ConflictError:
                continue


def _name(category: str, name: str) -> str:
    # A placeholder means what the category's own session says, and another in another category's.
    return f"history:{category}/{name}"


def _lately(messages: list[Any]) -> list[Any]:
    """The last rounds: a round begins where the user speaks, and a tool's result stays with its call."""
    begins = [at for at, message in enumerate(messages) if isinstance(message, dict) and message.get("role") == "user"]
    return messages[begins[-_ROUNDS] :] if len(begins) > _ROUNDS else messages
