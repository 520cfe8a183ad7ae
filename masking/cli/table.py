"""Tables: as wide as a terminal, or whole in a pipe."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence

import click
from rich.console import Console
from rich.table import Table

__all__ = ["print_table"]

_NUMBERS = frozenset({"from", "to", "score"})
_WHOLE = 10_000  # columns; cut off at 80, a table in a pipe would lose what it is read for


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows of text under headings. What would steer the terminal is shown as a replacement character."""
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in _NUMBERS else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(_visible, row))
    if sys.stdout.isatty():
        Console(markup=False, highlight=False).print(table)
        return
    text = io.StringIO()
    Console(file=text, width=_WHOLE, markup=False, highlight=False).print(table)
    click.echo("\n".join(line.rstrip() for line in text.getvalue().splitlines()))


def _visible(cell: str) -> str:
    return "".join(one if one.isprintable() else " " if one.isspace() else "\ufffd" for one in cell)
