"""`masking policy test`: every case of the suites, and what failed."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from masking.cli.policy.progress import bar
from masking.files import read_category
from masking.policy.coverage import cover, read_obligations
from masking.policy.report import as_json, as_junit, as_sarif, as_text
from masking.policy.result import Report
from masking.policy.run import Cuts
from masking.policy.runner import run_suites
from masking.policy.suite import read_suites

__all__ = ["command"]


@click.command("test")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option(
    "--output",
    type=click.Choice(["text", "json", "junit", "sarif", "html"]),
    default="text",
    show_default=True,
    help="How the report is written; it goes to standard output.",
)
@click.option("--json", "as_json_too", is_flag=True, help="The same as --output json.")
@click.option("--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="Language of the page.")
@click.option(
    "--cuts",
    type=click.Choice(["all", "near", "none"]),
    default="all",
    show_default=True,
    help="Where streams are cut in two: at every place, in and beside what is replaced; none: texts only.",
)
@click.option(
    "-j", "--workers", type=click.IntRange(min=0), default=0, help="Processes; 0: as many as are worth it.", metavar="N"
)
@click.option("-v", "--verbose", is_flag=True, help="Tell known gaps, the policies' versions and the time as well.")
def command(
    paths: tuple[str, ...], output: str, lang: str, cuts: Cuts, workers: int, *, as_json_too: bool, verbose: bool
) -> None:
    """Hold categories to suites of cases: files, folders, or all that ship.

    Every case runs as a text, as a stream that is cut at every place, as an answer, as JSON and as a tool call, and in
    the variants that it names. docs/reference/suites.md says how to write one.

    Exit code 1 if a case fails, 2 if a suite is wrong, empty, or its models are missing. The last line is the count.

    \b
    Examples:
      masking policy test
      masking policy test policies/
      masking policy test --output junit policies/ > report.xml
      masking policy test --output html --lang zh > report.html     for an auditor
    """
    suites = read_suites(paths)
    total = sum(len(suite.cases) + len(suite.labelled) for suite in suites)
    with bar("cases", total) as progress:
        report = run_suites(suites, workers=workers, cuts=cuts, progress=progress)
    _write(report, "json" if as_json_too else output, lang, verbose=verbose)
    if report.exit_code:
        raise click.exceptions.Exit(report.exit_code)


def _write(report: Report, output: str, lang: str, *, verbose: bool) -> None:
    if output == "json":
        click.echo(as_json(report), nl=False)
    elif output == "junit":
        click.echo(as_junit(report), nl=False)
    elif output == "sarif":
        click.echo(as_sarif(report), nl=False)
    elif output == "html":
        click.echo(_page(report, lang))
    else:
        for line in as_text(report, verbose=verbose):
            click.echo(line)


def _page(report: Report, lang: str) -> str:
    from masking.policy.page import as_html

    cases = [one for suite in report.suites for one in suite.cases]
    single = [one.case.categories[0] for one in cases if len(one.case.categories) == 1]
    categories = {category.name: category for name in dict.fromkeys(single) for category in (read_category(name),)}
    covers = cover(categories.values(), read_obligations(), cases)
    return as_html(report, covers, lang=lang, date=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
