"""Says quickly which of many patterns can match a text at all, and behind which place none of them begins.

Sixty exact patterns in one automaton make it grow with every new text. So each pattern is asked for in the cheapest
way that never hides a match: by a word that it needs, by its outline in digits and separators, or joined with others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from masking.core.outline import ANY_DIGIT, MOST_BEHIND
from masking.core.pattern import BOUNDARIES, UNANCHORED, Pattern, options
from masking.core.trigger import chain
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

__all__ = ["Gate", "Joined", "bounded", "joined"]

_MEMORY = 64 << 20  # bytes; an automaton that outgrows this starts its cache again, it does not miss
_NAMED = re.compile(r"\(\?P<[A-Za-z_0-9]+>")
_MANY = 1 << 30
_FEW = 5  # patterns
_DIGIT = re.compile(b"[0-9]")
_FOLDED_LATER = ("ſ".encode(), "\u212a".encode())  # with (?i) RE2 takes them for s and k, which bytes.lower does not
_LONG = 1 << 16  # bytes
_UNBOUNDED = 1 << 62
# Where a pattern with an outline may stand: from the first character of FIRST on, as far as digits and separators go.
_RUN = re.compile(rb"[(+0-9][-0-9 ./()+,:;#_]*")
_FORM: Final = bytes.maketrans(b"0123456789", ANY_DIGIT.encode() * 10)
_EXACT = 2  # bytes at the beginning of a number whose digits are part of its form
_LONGEST_FORM = 64  # bytes
_FORMS = 1 << 14
_NOTHING: Final[Mapping[int, str]] = {}


class Gate:
    """The patterns of a category, in the order given.

    Patterns that need one of a few words (`masking.core.trigger`) are let through where such a word stands: all words
    are looked for in one pass. Those that have an outline are let through by the forms of the text's numbers. The
    others are joined to one pattern, which mostly finds nothing; where it does, the same is done with a few at a time
    whose digits the text has. Without RE2 any digit will do for both.
    """

    __slots__ = (
        "_all", "_automaton", "_digits", "_few", "_joined", "_levels", "_longest", "_outlines", "_owners", "_words",
    )  # fmt: skip

    def __init__(self, patterns: Sequence[Pattern], needs: Mapping[int, str] = _NOTHING) -> None:
        """`needs`: of some patterns, by index, another that stands wherever a match of theirs is accepted."""
        self._all = range(len(patterns))
        triggers = [pattern.trigger for pattern in patterns]
        self._outlines = _outlines(patterns)
        outlined = frozenset(self._outlines.numbers if self._outlines is not None else ())
        plain = sorted(
            (one.digits, index) for index, one in enumerate(triggers) if not one.words and index not in outlined
        )
        sources = {index: needs.get(index) or bounded(patterns[index]) for _, index in plain}
        self._joined = joined(sources.values())
        few = [plain[start : start + _FEW] for start in range(0, len(plain), _FEW)]
        self._few = [(joined([sources[index] for _, index in some]), some) for some in few]
        self._digits = sorted({digits for digits, _ in plain} - {0})
        self._levels = None if self._joined is None else _levels(self._digits)
        owners: dict[bytes, list[int]] = {}
        for index, one in enumerate(triggers):
            for word in one.words:
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

    def opened(self, view: View) -> list[tuple[int, int]]:
        """As `open_for`, each with the byte of `view.utf8` behind which no match of it begins."""
        utf8 = view.utf8
        data = utf8.lower()
        if not data.isascii() and any(letter in data for letter in _FOLDED_LATER):
            return [(index, _UNBOUNDED) for index in self._all]
        found: dict[int, int] = {}
        if self._automaton is None:
            for at, word in enumerate(self._words):
                if word in data:
                    found.update(dict.fromkeys(self._owners[at], _UNBOUNDED))
        elif len(data) <= _LONG:
            for word, _, end in self._automaton.find_matches_as_indexes(data, overlapping=True):
                for index in self._owners[word]:
                    found[index] = end
        else:
            # Piece by piece, because the places of words in a long text may be as many as its bytes.
            words: set[int] = set()
            for start in range(0, len(data), _LONG):
                piece = data[start : start + _LONG + self._longest]
                words.update(word for word, _, _ in self._automaton.find_matches_as_indexes(piece, overlapping=True))
            found.update(dict.fromkeys((index for word in words for index in self._owners[word]), _UNBOUNDED))
        if self._outlines is not None:
            self._outlines.find(utf8, found)
        if self._few and (self._joined is None or self._joined.search(utf8)):
            digits = self._most_digits(utf8)
            for together, some in self._few:
                if some[0][0] <= digits and (together is None or together.search(utf8)):
                    found.update((index, _UNBOUNDED) for needed, index in some if needed <= digits)
        return sorted(found.items())

    def _most_digits(self, data: bytes) -> int:
        """A number of digits that stand in one chain, at least as many as any pattern of its level needs."""
        if self._levels is None:
            return _MANY if _DIGIT.search(data) else 0
        found: list[int] = self._levels.Match(data) or []
        # The last matches everything: an answer without it would tell of an automaton that ran out of memory.
        if len(self._digits) not in found:
            return _MANY
        return max((self._digits[level] for level in found if level < len(self._digits)), default=0)


class _Outlines:
    """Which patterns may match among the numbers of a text, by the numbers' forms; `numbers` are the patterns' own."""

    __slots__ = ("_known", "_least", "_leasts", "_set", "numbers")

    def __init__(self, outlines: Iterable[tuple[int, int, str]]) -> None:
        """Each pattern's number, how many characters its outline takes at least, and the outline."""
        self.numbers, self._leasts, sources = zip(*outlines, strict=True)
        self._least = min(self._leasts)
        self._set = re2.Set.SearchSet(options("LATIN1"))
        for source in (*sources, ""):  # the last matches everything, as in `_levels`
            self._set.Add(source.encode())
        self._set.Compile()
        self._known: dict[bytes, Sequence[tuple[int, int]]] = {}

    def find(self, data: bytes, found: dict[int, int]) -> None:
        """Add the patterns that may match in `data`, each with where the last number ends that it may match in."""
        for run in _RUN.finditer(data):
            start, end = run.span()
            if end - start >= self._least:
                number = run[0]
                form = number[:_EXACT] + number[_EXACT:].translate(_FORM)
                known = self._known.get(form)
                for index, least in self._learned(form) if known is None else known:
                    found[index] = end - least

    def _learned(self, form: bytes) -> Sequence[tuple[int, int]]:
        """The patterns that may match in a form, and how much of it lies behind the beginning of a match at least."""
        matching: list[int] = self._set.Match(form) or []
        last = len(self.numbers)
        places = sorted(set(matching) - {last}) if last in matching else range(last)
        known = [(self.numbers[at], self._leasts[at] - 1) for at in places]
        if len(form) <= _LONGEST_FORM:
            if len(self._known) >= _FORMS:
                self._known = {}
            self._known[form] = known
        return known


class Joined:
    """Many patterns as one, each with its boundaries: whether any matches."""

    __slots__ = ("_regexp",)

    def __init__(self, source: str) -> None:
        self._regexp = re2.compile(source.encode(), options("UTF8", memory=_MEMORY))._regexp

    def search(self, data: bytes) -> bool:
        """Whether one of them matches somewhere in UTF-8."""
        found: bool = self._regexp.Match(UNANCHORED, data, 0, len(data))[0][0] >= 0
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
        source, whole = one.trigger.outline
        if source and not one.trigger.words:
            # Where more may follow than the outline says, what stands behind it is no boundary.
            after = BOUNDARIES[one.after][3] if whole else ""
            found.append((index, one.trigger.least - MOST_BEHIND, f"{BOUNDARIES[one.before][2]}(?:{source}){after}"))
    return _Outlines(found) if found else None


def _levels(digits: Sequence[int]) -> Any:
    made = re2.Set.SearchSet(options("LATIN1"))
    for number in digits:
        made.Add(chain(number).encode())
    made.Add(b"")
    made.Compile()
    return made
