"""What serves: the configuration made ready. Replaced as a whole when rules are loaded again."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from masking.gateway.auth import Authenticator
from masking.gateway.family import Name
from masking.gateway.maskers import Maskers
from masking.gateway.observer import Observer
from masking.gateway.settings import Client, Route, Settings
from masking.gateway.upstream import Upstream
from masking.vault import Vault

__all__ = ["Serving"]


@dataclass(slots=True)
class Serving:
    """Shared by all exchanges; one that has begun keeps the maskers that it began with."""

    settings: Settings
    maskers: Maskers
    vault: Vault
    threads: ThreadPoolExecutor
    routes: Mapping[Name, Route]
    upstreams: Mapping[Name, Upstream]
    authenticator: Authenticator | None
    clients: Mapping[str, Client]
    observer: Observer
