"""Restores one lane of an answer while it is being written.

The stream reads every character once, in order, and decides at each place where a placeholder could begin:

    no form of a placeholder can begin here            say the character
    a form is complete and its canonical form is ours  say the value
    a form is complete but not ours, or breaks off     say its first character, look on from the second
    the text ends inside a form that could be ours     wait for more

Each decision depends only on characters from that place on, and on the one before it. So what is said does not depend
on how the answer was cut, and what waits is never longer than the longest form: a bracket (6 characters with escapes),
the entity's name (24, each separator escaped), nine digits, four blanks, a bracket.

What a value contains is never read again. New values that the model writes are not looked for here yet; their place is
where text that is no placeholder is said.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from urllib.parse import quote

from masking.core.placeholder import Grammar, State, canonical, escape_of

__all__ = ["Stream", "StreamedText", "astreamed", "forms", "json_escaped", "streamed"]

StreamedText = Iterable[str] | AsyncIterable[str]

_JOINED = re.compile(r"[0-9A-Za-z_]")
_QUIET_LENGTH = 32  # characters
_QUIET_ENTRIES = 1 << 16


class Stream:
    """The restorer of one lane: `feed` text as it arrives, `flush` at its end; `held` says whether something waits.

    `values` maps canonical placeholders to values, `counts` entities to their highest number; both are read live, and
    the cost of a call depends on neither's size.
    """

    __slots__ = ("_before", "_counts", "_grammar", "_held", "_json", "_quiet", "_values")

    def __init__(
        self, grammar: Grammar, values: Mapping[str, str], counts: Mapping[str, int], *, json: bool = False
    ) -> None:
        self._grammar = grammar
        self._quiet = grammar.quiet
        self._values = values
        self._counts = counts
        self._json = json
        self._before = ""
        self._held = ""

    @property
    def held(self) -> bool:
        """Whether text waits that has been fed and not said."""
        return bool(self._held)

    def feed(self, text: str) -> str:
        """What can be said now that `text` has arrived."""
        if text in self._quiet and not self._held:
            self._before = text
            return text
        return self._read(text, last=False)

    def flush(self) -> str:
        """What still waited; the stream is then ready for another text."""
        said = self._read("", last=True)
        self._before = ""
        return said

    def _read(self, text: str, *, last: bool) -> str:
        before = self._before[-1:]
        buffer = before + self._held + text
        grammar, size = self._grammar, len(buffer)
        done = len(before)
        at = _begin(grammar.starts, buffer, done)
        if at == size and not self._held:
            self._remember(text)
        said: list[str] = []
        while at < size:
            form = _form(grammar, buffer, at, self._counts, last=last)
            if form is None:
                break
            end, placeholder = form
            value = self._values.get(placeholder)
            if value is not None:
                said += buffer[done:at], self._written(value, buffer[at:end])
                done = end
            at = _begin(grammar.starts, buffer, at + 1 if value is None else end)
        said.append(buffer[done:at])
        self._held = buffer[at:]
        self._before = buffer[at - 1 : at] if at else ""
        return "".join(said)

    def _remember(self, text: str) -> None:
        """Nothing begins in `text`, wherever it stands: what may precede a form only ever forbids one."""
        if (
            0 < len(text) <= _QUIET_LENGTH
            and len(self._quiet) < _QUIET_ENTRIES
            and not self._grammar.starts.search(text)
        ):
            self._quiet[text] = text

    def _written(self, value: str, form: str) -> str:
        match escape_of(form):
            case "html":
                value = html.escape(value)
            case "percent":
                value = quote(value, safe="")
            case "json" if not self._json:
                return json_escaped(value)
        return json_escaped(value) if self._json else value


def forms(grammar: Grammar, text: str) -> Iterator[tuple[int, int]]:
    """The places in a whole text that have the form of a placeholder, or would have it with other neighbours.

    Of whatever session: this finds what a user typed, before values beside it become placeholders.
    """
    at = _begin(grammar.anywhere, text, 0)
    while at < len(text):
        end, placeholder = _form(grammar, text, at, None, last=True) or (at, "")
        if placeholder:
            yield at, end
        at = _begin(grammar.anywhere, text, end if placeholder else at + 1)


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


def json_escaped(value: str) -> str:
    """`value` as it stands inside a JSON string, without the quotes (RFC 8259 section 7)."""
    return json.dumps(value, ensure_ascii=False)[1:-1]


def _begin(starts: re.Pattern[str], text: str, at: int) -> int:
    """The next place from `at` on where a form may begin, or the text's length; an escaped backslash begins none."""
    while True:
        start = starts.search(text, at)
        if start is None:
            return len(text)
        at = start.start()
        if not text.startswith("\\\\", at):
            return at
        at += 2


def _form(
    grammar: Grammar, text: str, start: int, counts: Mapping[str, int] | None, *, last: bool
) -> tuple[int, str] | None:
    """The longest form that begins at `start`: its end and its canonical form, "" where there is none.

    None when the text ends before that can be said. With `counts`, forms that no longer text could bring into the
    session are not waited for; without, what is joined to a form does not matter.
    """
    bare = text[start].isalpha()
    state = grammar.begin(text[start])
    at, size = start + 1, len(text)
    number = ""
    found = (start, "")
    while state is not None:
        if state.digit:
            number += grammar.folded(text[at - 1])
        if at == size and not last and not state.final:
            return None if counts is None or _could_be_ours(state, number, counts) else (start, "")
        if state.accepts is not None:
            entity, closed = state.accepts
            # A form without its closing bracket ends with its number, and only if nothing is joined to it.
            if closed or counts is None or at == size or _JOINED.match(text, at) is None:
                found = (at, canonical(entity, number))
        if at == size or state.final:
            break
        state = grammar.follow(state, text[at], bare=bare)
        at += 1
    return found


def _could_be_ours(state: State, number: str, counts: Mapping[str, int]) -> bool:
    least = int(number or 1)
    return any(counts.get(entity, 0) >= least for entity in state.entities)
