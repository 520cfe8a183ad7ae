"""`masking vault`: keys, and what has to be done with a vault now and then."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from masking import ConfigurationError
from masking.vault import Keys, new_key, open_vault

__all__ = ["command"]

F = Callable[..., Any]


def _address(function: F) -> F:
    function = click.option(
        "--keys",
        "keys_file",
        type=click.Path(path_type=Path, dir_okay=False),
        help="A file of keys, one a line, the first writes; default: MASKING_VAULT_KEYS or MASKING_VAULT_KEYS_FILE.",
    )(function)
    return click.argument("address", metavar="ADDRESS")(function)


@click.group("vault")
def command() -> None:
    """Make keys; rotate, purge and empty a vault.

    ADDRESS is sqlite:PATH, redis://HOST:PORT/0, rediss://… or unix://…, as in the gateway's configuration.

    \b
    To change the key while gateways run:
      1. masking vault key > new; give every gateway both keys, the old one first
      2. give every gateway both keys, the new one first
      3. masking vault rotate ADDRESS --keys both
      4. take the old key away
    """


@command.command("key")
def key_command() -> None:
    """Print a new key: 32 random bytes in base64."""
    click.echo(new_key())


@command.command("rotate")
@_address
def rotate_command(address: str, keys_file: Path | None) -> None:
    """Encrypt again, with the first key, what other keys wrote. Gateways may run meanwhile."""
    vault = _open(address, keys_file)
    try:
        click.echo(f"{vault.rotate()} records encrypted again")
    finally:
        vault.close()


@command.command("purge")
@_address
def purge_command(address: str, keys_file: Path | None) -> None:
    """Remove sessions that have expired."""
    vault = _open(address, keys_file)
    try:
        click.echo(f"{vault.purge()} sessions removed")
    finally:
        vault.close()


@command.command("forget")
@_address
@click.option("--client", required=True, help="The client's name, as in the gateway's configuration.")
def forget_command(address: str, keys_file: Path | None, client: str) -> None:
    """Remove every session of one client."""
    vault = _open(address, keys_file)
    try:
        click.echo(f"{vault.forget(client)} sessions removed")
    finally:
        vault.close()


def _open(address: str, keys_file: Path | None) -> Any:
    if address.startswith("memory"):
        raise ConfigurationError("a vault in memory is inside its gateway; nothing outside can reach it")
    return open_vault(address, keys=Keys.of_file(keys_file) if keys_file else None)
