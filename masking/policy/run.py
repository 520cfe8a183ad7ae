"""Runs cases: what one promises is compared in every lane, and in every variant that it names.

text      what leaves: the masked text
stream    the masked text comes back as an answer, whole, one character at a time, and in two at every place:
          always the same, and the original where nothing irreversible was done
answer    the text as a model would write it, in a conversation that knows none of its values: what must be masked
          is redacted where its rule says `answer: redact` and looks at answers; what must be kept is kept; the same
          for every cut
json      through the wire of chat completions: contents of the request, and a reply in one document
events    the same reply as events of a stream
tool      as the arguments of a tool call, and of a streamed one in the reply
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from masking.core.character import identifies
from masking.core.errors import SuiteError, UnmaskableError
from masking.core.finding import Finding
from masking.core.plan import Plan
from masking.core.session import LITERAL, Masked, Session
from masking.core.terms import normal
from masking.masker import Masker
from masking.policy import exchange
from masking.policy.result import CaseResult, Lane, Status, Violation
from masking.policy.suite import Case, Claim, Message, Suite, Variant, free_places, left_over, nearest, occurrences
from masking.policy.variant import rewrite

__all__ = ["Cuts", "Policy", "check_entities", "run_case", "run_suite"]

Cuts = Literal["all", "near", "none"]
"""Where a stream is cut in two: at every place, or only in and beside what is replaced. `none`: nothing is streamed,
what leaves as text is all that is compared."""

_NEAR = 2  # characters
_REVERSIBLE = ("placeholder", "surrogate")
_PLACEHOLDER = re.compile(r"<[A-Z][A-Z_]*_[0-9]+>")


class Policy:
    """A masker with what a run wants to know about it; shared by the cases of its categories."""

    def __init__(self, masker: Masker) -> None:
        self.masker = masker

    @classmethod
    def of(cls, categories: Sequence[str], names: Literal["on", "off"]) -> Policy:
        """The policy that a suite names. Raises what Masker raises."""
        return cls(Masker(list(categories), names=names))

    @cached_property
    def plan(self) -> Plan:
        """The rules that look at answers."""
        return Plan(self.masker.category)

    @cached_property
    def redacting(self) -> frozenset[str]:
        """The ids of rules that redact whatever they find on the way out, wherever it stands in an answer.

        Not those whose word may stand behind the value: an answer's next words are not written yet.
        """
        return frozenset(
            look.rule.id
            for look in self.plan.looks
            if look.rule.context is None or not look.rule.context.required or look.rule.context.side == "before"
        )

    @cached_property
    def irreversible(self) -> frozenset[str]:
        """The ids of rules whose operator cannot be undone."""
        return frozenset(rule.id for rule in self.masker.category.rules if rule.request.name not in _REVERSIBLE)


@dataclass(slots=True)
class _Places:
    """One message of a case in one variant: its text, and what is claimed where."""

    text: str
    mask: list[tuple[int, int, Claim]]
    keep: list[tuple[int, int, Claim]]


@dataclass(slots=True)
class _Run:
    """One case in one variant."""

    case: Case
    policy: Policy
    variant: Variant | None
    messages: list[_Places]
    cuts: Cuts
    violations: list[Violation] = field(default_factory=list)
    checks: int = 0
    by_message: list[tuple[Finding, ...]] = field(default_factory=list)

    @property
    def found(self) -> list[Finding]:
        """What was found in all messages."""
        return [finding for findings in self.by_message for finding in findings]

    def check(
        self, lane: Lane, holds: bool, what: str, index: int = 0, place: tuple[int, int] = (0, 0), line: int = 0
    ) -> None:
        """Count one comparison, and note it where it does not hold."""
        self.checks += 1
        if not holds:
            text = self.messages[index].text
            self.violations.append(
                Violation(lane, what, self.variant or "", index, *place, line or self.case.line, text)
            )

    def all(self) -> None:
        """Every lane."""
        with self.policy.masker.session() as session:
            try:
                masked = [session.masked(one.text) for one in self.messages]
            except UnmaskableError as error:
                self.check("text", False, f"the text is refused: {error.what}")
                return
            for index, one in enumerate(masked):
                self.by_message.append(one.findings)
                self._text(index, one)
            if self.cuts == "none":
                return
            self._streams(session, masked)
        self._answers()
        self._wire(masked)

    def _text(self, index: int, masked: Masked) -> None:
        message = self.messages[index]
        if self.case.must_mask is not None and not self.case.must_mask:
            for finding in (one for one in masked.findings if one.entity != LITERAL):
                what = f"{finding.entity} is found by {_rule(finding)} where nothing should be"
                self.check("text", False, what, index, (finding.start, finding.end))
            self.checks += 1
        for start, end, claim in message.mask:
            self._masked(index, masked, (start, end), claim)
        for start, end, claim in message.keep:
            met = [one for one in masked.findings if one.start < end and start < one.end]
            said = ", ".join(f"{one.entity} by {_rule(one)}" for one in met)
            self.check("text", not met, f"must be kept, and is found: {said}", index, (start, end), claim.line)
        if self.case.masked is not None and self.variant is None:
            wanted = self.case.masked[index]
            self.check("text", masked.text == wanted, _other("the masked text", masked.text, wanted), index)

    def _masked(self, index: int, masked: Masked, place: tuple[int, int], claim: Claim) -> None:
        start, end = place
        text = self.messages[index].text
        met = [one for one in masked.findings if one.start < end and start < one.end]
        bare = [
            at for at in range(start, end) if text[at].isalnum() and not any(one.start <= at < one.end for one in met)
        ]
        if bare and not met:
            self.check("text", False, "must be masked, and nothing is found", index, place, claim.line)
        elif bare:
            said = f"must be masked, and only {end - start - len(bare)} of its {end - start} characters are found"
            self.check("text", False, said, index, (bare[0], bare[-1] + 1), claim.line)
        else:
            self.checks += 1
        others = sorted({one.entity for one in met} - set(claim.entities)) if claim.entities and not bare else []
        said = f"must be {' or '.join(claim.entities)}, and is {', '.join(others)}"
        self.check("text", not others, said, index, place, claim.line)
        if met and not bare:
            value = text[start:end]
            kept = [
                at for at in occurrences(value, text) if not _met(at, [(one.start, one.end) for one in masked.findings])
            ]
            left = left_over(value, text, _without_placeholders(masked.text))
            said = "is found, and its operator leaves it as it is"
            self.check("text", left <= len(kept), said, index, place, claim.line)

    def _streams(self, session: Session, masked: Sequence[Masked]) -> None:
        """The masked text comes back, however it is cut."""
        exact = self._round_trip()
        for index, one in enumerate(masked):
            whole = session.restore(one.text)
            if exact:
                place = _first_difference(self.messages[index].text, whole)
                self.check("stream", not place, _NOT_BACK, index, place or (0, 0))
            near = _placeholder_places(one.text)
            self._cuts("stream", session, index, one.text, whole, near)

    def _round_trip(self) -> bool:
        if self.case.round_trip is not None:
            return self.case.round_trip
        return not any(one.rule in self.policy.irreversible for one in self.found)

    def _cuts(
        self, lane: Lane, session: Session, index: int, text: str, whole: str, near: Sequence[tuple[int, int]]
    ) -> None:
        stream = session.stream_object()
        said = "".join(map(stream.feed, text)) + stream.flush()
        self.check(lane, said == whole, "one character at a time, the answer is not what it is as a whole", index)
        for at in range(1, len(text)):
            if self.cuts == "near" and not any(start - _NEAR <= at <= end + _NEAR for start, end in near):
                continue
            stream = session.stream_object()
            said = stream.feed(text[:at]) + stream.feed(text[at:]) + stream.flush()
            self.checks += 1
            if said != whole:
                said = f"cut behind {at} of {len(text)} characters, the answer is not what it is as a whole"
                self.check(lane, False, said, index)
                return

    def _answers(self) -> None:
        """The texts as a model would write them, to a conversation that knows nothing."""
        plan, redacting = self.policy.plan, self.policy.redacting
        for index, message in enumerate(self.messages):
            found = [(one.start, one.end) for one in plan.findings(message.text)]
            outgoing = [one for one in self.by_message[index] if one.rule in redacting]
            # A second mention is found on the way out because of the first; in an answer each stands for itself.
            told = {_bare(message.text, one) for one in outgoing if _met((one.start, one.end), found)}
            for start, end, claim in message.mask:
                touched = [one for one in outgoing if one.start < end and start < one.end]
                # Where its rule keeps it in answers, or cannot see it there, nothing is promised, nor of values in Han
                # characters alone.
                if touched and any(map(identifies, message.text[start:end])):
                    met = _met((start, end), found) or any(_bare(message.text, one) in told for one in touched)
                    self.check("answer", met, "a model that writes it is not redacted", index, (start, end), claim.line)
            for start, end, claim in message.keep:
                met = _met((start, end), found)
                self.check("answer", not met, "a model that writes it is redacted", index, (start, end), claim.line)
            if not self.found:
                continue  # nothing was replaced, so the stream that came back was this very answer
            with self.policy.masker.session() as session:
                self._cuts("answer", session, index, message.text, session.restore(message.text), found)

    def _wire(self, masked: Sequence[Masked]) -> None:
        messages = [Message(old.role, new.text) for old, new in zip(self.case.messages, self.messages, strict=True)]
        with self.policy.masker.session() as session:
            try:
                left = exchange.sent(session, messages)
            except UnmaskableError as error:
                self.check("json", False, f"the request is refused: {error.what}")
            else:
                for index, text in enumerate(left):
                    said = _other("the content that leaves", text, masked[index].text, "as the text alone")
                    same = text == masked[index].text or bool(self.policy.irreversible)
                    self.check("json", same, said, index)
                    self._left("json", index, text)
                self._returned("json", exchange.answered(session, left))
                self._returned("events", exchange.answered_in_events(session, left))
        with self.policy.masker.session() as session:
            try:
                left = exchange.called(session, messages)
            except UnmaskableError as error:
                self.check("tool", False, f"the request is refused: {error.what}")
            else:
                for index, text in enumerate(left):
                    self._left("tool", index, text)
                self._returned("tool", exchange.called_back(session, left))

    def _left(self, lane: Lane, index: int, text: str) -> None:
        """What leaves by a wire holds nothing that must be masked, and all that must be kept."""
        message = self.messages[index]
        plain = _without_placeholders(text)
        for start, end, claim in message.mask:
            gone = claim.span is not None or not left_over(message.text[start:end], message.text, plain)
            self.check(lane, gone, "must be masked, and leaves", index, (start, end), claim.line)
        for start, end, claim in message.keep:
            there = message.text[start:end] in text
            self.check(lane, there, "must be kept, and does not leave", index, (start, end), claim.line)

    def _returned(self, lane: Lane, texts: Sequence[str]) -> None:
        if self._round_trip():
            for index, text in enumerate(texts):
                place = _first_difference(self.messages[index].text, text)
                self.check(lane, not place, _NOT_BACK, index, place or (0, 0))


_NOT_BACK = "the restored answer is not the original (a placeholder in a link stays: round_trip: false says so)"


def run_case(case: Case, policy: Policy, cuts: Cuts = "all") -> CaseResult:
    """One case, in the variants that it names. Raises whatever a detector raises."""
    started = time.perf_counter()
    violations: list[Violation] = []
    found: list[Finding] = []
    checks = 0
    for variant in (None, *case.variants):
        messages = _written(case, variant)
        if messages is None:
            continue
        run = _Run(case, policy, variant, messages, cuts)
        run.all()
        violations += run.violations
        found += run.found
        checks += run.checks
    status: Status = "failed" if violations else "passed"
    if case.known_gap:
        status = "gap" if violations else "closed"
    return CaseResult(
        case,
        status,
        tuple(violations),
        checks,
        time.perf_counter() - started,
        frozenset(one.rule for one in found),
        frozenset(one.entity for one in found),
    )


def run_suite(
    suite: Suite, *, cuts: Cuts = "all", policies: Callable[[tuple[str, ...], Literal["on", "off"]], Policy] = Policy.of
) -> Iterator[CaseResult]:
    """The results of a suite's cases, one after the other; `policies` gives the policy of some categories."""
    known: dict[tuple[tuple[str, ...], str], Policy] = {}
    for case in suite.cases:
        key = (case.categories, case.names)
        policy = known.get(key)
        if policy is None:
            policy = known[key] = policies(*key)
        check_entities(case, policy)
        yield run_case(case, policy, cuts)


def check_entities(case: Case, policy: Policy) -> None:
    """Raises SuiteError where a case wants an entity that its category cannot find; a known gap may."""
    if case.known_gap:
        return
    known = {*policy.masker.category.entities, LITERAL}
    for claim in case.must_mask or ():
        for entity in claim.entities:
            if entity not in known:
                raise SuiteError(
                    f"must_mask: {policy.masker.category.name} has no entity {entity}; {nearest(entity, known)}",
                    file=case.file,
                    line=claim.line,
                    subject=f"case {case.id}",
                )


def _written(case: Case, variant: Variant | None) -> list[_Places] | None:
    """The case's messages in a variant; None where it changes none of them."""
    must_mask = case.must_mask or ()
    changed = variant is None
    messages: list[_Places] = []
    for message in case.messages:
        text = message.text
        mask = [(*place, claim) for claim in must_mask for place in claim.places(text)]
        keep = [(*place, claim) for claim in case.must_keep for place in free_places(claim, text, must_mask)]
        new = rewrite(text, [place[:2] for place in (mask if must_mask else keep)], variant)
        if new is None:
            messages.append(_Places(text, mask, keep))
            continue
        changed = True
        messages.append(
            _Places(
                new.text,
                [(*new.place(start, end), claim) for start, end, claim in mask],
                [(*new.place(start, end), claim) for start, end, claim in keep],
            )
        )
    return messages if changed else None


def _rule(finding: Finding) -> str:
    return finding.rule or "the session"


def _bare(text: str, finding: Finding) -> str:
    """A value as its other mentions may write it: letters and digits alone, in lower case."""
    return "".join(filter(str.isalnum, normal(text[finding.start : finding.end])))


def _met(place: tuple[int, int], others: Sequence[tuple[int, int]]) -> bool:
    return any(start < place[1] and place[0] < end for start, end in others)


def _without_placeholders(text: str) -> str:
    """The text without what stands in the place of values: `_1` in a placeholder is nobody's value."""
    return _PLACEHOLDER.sub("\0", text)


def _placeholder_places(text: str) -> list[tuple[int, int]]:
    return [match.span() for match in _PLACEHOLDER.finditer(text)]


def _first_difference(wanted: str, got: str) -> tuple[int, int] | None:
    """Where in `wanted` two texts first differ: one character, or the last one where only the end is missing."""
    if wanted == got:
        return None
    at = next((at for at, pair in enumerate(zip(wanted, got, strict=False)) if pair[0] != pair[1]), None)
    at = min(len(wanted) - 1, min(len(wanted), len(got)) if at is None else at)
    return at, at + 1


def _other(what: str, got: str, wanted: str, as_what: str = "as the case says") -> str:
    """That two texts differ, told by where, never by what."""
    place = _first_difference(wanted, got)
    return f"{what} is not {as_what}: it differs from character {place[0] if place else 0} on"
