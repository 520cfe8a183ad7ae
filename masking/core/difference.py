"""How two lists of findings in one text differ: what a change of rules comes to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from masking.core.finding import Finding

__all__ = ["Change", "Difference", "differences"]

Change = Literal["appears", "vanishes", "entity", "operator", "extent"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One place that two categories do not read alike; holds no text, so that it can be logged.

    `start` and `end` in characters. `appears`: only the second finds it; `vanishes`: only the first; `entity`,
    `operator`: both find it, as another kind or replaced otherwise; `extent`: both find it, not from where to where.
    `entity`, `rule` are the first's and `other_entity`, `other_rule` the second's, empty where it finds nothing.
    """

    change: Change
    start: int
    end: int
    entity: str = ""
    rule: str = ""
    other_entity: str = ""
    other_rule: str = ""


def differences(
    first: Sequence[Finding],
    second: Sequence[Finding],
    operators: tuple[Callable[[str], object], Callable[[str], object]] | None = None,
) -> list[Difference]:
    """How `second` differs from `first`, both in text order and neither overlapping itself, by place.

    `operators` give what the first and the second do with a rule's findings, by the rule's id.
    """
    return sorted(_differences(first, second, operators), key=lambda one: (one.start, one.end, one.change))


def _differences(
    first: Sequence[Finding],
    second: Sequence[Finding],
    operators: tuple[Callable[[str], object], Callable[[str], object]] | None,
) -> Iterator[Difference]:
    left = {(one.start, one.end): one for one in first}
    rest: list[Finding] = []
    for other in second:
        one = left.pop((other.start, other.end), None)
        if one is None:
            rest.append(other)
        elif one.entity != other.entity:
            yield _between("entity", one, other)
        elif operators is not None and operators[0](one.rule) != operators[1](other.rule):
            yield _between("operator", one, other)
    vanished = list(left.values())
    at = 0
    for other in rest:
        while at < len(vanished) and vanished[at].end <= other.start:
            yield _gone(vanished[at])
            at += 1
        if at < len(vanished) and vanished[at].start < other.end:
            one = vanished[at]
            at += 1
            yield _between("extent" if one.entity == other.entity else "entity", one, other)
        else:
            yield Difference("appears", other.start, other.end, "", "", other.entity, other.rule)
    yield from map(_gone, vanished[at:])


def _between(change: Change, one: Finding, other: Finding) -> Difference:
    start, end = min(one.start, other.start), max(one.end, other.end)
    return Difference(change, start, end, one.entity, one.rule, other.entity, other.rule)


def _gone(one: Finding) -> Difference:
    return Difference("vanishes", one.start, one.end, one.entity, one.rule)
