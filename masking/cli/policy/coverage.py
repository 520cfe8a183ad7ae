"""`masking policy coverage`: which category covers which item of which law or standard."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click
import orjson

from masking.cli.policy.progress import bar
from masking.cli.table import print_table
from masking.files import category_names, read_category
from masking.policy.coverage import Cover, Obligation, cover, read_obligations
from masking.policy.runner import run_suites
from masking.policy.suite import nearest, read_suites

__all__ = ["command"]

_HEADINGS = ("obligation", "item", "source", "category", "covered", "rules", "cases", "known gap")


@click.command("coverage")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option(
    "-c", "--category", "names", multiple=True, metavar="NAME|PATH", help="Only this category; several times."
)
@click.option(
    "-o", "--obligation", "wanted", multiple=True, metavar="NAME", help="Only this obligation; several times."
)
@click.option("--suite", "suites", multiple=True, metavar="PATH", help="Suites that count; default: all that ship.")
@click.option("--items", is_flag=True, help="List every item, not the counts only.")
@click.option("--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="Language of the text.")
@click.option("--markdown", is_flag=True, help="As Markdown.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per item and category.")
@click.option(
    "--fail", is_flag=True, help="Exit code 1 if an item has neither rules nor a known gap, or rules untested."
)
def command(
    paths: tuple[str, ...],
    names: tuple[str, ...],
    wanted: tuple[str, ...],
    suites: tuple[str, ...],
    lang: str,
    *,
    items: bool,
    markdown: bool,
    as_json: bool,
    fail: bool,
) -> None:
    """Tell which rules cover which item of laws and standards, tested by how many cases, and what is a known gap.

    Obligations are the shipped ones (`rules/obligations`), or files of the same form. A cell of the table says how many
    of an obligation's items a category covers, and how many those are in all.
    """
    obligations = _wanted(read_obligations(paths), wanted)
    categories = [read_category(name) for name in names or category_names()]
    read = read_suites(suites)
    with bar("cases", sum(len(suite.cases) for suite in read)) as progress:
        report = run_suites(read, cuts="none", progress=progress)
    rows = cover(categories, obligations, (one for suite in report.suites for one in suite.cases))
    if as_json:
        for row in rows:
            click.echo(orjson.dumps(_plain(row), option=orjson.OPT_APPEND_NEWLINE), nl=False)
    else:
        headings, lines = (_HEADINGS, [_line(row, lang) for row in rows]) if items else _matrix(rows)
        _print(headings, lines, markdown=markdown)
    bare = [row for row in rows if row.state == "no" and not row.item.gap]
    untested = [row for row in rows if row.untested]
    if not as_json:
        click.echo(
            f"{len(obligations)} obligations, {sum(len(one.items) for one in obligations)} items, "
            f"{len(categories)} categories: {sum(row.state == 'covered' for row in rows)} covered, "
            f"{len(untested)} of them untested"
        )
    if fail and (untested or _nowhere(bare, len(categories))):
        raise click.exceptions.Exit(1)


def _wanted(obligations: list[Obligation], wanted: Sequence[str]) -> list[Obligation]:
    known = {one.name: one for one in obligations}
    for name in wanted:
        if name not in known:
            raise click.UsageError(f"no obligation is called {name}; {nearest(name, known)}")
    return [known[name] for name in wanted] if wanted else obligations


def _nowhere(bare: Sequence[Cover], categories: int) -> bool:
    """Whether an item has no rule in any category."""
    counts: dict[tuple[str, str], int] = {}
    for row in bare:
        key = (row.obligation.name, row.item.id)
        counts[key] = counts.get(key, 0) + 1
    return any(count == categories for count in counts.values())


def _plain(row: Cover) -> dict[str, object]:
    return {
        "obligation": row.obligation.name,
        "item": row.item.id,
        "about": dict(row.item.about),
        "source": row.item.source,
        "category": row.category,
        "state": row.state,
        "entities": row.item.entities,
        "rules": row.rules,
        "lacking": row.lacking,
        "cases": row.cases,
        "gap": dict(row.item.gap),
    }


def _line(row: Cover, lang: str) -> tuple[str, ...]:
    covered = f"partly: no {', '.join(row.lacking)}" if row.state == "partly" else row.state
    return (
        row.obligation.name,
        row.item.about.get(lang) or row.item.id,
        row.item.source,
        row.category,
        covered,
        ", ".join(row.rules),
        str(row.cases),
        row.item.gap.get(lang) or next(iter(row.item.gap.values()), ""),
    )


def _matrix(rows: Iterable[Cover]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    counts: dict[str, dict[str, list[bool]]] = {}
    for row in rows:
        counts.setdefault(row.obligation.name, {}).setdefault(row.category, []).append(row.state == "covered")
    categories = list(dict.fromkeys(name for by in counts.values() for name in by))
    lines = [
        (name, *(f"{sum(by[one])}/{len(by[one])}" if one in by else "" for one in categories))
        for name, by in counts.items()
    ]
    return ("obligation", *categories), lines


def _print(headings: Sequence[str], lines: Sequence[Sequence[str]], *, markdown: bool) -> None:
    if not markdown:
        print_table(headings, lines)
        return
    for line in (headings, ["---"] * len(headings), *lines):
        cells = (cell.replace("|", "\\|").replace("\n", " ") for cell in line)
        click.echo(f"| {' | '.join(cells)} |")
