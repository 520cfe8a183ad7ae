"""Sessions and tables in Redis or Valkey: encrypted, shared by several gateways.

Saving compares versions in a script on the server, so that of two gateways that answer the same conversation at once
one is told to load again. Records end by Redis' own expiry. Keys: `<prefix>:{<owner>}:s:<name>`, `:c:<name>` for what
is claimed, and per owner `<prefix>:{<owner>}:all` and `:table`; owner and name as 16 bytes of HMAC. One owner's keys
share a slot of a cluster.

Set `maxmemory-policy noeviction` on the server: a session that Redis evicts is forgotten in the middle of a talk.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import islice
from secrets import token_bytes
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from masking.core.errors import ConfigurationError, ConflictError, VaultError
from masking.vault.seal import Keys, Sealer, dump, read
from masking.vault.store import DAY, Limits, Stored, new_version

__all__ = ["RedisTable", "RedisVault"]

_BATCH = 500
_VERSION = 8  # bytes before what is sealed
_TRIES = 4
_TIMEOUT = 2.0  # seconds, to connect and to answer

_NOW = "local t = redis.call('TIME') local now = t[1] * 1000 + math.floor(t[2] / 1000) "
_LOAD = (
    _NOW
    + """
local held = redis.call('GET', KEYS[1])
if held then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  redis.call('ZADD', KEYS[2], now + ARGV[1], ARGV[2])
  redis.call('PEXPIRE', KEYS[2], ARGV[1])
end
return held
"""
)
_SAVE = (
    _NOW
    + """
local held = redis.call('GET', KEYS[1])
local version = held and string.sub(held, 1, 8) or ARGV[5]
if version ~= ARGV[3] then return 0 end
if not held then
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
  local count = redis.call('ZCARD', KEYS[2])
  if count >= tonumber(ARGV[6]) then return -count end
end
redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[1])
redis.call('ZADD', KEYS[2], now + ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[1])
return 1
"""
)
_DELETE = "redis.call('ZREM', KEYS[2], ARGV[1]) return redis.call('DEL', KEYS[1])"
_PURGE = _NOW + "return redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)"
_CLAIM = """
if redis.call('SET', KEYS[1], ARGV[2], 'NX', 'PX', ARGV[1]) then return 1 end
return redis.call('GET', KEYS[1]) == ARGV[2] and 1 or 0
"""
_SWAP = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
return 1
"""
_SWAP_FIELD = """
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
"""


class _Server:
    """One Redis server; threads share its connections, and a process that forks opens its own."""

    def __init__(self, url: str, keys: Keys, *, prefix: str = "masking", timeout: float = _TIMEOUT) -> None:
        """`url` as redis-py has it: redis://, rediss:// (TLS) or unix://. `timeout` in seconds of every call.

        Raises VaultError, SealError when the keys are not those of what is there, ConfigurationError for the URL.
        """
        try:
            import redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ImportError:
            raise ConfigurationError("a vault in Redis needs `pip install masking-pipeline[redis]`") from None
        self._failures = (redis.RedisError, OSError)
        self._where = _shown(url)
        try:
            self._redis: Any = redis.Redis.from_url(
                url,
                socket_timeout=timeout,
                socket_connect_timeout=timeout,
                retry=Retry(NoBackoff(), 1),  # a connection that the server closed long ago; saving twice is a conflict
                health_check_interval=30,
            )
        except ValueError as error:
            raise ConfigurationError(f"the vault's address {self._where} is not one of Redis: {error}") from None
        self._prefix = prefix
        self._keys = keys
        self._names = f"{prefix}:names"
        self._wrapped = b""
        self._sealer = Sealer(keys)
        self._closed = False
        try:
            self._join(self._call(self._redis.get, self._names))
        except BaseException:
            self._redis.close()
            raise

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._where}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; calls afterwards raise VaultError."""
        self._closed = True
        self._redis.close()

    def check(self) -> None:
        """Raises VaultError when the server does not answer."""
        self._call(self._redis.ping)

    def _call(self, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        if self._closed:
            raise VaultError("this vault is closed")
        try:
            return call(*arguments, **options)
        except self._failures as error:
            raise VaultError(f"the vault {self._where} cannot be used: {type(error).__name__}") from None

    def _join(self, wrapped: bytes | None) -> None:
        """Use the key of names that is kept on the server, also when it was emptied and others began it anew."""
        if wrapped is None:
            mine = self._wrapped or self._sealer.wrapped()
            self._call(self._redis.set, self._names, mine, nx=True)
            wrapped = self._call(self._redis.get, self._names) or mine
        if wrapped != self._wrapped:
            self._sealer = Sealer(self._keys, wrapped)
            self._wrapped = wrapped

    def _key(self, owner: bytes, what: str) -> str:
        return f"{self._prefix}:{{{owner.hex()}}}:{what}"

    def _scan(self, what: str) -> Iterator[tuple[bytes, bytes]]:
        """Every key of a sort, with its owner."""
        cursor: int = 0
        while True:
            cursor, keys = self._call(self._redis.scan, cursor, match=f"{self._prefix}:*:{what}", count=_BATCH)
            for key in keys:
                yield key, bytes.fromhex(key.split(b"{", 1)[1].split(b"}", 1)[0].decode("ascii"))
            if not cursor:
                return

    def rotate(self) -> int:
        """Encrypt again, with the first key, whatever another one wrote; how many records. May run beside others.

        Raises SealError for a record that none of the keys opens.
        """
        self._join(self._call(self._redis.get, self._names))
        self._wrapped = self._sealer.wrapped()
        self._call(self._redis.set, self._names, self._wrapped)
        return self._rotate_sessions() + self._rotate_entries()

    def _rotate_sessions(self) -> int:
        count = 0
        for key, owner in self._scan("s:*"):
            held = self._call(self._redis.get, key)
            if held is None or self._sealer.is_newest(held[_VERSION:]):
                continue
            name = bytes.fromhex(key.rsplit(b":", 1)[1].decode("ascii"))
            version = int.from_bytes(held[:_VERSION])
            data = self._sealer.open(b"session", owner, name, version, held[_VERSION:])
            made = held[:_VERSION] + self._sealer.seal(b"session", owner, name, version, data)
            count += self._call(self._redis.eval, _SWAP, 1, key, held, made)
        return count

    def _rotate_entries(self) -> int:
        count = 0
        for key, owner in self._scan("table"):
            for name, sealed in self._fields(key):
                if self._sealer.is_newest(sealed):
                    continue
                made = self._sealer.seal(b"entry", owner, name, 0, self._sealer.open(b"entry", owner, name, 0, sealed))
                count += self._call(self._redis.eval, _SWAP_FIELD, 1, key, name, sealed, made)
        return count

    def _fields(self, key: bytes) -> Iterator[tuple[bytes, bytes]]:
        cursor = 0
        while True:
            cursor, part = self._call(self._redis.hscan, key, cursor, count=_BATCH)
            yield from part.items()
            if not cursor:
                return


class RedisVault(_Server):
    """A vault in Redis. `ttl` in seconds since a session's last use."""

    def __init__(
        self,
        url: str,
        keys: Keys,
        *,
        ttl: float = DAY,
        limits: Limits | None = None,
        prefix: str = "masking",
        timeout: float = _TIMEOUT,
    ) -> None:
        super().__init__(url, keys, prefix=prefix, timeout=timeout)
        self._ttl = max(1, round(ttl * 1000))
        self._limits = limits or Limits()

    def load(self, owner: str, name: str) -> Stored | None:
        """The session, None when there is none; see `masking.vault.store.Vault`."""
        for _ in range(2):
            blind, key = self._place(owner, name)
            pipe = self._redis.pipeline(transaction=False)
            pipe.get(self._names)
            pipe.eval(_LOAD, 2, *self._at(blind, key), self._ttl, key)
            wrapped, held = self._call(pipe.execute)
            if wrapped == self._wrapped:
                break
            self._join(wrapped)
        if held is None:
            return None
        version = int.from_bytes(held[:_VERSION])
        return Stored(read(self._sealer.open(b"session", blind, key, version, held[_VERSION:])), version)

    def save(self, owner: str, name: str, entries: Mapping[str, str], version: int) -> int:
        """Keep the session; its new version. Raises ConflictError or LimitError."""
        self._limits.check_entries(len(entries))
        blind, key = self._place(owner, name)
        made = new_version()
        sealed = made.to_bytes(_VERSION) + self._sealer.seal(b"session", blind, key, made, dump(entries))
        old, none = version.to_bytes(_VERSION), bytes(_VERSION)
        arguments = (*self._at(blind, key), self._ttl, key, old, sealed, none, self._limits.sessions)
        answer = self._call(self._redis.eval, _SAVE, 2, *arguments)
        if answer == 0:
            raise ConflictError("the session was saved or deleted by somebody else since it was loaded")
        if answer < 0:
            self._limits.check_sessions(-answer)
        return made

    def delete(self, owner: str, name: str) -> bool:
        """Forget a session; whether there was one."""
        blind, key = self._place(owner, name)
        return bool(self._call(self._redis.eval, _DELETE, 2, *self._at(blind, key), key))

    def forget(self, owner: str) -> int:
        """Forget every session of an owner; how many there were."""
        blind = self._sealer.owner(owner)
        names = self._call(self._redis.zrange, self._key(blind, "all"), 0, -1)
        return sum(self._call(self._redis.eval, _DELETE, 2, *self._at(blind, name), name) for name in names)

    def claim(self, owner: str, name: str, seconds: float) -> bool:
        """Whether the name is free, for everybody who shares the server; it is claimed for that long."""
        mine = token_bytes(8)  # a call that is repeated after a lost connection finds its own claim
        for _ in range(_TRIES):
            known = self._wrapped
            blind, key = self._place(owner, name)
            pipe = self._redis.pipeline(transaction=False)
            pipe.get(self._names)
            pipe.eval(_CLAIM, 1, self._key(blind, f"c:{key.hex()}"), max(1, round(seconds * 1000)), mine)
            wrapped, claimed = self._call(pipe.execute)
            if wrapped == known:
                return bool(claimed)
            self._join(wrapped)
        raise VaultError(f"the vault {self._where} cannot be used: its keys change all the time")

    def purge(self) -> int:
        """Remove what has expired; how many sessions. Redis itself has removed their content already."""
        return sum(self._call(self._redis.eval, _PURGE, 1, key) for key, _ in self._scan("all"))

    def _place(self, owner: str, name: str) -> tuple[bytes, bytes]:
        blind = self._sealer.owner(owner)
        return blind, self._sealer.name(blind, name)

    def _at(self, owner: bytes, name: bytes) -> tuple[str, str]:
        return self._key(owner, f"s:{name.hex()}"), self._key(owner, "all")


class RedisTable(_Server):
    """A table of single entries in Redis; they stay until they are forgotten."""

    def put(self, owner: str, entries: Mapping[str, str]) -> int:
        """Keep entries; how many were new. Raises ConflictError when one stands for another value already."""
        blind = self._sealer.owner(owner)
        placed = {self._sealer.name(blind, placeholder): value for placeholder, value in entries.items()}
        known = self._known(blind, list(placed))
        _check(placed, known)
        new, table = 0, self._key(blind, "table")
        for part in _parts([key for key in placed if key not in known]):
            pipe = self._redis.pipeline(transaction=True)
            for key in part:
                pipe.hsetnx(table, key, self._sealer.seal(b"entry", blind, key, 0, _bytes(placed[key])))
            made = self._call(pipe.execute)
            new += sum(made)
            if not all(made):  # somebody else was quicker, perhaps with another value
                _check(placed, self._known(blind, part))
        return new

    def get(self, owner: str, placeholders: Collection[str]) -> dict[str, str]:
        """The values of those placeholders that are known."""
        blind = self._sealer.owner(owner)
        placed = {self._sealer.name(blind, one): one for one in placeholders}
        return {placed[key]: value for key, value in self._known(blind, list(placed)).items()}

    def count(self, owner: str) -> int:
        """How many entries an owner has."""
        blind = self._sealer.owner(owner)
        return int(self._call(self._redis.hlen, self._key(blind, "table")))

    def forget(self, owner: str) -> int:
        """Remove every entry of an owner; how many there were."""
        key = self._key(self._sealer.owner(owner), "table")
        pipe = self._redis.pipeline(transaction=True)
        pipe.hlen(key)
        pipe.unlink(key)
        return int(self._call(pipe.execute)[0])

    def _known(self, blind: bytes, keys: list[bytes]) -> dict[bytes, str]:
        found: dict[bytes, str] = {}
        for part in _parts(keys):
            held = self._call(self._redis.hmget, self._key(blind, "table"), part)
            for key, sealed in zip(part, held, strict=True):
                if sealed is not None:
                    opened = self._sealer.open(b"entry", blind, key, 0, sealed)
                    found[key] = opened.decode("utf-8", "surrogatepass")
        return found


def _check(placed: Mapping[bytes, str], known: Mapping[bytes, str]) -> None:
    if any(placed[key] != value for key, value in known.items()):
        raise ConflictError("a placeholder stands for another value in this table already")


def _parts(keys: Collection[bytes]) -> Iterator[list[bytes]]:
    rest = iter(keys)
    while part := list(islice(rest, _BATCH)):
        yield part


def _bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


def _shown(url: str) -> str:
    """An address without its password."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "(unreadable)"
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"
