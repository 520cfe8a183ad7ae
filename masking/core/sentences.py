"""New names in an answer, found sentence by sentence, for who accepts that the reader waits for each sentence's end.

Models, spaCy, Presidio's recognisers and term lists read sentences, not tokens. Where a sentence ends is said by the
text alone, so what is found does not depend on how the answer was cut:

    。！？；… or a line's end       right behind it
    . ! ? before a blank            behind the blank; not after a capital and up to two letters (Dr. J. Mrs. St.)
    none of these in 300 characters behind the last blank or comma in them; behind all of them where there is none

What a pattern finds in the sentence, and a placeholder, go before a name. What stands beside a name does not touch it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final

from masking.core.finding import Finding
from masking.core.form import forms
from masking.core.placeholder import Grammar
from masking.core.plan import Plan, mark
from masking.core.redact import Edit
from masking.core.stream import Stream

__all__ = ["LONGEST_SENTENCE", "Find", "SentenceStream", "sentence_end"]

Find = Callable[[str], Sequence[Finding]]
"""A sentence in, the names in it out: in order, none overlapping another."""

LONGEST_SENTENCE: Final = 300
"""Characters after which a sentence is taken as it is."""

_END: Final = re.compile(r"[。！？；…\n]|(?<!\b[A-Z])(?<!\b[A-Z][a-z])(?<!\b[A-Z][a-z]{2})[.!?][\"'”’)\]]{0,2}\s")
_COMMA: Final = re.compile(r".*[\s，、,]", re.DOTALL)


def sentence_end(text: str) -> int:
    """Where the first sentence of a text ends, its end included; 0 where more text must come to say it."""
    end = _END.search(text, 0, LONGEST_SENTENCE)
    if end is not None:
        return end.end()
    if len(text) < LONGEST_SENTENCE:
        return 0
    comma = _COMMA.match(text, 0, LONGEST_SENTENCE)
    return LONGEST_SENTENCE if comma is None else comma.end()


class SentenceStream(Stream):
    """As the stream it is given, which reads whole sentences only, without the names in them."""

    __slots__ = ("_ahead", "_find", "_inner", "_own", "_plan", "_redacted")

    def __init__(
        self,
        find: Find,
        inner: Stream,
        grammar: Grammar,
        plan: Plan | None,
        own: Collection[str],
        redacted: Counter[str] | None = None,
    ) -> None:
        """`plan` has the patterns that go before names; values that are `own`, or parts of them, are kept. `redacted`
        counts by entity what is redacted."""
        self._redacted: Counter[str] = Counter() if redacted is None else redacted
        self._find = find
        self._inner = inner
        self._grammar = grammar
        self._plan = plan
        self._own = own
        self._ahead = ""

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
        if not sentence_end(self._ahead + text):
            self._ahead += text
            return ""
        return self._said(text, last=False)

    def whole(self, text: str) -> str:
        """All that there is to say when `text` is all that comes."""
        return self._said(text, last=True)

    def edits(self, text: str, *, last: bool = False) -> list[Edit]:
        """As `feed` (and `flush`), told as edits of what was fed."""
        return self._edits(text, last=last)

    def beside(self, string: str, instead: str, *, guarded: bool) -> list[Edit]:
        """What waits, and then `string`, which is not read but stands for `instead`; text beside it does not touch."""
        edits = self._sentence(self._ahead) if self._ahead else []
        self._ahead = ""
        return edits + self._inner.beside(string, instead, guarded=guarded)

    def _edits(self, text: str, *, last: bool) -> list[Edit]:
        buffer = self._ahead + text
        edits: list[Edit] = []
        while end := sentence_end(buffer):
            edits += self._sentence(buffer[:end])
            buffer = buffer[end:]
        self._ahead = buffer
        if last:
            if buffer:
                edits += self._sentence(buffer)
                self._ahead = ""
            edits += self._inner.edits("", last=True)
        return edits

    def _sentence(self, sentence: str) -> list[Edit]:
        edits: list[Edit] = []
        at = 0
        for one in self._names(sentence):
            if one.start > at:
                edits += self._inner.edits(sentence[at : one.start])
            edits += self._inner.beside(sentence[one.start : one.end], mark(one.entity), guarded=False)
            self._redacted[one.entity] += 1
            at = one.end
        if at < len(sentence):
            edits += self._inner.edits(sentence[at:])
        return edits

    def _names(self, sentence: str) -> Iterable[Finding]:
        found = [one for one in self._find(sentence) if not self._is_own(sentence[one.start : one.end])]
        if not found:
            return found
        taken = list(forms(self._grammar, sentence))
        if self._plan is not None:
            taken += [(one.start, one.end) for one in self._plan.findings(sentence)]
        return [one for one in found if not any(start < one.end and one.start < end for start, end in taken)]

    def _is_own(self, value: str) -> bool:
        return value in self._own or any(value in one for one in list(self._own))
