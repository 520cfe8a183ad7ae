"""Says quickly which of many patterns can match a text at all, and behind which place none of them begins.

Sixty exact patterns in one automaton make it grow with every new text. So each pattern is asked for in the cheapest
way that never hides a match: by a word that it needs, by its outline in digits and separators, or joined with others.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any, Final

from masking.core.outline import ANY_DIGIT, LEAST_DIGITS, MOST_BEHIND, SEPARATORS
from masking.core.pattern import BOUNDARIES, UNANCHORED, Pattern, options
from masking.core.terms import Terms
from masking.core.view import View

ahocorasick_rs: Any
try:
    import ahocorasick_rs
except ImportError:  # no wheel for this platform, or the extra `fast` was not asked for
    ahocorasick_rs = None
try:
    import re2
except ImportError:  # as ahocorasick_rs
    re2 = None

__all__ = ["Gate", "Joined", "Opened", "bounded", "joined"]

_MEMORY = 64 << 20  # bytes; an automaton that outgrows this starts its cache again, it does not miss
_NAMED = re.compile(r"\(\?P<[A-Za-z_0-9]+>")
_FEW = 5  # patterns
_LONG_S, _KELVIN = "ſ".encode(), "\u212a".encode()  # with (?i) RE2 takes them for s and k, which bytes.lower does not
_NO_DIGITS: Final = bytes(code for code in range(256) if code not in b"0123456789")
_LONG = 1 << 16  # bytes
_TOGETHER = 1 << 14  # bytes of texts that are looked at together
_ANCHOR = re.compile(r"(?<!\[)[\^$]")  # more than there are, as those in classes and escaped ones
_UNBOUNDED = 1 << 62
_SEPARATORS: Final = "".join(sorted(SEPARATORS)).encode()
# Where a pattern with an outline may stand, but for the signs before it: from a digit on, as far as separators go.
_BETWEEN = re.escape(_SEPARATORS.decode())
_RUN = re.compile(f"{ANY_DIGIT}(?:[{_BETWEEN}]*{ANY_DIGIT}){{{LEAST_DIGITS - 1}}}[{ANY_DIGIT}{_BETWEEN}]*".encode())
_ANY_DIGIT: Final = bytes.maketrans(b"0123456789", ANY_DIGIT.encode() * 10)
_EXACT = 2  # bytes at the beginning of a number whose digits are part of its form
_LONGEST_FORM = 64  # bytes
_FORMS = 1 << 14
_NOTHING: Final[Mapping[int, str]] = {}


Opened = tuple[int, int]
"""A pattern worth running, and the byte behind which no match of it begins."""


class Gate:
    """The patterns of a category, in the order given, and behind them its lists of terms.

    Patterns that need one of a few words (`masking.core.trigger`) are let through where such a word stands, lists where
    a term may: all words are looked for in one pass. Patterns that have an outline are let through by the forms of the
    text's numbers. The others are joined to one pattern, which mostly finds nothing; where it does, the same is done
    with a few at a time. All ask first whether the text has digits enough.
    """

    __slots__ = (
        "_all", "_always", "_automaton", "_digits", "_few", "_is_anchored", "_joined", "_longest", "_outlines",
        "_owners", "_words",
    )  # fmt: skip

    def __init__(
        self, patterns: Sequence[Pattern], needs: Mapping[int, str] = _NOTHING, terms: Sequence[Terms] = ()
    ) -> None:
        """`needs`: of some patterns, by index, another that stands wherever a match of theirs is accepted."""
        triggers = [pattern.trigger for pattern in patterns]
        self._all = range(len(patterns) + len(terms))
        self._digits = [one.needs for one in triggers] + [0] * len(terms)
        self._outlines = _outlines(patterns)
        outlined = frozenset(self._outlines.numbers if self._outlines is not None else ())
        plain = sorted(
            (one.digits, index) for index, one in enumerate(triggers) if not one.words and index not in outlined
        )
        sources = {index: needs.get(index) or bounded(patterns[index]) for _, index in plain}
        self._joined = joined(sources.values())
        self._is_anchored = any(_ANCHOR.search(source) for source in sources.values())
        few = [plain[start : start + _FEW] for start in range(0, len(plain), _FEW)]
        self._few = [(joined([sources[index] for _, index in some]), some) for some in few]
        owners: dict[bytes, list[int]] = {}
        self._always: list[int] = []
        for index, words in enumerate((*(one.words for one in triggers), *(one.words for one in terms))):
            if index >= len(patterns):
                if terms[index - len(patterns)].ignore_case and not all(map(_is_lowered, words)):
                    self._always.append(index)
                    continue
                words = {word.encode("utf-8", "masking.surrogates").lower().decode() for word in words}
            for word in words:
                owners.setdefault(word.encode(), []).append(index)
        self._words = list(owners)
        self._owners = list(owners.values())
        self._longest = max(map(len, owners), default=0)
        self._automaton: Any = None
        if ahocorasick_rs is not None and owners:
            self._automaton = ahocorasick_rs.BytesAhoCorasick(self._words)

    def open_for(self, view: View) -> list[int]:
        """The indexes of the patterns worth running, in ascending order."""
        return [index for index, _ in self.opened(view)]

    def opened(self, view: View) -> list[Opened]:
        """As `open_for`, each with the byte of `view.utf8` behind which no match of it begins."""
        utf8 = view.utf8
        data = utf8.lower()
        if not data.isascii() and (_LONG_S in data or _KELVIN in data):
            return [(index, _UNBOUNDED) for index in self._all]
        digits = len(utf8.translate(None, _NO_DIGITS))
        found = self._worded(data)
        if digits >= LEAST_DIGITS and self._outlines is not None:
            for end, places in self._outlines.find(utf8):
                for index, behind in places:
                    found[index] = end - behind
        if self._few and (self._joined is None or self._joined.search(utf8)):
            self._parted(utf8, digits, found)
        return self._told(found, digits)

    def opened_many(self, views: Sequence[View]) -> list[list[Opened]]:
        """As `opened` for each view: what is looked for in every text is looked for in many short ones at once."""
        if self._automaton is None or self._joined is None or self._outlines is None or self._always:
            return [self.opened(view) for view in views]
        told: list[list[Opened]] = []
        at = 0
        while at < len(views):
            stop, size = at, 0
            while stop < len(views) and (stop == at or size + len(views[stop].utf8) < _TOGETHER):
                size += len(views[stop].utf8) + 1
                stop += 1
            told += self._together(views[at:stop]) if stop > at + 1 else [self.opened(views[at])]
            at = stop
        return told

    def _together(self, views: Sequence[View]) -> list[list[Opened]]:
        """As `opened_many`. A line break between two texts is to every boundary what the end of a text is."""
        assert self._outlines is not None
        texts = [view.utf8 for view in views]
        whole = b"\n".join(texts)
        data = whole.lower()
        if not data.isascii() and (_LONG_S in data or _KELVIN in data):
            return [self.opened(view) for view in views]
        starts = [0, *accumulate(len(text) + 1 for text in texts)]
        found: dict[int, dict[int, int]] = defaultdict(dict)
        owners = self._owners
        for word, _, end in self._automaton.find_matches_as_indexes(data, overlapping=True):
            at = bisect_left(starts, end) - 1
            for index in owners[word]:
                found[at][index] = end - starts[at]
        for end, places in self._outlines.find(whole):
            at = bisect_left(starts, end) - 1
            for index, behind in places:
                found[at][index] = end - starts[at] - behind
        for at in self._joined_in(texts, whole, starts):
            self._parted(texts[at], len(texts[at]), found[at])
        told: list[list[Opened]] = [[] for _ in texts]
        for at, some in found.items():
            told[at] = self._told(some, len(texts[at].translate(None, _NO_DIGITS)))
        return told

    def _joined_in(self, texts: Sequence[bytes], whole: bytes, starts: Sequence[int]) -> list[int]:
        """The texts, which begin at `starts` of `whole`, in which one of the joined patterns may match."""
        assert self._joined is not None
        if self._is_anchored:
            return [at for at, text in enumerate(texts) if self._joined.search(text)]
        found: list[int] = []
        place = self._joined.find(whole, 0)
        while place >= 0:
            # A match may begin with its neighbour, the line break before its text.
            found.append(bisect_right(starts, place + 1) - 1)
            place = self._joined.find(whole, starts[found[-1] + 1] - 1)
        return found

    def _parted(self, utf8: bytes, digits: int, found: dict[int, int]) -> None:
        """Add those of the joined patterns that may match, where one of them does."""
        for together, some in self._few:
            if some[0][0] <= digits and (together is None or together.search(utf8)):
                found.update((index, _UNBOUNDED) for _, index in some)

    def _told(self, found: dict[int, int], digits: int) -> list[Opened]:
        for index in self._always:
            found[index] = _UNBOUNDED
        if not found:
            return []
        needed = self._digits
        return [one for one in sorted(found.items()) if needed[one[0]] <= digits]

    def _worded(self, data: bytes) -> dict[int, int]:
        """What is let through for its words, each with where the last of them ends."""
        found: dict[int, int] = {}
        if self._automaton is None:
            for at, word in enumerate(self._words):
                if word in data:
                    found.update(dict.fromkeys(self._owners[at], _UNBOUNDED))
        elif len(data) <= _LONG:
            owners = self._owners
            for word, _, end in self._automaton.find_matches_as_indexes(data, overlapping=True):
                for index in owners[word]:
                    found[index] = end
        else:
            # Piece by piece, because the places of words in a long text may be as many as its bytes.
            words: set[int] = set()
            for start in range(0, len(data), _LONG):
                piece = data[start : start + _LONG + self._longest]
                words.update(word for word, _, _ in self._automaton.find_matches_as_indexes(piece, overlapping=True))
            found.update(dict.fromkeys((index for word in words for index in self._owners[word]), _UNBOUNDED))
        return found


def _is_lowered(word: str) -> bool:
    """Whether bytes in ASCII lower case tell where a term stands in either case."""
    return all(one.isascii() or one.lower() == one.upper() for one in word)


_May = tuple[int, int, Sequence[bytes]]
"""A pattern, how much of a number lies behind the beginning of its match at least, and what the match begins with."""


class _Outlines:
    """Which patterns may match among the numbers of a text, by the numbers' forms; `numbers` are the patterns' own."""

    __slots__ = ("_begins", "_known", "_leasts", "_set", "numbers")

    def __init__(self, outlines: Iterable[tuple[int, int, Sequence[bytes], str]]) -> None:
        """Each pattern's number, how many characters its outline takes at least, what it begins with, and itself."""
        self.numbers, self._leasts, self._begins, sources = zip(*outlines, strict=True)
        self._set = re2.Set.SearchSet(options("LATIN1"))
        for source in (*sources, ""):  # without the last, which matches everything, memory was short
            self._set.Add(source.encode())
        self._set.Compile()
        self._known: dict[bytes, Sequence[_May]] = {}

    def find(self, data: bytes) -> list[tuple[int, Sequence[tuple[int, int]]]]:
        """Where numbers end that patterns may match in, each with those patterns, and how much of the number lies
        behind the beginning of a match at least."""
        found: list[tuple[int, Sequence[tuple[int, int]]]] = []
        signed = b"(" in data or b"+" in data
        known = self._known
        before = 0
        shape = data.translate(_ANY_DIGIT)
        # With one byte for all digits, the next number is found at the speed of a search for that byte.
        for run in _RUN.finditer(shape):
            form = run[0]
            if signed:
                start, end = run.span()
                if data.rfind(b"(", before, start) >= 0 or data.rfind(b"+", before, start) >= 0:
                    begun = _begun(data, before, start)
                    form = shape[begun:end]
                before = end
            places = known.get(form)
            if places is None:
                places = self._learned(form)
            if places:
                end = run.end()
                number = data[end - len(form) : end]
                form = number[:_EXACT] + form[_EXACT:]
                places = known.get(form)
                if places is None:
                    places = self._learned(form)
                some = [one[:2] for one in places if not one[2] or any(map(number.__contains__, one[2]))]
                found.append((end, some))
        return found

    def _learned(self, form: bytes) -> Sequence[_May]:
        """The patterns that may match in a form."""
        matching: list[int] = self._set.Match(form) or []
        last = len(self.numbers)
        places = sorted(set(matching) - {last}) if last in matching else range(last)
        known = [(self.numbers[at], self._leasts[at] - 1, self._begins[at]) for at in places]
        if len(form) <= _LONGEST_FORM:
            if len(self._known) >= _FORMS:
                self._known = {}
            self._known[form] = known
        return known


def _begun(data: bytes, before: int, start: int) -> int:
    """Where a number begins whose first digit stands at `start`: at a bracket or a plus with separators behind it."""
    head = data[before:start]
    signs = head[len(head.rstrip(_SEPARATORS)) :]
    places = [place for place in (signs.find(b"("), signs.find(b"+")) if place >= 0]
    return start - len(signs) + min(places) if places else start


class Joined:
    """Many patterns as one, each with its boundaries: whether any matches."""

    __slots__ = ("_regexp",)

    def __init__(self, source: str) -> None:
        self._regexp = re2.compile(source.encode(), options("UTF8", memory=_MEMORY))._regexp

    def search(self, data: bytes) -> bool:
        """Whether one of them matches somewhere in UTF-8."""
        return self.find(data, 0) >= 0

    def find(self, data: bytes, start: int) -> int:
        """Where the first match begins from `start` on, with the neighbours that boundaries look at; -1 for none."""
        found: int = self._regexp.Match(UNANCHORED, data, start, len(data))[0][0]
        return found


def bounded(pattern: Pattern) -> str:
    """A pattern with its boundaries, for RE2: the neighbours that they look at are part of the match."""
    source = _NAMED.sub("(?:", pattern.source)
    return f"{BOUNDARIES[pattern.before][2]}(?:{source}){BOUNDARIES[pattern.after][3]}"


def joined(sources: Iterable[str], before: str = "", after: str = "") -> Joined | None:
    """Patterns as one, with more pattern before and behind; None where that cannot be: without RE2, for instance."""
    body = "|".join(sources)
    if re2 is None or not body:
        return None
    try:
        return Joined(f"{before}(?:{body}){after}" if before or after else body)
    except re2.error:  # too large together, though not one by one
        return None


def _outlines(patterns: Sequence[Pattern]) -> _Outlines | None:
    if re2 is None:
        return None
    found = []
    for index, one in enumerate(patterns):
        source, whole, begins = one.trigger.outline
        if source and not one.trigger.words:
            # Where more may follow than the outline says, what stands behind it is no boundary.
            after = BOUNDARIES[one.after][3] if whole else ""
            least = one.trigger.least - MOST_BEHIND
            found.append(
                (index, least, [sign.encode() for sign in begins], f"{BOUNDARIES[one.before][2]}(?:{source}){after}")
            )
    return _Outlines(found) if found else None
