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
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Collection, Iterable, Iterator, Mapping
from urllib.parse import quote

from masking.core.automaton import Moves
from masking.core.form import begin, form
from masking.core.links import LOUD, Links
from masking.core.placeholder import Grammar, escape_of
from masking.core.plan import Plan
from masking.core.redact import Edit, Redactor

__all__ = ["RedactingStream", "Stream", "StreamedText", "astreamed", "json_escaped", "streamed"]

StreamedText = Iterable[str] | AsyncIterable[str]

_CANONICAL = re.compile(r"<([A-Z_]*)([1-9][0-9]{0,17})?\Z")
_LONGEST_CANONICAL = 48  # characters
_QUIET_LENGTH = 32  # characters
_QUIET_ENTRIES = 1 << 16
_MOST_PIECES = 1 << 12  # of which a state keeps what they do


class Stream:
    """The restorer of one lane: `feed` text as it arrives, `flush` at its end; `held` says whether something waits.

    `values` maps canonical placeholders to values, `counts` entities to their highest number; both are read live, and
    the cost of a call depends on neither's size.
    """

    __slots__ = ("_before", "_busy", "_counts", "_form", "_grammar", "_links", "_quiet", "_values")

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

    @property
    def held(self) -> bool:
        """Whether text waits that has been fed and not said."""
        return bool(self._form)

    def feed(self, text: str) -> str:
        """What can be said now that `text` has arrived."""
        if text in self._quiet and not self._busy:
            self._before = text
            return text
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
        return [*edits, (len(string), None if kept else instead)]

    def _end(self) -> None:
        self._before = ""
        if self._links is not None:
            self._links.end()
            self._busy = False

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


_THINK: Moves = Moves.none()


class RedactingStream(Stream):
    """As Stream, and what the model writes itself is redacted by the rules of `plan`; `own` values are kept.

    A piece that was seen before in the same state costs one look-up; the automaton's states and these moves are shared
    by all streams of a plan.
    """

    __slots__ = ("_moves", "_redactor", "_starts", "_text", "_trail")

    def __init__(
        self,
        grammar: Grammar,
        values: Mapping[str, str],
        counts: Mapping[str, int],
        plan: Plan,
        own: Collection[str],
        links: Links | None = None,
        redacted: Counter[str] | None = None,
    ) -> None:
        """`redacted` counts by entity what is redacted."""
        super().__init__(grammar, values, counts, links)
        self._redactor = Redactor(plan, own, redacted)
        self._trail = self._redactor.trail.append
        self._moves: Moves = self._redactor.state.moves
        self._text = ""
        """What waits in the redactor, while known moves lead."""
        self._starts: tuple[int, ...] = ()

    @property
    def held(self) -> bool:
        """Whether text waits that has been fed and not said."""
        return bool(self._text or self._form)

    def feed(self, text: str) -> str:
        """What can be said now that `text` has arrived."""
        move = self._moves.get(text)
        if move is None:
            return self._unmet(text)
        waits, moves, starts = move
        held = self._text
        if not waits:
            self._text = text
            self._starts = starts
            said = held
        elif waits == -1:
            self._text = ""
            said = held + text if held else text
        elif waits > 0:
            self._text = text[waits:]
            self._starts = starts
            said = held + text[:waits]
        elif len(held) + len(text) > moves.bound:
            return self._beyond(text, waits, moves, starts)
        else:
            if waits < -2:
                if waits == -4:
                    starts, touched = starts
                    redactor = self._redactor
                    redactor.touched |= touched
                    redactor.until = len(held) + len(text)
                if len(starts) == 1:
                    self._starts = self._starts[:1]
                elif starts:
                    self._keep(starts, len(held))
            self._text = held + text
            self._moves = moves
            return ""
        self._moves = moves
        if said:
            self._trail(said)
        return said

    def _unmet(self, text: str) -> str:
        """What can be said now that a piece has come which has no move of its own."""
        moves = self._moves
        if moves is _THINK or self._form:
            return self._thought(text)
        move = moves.digits.get(len(text)) if text.isdigit() and text.isascii() else None
        if move is None and (text in self._quiet or (self._is_quiet(text) and text in self._quiet)):
            move = self._redactor.reckoned(moves, text)
        if move is None:
            return self._thought(text)
        moves[text] = move
        said = self.feed(text)
        if len(moves) > _MOST_PIECES:
            moves.pop(text, None)
        return said

    def _beyond(self, text: str, waits: int, moves: Moves, kept: tuple[int, ...]) -> str:
        """What can be said where more would wait than any match can be long: as Redactor.step, in the plainest case."""
        held = self._text
        pending = held + text
        if (
            waits == -4
            or moves is not moves.state.moves
            or self._starts[0]
            or not pending.isascii()
            or "%" in pending
            or "&" in pending
            or "\\" in pending
        ):
            return self._thought(text)
        if waits == -3:
            self._keep(kept, len(held))  # the oldest group lives on, where it began
        hold = len(pending) - moves.bound
        starts = self._starts
        self._starts = (0,) if len(starts) == 1 else tuple([start - hold if start > hold else 0 for start in starts])
        said = pending[:hold]
        self._text = pending[hold:]
        self._moves = moves
        self._trail(said)
        return said

    def _keep(self, kept: tuple[int, ...], waiting: int) -> None:
        """All waits, in other groups than before. Not in `feed`, which a comprehension would slow down by its cells."""
        begun = self._starts
        self._starts = tuple([begun[number] if number >= 0 else waiting - 1 - number for number in kept])

    def _thought(self, text: str) -> str:
        """What can be said now, where no known move says it."""
        loud = text not in self._quiet
        if self._form or (loud and text not in self._grammar.loud and not self._is_quiet(text)):
            return self._said(text, last=False)
        redactor = self._redactor
        moves = self._moves
        if moves is not _THINK:
            held = self._text
            redactor.state, redactor.held, redactor.read = moves.state, held, len(held)
            redactor.starts = self._starts if held else ()
        said = redactor.step(text)
        if said is None:
            return self._said(text, last=False)
        self._before = text
        self._text, self._starts = redactor.held, redactor.starts
        links = self._links
        if links is not None and (loud or self._busy):
            links.read(text)
            self._busy = links.open
            if self._busy:
                self._moves = _THINK
                return said
        elif moves is not _THINK and text not in moves and not (said and moves is moves.state.later):
            redactor.reckoned(moves, text)
        self._moves = redactor.state.later if redactor.touched else redactor.state.moves
        return said

    @property
    def waiting(self) -> str:
        """The text that waits."""
        return self._text + self._form

    def _edits(self, text: str, *, last: bool) -> list[Edit]:
        redactor = self._redactor
        if self._moves is not _THINK:  # the quick way was taken: tell the redactor where it led
            redactor.resume(self._moves.state, self._text, self._starts if self._text else ())
            if not self._form:
                self._before = self._text or (redactor.trail[-1] if redactor.trail else self._before)
        waiting = self._form + text
        edits: list[Edit] = []
        at = 0
        restored = self._restored(text, last=last)
        for number, (length, value) in enumerate(restored, 1):
            if value is None:
                # Before a value, and at the end, the redactor is told that nothing follows.
                ends = number < len(restored) or last
                edits += redactor.take(waiting[at : at + length], last=ends)
            else:
                if redactor.held:
                    edits += redactor.take("", last=True)
                redactor.afresh()
                edits.append((length, value))
            at += length
        if last and redactor.held:
            edits += redactor.take("", last=True)
        self._text, self._starts = redactor.held, redactor.starts
        if self._busy or redactor.read < len(redactor.held):
            self._moves = _THINK
        else:
            self._moves = redactor.state.later if redactor.touched else redactor.state.moves
        return edits


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
