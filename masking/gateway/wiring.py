"""The configuration made into what serves: upstreams, clients, the vault."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

from masking.core.acs3 import AccessKey
from masking.core.errors import ConfigurationError
from masking.gateway import settings as given
from masking.gateway.auth import Account, Authenticator, Nonces
from masking.gateway.family import Family
from masking.gateway.incoming import Incoming
from masking.gateway.translated import ChatOnly, Translated, translation
from masking.gateway.upstream import EchoUpstream, HttpUpstream, Network, Upstream
from masking.vault import Keys, Limits, Vault, open_vault

__all__ = ["access_key", "check_upstream", "make_authenticator", "make_upstream", "make_vault", "owner_of"]

_URLS = {"openai": "https://api.openai.com/v1"}


def make_upstream(
    network: Network, settings: given.Settings, family: Family, route: given.Route, vault: Vault
) -> Upstream:
    """Who answers on a route. Raises ConfigurationError for a secret that is missing."""
    # A key of the gateway's own clients is not for anybody else.
    hands_on = not settings.clients
    if route.upstream == "echo":
        return EchoUpstream()
    if route.upstream == "direct":
        return HttpUpstream(network, family.url, hands_on=hands_on)
    chosen = settings.upstreams[route.upstream]
    if chosen.api == "echo":
        return EchoUpstream(pace=chosen.pace)
    own = "openai" if family.name == "compatible" else family.name
    url = chosen.url or (family.url if chosen.api == own else _URLS[chosen.api])
    http = HttpUpstream(
        network,
        url,
        key=_key_headers(chosen) if chosen.key else None,
        access_key=access_key(chosen.access_key) if chosen.access_key else None,
        hands_on=hands_on and chosen.api == own,
        connect=chosen.connect,
        silence=chosen.silence,
        ssl=_trust(chosen),
    )
    if chosen.api == own and not chosen.chat_only:
        return http
    translated = Translated(http, translation(family.name), model=chosen.model, vault=vault)
    return ChatOnly(http, translated) if chosen.api == own else translated


def check_upstream(upstream: given.Upstream) -> None:
    """Raises ConfigurationError for a secret or a certificate that is missing."""
    if upstream.key is not None:
        upstream.key.read()
    if upstream.access_key is not None:
        access_key(upstream.access_key)
    _trust(upstream)


def make_authenticator(settings: given.Settings, nonces: Nonces) -> Authenticator | None:
    """Who knows the clients; None where none are named. Raises ConfigurationError for a secret that is missing."""
    accounts = [
        Account(
            client.name,
            api_keys=[key.read() for key in client.keys],
            access_keys=[access_key(pair) for pair in client.access_keys],
        )
        for client in settings.clients
    ]
    return Authenticator(accounts, nonces=nonces) if accounts else None


def access_key(pair: given.AccessKeyPair) -> AccessKey:
    """The key pair. Raises ConfigurationError."""
    token = pair.security_token.read() if pair.security_token else None
    return AccessKey(pair.id.read(), pair.secret.read(), token)


def make_vault(settings: given.Vault) -> Vault:
    """The vault. Raises ConfigurationError, VaultError."""
    keys = Keys.of_file(settings.keys_file) if settings.keys_file else None
    limits = Limits(settings.entries, settings.sessions)
    return open_vault(settings.address, keys=keys, ttl=settings.ttl, limits=limits)


def owner_of(request: Incoming) -> str:
    """Whose sessions a request may use where no clients are named: those of its API key.

    A signature cannot be checked then, and a name without proof is no identity: it counts together with the address.
    """
    headers = request.headers
    bearer = headers.get("authorization", "")
    key = headers.get("x-api-key") or headers.get("x-goog-api-key") or headers.get("api-key") or ""
    if not key and bearer[:7].lower() == "bearer ":
        key = bearer[7:].strip()
    if key:
        return f"key:{sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"
    return f"peer:{request.peer}"


def _key_headers(upstream: given.Upstream) -> Callable[[str], Mapping[str, str]]:
    assert upstream.key is not None
    key = upstream.key.read()
    match upstream.api:
        case "anthropic":
            headers = {"x-api-key": key}
        case "gemini":
            headers = {"x-goog-api-key": key}
        case _:
            headers = {"authorization": f"Bearer {key}"}
    return lambda _: headers


def _trust(upstream: given.Upstream) -> Any:
    if upstream.certificate is None:
        return True
    try:
        return ssl.create_default_context(cafile=str(upstream.certificate))
    except (OSError, ssl.SSLError):
        raise ConfigurationError(f"cannot read certificates from {upstream.certificate}") from None
