"""Where forms of placeholders stand in a text: the longest at a place, and whether more text could change that."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from masking.core.placeholder import Grammar, State, canonical

__all__ = ["begin", "form", "forms"]

_JOINED = re.compile(r"[0-9A-Za-z_]")


def forms(grammar: Grammar, text: str) -> Iterator[tuple[int, int]]:
    """The places in a whole text that have the form of a placeholder, or would have it with other neighbours.

    Of whatever session: this finds what a user typed, before values beside it become placeholders.
    """
    done = 0
    for number in grammar.numbers(text):
        # Only where a number stands behind an entity's last letters: most characters at which a form may begin are
        # nowhere near one.
        at = max(done, number - grammar.reach)
        while at > done and text[at - 1] == "\\":  # which of a row of backslashes escapes is told from its beginning
            at -= 1
        while (at := begin(grammar.anywhere, text, at, number)) < number:
            end, placeholder = form(grammar, text, at, None, last=True) or (at, "")
            if placeholder:
                yield at, end
            at = done = end if placeholder else at + 1


def begin(starts: re.Pattern[str], text: str, at: int, stop: int | None = None) -> int:
    """The next place from `at` on where a form may begin, or `stop`, the text's end without it; an escaped backslash
    begins none."""
    stop = len(text) if stop is None else stop
    while True:
        start = starts.search(text, at, stop)
        if start is None:
            return stop
        at = start.start()
        if not text.startswith("\\\\", at):
            return at
        at += 2


def form(
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
