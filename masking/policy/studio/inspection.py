"""What a category does with a conversation: findings with their reasons, masked texts, what the model would see."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from masking.core.errors import MaskingError
from masking.core.explain import Reason, explain
from masking.core.finding import Finding
from masking.core.session import LITERAL, Session
from masking.core.turn import Turn
from masking.echo.model import answer
from masking.policy.studio.transcript import Conversation
from masking.policy.studio.workbench import Bench

__all__ = ["EXPLAINED", "Found", "Inspection", "Passage", "Sheet", "inspect", "marked"]

EXPLAINED = 12_000
"""Characters of a conversation up to which every finding gets its reason: telling it costs far more than finding."""

_API = "openai.chat"


@dataclass(frozen=True, slots=True, repr=False)
class Found:
    """One finding: `number` from 1 in the conversation, offsets in characters of its message, `instead` of it."""

    number: int
    message: int
    start: int
    end: int
    value: str
    entity: str
    rule: str
    score: float
    why: str
    instead: str
    about: Mapping[str, str]


@dataclass(frozen=True, slots=True, repr=False)
class Passage:
    """A stretch of a text, and the finding that it is, or None; `label` and `number` are of the finding."""

    text: str
    label: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True, repr=False)
class Sheet:
    """One message: as it was written and as it leaves, both in passages."""

    role: str
    text: str
    masked: str
    written: tuple[Passage, ...]
    leaves: tuple[Passage, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Inspection:
    """Everything that the page shows of one conversation; `nearly` are the reasons that did not become findings."""

    sheets: tuple[Sheet, ...]
    found: tuple[Found, ...]
    nearly: tuple[tuple[int, Reason, str], ...]
    explained: bool
    wire: str
    refused: str
    answer: str

    @property
    def counts(self) -> dict[str, int]:
        """How many findings each entity has, most first."""
        entities = sorted(one.entity for one in self.found)
        counted = {entity: len(list(group)) for entity, group in groupby(entities)}
        return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))


def inspect(bench: Bench, conversation: Conversation, session: Session) -> Inspection:
    """What the category does with `conversation`, in `session`, which then restores its answer.

    Raises what the bench's detectors raise.
    """
    explained = sum(len(message.text) for message in conversation.messages) <= EXPLAINED
    masked = [session.masked(message.text) for message in conversation.messages]
    table = {value: made for made, value in session.entries().items()}
    about = {rule.id: rule.about for rule in bench.category.rules}
    operators = {rule.id: rule.request.name for rule in bench.category.rules}
    sheets: list[Sheet] = []
    found: list[Found] = []
    nearly: list[tuple[int, Reason, str]] = []
    for index, (message, one) in enumerate(zip(conversation.messages, masked, strict=True)):
        text = message.text
        reasons = explain(bench.scanner, text) if explained else []
        whys = {(why.start, why.end, why.rule): why.why for why in reasons if why.outcome == "found"}
        first = len(found) + 1
        for number, finding in enumerate(one.findings, first):
            value = text[finding.start : finding.end]
            why = whys.get((finding.start, finding.end, finding.rule), "") or _otherwise(finding, reasons)
            instead = table.get(value) or operators.get(finding.rule, "")
            found.append(
                Found(
                    number, index, finding.start, finding.end, value, finding.entity, finding.rule, finding.score,
                    why, instead, about.get(finding.rule, {}),
                )
            )  # fmt: skip
        nearly += [(index, why, text[why.start : why.end]) for why in reasons if why.outcome != "found"]
        sheets.append(
            Sheet(message.role, text, one.text, _written(text, one.findings, first), marked(one.text, table.values()))
        )
    wire, refused = _wire(bench, conversation, session)
    said = "" if refused else answer(json.loads(wire)["messages"])
    return Inspection(tuple(sheets), tuple(found), tuple(nearly), explained, wire, refused, said)


def marked(text: str, placeholders: Iterable[str]) -> tuple[Passage, ...]:
    """A masked text in passages: placeholders, and what stands between them."""
    made = sorted(filter(None, placeholders), key=len, reverse=True)
    if not made:
        return (Passage(text),) if text else ()
    passages: list[Passage] = []
    at = 0
    for one in re.finditer("|".join(map(re.escape, made)), text):
        if one.start() > at:
            passages.append(Passage(text[at : one.start()]))
        passages.append(Passage(one[0], one[0][1:-1].rpartition("_")[0] if one[0].startswith("<") else "SURROGATE"))
        at = one.end()
    return (*passages, Passage(text[at:])) if at < len(text) else tuple(passages)


def _written(text: str, findings: Sequence[Finding], number: int) -> tuple[Passage, ...]:
    passages: list[Passage] = []
    at = 0
    for count, finding in enumerate(findings, number):
        if finding.start > at:
            passages.append(Passage(text[at : finding.start]))
        passages.append(Passage(text[finding.start : finding.end], finding.entity, count))
        at = finding.end
    return (*passages, Passage(text[at:])) if at < len(text) else tuple(passages)


def _otherwise(finding: Finding, reasons: Sequence[Reason]) -> str:
    """Why something is a finding that no rule explains at its place."""
    if finding.entity == LITERAL:
        return "text that looks like a placeholder"
    if not reasons:
        return ""
    for one in reasons:
        if one.rule == finding.rule and one.start <= finding.start and finding.end <= one.end:
            return one.why
    return "a value that is found elsewhere in the conversation"


def _wire(bench: Bench, conversation: Conversation, session: Session) -> tuple[str, str]:
    """The messages as the model's API gets them, indented; or why the request is refused."""
    descriptor = bench.masker.descriptors.named(_API)
    assert descriptor is not None  # it ships
    body = {"model": "echo", "stream": True, "messages": list(conversation.body)}
    try:
        sent = Turn(descriptor, session).request(json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    except MaskingError as error:
        return "", str(error)
    messages = json.loads(sent)["messages"]
    return json.dumps({"messages": messages}, ensure_ascii=False, indent=2), ""
