"""A value found once is found everywhere: mentions that no rule and no model saw, in other spacing, width or case.

A model misses the second mention of a name, and a number that one sentence calls an account stands alone in the next.
Values are compared in compact form: normalised view, lower case, without separators. What may differ between two
mentions, and where a value is too short to be looked for, is decided by what the value consists of, see `Values`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from masking.core.escapes import view_of
from masking.core.finding import Finding
from masking.core.terms import Terms
from masking.core.view import View, folded

__all__ = ["Values", "may_repeat"]

_SEPARATOR = re.compile(r"[\s.()·•‧・/_-]+")
_NO_SEPARATORS = dict.fromkeys(code for code in range(128) if _SEPARATOR.match(chr(code)))
_SEPARATOR_BYTES = bytes(_NO_SEPARATORS)
# Separators outside ASCII that a view leaves as they are, and the one letter there that is k in lower case.
_NOT_COMPACTED = tuple(sign.encode() for sign in "\x85\u1680\u2028\u2029·•‧・\u212a")
_APART = "\0"  # stands between texts that are looked at together; no separator
_MOST_BETWEEN = 3  # separator characters between two characters of a value: `) -`
_HAN = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3040-\u30ff\uac00-\ud7af\U00020000-\U0003ffff"
_IS_HAN = re.compile(f"[{_HAN}]")
_JOINED = re.compile(f"[^\\W_{_HAN}]")
"""A character that makes a longer word or number of what it stands beside; scripts without blanks do not."""
_WORD = re.compile(r"[^\W\d_]{3,}")
_NAMED = frozenset({"PERSON", "ADDRESS", "LOCATION", "ORGANIZATION"})
_FEW = 16  # values up to which looking for each is quicker than building an automaton
# Words that begin or end a person's name and are words of their own, so often that one alone is no mention of it.
_ALSO_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
    Miss Mrs Dr Prof Sir Lady Lord The And Von Van Der Den Del Della Dos Das Bin Ibn Jr Sr III Dear Best Thanks Regards
    Hello Mark Will May June April August Grace Hope Faith Joy Rose Summer Autumn Dawn Bill Rich Frank Art Jack Pat Sue
    Drew Chase Hunter Mason Page Green Brown White Black Gray Grey Young Long Short Little Small Large King Queen Price
    Cook Baker Bell Wood Woods Stone Hill Hills Lake Rivers Banks Fields Park Parks Street West East North South Day
    Moon Sun Bush Church House Hall Law Love Power Powers Rice Sharp Strong Wise Good Noble Rush Ray Fox Wolf Bird Fish
    Berry Ball Case Chance Christian English French Irish Welsh Scott German Paris London Sydney Austin Dallas Boston
    Washington Jordan Chad China India Israel Georgia Virginia Carolina Victoria Florence Lincoln Madison Jackson
    Houston Charlotte Santiago
    """,
    )
)


class _Value(NamedTuple):
    """A value in compact form, where its mention may have separators, and the finding that it comes from."""

    text: str
    gaps: frozenset[int]
    cased: str
    """As it must be written, or empty where either case counts."""
    finding: Finding


class Values:
    """Values that were found, to be found again; made for one text, or kept for the texts of one conversation.

    What is looked for: names, addresses, places and organisations of at least 2 characters of Chinese, Japanese or
    Korean or 3 letters of another script; everything else from 5 letters and digits of which 4 are digits, or from 8.
    Of a person's name in letters, the first and the last word count alone too, if they are not common words.
    What a mention may have otherwise: separators between digits and between Chinese characters (of which two must
    stand alone then: 国王 明天); separators where the value itself has one; case, but not that of a single word.
    """

    __slots__ = ("_automaton", "_told", "_values")

    def __init__(self) -> None:
        self._values: dict[str, _Value] = {}
        self._told: list[tuple[str, Finding]] = []
        self._automaton: Terms | None = None

    def __len__(self) -> int:
        self._learn()
        return len(self._values)

    def __bool__(self) -> bool:
        """Whether anything has been told; it may be too short to be looked for."""
        return bool(self._told or self._values)

    def __repr__(self) -> str:
        return f"<{len(self)} values>"

    def add(self, text: str, findings: Iterable[Finding]) -> None:
        """Remember the values of `findings` in `text`; a value that is known already keeps its first finding."""
        self._told += [(text[finding.start : finding.end], finding) for finding in findings]

    def _learn(self) -> None:
        """Put what was told in compact form, now that somebody asks for it: most conversations end before."""
        told, self._told = self._told, []
        for shown, finding in told:
            seen = View(shown).text.strip()
            for part in (seen, *_parts(seen, finding.entity)):
                value = _value(part, finding)
                if value is not None and value.text not in self._values:
                    self._values[value.text] = value
                    self._automaton = None

    def places(self, view: View, found: Iterable[Finding] = ()) -> Iterator[Finding]:
        """Mentions of the values, as findings of the rules that found them first; they may overlap one another.

        Those that are `found` already are left out.
        """
        self._learn()
        if not self._values:
            return
        text = view.once("folded", lambda: folded(view.text))
        found = tuple(found)
        if len(self._values) <= _FEW and view.is_aligned and not self._is_elsewhere(text, found):
            return
        there = {(finding.start, finding.end) for finding in found}
        gaps = [match.span() for match in _SEPARATOR.finditer(text)]
        compact = _Compact(text, gaps)
        for value, start, end in self._found(compact.text):
            first, last = compact.original(start), compact.original(end - 1) + 1
            original = view.original(first, last)
            if original not in there and _is_mention(view.text, value, compact, start, first, last):
                one = value.finding
                yield Finding(*original, one.entity, one.score, one.rule, one.checked)

    def are_alone(self, texts: Sequence[str], found: Sequence[Sequence[Finding]]) -> bool:
        """True only if no value stands in any of the texts but where it is `found`: `places` would give nothing."""
        self._learn()
        if not self._values:
            return True
        values = [text[one.start : one.end] for text, some in zip(texts, found, strict=True) for one in some]
        inside = _APART.join(values)
        if len(self._values) > _FEW or not inside.isascii() or inside.count(_APART) >= max(1, len(values)):
            return False
        compact = _compact(view_of(_APART.join(texts)))
        if compact is None or not all(map(str.isascii, self._values)):
            return False
        within = inside.lower().encode().translate(None, _SEPARATOR_BYTES)
        return all(compact.count(key) <= within.count(key) for key in map(str.encode, self._values))

    def _is_elsewhere(self, text: str, found: Sequence[Finding]) -> bool:
        """Whether any value may stand in the text outside of what is found: the quick answer for most."""
        compact = _squeezed(text)
        inside = "\n".join([_squeezed(text[one.start : one.end]) for one in found])
        return any(compact.count(key) > inside.count(key) for key in self._values)

    def _found(self, compact: str) -> Iterator[tuple[_Value, int, int]]:
        if len(self._values) <= _FEW:
            for value in self._values.values():
                at = compact.find(value.text)
                while at >= 0:
                    yield value, at, at + len(value.text)
                    at = compact.find(value.text, at + 1)
            return
        if self._automaton is None:
            self._automaton = Terms(self._values)
        for start, end in self._automaton.everywhere(compact):
            yield self._values[compact[start:end]], start, end


def may_repeat(view: View, text: str, found: Sequence[Finding]) -> bool:
    """Whether a value of `found` may stand anywhere else in `text`, which `view` shows: a quick answer for most."""
    if len(found) > _FEW:
        return True
    compact = _compact(view)
    if compact is None:
        return True
    for one in found:
        if one.entity == "PERSON":  # of which words count alone
            return True
        value = text[one.start : one.end]
        if not value.isascii():
            seen = View(value).text
            if seen != view.text[one.start : one.end] or any(not c.isascii() and c.lower() != c.upper() for c in seen):
                return True
            value = seen
        if compact.count(value.lower().encode("utf-8", "masking.surrogates").translate(None, _SEPARATOR_BYTES)) > 1:
            return True
    return False


def _compact(view: View) -> bytes | None:
    """The view without separators, in UTF-8, with ASCII letters in lower case; None where that would not show every
    mention of a value that has no other letters with case."""
    if not view.is_aligned:
        return None
    data = view.utf8
    if not data.isascii() and any(map(data.__contains__, _NOT_COMPACTED)):
        return None
    return data.lower().translate(None, _SEPARATOR_BYTES)


class _Compact:
    """A text without its separators, and the way back."""

    __slots__ = ("_shifts", "_sizes", "text")

    def __init__(self, text: str, gaps: Sequence[tuple[int, int]]) -> None:
        self._shifts: list[int] = []
        self._sizes: list[int] = []
        removed = 0
        for start, end in gaps:
            self._shifts.append(start - removed)
            removed += end - start
            self._sizes.append(removed)
        self.text = _SEPARATOR.sub("", text) if gaps else text

    def original(self, at: int) -> int:
        """Where the character at `at` stands in the text."""
        before = bisect_right(self._shifts, at)
        return at + (self._sizes[before - 1] if before else 0)

    def gap(self, at: int) -> int:
        """How many separators stand before the character at `at`."""
        return self.original(at) - self.original(at - 1) - 1


def _squeezed(text: str) -> str:
    """The text without separators."""
    return text.translate(_NO_SEPARATORS) if text.isascii() else _SEPARATOR.sub("", text)


def _parts(value: str, entity: str) -> Iterator[str]:
    """First and last word of a person's name of several words."""
    words = value.split()
    if entity != "PERSON" or len(words) < 2:
        return
    for word in (words[0], words[-1]):
        if _WORD.fullmatch(word) and word[0].isupper() and not word.isupper() and word not in _ALSO_WORDS:
            yield word


def _value(seen: str, finding: Finding) -> _Value | None:
    lower = folded(seen)
    pieces = [piece for piece in _SEPARATOR.split(lower) if piece]
    compact = "".join(pieces)
    if not _is_long_enough(compact, finding.entity):
        return None
    gaps: set[int] = set()
    at = 0
    for piece in pieces[:-1]:
        at += len(piece)
        gaps.add(at)
    # One word in lower case is mostly a word: rose, mark.
    single = len(pieces) == 1 and finding.entity in _NAMED and not _IS_HAN.search(compact)
    return _Value(compact, frozenset(gaps), seen if single else "", finding)


def _is_long_enough(compact: str, entity: str) -> bool:
    if entity in _NAMED:
        return len(compact) >= (2 if _IS_HAN.search(compact) else 3)
    digits = sum(map(str.isdigit, compact))
    return (len(compact) >= 5 and digits >= 4) or sum(map(str.isalnum, compact)) >= 8


def _is_mention(text: str, value: _Value, compact: _Compact, start: int, first: int, last: int) -> bool:
    key = value.text
    before, after = text[first - 1 : first], text[last : last + 1]
    if (_JOINED.match(key[0]) and _JOINED.match(before)) or (_JOINED.match(key[-1]) and _JOINED.match(after)):
        return False
    if value.cased and text[first:last] != value.cased:
        return False
    if last - first == len(key):
        return True
    alone = len(key) > 2 or not (_IS_HAN.match(before) or _IS_HAN.match(after))
    for at in range(1, len(key)):
        size = compact.gap(start + at)
        if size == 0 or (at in value.gaps and size <= _MOST_BETWEEN):
            continue
        one, other = key[at - 1], key[at]
        in_number = one.isdigit() and other.isdigit()
        in_name = bool(alone and _IS_HAN.match(one) and _IS_HAN.match(other))
        if size > _MOST_BETWEEN or not (in_number or in_name):
            return False
    return True
