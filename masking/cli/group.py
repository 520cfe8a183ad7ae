"""A command of commands that loads the module of one when it is called, so that `--help` answers at once."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

__all__ = ["Commands"]


class Commands(click.Group):
    """`about` has a line about each command, by name; each is the `command` of the module so named in `package`."""

    def __init__(self, *arguments: Any, package: str, about: Mapping[str, str], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._package = package
        self._about = about

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._about)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in self._about:
            return None
        found: click.Command = import_module(f"{self._package}.{name}").command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(self._about.items()))
