"""Write the help of every command into docs/reference/cli.md; with --check only say whether it is up to date."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click
from click.testing import CliRunner
from reference_page import ReferencePage

from masking.cli import _group

_WIDTH = 100  # columns


def commands(command: click.Command = _group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command after `masking`, the group itself first."""
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, (*path, name))


def helped(path: tuple[str, ...]) -> str:
    """What `masking ... --help` prints. Raises RuntimeError when it fails."""
    result = CliRunner().invoke(_group, [*path, "--help"], prog_name="masking", terminal_width=_WIDTH)
    if result.exit_code:
        raise RuntimeError(f"masking {' '.join(path)} --help fails: {result.output}")
    return result.output.rstrip()


def sections() -> Iterator[str]:
    """The help of every command under its own heading."""
    for path in commands():
        yield f"\n## `{' '.join(('masking', *path))}`\n\n```text\n{helped(path)}\n```\n"


PAGE = ReferencePage("cli.md", "cli_reference.py", sections)
page = PAGE.text

if __name__ == "__main__":
    sys.exit(PAGE.main(sys.argv[1:]))
