"""Write the table of longest matches into docs/reference/answers.md; with --check only compare."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace

from reference_page import ReferencePage

from masking.core.character import width
from masking.core.plan import Plan
from masking.core.redact import Redactor
from masking.core.rule import Category, Rule
from masking.files import category_names, read_category

_UNLIMITED = 1 << 31


def table() -> Iterator[str]:
    """A row for every rule of a shipped category that looks at answers, and then the rules that do not."""
    deaf: list[str] = []
    yield "\n| rule | longest match | waits |\n| --- | ---: | --- |\n"
    for rule, plan in _plans():
        if not plan.looks:
            deaf.append(rule.id)
            continue
        longest = max(width(look.pattern.source) for look in plan.looks)
        shown = "no limit" if longest >= _UNLIMITED else str(longest)
        yield f"| `{rule.id}` | {shown} | {'yes' if _waits(plan, rule) else 'never'} |\n"
    yield f"\nDo not look at answers: {' '.join(f'`{rule}`' for rule in deaf)}\n"


def _plans() -> Iterator[tuple[Rule, Plan]]:
    shipped: dict[str, tuple[Rule, Category]] = {}
    for name in category_names():
        category = read_category(name)
        for rule in category.rules:
            shipped.setdefault(rule.id, (rule, category))
    for _, (rule, category) in sorted(shipped.items()):
        yield rule, Plan(replace(category, rules=(rule,)))


def _waits(plan: Plan, rule: Rule) -> bool:
    """Whether the beginning of one of the rule's own examples is kept waiting."""
    for example in rule.hits:
        redactor = Redactor(plan, ())
        for character in example.text:
            redactor.take(character)
            if redactor.held:
                return True
    return False


PAGE = ReferencePage("answers.md", "holdback_reference.py", table)
page = PAGE.text

if __name__ == "__main__":
    sys.exit(PAGE.main(sys.argv[1:]))
