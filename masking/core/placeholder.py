"""The placeholder and everything that a model may make of it.

The canonical form is `<ENTITY_N>`. Models answer with other forms of it, and each of these is understood:

    brackets   <PERSON_1>  ＜PERSON_1＞  〈PERSON_1〉  «PERSON_1»  [PERSON_1]  【PERSON_1】  {PERSON_1}  {{PERSON_1}}
    escapes    &lt;PERSON_1&gt;  &#60;...&#62;  \\u003cPERSON_1\\u003e  %3CPERSON_1%3E  \\<PERSON_1\\>  PERSON\\_1
    letters    any case and any width inside brackets; `PHONE NUMBER 1` and `phone-number-1` for `PHONE_NUMBER_1`
    lost       <PERSON_1 (closing bracket)   PERSON_1> (opening bracket)   PERSON_1 (both, upper case, on its own)

Whether a form is restored is not decided here: only if its canonical form is in the session.

The grammar is a deterministic automaton, built state by state as texts ask for it. It reads one character at a time,
so what it says of a text does not depend on how the text was cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, cached_property
from typing import Any, Final, Literal

from masking.core.links import LOUD_SIGNS

try:
    import re2
except ImportError:  # as re2 is where there is no wheel of it
    re2 = None

__all__ = ["ENTITY", "LONGEST", "Escape", "Grammar", "State", "canonical", "escape_of"]

Escape = Literal["none", "html", "json", "percent"]
"""How the model wrote the opening bracket, and so how the value is to be written in its place."""

ENTITY: Final = re.compile(r"[A-Z]+(?:_[A-Z]+)*")
"""What an entity may be called; without digits, which would run into the number."""

LONGEST: Final = 24
"""Longest entity name in characters; bounds how much of a stream can wait."""

_DIGITS: Final = 18  # as many as keyed placeholders have
_TAIL: Final = 3  # letters of an entity that a quick look before a number sees
_BLANKS: Final = ("", " ", "  ")

# Characters that count as another one inside brackets: full-width forms, and the brackets that models like.
_FOLD: Final = {
    **{chr(code): chr(code - 0xFEE0).lower() for code in range(0xFF01, 0xFF5F)},
    **{chr(code): chr(code + 32) for code in range(ord("A"), ord("Z") + 1)},
    **dict.fromkeys("〈⟨‹«", "<"),
    **dict.fromkeys("〉⟩›»", ">"),
    **dict.fromkeys("【〔", "["),
    **dict.fromkeys("】〕", "]"),
    "\u3000": " ",
    "\u00a0": " ",
}

# How a form may be opened, how it may be closed, and whether the closing bracket may be lost. An escaped bracket must
# be closed by an escaped one: in `C:\\Users\\<PERSON_1>` the backslash is the user's own.
_BRACKETS: Final[tuple[tuple[tuple[str, ...], tuple[str, ...], bool], ...]] = (
    (
        ("<", "&lt;", "&#60;", "&#x3c;", "\\u003c", "%3c"),
        (">", "&gt;", "&#62;", "&#x3e;", "\\u003e", "%3e"),
        True,
    ),
    (("\\<",), ("\\>",), False),
    (("[",), ("]",), False),
    (("\\[",), ("\\]",), False),
    (("{",), ("}",), False),
    (("{{",), ("}}",), False),
)
_SIGNS: Final = "<＜〈⟨‹«[［【〔{｛&＆%％\\＼"
"""Characters with which a form may begin, besides the entities' own letters."""
_UNANCHORED: Final = None if re2 is None else re2._re2.RE2.Anchor.UNANCHORED
_JOINT: Final = 5  # characters of the longest of what follows, `&#95;` without one
_OPENER: Final = 8  # ... and of an opening bracket with the blanks behind it
_INNER: Final = ("_", "\\_", "\\\\_", " ", "-", "%5f", "&#95;")


def escape_of(form: str) -> Escape:
    """How the value must be written in the place of `form`: as the model wrote its opening bracket."""
    if form[0] in "&＆":
        return "html"
    if form[0] in "%％":
        return "percent"
    return "json" if form[:2].lower() == "\\u" else "none"


def canonical(entity: str, number: int | str) -> str:
    """The placeholder's canonical form, `<ENTITY_N>`."""
    return f"<{entity}_{number}>"


class State:
    """A state of the automaton: where each next character leads, and what has been read so far.

    `entities` are those that a longer text could still name. `accepts` is the entity, and whether the form is closed
    by its own bracket; `digit` says that the character just read belongs to the number, `final` that no form goes on.
    """

    __slots__ = ("accepts", "digit", "entities", "final", "next", "places")

    def __init__(self, places: frozenset[int], grammar: _Builder) -> None:
        self.places = places
        self.next: dict[str, State | None] = {}
        marks = [grammar.accept[place] for place in places if place in grammar.accept]
        self.accepts: tuple[str, bool] | None = max(marks, key=lambda mark: mark[1]) if marks else None
        self.digit = any(place in grammar.digits for place in places)
        self.final = not any(grammar.moves[place] for place in places)
        self.entities = frozenset(grammar.entity[place] for place in places)


class _Builder:
    """A nondeterministic automaton over folded characters, in adjacency lists."""

    def __init__(self) -> None:
        self.moves: list[dict[str, set[int]]] = [{}]
        self.silent: list[set[int]] = [set()]
        self.entity: dict[int, str] = {}
        self.accept: dict[int, tuple[str, bool]] = {}
        self.digits: set[int] = set()
        self.current = ""

    def place(self) -> int:
        self.moves.append({})
        self.silent.append(set())
        self.entity[len(self.moves) - 1] = self.current
        return len(self.moves) - 1

    def word(self, start: int, word: str, end: int) -> None:
        """Reads `word` from `start` to `end`."""
        for character in word[:-1]:
            step = self.place()
            self.moves[start].setdefault(character, set()).add(step)
            start = step
        self.moves[start].setdefault(word[-1], set()).add(end)

    def either(self, start: int, words: Iterable[str]) -> int:
        """Reads one of `words`; returns where all of them end."""
        end = self.place()
        for word in words:
            if word:
                self.word(start, word, end)
            else:
                self.silent[start].add(end)
        return end

    def number(self, start: int) -> int:
        """Reads a number without a leading zero; returns where it may end."""
        end = self.place()
        for length in range(_DIGITS):
            step = self.place()
            self.digits.add(step)
            for digit in "123456789" if length == 0 else "0123456789":
                self.moves[start].setdefault(digit, set()).add(step)
            self.silent[step].add(end)
            start = step
        return end

    def closed(self, places: Iterable[int]) -> frozenset[int]:
        """The places reachable without reading."""
        seen = set(places)
        todo = list(seen)
        while todo:
            for follower in self.silent[todo.pop()] - seen:
                seen.add(follower)
                todo.append(follower)
        return frozenset(seen)


def _before_a_number(entities: Iterable[str]) -> str:
    """A pattern for a number's first digit behind the last letters of some entity and what may stand between them."""
    tails: dict[int, set[str]] = {}
    for tail in _tails(entities):
        tails.setdefault(len(tail), set()).add("".join(map(_as_folded, tail)))
    joints = ["".join(map(_as_folded, joint)) for joint in (*_INNER, "")]
    # A group for each length and joint: what a lookbehind looks at has one length.
    behind = [f"(?<=(?:{'|'.join(sorted(same))}){joint}.)" for same in tails.values() for joint in joints]
    return f"[1-9１-９](?:{'|'.join(behind)})"


def _tails(entities: Iterable[str]) -> set[str]:
    """The last letters of the entities, as they count."""
    return {entity.lower().rpartition("_")[2][-_TAIL:] for entity in entities}


def _quick(entities: Iterable[str]) -> Any:
    """What finds an entity with a number behind it, in whatever form, by RE2; None without RE2."""
    if re2 is None or not (words := sorted({entity.lower() for entity in entities})):
        return None
    joints = "|".join("".join(map(_as_folded, joint)) for joint in _INNER)
    either = "|".join(f"(?:{joints})".join("".join(map(_as_folded, part)) for part in one.split("_")) for one in words)
    options = re2.Options()
    options.never_capture = True
    return re2.compile(f"(?:{either})(?:{joints}|)[1-9１-９]".encode(), options)._regexp


@cache
def _as_folded(character: str) -> str:
    """A class of all characters that count as this one."""
    alike = [other for other, one in _FOLD.items() if one == character]
    return f"[{''.join(map(re.escape, sorted({character, *alike})))}]"


class Grammar:
    """The forms of the placeholders of some entities.

    `starts` finds the next character at which a form may begin, `anywhere` also one that is joined to a word before it;
    `quiet` remembers texts in which none can begin, `loud` those of them in which a link may.
    Immutable in what it accepts; states and the memory of quiet texts grow with use, up to a bound.
    """

    def __init__(self, entities: Sequence[str]) -> None:
        self.entities = tuple(entities)
        self._made: tuple[_Builder, State, State] | None = None
        self._states: dict[frozenset[int], State] = {}
        self.quiet: dict[str, str] = {}
        self.loud: dict[str, str] = {}
        self._quick = _quick(self.entities)
        self.reach = max((len(one) + _JOINT * one.count("_") for one in entities), default=0) + _JOINT + _OPENER

    @cached_property
    def starts(self) -> re.Pattern[str]:
        """Made when the first answer comes."""
        return re.compile(self._start_pattern(alone=True))

    @cached_property
    def signs(self) -> str:
        """Every character with which a form may begin, or behind which a link may."""
        return _SIGNS + LOUD_SIGNS + "".join(sorted({entity[0] for entity in self.entities}))

    @cached_property
    def anywhere(self) -> re.Pattern[str]:
        """Made when the first text may hold a form."""
        return re.compile(self._start_pattern(alone=False))

    @cached_property
    def _possible(self) -> re.Pattern[str]:
        return re.compile(_before_a_number(self.entities))

    def _automaton(self) -> tuple[_Builder, State, State]:
        """The automaton, where bracketed forms begin in it, and bare ones: made when the first text may hold a form."""
        if self._made is None:
            build = _Builder()
            bracketed, bare = build.place(), build.place()
            for entity in self.entities:
                build.current = entity
                _bracketed(build, bracketed, entity)
                _bare(build, bare, entity)
            self._made = build, self._state(build, {bracketed}), self._state(build, {bare})
        return self._made

    def _start_pattern(self, *, alone: bool) -> str:
        firsts = sorted({entity.split("_")[0] for entity in self.entities})
        ends = sorted({word[:length] for word in firsts for length in range(1, len(word))})
        bare = "|".join([*firsts, *(f"{end}\\Z" for end in ends)])
        return f"[{re.escape(_SIGNS)}]|" + ("(?<![0-9A-Za-z_])" if alone else "") + f"(?:{bare})"

    def possible_in(self, text: str) -> bool:
        """Whether a form can stand in a whole text: it takes a digit, and a letter of an entity before it.

        Cheaper than looking for where one begins, and enough for nearly every text.
        """
        if self._quick is not None:
            data = text.encode("utf-8", "replace")
            found: bool = self._quick.Match(_UNANCHORED, data, 0, len(data))[0][0] >= 0
            return found
        return self._possible.search(text) is not None

    def numbers(self, text: str) -> Iterator[int]:
        """Where the number of a form may begin in a whole text, in order."""
        return (match.start() for match in self._possible.finditer(text))

    def begin(self, character: str) -> State | None:
        """The state after the first character of a form, or None."""
        _, bracketed, bare = self._made or self._automaton()
        if character.isalpha() and character.isascii():
            return self._step(bare, character)
        return self._step(bracketed, _FOLD.get(character, character))

    def follow(self, state: State, character: str, *, bare: bool) -> State | None:
        """The state after one more character, or None if no form goes on like this."""
        try:
            return state.next[character]
        except KeyError:
            return self._step(state, character if bare else _FOLD.get(character, character), character)

    def folded(self, character: str) -> str:
        """The character that `character` counts as."""
        return _FOLD.get(character, character)

    def _step(self, state: State, character: str, known_as: str | None = None) -> State | None:
        build = self._automaton()[0]
        reached: set[int] = set()
        for place in state.places:
            reached |= build.moves[place].get(character, set())
        found = self._state(build, reached) if reached else None
        if found is not None or len(state.next) < 256:  # a dead end is remembered too, but not every Chinese character
            state.next[known_as if known_as is not None else character] = found
        return found

    def _state(self, build: _Builder, places: Iterable[int]) -> State:
        closed = build.closed(places)
        known = self._states.get(closed)
        if known is None:
            known = self._states[closed] = State(closed, build)
        return known


def _bracketed(build: _Builder, start: int, entity: str) -> None:
    words = entity.lower().split("_")
    for openers, closers, may_be_lost in _BRACKETS:
        at = build.either(build.either(start, openers), _BLANKS)
        for position, word in enumerate(words):
            at = build.either(at, [word])
            if position < len(words) - 1:
                at = build.either(at, _INNER)
        at = build.number(build.either(at, (*_INNER, "")))
        if may_be_lost:
            build.accept[at] = (entity, False)
        build.accept[build.either(build.either(at, _BLANKS), closers)] = (entity, True)


def _bare(build: _Builder, start: int, entity: str) -> None:
    at = start
    for word in entity.split("_"):
        at = build.either(build.either(at, [word]), ["_", "\\_"])
    at = build.number(at)
    build.accept[at] = (entity, False)
    build.accept[build.either(at, [">", "＞"])] = (entity, True)
