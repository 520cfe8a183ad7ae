"""Plain strings in an answer that stand for something else: surrogates for their values, own values for a mark.

A string counts where no ASCII letter or digit is joined to an ASCII letter or digit at its edge, so `Ann` does not
count in `Anna`; of several that begin at one place the longest counts.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator

from masking.core.redact import Edit
from masking.core.stream import Stream

__all__ = ["LiteralStream", "Literals"]

_MARK = re.compile(r"<[A-Z_]+>")
"""What stands for an own value that a policy redacts: it may stand in a link, a value may not."""


class Literals:
    """The strings of one session; grows with it. What a place costs does not depend on how many there are.

    Of each string the first 1, 2, 4, 8 ... characters are kept: enough to see early where none goes on.
    """

    __slots__ = ("_begun", "_instead", "_sizes")

    def __init__(self) -> None:
        self._instead: dict[str, str] = {}
        self._begun: set[str] = set()
        self._sizes: list[int] = []

    def __len__(self) -> int:
        return len(self._instead)

    def __contains__(self, text: object) -> bool:
        return text in self._instead

    def add(self, text: str, instead: str) -> None:
        """From now on `text` stands for `instead`."""
        self._instead[text] = instead
        size, length = len(text), 1
        while length <= size:
            self._begun.add(text[:length])
            length *= 2
        at = bisect_left(self._sizes, size)
        if at == len(self._sizes) or self._sizes[at] != size:
            self._sizes.insert(at, size)

    def clear(self) -> None:
        """Forget all of them."""
        self._instead.clear()
        self._begun.clear()
        self._sizes.clear()

    def begins_in(self, text: str) -> bool:
        """Whether a string can begin in `text`."""
        return not self._begun.isdisjoint(text)

    def at(self, text: str, start: int, *, last: bool) -> tuple[int, str] | None:
        """The end of the string that stands at `start`, and what it stands for; (start, "") where none stands.

        None when the text ends before that can be said.
        """
        begun, left = self._begun, len(text) - start
        if text[start] not in begun or (start and _joined(text[start - 1], text[start])):
            return start, ""
        length = 2
        while length <= left and text[start : start + length] in begun:
            length *= 2
        # A string that is as long as `length` would begin otherwise, unless the text ends before.
        if length > left:
            if not last and left <= self._sizes[-1]:
                return None
            length = left + 1
        for size in reversed(self._sizes[: bisect_left(self._sizes, length)]):
            end = start + size
            instead = self._instead.get(text[start:end])
            if instead is not None and (end == len(text) or not _joined(text[end - 1], text[end])):
                return end, instead
        return start, ""


class LiteralStream(Stream):
    """As the stream it is given, with strings of a session looked for first: what they stand for is not read again."""

    __slots__ = ("_ahead", "_inner", "_last", "_literals")

    def __init__(self, literals: Literals, inner: Stream) -> None:
        self._literals = literals
        self._inner = inner
        self._ahead = ""
        self._last = ""

    @property
    def held(self) -> bool:
        """Whether text waits that has been fed and not said."""
        return bool(self._ahead) or self._inner.held

    @property
    def waiting(self) -> str:
        """The text that waits."""
        return self._inner.waiting + self._ahead

    def feed(self, text: str) -> str:
        """What can be said now that `text` has arrived."""
        if not self._ahead and not self._literals.begins_in(text):
            self._last = text[-1:] or self._last
            return self._inner.feed(text)
        return self._said(text, last=False)

    def flush(self) -> str:
        """What still waited; the stream is then ready for another text."""
        return self.whole("")

    def whole(self, text: str) -> str:
        """All that there is to say when `text` is all that comes."""
        return self._said(text, last=True)

    def edits(self, text: str, *, last: bool = False) -> list[Edit]:
        """As `feed` (and `flush`), told as edits of what was fed."""
        return list(self._edits(text, last=last))

    def _edits(self, text: str, *, last: bool) -> list[Edit]:
        edits: list[Edit] = []
        for piece, instead in self._found(text, last=last):
            if instead is None:
                edits += self._inner.edits(piece)
            else:
                edits += self._inner.beside(piece, instead, guarded=_MARK.fullmatch(instead) is None)
        if last:
            edits += self._inner.edits("", last=True)
        return edits

    def _found(self, text: str, *, last: bool) -> Iterator[tuple[str, str | None]]:
        """The text in pieces: as it stands, or with what it stands for."""
        before = self._last
        buffer = before + self._ahead + text
        at = done = len(before)
        found: tuple[int, str] | None = (at, "")
        while at < len(buffer):
            found = self._literals.at(buffer, at, last=last)
            if found is None:
                break
            end, instead = found
            if end > at:
                if at > done:
                    yield buffer[done:at], None
                yield buffer[at:end], instead
                at = done = end
            else:
                at += 1
        if at > done:
            yield buffer[done:at], None
        self._ahead = buffer[at:]
        self._last = "" if last else buffer[at - 1 : at] if at else ""


def _joined(left: str, right: str) -> bool:
    return left.isascii() and right.isascii() and left.isalnum() and right.isalnum()
