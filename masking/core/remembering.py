"""What a piece does where nothing is to be decided is known from before, most often: that way costs one look-up.

Where streams run compiled, this is not needed.
"""

from __future__ import annotations

from typing import Final

from masking.core.reader import Reader
from masking.core.redact import Edit
from masking.core.redacting import RedactingStream
from masking.core.state import Moves

__all__ = ["RememberingStream"]

_MOST_PIECES: Final = 64  # of which a state keeps what they do, besides those that its automaton counts

_THINK: Moves = Moves.none()


class RememberingStream(RedactingStream):
    """As RedactingStream.

    A piece that was seen before in the same state costs one look-up; the automaton's states and these moves are shared
    by all streams of a plan.
    """

    __slots__ = ("_moves", "_starts", "_text", "_trail")

    def _open(self, reader: Reader | None, signs: str) -> None:
        if reader is not None:
            self._trail = reader.trail.append
            self._moves: Moves = reader.state.moves
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
        if not isinstance(text, str):
            raise TypeError(f"a piece of text is a str, not {type(text).__name__}; decode bytes first")
        moves = self._moves
        if moves is _THINK or self._form:
            return self._thought(text)
        move = moves.digits.get(len(text)) if text.isdigit() and text.isascii() else None
        if move is None and (text in self._quiet or (self._is_quiet(text) and text in self._quiet)):
            move = self._redactor.reckoned(moves, text)
        if move is None:
            return self._thought(text)
        if text in moves:
            return self.feed(text)
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
        edits = super()._edits(text, last=last)
        self._text, self._starts = redactor.held, redactor.starts
        if self._busy or redactor.read < len(redactor.held):
            self._moves = _THINK
        else:
            self._moves = redactor.state.later if redactor.touched else redactor.state.moves
        return edits
