"""What a text must hold for a pattern to match at all, read off the pattern: some words, some digits near each other.

Sixty exact patterns in one automaton make it grow with every new text, because each of its states says which of them
have matched so far. The triggers here are few and coarse, so that their automaton stays small; what they let through
is looked at exactly. They may let too much through, never too little.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from masking.core.character import ascii_taken_by, identifies, named_by
from masking.core.outline import DIGITS, SEPARATORS, Outline, members, outline
from masking.core.outline import constants as _is
from masking.core.outline import parser as _parser

__all__ = ["LEVELS", "Trigger", "chain", "trigger"]

_ANY = 1 << 31
_MOST_WORDS = 64
_MOST_MEMBERS = 4
_FAR = 99
LEVELS = (1, 3, 4, 5, 6, 7, 8, 9, 11, 13, 15)
"""Numbers of digits that a chain is measured by."""
_MOST_BETWEEN = 3
_SELDOM = 2.75
_SELDOM_WITH_DIGITS, _SOME_DIGITS = 2, 3  # two letters will do where some digits are needed as well
# Of words that consist of these, hardly any English sentence has none.
_EVERYWHERE = frozenset(
    (
        "a", "an", "and", "are", "as", "at", "be", "been", "by", "for", "from", "had", "has", "have", "in", "is", "it",
        "its", "must", "now", "of", "on", "or", "our", "she", "should", "that", "the", "their", "this", "to", "was",
        "we", "were", "will", "with", "you", "your",
    )
)  # fmt: skip
_SELDOM_PAIRS = frozenset({"hw", "qq", "vx", "wx"})  # of letters, that hardly any word has


@dataclass(frozen=True, slots=True)
class Trigger:
    """`words`, of which a matching text in ASCII lower case holds one; without such words the number of `digits` that
    it holds in one chain, at most three separators between two. `least` and
    `most` are the fewest and the most characters that match; `outline` is that of `masking.core.outline`;
    `needs` is the fewest digits that stand in a chain whatever matches, words or not."""

    words: frozenset[str] = frozenset()
    digits: int = 0
    least: int = field(default=0, compare=False)
    most: int = field(default=_ANY, compare=False)
    outline: Outline = field(default=Outline(), compare=False)
    needs: int = field(default=0, compare=False)
    unseen: bool = field(default=True, compare=False)
    """Whether a match may begin with a character that does not identify, signs in full-width forms aside."""


def chain(digits: int) -> str:
    """The pattern of a chain of at least that many digits."""
    return f"[0-9](?:[ \\-./()+,:;#_]{{0,{_MOST_BETWEEN}}}[0-9]){{{digits - 1}}}"


def _begins_unseen(items: Any, flags: int) -> bool:
    """Whether what these parts match may begin with a character that does not identify."""
    for code, argument in items:
        if code is _is.AT:
            continue
        if code is _is.SUBPATTERN:
            _, add, drop, inner = argument
            unseen, least = _begins_unseen(inner, (flags | add) & ~drop), inner.getwidth()[0]
        elif code is _is.BRANCH:
            unseen = any(_begins_unseen(branch, flags) for branch in argument[1])
            least = min(branch.getwidth()[0] for branch in argument[1])
        elif code in (_is.MAX_REPEAT, _is.MIN_REPEAT):
            unseen, least = _begins_unseen(argument[2], flags), argument[0] and argument[2].getwidth()[0]
        else:
            item = (code, argument)
            others = named_by(item, flags)
            unseen = others is None or not all(map(identifies, (*ascii_taken_by(item, flags), *others)))
            least = 1
        if unseen or least:
            return unseen
    return True


def trigger(source: str) -> Trigger:
    """The trigger of a pattern in the shared syntax of `masking.core.pattern`.

    Raises re.error, OverflowError or RecursionError for what `re` cannot read.
    """
    if _parser is None:
        re.compile(source, re.ASCII)
        return Trigger()
    tree = _parser.parse(source, re.ASCII)
    least, most = map(int, tree.getwidth())
    unseen = _begins_unseen(tree, tree.state.flags)
    best = _chain(tree).best
    words = _better(*_words(tree)) or frozenset()
    least_seldom = _SELDOM if best < _SOME_DIGITS else _SELDOM_WITH_DIGITS
    if words and all(_seldom(word) >= least_seldom for word in words):
        # What holds `card number` holds `card`.
        seldom = frozenset(word for word in words if not any(one != word and one in word for one in words))
        return Trigger(seldom, least=least, most=most, needs=best, unseen=unseen)
    digits = max((level for level in LEVELS if level <= best), default=0)
    return Trigger(digits=digits, least=least, most=most, outline=outline(tree), needs=best, unseen=unseen)


_Words = frozenset[str] | None
_EMPTY = frozenset({""})


def _words(items: Any, begun: frozenset[str] = _EMPTY) -> tuple[_Words, _Words]:
    """All that a part of a pattern can be, if that is little; else words of which one stands in whatever it is.

    `begun` is what stands directly before the part.
    """
    current = begun
    whole, best = True, None
    for op, value in items:
        if op is _is.BRANCH or op is _is.SUBPATTERN:
            # With what stands before, because the parser of `re` takes out of branches what all of them begin with.
            parts = [_words(branch, current) for branch in (value[1] if op is _is.BRANCH else [value[3]])]
            exact = _union([one for one, _ in parts])
            if exact is not None:
                current = exact
                continue
            whole = False
            best = _better(_better(best, current), _of_branches(parts))
            current = _EMPTY
            continue
        exact, words = _item_words(op, value)
        if exact is not None and len(current) * len(exact) <= _MOST_WORDS:
            current = frozenset([one + other for one in current for other in exact])
            continue
        whole = False
        best = _better(_better(best, current), words)
        current = _EMPTY if exact is None else exact
    return (current, best) if whole else (None, _better(best, current))


def _item_words(op: Any, value: Any) -> tuple[_Words, _Words]:
    if op is _is.LITERAL:
        return _letter(value), None
    if op is _is.IN:
        return _class(value), None
    if op in (_is.MAX_REPEAT, _is.MIN_REPEAT):
        least, most, inside = value
        one, other = _words(inside)
        if least == 0:
            return (one | {""} if one is not None and most == 1 else None), None
        if least == most == 1:
            return one, other
        return None, _better(one, other)
    if op is _is.AT:
        return frozenset({""}), None
    return None, None


def _union(exact: Sequence[_Words]) -> _Words:
    """All of them together, if that is little."""
    found: frozenset[str] = frozenset()
    for one in exact:
        if one is None:
            return None
        found |= one
    return found if len(found) <= _MOST_WORDS else None


def _of_branches(parts: Sequence[tuple[_Words, _Words]]) -> _Words:
    """Words of which one stands in whatever one of the branches is."""
    found: frozenset[str] = frozenset()
    for exact, words in parts:
        least = _better(exact, words)
        if least is None:
            return None
        found |= least
    return found


def _class(items: Any) -> _Words:
    members: list[int] = []
    for op, value in items:
        if op is _is.LITERAL:
            members.append(value)
        elif op is _is.RANGE and value[1] - value[0] < _MOST_MEMBERS:
            members += range(value[0], value[1] + 1)
        else:
            return None
    return _folded(members) if len(members) <= _MOST_MEMBERS else None


@lru_cache(maxsize=1024)
def _letter(code: int) -> _Words:
    return _folded([code])


def _folded(codes: list[int]) -> _Words:
    """The characters in ASCII lower case; None with a letter that has a case elsewhere, which `(?i)` would take too."""
    characters = [chr(code) for code in codes]
    if any(one.lower() != one.upper() and not one.isascii() for one in characters):
        return None
    return frozenset(one.lower() for one in characters)


def _better(one: _Words, other: _Words) -> _Words:
    """The words that are seldomer in a text."""
    if not other or "" in other:
        return one if one and "" not in one else None
    if not one or "" in one:
        return other
    return other if _rank(other) > _rank(one) else one


def _rank(words: frozenset[str]) -> tuple[float, int]:
    return min(map(_seldom, words)), -len(words)


@lru_cache(maxsize=4096)
def _seldom(word: str) -> float:
    """How little a word is to be expected in any text: by its bytes, unless it is digits and separators only."""
    if set(word) <= DIGITS | SEPARATORS:
        return min(len(word), 2) / 4
    if word == "@" or word in _SELDOM_PAIRS:
        return 3
    size = len(word.encode("utf-8", "surrogatepass"))
    return min(size - 0.25, _SELDOM) if all(part in _EVERYWHERE for part in word.split()) else size


@dataclass(slots=True)
class _Chain:
    """The `best` number of digits that stand in one chain whatever matches; with `whole`, all of it is that chain."""

    best: int
    whole: bool
    between: int = 0
    """With `whole`: the most separators in a row, at its ends as well."""


_BROKEN = _Chain(0, whole=False)


def _chain(items: Any) -> _Chain:
    """A chain is broken by what may be anything but digits and separators, or by too many separators."""
    best = run = gap = most = 0
    whole = True
    for op, value in items:
        one = _item_chain(op, value)
        if not one.whole:
            best = max(best, run, one.best)
            whole, run, gap = False, 0, 0
            continue
        if one.best == 0:
            gap += one.between
        elif run and gap + one.between > _MOST_BETWEEN:
            best = max(best, run)
            whole, run, gap = False, one.best, one.between
        else:
            run, gap = run + one.best, one.between
        most += one.between
    return _Chain(max(best, run), whole, min(most, _FAR))


def _item_chain(op: Any, value: Any) -> _Chain:
    if op is _is.LITERAL or op is _is.IN:
        taken = {chr(value)} if op is _is.LITERAL else members(value)
        if taken is None or not taken <= DIGITS | SEPARATORS:
            return _BROKEN
        digit = taken <= DIGITS
        return _Chain(int(digit), whole=True, between=int(not digit))
    if op is _is.SUBPATTERN:
        return _chain(value[3])
    if op is _is.BRANCH:
        parts = [_chain(branch) for branch in value[1]]
        return _Chain(
            min(part.best for part in parts), all(part.whole for part in parts), max(part.between for part in parts)
        )
    if op in (_is.MAX_REPEAT, _is.MIN_REPEAT):
        least, most, inside = value
        one = _chain(inside)
        if not one.whole:
            return _Chain(one.best if least else 0, whole=False)
        # Digits in every turn keep the separators of two turns apart.
        between = one.between if one.best else min(one.between * min(most, _FAR), _FAR)
        if one.best and one.between > _MOST_BETWEEN:
            return _Chain(one.best if least else 0, whole=False)
        return _Chain(one.best * least, whole=True, between=between)
    if op is _is.AT:
        return _Chain(0, whole=True)
    return _BROKEN
