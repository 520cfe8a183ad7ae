"""`masking rules`: what the categories hold, and whether their examples are true."""

from __future__ import annotations

from collections.abc import Sequence

import click
import orjson
from rich.console import Console
from rich.table import Table

from masking import Category, ConfigurationError, MaskingError
from masking.cli.explain import command as explain
from masking.core.proof import Failure, prove
from masking.core.rule import ModelSource, PatternSource, PresidioSource, Rule, TermSource
from masking.files import category_names, read_category, recogniser_names
from masking.masker import detector

__all__ = ["command"]


@click.group("rules")
def command() -> None:
    """List, show, check and explain categories and their rules."""


command.add_command(explain)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per category, or per recogniser.")
@click.option("--recognisers", is_flag=True, help="List the shared recognisers that `use:` can name.")
def list_categories(*, as_json: bool, recognisers: bool) -> None:
    """List the shipped categories."""
    if recognisers:
        for name in recogniser_names():
            click.echo(orjson.dumps({"recogniser": name}).decode() if as_json else name)
        return
    categories = [read_category(name) for name in category_names()]
    if as_json:
        _echo_json([_summary(category) for category in categories])
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("category", "version", "rules", "about"):
        table.add_column(heading, overflow="fold", justify="right" if heading == "rules" else "left")
    for category in categories:
        about = f"{category.about.get('en', '')}\n{category.about.get('zh', '')}".strip()
        table.add_row(category.name, category.version, str(len(category.rules)), about)
    Console().print(table)


@command.command("show")
@click.argument("name", metavar="CATEGORY|PATH|RULE")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def show(name: str, *, as_json: bool) -> None:
    """Show a category's rules, or one rule with its examples.

    \b
    Examples:
      masking rules show UserInfo
      masking rules show cn.mobile
    """
    rule = _rule_called(name)
    if rule is not None:
        _show_rule(rule, as_json=as_json)
        return
    category = read_category(name)
    if as_json:
        _echo_json([{**_summary(category), "rules": [_plain(rule) for rule in category.rules]}])
        return
    table = Table(title=f"{category.name} {category.version}", title_justify="left", box=None, pad_edge=False)
    for heading in ("rule", "entity", "found by", "score", "request", "answer"):
        table.add_column(heading, justify="right" if heading == "score" else "left")
    for one in category.rules:
        table.add_row(one.id, one.entity, _found_by(one), f"{one.score:g}", one.request.name, one.answer)
    Console().print(table)


@command.command("check")
@click.argument("names", nargs=-1, metavar="[CATEGORY|PATH]...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per rule.")
def check(names: tuple[str, ...], *, as_json: bool) -> None:
    """Hold every rule to the examples beside it: all shipped categories, or those named.

    Exit code 1 if an example does not hold, 2 if a file cannot be read or a model is missing.
    """
    rules: dict[str, Rule] = {}
    for name in names or category_names():
        rules |= {rule.id: rule for rule in read_category(name).rules}
    failed, unable = 0, 0
    for rule in rules.values():
        failures: Sequence[Failure] = ()
        reason = ""
        try:
            failures = list(prove(rule, detector))
        except MaskingError as error:
            reason = str(error)
        failed += bool(failures)
        unable += bool(reason)
        if as_json:
            _echo_json([{"rule": rule.id, "failures": [str(one) for one in failures], "could_not_run": reason or None}])
        else:
            for failure in failures:
                click.echo(str(failure))
            if reason:
                click.echo(f"{rule.file}:{rule.line}: rule {rule.id}: could not run: {reason}")
    if not as_json:
        passed = len(rules) - failed - unable
        click.echo(f"{len(rules)} rules: {passed} hold, {failed} fail, {unable} could not run")
    if unable or failed:
        raise click.exceptions.Exit(2 if unable else 1)


def _rule_called(name: str) -> Rule | None:
    for category in category_names():
        for rule in read_category(category).rules:
            if rule.id == name:
                return rule
    if "." in name and "/" not in name and not name.endswith((".yaml", ".yml")):
        raise ConfigurationError(f"no rule is called {name}; `masking rules show UserInfo` lists them")
    return None


def _show_rule(rule: Rule, *, as_json: bool) -> None:
    if as_json:
        _echo_json([_plain(rule)])
        return
    console = Console()
    console.print(f"[bold]{rule.id}[/bold]  {rule.entity}  {rule.file}", highlight=False)
    for key, value in _plain(rule).items():
        if key in {"id", "entity", "file"} or not value:
            continue
        lines = value if isinstance(value, list) else [value]
        console.print(f"{key:12} {lines[0]}", highlight=False, markup=False, soft_wrap=True)
        for line in lines[1:]:
            console.print(f"{'':12} {line}", highlight=False, markup=False, soft_wrap=True)


def _plain(rule: Rule) -> dict[str, object]:
    patterns = [pattern.source for pattern in rule.source.patterns] if isinstance(rule.source, PatternSource) else []
    return {
        "id": rule.id,
        "entity": rule.entity,
        "file": rule.file,
        "about": list(rule.about.values()),
        "defined in": rule.origin,
        "found by": _found_by(rule),
        "patterns": patterns,
        "context": _context(rule),
        "allowed": len(rule.allow),
        "score": rule.score,
        "request": rule.request.name,
        "answer": rule.answer,
        "hits": [example.text for example in rule.hits],
        "misses": list(rule.misses),
        "known gaps": list(rule.known_gaps),
    }


def _context(rule: Rule) -> str:
    context = rule.context
    if context is None:
        return ""
    effect = "required" if context.required else f"score {context.score:g}"
    where = {"before": "before", "after": "after", "both": "before or after"}[context.side]
    return f"{effect}, within {context.within} characters {where}: {', '.join(context.words)}"


def _found_by(rule: Rule) -> str:
    match rule.source:
        case PatternSource(checks=checks):
            return "pattern, check" if checks else "pattern"
        case TermSource(terms=terms):
            return f"{len(terms.words)} terms"
        case ModelSource(model=model):
            return f"model {model}"
        case PresidioSource(recogniser=recogniser):
            return f"Presidio {recogniser}"
        case _:
            return f"spaCy {rule.source.pipeline}"


def _summary(category: Category) -> dict[str, object]:
    return {
        "category": category.name,
        "version": category.version,
        "about": dict(category.about),
        "rules": len(category.rules),
        "entities": list(category.entities),
    }


def _echo_json(rows: Sequence[object]) -> None:
    for row in rows:
        click.echo(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE), nl=False)
