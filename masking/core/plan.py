"""Which rules of a category look at answers, and what they find in text that is still being written.

The automaton says which patterns may have matched. Those are run on the text, or, where numbers of one form have come
before, its shape tells (`masking.core.shape`). Of a finding, what is redacted begins at its first character that
identifies (neither Han nor a blank), so that Chinese prose never waits: of 京A12345 the province stays, of an address
in Chinese what stands before its first number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple

from masking.core.automaton import Automaton
from masking.core.character import identifies, limited
from masking.core.context import Context
from masking.core.edges import Edges
from masking.core.finding import Finding, resolve
from masking.core.gate import Gate, bounded, joined
from masking.core.pattern import Accept, Pattern, PatternSyntaxError, Place
from masking.core.reader import COMPILED
from masking.core.rule import Category, PatternSource, Rule, TermSource
from masking.core.shape import Openings, Shapes, first_place
from masking.core.state import Touched, plainly
from masking.core.streamview import StreamView, seen
from masking.core.terms import Terms, as_pattern, normal
from masking.core.trail import Ended

__all__ = ["Candidate", "Plan", "mark"]

Rank = tuple[bool, float, int]
"""The beginning of how findings are ranked, and a rule's order: of overlapping ones that are no longer, the least."""

LONG: Final = 512  # characters from which a whole text goes through the gate
HIDDEN: Final = 64  # characters for each that a rule sees: who hides a value among more of them hides it from rules
_LONGEST_CONTEXT: Final = 512
_UNLIMITED: Final = 1 << 16  # characters; what is longer has no end of its own
_made: Final[Any] = tuple.__new__  # a named tuple's own constructor takes three times as long
_OFTEN: Final = 24  # texts
_FEW: Final = 12  # patterns
_MOST_TOGETHER: Final = 512  # sets of patterns
_WORST: Final[Rank] = (True, 1.0, 1 << 30)
_SLACK: Final = 2  # characters that a boundary may look at


def mark(entity: str) -> str:
    """What stands in the place of a new value: its entity, without a number, so that nothing ever restores it."""
    return f"<{entity}>"


class Candidate(NamedTuple):
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

    @property
    def rank(self) -> Rank:
        """What it is, whatever its length."""
        return self.unproved, self.negative_score, self.order

    def fills(self, text: str, hold: int, until: int) -> bool:
        """Whether every match that ends up to `until` lies within this one, and nothing of it is open at `hold`."""
        start = self.start
        return self.after <= hold and until <= self.end and (start == 0 or text[:start].isspace())


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
    ended: Ended
    rank: Rank
    """The best that a candidate of it may have."""
    said: bool
    """Whether what it matches may begin in what has been said already."""

    @property
    def plain(self) -> bool:
        """Whether nothing counts but the pattern and its check."""
        return self.context is None and not self.rule.allow


@dataclass(slots=True)
class Together:
    """Patterns that may have matched in one text: `plain` where shapes can tell, `others`, and `loose` where the
    automaton took digits loosely; the best rank first. `wait` is after how many more texts shapes and a gate are worth
    their making (0: they are made, or never will be), `needs` how many characters before what waits the patterns have
    to see."""

    plain: tuple[int, ...]
    others: tuple[int, ...]
    loose: tuple[int, ...]
    needs: int
    wait: int
    shapes: Shapes | None = None
    gate: Any = None
    """Whether any of the loose ones matches in some bytes."""
    opening: Openings | None = None
    """Of the first plain one, where its matches do not begin in what has been said."""
    named: Shapes | None = None
    """Those of the plain ones whose matches may."""
    spare: Rank | None = None
    """What is at most of this rank, and fills the text, spares the search for `others` and `loose`; None: nothing."""


class Plan:
    """Which rules of a category look at answers, made ready once and shared by all streams."""

    def __init__(self, category: Category) -> None:
        self.looks = [look for order, rule in enumerate(category.rules) for look in _looks(rule, order)]
        for number, look in enumerate(self.looks):
            look.ended.pattern = number
        self.endings = [look.ended if look.said else None for look in self.looks]
        self.marks = [(look.mark, look.rule.entity) for look in self.looks]
        self.worst = _WORST
        self._ranks = [look.rank for look in self.looks]
        self.lookback = max((look.needs for look in self.looks), default=0)
        self._gate = Gate([look.pattern for look in self.looks])
        self._together: dict[Touched, Together] = {}

    @cached_property
    def automaton(self) -> Automaton:
        """Made when the first answer streams."""
        return Automaton([(one.pattern.source, one.pattern.before, one.pattern.after) for one in self.looks])

    @cached_property
    def edges(self) -> Edges:
        """Asked where an answer's rules may find something at the edges of a text."""
        needs = [one.rule.source.needs if isinstance(one.rule.source, PatternSource) else "" for one in self.looks]
        return Edges([one.pattern for one in self.looks], needs)

    def together(self, touched: Touched) -> Together:
        """The patterns that `touched` says, as they are run."""
        known = self._together.get(touched)
        if known is None:
            if len(self._together) >= _MOST_TOGETHER:
                self._together = {}
            ranks = self._ranks
            exact = sorted([number for number in touched if number >= 0], key=ranks.__getitem__)
            taken = [plainly(number) for number in touched if number < 0 and plainly(number) not in touched]
            loose = tuple(sorted(taken, key=ranks.__getitem__))
            plain = tuple(number for number in exact if self.looks[number].plain and len(exact) <= _FEW)
            others = tuple(number for number in exact if number not in plain)
            needs = max(self.looks[number].needs for number in (*exact, *loose))
            wait = _OFTEN if plain or len(loose) > 1 else 0
            rest = [self.looks[number] for number in (*others, *loose)]
            spare = None if any(look.said for look in rest) else min((look.rank for look in rest), default=_WORST)
            known = self._together[touched] = Together(plain, others, loose, needs, wait, spare=spare)
        return known

    def candidates(
        self, before: str, text: str, together: Together, ends: Mapping[int, int], hold: int = 0, until: int = 0
    ) -> list[Candidate]:
        """What these patterns find in `text`, with `before` as context; `ends` says up to where in `before + text` a
        pattern has matched already whose matches may begin in what has been said.

        Where nothing is open at `hold`, and matches end up to `until` only, what all of them lie within and is ranked
        before them comes first, and then those others alone that may have begun earlier.
        """
        plain, shapes = together.plain, together.shapes
        told: list[Candidate] | None = None
        if shapes is not None and not ("%" in before or "&" in before or "\\" in before):
            matched = max([ends.get(number, 0) for number in plain]) if ends else 0
            told = shapes.find(before, text, matched, hold, until)
            if told is not None and not together.others and not together.loose:
                return told
        return self.others(before, text, together, ends, hold, until, told)

    def others(
        self,
        before: str,
        text: str,
        together: Together,
        ends: Mapping[int, int],
        hold: int,
        until: int,
        told: list[Candidate] | None,
    ) -> list[Candidate]:
        """As `candidates`, where that is known which shapes tell (None: they do not)."""
        if together.shapes is None and together.wait and "automaton" in self.__dict__:
            together.wait -= 1
            if not together.wait:
                self._make_ready(together)
        found, plain = (told, ()) if told is not None else ([], together.plain)
        if told is None and together.opening is not None:
            one = together.opening.first(before, text)
            if one is not None and one.fills(text, hold, until):
                found, plain = [one], plain[1:]
                if together.named is not None:
                    matched = max([ends.get(number, 0) for number in plain]) if ends else 0
                    said = together.named.find(before, text, matched)
                    if said is not None:
                        found, plain = [one, *said], ()
        filling = found[0].rank if found and found[0].fills(text, hold, until) else None
        size = len(before)
        whole = before + text
        view: StreamView | None = None
        loose = together.loose
        if loose and not (filling is not None and all(self._is_filled(number, filling) for number in loose)):
            if together.gate is not None:
                view = StreamView(whole)
                if not together.gate.search(view.utf8):
                    loose = ()
        else:
            loose = ()
        for number in (*plain, *together.others, *loose):
            if filling is not None and self._is_filled(number, filling):
                continue
            look = self.looks[number]
            at = ends.get(number, 0) if look.said else first_place(before)
            if view is None:
                view = StreamView(whole)
            for place in look.pattern.matches(view, look.accept, view.seen_from(at) if at else 0):
                one = self._candidate(number, view, whole, size, place)
                if one is not None:
                    found.append(one)
            if filling is None and found and found[0].fills(text, hold, until):
                filling = found[0].rank
        return found

    def _is_filled(self, number: int, filling: Rank) -> bool:
        """Whether a pattern's matches count for nothing within one of this rank."""
        look = self.looks[number]
        return filling <= look.rank and not look.said

    def _candidate(self, number: int, view: StreamView, whole: str, size: int, place: Place) -> Candidate | None:
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
        if not aligned and last - begun > HIDDEN * (look.pattern.trigger.most + _SLACK):
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
        return _made(Candidate, one)  # type: ignore[no-any-return]

    def _make_ready(self, together: Together) -> None:
        """What these patterns find is asked often: make what tells it sooner than they do."""
        looks, plain = self.looks, together.plain
        together.gate = joined(bounded(looks[number].pattern) for number in together.loose)
        if not plain:
            return
        together.shapes = self._shapes(plain)
        if not COMPILED or looks[plain[0]].said:
            return
        together.opening = Openings(self._part(plain[0]), self.automaton.exactly(plain[:1], once=True))
        named = [number for number in plain if looks[number].said]
        together.named = self._shapes(named) if named else None

    def _shapes(self, numbers: Sequence[int]) -> Shapes:
        """The shapes of some plain patterns."""
        looks = [self.looks[number] for number in numbers]
        parts = [self._part(number) for number in numbers]
        return Shapes(
            parts, self.automaton.exactly(numbers), [look.rank for look in looks], [look.said for look in looks]
        )

    def _part(self, number: int) -> tuple[Pattern, Accept | None, Any]:
        """A plain pattern, its check, and what is made of its matches."""

        def make(text: str, size: int, places: Sequence[Place]) -> list[Any] | None:
            if not all("!" <= text[place[2]] <= "~" for place in places):
                return None  # where the finding begins depends on the character
            view = StreamView(text)
            made = [self._candidate(number, view, text, size, place) for place in places]
            return [one for one in made if one is not None]

        look = self.looks[number]
        return look.pattern, look.accept, make

    def finding(self, one: Candidate) -> Finding:
        """What a candidate becomes."""
        rule = self.looks[one.pattern].rule
        return Finding(one.start, one.end, rule.entity, -one.negative_score, rule.id, not one.unproved)

    def findings(self, text: str) -> list[Finding]:
        """What an answer that is `text` would be redacted by, the whole of it known."""
        touched = self.touched(text)
        if not touched:
            return []
        candidates = self.candidates("", text, self.together(touched), {})
        return resolve(((self.finding(one), one.order) for one in candidates), text)

    def touched(self, text: str) -> Touched:
        """The patterns that may match in `text`."""
        if len(text) <= LONG and "automaton" in self.__dict__:
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
        # What a pattern matches before its value, or of characters that do not identify, may have been said already.
        said = "(?P<value>" in pattern.source or pattern.trigger.unseen
        needs = max(near, min(pattern.trigger.most, _LONGEST_CONTEXT) if said else 0) + _SLACK
        score = max(rule.score, (context.score if context is not None else None) or 0)
        rank = (not source.proves, -score, order)
        yield _Look(pattern, rule, order, accept, source.proves, context, needs, mark(rule.entity), Ended(), rank, said)


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
