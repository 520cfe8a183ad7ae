"""Whether the suites would notice: each rule is broken in one way after the other, and some case has to fail.

    disabled   the rule is left out
    before     anything may stand before a match
    after      anything may stand behind a match
    check      whatever the pattern matches counts
    context    no word need stand near
    allow      what was allowed is found

A mutant that no case notices survives. Only what leaves as text is compared, and only in cases that the mutant can
change: those where the rule alone finds something else than before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from masking.core.pattern import Pattern, PatternSyntaxError
from masking.core.rule import Category, PatternSource, Rule, TermSource
from masking.core.scan import Scanner
from masking.core.terms import Terms
from masking.masker import Masker, detector
from masking.policy.run import Policy, run_case
from masking.policy.suite import Case, Suite

__all__ = ["Mutant", "Mutation", "mutants", "try_mutants"]

Mutation = Literal["disabled", "before", "after", "check", "context", "allow"]
MUTATIONS: tuple[Mutation, ...] = get_args(Mutation)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One rule broken in one way, and the case that noticed: `suite/id`, empty where none did.

    `touched` is how many cases it could have changed.
    """

    rule: str
    mutation: Mutation
    file: str
    killed_by: str = ""
    touched: int = 0


def mutants(rule: Rule) -> Iterator[tuple[Mutation, Rule | None]]:
    """The ways to break a rule that are open to it; None is the rule left out."""
    yield "disabled", None
    source = rule.source
    if isinstance(source, PatternSource):
        if any(one.before != "none" for one in source.patterns):
            yield "before", _beside(rule, source, before=False)
        if any(one.after != "none" for one in source.patterns):
            yield "after", _beside(rule, source, after=False)
        if source.checks:
            yield "check", replace(rule, source=replace(source, checks=(), names=()))
    elif isinstance(source, TermSource):
        terms = source.terms
        if terms.before != "none":
            loose = Terms(terms.words, "none", terms.after, ignore_case=terms.ignore_case)
            yield "before", replace(rule, source=TermSource(loose))
        if terms.after != "none":
            loose = Terms(terms.words, terms.before, "none", ignore_case=terms.ignore_case)
            yield "after", replace(rule, source=TermSource(loose))
    if rule.context is not None:
        yield "context", replace(rule, context=None)
    if rule.allow:
        yield "allow", replace(rule, allow=frozenset())


def _beside(rule: Rule, source: PatternSource, *, before: bool = True, after: bool = True) -> Rule:
    patterns: list[Pattern] = []
    for one in source.patterns:
        try:
            patterns.append(Pattern(one.source, one.before if before else "none", one.after if after else "none"))
        except PatternSyntaxError:  # matches the empty text without its boundary
            patterns.append(one)
    return replace(rule, source=replace(source, patterns=tuple(patterns)))


class _Bench:
    """The cases of one category, and what they come to while nothing is broken."""

    def __init__(self, policy: Policy, cases: Sequence[Case]) -> None:
        self.category: Category = policy.masker.category
        self.cases: list[tuple[Case, frozenset[str]]] = []
        for case in cases:
            result = run_case(case, policy, "none")
            if result.status == "passed":
                self.cases.append((case, result.rules))

    def touched(self, rule: Rule, new: Rule | None) -> list[Case]:
        """The cases that a mutant can change."""
        if new is None:
            return [case for case, rules in self.cases if rule.id in rules]
        old, other = _alone(rule), _alone(new)
        return [case for case, _ in self.cases if any(old.scan(text) != other.scan(text) for text in case.texts)]

    def kills(self, rule: Rule, new: Rule | None, cases: Sequence[Case]) -> str:
        """The first case that notices."""
        rules = (new if one.id == rule.id else one for one in self.category.rules)
        broken = replace(self.category, rules=tuple(one for one in rules if one is not None))
        policy = Policy(Masker(broken))
        for case in cases:
            if run_case(case, policy, "none").status == "failed":
                return f"{case.suite}/{case.id}"
        return ""


def _alone(rule: Rule) -> Scanner:
    return Scanner(Category(rule.id, "", {}, (rule,), rule.file), detector)


def try_mutants(
    suites: Sequence[Suite], rules: Sequence[str] = (), *, progress: Callable[[int], None] | None = None
) -> Iterator[Mutant]:
    """Break every rule that the suites' categories have, or those named; a rule of several categories is tried in each
    until a case notices."""
    by_key: dict[tuple[tuple[str, ...], Literal["on", "off"]], list[Case]] = {}
    for suite in suites:
        for case in suite.cases:
            if not case.known_gap:
                by_key.setdefault((case.categories, case.names), []).append(case)
    benches = [_Bench(Policy.of(*key), cases) for key, cases in by_key.items()]
    known = {rule.id: rule for bench in benches for rule in bench.category.rules}
    for rule_id in rules or known:
        where = [bench for bench in benches if any(one.id == rule_id for one in bench.category.rules)]
        for mutation in MUTATIONS:
            mutant = _tried(rule_id, mutation, where)
            if mutant is not None:
                yield mutant
        if progress is not None:
            progress(1)


def _tried(rule_id: str, mutation: Mutation, benches: Sequence[_Bench]) -> Mutant | None:
    touched = 0
    mutant: Mutant | None = None
    for bench in benches:
        rule = next(one for one in bench.category.rules if one.id == rule_id)
        ways = dict(mutants(rule))
        if mutation not in ways:
            continue
        mutant = mutant or Mutant(rule_id, mutation, rule.file)
        cases = bench.touched(rule, ways[mutation])
        touched += len(cases)
        killed = bench.kills(rule, ways[mutation], cases) if cases else ""
        if killed:
            return replace(mutant, killed_by=killed, touched=touched)
    return None if mutant is None else replace(mutant, touched=touched)
