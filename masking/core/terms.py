"""Term lists: found by Aho-Corasick where it is installed, else by their first characters.

Of the terms that begin at one place the longest counts, and of two that overlap the one that begins first. Both engines
find the same places. Terms and text are compared on the normalised view.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from masking.core.pattern import BOUNDARIES
from masking.core.view import View, folded

ahocorasick_rs: Any
try:
    import ahocorasick_rs
except ImportError:  # no wheel for this platform, or the extra `fast` was not asked for
    ahocorasick_rs = None

__all__ = ["Terms", "as_pattern", "normal"]

_MOST_LETTERS = 20_000  # of all terms together
_LONGEST = 200  # characters of a term
_SPECIAL = re.compile(r"([\x00-\x08\x0e-\x1b!-/:-@\[-`{-\x7f])")  # in ASCII, what is no letter, digit or blank


def normal(term: str) -> str:
    """A term as it is compared: the normalised view, without blanks around it, in lower case."""
    return folded(View(term).text.strip())


def as_pattern(words: Iterable[str]) -> str:
    """A pattern that matches the longest of some terms; "" where they are too many or too long for one.

    What begins alike is written once, so that an automaton of it has one position for a character.
    """
    tree: dict[str, Any] = {}
    letters = 0
    for word in words:
        letters += len(word)
        if letters > _MOST_LETTERS or len(word) > _LONGEST:
            return ""
        at = tree
        for character in word:
            at = at.setdefault(character, {})
        at[""] = {}
    return _written(tree) if tree else ""


def _written(tree: dict[str, Any]) -> str:
    begun = ""
    while (
        len(tree) == 1 and "" not in tree
    ):  # one way on: no group, so that groups do not nest as deep as terms are long
        ((character, tree),) = tree.items()
        begun += _SPECIAL.sub(r"\\\1", character)
    ways = [_SPECIAL.sub(r"\\\1", one) + _written(below) for one, below in tree.items() if one]
    if not ways:
        return begun
    return f"{begun}(?:{'|'.join(ways)}){'?' if '' in tree else ''}"


class Terms:
    """A list of terms with the words for what must not stand beside one.

    `spans` yields (start, end) in characters of the view. Terms that are empty in the normalised view are left out.
    """

    __slots__ = ("_after", "_before", "_engine", "after", "before", "ignore_case", "words")

    def __init__(
        self, terms: Collection[str], before: str = "none", after: str = "none", *, ignore_case: bool = False
    ) -> None:
        seen = (normal(term) if ignore_case else View(term).text.strip() for term in terms)
        self.words = tuple(dict.fromkeys(term for term in seen if term))
        self.before, self.after, self.ignore_case = before, after, ignore_case
        self._before = re.compile(BOUNDARIES[before][0])
        self._after = re.compile(BOUNDARIES[after][1])
        self._engine: _Automaton | _FirstCharacters = (
            _FirstCharacters(self.words) if ahocorasick_rs is None else _Automaton(self.words)
        )

    def everywhere(self, text: str) -> Iterable[tuple[int, int]]:
        """Every place of every term, by start, overlapping ones too and without a look at neighbours."""
        return self._engine.places(text)

    def spans(self, view: View) -> Iterator[tuple[int, int]]:
        """The places of terms, left to right, not overlapping."""
        text = folded(view.text) if self.ignore_case else view.text
        at = 0
        best: tuple[int, int] | None = None
        for start, end in self._engine.places(text):
            if start < at or not (self._before.match(text, start) and self._after.match(text, end)):
                continue
            if best is None or start == best[0]:
                best = (start, end) if best is None else max(best, (start, end))
            else:
                at = best[1]
                yield best
                best = (start, end) if start >= at else None
        if best is not None:
            yield best


class _Automaton:
    """Aho-Corasick, by ahocorasick_rs: one pass whatever the number of terms."""

    __slots__ = ("_automaton",)

    def __init__(self, words: tuple[str, ...]) -> None:
        self._automaton: Any = ahocorasick_rs.AhoCorasick(words)

    def places(self, text: str) -> list[tuple[int, int]]:
        """Every place of every term, by start."""
        try:
            found = self._automaton.find_matches_as_indexes(text, overlapping=True)
        except UnicodeEncodeError:  # a lone surrogate, which no term holds
            text = text.encode("utf-8", "masking.surrogates").decode()
            found = self._automaton.find_matches_as_indexes(text, overlapping=True)
        return sorted((start, end) for _, start, end in found)


class _FirstCharacters:
    """The same without Aho-Corasick: at each first character of a term, the lengths that such terms have."""

    __slots__ = ("_first", "_lengths", "_words")

    def __init__(self, words: tuple[str, ...]) -> None:
        self._words = frozenset(words)
        lengths: dict[str, set[int]] = {}
        for word in words:
            lengths.setdefault(word[0], set()).add(len(word))
        self._lengths = {first: sorted(sizes) for first, sizes in lengths.items()}
        self._first = re.compile("[" + "".join(map(re.escape, self._lengths)) + "]") if words else None

    def places(self, text: str) -> Iterator[tuple[int, int]]:
        """Every place of every term, by start."""
        if self._first is None:
            return
        for match in self._first.finditer(text):
            start = match.start()
            for length in self._lengths[match.group()]:
                end = start + length
                if end <= len(text) and text[start:end] in self._words:
                    yield start, end
