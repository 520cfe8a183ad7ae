"""`masking policy diff`: what changes between two versions of a category."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import click
import orjson

from masking import ConfigurationError, Masker
from masking.cli.policy.progress import bar
from masking.cli.table import print_table
from masking.core.path import parse
from masking.policy.difference import Comparison, Sample, Text, compare, examples, read_corpus, rule_changes

__all__ = ["command"]

_LINES = (".jsonl", ".ndjson")
_WORDS = {
    "appears": "is found now",
    "vanishes": "is found no more",
    "entity": "is another kind of value",
    "operator": "is replaced otherwise",
    "extent": "is found from or to another place",
}


@click.command("diff")
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.option("--corpus", multiple=True, metavar="FILE", help="Texts: a line each, or JSONL; several times.")
@click.option(
    "--text", "text_path", default="text", show_default=True, metavar="PATH", help="Where JSONL has its text."
)
@click.option("--names", type=click.Choice(["on", "off"]), default="on", show_default=True, help="off: without models.")
@click.option(
    "--samples", type=click.IntRange(0, 100), default=3, show_default=True, help="Samples of each difference."
)
@click.option("--reveal", is_flag=True, help="Show the values in the samples.")
@click.option("--markdown", is_flag=True, help="As Markdown, for a pull request.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--fail", is_flag=True, help="Exit code 1 if anything differs.")
def command(
    old: str,
    new: str,
    corpus: tuple[str, ...],
    text_path: str,
    names: str,
    samples: int,
    *,
    reveal: bool,
    markdown: bool,
    as_json: bool,
    fail: bool,
) -> None:
    """Tell what changes between two versions of a category: OLD and NEW are names or YAML files.

    Which findings appear and vanish, and which change their entity, their operator or their extent, over a corpus that
    may be larger than memory; without one, over the examples beside the rules. Samples show what stands around a
    change, without values and digits.

    \b
    Examples:
      masking policy diff UserInfo ./rules/UserInfo.yaml
      masking policy diff old.yaml new.yaml --corpus chats.jsonl --text messages[*].content --markdown
    """
    try:
        steps = parse(text_path)
    except ValueError as error:
        raise ConfigurationError(f"--text {text_path}: {error}") from None
    choice: Literal["on", "off"] = "off" if names == "off" else "on"
    before, after = Masker(old, names=choice), Masker(new, names=choice)
    paths = [Path(one) for one in corpus]
    total = sum(path.stat().st_size for path in paths if path.is_file())
    texts: Iterator[Text] = (
        chain.from_iterable(read_corpus(path, steps if path.suffix in _LINES else None) for path in paths)
        if paths
        else examples(before.category, after.category)
    )
    with bar("bytes", total or None) as progress:
        result = compare(before, after, _counted(texts, progress), samples=samples, reveal=reveal)
    rules = rule_changes(before.category, after.category)
    if as_json:
        click.echo(
            orjson.dumps(_plain(result, rules), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE), nl=False
        )
    else:
        heading = f"{before.category.name} {before.category.version} → {after.category.name} {after.category.version}"
        for line in _told(result, rules, heading, markdown=markdown):
            click.echo(line)
    if fail and result.counts:
        raise click.exceptions.Exit(1)


def _counted(texts: Iterator[Text], progress: Any) -> Iterator[Text]:
    for one in texts:
        yield one
        if progress is not None:
            progress(one.size)


def _told(result: Comparison, rules: Mapping[str, Sequence[str]], heading: str, *, markdown: bool) -> Iterator[str]:
    yield f"### {heading}\n" if markdown else heading
    for what, ids in rules.items():
        if ids:
            yield f"{'- ' if markdown else ''}rules {what}: {', '.join(ids)}"
    rows = [
        (_WORDS[key[0]], str(count), _pair(key[1], key[2]), _pair(key[3], key[4]))
        for key, count in sorted(result.counts.items(), key=lambda item: (item[0][0], -item[1], item[0]))
    ]
    headings = ("what", "count", "entity", "rule")
    if rows and markdown:
        yield f"\n| {' | '.join(headings)} |\n| --- | ---: | --- | --- |"
        yield from (f"| {' | '.join(row)} |" for row in rows)
    elif rows:
        print_table(headings, rows)
    for key, samples in sorted(result.samples.items()):
        if samples:
            title = f"{_WORDS[key[0]]}: {_pair(key[1], key[2])}"
            yield f"\n**{title}**\n" if markdown else f"\n{title}"
            yield from (_sample(one, markdown=markdown) for one in samples)
    counts = ", ".join(f"{count} {what}" for what, count in sorted(result.by_change().items())) or "no difference"
    yield f"{chr(10) if markdown else ''}{result.texts} texts, {result.changed} differ: {counts}"


def _pair(first: str, second: str) -> str:
    return first if first == second else f"{first or '—'} → {second or '—'}"


def _sample(one: Sample, *, markdown: bool) -> str:
    shown = one.value or f"{one.end - one.start} characters"
    line = f"{one.place} at {one.start}: …{one.before}⟦{shown}⟧{one.behind}…"
    return f"- `{line.replace('`', chr(39))}`" if markdown else f"  {line}"


def _plain(result: Comparison, rules: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    keys = ("change", "entity", "other_entity", "rule", "other_rule")
    return {
        "texts": result.texts,
        "differing": result.changed,
        "characters": result.characters,
        "rules": rules,
        "differences": [
            {
                **dict(zip(keys, key, strict=True)),
                "count": count,
                "samples": [
                    {
                        **{name: getattr(one, name) for name in ("place", "start", "end", "before", "behind")},
                        **({"value": one.value} if one.value else {}),
                    }
                    for one in result.samples.get(key, ())
                ],
            }
            for key, count in sorted(result.counts.items())
        ],
    }
