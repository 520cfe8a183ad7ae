"""Splits text into the pieces that a BERT model knows, and remembers where each piece came from.

As in the reference implementation of Devlin et al. (arXiv 1810.04805): the text is cleaned, for an "uncased" model also
stripped of accents and lower-cased, cut at blanks, at punctuation and around each CJK ideograph; each word is then cut
greedily into the longest pieces of the vocabulary. Unlike the reference, `[CLS]` or `[MASK]` in a text is text: nobody
can type a control token.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple

__all__ = ["Piece", "WordPiece"]

_LONGEST_WORD = 100  # characters after normalisation; a longer word is unknown as a whole (the model's own setting)
_CHUNK = re.compile(r"[^ \t\n\r]+")
_ASCII_WORD = re.compile(r"[A-Za-z0-9]+|[!-/:-@\[-`{-~]")
_REMEMBERED = 4096  # code points whose normal form is kept; bounded, so that no text can fill the memory


class Piece(NamedTuple):
    """One piece: its number in the vocabulary, the code points `start`..`end`, and whether it opens a word."""

    number: int
    start: int
    end: int
    opens: bool


class WordPiece:
    """A vocabulary and the way to cut text by it. Keeps normal forms of single characters, and no text.

    With `lower`, as "uncased" models want it, letters lose accents and case.
    """

    def __init__(self, vocabulary: Iterable[str], *, unknown: str = "[UNK]", lower: bool = True) -> None:
        self._lower = lower
        self._numbers = {piece: number for number, piece in enumerate(vocabulary)}
        self._unknown = self._numbers[unknown]
        self._longest = max(len(piece) for piece in self._numbers)
        self._forms: dict[str, str] = {}

    def number(self, piece: str) -> int:
        """The number of one piece; KeyError when the vocabulary lacks it."""
        return self._numbers[piece]

    def pieces(self, text: str) -> list[Piece]:
        """The pieces of a text in order, offsets in its code points; time linear in its length."""
        found: list[Piece] = []
        for chunk in _CHUNK.finditer(text):
            word = chunk.group()
            if word.isascii() and word.isprintable():
                for match in _ASCII_WORD.finditer(word.lower() if self._lower else word):
                    start = chunk.start() + match.start()
                    self._cut(match.group(), range(start, start + len(match.group())), found)
            else:
                for part, places in self._words(word, chunk.start()):
                    self._cut(part, places, found)
        return found

    def _words(self, chunk: str, offset: int) -> Iterator[tuple[str, list[int]]]:
        """Normalised words of a chunk that is not plain ASCII, with the place of each of their characters."""
        word: list[str] = []
        places: list[int] = []
        for place, original in enumerate(chunk, offset):
            for char in self._form(original):
                alone = _is_punctuation(char)
                if word and (alone or char == " "):
                    yield "".join(word), places
                    word, places = [], []
                if alone:
                    yield char, [place]
                elif char != " ":
                    word.append(char)
                    places.append(place)
        if word:
            yield "".join(word), places

    def _form(self, char: str) -> str:
        form = self._forms.get(char)
        if form is None:
            form = _normal_form(char, lower=self._lower)
            if len(self._forms) < _REMEMBERED:
                self._forms[char] = form
        return form

    def _cut(self, word: str, places: range | list[int], found: list[Piece]) -> None:
        """Appends the pieces of one word, or one unknown piece where the vocabulary does not cover it."""
        numbers = self._numbers
        number = numbers.get(word)
        if number is not None and len(word) <= _LONGEST_WORD:
            found.append(Piece(number, places[0], places[-1] + 1, True))
            return
        size, start = len(word), 0
        pieces: list[Piece] = []
        while start < size <= _LONGEST_WORD:
            prefix = "##" if start else ""
            for end in range(min(size, start + self._longest), start, -1):
                number = numbers.get(prefix + word[start:end])
                if number is not None:
                    pieces.append(Piece(number, places[start], places[end - 1] + 1, not start))
                    start = end
                    break
            else:
                break
        if start == size:
            found.extend(pieces)
        else:
            found.append(Piece(self._unknown, places[0], places[-1] + 1, True))


def _normal_form(char: str, *, lower: bool = True) -> str:
    """What one character becomes: nothing, a blank, an ideograph between blanks, or (bare, lower-case) letters."""
    category = unicodedata.category(char)
    if category in {"Cc", "Cf", "Co", "Cs"} or char == "\ufffd":
        return ""
    if char.isspace():
        return " "
    plain = char
    if lower:
        bare = (part for part in unicodedata.normalize("NFD", char) if unicodedata.category(part) != "Mn")
        # Letter by letter: the reference knows no final sigma.
        plain = "".join(part.lower() for part in bare)
    return f" {plain} " if _is_ideograph(ord(char)) else plain


def _is_ideograph(code: int) -> bool:
    """The blocks that the reference calls Chinese characters; kana and hangul are not among them."""
    return (
        0x4E00 <= code <= 0x9FFF
        or 0x3400 <= code <= 0x4DBF
        or 0x20000 <= code <= 0x2A6DF
        or 0x2A700 <= code <= 0x2B73F
        or 0x2B740 <= code <= 0x2B81F
        or 0x2B920 <= code <= 0x2CEAF
        or 0xF900 <= code <= 0xFAFF
        or 0x2F800 <= code <= 0x2FA1F
    )


def _is_punctuation(char: str) -> bool:
    """Unicode punctuation, and the ASCII signs that Unicode calls symbols ($ + < = > ^ ` | ~)."""
    return unicodedata.category(char)[0] == "P" or char in "$+<=>^`|~"
