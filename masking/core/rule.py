"""A category and its rules, as values: what a rule file says, checked and compiled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from masking.core.check import NEEDS
from masking.core.context import Context
from masking.core.pattern import Accept, Pattern
from masking.core.terms import Terms

__all__ = [
    "Category",
    "Example",
    "ModelSource",
    "OperatorSpec",
    "PatternSource",
    "PresidioSource",
    "Rule",
    "ShippedFile",
    "SpacySource",
    "TermSource",
]


class ShippedFile(str):
    """The name of a file that ships: its patterns are known to compile, because the tests load them all."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class PatternSource:
    """Finds by patterns; every check must hold for a match to count, and `proves` says that holding confirms it."""

    patterns: tuple[Pattern, ...]
    checks: tuple[Accept, ...] = ()
    proves: bool = False
    names: tuple[str, ...] = ()
    """What the checks are called in the rule, in the same order."""

    def accepts(self, value: str) -> bool:
        """Whether every check confirms the value."""
        return all(check(value) for check in self.checks)

    @property
    def accept(self) -> Accept | None:
        """The checks as one; None where there is none."""
        return self.accepts if len(self.checks) > 1 else self.checks[0] if self.checks else None

    @property
    def needs(self) -> str:
        """A pattern that stands in every value which the checks confirm; empty where nothing is known of them."""
        return next((NEEDS[name] for name in self.names if name in NEEDS), "")


@dataclass(frozen=True, slots=True)
class TermSource:
    """Finds the terms of a list."""

    terms: Terms


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Finds by a named-entity model that `masking models install` brings."""

    model: str
    labels: frozenset[str]


@dataclass(frozen=True, slots=True)
class PresidioSource:
    """Finds by one of Presidio's recognisers; Presidio is imported when the gate first matches."""

    recogniser: str
    language: str
    gate: Pattern | None = None


@dataclass(frozen=True, slots=True)
class SpacySource:
    """Finds by the named entities of a spaCy pipeline (a package's name or a folder)."""

    pipeline: str
    labels: frozenset[str]


@dataclass(frozen=True, slots=True)
class OperatorSpec:
    """How a finding is replaced: an operator's name and its parameters, among which may be keys: no repr shows them."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Example:
    """A text beside a rule; `finds` lists the findings' texts in order, or is None when any finding will do."""

    text: str
    finds: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of value: how to find it, how to replace it on the way out, what to do with it in an answer.

    `score` is that of the rule's findings; for Presidio's recognisers, which score by themselves, it is the least.
    `context` names words that must stand near a value, or that change its score; `allow` holds the values, as
    `masking.core.terms.normal` writes them, that are never findings.
    """

    id: str
    entity: str
    source: PatternSource | TermSource | ModelSource | PresidioSource | SpacySource
    score: float
    request: OperatorSpec
    answer: Literal["redact", "keep"]
    about: Mapping[str, str]
    origin: str
    hits: tuple[Example, ...]
    misses: tuple[str, ...]
    known_gaps: tuple[str, ...]
    file: str
    line: int
    context: Context | None = None
    allow: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Category:
    """A named set of rules; what DMS calls DesensitizationRule."""

    name: str
    version: str
    about: Mapping[str, str]
    rules: tuple[Rule, ...]
    file: str
    delegate: Literal["local", "dms", "local+dms"] = "local"
    """Who masks what goes to DMS ChatWithDesensitize: this package, the service, or both, here first."""

    @property
    def entities(self) -> tuple[str, ...]:
        """The entities that this category can find, each once, in the order of the rules."""
        return tuple(dict.fromkeys(rule.entity for rule in self.rules))
