"""`masking policy mutate`: rules broken one by one, and those breaks that no case notices."""

from __future__ import annotations

from pathlib import Path

import click
import orjson

from masking.cli.policy.progress import bar
from masking.cli.table import print_table
from masking.policy.exception import read_exceptions
from masking.policy.mutation import Mutant, try_mutants
from masking.policy.suite import read_suites

__all__ = ["command"]


@click.command("mutate")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option(
    "--rule", "rules", multiple=True, metavar="RULE", help="Break only this rule; may be given several times."
)
@click.option(
    "--exceptions", type=click.Path(path_type=Path), metavar="FILE", help="Survivors that are explained, in YAML."
)
@click.option("--all", "show_all", is_flag=True, help="List every mutant, not survivors only.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per mutant.")
def command(
    paths: tuple[str, ...], rules: tuple[str, ...], exceptions: Path | None, *, show_all: bool, as_json: bool
) -> None:
    """Break every rule in turn, and list the breaks that no case of the suites notices.

    A rule is left out, its boundaries are loosened one after the other, its check, its context and its allow list are
    dropped. Suites are named as for `masking policy test`.

    Exit code 1 if a break survives that no exception explains.
    """
    explained = read_exceptions(exceptions)
    suites = read_suites(paths)
    tried: list[tuple[Mutant, str]] = []
    with bar("rules") as progress:
        for mutant in try_mutants(suites, rules, progress=progress):
            why = "" if mutant.killed_by else explained.why(mutant.rule, mutant.mutation)
            tried.append((mutant, why))
            if as_json:
                row = {key: getattr(mutant, key) for key in ("rule", "mutation", "file", "killed_by", "touched")}
                click.echo(orjson.dumps({**row, "explained": why}, option=orjson.OPT_APPEND_NEWLINE), nl=False)
    alive = [(mutant, why) for mutant, why in tried if not mutant.killed_by]
    left = [mutant for mutant, why in alive if not why]
    if not as_json:
        shown = tried if show_all else alive
        if shown:
            rows = [
                (one.rule, one.mutation, str(one.touched), one.killed_by or why or "SURVIVES", one.file)
                for one, why in shown
            ]
            print_table(("rule", "mutation", "cases", "noticed by", "file"), rows)
        click.echo(
            f"{len(tried)} mutants: {len(tried) - len(alive)} noticed, {len(alive) - len(left)} explained, "
            f"{len(left)} survive"
        )
    if left:
        raise click.exceptions.Exit(1)
