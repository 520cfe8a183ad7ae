"""`masking batch`: files of conversation logs, masked into a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import orjson

from masking.batch import Job, Summary, run
from masking.batch.identity import read_key
from masking.batch.rows import MAPPINGS, Settings
from masking.batch.source import FORMATS
from masking.cli import batch_audit, batch_spark
from masking.cli.options import category_options
from masking.cli.progress import Shown
from masking.cli.table import print_table
from masking.core.errors import MaskingError

__all__ = ["command"]


class _Batch(click.Group):
    """`masking batch INPUT…` masks; what else can be done with a batch has a word of its own."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        if args and args[0] in self.commands:
            return super().make_context(info_name, args, parent, **extra)
        return mask.make_context(info_name, args or ["--help"], parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        return super().invoke(ctx) if ctx.command is self else ctx.command.invoke(ctx)


@click.group("batch", cls=_Batch)
def command() -> None:
    """Mask files of conversation logs into a folder."""


command.add_command(batch_audit.command)


@click.command("batch")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="DIR",
    help="Where the masked files are written; a new or empty folder, or that of an interrupted run.",
)
@category_options
@click.option("--format", "format_", type=click.Choice(FORMATS), help="What the inputs are, whatever they are called.")
@click.option("--shape", default="", metavar="NAME", help="Where text sits in a row; without it found by itself.")
@click.option("--text", multiple=True, metavar="PATH", help="Only these are text, for instance messages[*].content.")
@click.option("--opaque", multiple=True, metavar="PATH", help="Never touched; every other string is text.")
@click.option(
    "--mapping",
    type=click.Choice(MAPPINGS),
    default="keyed",
    show_default=True,
    help="What a value becomes: the same everywhere, the same in one conversation, or its kind only.",
)
@click.option(
    "--key-file",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The secret that decides the placeholders: the same key, the same placeholders. Otherwise MASKING_KEY; "
    "without one a key is drawn for this run and thrown away at its end.",
)
@click.option(
    "--on-error",
    type=click.Choice(["refuse", "quarantine"]),
    default="refuse",
    show_default=True,
    help="Rows that cannot be masked: stop there, or leave them out and list their places.",
)
@click.option(
    "--conversation", default="", metavar="PATH", help="What rows of one conversation have in common: its id."
)
@click.option(
    "--vault",
    default="",
    metavar="ADDRESS",
    help="Keep what placeholders stand for, encrypted, for `masking batch restore`: sqlite:PATH or redis://…; keys as "
    "`masking vault` has them. Without it nothing is kept.",
)
@click.option("--owner", default="batch", show_default=True, help="Whose entries they are in the vault.")
@click.option(
    "--shadow", default="", metavar="NAME|PATH", help="A candidate category that only tells where it differs."
)
@click.option("--shadow-report", default="", metavar="FILE", help="Where it tells: JSON lines, without values.")
@click.option("--no-header", is_flag=True, help="CSV and TSV files begin with a record, not with column names.")
@click.option(
    "--max-row",
    type=click.IntRange(1),
    default=64,
    show_default=True,
    metavar="MIB",
    help="A longer row counts as one that cannot be masked.",
)
@click.option("-w", "--workers", type=click.IntRange(1), help="Processes; all cores without it.")
@click.option("--dry-run", is_flag=True, help="Write nothing; show what is found where in each file's first rows.")
@click.option(
    "--sample", type=click.IntRange(1), default=200, show_default=True, metavar="ROWS", help="How many, for --dry-run."
)
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@batch_spark.spark_options
@click.option("--json", "as_json", is_flag=True, help="The summary as JSON.")
def mask(
    inputs: tuple[str, ...],
    output: str,
    categories: tuple[str, ...],
    names: str,
    format_: Any,
    shape: str,
    text: tuple[str, ...],
    opaque: tuple[str, ...],
    mapping: Any,
    key_file: Path | None,
    on_error: Any,
    conversation: str,
    vault: str,
    owner: str,
    shadow: str,
    shadow_report: str,
    max_row: int,
    workers: int | None,
    sample: int,
    engine: str,
    master: str,
    key_from: str,
    *,
    no_header: bool,
    dry_run: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Mask files of conversation logs into a folder. Inputs are files, folders and globs; none is changed.

    Interrupted at any moment, the same command goes on where it stood.

    \b
    Exit codes: 0 done, 1 done but rows were left out, 2 could not go on.

    \b
    Examples:
      masking batch logs/ --output masked/ --key-file secret.key
      masking batch chats.jsonl.gz -o masked/ --names off --on-error quarantine
      masking batch logs/ -o masked/ --dry-run
      masking batch 'lake/**/*.jsonl' -o masked/ --text 'messages[*].content'
      masking batch s3a://lake/chats -o s3a://lake/masked --engine spark --format parquet
    """
    if bool(shadow) != bool(shadow_report):
        raise click.UsageError("--shadow and --shadow-report go together")
    settings = Settings(
        categories=categories,
        names="off" if names == "off" else "on",
        mapping=mapping,
        key=read_key(key_file),
        text=text,
        opaque=opaque,
        conversation=conversation,
        vault=vault,
        owner=owner,
        shadow=shadow,
        shadow_report=str(Path(shadow_report).absolute()) if shadow else "",
    )
    if engine == "spark":
        if dry_run or vault or shadow or on_error != "refuse":
            raise click.UsageError("--dry-run, --vault, --shadow and --on-error quarantine need --engine local")
        batch_spark.go(
            inputs,
            output,
            settings,
            format_=format_ or "",
            shape=shape,
            master=master,
            key_from=key_from,
            as_json=as_json,
        )
        return
    job = Job(
        inputs=inputs,
        output=Path(output),
        settings=settings,
        format=format_,
        shape=shape,
        on_error=on_error,
        workers=workers or 0,
        longest=max_row << 20,
        header=not no_header,
    )
    if dry_run:
        _dry(job, sample, as_json=as_json)
    else:
        _go(job, as_json=as_json, quiet=quiet)


def _go(job: Job, *, as_json: bool, quiet: bool = False) -> None:
    """Run the job, say what came out, and exit."""
    try:
        with Shown(quiet=quiet) as shown:
            summary = run(job, shown)
    except KeyboardInterrupt:
        click.echo("stopped; what is done is kept: the same command goes on from there", err=True)
        raise click.exceptions.Exit(2) from None
    except OSError as error:
        raise MaskingError(
            f"{error.strerror or error}: what is done is kept; when that is mended, the same command goes on"
        ) from None
    if as_json:
        click.echo(orjson.dumps(_plain(summary), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE), nl=False)
    else:
        _show(summary, job.output)
    if summary.quarantined:
        raise click.exceptions.Exit(1)


@command.command("restore")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="DIR", help="A new or empty folder."
)
@click.option("--vault", required=True, metavar="ADDRESS", help="The vault that the masking run was given.")
@click.option("--owner", default="batch", show_default=True, help="Whose entries they are in the vault.")
@click.option(
    "--mapping",
    type=click.Choice(["keyed", "conversation"]),
    default="keyed",
    show_default=True,
    help="As the masking run had it.",
)
@click.option("--conversation", default="", metavar="PATH", help="As the masking run had it.")
@click.option("--shape", default="", metavar="NAME", help="As the masking run had it.")
@click.option("--format", "format_", type=click.Choice(FORMATS), help="What the inputs are, whatever they are called.")
@click.option("--no-header", is_flag=True, help="CSV and TSV files begin with a record, not with column names.")
@click.option("--on-error", type=click.Choice(["refuse", "quarantine"]), default="refuse", show_default=True)
@click.option("-w", "--workers", type=click.IntRange(1), help="Processes; all cores without it.")
@click.option("--json", "as_json", is_flag=True, help="The summary as JSON.")
def restore(
    inputs: tuple[str, ...],
    output: Path,
    vault: str,
    owner: str,
    mapping: Any,
    conversation: str,
    shape: str,
    format_: Any,
    on_error: Any,
    workers: int | None,
    *,
    no_header: bool,
    as_json: bool,
) -> None:
    """Put the values back into files that `masking batch --vault` has masked; the output holds them in clear.

    \b
    Example:
      masking batch restore masked/ --output clear/ --vault sqlite:vault.db
    """
    settings = Settings((), mapping=mapping, conversation=conversation, vault=vault, owner=owner, restore=True)
    job = Job(
        inputs,
        output,
        settings,
        format=format_,
        shape=shape,
        on_error=on_error,
        workers=workers or 0,
        header=not no_header,
    )
    _go(job, as_json=as_json)


def _dry(job: Job, rows: int, *, as_json: bool) -> None:
    """Show what a run would find."""
    from masking.batch.sample import sample

    damaged = False
    for seen in sample(job, rows):
        damaged = damaged or bool(seen.damage)
        if as_json:
            places = {
                path: {"masked": place.masked, "texts": place.texts, "findings": place.findings}
                for path, place in seen.places.items()
            }
            line = {
                "file": seen.name,
                "format": seen.format,
                "shape": seen.shape,
                "rows": seen.rows,
                "bad": seen.bad,
                "damage": seen.damage,
                "places": places,
            }
            click.echo(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE), nl=False)
            continue
        bad = f", {seen.bad:,} of them cannot be read" if seen.bad else ""
        shape = f", shape {seen.shape}" if seen.shape else ""
        click.echo(f"{seen.name}: {seen.format}{shape}, first {seen.rows:,} rows{bad}")
        if seen.damage:
            click.echo(f"  {seen.damage}")
        table = [
            (
                path,
                "text" if place.masked else "opaque",
                f"{place.texts:,}",
                ", ".join(f"{entity} {count:,}" for entity, count in place.findings.most_common()),
            )
            for path, place in seen.places.items()
        ]
        if table:
            print_table(("path", "is", "values", "found"), table)
    if damaged:
        raise click.exceptions.Exit(1)


def _plain(summary: Summary) -> dict[str, Any]:
    return {
        "totals": summary.totals,
        "seconds": round(summary.seconds, 3),
        "resumed": summary.resumed,
        "unknown": summary.unknown,
        "files": summary.files,
    }


def _show(summary: Summary, output: Path) -> None:
    rows = [(entity, f"{count:,}") for entity, count in summary.totals["findings"].items()]
    if rows:
        print_table(("entity", "found"), rows)
    totals = summary.totals
    click.echo(f"{totals['rows']:,} rows, {totals['masked']:,} of them changed; {totals['files']:,} files in {output}")
    if summary.quarantined:
        click.echo(f"{summary.quarantined:,} rows left out: see {output / '_masking' / 'quarantine'}", err=True)
    for name in summary.unknown:
        click.echo(f"left alone, of no known format: {name}", err=True)
