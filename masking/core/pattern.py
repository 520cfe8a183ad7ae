"""Patterns with boundaries that are words: matched in linear time by RE2 where it is installed, else by `re`.

Rules may use the part of the syntax that RE2 (https://github.com/google/re2/wiki/Syntax) and Python's `re` share: no
look-around and no back-references. What must not stand beside a match is said by a word (`not_beside: digit`), which
becomes a look-around for `re` and a consumed neighbour for RE2; both find the same places.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Protocol

from masking.core.trigger import trigger
from masking.core.view import View

try:
    import re2
except ImportError:  # no wheel for this platform, or the extra `fast` was not asked for
    re2 = None

__all__ = ["BOUNDARIES", "UNANCHORED", "Pattern", "PatternSyntaxError", "options"]

Accept = Callable[[str], bool]
Place = tuple[int, int, int, int]
"""Start and end of a whole match, then of its value."""

# word: (re before, re after, RE2 before, RE2 after)
BOUNDARIES: Final[dict[str, tuple[str, str, str, str]]] = {
    "none": ("", "", "", ""),
    "digit": ("(?<![0-9])", "(?![0-9])", r"(?:\A|[^0-9])", r"(?:[^0-9]|\z)"),
    "letter": ("(?<![A-Za-z])", "(?![A-Za-z])", r"(?:\A|[^A-Za-z])", r"(?:[^A-Za-z]|\z)"),
    "alnum": ("(?<![0-9A-Za-z])", "(?![0-9A-Za-z])", r"(?:\A|[^0-9A-Za-z])", r"(?:[^0-9A-Za-z]|\z)"),
    "word": ("(?<![0-9A-Za-z_])", "(?![0-9A-Za-z_])", r"(?:\A|[^0-9A-Za-z_])", r"(?:[^0-9A-Za-z_]|\z)"),
    "number": (
        "(?<![0-9])(?<![0-9][.,-])",
        "(?![0-9])(?![.,-][0-9])",
        r"(?:\A|[^0-9.,-]|(?:\A|[^0-9])[.,-])",
        r"(?:[^0-9.,-]|[.,-](?:[^0-9]|\z)|\z)",
    ),
    "decimal": (
        r"(?<![0-9A-Za-z])(?<![0-9]\.)",
        r"(?![0-9A-Za-z])(?!\.[0-9])",
        r"(?:\A|[^0-9A-Za-z.]|(?:\A|[^0-9])\.)",
        r"(?:[^0-9A-Za-z.]|\.(?:[^0-9]|\z)|\z)",
    ),
    "any_letter": (r"(?<!(?u:[^\W_]))", r"(?!(?u:[^\W_]))", r"(?:\A|[^\p{L}\p{N}])", r"(?:[^\p{L}\p{N}]|\z)"),
}

_FOREIGN = re.compile(r"\(\?(?:[=!>(]|<[=!]|P=)|\\[1-9]|\\[ABGKZzCpPQEux]|[*+?}]\+")
_NOT_ON_IMAGE = re.compile(r"[^\x00-\x7f]|\\[pPxu]")
_MOST_SHORTER = 6


class PatternSyntaxError(ValueError):
    """A pattern is outside the shared subset, or does not compile; the message shows the pattern's own mistake."""


class Pattern:
    """One pattern with its boundaries.

    `spans` yields (start, end) in characters of the view; a named group `value` narrows the span to that group.
    Raises PatternSyntaxError when `source` is not in the shared subset.
    """

    __slots__ = ("_engine", "_least", "after", "before", "source", "trigger")

    def __init__(
        self, source: str, before: str = "none", after: str = "none", *, ignore_case: bool = False, proven: bool = False
    ) -> None:
        """With `proven`, it is known to compile (the shipped rules are), and is compiled when first searched with."""
        _check_subset(source)
        self.source = f"(?i:{source})" if ignore_case else source
        self.before, self.after = before, after
        try:
            # Read by the parser of `re` as well, so that a rule that loads here loads on a machine without RE2 too.
            self.trigger = trigger(self.source)
            self._least = max(1, self.trigger.least)
            if proven:
                return
            self._engine: _Engine = self._compiled()
        except PatternSyntaxError:
            raise
        except (re.error, OverflowError, RecursionError) as error:
            raise PatternSyntaxError(f"does not compile: {error}") from None
        if self._engine.matches_nothing():
            raise PatternSyntaxError("matches the empty text, so it would be found everywhere; make a part obligatory")

    def _compiled(self) -> _Engine:
        return (_Fallback if re2 is None else _Linear)(self.source, self.before, self.after)

    def __getattr__(self, name: str) -> Any:
        if name != "_engine":
            raise AttributeError(name)
        engine = self._engine = self._compiled()
        return engine

    def spans(self, view: View, accept: Accept | None = None) -> Iterator[tuple[int, int]]:
        """The places that match and that `accept` confirms, left to right, not overlapping.

        Where `accept` refuses a match, shorter ones that end at a separator inside it are offered (a card number with
        another number behind it), then the search goes on one character further.
        """
        for place in self.matches(view, accept):
            yield place[2:]

    def matches(
        self, view: View, accept: Accept | None = None, start: int = 0, bound: int | None = None
    ) -> list[Place]:
        """As `spans`, from the character `start` of the view on: (start, end) of each match, then of its value.

        What stands before `start` is seen by boundaries only. No match is known to begin at or behind byte `bound` of
        the view's UTF-8.
        """
        if len(view.text) - start < self._least:
            return []
        engine = self._engine
        text = (view._image if engine.aligned else view._utf8) if engine.match is not None else None
        if text is None:
            text = engine.text(view)
        at, size = engine.offset(view, start) if start else 0, len(text)
        last = size - self._least  # behind it there is no room for a match
        if bound is not None and bound <= last:
            if engine.aligned and not view.text.isascii():
                bound = view.character(bound)
            last = min(last, bound - 1)
        match, group, back = engine.match, engine.group, engine.back
        found: list[Place] = []
        while at <= last:
            if match is not None:  # RE2, asked here: in a stream, where the text is short, calls are most of the cost
                spans = match(UNANCHORED, text, at - back if at > back else 0, size)
                begun, end = spans[1]
                if begun < 0:
                    break
                first, stop = spans[group]
                # Else with fewer neighbours before it, the match began too early, or the value was not in it.
                place = (begun, end, first, stop) if begun >= at and first >= 0 else engine.search(text, at, size)
            else:
                place = engine.search(text, at, size)
            if place is None:
                break
            if place[2] == place[3]:
                at = place[0] + 1
                continue
            if accept is not None and not accept(engine.value(text, place)):
                shorter = self._shorter(text, place, accept)
                if shorter is None:
                    at = place[0] + 1
                    continue
                place = shorter
            found.append(place if engine.aligned else engine.characters(view, place))
            at = place[1] if place[1] > at else at + 1
        return found

    def asked(self, view: View, answer: Callable[[tuple[int, int]], bool] | None, start: int = 0) -> list[Place]:
        """As `matches`, where `answer` is told the place of a value instead of the value."""
        copy = Pattern.__new__(Pattern)
        copy._least = self._least
        copy._engine = _Placed(self._engine, view)  # type: ignore[assignment]
        return copy.matches(view, answer, start)  # type: ignore[arg-type]

    def _shorter(self, text: Any, place: Place, accept: Accept) -> Place | None:
        engine, (start, end, first, last) = self._engine, place
        if (first, last) != (start, end) and start < first:
            return None  # words before the value name it, so it is taken whole: `PASSWORD = settings.PASSWORD` is none
        if end - start <= self._least:
            return None
        for separator in engine.separators(text, start, end):
            if separator - start < self._least:
                break
            # The separator stays in reach, because RE2 consumes the neighbour that a boundary looks at.
            shorter = engine.search(text, start, separator + 1)
            if shorter is None or shorter[0] != start or shorter[1] > separator or shorter[2] == shorter[3]:
                continue
            if accept(engine.value(text, shorter)):
                return shorter
        return None


class _Engine(Protocol):
    match: Any
    """RE2's own search, where there is one; then the group of the value, and the neighbours that it has to see."""
    group: int
    back: int
    aligned: bool
    """Whether places in what is searched are places in the view."""

    def matches_nothing(self) -> bool: ...
    def text(self, view: View) -> Any: ...
    def search(self, text: Any, start: int, stop: int) -> Place | None: ...
    def value(self, text: Any, place: Place) -> str: ...
    def characters(self, view: View, place: Place) -> Place: ...
    def offset(self, view: View, character: int) -> int: ...
    def separators(self, text: Any, start: int, end: int) -> Sequence[int]: ...


class _Fallback:
    """The standard library's `re`: may take quadratic time on hostile patterns, never finds anything else."""

    __slots__ = ("_compiled", "_value")

    match = None
    group = back = 0
    aligned = True

    def __init__(self, source: str, before: str, after: str) -> None:
        self._compiled = re.compile(f"{BOUNDARIES[before][0]}(?:{source}){BOUNDARIES[after][1]}", re.ASCII)
        self._value = self._compiled.groupindex.get("value", 0)

    def matches_nothing(self) -> bool:
        return self._compiled.match("") is not None

    def text(self, view: View) -> str:
        return view.text

    def search(self, text: str, start: int, stop: int) -> Place | None:
        match = self._compiled.search(text, start, stop)
        if match is None:
            return None
        value = match.span(self._value)
        return (*match.span(), *(value if value[0] >= 0 else match.span()))

    def value(self, text: str, place: Place) -> str:
        return text[place[2] : place[3]]

    def characters(self, view: View, place: Place) -> Place:
        return place

    def offset(self, view: View, character: int) -> int:
        return character

    def separators(self, text: str, start: int, end: int) -> Sequence[int]:
        return [i for i in range(end - 1, start, -1) if not text[i].isalnum()][:_MOST_SHORTER]


class _Linear:
    """RE2 on bytes: the one-byte image where the pattern names only ASCII, else UTF-8."""

    __slots__ = ("_allowed", "_parts", "_rest", "aligned", "back", "group", "match")

    def __init__(self, source: str, before: str, after: str) -> None:
        whole = f"{BOUNDARIES[before][2]}({source}){BOUNDARIES[after][3]}"
        self.aligned = _NOT_ON_IMAGE.search(whole) is None
        try:
            compiled = re2.compile(whole.encode(), options("LATIN1" if self.aligned else "UTF8"))
        except re2.error as error:
            reason = error.args[0]
            shown = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
            raise PatternSyntaxError(f"does not compile in RE2: {shown}") from None
        self.match = compiled._regexp.Match  # the public wrapper builds a generator and a match per search
        self.group = compiled.groupindex.get(b"value", 1)
        self._parts = BOUNDARIES[before][0], f"({source}){BOUNDARIES[after][3]}"
        self._allowed: Any = None
        self._rest: Any = None
        # The neighbours before a match are consumed, so a search starts that many bytes early to have them.
        signs = {"none": 0, "number": 2, "decimal": 2}.get(before, 1)
        self.back = signs if self.aligned or not signs else signs + 3

    def matches_nothing(self) -> bool:
        return bool(self.match(UNANCHORED, b"", 0, 0)[0][0] >= 0)

    def text(self, view: View) -> bytes:
        return view.image if self.aligned else view.utf8

    def search(self, text: bytes, start: int, stop: int) -> Place | None:
        while start <= stop:
            spans = self.match(UNANCHORED, text, max(start - self.back, 0), stop)
            if spans[1][0] < 0:
                return None
            if spans[1][0] < start:
                # With fewer neighbours before it, the match began too early; one that begins here has them there.
                spans = self._here(text, start, stop)
                if spans is None:
                    start += 1
                    continue
            whole, value = spans[1], spans[self.group]
            # The group `value` may stand in an alternative that was not taken.
            return (*whole, *(value if value[0] >= 0 else whole))
        return None

    def _here(self, text: bytes, start: int, stop: int) -> Any:
        """RE2's match that begins at `start`, if there is one, and its neighbours allow it."""
        neighbours = text[max(start - _NEIGHBOURS, 0) : start].decode("utf-8", "ignore")
        if self._allowed is None:
            before, rest = self._parts
            self._allowed = re.compile(f"{before}\\Z", re.ASCII).search
            self._rest = _match(rest, aligned=self.aligned)
        if self._allowed(neighbours) is None:
            return None
        spans = self._rest(_ANCHORED, text, start, stop)
        return spans if spans[1][0] == start else None

    def value(self, text: bytes, place: Place) -> str:
        return text[place[2] : place[3]].decode("utf-8", "replace")

    def characters(self, view: View, place: Place) -> Place:
        if self.aligned or len(view.utf8) == len(view.text):
            return place
        start, end, first, last = place
        # In ascending order, which is what counting is cheap in.
        begins, value_begins, value_ends = view.character(start), view.character(first), view.character(last)
        return begins, view.character(end), value_begins, value_ends

    def offset(self, view: View, character: int) -> int:
        return character if self.aligned else len(view.text[:character].encode("utf-8", "surrogatepass"))

    def separators(self, text: bytes, start: int, end: int) -> Sequence[int]:
        stops = [i for i in range(end - 1, start, -1) if text[i] < 0x80 and not chr(text[i]).isalnum()]
        return stops[:_MOST_SHORTER]


class _Placed:
    """An engine whose values are their places in the view."""

    __slots__ = ("_engine", "_view", "aligned", "back", "group", "match")

    def __init__(self, engine: _Engine, view: View) -> None:
        self._engine, self._view = engine, view
        self.match, self.group, self.back, self.aligned = engine.match, engine.group, engine.back, engine.aligned

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def value(self, text: Any, place: Place) -> tuple[int, int]:
        return self._engine.characters(self._view, place)[2:]


_NEIGHBOURS: Final = 8  # bytes that hold the two characters that a boundary looks at
UNANCHORED: Any = None
_ANCHORED: Any = None
if re2 is not None:
    from re2 import _re2

    UNANCHORED = _re2.RE2.Anchor.UNANCHORED
    _ANCHORED = _re2.RE2.Anchor.ANCHOR_START


def _match(source: str, *, aligned: bool) -> Any:
    return re2.compile(source.encode(), options("LATIN1" if aligned else "UTF8"))._regexp.Match


def options(encoding: str, memory: int = 8 << 20) -> Any:
    options = re2.Options()
    options.encoding = getattr(re2.Options.Encoding, encoding)
    options.log_errors = False
    options.max_mem = memory
    return options


def _check_subset(source: str) -> None:
    bare = re.sub(r"\\\\", "..", source)
    bare = re.sub(r"\[\^?\]?(?:\\.|[^\]\\])*\]", "[]", bare)
    found = _FOREIGN.search(bare)
    if found:
        raise PatternSyntaxError(
            f"uses {found.group()!r}, which RE2 and Python's re do not share; "
            "write boundaries with not_beside, and say a context with a group named value"
        )
