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
from masking.presidio.gate import Gate
from masking.presidio.image import image
from masking.presidio.matched import TIMEOUT, Matched, among, which_of
from masking.presidio.validators import invalidator, validator

__all__ = ["Bank", "Grouped", "Patterned", "Runner", "without_duplicates"]

Span = tuple[int, int, float]
"""Start, end, score."""

_MANY: Final = 3  # patterns, from which on one pass that asks for all of them pays
_NOT_YET: Final = object()


class Runner:
    """A recogniser made ready: its `find` gives (entity, start, end, score) without duplicates."""

    patterns: Sequence[tuple[str, int]] = ()
    """What must match somewhere for anything to be found, for the gate; none means that it always runs."""

    def find(self, text: str, seen: bytes | None, open_: Sequence[int]) -> Sequence[Entity]:
        """`seen` is the text's image, None for an odd text; `open_` are the numbers of its own patterns to run."""
        raise NotImplementedError


class Bank:
    """Several recognisers for the same texts; shared between threads."""

    __slots__ = ("_always", "_gate", "_runners")

    def __init__(self, runners: Sequence[Runner]) -> None:
        self._runners = list(runners)
        self._always = [index for index, runner in enumerate(self._runners) if not runner.patterns]
        gated = len(self._always) < len(self._runners)
        self._gate = Gate([runner.patterns for runner in self._runners]) if gated else None

    def find(self, text: str) -> list[tuple[int, Entity]]:
        """Everything found, each with the number of its recogniser."""
        found: list[tuple[int, Entity]] = []
        runners = self._runners
        if self._gate is not None:
            opened, is_image = self._gate.open_for(text)
            if opened:
                seen = image(text) if is_image else None
                for owner, numbers in opened:
                    entities = runners[owner].find(text, seen, numbers)
                    if entities:
                        found += [(owner, one) for one in entities]
        for index in self._always:
            found += [(index, one) for one in runners[index].find(text, None, ())]
        return found


class Patterned(Runner):
    """A PatternRecognizer of Presidio's, or of a user's own, whose way of matching is Presidio's."""

    def __init__(self, recogniser: Any) -> None:
        flags = int(recogniser.global_regex_flags)
        self.patterns = tuple((one.regex, flags) for one in recogniser.patterns)
        self._name = recogniser.name
        self._entity = recogniser.supported_entities[0]
        self._parts = [Matched(one.regex, flags, one.score) for one in recogniser.patterns]
        self._which: Any = _NOT_YET
        self._validate = validator(recogniser)
        self._invalidate = invalidator(recogniser)

    def find(self, text: str, seen: bytes | None, open_: Sequence[int]) -> Sequence[Entity]:
        if len(open_) >= _MANY and seen is not None:
            open_ = self._among(seen, open_)
        try:
            found = self._found(text, seen, open_)
        except TimeoutError:
            raise UnmaskableError(f"Presidio's {self._name} took more than {TIMEOUT} seconds on one text") from None
        except Exception as error:  # noqa: BLE001 - a validator may raise anything, and its message may hold the value
            raise UnmaskableError(f"Presidio's {self._name} failed with {type(error).__name__}") from None
        if not found:
            return ()
        entity = self._entity
        return [Entity(start, end, entity, score) for start, end, score in without_duplicates(found)]

    def _found(self, text: str, seen: bytes | None, open_: Sequence[int]) -> list[Span]:
        found: list[Span] = []
        parts = self._parts
        for number in open_:
            part = parts[number]
            spans = part.spans(text, seen)
            if spans:
                self._judge(part.score, text, spans, found)
        return found

    def _among(self, seen: bytes, open_: Sequence[int]) -> Sequence[int]:
        if self._which is _NOT_YET:
            self._which = which_of(self._parts)
        return open_ if self._which is None else among(self._which, seen, open_, len(self._parts))

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

    def _found(self, text: str, seen: bytes | None, open_: Sequence[int]) -> list[Span]:
        validate = self._validate
        assert validate is not None
        found: list[Span] = []
        for number in open_:
            part = self._parts[number]
            for match in part.matches(text, seen):
                start = match.start()
                for group in range(len(match.groups()), 0, -1):
                    end = match.end(group) if match.end(group) > 0 else match.end()
                    if start >= end:
                        continue
                    valid = validate(text[start:end])
                    given = part.score if valid is None else 1.0 if valid else 0.0
                    if given > 0:
                        found.append((start, end, given))
                        break
        return found


def without_duplicates(spans: list[Span]) -> list[Span]:
    """Without those that another of at least their score contains; by score, start and length, as Presidio has them."""
    if len(spans) < 2:
        return spans
    kept: list[Span] = []
    active: list[Span] = []
    for one in sorted(set(spans), key=lambda span: (span[0], -span[1], -span[2])):
        start, end, score = one
        active = [other for other in active if other[1] >= start]
        if not any(end <= other[1] and score <= other[2] for other in active):
            kept.append(one)
            active.append(one)
    kept.sort(key=lambda span: (-span[2], span[0], span[0] - span[1]))
    return kept
