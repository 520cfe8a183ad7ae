"""`masking policy`: suites, lints, differences, coverage and reports of rules, without Python."""

from __future__ import annotations

from importlib import import_module

import click

__all__ = ["command"]

_COMMANDS = {
    "test": "Hold categories to suites of cases.",
    "verify": "Hold rules to their own examples and to each other.",
    "diff": "Tell what changes between two versions of a category, over a corpus.",
    "coverage": "Tell which rules cover which item of laws and standards.",
    "mutate": "Break rules one by one, and list what no case notices.",
    "studio": "Try categories, run suites and compare versions on a page in the browser.",
}


class _Commands(click.Group):
    """Loads a command's module when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        found: click.Command = import_module(f"masking.cli.policy.{name}").command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.command("policy", cls=_Commands, epilog="Exit codes: 0 done, 1 a check failed, 2 could not run.")
def command() -> None:
    """Prove what categories mask, and see what changes when they are edited."""
