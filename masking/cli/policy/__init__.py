"""`masking policy`: suites, lints, differences, coverage and reports of rules, without Python."""

from __future__ import annotations

import click

from masking.cli.group import Commands

__all__ = ["command"]

_COMMANDS = {
    "test": "Hold categories to suites of cases.",
    "verify": "Hold rules to their own examples and to each other.",
    "diff": "Tell what changes between two versions of a category, over a corpus.",
    "coverage": "Tell which rules cover which item of laws and standards.",
    "mutate": "Break rules one by one, and list what no case notices.",
    "studio": "Try categories, run suites and compare versions on a page in the browser.",
}


@click.command(
    "policy",
    cls=Commands,
    package=__name__,
    about=_COMMANDS,
    epilog="Exit codes: 0 done, 1 a check failed, 2 could not run.",
)
def command() -> None:
    """Prove what categories mask, and see what changes when they are edited."""
