"""`masking scan`: what a category finds in files, as a table, as JSON, or marked in the text."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click
import orjson

from masking import ConfigurationError, Finding
from masking.cli.options import category_options, masker_for, texts
from masking.cli.table import print_table
from masking.core.path import Path as Steps
from masking.core.path import parse

__all__ = ["command"]

_LINES = (".jsonl", ".ndjson")
_COLOURS = ("cyan", "yellow", "green", "magenta", "blue", "red")


class _Text(NamedTuple):
    """One text: the input's name, its line (from 1) in JSONL or 0, and itself."""

    name: str
    line: int
    text: str

    @property
    def place(self) -> str:
        return f"{self.name}:{self.line}" if self.line else self.name


@click.command("scan")
@click.argument("paths", nargs=-1, metavar="[FILE]...")
@category_options
@click.option(
    "--jsonl", is_flag=True, help="Inputs are JSONL, whatever their names; .jsonl and .ndjson files always are."
)
@click.option(
    "--text",
    "text_path",
    default="text",
    show_default=True,
    metavar="PATH",
    help="Where the text is in a line of JSONL, for instance messages[*].content.",
)
@click.option("--values", is_flag=True, help="Show the values that were found, in the table and in JSON.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per text: input, line, findings (no values).")
@click.option("--annotate", is_flag=True, help="Print the texts with every value marked: in colour, or [ENTITY:value].")
@click.option("--fail", is_flag=True, help="Exit code 1 if anything was found.")
def command(
    paths: tuple[str, ...],
    categories: tuple[str, ...],
    names: str,
    text_path: str,
    *,
    jsonl: bool,
    values: bool,
    as_json: bool,
    annotate: bool,
    fail: bool,
) -> None:
    """Show what a category finds in files, or in standard input. Nothing is changed.

    A file is one text; of a JSONL file each line's text is one. Offsets count characters, from 0; the end is exclusive.

    \b
    Examples:
      masking scan letter.txt
      masking scan --annotate < letter.txt
      masking scan --json --text messages[*].content chats.jsonl
      masking scan --fail --names off src/*.py        for a commit hook
    """
    if as_json and annotate:
        raise click.UsageError("choose one of --json and --annotate")
    try:
        steps = parse(text_path)
    except ValueError as error:
        raise ConfigurationError(f"--text {text_path}: {error}") from None
    masker = masker_for(categories, names)
    rows: list[tuple[str, ...]] = []
    count = total = 0
    for one in _texts(paths, steps, jsonl=jsonl):
        findings = masker.scan(one.text)
        count += len(findings)
        total += 1
        if as_json:
            click.echo(orjson.dumps(_plain(one, findings, values=values), option=orjson.OPT_APPEND_NEWLINE), nl=False)
        elif annotate:
            click.echo(_annotated(one.text, findings, colour=sys.stdout.isatty()), nl=not one.text.endswith("\n"))
        else:
            for found in findings:
                value = (one.text[found.start : found.end],) if values else ()
                where = (one.place, str(found.start), str(found.end))
                rows.append((*where, found.entity, f"{found.score:g}", found.rule, *value))
    if not (as_json or annotate):
        if rows:
            print_table(("where", "from", "to", "entity", "score", "rule", *(("value",) if values else ())), rows)
        click.echo(f"{count} found in {total} {'text' if total == 1 else 'texts'}")
    if fail and count:
        raise click.exceptions.Exit(1)


def _texts(paths: tuple[str, ...], steps: Steps, *, jsonl: bool) -> Iterator[_Text]:
    for path in paths or ("-",):
        if not jsonl and Path(path).suffix not in _LINES:
            yield from (_Text(name, 0, text) for name, text in texts((path,)))
            continue
        name = "standard input" if path == "-" else path
        read = found = False
        for number, line in enumerate(_lines(path, name), 1):
            if not line.strip():
                continue
            read = True
            try:
                data = orjson.loads(line)
            except orjson.JSONDecodeError:
                raise ConfigurationError(f"{name}:{number}: this line is not JSON") from None
            for text in _at(data, steps):
                found = True
                yield _Text(name, number, text)
        if read and not found:
            spelt = "".join("[*]" if step is None else f".{step}" for step in steps).lstrip(".")
            raise ConfigurationError(f"{name}: no line has a text at {spelt}; say where it is with --text")


def _lines(path: str, name: str) -> Iterator[bytes]:
    """The lines of a file or of standard input, one after the other. Raises ConfigurationError."""
    if path == "-":
        yield from sys.stdin.buffer
        return
    try:
        with Path(path).open("rb") as file:
            yield from file
    except OSError as error:
        raise ConfigurationError(f"cannot read {name}: {error.strerror}") from None


def _at(data: Any, steps: Steps) -> Iterator[str]:
    """The strings at a path; what does not fit it is passed over."""
    if not steps:
        if isinstance(data, str):
            yield data
        return
    if steps[0] is None:
        for item in data if isinstance(data, list) else ():
            yield from _at(item, steps[1:])
    elif isinstance(data, dict) and steps[0] in data:
        yield from _at(data[steps[0]], steps[1:])


def _plain(one: _Text, findings: list[Finding], *, values: bool) -> dict[str, Any]:
    rows = [found._asdict() for found in findings]
    if values:
        for row in rows:
            # JSON holds no lone surrogate.
            row["value"] = one.text[row["start"] : row["end"]].encode("utf-8", "replace").decode()
    return {"input": one.name, **({"line": one.line} if one.line else {}), "findings": rows}


def _annotated(text: str, findings: list[Finding], *, colour: bool) -> str:
    pieces: list[str] = []
    at = 0
    entities = list(dict.fromkeys(found.entity for found in findings))
    for found in findings:
        value = text[found.start : found.end]
        tone = _COLOURS[entities.index(found.entity) % len(_COLOURS)]
        marked = click.style(value, fg=tone, underline=True) + click.style(f"[{found.entity}]", fg=tone, dim=True)
        pieces += text[at : found.start], marked if colour else f"[{found.entity}:{value}]"
        at = found.end
    return "".join(pieces) + text[at:]
