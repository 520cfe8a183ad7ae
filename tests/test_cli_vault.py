"""`masking vault`: a key is exchanged, and sessions are removed, from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from masking.cli.vault import command
from masking.core.errors import SealError
from masking.vault import Keys, open_vault


def run(*arguments: str) -> str:
    result = CliRunner(env={"MASKING_VAULT_KEYS": "", "MASKING_VAULT_KEYS_FILE": ""}).invoke(
        command, list(arguments), catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result.output


def test_a_key_is_exchanged_while_the_sessions_stay(tmp_path: Path) -> None:
    old, new = run("key"), run("key")
    address = f"sqlite:{tmp_path}/v.db"
    vault = open_vault(address, keys=Keys.parse(old))
    vault.save("shop", "1", {"<PERSON_1>": "Ann"}, 0)
    vault.save("clinic", "1", {"<PERSON_1>": "Bob"}, 0)
    vault.close()
    both = tmp_path / "both"
    both.write_text(new + old)

    assert run("rotate", address, "--keys", str(both)) == "2 records encrypted again\n"
    both.write_text(new)
    assert run("purge", address, "--keys", str(both)) == "0 sessions removed\n"
    assert run("forget", address, "--client", "shop", "--keys", str(both)) == "1 sessions removed\n"
    vault = open_vault(address, keys=Keys.parse(new))
    assert vault.load("shop", "1") is None
    assert vault.load("clinic", "1") is not None
    vault.close()
    with pytest.raises(SealError):
        open_vault(address, keys=Keys.parse(old))
