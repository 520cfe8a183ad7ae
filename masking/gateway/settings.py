"""The gateway's configuration: what one YAML file may say.

    listen:      {host: 127.0.0.1, port: 8000}
    category:    UserInfo
    clients:     [{name: shop, keys: [{env: SHOP_KEY}]}]
    upstreams:   {qwen: {api: openai, url: "https://…/v1", key: {env: QWEN_KEY}}}
    routes:      {openai: {upstream: qwen}, dms: {upstream: qwen}}

Without a file all routes lead to the echo model. Secrets never stand in the file: it names the environment variable or
the file that holds them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from masking.core.errors import ConfigurationError
from masking.gateway.family import FAMILIES, Name

__all__ = [
    "AccessKeyPair",
    "Audit",
    "Client",
    "Limits",
    "Listen",
    "Route",
    "Secret",
    "Settings",
    "Studio",
    "Upstream",
    "Vault",
]

Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Api = Literal["echo", "dms", "rdsai", "dashscope", "openai", "anthropic", "gemini", "ollama"]

TRANSLATED: tuple[Name, ...] = ("dms", "rdsai", "dashscope", "anthropic", "gemini", "ollama")
"""The APIs that an OpenAI-compatible server can stand behind."""

_LOOPBACK = ("127.", "::1", "localhost")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Secret(_Part):
    """Where a secret stands: one of the two."""

    env: str = Field(default="", description="the environment variable that holds it")
    file: str = Field(default="", description="the file that holds it; the last line end does not count")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if bool(self.env) == bool(self.file):
            raise ValueError("name one of env and file; the secret itself does not belong in this file")
        return self

    def read(self) -> str:
        """The secret. Raises ConfigurationError, which names where it should be."""
        if self.env:
            found = os.environ.get(self.env, "")
            where = f"the environment variable {self.env}"
        else:
            where = f"the file {self.file}"
            try:
                found = Path(self.file).read_text("utf-8").rstrip("\r\n")
            except (OSError, UnicodeDecodeError):
                raise ConfigurationError(f"a secret cannot be read from {where}") from None
        if not found:
            raise ConfigurationError(f"a secret is missing: {where} is empty or not set")
        if not found.isascii() or not found.isprintable() or " " in found:
            raise ConfigurationError(f"{where} holds a character that no key has: look for a stray space or line end")
        return found


class AccessKeyPair(_Part):
    """An access key of Alibaba Cloud's RPC style."""

    id: Secret
    secret: Secret
    security_token: Secret | None = Field(default=None, description="of a temporary key (STS)")


class Listen(_Part):
    """Where the gateway listens."""

    host: str = Field(default="127.0.0.1", description="the address")
    port: int = Field(default=8000, ge=0, le=65535, description="the port; 0 takes a free one")
    certificate: Path | None = Field(default=None, description="TLS: a file of certificates (PEM), the server's first")
    key: Path | None = Field(default=None, description="TLS: the file of its private key (PEM)")

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host.startswith(_LOOPBACK)


class Client(_Part):
    """Who may use the gateway. Its name is part of the key of its sessions."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", description="for sessions, metrics and the audit log"
    )
    keys: list[Secret] = Field(default=[], description="API keys: as a bearer token, x-api-key or x-goog-api-key")
    access_keys: list[AccessKeyPair] = Field(default=[], description="access keys, for DMS and RDS AI")
    category: str = Field(default="", description="a category of its own")
    categories: list[str] = Field(
        default=[], description="the categories that it may choose from; empty: those of the gateway"
    )
    routes: list[Name] = Field(default=[], description="the routes it may use; empty: all")

    @model_validator(mode="after")
    def _has_a_key(self) -> Self:
        if not self.keys and not self.access_keys:
            raise ValueError("give keys or access_keys, or nobody can be this client")
        return self


class Upstream(_Part):
    """A server that answers."""

    api: Api = Field(description="the API that it speaks; openai counts for every OpenAI-compatible server")
    url: str = Field(default="", description="its address, in the place of the route's prefix; empty: the API's own")
    key: Secret | None = Field(default=None, description="its API key; without one the client's own is handed on")
    access_key: AccessKeyPair | None = Field(
        default=None, description="for dms and rdsai: requests are signed anew with it"
    )
    model: str = Field(
        default="", description="for translated requests: the model to ask for, whatever the client names"
    )
    chat_only: bool = Field(
        default=False, description="openai: it has no /responses; those are translated to chat completions"
    )
    connect: Seconds = Field(default=10.0, description="seconds until a connection stands")
    silence: Seconds = Field(default=300.0, description="seconds between two reads")
    certificate: Path | None = Field(
        default=None, description="a file of certificates (PEM) to trust instead of the system's"
    )
    pace: Annotated[float, Field(ge=0)] = Field(default=0.0, description="echo: seconds between two events")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.url and not self.url.startswith(("http://", "https://")):
            raise ValueError("url begins with http:// or https://")
        if self.api in ("dms", "rdsai") and self.access_key is None:
            raise ValueError("masking breaks the client's signature: give the access_key to sign with")
        if self.chat_only and self.api != "openai":
            raise ValueError("chat_only is for api: openai")
        if self.api == "echo" and (self.url or self.key or self.access_key):
            raise ValueError("echo is on this machine: it has no url and no keys")
        return self


class Route(_Part):
    """What becomes of one API."""

    upstream: str = Field(
        default="echo", description="a name from upstreams; echo and direct (the API itself) need none"
    )
    category: str = Field(default="", description="a category of its own")
    allow_unmasked: bool = Field(default=False, description="dms: whether NeedDesensitization=false turns masking off")


class Vault(_Part):
    """Where the sessions of conversations are kept between their turns."""

    address: str = Field(default="memory:", description="memory:, sqlite:PATH, redis://HOST:PORT/0 or rediss://…")
    keys_file: str = Field(
        default="", description="a file of keys, one a line, the first writes; empty: MASKING_VAULT_KEYS"
    )
    ttl: Seconds = Field(default=86_400.0, description="seconds after which an unused session is forgotten")
    entries: Count = Field(default=10_000, description="values that one session may hold")
    sessions: Count = Field(default=100_000, description="sessions that one client may have")

    @property
    def blocks(self) -> bool:
        """Whether its calls wait for a disk or a network."""
        return not self.address.startswith("memory")


class Limits(_Part):
    """What is too much: refused with a status of its own."""

    body: Count = Field(default=16 * 1024**2, description="bytes of a request's body")
    request_line: Count = Field(default=2 * 1024**2, description="bytes of the request line: RDS AI asks in the URL")
    header_bytes: Count = Field(default=64 * 1024, description="bytes of all headers")
    headers: Count = Field(default=100, description="headers of one request")
    head_seconds: Seconds = Field(default=10.0, description="seconds until the headers are there")
    body_seconds: Seconds = Field(default=30.0, description="seconds until the body is there")
    reply: Count = Field(default=64 * 1024**2, description="bytes of a whole reply that is no stream")
    exchanges: Count = Field(default=5_000, description="exchanges at a time")
    heartbeat: Seconds = Field(default=5.0, description="seconds of silence after which a stream gets a comment line")
    stall: Seconds = Field(default=60.0, description="seconds that a client may not read before it counts as gone")
    keep_alive: Seconds = Field(default=75.0, description="seconds that an idle connection stays open")
    shutdown: Seconds = Field(default=30.0, description="seconds that streams have to end after SIGTERM")
    threads: Count = Field(default=4, description="threads that mask long requests")


class Audit(_Part):
    """The audit log: who sent what kind of values where, never the values."""

    path: Path | None = Field(default=None, description="the file, JSON lines, chained by hashes; none: no log")
    on_failure: Literal["refuse", "continue"] = Field(default="refuse", description="when a line cannot be written")
    key: Secret | None = Field(default=None, description="makes the chain one that nobody without it can make")
    sync: Literal["always", "second", "never"] = Field(
        default="always", description="when lines are flushed to the disk: before a request leaves, once a second"
    )


class Studio(_Part):
    """The page of `masking policy studio` under this gateway's port."""

    path: str = Field(default="", pattern=r"^(/[a-z0-9-]+)?$", description="such as /studio; empty: off. Loopback only")
    folder: Path | None = Field(default=None, description="the folder of your own categories that it may change")
    key: Secret | None = Field(default=None, description="must be shown once, as ?key=…")


class Shadow(_Part):
    """A candidate category that reads along with the default one and only tells where it differs."""

    category: str = Field(default="", description="a shipped category's name, or the path of a YAML file; empty: none")
    report: Path | None = Field(default=None, description="the file that differences are appended to, JSON lines")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if bool(self.category) != bool(self.report):
            raise ValueError("category and report go together")
        return self


class Settings(_Part):
    """The whole configuration."""

    listen: Listen = Listen()
    category: str = Field(default="UserInfo", description="a shipped category's name, or the path of a YAML file")
    categories: list[str] = Field(
        default=[], description="what DesensitizationRule and x-masking-category may name; empty: the shipped ones"
    )
    names: Literal["on", "off"] = Field(default="on", description="off: without the models that find names")
    providers: list[Path] = Field(default=[], description="your own provider descriptors: files or folders")
    placeholder_key: Secret | None = Field(
        default=None,
        description="16 characters or more: placeholders are the same in every session and on every machine",
    )
    clients: list[Client] = Field(default=[], description="who may use it; empty: whoever can reach it")
    open: bool = Field(
        default=False, description="whether it may listen beyond this machine although no clients are named"
    )
    upstreams: dict[str, Upstream] = Field(default={}, description="servers by name")
    routes: dict[Name, Route] = Field(
        default={}, description="which APIs are served; empty: all of them, by the echo model"
    )
    watch: Annotated[float, Field(ge=0)] = Field(
        default=0.0,
        description="seconds between two looks at this file and at those of the rules, which are read again when they "
        "changed; 0: on SIGHUP alone",
    )
    vault: Vault = Vault()
    limits: Limits = Limits()
    audit: Audit = Audit()
    shadow: Shadow = Shadow()
    studio: Studio = Studio()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        names = [client.name for client in self.clients]
        if len(set(names)) != len(names):
            raise ValueError("clients: two have the same name, and would share their sessions")
        if not self.listen.is_loopback and not self.clients and not self.open:
            raise ValueError("listen: beyond this machine, but no clients are named: name them, or say open: true")
        if (self.listen.certificate is None) != (self.listen.key is None):
            raise ValueError("listen: certificate and key go together")
        for name, route in self.routes.items():
            self._check(name, route)
        if self.studio.path in {prefix for family in FAMILIES.values() for prefix in family.prefixes}:
            raise ValueError("studio.path: an API is served there; choose another")
        if self.studio.path and not self.listen.is_loopback:
            raise ValueError("studio: only where the gateway listens on this machine alone")
        return self

    def _check(self, name: Name, route: Route) -> None:
        if route.allow_unmasked and name != "dms":
            raise ValueError(f"routes.{name}: allow_unmasked is for dms alone")
        if route.upstream == "echo" or (route.upstream == "direct" and not FAMILIES[name].is_openapi):
            return
        if route.upstream == "direct":
            raise ValueError(f"routes.{name}: signed anew, so name an upstream with an access_key instead of direct")
        if route.upstream not in self.upstreams:
            known = ", ".join(["echo", "direct", *self.upstreams])
            raise ValueError(f"routes.{name}.upstream: there is no {route.upstream!r}; there are {known}")
        speaks = self.upstreams[route.upstream].api
        own = "openai" if name == "compatible" else name
        if speaks not in (own, "echo") and not (speaks == "openai" and name in TRANSLATED):
            raise ValueError(f"routes.{name}: its upstream speaks {speaks}; it takes {own} or, translated, openai")

    def served(self) -> dict[Name, Route]:
        """The routes that are served."""
        return dict(self.routes) if self.routes else {name: Route() for name in FAMILIES}
