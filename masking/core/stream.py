"""Reads one lane of an answer while it is being written: restores placeholders, redacts new values, in one pass.

The stream reads every character once, in order, and decides at each place where a placeholder could begin:

    no form of a placeholder can begin here            it is text of the model's own: on to the redactor
    a form is complete and its canonical form is ours  say the value; text before and after it does not touch
    a form is complete but not ours, or breaks off     its first character is text, look on from the second
    the text ends inside a form that could be ours     wait for more

Each decision depends only on characters from that place on, and on the one before it. So what is said does not depend
on how the answer was cut, and what waits is never longer than the longest form: a bracket (6 characters with escapes),
the entity's name (24, each separator escaped), 18 digits, four blanks, a bracket; plus what the redactor keeps
(`masking.core.redact`). What a value contains is never read again.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from urllib.parse import quote

from masking.core.form import begin, form
from masking.core.links import LOUD, Links
from masking.core.placeholder import Grammar, escape_of
from masking.core.reader import COMPILED, Lane
from masking.core.redact import Edit

__all__ = ["Stream", "StreamedText", "astreamed", "json_escaped", "streamed"]

StreamedText = Iterable[str] | AsyncIterable[str]

_CANONICAL = re.compile(r"<([A-Z_]*)([1-9][0-9]{0,17})?\Z")
_LONGEST_CANONICAL = 48  # characters
_QUIET_LENGTH = 32  # characters
_QUIET_ENTRIES = 1 << 16


class Stream(Lane):
    """The restorer of one lane: `feed` text as it arrives, `flush` at its end; `held` says whether something waits.

    `values` maps canonical placeholders to values, `counts` entities to their highest number; both are read live, and
    the cost of a call depends on neither's size.
    """

    __slots__ = ("_busy", "_counts", "_form", "_grammar", "_links", "_values")

    def __init__(
        self,
        grammar: Grammar,
        values: Mapping[str, str],
        counts: Mapping[str, int],
        links: Links | None = None,
    ) -> None:
        """`links` tells the places where a placeholder stays one; without it, it is restored everywhere."""
        self._grammar = grammar
        self._links = links
        self._busy = False
        self._quiet = grammar.quiet
        self._values = values
        self._counts = counts
        self._before = ""
        self._form = ""
        self._open(None, grammar.signs)

    @property
    def held(self) -> bool:
        """Whether text waits that has been fed and not said."""
        return bool(self._form)

    if not COMPILED:

        def feed(self, text: str) -> str:
            """What can be said now that `text` has arrived."""
            if text in self._quiet and not self._busy:
                self._before = text
                return text
            return self._said(text, last=False)

    def _thought(self, text: str) -> str:
        return self._said(text, last=False)

    def flush(self) -> str:
        """What still waited; the stream is then ready for another text."""
        return self.whole("")

    def whole(self, text: str) -> str:
        """All that there is to say when `text` is all that comes."""
        said = self._said(text, last=True)
        self._end()
        return said

    def edits(self, text: str, *, last: bool = False) -> list[Edit]:
        """As `feed` (and `flush`), told as edits of what was fed: how many characters, and what stands for them."""
        edits = self._edits(text, last=last)
        if last:
            self._end()
        return edits

    def beside(self, string: str, instead: str, *, guarded: bool) -> list[Edit]:
        """What waits, and then `string`, which is not read but stands for `instead`; text beside it does not touch.

        With `guarded`, it stands for itself where a placeholder would stay one.
        """
        edits = self._edits("", last=True)
        self._before = ""
        links = self._links
        if links is None:
            return [*edits, (len(string), instead)]
        kept = guarded and links.guards
        links.follow(string)
        self._busy = links.open
        self._quick = not self._busy
        return [*edits, (len(string), None if kept else instead)]

    def _end(self) -> None:
        self._before = ""
        if self._links is not None:
            self._links.end()
            self._busy = False
        self._quick = True

    def _said(self, text: str, *, last: bool) -> str:
        waiting = self.waiting + text
        said: list[str] = []
        at = 0
        for length, instead in self._edits(text, last=last):
            said.append(waiting[at : at + length] if instead is None else instead)
            at += length
        return "".join(said)

    @property
    def waiting(self) -> str:
        """The text that waits."""
        return self._form

    def _edits(self, text: str, *, last: bool) -> list[Edit]:
        return self._restored(text, last=last)

    def _restored(self, text: str, *, last: bool) -> list[Edit]:
        """What the placeholders in the text become; what is not said waits in `_form`."""
        before = self._before[-1:]
        buffer = before + self._form + text
        grammar, size = self._grammar, len(buffer)
        done = len(before)
        at = begin(grammar.starts, buffer, done)
        if at == size and not self._form:
            self._is_quiet(text)  # noted for the next time
        edits: list[Edit] = []
        links = self._links
        followed = done  # up to where `links` has read
        while at < size:
            if links is not None and at > followed:
                links.read(buffer[followed:at])
                followed = at
            if buffer[at] == "<":
                # The canonical form and its beginnings, by far the most frequent, without the automaton.
                end = buffer.find(">", at, at + _LONGEST_CANONICAL) + 1
                placeholder = buffer[at:end]
                if not end and not last and self._may_be_ours(buffer, at):
                    break
            else:
                placeholder = ""
            if placeholder not in self._values:
                found = form(grammar, buffer, at, self._counts, last=last)
                if found is None:
                    break
                end, placeholder = found
            value = self._values.get(placeholder)
            if links is not None and value is not None:
                value = None if links.guards else value
                links.follow(buffer[at:end])
                followed = end
                if value is None:
                    at = begin(grammar.starts, buffer, end)
                    continue
            if value is not None:
                if at > done:
                    edits.append((at - done, None))
                edits.append((end - at, _written(value, buffer[at:end])))
                done = end
            at = begin(grammar.starts, buffer, at + 1 if value is None else end)
        if at > done:
            edits.append((at - done, None))
        self._form = buffer[at:]
        self._before = buffer[at - 1 : at] if at else ""
        self._busy = bool(self._form)
        if links is not None:
            if at > followed:
                links.read(buffer[followed:at])
            self._busy = self._busy or links.open
        self._quick = not self._busy
        return edits

    def _may_be_ours(self, buffer: str, at: int) -> bool:
        """Whether what begins at `at` and goes to the end is the beginning of a canonical form of this session."""
        begun = _CANONICAL.match(buffer, at)
        if begun is None:
            return False
        name, number = begun.groups()
        if number:
            return self._counts.get(name[:-1], 0) >= int(number)
        return any(f"{entity}_".startswith(name) for entity in self._counts)

    def _is_quiet(self, text: str) -> bool:
        """Whether no form begins in `text`, wherever it stands (what may precede a form only ever forbids one)."""
        if self._grammar.starts.search(text):
            return False
        known = self._grammar.loud if LOUD.search(text) else self._quiet
        if 0 < len(text) <= _QUIET_LENGTH and len(known) < _QUIET_ENTRIES:
            known[text] = text
        return True


def streamed(stream: Stream, pieces: Iterable[str]) -> Iterator[str]:
    """What `stream` says as `pieces` arrive; closing this iterator closes the other."""
    try:
        for piece in pieces:
            said = stream.feed(piece)
            if said:
                yield said
        said = stream.flush()
        if said:
            yield said
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            close()


async def astreamed(stream: Stream, pieces: AsyncIterable[str]) -> AsyncIterator[str]:
    """As `streamed`, for an asynchronous iterator."""
    try:
        async for piece in pieces:
            said = stream.feed(piece)
            if said:
                yield said
        said = stream.flush()
        if said:
            yield said
    finally:
        close = getattr(pieces, "aclose", None)
        if close is not None:
            await close()


def _written(value: str, form: str) -> str:
    """The value as it stands where the model wrote `form`: escaped as the form's bracket was."""
    match escape_of(form):
        case "html":
            return html.escape(value)
        case "percent":
            return quote(value, safe="")
        case "json":
            return json_escaped(value)
    return value


def json_escaped(value: str) -> str:
    """`value` as it stands inside a JSON string, without the quotes (RFC 8259 section 7)."""
    return json.dumps(value, ensure_ascii=False)[1:-1]
