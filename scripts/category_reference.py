"""Write the tables of categories and recognisers into docs/reference/categories.md; with --check only compare."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import groupby

from reference_page import ReferencePage

from masking.core.rule import ModelSource, PresidioSource, Rule
from masking.files import category_names, read_category


def categories() -> Iterator[str]:
    """A section for every shipped category: purpose in two languages, what it needs, entities, recognisers."""
    for name in category_names():
        category = read_category(name)
        needs = sorted({rule.source.model for rule in category.rules if isinstance(rule.source, ModelSource)})
        presidio = any(isinstance(rule.source, PresidioSource) for rule in category.rules)
        models = f"models {' and '.join(f'`{model}`' for model in needs)}" if needs else "no model"
        yield f"\n## `{name}`\n\n{category.about['en']}\n\n{category.about['zh']}\n\n"
        yield f"Version {category.version}, {len(category.rules)} rules; needs {models}"
        yield "; imports Presidio when a gate matches.\n\n" if presidio else ".\n\n"
        yield f"Entities: {_quoted(category.entities)}\n\n"
        if len(category.rules) <= _MOST_LISTED:
            yield f"Recognisers: {_quoted([rule.id for rule in category.rules])}\n"
        else:
            yield f"Recognisers: {_counted(category.rules)}.\n"


def recognisers() -> Iterator[str]:
    """A table of every recogniser that a shipped category uses, by theme."""
    rules = {rule.id: rule for name in category_names() for rule in read_category(name).rules}
    yield "\n## Recognisers\n\n`masking rules show secret.github` shows one with its examples.\n"
    for theme, group in groupby(sorted(rules.values(), key=lambda rule: rule.id), key=_theme):
        yield f"\n### `{theme}`\n\n| recogniser | entity | finds |\n| --- | --- | --- |\n"
        for rule in group:
            yield f"| `{rule.id}` | `{rule.entity}` | {rule.about['en'].replace('|', chr(92) + '|')} |\n"


_MOST_LISTED = 60


def _theme(rule: Rule) -> str:
    return rule.id.partition(".")[0]


def _quoted(names: object) -> str:
    assert isinstance(names, (list, tuple))
    return " ".join(f"`{name}`" for name in names)


def _counted(rules: tuple[Rule, ...]) -> str:
    themes = sorted(_theme(rule) for rule in rules)
    return ", ".join(f"{len(list(group))} of [`{theme}`](#{theme})" for theme, group in groupby(themes))


def sections() -> Iterator[str]:
    """The categories, then the recognisers."""
    yield from categories()
    yield from recognisers()


PAGE = ReferencePage("categories.md", "category_reference.py", sections)
page = PAGE.text

if __name__ == "__main__":
    sys.exit(PAGE.main(sys.argv[1:]))
