"""What a run of suites came to, as values that every output and page reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from masking.policy.suite import Case, Labelled, Suite

__all__ = [
    "CaseResult",
    "LabelledResult",
    "Lane",
    "PolicyVersion",
    "Report",
    "Status",
    "SuiteResult",
    "Tally",
    "Violation",
]

Lane = Literal["text", "stream", "answer", "json", "events", "tool", "labelled"]
Status = Literal["passed", "failed", "gap", "closed"]
"""`gap`: a known gap that is still one. `closed`: a known gap that is none any more."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that a case promises and that does not hold.

    `what` says it without a value. `start` and `end` are the place in characters of `text`, the message as it was in
    this variant; both 0 where the whole text is meant. No repr shows the text.
    """

    lane: Lane
    what: str
    variant: str = ""
    message: int = 0
    start: int = 0
    end: int = 0
    line: int = 0
    text: str = field(default="", repr=False)

    def __str__(self) -> str:
        where = f"{self.lane}, {self.variant}" if self.variant else self.lane
        place = f" at {self.start}-{self.end}" if self.end else ""
        return f"{where}{place}: {self.what}"


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What one case came to. `checks` counts what was compared, `entities` and `rules` what was found."""

    case: Case
    status: Status
    violations: tuple[Violation, ...] = ()
    checks: int = 0
    seconds: float = 0.0
    rules: frozenset[str] = frozenset()
    entities: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """`suite/id`."""
        return f"{self.case.suite}/{self.case.id}"


@dataclass(frozen=True, slots=True)
class Tally:
    """Labelled spans and findings of one entity: `covered` of `gold` spans, `met` of `found` findings."""

    gold: int = 0
    covered: int = 0
    found: int = 0
    met: int = 0

    @property
    def recall(self) -> float:
        """The share of labelled spans that are covered; 1 where there are none."""
        return self.covered / self.gold if self.gold else 1.0

    @property
    def precision(self) -> float:
        """The share of findings that a labelled span explains; 1 where there are none."""
        return self.met / self.found if self.found else 1.0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.gold + other.gold, self.covered + other.covered, self.found + other.found, self.met + other.met
        )


@dataclass(frozen=True, slots=True)
class LabelledResult:
    """What a labelled file came to."""

    labelled: Labelled
    status: Status
    all: Tally
    entities: Mapping[str, Tally]
    violations: tuple[Violation, ...] = ()
    texts: int = 0
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """`suite/file`."""
        return f"{self.labelled.suite}/{self.labelled.file.replace(chr(92), '/').rpartition('/')[2]}"


@dataclass(frozen=True, slots=True)
class SuiteResult:
    """What one suite came to."""

    suite: Suite
    cases: tuple[CaseResult, ...]
    labelled: tuple[LabelledResult, ...] = ()

    def __iter__(self) -> Iterator[CaseResult | LabelledResult]:
        yield from self.cases
        yield from self.labelled


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """A category as it was tested: name, version, file, and a SHA-256 over all that its rules say."""

    name: str
    version: str
    file: str
    digest: str
    rules: int
    names: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a run came to."""

    suites: tuple[SuiteResult, ...]
    policies: tuple[PolicyVersion, ...] = ()
    seconds: float = 0.0
    workers: int = 1

    @property
    def counts(self) -> Mapping[Status, int]:
        """How many cases and labelled files passed, failed, are gaps, are closed gaps."""
        found = Counter(one.status for suite in self.suites for one in suite)
        return {"passed": found["passed"], "failed": found["failed"], "gap": found["gap"], "closed": found["closed"]}

    @property
    def exit_code(self) -> int:
        """0 where nothing failed, else 1."""
        return 1 if self.counts["failed"] else 0

    @property
    def summary(self) -> str:
        """The count, in one line."""
        counts = self.counts
        total = sum(counts.values())
        said = [f"{total} {'case' if total == 1 else 'cases'}: {counts['passed']} passed, {counts['failed']} failed"]
        if counts["gap"]:
            said.append(f"{counts['gap']} known {'gap' if counts['gap'] == 1 else 'gaps'}")
        if counts["closed"]:
            said.append(f"{counts['closed']} closed {'gap' if counts['closed'] == 1 else 'gaps'}")
        return ", ".join(said)
