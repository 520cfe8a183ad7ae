"""Why a text is masked where it is: which rule fired, which lost to a better one, and which nearly fired.

Slow on purpose: every pattern runs twice, once without its boundaries and checks. `Scanner.scan` decides; this only
tells how.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from masking.core.escapes import view_of
from masking.core.finding import Finding
from masking.core.pattern import BOUNDARIES, Pattern
from masking.core.rule import ModelSource, PatternSource, PresidioSource, Rule, SpacySource, TermSource
from masking.core.scan import Scanner
from masking.core.terms import normal
from masking.core.view import View

__all__ = ["Reason", "explain"]

Outcome = Literal["found", "partly", "lost", "refused"]

_SIDES = {
    "digit": "a digit",
    "letter": "a letter",
    "alnum": "a letter or digit",
    "word": "a letter, a digit or _",
    "number": "a digit, or a sign with a digit behind it",
    "decimal": "a letter, a digit, or a point with a digit behind it",
    "any_letter": "a letter or digit of some script",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """What one rule had to say about one place, `start` to `end` in characters of the text; holds no text.

    `found`: it is a finding. `partly`: better findings lie inside it, and what they leave stays one. `lost`: a better
    finding overlaps it. `refused`: its pattern, terms or model matched, but a boundary, a check, a context word or an
    allow list spoke against it. `why` says what by, and what decided.
    """

    start: int
    end: int
    rule: str
    entity: str
    score: float
    outcome: Outcome
    why: str


def explain(scanner: Scanner, text: str) -> list[Reason]:
    """What each rule of a category says about `text`, by place; at one place what is found comes first.

    Raises what the scanner's detectors raise.
    """
    view = view_of(text)
    found = scanner.scan(text)
    reasons: list[Reason] = []
    matched: list[tuple[Finding, int, str]] = []
    for order, rule in enumerate(scanner.category.rules):
        for start, end, score, by, against in _matches(scanner, view, rule):
            first, last = view.original(start, end)
            if against:
                reasons.append(Reason(first, last, rule.id, rule.entity, score, "refused", f"{by}; {against}"))
            else:
                checked = isinstance(rule.source, PatternSource) and rule.source.proves
                matched.append((Finding(first, last, rule.entity, score, rule.id, checked), order, by))
    orders = {finding: order for finding, order, _ in reversed(matched)}
    for finding, order, by in matched:
        reasons.append(_outcome(finding, order, by, found, orders))
    explained = {(finding.start, finding.end, finding.rule) for finding, _, _ in matched}
    for finding in found:
        if (finding.start, finding.end, finding.rule) not in explained and not _is_piece(finding, matched):
            why = "a value that is found elsewhere in the text"
            reasons.append(_reason(finding, "found", why))
    rank = {"found": 0, "partly": 1, "lost": 2, "refused": 3}
    return sorted(set(reasons), key=lambda one: (one.start, rank[one.outcome], -one.end, one.rule))


def _reason(finding: Finding, outcome: Outcome, why: str) -> Reason:
    return Reason(finding.start, finding.end, finding.rule, finding.entity, finding.score, outcome, why)


def _is_piece(finding: Finding, matched: Sequence[tuple[Finding, int, str]]) -> bool:
    return any(
        one.rule == finding.rule and one.start <= finding.start and finding.end <= one.end for one, _, _ in matched
    )


def _outcome(finding: Finding, order: int, by: str, found: Sequence[Finding], orders: dict[Finding, int]) -> Reason:
    met = [one for one in found if one.start < finding.end and finding.start < one.end]
    own = [one for one in met if one.rule == finding.rule]
    if any((one.start, one.end) == (finding.start, finding.end) for one in own):
        return _reason(finding, "found", by)
    others = [one for one in met if one.rule != finding.rule] or met
    better = ", ".join(
        f"{one.rule} at {one.start}-{one.end} ({_decided(one, finding, orders, order)})" for one in others
    )
    if own and others is not met:
        pieces = ", ".join(f"{one.start}-{one.end}" for one in own)
        return _reason(finding, "partly", f"{by}; inside it is {better}; of the rest {pieces} stays")
    return _reason(finding, "lost", f"{by}; {better or 'another value'} is better")


def _decided(better: Finding, worse: Finding, orders: dict[Finding, int], order: int) -> str:
    if better.checked != worse.checked:
        return "checked"
    if better.score != worse.score:
        return f"score {better.score:g} against {worse.score:g}"
    if better.end - better.start != worse.end - worse.start:
        return "longer"
    return "earlier in the category" if orders.get(better, order) != order else "earlier in the text"


_Match = tuple[int, int, float, str, str]
"""Start and end in the view, score, what it was found by, what speaks against it."""


def _matches(scanner: Scanner, view: View, rule: Rule) -> Iterator[_Match]:
    source = rule.source
    if isinstance(source, PatternSource):
        for pattern in source.patterns:
            yield from _by_pattern(view, rule, source, pattern)
    elif isinstance(source, TermSource):
        for start, end in source.terms.spans(view):
            yield _judged(view, rule, start, end, rule.score, "a term of the list")
    else:
        yield from _by_detector(scanner, view, rule, source)


def _by_detector(
    scanner: Scanner, view: View, rule: Rule, source: ModelSource | PresidioSource | SpacySource
) -> Iterator[_Match]:
    if isinstance(source, PresidioSource):
        if source.gate is not None and next(source.gate.spans(view), None) is None:
            return
        for entity in scanner.detect(source, view):
            by = f"Presidio's {source.recogniser}"
            if entity.score < rule.score:
                yield entity.start, entity.end, entity.score, by, f"its score is below {rule.score:g}"
            else:
                yield _judged(view, rule, entity.start, entity.end, entity.score, by)
        return
    name = f"model {source.model}" if isinstance(source, ModelSource) else f"spaCy {source.pipeline}"
    for entity in scanner.detect(source, view):
        if entity.label in source.labels:
            yield _judged(view, rule, entity.start, entity.end, rule.score, f"{name}, {entity.label}")


def _by_pattern(view: View, rule: Rule, source: PatternSource, pattern: Pattern) -> Iterator[_Match]:
    by = f"pattern, check {' and '.join(source.names)}" if source.checks else "pattern"
    accepted = list(pattern.matches(view, source.accept))
    for _, _, start, end in accepted:
        yield _judged(view, rule, start, end, rule.score, by)
    # Without boundaries and checks: what is here and not there was refused by one of them.
    for whole in _bare(pattern.source).matches(view):
        if any(one[0] < whole[1] and whole[0] < one[1] for one in accepted):
            continue
        _, _, start, end = whole
        beside = _beside(view.text, pattern, whole[0], whole[1])
        if beside:
            yield start, end, rule.score, "pattern", beside
            continue
        value = view.text[start:end]
        refused = [name for name, check in zip(source.names, source.checks, strict=True) if not check(value)]
        if refused:
            yield start, end, rule.score, "pattern", f"check {' and '.join(refused)} does not hold"


@lru_cache(maxsize=2048)
def _bare(source: str) -> Pattern:
    """A pattern without boundaries; making one costs more than matching it."""
    return Pattern(source)


def _beside(text: str, pattern: Pattern, start: int, end: int) -> str:
    before = not re.compile(BOUNDARIES[pattern.before][0]).match(text, start)
    after = not re.compile(BOUNDARIES[pattern.after][1]).match(text, end)
    if before and after and pattern.before == pattern.after:
        return f"{_SIDES[pattern.before]} stands before and behind it"
    said = [f"{_SIDES[pattern.before]} stands before it"] if before else []
    return " and ".join([*said, f"{_SIDES[pattern.after]} stands behind it"] if after else said)


def _judged(view: View, rule: Rule, start: int, end: int, score: float, by: str) -> _Match:
    if rule.allow and normal(view.text[start:end]) in rule.allow:
        return start, end, score, by, "an allow list holds it"
    context = rule.context
    if context is None:
        return start, end, score, by, ""
    near = context.near(view, start, end)
    if near is not None:
        word = view.text[near[0] : near[1]]
        by = f"{by}, context word {word}"
        return start, end, score if context.score is None else context.score, by, ""
    if not context.required:
        return start, end, score, by, ""
    side = {"before": "before it", "after": "behind it", "both": "beside it"}[context.side]
    return start, end, score, by, f"no context word stands within {context.within} characters {side}"
