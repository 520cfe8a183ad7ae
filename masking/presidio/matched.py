"""One pattern of Presidio's: run by RE2 alone, by `regex` at the places that RE2 gives, or by `regex`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from masking.presidio.linear import linear
from masking.presidio.shape import serves, shapes
from masking.presidio.syntax import on_images

__all__ = ["TIMEOUT", "Matched", "Met", "among", "which_of"]

TIMEOUT: Final = 60
"""Seconds that one pattern may take on one text, as in Presidio."""

_MEMORY: Final = 32 << 20  # bytes for one pattern's automaton
_BRIEF: Final = 250  # characters; most texts are shorter, and no repeat that may be longer ends in them
_PIECES: Final = ("@", "[.][A-Za-z]{2}")
"""What a match may have to hold, and `re` finds sooner than RE2 finds that there is no match."""
_LONGEST_SET: Final = 40_000  # characters of patterns


class Matched:
    """One pattern and its score; compiled when it first runs."""

    __slots__ = (
        "_again",
        "_anchor",
        "_brief",
        "_exact",
        "_group",
        "_match",
        "_more",
        "_needed",
        "_ready",
        "_regex",
        "flags",
        "score",
        "source",
    )

    def __init__(self, source: str, flags: int, score: float) -> None:
        self.score = score
        self.source = source
        self.flags = flags
        self._ready = False
        self._group = 0
        self._regex: Any = None
        self._exact: Any = None
        self._brief: Any = None
        self._again: Any = None
        self._match: Any = None
        self._more: Any = None
        self._needed: Any = None
        self._anchor: Any = None

    @property
    def needed(self) -> str | None:
        """A pattern for RE2 that matches wherever this one does, and perhaps elsewhere."""
        return linear(self.source, self.flags).needed

    def spans(self, text: str, seen: bytes | None) -> Sequence[tuple[int, int]]:
        """What Presidio's `finditer` finds, without empty matches; `seen` is the text's image, if it has one."""
        if not self._ready:
            self._compile()
        if seen is None or self._exact is None:
            return [match.span() for match in self.matches(text, seen) if match.end() > match.start()]
        anchor, group, size = self._anchor, self._group, len(seen)
        exact = self._exact if size > _BRIEF else self._brief
        start, end = exact(anchor, seen, 0, size)[group]
        if start < 0:
            return ()
        found = []
        more = self._more
        # Where a neighbour before the match is consumed, that may be the last character of the match before it.
        search, back = (exact, 0) if self._again is None else (self._again, 1)
        while start >= 0:
            if end > start:
                found.append((start, end))
                at = end
            else:
                at = end + 1
            if at > size or (more is not None and more(seen, at) is None):
                break
            start, end = search(anchor, seen, at - back, size)[group]
        return found

    def matches(self, text: str, seen: bytes | None) -> Iterator[Any]:
        """The same as matches of the `regex` module, or of `re` on the image."""
        if not self._ready:
            self._compile()
        if seen is None or self._needed is None:
            yield from self._regex.finditer(text, timeout=TIMEOUT)
            return
        # Wherever the pattern matches the needed one does too, so nothing begins before the place that it gives.
        needed, anchor, attempt, brief = self._needed, self._anchor, self._regex.match, self._match
        at, size = 0, len(seen)
        while at <= size:
            start = needed(anchor, seen, at, size)[0][0]
            if start < 0:
                return
            match = attempt(text, start, timeout=TIMEOUT) if brief is None else brief(seen, start)
            if match is None:
                at = start + 1
                continue
            yield match
            at = match.end() if match.end() > start else start + 1

    def _compile(self) -> None:
        import regex

        self._regex = regex.compile(self.source, self.flags)
        said = linear(self.source, self.flags)
        self._group = 1 if said.before or said.after else 0
        if said.is_brief:
            # Where there is little to be tried `re` is the quickest, and on an image it says the same.
            tried = on_images(self.source, self.flags)
            self._match = None if tried is None else tried.match
        if said.exact is not None:
            exact = _compiled(said.exact, groups=bool(self._group))
            if said.before:
                self._again = _compiled(said.exact.replace(r"(?:\A|", "(?:", 1), groups=True)
            self._exact = self._brief = None if said.before and self._again is None else exact
            brief = linear(self.source, self.flags, _BRIEF).exact
            if self._exact is not None and brief is not None and brief != said.exact and not said.before:
                self._brief = _compiled(brief, groups=bool(self._group)) or exact
        of = shapes(self.source, self.flags)
        without = next((one for one in _PIECES if of and serves(one, of)), None)
        self._more = None if without is None else re.compile(without.encode()).search
        if said.needed is not None:
            self._needed = _compiled(said.needed, groups=False)
        if self._exact is not None or self._needed is not None:
            self._anchor = _unanchored()
        self._ready = True


class Met:
    """Whether a pattern for RE2 matches an image; without RE2 it might."""

    __slots__ = ("_pattern", "_search")

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._search: Any = None

    def __call__(self, seen: bytes) -> bool:
        if self._search is None:
            self._search = _compiled(self._pattern, groups=False) or _always
        found: bool = self._search(_unanchored(), seen, 0, len(seen))[0][0] >= 0
        return found


def _always(_anchor: Any, _seen: bytes, start: int, end: int) -> list[tuple[int, int]]:
    return [(start, end)]


def which_of(parts: Sequence[Matched]) -> Any:
    """What tells in one pass over an image which of the patterns may match there, or None where that would not pay."""
    needed = [part.needed for part in parts]
    if None in needed or sum(len(one or "") for one in needed) > _LONGEST_SET:
        return None
    try:
        import re2
    except ImportError:
        return None
    options = _options(groups=False)
    chosen = re2.Set.SearchSet(options)
    try:
        for one in (*needed, ""):
            chosen.Add((one or "").encode())
        chosen.Compile()
    except re2.error:
        return None
    return chosen._set.Match  # the public wrapper only encodes


def among(which: Any, seen: bytes, open_: Sequence[int], count: int) -> Sequence[int]:
    """Those of the open patterns that may match an image, by what `which_of` gave for `count` patterns."""
    met: list[int] = which(seen)
    if met == [count]:
        return ()
    # The last one matches everything; without it the automaton ran out of memory.
    return [number for number in open_ if number in met] if count in met else open_


_anchor: Any = None


def _unanchored() -> Any:
    global _anchor  # noqa: PLW0603 - looked up in every search, so not by an import each time
    if _anchor is None:
        from re2 import _re2

        _anchor = _re2.RE2.Anchor.UNANCHORED
    return _anchor


def _compiled(pattern: str, *, groups: bool) -> Any:
    """RE2's own search on an image, or None where RE2 refuses the pattern or is not there."""
    try:
        import re2
    except ImportError:
        return None
    try:
        return re2.compile(pattern.encode(), _options(groups=groups))._regexp.Match
    except re2.error:
        return None


def _options(*, groups: bool) -> Any:
    import re2

    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = _MEMORY
    options.log_errors = False
    options.never_capture = not groups
    return options
