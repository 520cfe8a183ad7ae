"""`masking batch audit`: whether anything personal is left in masked files, as Presidio sees it."""

from __future__ import annotations

import dataclasses
import sys
import time
from pathlib import Path
from typing import Any

import click
import orjson

from masking.batch.audit import IGNORED, LEAST, Audit, Looked, audit
from masking.batch.pool import cores
from masking.cli.table import print_table

__all__ = ["command"]

_EVERY = 10.0  # seconds between lines of progress where there is no terminal
_QUICK = 0.5  # ... and between looks of the line on one


@click.command("audit")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--entity", "entities", multiple=True, metavar="NAME", help="Look for these of Presidio's entities only.")
@click.option(
    "--ignore",
    multiple=True,
    default=IGNORED,
    show_default=True,
    metavar="NAME",
    help="Entities that are passed over; may be given several times, --ignore '' for none.",
)
@click.option("--score", type=click.FloatRange(0, 1), default=LEAST, show_default=True, help="From which one counts.")
@click.option("--opaque", multiple=True, metavar="PATH", help="Left out, as the table spells it: messages[*].id.")
@click.option("--allow", type=click.IntRange(0), default=0, show_default=True, help="How many may be left.")
@click.option("--places", type=click.IntRange(0), default=20, show_default=True, help="How many places to list.")
@click.option("-w", "--workers", type=click.IntRange(1), help="Processes; all cores without it.")
@click.option("--json", "as_json", is_flag=True, help="The report as JSON, with at most 1000 places.")
def command(
    folder: Path,
    entities: tuple[str, ...],
    ignore: tuple[str, ...],
    score: float,
    opaque: tuple[str, ...],
    allow: int,
    places: int,
    workers: int | None,
    *,
    as_json: bool,
) -> None:
    """Look through masked files with means that are not ours, Presidio's patterns, and tell what is left and where.

    Placeholders are passed over. Values are never shown: look them up by file, row and path. Presidio sees personal
    data in order numbers, versions and hashes too; docs/how-to/batch-audit.md says which alarms are false.

    \b
    Exit codes: 0 no more is left than allowed, 1 more is, 2 could not look.

    \b
    Examples:
      masking batch audit masked/
      masking batch audit masked/ --json > report.json
      masking batch audit masked/ --entity PHONE_NUMBER --entity CREDIT_CARD --score 0.6
    """
    looked = Looked(frozenset(entities), frozenset(filter(None, ignore)) - frozenset(entities), score)
    shown = _Line()
    try:
        made = audit(folder, looked=looked, opaque=opaque, workers=workers or cores(), report=shown)
    finally:
        shown.close()
    if as_json:
        click.echo(orjson.dumps(_plain(made, allow), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE), nl=False)
    else:
        _show(made, places)
    if made.left > allow:
        raise click.exceptions.Exit(1)


class _Line:
    """How far it is: one line that is written over on a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._said = time.monotonic()
        self._started = self._said

    def __call__(self, made: Audit, file: str) -> None:
        now = time.monotonic()
        if now - self._said < (_QUICK if self._live else _EVERY):
            return
        self._said = now
        rate = made.texts / (now - self._started)
        told = f"{file}: {made.rows:,} rows, {made.texts:,} texts, {rate:,.0f}/s, {made.left:,} left"
        click.echo(f"\r\x1b[K{told}" if self._live else told, err=True, nl=not self._live)

    def close(self) -> None:
        if self._live:
            click.echo("\r\x1b[K", err=True, nl=False)


def _plain(made: Audit, allow: int) -> dict[str, Any]:
    return {
        "left": made.left,
        "allowed": allow,
        "rows": made.rows,
        "texts": made.texts,
        "entities": dict(made.entities.most_common()),
        "files": made.files,
        "unread": made.unread,
        "places": [dataclasses.asdict(one) for one in made.places],
    }


def _show(made: Audit, places: int) -> None:
    if made.entities:
        print_table(("entity", "left"), [(entity, f"{count:,}") for entity, count in made.entities.most_common()])
        click.echo()
    listed = made.places[:places]
    if listed:
        head = ("file", "row", "path", "from", "to", "entity", "score", "recogniser")
        print_table(
            head,
            [
                (one.file, str(one.row), one.path, str(one.start), str(one.end), one.entity, f"{one.score:g}",
                 one.recogniser)
                for one in listed
            ],
        )  # fmt: skip
        if made.left > len(listed):
            click.echo(f"... and {made.left - len(listed):,} more: list them with --places, or 1000 with --json")
        click.echo()
    click.echo(f"{made.left:,} left in {made.rows:,} rows, {made.texts:,} texts; {len(made.files):,} files")
    for name in made.unread:
        click.echo(f"not looked at, of no known format: {name}", err=True)
