"""`masking rules explain`: which rule fired where in a text, which lost, and which nearly fired."""

from __future__ import annotations

import dataclasses

import click
import orjson

from masking.cli.options import category_options, masker_for, texts
from masking.cli.table import print_table
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
    rows = []
    for one in reasons:
        place = (str(one.start), str(one.end), text[one.start : one.end])
        rows.append((*place, one.rule, one.entity, f"{one.score:g}", one.outcome, one.why))
    if rows:
        print_table(("from", "to", "text", "rule", "entity", "score", "outcome", "why"), rows)
    else:
        click.echo("no rule says anything about this text")
