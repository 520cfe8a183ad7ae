"""Vaults: one table of promises, held by every implementation."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from masking.core.errors import ConflictError, LimitError
from masking.vault import Limits, MemoryVault, Vault

ENTRIES = {"<PHONE_NUMBER_1>": "13800138000", "<PERSON_1>": "王小明"}


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


Make = Callable[..., Vault]


@pytest.fixture(params=["memory"])
def make(request: pytest.FixtureRequest, clock: Clock) -> Iterator[Make]:
    made: list[Vault] = []

    def make(**options: object) -> Vault:
        vault = MemoryVault(now=clock, **options)  # type: ignore[arg-type]
        made.append(vault)
        return vault

    yield make
    for vault in made:
        vault.close()


def test_what_was_saved_is_loaded(make: Make) -> None:
    vault = make()

    assert vault.load("ann", "s") is None
    version = vault.save("ann", "s", ENTRIES, 0)
    stored = vault.load("ann", "s")

    assert stored is not None
    assert (dict(stored.entries), stored.version) == (ENTRIES, version)
    assert "138" not in repr(stored) + repr(vault)


def test_an_owner_never_gets_another_owners_session(make: Make) -> None:
    vault = make()
    vault.save("ann", "s", ENTRIES, 0)
    vault.save("bob", "s", {"<PERSON_1>": "Bob"}, 0)

    for owner, name in (("an", "ns"), ("anns", ""), ("bob", "ann"), ("", "ann/s"), ("ann\0s", ""), ("eve", "s")):
        assert vault.load(owner, name) is None
    stored = vault.load("bob", "s")
    assert stored is not None
    assert dict(stored.entries) == {"<PERSON_1>": "Bob"}


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
    clock.seconds += 60
    assert vault.load("ann", "used") is not None
    clock.seconds += 60

    assert vault.load("ann", "used") is not None
    assert vault.load("ann", "left") is None
    with pytest.raises(ConflictError):
        vault.save("ann", "left", ENTRIES, version)
    vault.save("ann", "new", ENTRIES, 0)
    clock.seconds += 1_000
    assert vault.purge() == 2
    assert vault.purge() == 0
