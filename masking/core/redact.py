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

from collections import Counter, deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from operator import attrgetter
from typing import Any, Final, NamedTuple

from masking.core.automaton import Automaton, Moves, State
from masking.core.character import identifies, limited
from masking.core.context import Context
from masking.core.edges import Edges
from masking.core.escapes import ESCAPED, LONGEST, MAY_GO_ON
from masking.core.finding import Finding, resolve
from masking.core.gate import Gate
from masking.core.pattern import Accept, Pattern, PatternSyntaxError, Place
from masking.core.rule import Category, PatternSource, Rule, TermSource
from masking.core.shape import Shapes
from masking.core.streamview import StreamView, seen
from masking.core.terms import Terms, as_pattern, normal

__all__ = ["Edit", "Plan", "Redactor", "mark"]

Edit = tuple[int, str | None]
"""How many characters of the text are dealt with, and what stands in their place (None: themselves)."""

_LONGEST_CONTEXT: Final = 512
_LONG: Final = 512  # characters from which a whole text goes through the gate
_UNLIMITED: Final = 1 << 16  # characters; what is longer has no end of its own
_made: Final[Any] = tuple.__new__  # a named tuple's own constructor takes three times as long
_AFTER: Final = attrgetter("after", "pattern")
_NO_ENDS: Final[Mapping[int, int]] = {}
_NOTHING: Final[frozenset[int]] = frozenset()
_HIDDEN: Final = 64  # characters for each that a rule sees: who hides a value among more of them hides it from rules
_PATIENT: Final = 48  # characters
_OFTEN: Final = 24  # texts
_FEW: Final = 12  # patterns
_MOST_ALIKE: Final = 128  # sets of patterns
_SLACK: Final = 2  # characters that a boundary may look at


def mark(entity: str) -> str:
    """What stands in the place of a new value: its entity, without a number, so that nothing ever restores it."""
    return f"<{entity}>"


class _Candidate(NamedTuple):
    """A match in a text that is not settled, in characters of that text; `after` is the end of the whole match.

    In the order in which `resolve` ranks findings, so that the least of some is the best.
    """

    unproved: bool
    negative_score: float
    negative_length: int
    order: int
    start: int
    end: int
    after: int
    pattern: int
    begun: int
    """Where the value begins, with characters that do not identify; negative in the context."""


class _End(str):
    """Stands in the trail where a match of a pattern ended, and is empty as text."""

    __slots__ = ("pattern",)

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
    mark: str
    ended: _End

    @property
    def plain(self) -> bool:
        """Whether nothing counts but the pattern and its check."""
        return self.context is None and not self.rule.allow


@dataclass(slots=True)
class _Alike:
    """Patterns that may have matched together: those that shapes do not tell, and after how many more texts the shapes
    are worth their making (0: they are made, or never will be)."""

    numbers: tuple[int, ...]
    others: tuple[int, ...]
    wait: int
    shapes: Shapes | None = None


class Plan:
    """Which rules of a category look at answers, made ready once and shared by all streams."""

    def __init__(self, category: Category) -> None:
        self.looks = [look for order, rule in enumerate(category.rules) for look in _looks(rule, order)]
        for number, look in enumerate(self.looks):
            look.ended.pattern = number
        self.lookback = max((look.needs for look in self.looks), default=0)
        self._gate = Gate([look.pattern for look in self.looks])
        self._alike: dict[frozenset[int], _Alike] = {}

    @cached_property
    def automaton(self) -> Automaton:
        """Made when the first answer streams."""
        return Automaton([(one.pattern.source, one.pattern.before, one.pattern.after) for one in self.looks])

    @cached_property
    def edges(self) -> Edges:
        """Asked where an answer's rules may find something at the edges of a text."""
        needs = [one.rule.source.needs if isinstance(one.rule.source, PatternSource) else "" for one in self.looks]
        return Edges([one.pattern for one in self.looks], needs)

    def candidates(self, before: str, text: str, touched: frozenset[int], ends: Mapping[int, int]) -> list[_Candidate]:
        """What the patterns `touched` find in `text`, with `before` as context; `ends` says up to where in
        `before + text` a pattern has matched already."""
        alike = self._alike.get(touched) or self._likened(touched)
        numbers, shapes = alike.numbers, alike.shapes
        found: list[_Candidate] = []
        if shapes is not None:
            if not ("%" in before or "&" in before or "\\" in before):
                matched = max([ends.get(number, 0) for number in numbers]) if ends else 0
                made = shapes.find(before, text, matched)
                if made is not None:
                    if not alike.others:
                        return made
                    found, numbers = made, alike.others
        elif alike.wait:
            alike.wait -= 1
            if not alike.wait:
                alike.shapes = self._shapes(touched)
        size = len(before)
        whole = before + text
        view = StreamView(whole)
        for number in numbers:
            at = ends.get(number, 0) if ends else 0
            look = self.looks[number]
            for place in look.pattern.matches(view, look.accept, view.seen_from(at) if at else 0):
                one = self._candidate(number, view, whole, size, place)
                if one is not None:
                    found.append(one)
        return found

    def _likened(self, touched: frozenset[int]) -> _Alike:
        if len(self._alike) >= _MOST_ALIKE:
            self._alike = {}
        others = tuple(sorted(number for number in touched if not self.looks[number].plain))
        wait = _OFTEN if len(others) < len(touched) <= _FEW else 0
        known = self._alike[touched] = _Alike(tuple(sorted(touched)), others, wait)
        return known

    def _candidate(self, number: int, view: StreamView, whole: str, size: int, place: Place) -> _Candidate | None:
        """What a match becomes whose pattern is `number`, unless it is none in the text behind `size` characters."""
        look = self.looks[number]
        rule, context, aligned = look.rule, look.context, view.aligned
        _, end, start, stop = place
        if rule.allow and normal(view.text[start:stop]) in rule.allow:
            return None
        score = rule.score
        if context is not None:
            near = context.near(view, start, stop) is not None
            if context.required and not near:
                return None
            if near and context.score is not None:
                score = context.score
        begun, last = (start, stop) if aligned else view.original(start, stop)
        if not aligned and last - begun > _HIDDEN * (look.pattern.trigger.most + _SLACK):
            return None
        first = begun
        # What shows nothing was said as well, if it stands behind Han characters.
        while first < last and not (
            "!" <= whole[first] <= "~" or (identifies(whole[first]) and seen(whole[first]))
        ):  # fmt: skip
            first += 1
        if not size <= first < last:
            return None
        after = end if aligned else view.original(end - 1, end)[1]
        one = (
            not look.proves, -score, first - last, look.order,
            first - size, last - size, after - size, number, begun - size,
        )  # fmt: skip
        return _made(_Candidate, one)  # type: ignore[no-any-return]

    def _shapes(self, touched: frozenset[int]) -> Shapes:
        """The shapes of the plain ones of some patterns."""

        def make(number: int, text: str, size: int, places: Sequence[Place]) -> list[Any] | None:
            if not all("!" <= text[place[2]] <= "~" for place in places):
                return None  # where the finding begins depends on the character
            view = StreamView(text)
            made = [self._candidate(number, view, text, size, place) for place in places]
            return [one for one in made if one is not None]

        plain = [(number, self.looks[number]) for number in sorted(touched) if self.looks[number].plain]
        return Shapes([(look.pattern, look.accept, partial(make, number)) for number, look in plain])

    def finding(self, one: _Candidate) -> Finding:
        """What a candidate becomes."""
        rule = self.looks[one.pattern].rule
        return Finding(one.start, one.end, rule.entity, -one.negative_score, rule.id, not one.unproved)

    def findings(self, text: str) -> list[Finding]:
        """What an answer that is `text` would be redacted by, the whole of it known."""
        touched = self.touched(text)
        if not touched:
            return []
        candidates = self.candidates("", text, touched, {})
        return resolve(((self.finding(one), one.order) for one in candidates), text)

    def touched(self, text: str) -> frozenset[int]:
        """The patterns that may match in `text`."""
        if len(text) <= _LONG and "automaton" in self.__dict__:
            return self.automaton.move(self.automaton.idle, text).touched
        return frozenset(self._gate.open_for(StreamView(text)))


def _looks(rule: Rule, order: int) -> Iterator[_Look]:
    """The patterns of a rule that looks at answers."""
    context = rule.context
    source = _of_terms(rule.source.terms) if isinstance(rule.source, TermSource) else rule.source
    if rule.answer != "redact" or not isinstance(source, PatternSource):
        return
    if context is not None and context.side == "after":
        if context.required:
            return  # what follows is not written yet
        context = None
    elif context is not None:
        context = Context(context.words, context.within, "before", required=context.required, score=context.score)
    accept = source.accept
    near = 0 if context is None else context.within + max(map(len, context.words))
    # What is a check's to decide may be long; what only looks like a name is made of words.
    limits = (900, 30, 9, 1) if source.checks else (30, 9, 1)
    for pattern in (_bounded(one, limits) for one in source.patterns):
        # What a pattern matches before its value, or of Han characters, may have been said already.
        said = "(?P<value>" in pattern.source or not pattern.source.isascii()
        needs = max(near, min(pattern.trigger.most, _LONGEST_CONTEXT) if said else 0) + _SLACK
        yield _Look(pattern, rule, order, accept, source.proves, context, needs, mark(rule.entity), _End())


def _of_terms(terms: Terms) -> PatternSource | None:
    """The terms as a pattern, without those of Han characters only, which an answer does not wait for."""
    written = as_pattern(word for word in terms.words if any(map(identifies, word)))
    if not written:
        return None
    return PatternSource((Pattern(written, terms.before, terms.after, ignore_case=terms.ignore_case),))


def _bounded(pattern: Pattern, limits: Sequence[int]) -> Pattern:
    """The pattern with an end to every repeat: an answer cannot wait for ever. Longer values are not found in answers.

    RE2 takes repeats up to a thousand, nested ones multiplied, so the highest limit that it takes is used.
    """
    if pattern.trigger.most < _UNLIMITED:
        return pattern
    for most in limits:
        try:
            return Pattern(limited(pattern.source, most), pattern.before, pattern.after)
        except PatternSyntaxError:
            continue
    return pattern


class Redactor:
    """One lane's reader: `take` text as it comes, and it says what became of it, in order.

    `held` is what waits, `read` how much of it the automaton has read (not an escape that is not whole), `state` and
    `starts` where the automaton is and where in `held` its groups began, `touched` the patterns that may have matched
    in `held`, the last of them up to `until`, `trail` what was said last. A match that is not decided goes up to
    `blocked`: before, there is nothing to decide. `wide` says how much must wait before its width is asked for again.
    """

    __slots__ = (
        "_counts", "_plan", "blocked", "held", "own", "read", "starts", "state", "touched", "trail", "until", "wide",
    )  # fmt: skip

    def __init__(self, plan: Plan, own: Collection[str], counts: Counter[str] | None = None) -> None:
        """`own` are values that are kept in clear: those of the session. `counts` counts by entity what is redacted."""
        self._plan = plan
        self._counts: Counter[str] = Counter() if counts is None else counts
        self.own = own
        self.held = ""
        self.read = 0
        self.state: State = plan.automaton.idle
        self.starts: tuple[int, ...] = ()
        self.touched: frozenset[int] = frozenset()
        self.until = self.blocked = self.wide = 0
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
        touched = self.touched
        if move.touched:
            touched |= move.touched
            self.until = len(pending)
        hold = starts[0] if starts else len(pending)
        self.state = state
        if len(pending) - hold > state.bound and (least := self._least(pending, hold, state.bound)) > hold:
            hold, starts = least, _from(starts, least)
        if last:
            hold = len(pending)
        self.held = pending
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
        """As `take`, joined, for a text that holds no escape; None where `take` must see."""
        held = self.held
        waiting = len(held)
        if self.read < waiting:
            return None
        state = self.state
        move = state.pieces.get(text) or self._plan.automaton.move(state, text)
        pending = held + text
        size = waiting + len(text)
        touched = self.touched
        if move.touched:
            touched |= move.touched
            self.until = size
        if move.kept:
            begun = self.starts
            starts = tuple([begun[number] if number >= 0 else waiting - 1 - number for number in move.kept])
            hold = starts[0]
            bound = move.state.bound
            self.state = move.state
            if size - hold > bound and (least := self._least(pending, hold, bound)) > hold:
                hold, starts = least, _from(starts, least)
        else:
            starts = ()
            hold = size
        self.state = move.state
        if touched and hold:
            if hold < self.blocked or (hold < self.until and size <= _PATIENT):
                hold = 0  # what may have matched reaches over it, most likely: to look now would be in vain
            else:
                self.held = pending
                edits, hold, touched = self._settle(pending, hold, touched)
                self.touched = touched
                self.held = pending[hold:]
                self.read = size - hold
                self.starts = tuple([start - hold for start in starts])
                said, at = "", 0
                for length, instead in edits:
                    said += pending[at : at + length] if instead is None else instead
                    at += length
                return said
        self.touched = touched
        self.read = size - hold
        if not hold:
            self.held, self.starts = pending, starts
            return ""
        self.held = pending[hold:]
        self.starts = tuple([start - hold for start in starts])
        said = pending[:hold]
        self.trail.append(said)
        return said

    def remember(self, before: Moves, text: str) -> None:
        """Note what `text`, a whole piece in which no placeholder begins, does when these moves count."""
        self._plan.automaton.remember(before, text)

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
        self.until = self.blocked = self.wide = 0
        self.trail.clear()

    def _least(self, pending: str, hold: int, bound: int) -> int:
        """Where the last `bound` characters that rules see of `pending` begin, if that is behind `hold`."""
        size = len(pending)
        if pending.isascii() and ESCAPED.search(pending, hold) is None:
            return size - bound
        if size - hold < self.wide:
            return hold  # looked at lately: characters that are written as several, or that show nothing
        view = StreamView(pending)
        seen = len(view.text)
        least = view.original(seen - bound, seen - bound + 1)[0] if seen > bound else 0
        least = max(least, size - _HIDDEN * self.state.widest, hold)
        self.wide = 0 if least > hold else 2 * (size - hold)
        return least

    def _settle(self, pending: str, hold: int, touched: frozenset[int]) -> tuple[list[Edit], int, frozenset[int]]:
        """Decide what ends before everything that is still open; returns what is said, up to where, and the rest."""
        plan = self._plan
        looks = plan.looks
        needs = 0
        for number in touched:
            if looks[number].needs > needs:
                needs = looks[number].needs
        before, ends = self._context(needs + LONGEST)
        decided = candidates = plan.candidates(before, pending, touched, ends)
        self.blocked = 0
        reach = hold
        waiting = _NOTHING
        for one in candidates:
            if one.after > hold:
                reach, decided, waiting = self._parted(candidates, hold)
                break
        trail = self.trail
        if not decided:
            edits: list[Edit] = [(reach, None)] if reach else []
            self._trail(pending[:reach])
        else:
            edits = self._edits(before, pending, reach, decided)
            said = 0
            if len(decided) > 1:
                decided.sort(key=_AFTER)
            for one in decided:
                if one.after > said:
                    trail.append(pending[said : one.after])
                    said = one.after
                trail.append(looks[one.pattern].ended)
            if reach > said:
                trail.append(pending[said:reach])
        if reach >= len(pending):
            return edits, reach, _NOTHING
        if self.until > reach:
            # What matched may be another place than was found now, once more of the text is known.
            waiting |= touched & self.state.patterns
        self.until -= reach
        return edits, reach, waiting

    def _parted(self, candidates: list[_Candidate], hold: int) -> tuple[int, list[_Candidate], frozenset[int]]:
        """Up to where text may be said, the candidates that lie before, and the patterns of those that do not."""
        reach = _reach(candidates, hold)
        if reach < hold:
            self.blocked = max(one.after for one in candidates if one.start < hold) - reach
        waiting = frozenset([one.pattern for one in candidates if one.after > reach])
        return reach, [one for one in candidates if one.after <= reach], waiting

    def _edits(self, before: str, pending: str, reach: int, decided: list[_Candidate]) -> list[Edit]:
        """What becomes of the text up to `reach`, in which these candidates lie."""
        own = self.own
        best = decided[0] if len(decided) == 1 else min(decided)
        first, last = best.start, best.end
        kept: set[tuple[int, int]] = set()
        alone = True
        for one in decided:
            if one.start < first or one.end > last:
                alone = False
            if own:
                value = pending[one.start : one.end]
                if value in own or (one.begun != one.start and _between(before, pending, one.begun, one.end) in own):
                    kept.add((one.start, one.end))
        if not alone:
            return self._resolved(pending, reach, decided, kept)
        # The best of them covers all others, so nothing of those is left.
        if kept and (first, last) in kept:
            return [(reach, None)]
        edits: list[Edit] = [(first, None)] if first else []
        look = self._plan.looks[best.pattern]
        edits.append((last - first, look.mark))
        self._counts[look.rule.entity] += 1
        if reach > last:
            edits.append((reach - last, None))
        return edits

    def _resolved(
        self, pending: str, reach: int, decided: list[_Candidate], kept: Collection[tuple[int, int]]
    ) -> list[Edit]:
        """As `_edits`, where findings overlap across edges or stand apart; those at `kept` places stay."""
        plan, own = self._plan, self.own
        edits: list[Edit] = []
        at = 0
        for finding in resolve([(plan.finding(one), one.order) for one in decided], pending):
            start, end = finding.start, finding.end
            if (start, end) in kept or pending[start:end] in own:
                continue
            if start > at:
                edits.append((start - at, None))
            edits.append((end - start, mark(finding.entity)))
            self._counts[finding.entity] += 1
            at = end
        if reach > at:
            edits.append((reach - at, None))
        return edits

    def _trail(self, said: str) -> None:
        if said:
            self.trail.append(said)

    def _context(self, size: int) -> tuple[str, Mapping[int, int]]:
        """The last `size` characters that were said, and up to where in them patterns have matched."""
        pieces: list[str] = []
        behind = 0
        marks: list[tuple[int, int]] = []
        for piece in reversed(self.trail):
            if piece:
                pieces.append(piece)
                behind += len(piece)
                if behind >= size:
                    break
            elif isinstance(piece, _End):
                marks.append((piece.pattern, behind))
        pieces.reverse()
        said = "".join(pieces)[-size:]
        if not marks:
            return said, _NO_ENDS
        return said, {pattern: len(said) - behind for pattern, behind in reversed(marks)}


def _without_begun_escape(text: str, start: int) -> str:
    """`text` without an escape that has begun behind `start` and is not whole."""
    if text.find("%", start) < 0 and text.find("&", start) < 0 and text.find("\\", start) < 0:
        return text
    begun = MAY_GO_ON.search(text, start)
    return text if begun is None else text[: begun.start()]


def _from(starts: tuple[int, ...], least: int) -> tuple[int, ...]:
    """Where groups began, none of them before `least`: nothing that began earlier can still become a match."""
    return tuple([max(least, start) for start in starts])


def _between(before: str, text: str, start: int, end: int) -> str:
    """A part of `before + text`, in characters of `text`."""
    return text[start:end] if start >= 0 else before[len(before) + start :] + text[:end]


def _reach(candidates: Sequence[_Candidate], hold: int) -> int:
    """The last place up to `hold` that no match reaches over."""
    moved = True
    while moved:
        moved = False
        for one in candidates:
            if one.start < hold < one.after:
                hold, moved = one.start, True
    return hold
