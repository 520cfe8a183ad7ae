"""Vaults and tables: one list of promises, held by every implementation."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from running import RedisServer, redis_server

from masking import Masker
from masking.core.errors import ConfigurationError, ConflictError, LimitError, SealError, VaultError
from masking.vault import Keys, Limits, MemoryTable, MemoryVault, Table, Vault, new_key, open_table, open_vault
from masking.vault.redis import RedisTable, RedisVault
from masking.vault.seal import Sealer, dump, read
from masking.vault.sqlite import SqliteTable, SqliteVault

ENTRIES = {"<PHONE_NUMBER_1>": "13800138000", "<PERSON_1>": "王小明"}
OLD, NEW = (bytes([number]) * 32 for number in (1, 2))
KEYS = Keys([OLD])
ROOT = Path(__file__).parents[1]

Make = Callable[..., Vault]
MakeTable = Callable[..., Table]


class Clock:
    """Seconds that pass when the test says so; where the server has its own clock, a fiftieth of them truly pass."""

    def __init__(self) -> None:
        self.seconds = 1_000_000.0
        self.real = 0.0

    def __call__(self) -> float:
        return self.seconds

    def pass_(self, seconds: float) -> None:
        self.seconds += seconds
        time.sleep(min(seconds, 200) * self.real)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(params=["memory", "sqlite", "redis"])
def make(request: pytest.FixtureRequest, clock: Clock, tmp_path: Path) -> Iterator[Make]:
    """Makes a vault: the same options, the same sessions, but for the one in memory."""
    made: list[Vault] = []
    prefix = uuid4().hex

    def make(**options: Any) -> Vault:
        vault: Vault
        if request.param == "memory":
            vault = MemoryVault(now=clock, **options)
        elif request.param == "sqlite":
            vault = SqliteVault(tmp_path / "vault.db", options.pop("keys", KEYS), now=clock, **options)
        else:
            clock.real = 1 / 50
            server: RedisServer = request.getfixturevalue("redis")
            if "ttl" in options:
                options["ttl"] /= 50
            vault = RedisVault(server.url, options.pop("keys", KEYS), prefix=prefix, **options)
        made.append(vault)
        return vault

    yield make
    for vault in made:
        vault.close()


SHARED = pytest.mark.parametrize("make", ["sqlite", "redis"], indirect=True)
"""Not the vault in memory, which one process alone has."""


@pytest.fixture(params=["memory", "sqlite", "redis"])
def make_table(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeTable]:
    made: list[Table] = []
    prefix = uuid4().hex

    def make(keys: Keys = KEYS) -> Table:
        table: Table
        if request.param == "memory":
            table = MemoryTable()
        elif request.param == "sqlite":
            table = SqliteTable(tmp_path / "table.db", keys)
        else:
            table = RedisTable(request.getfixturevalue("redis").url, keys, prefix=prefix)
        made.append(table)
        return table

    yield make
    for table in made:
        table.close()


def entries(vault: Vault, owner: str = "ann", name: str = "s") -> dict[str, str]:
    stored = vault.load(owner, name)
    assert stored is not None
    return dict(stored.entries)


# Every vault


def test_what_was_saved_is_loaded(make: Make) -> None:
    vault = make()

    assert vault.load("ann", "s") is None
    version = vault.save("ann", "s", ENTRIES, 0)
    stored = vault.load("ann", "s")

    assert stored is not None
    assert (dict(stored.entries), stored.version) == (ENTRIES, version)
    assert "138" not in repr(stored) + repr(vault)


@pytest.mark.parametrize("text", ["", "\ud800 alone", "a\0b", "名字" * 1000, "<PERSON_1>", '"\\', "\u2028"])
def test_any_text_is_kept_as_it_is(make: Make, text: str) -> None:
    vault = make()
    vault.save(text, text, {"<PERSON_1>": text}, 0)

    assert entries(vault, text, text) == {"<PERSON_1>": text}


def test_a_session_goes_on_from_what_was_saved(make: Make, patterns: Masker) -> None:
    vault = make()
    with patterns.session() as first:
        masked = first.mask("电话13800138000，邮箱 li@example.com")
        vault.save("ann", "talk", first.entries(), 0)
    with patterns.session() as second:
        second.load(entries(vault, "ann", "talk"))

        assert second.mask("再打13800138000，或13900139000") == "再打<PHONE_NUMBER_1>，或<PHONE_NUMBER_2>"
        assert second.restore(masked) == "电话13800138000，邮箱 li@example.com"


def test_an_owner_never_gets_another_owners_session(make: Make) -> None:
    vault = make()
    vault.save("ann", "s", ENTRIES, 0)
    vault.save("bob", "s", {"<PERSON_1>": "Bob"}, 0)

    for owner, name in (("an", "ns"), ("anns", ""), ("bob", "ann"), ("", "ann/s"), ("ann\0s", ""), ("eve", "s")):
        assert vault.load(owner, name) is None
        assert not vault.delete(owner, name)
    assert entries(vault, "bob", "s") == {"<PERSON_1>": "Bob"}
    assert entries(vault, "ann", "s") == ENTRIES


def test_who_saves_on_an_old_state_is_told(make: Make) -> None:
    vault = make()
    first = vault.save("ann", "s", ENTRIES, 0)
    second = vault.save("ann", "s", {**ENTRIES, "<PERSON_2>": "李雷"}, first)

    for version in (0, first):
        with pytest.raises(ConflictError):
            vault.save("ann", "s", {}, version)
    stored = vault.load("ann", "s")
    assert stored is not None
    assert (len(stored.entries), stored.version) == (3, second)


def test_a_deleted_session_is_not_saved_over(make: Make) -> None:
    vault = make()
    version = vault.save("ann", "s", ENTRIES, 0)

    assert vault.delete("ann", "s")
    assert not vault.delete("ann", "s")
    with pytest.raises(ConflictError):
        vault.save("ann", "s", ENTRIES, version)
    again = vault.save("ann", "s", {}, 0)
    assert again != version
    with pytest.raises(ConflictError):
        vault.save("ann", "s", ENTRIES, version)


def test_a_name_is_claimed_once_until_the_claim_ends(make: Make, clock: Clock) -> None:
    vault = make()
    clock.real = min(clock.real, 1 / 1000)
    seconds = 100 * (clock.real or 1)

    assert vault.claim("ann", "n", seconds)
    assert not vault.claim("ann", "n", seconds)
    assert vault.claim("bob", "n", seconds)
    assert vault.claim("ann", "", 10_000)
    assert vault.load("ann", "n") is None
    assert vault.forget("ann") == 0
    assert not vault.claim("ann", "n", seconds), "whoever forgets an owner's sessions does not free its claims"
    clock.pass_(101)
    vault.purge()
    assert vault.claim("ann", "n", seconds)
    assert not vault.claim("ann", "n", seconds)
    assert not vault.claim("ann", "", 1)


def test_of_many_who_claim_at_once_one_succeeds(make: Make) -> None:
    vault = make()
    names = [f"n{number % 20}" for number in range(160)]
    with ThreadPoolExecutor(8) as threads:
        claimed = list(threads.map(lambda name: vault.claim("ann", name, 100), names))

    assert claimed.count(True) == 20


def test_limits_are_kept(make: Make) -> None:
    vault = make(limits=Limits(entries=2, sessions=2))
    version = vault.save("ann", "1", ENTRIES, 0)
    vault.save("ann", "2", {}, 0)

    with pytest.raises(LimitError, match="3 values"):
        vault.save("ann", "1", {**ENTRIES, "<PERSON_2>": "李雷"}, version)
    with pytest.raises(LimitError, match="2 sessions"):
        vault.save("ann", "3", {}, 0)
    vault.save("bob", "3", {}, 0)
    vault.save("ann", "1", {}, version)
    vault.delete("ann", "2")
    vault.save("ann", "3", {}, 0)


def test_forgetting_an_owner_leaves_the_others(make: Make) -> None:
    vault = make()
    for name in "abc":
        vault.save("ann", name, ENTRIES, 0)
    vault.save("bob", "a", ENTRIES, 0)

    assert vault.forget("ann") == 3
    assert vault.forget("ann") == 0
    assert vault.load("ann", "a") is None
    assert vault.load("bob", "a") is not None


def test_a_session_expires_after_its_last_use(make: Make, clock: Clock) -> None:
    vault = make(ttl=100, limits=Limits(sessions=2))
    vault.save("ann", "used", ENTRIES, 0)
    version = vault.save("ann", "left", ENTRIES, 0)
    clock.pass_(60)
    assert vault.load("ann", "used") is not None
    clock.pass_(60)

    assert vault.load("ann", "used") is not None
    assert vault.load("ann", "left") is None
    with pytest.raises(ConflictError):
        vault.save("ann", "left", ENTRIES, version)
    vault.save("ann", "new", ENTRIES, 0)
    clock.pass_(1_000)
    assert vault.load("ann", "new") is None
    vault.purge()
    assert vault.purge() == 0
    assert vault.forget("ann") == 0


def test_of_many_who_save_at_once_nobody_overwrites_another(make: Make) -> None:
    vault = make()
    vault.save("ann", "s", {}, 0)
    conflicts = []

    def work(number: int) -> None:
        for turn in range(10):
            while True:
                stored = vault.load("ann", "s")
                assert stored is not None
                try:
                    vault.save("ann", "s", {**stored.entries, f"<PERSON_{number * 10 + turn}>": "x"}, stored.version)
                    break
                except ConflictError:
                    conflicts.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(entries(vault)) == 40


def test_a_closed_vault_refuses(make: Make) -> None:
    vault = make()
    vault.check()
    vault.close()

    for call in (vault.check, lambda: vault.load("a", "b"), lambda: vault.save("a", "b", {}, 0)):
        with pytest.raises(VaultError, match="closed"):
            call()


# Shared and encrypted


@SHARED
def test_two_processes_see_the_same_sessions(make: Make) -> None:
    one, other = make(), make()
    version = one.save("ann", "s", ENTRIES, 0)

    assert entries(other) == ENTRIES
    other.save("ann", "s", {}, version)
    with pytest.raises(ConflictError):
        one.save("ann", "s", ENTRIES, version)


@SHARED
def test_another_key_opens_nothing(make: Make) -> None:
    make().save("ann", "s", ENTRIES, 0)

    with pytest.raises(SealError, match="add the one that is missing") as caught:
        make(keys=Keys([NEW]))
    assert OLD.hex() not in str(caught.value)
    assert NEW.hex() not in str(caught.value)


@SHARED
def test_keys_are_exchanged_without_losing_a_session(make: Make) -> None:
    before = make()
    versions = [before.save("ann", str(number), ENTRIES, 0) for number in range(20)]
    between: Any = make(keys=Keys([NEW, OLD]))

    assert entries(between, "ann", "7") == ENTRIES
    assert entries(before, "ann", "7") == ENTRIES
    between.save("ann", "0", {}, versions[0])
    assert between.rotate() == 19
    assert between.rotate() == 0
    after = make(keys=Keys([NEW]))
    assert entries(after, "ann", "7") == ENTRIES
    after.save("ann", "7", {}, versions[7])
    with pytest.raises(SealError):
        make()


class Raw:
    """What is stored, without the vault's help."""

    def __init__(self, tmp_path: Path, request: pytest.FixtureRequest) -> None:
        self.sqlite = tmp_path / "vault.db" if request.node.callspec.params["make"] == "sqlite" else None
        self.server: RedisServer | None = None if self.sqlite else request.getfixturevalue("redis")

    def records(self) -> dict[Any, bytes]:
        if self.sqlite:
            with sqlite3.connect(self.sqlite) as db:
                found = dict(db.execute("SELECT id, sealed FROM sessions").fetchall())
            db.close()
            return found
        with self.client() as client:
            keys = [key for key in client.keys("*") if b"}:s:" in key]
            return {key: client.get(key) for key in keys}

    def write(self, key: Any, data: bytes) -> None:
        if self.sqlite:
            with sqlite3.connect(self.sqlite) as db:
                db.execute("UPDATE sessions SET sealed = ? WHERE id = ?", (data, key))
            db.close()
            return
        with self.client() as client:
            client.set(key, data)

    def everything(self) -> bytes:
        if self.sqlite:
            return b"".join(file.read_bytes() for file in self.sqlite.parent.glob("vault.db*"))
        with self.client() as client:
            return b"".join(bytes(key) + (client.dump(key) or b"") for key in client.keys("*"))

    def client(self) -> Any:
        import redis

        assert self.server is not None
        return redis.Redis.from_url(self.server.url)


@pytest.fixture
def raw(make: Make, tmp_path: Path, request: pytest.FixtureRequest) -> Raw:
    raw = Raw(tmp_path, request)
    if raw.server:
        with raw.client() as client:
            client.flushall()
    return raw


@SHARED
def test_nothing_that_is_stored_can_be_read(make: Make, raw: Raw) -> None:
    make().save("ann@example.com", "conversation-seven", ENTRIES, 0)

    stored = raw.everything()
    for secret in ("13800138000", "王小明", "PHONE_NUMBER", "ann@example.com", "conversation-seven"):
        assert secret.encode() not in stored
    assert OLD not in stored


@SHARED
@pytest.mark.parametrize("at", ["first", "key", "nonce", "middle", "last", "cut", "empty"])
def test_altered_bytes_are_refused(make: Make, raw: Raw, at: str) -> None:
    vault = make()
    vault.save("ann", "s", ENTRIES, 0)
    ((key, sealed),) = raw.records().items()
    start = 8 if raw.server else 0
    place = {"first": start, "key": start + 3, "nonce": start + 12, "middle": len(sealed) // 2, "last": -1}.get(at)
    if place is None:
        altered = sealed[:-1] if at == "cut" else b""
    else:
        changed = bytearray(sealed)
        changed[place] ^= 1
        altered = bytes(changed)
    raw.write(key, altered)

    with pytest.raises(SealError) as caught:
        vault.load("ann", "s")
    assert "138" not in str(caught.value)


@SHARED
def test_another_owners_record_put_in_the_place_of_ones_own_is_refused(make: Make, raw: Raw) -> None:
    vault = make()
    vault.save("ann", "s", ENTRIES, 0)
    (ann,) = raw.records().items()
    vault.save("eve", "s", {}, 0)
    (eve,) = raw.records().items() - {ann}
    raw.write(eve[0], ann[1])

    with pytest.raises(SealError, match="belongs to another place"):
        vault.load("eve", "s")
    assert entries(vault) == ENTRIES


@SHARED
def test_a_claim_is_everybodys_and_outlives_whoever_made_it(make: Make) -> None:
    one = make()
    assert one.claim("ann", "n", 1_000)
    with closing(make(keys=Keys([NEW, OLD]))) as other:
        assert not other.claim("ann", "n", 1_000)
        other.rotate()  # type: ignore[attr-defined]
        assert other.claim("ann", "m", 1_000)
    one.close()

    assert not make(keys=Keys([NEW, OLD])).claim("ann", "n", 1_000)
    assert not make(keys=Keys([NEW])).claim("ann", "m", 1_000)


# Tables


def test_a_table_gives_back_what_it_was_given(make_table: MakeTable) -> None:
    table = make_table()
    many = {f"<PHONE_NUMBER_{number}>": f"+1 555 01{number:05}" for number in range(1_200)}

    assert table.put("run", many) == 1_200
    assert table.put("run", many | {"<PERSON_1>": "\ud800"}) == 1
    assert table.get("run", [*many, "<PERSON_1>", "<PERSON_9>"]) == many | {"<PERSON_1>": "\ud800"}
    assert table.get("other", list(many)[:5]) == {}
    assert table.get("run", []) == {}
    assert table.put("run", {}) == 0
    assert (table.count("run"), table.count("other")) == (1_201, 0)
    assert table.forget("run") == 1_201
    assert table.get("run", many) == {}


def test_a_placeholder_never_comes_to_stand_for_another_value(make_table: MakeTable) -> None:
    table = make_table()
    table.put("run", {"<PERSON_1>": "Ann"})

    with pytest.raises(ConflictError) as caught:
        table.put("run", {"<PERSON_2>": "Bob", "<PERSON_1>": "Eve"})
    assert "Eve" not in str(caught.value)
    assert table.get("run", ["<PERSON_1>", "<PERSON_2>"]) == {"<PERSON_1>": "Ann"}
    table.put("another", {"<PERSON_1>": "Eve"})


@pytest.mark.parametrize("make_table", ["sqlite", "redis"], indirect=True)
def test_a_tables_keys_are_exchanged(make_table: MakeTable) -> None:
    first = make_table()
    many = {f"<PERSON_{number}>": str(number) for number in range(700)}
    first.put("run", many)
    both: Any = make_table(Keys([NEW, OLD]))

    assert both.rotate() == 700
    assert make_table(Keys([NEW])).get("run", many) == many
    with pytest.raises(SealError):
        make_table()


# SQLite

_SAVER = """
import sys
from masking.vault import Keys, open_vault
vault = open_vault("sqlite:" + sys.argv[1], keys=Keys([bytes([1]) * 32]))
name = sys.argv[2]
version = count = 0
while True:
    version = vault.save("ann", name, {f"<PERSON_{n}>": str(n) * 50 for n in range(1, count + 2)}, version)
    count += 1
    sys.stdout.write(f"{count}\\n")
    sys.stdout.flush()
"""


def saver(path: Path, name: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", _SAVER, str(path), name]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("after", [1, 40])
def test_what_a_killed_process_saved_is_there(tmp_path: Path, after: int) -> None:
    with saver(tmp_path / "v.db", "s") as process:
        assert process.stdout
        seen = [int(process.stdout.readline()) for _ in range(after)]
        process.send_signal(signal.SIGKILL)
        seen += [int(line) for line in process.stdout.read().splitlines()]
    with SqliteVault(tmp_path / "v.db", KEYS) as vault:
        saved = entries(vault)

        assert len(saved) in (seen[-1], seen[-1] + 1)  # killed between the save and its report
        assert all(value == placeholder[8:-1] * 50 for placeholder, value in saved.items())
        vault.save("ann", "other", ENTRIES, 0)


def test_two_processes_write_one_file_at_once(tmp_path: Path) -> None:
    with saver(tmp_path / "v.db", "a") as one, saver(tmp_path / "v.db", "b") as other:
        counts = []
        for process in (one, other):
            assert process.stdout
            counts.append([process.stdout.readline() for _ in range(30)][-1])
        for process in (one, other):
            process.kill()

    assert counts == ["30\n", "30\n"]
    with SqliteVault(tmp_path / "v.db", KEYS) as vault:
        assert len(entries(vault, "ann", "a")) >= 30
        assert len(entries(vault, "ann", "b")) >= 30


def test_a_process_that_forks_goes_on_with_a_connection_of_its_own(tmp_path: Path) -> None:
    code = (
        "import os\n"
        "from masking.vault import Keys, open_vault\n"
        f"vault = open_vault({f'sqlite:{tmp_path}/v.db'!r}, keys=Keys([bytes([1]) * 32]))\n"
        "vault.save('ann', 's', {'<PERSON_1>': 'x'}, 0)\n"
        "child = os.fork()\n"
        "vault.save('ann', 'child' if child == 0 else 'parent', {}, 0)\n"
        "os._exit(0) if child == 0 else os.waitpid(child, 0)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)

    with SqliteVault(tmp_path / "v.db", KEYS) as vault:
        assert {name: vault.load("ann", name) is not None for name in ("s", "child", "parent")} == {
            "s": True,
            "child": True,
            "parent": True,
        }


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    with SqliteVault(tmp_path / "v.db", KEYS) as vault:
        vault.save("ann", "s", ENTRIES, 0)

        assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.glob("v.db*")} == {0o600}


def test_what_has_expired_leaves_the_file_by_itself(tmp_path: Path, clock: Clock) -> None:
    with SqliteVault(tmp_path / "v.db", KEYS, ttl=100, now=clock) as vault:
        for number in range(5):
            vault.save("ann", str(number), ENTRIES, 0)
        clock.seconds += 1_000
        vault.save("ann", "new", ENTRIES, 0)

        assert vault.purge() == 0
        with sqlite3.connect(tmp_path / "v.db") as db:
            assert db.execute("SELECT count(*) FROM sessions").fetchone() == (1,)
        db.close()


@pytest.mark.parametrize("broken", ["folder", "missing", "noise"])
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, broken: str) -> None:
    path = {"folder": tmp_path, "missing": tmp_path / "no" / "v.db", "noise": tmp_path / "noise"}[broken]
    if broken == "noise":
        path.write_bytes(b"this is no database" * 100)

    with pytest.raises(VaultError, match=str(path)):
        SqliteVault(path, KEYS)


def test_a_file_of_the_version_before_is_taken_over(tmp_path: Path) -> None:
    with SqliteVault(tmp_path / "v.db", KEYS) as vault:
        vault.save("ann", "s", ENTRIES, 0)
    db = sqlite3.connect(tmp_path / "v.db")
    db.executescript("DROP TABLE claims; PRAGMA user_version = 1;")
    db.close()

    with SqliteVault(tmp_path / "v.db", KEYS) as vault:
        assert vault.claim("ann", "n", 100)
        assert entries(vault) == ENTRIES


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "v.db") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()

    with pytest.raises(VaultError, match="newer version"):
        SqliteVault(tmp_path / "v.db", KEYS)


# Redis


def test_redis_killed_and_back_is_refused_and_then_served(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server, RedisVault(server.url, KEYS, timeout=0.5) as vault:
        version = vault.save("ann", "s", ENTRIES, 0)
        server.kill()
        for call in (vault.check, lambda: vault.load("ann", "s"), lambda: vault.save("ann", "s", {}, version)):
            with pytest.raises(VaultError, match=r"cannot be used: ConnectionError"):
                call()
        server.start()

        assert entries(vault) == ENTRIES
        vault.save("ann", "s", {}, version)


def test_a_claim_that_redis_heard_twice_is_still_ones_own(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when the connection breaks after the server has done it, and the client repeats the call."""
    with RedisVault(redis.url, KEYS, prefix="twice") as vault:
        call = vault._call

        def twice(function: Any, *arguments: Any, **options: Any) -> Any:
            stack = list(getattr(function.__self__, "command_stack", ()))
            call(function, *arguments, **options)
            function.__self__.command_stack = stack
            return call(function, *arguments, **options)

        monkeypatch.setattr(vault, "_call", twice)
        assert vault.claim("ann", "n", 100)
        assert not vault.claim("ann", "n", 100)


def test_a_redis_that_was_emptied_is_shared_again(redis: RedisServer) -> None:
    with RedisVault(redis.url, KEYS, prefix="e") as one:
        one.save("ann", "s", ENTRIES, 0)
        with RedisVault(redis.url, KEYS, prefix="e") as admin:
            admin._redis.flushall()
        with RedisVault(redis.url, KEYS, prefix="e") as other:
            assert one.load("ann", "s") is None
            one.save("ann", "s", ENTRIES, 0)
            assert entries(other) == ENTRIES


def test_no_error_shows_the_servers_password() -> None:
    with pytest.raises(VaultError) as caught:
        RedisVault("redis://user:hunter2@127.0.0.1:1/0", KEYS, timeout=0.2)

    assert "hunter2" not in str(caught.value)
    assert "127.0.0.1:1" in str(caught.value)


# Keys and addresses


@pytest.mark.parametrize("text", ["{a}", "{a}\n{b}\n", "{a},{b}", "# first\n{a}\n\n#old\n{b}", "{h}", " {u} "])
def test_keys_are_read_however_they_are_written(text: str) -> None:
    import base64

    spelt = {
        "a": base64.b64encode(OLD).decode(),
        "b": base64.b64encode(NEW).decode(),
        "h": OLD.hex(),
        "u": base64.urlsafe_b64encode(OLD).decode().rstrip("="),
    }
    keys = Keys.parse(text.format(**spelt))

    assert keys.get(keys.writing) == OLD
    assert spelt["a"] not in repr(keys)


@pytest.mark.parametrize("text", ["", "# none", "topsecret", "topsecret!" * 4, "00" * 31, "zz" * 32])
def test_what_is_no_key_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(ConfigurationError, match="masking vault key") as caught:
        Keys.parse(text, "keys.txt")

    assert not text or "#" in text or text not in str(caught.value)


def test_a_new_key_is_good_and_never_the_same() -> None:
    assert new_key() != new_key()
    Keys.parse(new_key())


def test_addresses_open_what_they_name(tmp_path: Path, redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "keys").write_text(new_key())
    monkeypatch.setenv("MASKING_VAULT_KEYS_FILE", str(tmp_path / "keys"))
    monkeypatch.chdir(tmp_path)
    addresses = {
        "memory:": ("MemoryVault", "MemoryTable"),
        "sqlite:v.db": ("SqliteVault", "SqliteTable"),
        f"sqlite:{tmp_path}/w.db": ("SqliteVault", "SqliteTable"),
        f"sqlite://{tmp_path}/x.db": ("SqliteVault", "SqliteTable"),
        f"{redis.url.removesuffix('0')}9": ("RedisVault", "RedisTable"),
    }
    for address, names in addresses.items():
        vault, table = open_vault(address), open_table(address)
        assert (type(vault).__name__, type(table).__name__) == names
        vault.close()
        table.close()
    assert sorted(file.name for file in tmp_path.glob("?.db")) == ["v.db", "w.db", "x.db"]


@pytest.mark.parametrize("address", ["", "postgres://x", "sqlite:", "vault.db", "redis"])
def test_an_unknown_address_is_refused(address: str) -> None:
    for open_ in (open_vault, open_table):
        with pytest.raises(ConfigurationError):
            open_(address, keys=KEYS)


def test_without_a_key_nothing_is_kept_outside_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MASKING_VAULT_KEYS", raising=False)
    monkeypatch.delenv("MASKING_VAULT_KEYS_FILE", raising=False)

    with pytest.raises(ConfigurationError, match="MASKING_VAULT_KEYS"):
        open_vault(f"sqlite:{tmp_path}/v.db")
    assert not list(tmp_path.iterdir())


# What is sealed


@given(st.binary(), st.binary(max_size=20), st.binary(max_size=20), st.integers(0, 2**62))
def test_what_is_sealed_opens_in_its_own_place_only(data: bytes, owner: bytes, name: bytes, version: int) -> None:
    sealer = Sealer(KEYS)
    sealed = sealer.seal(b"session", owner, name, version, data)

    assert sealer.open(b"session", owner, name, version, sealed) == data
    others = [
        (b"entry", owner, name, version),
        (b"session", owner + b"x", name, version),
        (b"session", owner, name + b"x", version),
        (b"session", owner, name, version + 1),
        (b"session", owner + name[:1], name[1:], version) if name else (b"session", name, b"y", version),
    ]
    for place in others:
        with pytest.raises(SealError):
            sealer.open(*place, sealed)
    assert sealer.seal(b"session", owner, name, version, data) != sealed


@given(st.dictionaries(st.text(), st.text(st.characters(codec=None))))
def test_entries_come_back_as_they_were(given_: dict[str, str]) -> None:
    assert read(dump(given_)) == given_
