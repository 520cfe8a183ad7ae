"""`masking audit`: what an audit log proves."""

from __future__ import annotations

import os
from pathlib import Path

import click
import orjson

from masking import ConfigurationError
from masking.cli.table import print_table
from masking.gateway.chain import Head, files_of, read_head, tail_of, verify

__all__ = ["command"]

_KEY = "MASKING_AUDIT_KEY"


@click.group("audit")
def command() -> None:
    """Verify the gateway's audit log.

    Each line of the log holds the hash of the line before, and <FILE>.head the hash of the last. With a key
    (MASKING_AUDIT_KEY, as the gateway has it) nobody without it can make a line that fits.

    What this cannot prove: without a key, whoever may write the files can make a new chain; with one, they can still
    put back older copies of the log and its head together. Note the head elsewhere now and then, with `masking audit
    head`, and give it to `verify --known`.
    """


@command.command("verify")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--only", is_flag=True, help="This file alone, without those that were rotated before it.")
@click.option("--known", multiple=True, metavar="NUMBER:HASH", help="A head that was noted elsewhere; several times.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object: ok, lines, first, last, problems.")
def verify_command(file: Path, known: tuple[str, ...], *, only: bool, as_json: bool) -> None:
    """Find removed, edited, exchanged, added and cut off lines. Exit code 1 if there are any.

    \b
    Examples:
      masking audit verify audit.jsonl                with audit.jsonl.000000001000 … before it
      masking audit verify --known 812:9f2c… audit.jsonl
    """
    files = [file] if only else files_of(file)
    if not files or not all(one.is_file() for one in files):
        raise ConfigurationError(f"cannot read {file}: no such file")
    key = _key()
    problem = ""
    head: Head | None = None
    try:
        head_file = file.with_name(file.name + ".head")
        head = read_head(head_file, key, check=True)
        if head is None and not only:
            problem = f"{head_file} is missing: whether the end was cut off cannot be told"
    except ConfigurationError as error:
        problem = str(error)
    except OSError as error:
        raise ConfigurationError(f"cannot read {file}.head: {error.strerror}") from None
    try:
        verdict = verify(files, key=key, head=head, known=[Head.parse(one) for one in known])
    except OSError as error:
        raise ConfigurationError(f"cannot read {file}: {error.strerror}") from None
    if problem:
        verdict.add(str(file), 0, problem)
    if as_json:
        problems = [{"file": one.file, "line": one.line, "what": one.what} for one in verdict.problems]
        document = {
            "ok": verdict.ok, "lines": verdict.lines, "first": verdict.first, "last": verdict.last.seq,
            "head": str(verdict.last), "keyed": key is not None, "problems": problems, "more": verdict.more,
        }  # fmt: skip
        click.echo(orjson.dumps(document))
    else:
        if verdict.problems:
            rows = [(one.file, str(one.line or ""), one.what) for one in verdict.problems]
            print_table(("file", "line", "what"), rows)
        if verdict.more:
            click.echo(f"and {verdict.more} more")
        state = "whole" if verdict.ok else "NOT whole"
        click.echo(f"{verdict.lines} lines, {verdict.first} to {verdict.last.seq}: the chain is {state}")
        if verdict.ok and verdict.first > 1:
            click.echo(f"lines 1 to {verdict.first - 1} are not in these files: whether they were whole is not known")
        if verdict.ok and key is None:
            click.echo(f"without {_KEY}: whoever could write the files could have made this chain anew")
    if not verdict.ok:
        raise click.exceptions.Exit(1)


@command.command("head")
@click.argument("file", type=click.Path(path_type=Path))
def head_command(file: Path) -> None:
    """Print how far a log has come, NUMBER:HASH: to be noted where its writer cannot reach."""
    try:
        head, _ = tail_of(file)
    except OSError as error:
        raise ConfigurationError(f"cannot read {file}: {error.strerror}") from None
    if head is None:
        raise ConfigurationError(f"cannot read {file}: it is missing or empty")
    click.echo(str(head))


def _key() -> bytes | None:
    text = os.environ.get(_KEY, "")
    return text.encode() if text else None
