"""`masking rules explain`: which rule fired where in a text, which lost, and which nearly fired."""

from __future__ import annotations

import dataclasses
import sys

import click
import orjson
from rich.console import Console
from rich.table import Table

from masking.cli.options import category_options, masker_for, texts
from masking.core.explain import explain
from masking.core.scan import Scanner
from masking.masker import detector

__all__ = ["command"]


@click.command("explain")
@click.argument("text", metavar="TEXT|-")
@category_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object per place and rule, without the text there.")
def command(text: str, categories: tuple[str, ...], names: str, *, as_json: bool) -> None:
    """Show which rule fired where in TEXT (or in standard input, for -), and why.

    found: a finding. partly: better findings lie inside; the rest stays one. lost: a better one overlaps it.
    refused: it matched, but a boundary, a check, a context word or an allow list spoke against it.

    \b
    Examples:
      masking rules explain "电话13800138000，订单2138001380001"
      masking rules explain - --json < letter.txt
    """
    masker = masker_for(categories, names)
    if text == "-":
        text = "".join(one for _, one in texts(("-",)))
    reasons = explain(Scanner(masker.category, detector), text)
    if as_json:
        for reason in reasons:
            click.echo(orjson.dumps(dataclasses.asdict(reason), option=orjson.OPT_APPEND_NEWLINE), nl=False)
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("from", "to", "text", "rule", "entity", "score", "outcome", "why"):
        table.add_column(heading, justify="right" if heading in {"from", "to", "score"} else "left", overflow="fold")
    for reason in reasons:
        piece = "".join(one if one.isprintable() else " " for one in text[reason.start : reason.end])
        table.add_row(
            str(reason.start), str(reason.end), piece, reason.rule, reason.entity, f"{reason.score:g}", reason.outcome,
            reason.why,
        )  # fmt: skip
    if reasons:
        Console(width=None if sys.stdout.isatty() else 1000, markup=False, highlight=False).print(table)
    else:
        click.echo("no rule says anything about this text")
