"""Presidio's recognisers run together: one gate for all, then only what can match, with Presidio's findings.

"Presidio's findings" are those of the recogniser alone in an AnalyzerEngine with a NoOpNlpEngine, no threshold and no
context given: patterns in their order, scores set by Presidio's own validators, duplicates removed as the engine
removes them. The engine's context words need lemmas, which a NoOpNlpEngine does not make, so they raise no score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from masking.core.entity import Entity
from masking.core.errors import UnmaskableError
from masking.core.phone import Phones
from masking.presidio.gate import Gate
from masking.presidio.image import image
from masking.presidio.matched import TIMEOUT, Matched, among, which_of
from masking.presidio.validators import invalidator, validator
from masking.presidio.window import Span, Windows

__all__ = ["Bank", "Foreign", "Grouped", "Patterned", "Runner", "without_duplicates"]

_MANY: Final = 3  # patterns, from which on one pass that asks for all of them pays
_NOT_YET: Final = object()


class Runner:
    """A recogniser made ready."""

    parts: Sequence[Matched] = ()
    """The patterns of which one must match for anything to be found."""
    is_grouped: bool = False
    """Whether a match's groups count, not only its place."""
    is_judged: bool = True
    """Whether a match may be no finding."""
    phones: Phones | None = None
    """What finds telephone numbers, if it looks for those."""
    entity: str = ""

    def add(self, text: str, seen: bytes | None, open_: Sequence[int], found: list[Span]) -> None:
        """Adds what its own patterns of some numbers find; `seen` is the text's image, None for an odd text."""
        raise NotImplementedError

    def judge(self, number: int, text: str, spans: Sequence[tuple[int, int]], found: list[Span]) -> None:
        """Adds those of the places where a pattern of its own matches that are findings."""
        raise NotImplementedError


class Foreign(Runner):
    """A recogniser that has neither patterns nor telephone numbers of which the gate knows."""

    def find(self, text: str) -> Sequence[Entity]:
        """What it finds, without duplicates."""
        raise NotImplementedError


class Bank:
    """Several recognisers for the same texts; shared between threads."""

    __slots__ = ("_foreign", "_opened", "_runners", "_seen", "_windows")

    def __init__(self, runners: Sequence[Runner]) -> None:
        self._runners = list(runners)
        self._foreign = [(index, one) for index, one in enumerate(runners) if isinstance(one, Foreign)]
        self._windows = windows = Windows(self._runners)
        given = [
            [
                None if (index, number) in windows.taken else (part.source, part.flags)
                for number, part in enumerate(one.parts)
            ]
            for index, one in enumerate(runners)
        ]
        gate = Gate(given, windows.marks())
        self._seen, self._opened = gate.seen, gate.opened

    def find(self, text: str) -> list[tuple[int, Entity]]:
        """Everything found, each with the number of its recogniser."""
        data = text.encode("utf-8", "surrogatepass")
        opened = self._opened[tuple(self._seen(data))]
        if opened is None:
            spans = self._everything(text)
        else:
            patterns, marks = opened
            spans = self._windows.find(text, data, marks) if marks else {}
            if patterns:
                seen = data if len(data) == len(text) else image(text)
                for owner, numbers in patterns:
                    of_owner = spans.get(owner)
                    if of_owner is None:
                        of_owner = spans[owner] = []
                    self._runners[owner].add(text, seen, numbers, of_owner)
        found: list[tuple[int, Entity]] = []
        for owner, some in spans.items():
            entity = self._runners[owner].entity
            for start, end, score in some if len(some) < 2 else without_duplicates(some):
                found.append((owner, Entity(start, end, entity, score)))
        for index, foreign in self._foreign:
            found += [(index, one) for one in foreign.find(text)]
        return found

    def _everything(self, text: str) -> dict[int, list[Span]]:
        """The same for odd texts, and without RE2."""
        found: dict[int, list[Span]] = {}
        for index, runner in enumerate(self._runners):
            if not isinstance(runner, Foreign):
                found[index] = []
                runner.add(text, None, range(len(runner.parts)), found[index])
        return found


class Patterned(Runner):
    """A PatternRecognizer of Presidio's, or of a user's own, whose way of matching is Presidio's."""

    def __init__(self, recogniser: Any) -> None:
        flags = int(recogniser.global_regex_flags)
        self._name = recogniser.name
        self.entity = recogniser.supported_entities[0]
        self.parts = [Matched(one.regex, flags, one.score) for one in recogniser.patterns]
        self._which: Any = _NOT_YET
        self._validate = validator(recogniser)
        self._invalidate = invalidator(recogniser)
        self.is_judged = self._validate is not None or self._invalidate is not None

    def add(self, text: str, seen: bytes | None, open_: Sequence[int], found: list[Span]) -> None:
        if len(open_) >= _MANY and seen is not None:
            open_ = self._among(seen, open_)
        try:
            self._add(text, seen, open_, found)
        except Exception as error:  # noqa: BLE001 - a validator may raise anything, and its message may hold the value
            raise self._failed(error) from None

    def judge(self, number: int, text: str, spans: Sequence[tuple[int, int]], found: list[Span]) -> None:
        try:
            self._judge(self.parts[number].score, text, spans, found)
        except Exception as error:  # noqa: BLE001 - as above
            raise self._failed(error) from None

    def _failed(self, error: Exception) -> UnmaskableError:
        if isinstance(error, TimeoutError):
            return UnmaskableError(f"Presidio's {self._name} took more than {TIMEOUT} seconds on one text")
        return UnmaskableError(f"Presidio's {self._name} failed with {type(error).__name__}")

    def _add(self, text: str, seen: bytes | None, open_: Sequence[int], found: list[Span]) -> None:
        parts = self.parts
        for number in open_:
            part = parts[number]
            spans = part.spans(text, seen)
            if not spans:
                continue
            score = part.score
            if self.is_judged or score <= 0:
                self._judge(score, text, spans, found)
            else:
                for start, end in spans:
                    found.append((start, end, score))

    def _among(self, seen: bytes, open_: Sequence[int]) -> Sequence[int]:
        if self._which is _NOT_YET:
            self._which = which_of(self.parts)
        return open_ if self._which is None else among(self._which, seen, open_, len(self.parts))

    def _judge(self, score: float, text: str, spans: Sequence[tuple[int, int]], found: list[Span]) -> None:
        validate, invalidate = self._validate, self._invalidate
        for start, end in spans:
            given = score
            if validate is not None:
                valid = validate(text[start:end])
                if valid is not None:
                    if not valid:
                        continue
                    given = 1.0
            if invalidate is not None and invalidate(text[start:end]):
                continue
            if given > 0:
                found.append((start, end, given))


class Grouped(Patterned):
    """Presidio's IbanRecognizer, which validates the match up to its last group, then up to the one before."""

    is_grouped = True

    def _add(self, text: str, seen: bytes | None, open_: Sequence[int], found: list[Span]) -> None:
        for number in open_:
            part = self.parts[number]
            for match in part.matches(text, seen):
                self._end(part.score, text, match, found)

    def _end(self, score: float, text: str, match: Any, found: list[Span]) -> None:
        validate = self._validate
        assert validate is not None
        start = match.start()
        for group in range(len(match.groups()), 0, -1):
            end = match.end(group) if match.end(group) > 0 else match.end()
            if start >= end:
                continue
            valid = validate(text[start:end])
            given = score if valid is None else 1.0 if valid else 0.0
            if given > 0:
                found.append((start, end, given))
                return


def without_duplicates(spans: list[Span]) -> list[Span]:
    """Without those that another of at least their score contains; by score, start and length, as Presidio has them."""
    if len(spans) < 2:
        return spans
    several = set(spans)
    if len(several) == 1:
        return list(several)
    if len(several) == 2:
        one, other = several
        if other[0] < one[0] or (other[0] == one[0] and (other[1], other[2]) > (one[1], one[2])):
            one, other = other, one
        if other[1] <= one[1] and other[2] <= one[2] and other[0] <= one[1]:
            return [one]
        return [one, other] if one[2] >= other[2] else [other, one]
    ordered = sorted(several)
    reached = 0
    for start, end, _ in ordered:
        if start < reached:
            break
        reached = end
    else:
        return sorted(ordered, key=_from_best)  # each begins behind the one before
    kept: list[Span] = []
    active: list[Span] = []
    for one in sorted(several, key=_from_start):
        start, end, score = one
        if active:
            active = [other for other in active if other[1] >= start]
        if not any([end <= other[1] and score <= other[2] for other in active]):  # noqa: C419 - quicker, as they are few
            kept.append(one)
            active.append(one)
    if len(kept) > 1:
        kept.sort(key=_from_best)
    return kept


def _from_start(span: Span) -> tuple[int, int, float]:
    return span[0], -span[1], -span[2]


def _from_best(span: Span) -> tuple[float, int, int]:
    return -span[2], span[0], span[0] - span[1]
