"""Rule files held to their own examples, and to each other.

    example       an example does not hold: a hit that is not found, a miss that is, a known gap that is closed
    shadowed      in the category no hit of the rule is found by it: another rule always wins
    caught        a hit of the rule is found as another kind of value by another rule
    idle          a pattern of the rule that none of its hits needs
    everything    the rule finds something in ordinary prose
    catastrophic  a repeat within a repeat that takes exponential time without the linear engine
    translation   `about` lacks English or Chinese
    entity        a suite or an obligation names an entity that no rule finds
    stale         an exception that explains nothing any more

What a rule file must not be at all (no hits, no misses, a pattern that matches the empty text or is outside the shared
subset) does not load: RuleError.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from re import _constants as constants  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Literal, get_args

from masking.core.proof import prove
from masking.core.rule import Category, PatternSource, Rule
from masking.core.scan import Scanner
from masking.masker import Masker, detector
from masking.policy.exception import Exceptions

__all__ = ["KINDS", "Kind", "Lint", "lint_category", "lint_references", "settled"]

Kind = Literal[
    "example", "shadowed", "caught", "idle", "everything", "catastrophic", "translation", "entity", "stale"
]  # fmt: skip
KINDS: tuple[Kind, ...] = get_args(Kind)

_LANGUAGES = ("en", "zh")
_MANY = 64  # repeats from which one within another is counted as without end
_PROSE = (
    "The quick brown fox jumps over the lazy dog while the band plays an old song.",
    "Please summarise the meeting in three short paragraphs, and keep the tone friendly.",
    "Sort the list, remove what is double, and return the first ten items.",
    "今天天气很好，我们一起去公园散步，然后回来喝茶。",
    "请把下面这段话翻译成英文，并保持原来的语气。",
    "这个方案的优点是简单，缺点是需要更多时间。",
)


@dataclass(frozen=True, slots=True)
class Lint:
    """One thing that is wrong, or odd, with a rule; `why` is who explained it, if somebody did. Holds no value."""

    rule: str
    kind: Kind
    what: str
    file: str
    line: int
    other: str = ""
    why: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: rule {self.rule}: {self.kind}: {self.what}"


def lint_category(
    category: Category,
    names: Literal["on", "off"] = "on",
    *,
    proved: set[tuple[str, str, int]] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Lint]:
    """What is odd in a category. `proved` are rules (id, file, line) that were looked at already in another one: their
    own examples are not tried again, and those looked at here are added. Raises what Masker raises."""
    masker = Masker(category, names=names)
    if missing := [one for one in _LANGUAGES if not category.about.get(one)]:
        yield Lint(category.name, "translation", f"about lacks {' and '.join(missing)}", category.file, 1)
    seen = set() if proved is None else proved
    for rule in masker.category.rules:
        key = (rule.id, rule.file, rule.line)
        if key not in seen:
            seen.add(key)
            yield from _by_itself(rule)
        yield from _among_others(rule, masker)
        if progress is not None:
            progress(1)


def lint_references(names: Iterable[tuple[str, str, int, str]], known: Iterable[str]) -> Iterator[Lint]:
    """The entities that suites and obligations name (entity, file, line, by what) and that no rule finds."""
    there = set(known)
    for entity, file, line, by in names:
        if entity not in there:
            yield Lint(by, "entity", f"names the entity {entity}, which no rule finds", file, line)


def settled(lints: Iterable[Lint], exceptions: Exceptions) -> list[Lint]:
    """The lints, each once and with its explanation, and the exceptions that explain nothing any more."""
    found: dict[tuple[str, str, str, str], Lint] = {}
    used: set[tuple[str, str, str]] = set()
    for lint in lints:
        why = exceptions.why(lint.rule, lint.kind, lint.other)
        if why:
            used |= {(lint.rule, lint.kind, lint.other), (lint.rule, lint.kind, "")} & exceptions.reasons.keys()
        found.setdefault((lint.rule, lint.kind, lint.other, lint.what), replace(lint, why=why))
    rows = list(found.values())
    for key in exceptions.reasons:
        if key not in used and key[1] in KINDS:
            what = f"the exception for {key[1]} explains nothing any more; leave it out"
            rows.append(Lint(key[0], "stale", what, exceptions.file, exceptions.lines[key]))
    return rows


def _by_itself(rule: Rule) -> Iterator[Lint]:
    def lint(kind: Kind, what: str) -> Lint:
        return Lint(rule.id, kind, what, rule.file, rule.line)

    for failure in prove(rule, detector):
        yield lint("example", f"example {failure.number} of {failure.kind}: {failure.what}")
    if missing := [one for one in _LANGUAGES if not rule.about.get(one)]:
        yield lint("translation", f"about lacks {' and '.join(missing)}")
    alone = _scanner(rule)
    if found := [number for number, text in enumerate(_PROSE, 1) if alone.scan(text)]:
        yield lint("everything", f"finds something in {len(found)} of {len(_PROSE)} ordinary sentences")
    if not isinstance(rule.source, PatternSource):
        return
    for number, pattern in enumerate(rule.source.patterns, 1):
        if _is_catastrophic(pattern.source):
            yield lint("catastrophic", f"pattern {number} repeats a repeat without a sign between them; join the two")
        if len(rule.source.patterns) > 1:
            one = replace(rule, source=replace(rule.source, patterns=(pattern,)))
            if not any(_scanner(one).scan(hit.text) for hit in rule.hits):
                yield lint("idle", f"pattern {number} finds nothing in any hit; add a hit, or leave it out")


def _among_others(rule: Rule, masker: Masker) -> Iterator[Lint]:
    alone = _scanner(rule)
    own = 0
    caught: dict[str, int] = {}
    for number, hit in enumerate(rule.hits, 1):
        wanted = alone.scan(hit.text)
        found = masker.scan(hit.text)
        own += any(one.rule == rule.id for one in found)
        for one in found:
            met = any(one.start < other.end and other.start < one.end for other in wanted)
            if met and one.entity != rule.entity:
                caught.setdefault(one.rule, number)
    if rule.hits and not own:
        others = ", ".join(sorted(caught)) or "rules of the same entity"
        what = f"in {masker.category.name} none of its {len(rule.hits)} hits is found by it, but by {others}"
        yield Lint(rule.id, "shadowed", what, rule.file, rule.line, ", ".join(sorted(caught)))
        return
    for other, number in sorted(caught.items()):
        what = f"hit {number} is found in {masker.category.name} as another kind of value by {other}"
        yield Lint(rule.id, "caught", what, rule.file, rule.line, other)


def _scanner(rule: Rule) -> Scanner:
    return Scanner(Category(rule.id, "", {}, (rule,), rule.file), detector)


def _is_catastrophic(source: str) -> bool:
    return any(_nested(body) for body in _endless(parser.parse(source, re.ASCII)))


def _endless(tree: Any) -> Iterator[Any]:
    """The bodies of repeats that have no end of their own, however deep."""
    for code, argument in tree:
        if code in (constants.MAX_REPEAT, constants.MIN_REPEAT):
            if argument[1] >= _MANY:
                yield argument[2]
            yield from _endless(argument[2])
        else:
            for below in _below(code, argument):
                yield from _endless(below)


def _below(code: Any, argument: Any) -> Sequence[Any]:
    if code is constants.SUBPATTERN:
        return (argument[-1],)
    if code is constants.BRANCH:
        return tuple(argument[1])
    return ()


def _nested(body: Any) -> bool:
    """Whether a repeat's body is an endless repeat and nothing that must stand between two rounds of it."""
    items = list(body)
    for at, (code, argument) in enumerate(items):
        others = items[:at] + items[at + 1 :]
        if any(_least(one) for one in others):
            continue
        if code in (constants.MAX_REPEAT, constants.MIN_REPEAT) and argument[1] >= _MANY:
            return True
        if any(_nested(below) for below in _below(code, argument)):
            return True
    return False


def _least(item: Any) -> int:
    """The least number of characters that an item matches."""
    code, argument = item
    if code in (constants.MAX_REPEAT, constants.MIN_REPEAT):
        return int(argument[0]) * sum(map(_least, argument[2]))
    if code is constants.SUBPATTERN:
        return sum(map(_least, argument[-1]))
    if code is constants.BRANCH:
        return min((sum(map(_least, branch)) for branch in argument[1]), default=0)
    return 0 if code is constants.AT else 1
