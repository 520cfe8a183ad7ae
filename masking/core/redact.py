"""Redacts new personal data in a text that is still being written.

The automaton says from where on a pattern could still match; everything before that place is settled. Where patterns
may have matched, they are run on what is not yet said, with what was said before as context, and findings that reach
into what is still open wait with it. So every finding is decided by the same text, however it was cut:

    text so far     said, settled | waiting, settled now | waiting, open
                                  ^ nothing reaches over either mark ^

Of a finding, what is redacted begins at its first character that identifies (neither Han nor a blank), so that Chinese
prose never waits: of 京A12345 the province stays, of an address in Chinese what stands before its first number.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from masking.core.automaton import Automaton, State
from masking.core.character import identifies, limited, width
from masking.core.context import Context
from masking.core.escapes import ESCAPED, LONGEST, MAY_GO_ON
from masking.core.finding import Finding, resolve
from masking.core.pattern import Accept, Gate, Pattern, PatternSyntaxError
from masking.core.rule import Category, PatternSource, Rule
from masking.core.streamview import StreamView
from masking.core.terms import normal

__all__ = ["Edit", "Plan", "Redactor", "mark"]

Edit = tuple[int, str | None]
"""How many characters of the text are dealt with, and what stands in their place (None: themselves)."""

_LONGEST_CONTEXT: Final = 512
_LONG: Final = 512  # characters from which a whole text goes through the gate
_UNLIMITED: Final = 1 << 16  # characters; what is longer has no end of its own
_SLACK: Final = 2  # characters that a boundary may look at


def mark(entity: str) -> str:
    """What stands in the place of a new value: its entity, without a number, so that nothing ever restores it."""
    return f"<{entity}>"


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A match in a text that is not settled, in characters of that text; `end` is that of the whole match."""

    finding: Finding
    order: int
    pattern: int
    end: int
    values: tuple[str, str]


class _End(str):
    """Stands in the trail where a match of a pattern ended, and is empty as text."""

    __slots__ = ("pattern",)

    def __new__(cls, pattern: int) -> _End:
        made = super().__new__(cls)
        made.pattern = pattern
        return made

    pattern: int


@dataclass(frozen=True, slots=True)
class _Look:
    """One pattern that looks at answers; `needs` is how many characters before what waits it has to see."""

    pattern: Pattern
    rule: Rule
    order: int
    accept: Accept | None
    proves: bool
    context: Context | None
    needs: int


class Plan:
    """Which rules of a category look at answers, made ready once and shared by all streams."""

    def __init__(self, category: Category) -> None:
        self.looks = [look for order, rule in enumerate(category.rules) for look in _looks(rule, order)]
        self.lookback = max((look.needs for look in self.looks), default=0)
        self.automaton = Automaton([(one.pattern.source, one.pattern.before, one.pattern.after) for one in self.looks])
        self._gate = Gate([look.pattern for look in self.looks])

    def candidates(
        self, before: str, text: str, touched: Collection[int], ends: dict[int, int]
    ) -> Iterator[_Candidate]:
        """What the patterns `touched` find in `text`, with `before` as context; `ends` says up to where in
        `before + text` a pattern has matched already."""
        size = len(before)
        whole = before + text
        view = StreamView(whole)
        for number in sorted(touched):
            look = self.looks[number]
            rule = look.rule
            for _, end, start, stop in look.pattern.matches(view, look.accept, view.seen_from(ends.get(number, 0))):
                if rule.allow and normal(view.text[start:stop]) in rule.allow:
                    continue
                score = rule.score
                if look.context is not None:
                    near = look.context.near(view, start, stop) is not None
                    if look.context.required and not near:
                        continue
                    if near and look.context.score is not None:
                        score = look.context.score
                begun, last = view.original(start, stop)
                first = begun
                while first < last and not identifies(whole[first]):
                    first += 1
                if size <= first < last:
                    finding = Finding(first - size, last - size, rule.entity, score, rule.id, look.proves)
                    after = view.original(end - 1, end)[1] - size
                    yield _Candidate(finding, look.order, number, after, (whole[first:last], whole[begun:last]))

    def findings(self, text: str) -> list[Finding]:
        """What an answer that is `text` would be redacted by, the whole of it known."""
        touched = self.touched(text)
        if not touched:
            return []
        candidates = self.candidates("", text, touched, {})
        return resolve(((one.finding, one.order) for one in candidates), text)

    def touched(self, text: str) -> frozenset[int]:
        """The patterns that may match in `text`."""
        if len(text) <= _LONG:
            return self.automaton.move(self.automaton.idle, text).touched
        return frozenset(self._gate.open_for(StreamView(text)))


def _looks(rule: Rule, order: int) -> Iterator[_Look]:
    """The patterns of a rule that looks at answers."""
    source, context = rule.source, rule.context
    if rule.answer != "redact" or not isinstance(source, PatternSource):
        return
    if context is not None and context.side == "after":
        if context.required:
            return  # what follows is not written yet
        context = None
    elif context is not None:
        context = Context(context.words, context.within, "before", required=context.required, score=context.score)
    accept = source.accepts if source.checks else None
    near = 0 if context is None else context.within + max(map(len, context.words))
    for pattern in map(_bounded, source.patterns):
        # What a pattern matches before its value, or of Han characters, may have been said already.
        said = "(?P<value>" in pattern.source or not pattern.source.isascii()
        needs = max(near, min(width(pattern.source), _LONGEST_CONTEXT) if said else 0) + _SLACK
        yield _Look(pattern, rule, order, accept, source.proves, context, needs)


def _bounded(pattern: Pattern) -> Pattern:
    """The pattern with an end to every repeat: an answer cannot wait for ever. Longer values are not found in answers.

    RE2 takes repeats up to a thousand, nested ones multiplied, so the highest limit that it takes is used.
    """
    if width(pattern.source) < _UNLIMITED:
        return pattern
    for most in (900, 30, 9, 1):
        try:
            return Pattern(limited(pattern.source, most), pattern.before, pattern.after)
        except PatternSyntaxError:
            continue
    return pattern


class Redactor:
    """One lane's reader: `take` text as it comes, and it says what became of it, in order.

    `held` is what waits, `read` how much of it the automaton has read (not an escape that is not whole), `state` and
    `starts` where the automaton is and where in `held` its groups began, `touched` the patterns that may have matched
    in `held`, `trail` what was said last.
    """

    __slots__ = ("_plan", "held", "own", "read", "starts", "state", "touched", "trail")

    def __init__(self, plan: Plan, own: Collection[str]) -> None:
        """`own` are values that are kept in clear: those of the session."""
        self._plan = plan
        self.own = own
        self.held = ""
        self.read = 0
        self.state: State = plan.automaton.idle
        self.starts: tuple[int, ...] = ()
        self.touched: frozenset[int] = frozenset()
        self.trail: deque[str] = deque(maxlen=plan.lookback + LONGEST + 16)

    def take(self, text: str, *, last: bool = False) -> list[Edit]:
        """What may be said now that `text` has come; with `last`, all of it, and what follows begins afresh."""
        if last and len(text) > _LONG:
            return self._whole(self.held + text)
        automaton = self._plan.automaton
        waiting = self.read
        whole = self.held + text
        pending = whole if last else _without_begun_escape(whole, waiting)
        move = automaton.move(self.state, pending[waiting:])
        state = move.state
        starts = tuple(self.starts[number] if number >= 0 else waiting - 1 - number for number in move.kept)
        touched = self.touched | move.touched
        hold = starts[0] if starts else len(pending)
        if len(pending) - hold > state.bound:
            state, starts = self._again(pending, len(pending) - state.bound)
            hold = starts[0] if starts else len(pending)
        if last:
            hold = len(pending)
        self.held, self.state = pending, state
        if hold == 0:
            edits: list[Edit] = []
            reach = 0
        elif touched:
            edits, reach, touched = self._settle(pending, hold, touched)
        else:
            edits, reach = [(hold, None)], hold
            self._trail(pending[:hold])
        if last:
            self.afresh()
        else:
            self.held = whole[reach:]
            self.read = len(pending) - reach
            self.starts = tuple(start - reach for start in starts)
            self.touched = touched
        return edits

    def step(self, text: str) -> str | None:
        """As `take` where nothing has to be decided: what is said as it stands; None where `take` must see."""
        waiting = len(self.held)
        if self.read < waiting:
            return None
        move = self._plan.automaton.move(self.state, text)
        touched = self.touched | move.touched
        starts = tuple([self.starts[number] if number >= 0 else waiting - 1 - number for number in move.kept])
        pending = self.held + text
        hold = starts[0] if starts else len(pending)
        if len(pending) - hold > move.state.bound or (touched and hold):
            return None
        self.state, self.touched = move.state, touched
        self.read = len(pending) - hold
        if not hold:
            self.held, self.starts = pending, starts
            return ""
        self.held = pending[hold:]
        self.starts = tuple([start - hold for start in starts]) if starts else ()
        said = pending[:hold]
        self.trail.append(said)
        return said

    def remember(self, before: State, text: str) -> None:
        """Note what `text` did in the state `before`, a whole piece in which no placeholder begins."""
        automaton = self._plan.automaton
        automaton.remember(before, text, automaton.move(before, text))

    def _whole(self, pending: str) -> list[Edit]:
        """All of a long text whose end is known: the patterns' own gate is quicker than the automaton."""
        touched = self._plan.touched(pending)
        edits: list[Edit] = [(len(pending), None)]
        if touched or self.touched:
            edits, _, _ = self._settle(pending, len(pending), touched | self.touched)
        self.afresh()
        return edits

    def resume(self, state: State, held: str, starts: tuple[int, ...]) -> None:
        """Go on from where known moves led."""
        self.state, self.held, self.read, self.starts = state, held, len(held), starts

    def afresh(self) -> None:
        """What follows has nothing to do with what came."""
        self.held, self.read = "", 0
        self.state, self.starts, self.touched = self._plan.automaton.idle, (), frozenset()
        self.trail.clear()

    def _again(self, pending: str, start: int) -> tuple[State, tuple[int, ...]]:
        """Read from `start` on again: what began before is longer than any match of its rule can be."""
        automaton = self._plan.automaton
        near = max(0, start - LONGEST)
        for escape in ESCAPED.finditer(pending, near, start + LONGEST):
            if escape.start() < start < escape.end():
                start = escape.start()
        move = automaton.move(automaton.after(pending[start - 1]) if start else automaton.idle, pending[start:])
        return move.state, tuple(start - 1 - number for number in move.kept)

    def _settle(self, pending: str, hold: int, touched: frozenset[int]) -> tuple[list[Edit], int, frozenset[int]]:
        """Decide what ends before everything that is still open; returns what is said, up to where, and the rest."""
        before, ends = self._context(max(self._plan.looks[number].needs for number in touched) + LONGEST)
        candidates = list(self._plan.candidates(before, pending, touched, ends))
        reach = _reach(candidates, hold)
        decided = [one for one in candidates if one.end <= reach]
        values = {one.finding: one.values for one in decided}
        edits: list[Edit] = []
        at = 0
        for finding in resolve(((one.finding, one.order) for one in decided), pending):
            if any(value in self.own for value in values.get(finding, (pending[finding.start : finding.end],))):
                continue
            if finding.start > at:
                edits.append((finding.start - at, None))
            edits.append((finding.end - finding.start, mark(finding.entity)))
            at = finding.end
        if reach > at:
            edits.append((reach - at, None))
        said = 0
        for end, pattern in sorted((one.end, one.pattern) for one in decided):
            self._trail(pending[said:end])
            self.trail.append(_End(pattern))
            said = end
        self._trail(pending[said:reach])
        waiting = frozenset(one.pattern for one in candidates if one.end > reach)
        return edits, reach, (touched & self.state.patterns) | waiting if reach < len(pending) else frozenset()

    def _trail(self, said: str) -> None:
        if said:
            self.trail.append(said)

    def _context(self, size: int) -> tuple[str, dict[int, int]]:
        """The last `size` characters that were said, and up to where in them patterns have matched."""
        pieces: list[str] = []
        behind = 0
        marks: list[tuple[int, int]] = []
        for piece in reversed(self.trail):
            if behind >= size:
                break
            if piece:
                pieces.append(piece)
                behind += len(piece)
            elif isinstance(piece, _End):
                marks.append((piece.pattern, behind))
        said = "".join(reversed(pieces))[-size:]
        ends = {pattern: len(said) - behind for pattern, behind in reversed(marks)}
        return said, ends


def _without_begun_escape(text: str, start: int) -> str:
    """`text` without an escape that has begun behind `start` and is not whole."""
    if text.find("%", start) < 0 and text.find("&", start) < 0 and text.find("\\", start) < 0:
        return text
    begun = MAY_GO_ON.search(text, start)
    return text if begun is None else text[: begun.start()]


def _reach(candidates: Sequence[_Candidate], hold: int) -> int:
    """The last place up to `hold` that no match reaches over."""
    moved = True
    while moved:
        moved = False
        for one in candidates:
            if one.finding.start < hold < one.end:
                hold, moved = one.finding.start, True
    return hold
