"""Redacts new personal data in a text that is still being written.

The automaton says from where on a pattern could still match; everything before that place is settled. Where patterns
may have matched, they are run on what is not yet said, with what was said before as context, and findings that reach
into what is still open wait with it. So every finding is decided by the same text, however it was cut:

    text so far     said, settled | waiting, settled now | waiting, open
                                  ^ nothing reaches over either mark ^

Which patterns look, and what they find, is the plan's to say (`masking.core.plan`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from operator import attrgetter
from typing import Final

from masking.core.escapes import ESCAPED, MAY_GO_ON
from masking.core.finding import resolve
from masking.core.plan import HIDDEN, LONG, Candidate, Plan, mark
from masking.core.reader import Reader
from masking.core.state import Moves, Reckoned, State, Touched, plainly
from masking.core.streamview import StreamView, shown
from masking.core.trail import Trail

__all__ = ["Edit", "Redactor"]

Edit = tuple[int, str | None]
"""How many characters of the text are dealt with, and what stands in their place (None: themselves)."""

_AFTER: Final = attrgetter("after", "pattern")
_NOTHING: Final[Touched] = frozenset()


class Redactor(Reader):
    """One lane's reader: `take` text as it comes, and it says what became of it, in order."""

    __slots__ = ()

    def __init__(self, plan: Plan, own: Collection[str], counts: Counter[str] | None = None) -> None:
        """`own` are values that are kept in clear: those of the session. `counts` counts by entity what is redacted."""
        super().__init__(plan, own, Counter() if counts is None else counts, Trail(plan.lookback))

    def take(self, text: str, *, last: bool = False) -> list[Edit]:
        """What may be said now that `text` has come; with `last`, all of it, and what follows begins afresh."""
        if last and len(text) > LONG:
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
        if len(pending) - hold > state.bound and (least := self.least(pending, hold, state.bound)) > hold:
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
            self.trail.add(pending[:hold])
        if last:
            self.afresh()
        else:
            self.held = whole[reach:]
            self.read = len(pending) - reach
            self.starts = tuple(start - reach for start in starts)
            self.touched = touched
        return edits

    def settled(
        self, pending: str, hold: int, before: str | None = None, candidates: list[Candidate] | None = None
    ) -> str:
        """What is said of `pending` where something may have matched and nothing before `hold` is open; `candidates`
        are what patterns find there behind `before`, if that is known."""
        starts = self.starts
        self.held = pending
        if before is None or candidates is None:
            edits, reach, self.touched = self._settle(pending, hold, self.touched)
        else:
            edits, reach, self.touched = self._decided(before, pending, hold, self.touched, candidates)
        self.held = pending[reach:]
        self.read = len(pending) - reach
        self.starts = tuple([start - reach for start in starts])
        said, at = "", 0
        for length, instead in edits:
            said += pending[at : at + length] if instead is None else instead
            at += length
        return said

    def reckoned(self, before: Moves, text: str) -> Reckoned | None:
        """What `text`, a whole piece in which no placeholder begins, does when these moves count, if that is known."""
        return self._plan.automaton.reckoned(before, text)

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

    def least(self, pending: str, hold: int, bound: int) -> int:
        """Where the last `bound` characters that rules see of `pending` begin, if that is behind `hold`."""
        size = len(pending)
        if pending.isascii() and ESCAPED.search(pending, hold) is None:
            return size - bound
        if size - hold < self.wide:
            return hold  # looked at lately: characters that are written as several, or that show nothing
        view = StreamView(pending)
        seen = len(view.text)
        least = view.original(seen - bound, seen - bound + 1)[0] if seen > bound else 0
        least = max(least, size - HIDDEN * self.state.widest, hold)
        self.wide = 0 if least > hold else 2 * (size - hold)
        return least

    def _settle(self, pending: str, hold: int, touched: Touched) -> tuple[list[Edit], int, Touched]:
        """Decide what ends before everything that is still open; returns what is said, up to where, and the rest."""
        plan = self._plan
        together = plan.together(touched)
        before, ends = self.trail.context(together.needs)
        candidates = plan.candidates(before, pending, together, ends, hold, self.until)
        return self._decided(before, pending, hold, touched, candidates)

    def _decided(
        self, before: str, pending: str, hold: int, touched: Touched, candidates: list[Candidate]
    ) -> tuple[list[Edit], int, Touched]:
        """As `_settle`, with what the patterns find behind `before`."""
        looks = self._plan.looks
        decided = candidates
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
            trail.add(pending[:reach])
        else:
            edits = self._edits(before, pending, reach, decided)
            said = 0
            if len(decided) > 1:
                decided.sort(key=_AFTER)
            for one in decided:
                if not looks[one.pattern].said:
                    continue  # its next match begins behind
                if one.after > said:
                    trail.add(pending[said : one.after])
                    said = one.after
                trail.append(looks[one.pattern].ended)
            trail.add(pending[said:reach])
        if reach >= len(pending):
            return edits, reach, _NOTHING
        if self.until > reach:
            # What matched may be another place than was found now, once more of the text is known.
            alive = self.state.patterns
            waiting |= frozenset([number for number in touched if plainly(number) in alive])
        self.until -= reach
        return edits, reach, waiting

    def _parted(self, candidates: list[Candidate], hold: int) -> tuple[int, list[Candidate], Touched]:
        """Up to where text may be said, the candidates that lie before, and the patterns of those that do not."""
        reach = _reach(candidates, hold)
        if reach < hold:
            self.blocked = max(one.after for one in candidates if one.start < hold) - reach
        waiting = frozenset([one.pattern for one in candidates if one.after > reach])
        return reach, [one for one in candidates if one.after <= reach], waiting

    def _edits(self, before: str, pending: str, reach: int, decided: list[Candidate]) -> list[Edit]:
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
                if value in own or (one.begun != one.start and _whole_value(before, pending, one) in own):
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
        self, pending: str, reach: int, decided: list[Candidate], kept: Collection[tuple[int, int]]
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


def _without_begun_escape(text: str, start: int) -> str:
    """`text` without an escape that has begun behind `start` and is not whole."""
    if text.find("%", start) < 0 and text.find("&", start) < 0 and text.find("\\", start) < 0:
        return text
    begun = MAY_GO_ON.search(text, start)
    return text if begun is None else text[: begun.start()]


def _from(starts: tuple[int, ...], least: int) -> tuple[int, ...]:
    """Where groups began, none of them before `least`: nothing that began earlier can still become a match."""
    return tuple([max(least, start) for start in starts])


def _whole_value(before: str, text: str, one: Candidate) -> str:
    """The value from where it begins, with characters that do not identify, in `before + text`."""
    begun = one.begun
    return shown(text[begun : one.end] if begun >= 0 else before[begun:] + text[: one.end])


def _reach(candidates: Sequence[Candidate], hold: int) -> int:
    """The last place up to `hold` that no match reaches over."""
    moved = True
    while moved:
        moved = False
        for one in candidates:
            if one.start < hold < one.after:
                hold, moved = one.start, True
    return hold
