"""Finds in runs of digits and punctuation what can be found there, each run once for all recognisers.

What a pattern of digits finds depends on a run's shape, which is the run with all digits alike, or is ruled out by it;
and so does what may be a telephone number. So each shape is worked out once, and remembered without its digits.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, Protocol

from masking.core.phone import Candidate, Phones
from masking.core.phoneform import LEADS, PLAIN_WIDE
from masking.core.phonerun import chained, joints, runs
from masking.presidio.gate import any_of
from masking.presidio.image import image
from masking.presidio.matched import Matched, Met
from masking.presidio.numeric import DIGIT, Numeric, alike, numeric
from masking.presidio.syntax import on_images

__all__ = ["Owner", "Span", "Windows"]

Span = tuple[int, int, float]
"""Start, end, score."""

_RUNS: Final = 0
_JOINED: Final = 1
_SHORT: Final = 2
"""The numbers of the marks: there are runs to be read; something joins runs; one may be a short telephone number."""

_LONGEST: Final = 64  # characters of a run that is remembered
_MOST_KNOWN: Final = 4096  # shapes
_CHAIN: Final = 6  # digits; patterns of so many share a mark
_BEGINNINGS: Final = f"0123456789{LEADS}"
"""All that a run can begin with."""
_NEVER: Final = r"0\b0"


class Owner(Protocol):
    """What looks for something in runs: some patterns, or telephone numbers."""

    @property
    def parts(self) -> Sequence[Matched]: ...
    @property
    def is_grouped(self) -> bool:
        """Whether a match's groups count."""
        ...

    @property
    def is_judged(self) -> bool:
        """Whether a match may be no finding."""
        ...

    @property
    def phones(self) -> Phones | None: ...
    def judge(self, number: int, text: str, spans: Sequence[tuple[int, int]], found: list[Span]) -> None:
        """Adds those of the places where a pattern of its own matches that are findings."""
        ...


class _Pattern:
    """A pattern of an owner's, for runs."""

    __slots__ = ("_brief", "index", "is_judged", "is_met", "number", "of", "owner", "part")

    def __init__(self, owner: Owner, index: int, number: int, part: Matched, of: Numeric) -> None:
        self.owner, self.index, self.number, self.part, self.of = owner, index, number, part, of
        self.is_judged = owner.is_judged or part.score <= 0
        self.is_met = Met(of.needed)
        # Where there is little to be tried `re` is quicker than RE2, and says the same (see linear.py).
        brief = on_images(part.source, part.flags) if of.is_brief else None
        self._brief = None if brief is None else brief.search

    def places(self, text: str, data: bytes | None, at: int, end: int) -> list[tuple[int, int]]:
        """Where it matches in a run, which is read with as much on both sides as counts; `data` is an ASCII text."""
        reach = self.of.reach
        first = at - reach if at > reach else 0
        piece = image(text[first : end + reach]) if data is None else data[first : end + reach]
        found: list[tuple[int, int]] = []
        if self._brief is None:
            for start, stop in self.part.spans(text[first : end + reach], piece):
                if first + start >= at and first + stop <= end:
                    found.append((first + start, first + stop))
            return found
        match = self._brief(piece)
        while match is not None:
            start, stop = match.span()
            if first + start >= at and first + stop <= end:
                found.append((first + start, first + stop))
            if first + stop + self.of.least > end:
                break
            match = self._brief(piece, stop)
        return found


class _Known:
    """What a run of some shape may hold, by owner."""

    __slots__ = ("certain", "dialled", "firsts", "possible")

    def __init__(
        self,
        certain: Sequence[tuple[_Pattern, Sequence[tuple[int, int]]]],
        possible: Sequence[_Pattern],
        dialled: Sequence[tuple[int, Phones, tuple[Candidate, ...] | None]],
    ) -> None:
        self.certain = certain
        """A pattern and where it matches, from the start of the run."""
        self.possible = possible
        self.dialled = dialled
        """The owner's number, what asks the plans, and what to ask; None where only the whole text will do."""
        parts = {
            (part.place, part.firsts)
            for _, _, some in dialled
            if some is not None
            for one in some
            for part in one.parts
        }
        is_whole = any(some is None for _, _, some in dialled)
        self.firsts = ((0, _BEGINNINGS),) if is_whole else tuple(parts)
        """Places of digits of which one must be one of some for anything dialled to be found."""


_NOTHING: Final = _Known((), (), ())


class Windows:
    """Reads the runs of texts without odd characters (see image.py) for some owners; shared between threads."""

    __slots__ = (
        "_candidates",
        "_finditer",
        "_finditer_wide",
        "_known",
        "_long",
        "_needed",
        "_owners",
        "_patterns",
        "_phones",
        "_short",
        "_table",
        "_wide",
        "taken",
    )

    def __init__(self, owners: Sequence[Owner]) -> None:
        self._owners = owners
        self._patterns: list[_Pattern] = []
        for index, owner in enumerate(owners):
            for number, part in enumerate(() if owner.is_grouped else owner.parts):
                of = numeric(part.source, part.flags)
                if of is not None:
                    self._patterns.append(_Pattern(owner, index, number, part, of))
        self.taken = frozenset((one.index, one.number) for one in self._patterns)
        """The owners' numbers and those of their patterns that are looked for here."""
        self._phones = [(index, owner.phones) for index, owner in enumerate(owners) if owner.phones is not None]
        self._table = alike([known for one in self._patterns for known in sorted(one.of.sets, key=sorted)])
        self._wide = _Wide(self._table)
        self._needed = [phones.needed() for _, phones in self._phones]
        self._short = Met("|".join(short for _, _, short in self._needed if short) or _NEVER)
        digits = [one.of.least for one in self._patterns] + [phones.least for _, phones in self._phones]
        least = max(1, min(digits, default=1))
        self._finditer = re.compile(runs(least, wide=False).encode()).finditer
        self._finditer_wide = re.compile(runs(least, wide=True)).finditer
        self._candidates: dict[int, dict[str, tuple[Candidate, ...] | None]] = {index: {} for index, _ in self._phones}
        # By shape, with the neighbours; apart for runs at the start or the end of a text.
        self._known: tuple[dict[str | bytes, _Known], ...] = ({}, {}, {}, {})
        self._long = _Known((), self._patterns, [(index, phones, None) for index, phones in self._phones])

    def marks(self) -> list[str]:
        """Patterns for RE2 on UTF-8, of which `find` must be told which ones a text has."""
        of_patterns = [(one.of.least, one.part.source, one.part.flags) for one in self._patterns]
        some = [any_of((source, flags) for least, source, flags in of_patterns if least < _CHAIN)]
        least = min((least for least, _, _ in of_patterns if least >= _CHAIN), default=0)
        if least:
            some.append(chained(least))
        some += sorted({needed for needed, _, _ in self._needed})
        marks = ["|".join(f"(?:{one})" for one in some if one) or _NEVER]
        if self._phones:
            marks.append(joints())
            marks += ["|".join(sorted({short for _, short, _ in self._needed if short})) or _NEVER]
        return marks

    def find(self, text: str, data: bytes, marks: Sequence[int]) -> dict[int, list[Span]]:
        """By the owners' numbers what is found; `data` is the text in UTF-8, `marks` are those that stand in it."""
        if _RUNS not in marks and not (_SHORT in marks and self._short(data)):
            return {}
        found: dict[int, list[Span]] = {}
        is_ascii = len(data) == len(text)
        subject: Any = data if is_ascii else text
        table: Any = self._table if is_ascii else self._wide
        finditer: Any = self._finditer if is_ascii else self._finditer_wide
        size = len(subject)
        is_whole = _JOINED in marks
        for match in finditer(subject):
            at, end = match.span()
            key = subject[at - 1 if at else 0 : end + 1].translate(table)
            known = self._known[(at == 0) + 2 * (end == size)].get(key)
            if known is None:
                known = self._learn(key, at == 0, end == size)
            if known is _NOTHING:
                continue
            for one, spans in known.certain:
                _add(one, text, [(at + start, at + stop) for start, stop in spans], found)
            for one in known.possible:
                places = one.places(text, data if is_ascii else None, at, end)
                if places:
                    _add(one, text, places, found)
            for place, firsts in known.firsts:
                if text[at + place] in firsts:
                    is_whole = is_whole or not self._dial(text, at, match.group(), known, found)
                    break
        if is_whole:
            for index, phones in self._phones:
                found[index] = []
                self._owners[index].judge(0, text, list(phones.find(text)), found[index])
        return found

    def _dial(self, text: str, at: int, run: str | bytes, known: _Known, found: dict[int, list[Span]]) -> bool:
        for index, phones, candidates in known.dialled:
            numbers: list[tuple[int, int]] = []
            if candidates is None or not phones.judged(text, at, run, candidates, numbers):
                return False
            if numbers:
                self._owners[index].judge(0, text, numbers, found.setdefault(index, []))
        return True

    def _learn(self, key: Any, is_start: bool, is_end: bool) -> _Known:
        if len(key) > _LONGEST:
            return self._long
        shape = key if isinstance(key, str) else key.decode("latin-1")
        seen = image(shape)
        before = 0 if is_start else 1
        digits = seen.count(DIGIT)
        certain, possible, dialled = [], [], []
        for one in self._patterns:
            if one.of.least > digits:
                continue
            if one.of.is_blind:
                spans = one.part.spans(shape, seen)
                if spans:
                    certain.append((one, [(start - before, end - before) for start, end in spans]))
            elif one.is_met(seen):
                possible.append(one)
        for index, phones in self._phones:
            run = shape[before : len(shape) if is_end else -1]
            if run not in self._candidates[index]:
                if len(self._candidates[index]) >= _MOST_KNOWN:
                    self._candidates[index].clear()
                self._candidates[index][run] = phones.candidates(run)
            candidates = self._candidates[index].get(run)
            if candidates != ():
                dialled.append((index, phones, candidates))
        known = _Known(certain, possible, dialled) if certain or possible or dialled else _NOTHING
        of_edge = self._known[is_start + 2 * is_end]
        if len(of_edge) >= _MOST_KNOWN:
            of_edge.clear()
        of_edge[key] = known
        return known


class _Wide(dict[int, int]):
    """The same for `str.translate`: characters outside ASCII by their kind, but for those that runs consist of."""

    def __init__(self, table: bytes) -> None:
        super().__init__()
        self._table = table

    def __missing__(self, code: int) -> int:
        if len(self) >= _MOST_KNOWN:
            self.clear()
        character = chr(code)
        kept = character in PLAIN_WIDE
        self[code] = found = code if kept else self._table[image(character)[0]]
        return found


def _add(one: _Pattern, text: str, places: list[tuple[int, int]], found: dict[int, list[Span]]) -> None:
    of_owner = found.get(one.index)
    if of_owner is None:
        of_owner = found[one.index] = []
    if one.is_judged:
        one.owner.judge(one.number, text, places, of_owner)
    else:
        score = one.part.score
        for start, end in places:
            of_owner.append((start, end, score))
