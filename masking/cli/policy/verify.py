"""`masking policy verify`: rule files held to their own examples and to each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import orjson

from masking.cli.policy.progress import bar
from masking.files import category_names, read_category
from masking.policy.coverage import read_obligations
from masking.policy.exception import Exceptions, read_exceptions
from masking.policy.lint import Lint, lint_category, lint_references, settled
from masking.policy.suite import shipped_suites

__all__ = ["command"]


@click.command("verify")
@click.argument("names", nargs=-1, metavar="[CATEGORY|PATH]...")
@click.option(
    "--names", "models", type=click.Choice(["on", "off"]), default="on", help="off: without models.", show_default=True
)
@click.option(
    "--exceptions", type=click.Path(path_type=Path), metavar="FILE", help="What is known to be so, and why, in YAML."
)
@click.option("-v", "--verbose", is_flag=True, help="List what is explained as well.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per finding, explained ones included.")
def command(names: tuple[str, ...], models: str, exceptions: Path | None, *, verbose: bool, as_json: bool) -> None:
    """Hold rules to the examples beside them and to each other: all shipped categories, or those named.

    Told are examples that do not hold, rules that another one shadows, hits that another rule takes for another kind
    of value, patterns that no hit needs, that find ordinary prose, or that take exponential time, and missing
    translations.

    Exit code 1 if something is told that no exception explains, 2 if a file is wrong or a model is missing.
    """
    categories = [read_category(name) for name in names or category_names()]
    explained = read_exceptions(exceptions) if exceptions or not names else Exceptions({}, {})
    found: list[Lint] = []
    proved: set[tuple[str, str, int]] = set()
    with bar("rules", sum(len(category.rules) for category in categories)) as progress:
        for category in categories:
            found += lint_category(category, "off" if models == "off" else "on", proved=proved, progress=progress)
    if not names:
        found += lint_references(_named(), {entity for category in categories for entity in category.entities})
    rows = settled(found, explained)
    left = [one for one in rows if not one.why]
    for one in rows if as_json else rows if verbose else left:
        if as_json:
            row = {key: getattr(one, key) for key in ("rule", "kind", "what", "file", "line", "other", "why")}
            click.echo(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE), nl=False)
        else:
            click.echo(f"{one}{f' (known: {one.why})' if one.why else ''}")
    if not as_json:
        count = len({rule.id for category in categories for rule in category.rules})
        click.echo(f"{count} rules: {len(left)} to correct, {len(rows) - len(left)} explained")
    if left:
        raise click.exceptions.Exit(1)


def _named() -> Iterator[tuple[str, str, int, str]]:
    """The entities that the shipped suites and obligations name: entity, file, line, by what."""
    for suite in shipped_suites():
        for case in suite.cases:
            if not case.known_gap:
                for claim in case.must_mask or ():
                    yield from ((entity, case.file, claim.line, f"{suite.name}/{case.id}") for entity in claim.entities)
    for obligation in read_obligations():
        for item in obligation.items:
            if not item.gap:
                yield from (
                    (entity, obligation.file, item.line, f"{obligation.name}/{item.id}") for entity in item.entities
                )
