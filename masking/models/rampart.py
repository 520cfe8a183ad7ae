"""Names and addresses in Latin script by Rampart, a small BERT that labels word pieces.

Its 17 kinds are finer than ours: given name and surname become PERSON, the six parts of an address ADDRESS or, where
only a city or a state is seen, LOCATION. The other kinds leave under their own names; rules decide which of them to
believe. Model card: https://huggingface.co/nationaldesignstudio/rampart (CC BY 4.0).
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby, islice
from typing import TYPE_CHECKING, NamedTuple

from masking.core.entity import Entity
from masking.models.latinname import LABELS, PERSON, SURE, Word, entities
from masking.models.network import network, probabilities
from masking.models.wordpiece import Piece, WordPiece

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Rampart"]

_LATIN = re.compile("[A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff]+")
# Chinese, Japanese and Korean: the model was not made for them, and labels them only by the company they keep.
_OTHER_SCRIPT = re.compile("[\u1100-\u11ff\u2e80-\ud7ff\uf900-\uffdc\U00020000-\U0003ffff]")
# Nobody's name is 200 characters long without a blank: base64, hashes, minified code. They would cost most of the time.
_BLOB = re.compile(r"[A-Za-z0-9+/=_%.\-]{200,}")
_GAP = 64  # characters without a Latin letter after which a new stretch begins
_AROUND = 32  # characters of other script that are shown to the model on either side, as context
# Characters at once. The model was made for short texts: on joined prompts windows of 240 cover 93 % of the values,
# of 960 90 %, and on joined web texts 78 % against 60 %.
_WINDOW = 240
_OVERLAP = 64  # characters that two windows share where one has to be cut in mid sentence; each reports its half
_BREAK = re.compile(r"([.!?][\"')]? )|(\n(?!\n))|(\n\n+)")
_BATCH = 512  # pieces that run together, in windows of one length: padding would change the cost, and may the result
_BLOCK = 1024  # windows that are sorted by length together
_PIECES = 510  # the model has 512 positions, two of them for [CLS] and [SEP]
# Share of a label above which a word carries it too, if it is capitalised and stands beside a sure word of that label.
_LIKELY = 0.2


class _Window(NamedTuple):
    """What the model sees, `start`..`end`, and the words it reports: those that begin in `first`..`last`."""

    start: int
    end: int
    first: int
    last: int


class _Part(NamedTuple):
    """What the model is given at once: pieces of a window, which of them open a word, and whose text it is."""

    text: str
    number: int
    window: _Window
    pieces: list[Piece]
    starts: list[int]


class Rampart:
    """One loaded Rampart. Holds no text; `find` may be called from several threads at once."""

    def __init__(self, files: Mapping[str, bytes], *, threads: int = 1) -> None:
        import numpy as np

        self._session = network(files["model_q4.onnx"], threads=threads)
        self._words = WordPiece(files["vocab.txt"].decode("utf-8").rstrip("\n").split("\n"))
        self._first, self._last = self._words.number("[CLS]"), self._words.number("[SEP]")
        names: dict[str, str] = json.loads(files["config.json"])["id2label"]
        kinds = [names[str(number)].partition("-")[2] for number in range(len(names))]
        self._kinds = sorted(set(kinds) - {""})
        self._labels = sorted({LABELS.get(kind, kind) for kind in self._kinds})
        # B- and I- of a kind count together, and so do the kinds of one label: a first name or a surname is a person.
        self._by_kind = np.array([[name == kind for kind in self._kinds] for name in kinds], dtype=np.float32)
        self._by_label = np.array(
            [[LABELS.get(kind, kind) == label for label in self._labels] for kind in self._kinds], dtype=np.float32
        )

    def find(self, text: str) -> list[Entity]:
        """People, places, addresses and the model's other kinds, in order, without overlaps; offsets in code points.

        Stretches without a Latin letter, and blobs of 200 characters and more without a blank, are not looked at.
        Time is linear in the text; memory beyond the result does not grow with it.
        """
        return self.find_many((text,))[0]

    def find_many(self, texts: Iterable[str]) -> list[list[Entity]]:
        """As `find` for each text; windows of as many pieces run together, from whichever text they come.

        Equal to one after another: what the model says of a window does not depend on its company in a batch.
        """
        texts = list(texts)
        words: list[list[Word]] = [[] for _ in texts]
        parts = (part for number, text in enumerate(texts) for part in self._parts(text, number))
        while block := list(islice(parts, _BLOCK)):
            for part, kinds in zip(block, self._all_shares(block), strict=True):
                words[part.number].extend(self._labelled(part, kinds))
        return [entities(text, some) for text, some in zip(texts, words, strict=True)]

    def _parts(self, text: str, number: int) -> Iterator[_Part]:
        for window in _windows(text):
            pieces = self._words.pieces(text[window.start : window.end])
            for begin in range(0, len(pieces), _PIECES):
                some = pieces[begin : begin + _PIECES]
                starts = [position for position, piece in enumerate(some) if piece.opens or not position]
                yield _Part(text, number, window, some, starts)

    def _labelled(self, part: _Part, kinds: NDArray[np.float32]) -> Iterator[Word]:
        text, _, window, pieces, starts = part
        labels = kinds @ self._by_label
        best = labels.argmax(axis=1)
        for row in (labels.max(axis=1) > _LIKELY).nonzero()[0]:
            start = pieces[starts[row]].start + window.start
            sure = bool(labels[row, best[row]] > SURE)
            if not window.first <= start < window.last or not (sure or text[start].isupper()):
                continue
            if _OTHER_SCRIPT.match(text, start):
                continue
            end = pieces[starts[row + 1] - 1 if row + 1 < len(starts) else -1].end + window.start
            while end < len(text) and unicodedata.category(text[end]) == "Mn":
                end += 1  # the accent of the last letter, where it is a code point of its own
            label = self._labels[best[row]]
            own = kinds[row] * self._by_label[:, best[row]]
            person = float(labels[row, self._labels.index(PERSON)])
            yield Word(start, end, label, self._kinds[int(own.argmax())], float(labels[row, best[row]]), person)

    def _all_shares(self, parts: list[_Part]) -> list[NDArray[np.float32]]:
        """For each part, for each of its words: the mean over its pieces of the probability of each kind."""
        made: dict[int, NDArray[np.float32]] = {}
        order = sorted(range(len(parts)), key=lambda at: len(parts[at].pieces))
        for size, group in groupby(order, key=lambda at: len(parts[at].pieces)):
            while batch := list(islice(group, max(1, _BATCH // size))):
                made.update(zip(batch, self._shares([parts[at] for at in batch]), strict=True))
        return [made[at] for at in range(len(parts))]

    def _shares(self, parts: list[_Part]) -> Iterator[NDArray[np.float32]]:
        """As `_all_shares`, of parts with equally many pieces, in one run of the model."""
        import numpy as np

        numbers = np.array(
            [[self._first, *(piece.number for piece in part.pieces), self._last] for part in parts], dtype=np.int64
        )
        feed = {"input_ids": numbers, "attention_mask": np.ones_like(numbers), "token_type_ids": np.zeros_like(numbers)}
        for part, logits in zip(parts, self._session.run(None, feed)[0][:, 1:-1], strict=True):
            sums = np.add.reduceat(probabilities(logits) @ self._by_kind, part.starts, axis=0)
            counts = np.diff([*part.starts, len(part.pieces)])
            yield np.asarray(sums / counts[:, None], dtype=np.float32)


def _windows(text: str) -> Iterator[_Window]:
    """Windows over the stretches that hold Latin letters: cut behind a paragraph, a line or a sentence.

    Where a window has none of these in its second half, it is cut at a blank and the next one overlaps it.
    """
    for begin, stop in _stretches(text):
        start = first = begin
        while stop - start > _WINDOW:
            end = _break(text, start + _WINDOW // 2, start + _WINDOW)
            if end:
                yield _Window(start, end, first, end)
                start = first = end
            else:
                end = _blank_before(text, start + _WINDOW, start + _WINDOW - 24)
                last = _blank_before(text, end - _OVERLAP // 2, end - _OVERLAP + 8)
                yield _Window(start, end, first, last)
                start, first = _blank_before(text, end - _OVERLAP, end - _OVERLAP - 16), last
        yield _Window(start, stop, first, stop)


def _break(text: str, start: int, end: int) -> int:
    """The last place between two offsets behind a paragraph, else a line, else a sentence; 0 if there is none."""
    found, rank = 0, 0
    for mark in _BREAK.finditer(text, start, end):
        if (mark.lastindex or 0) >= rank:
            found, rank = mark.end(), mark.lastindex or 0
    return found


def _blank_before(text: str, at: int, least: int) -> int:
    """The last place after a blank in `least`..`at`, otherwise `at`."""
    found = max(text.rfind(" ", least, at), text.rfind("\n", least, at))
    return found + 1 if found >= 0 else at


def _stretches(text: str) -> Iterator[tuple[int, int]]:
    """Where Latin letters are, with some context around them, without blobs."""
    at = 0
    for blob in _BLOB.finditer(text):
        yield from _latin(text, at, blob.start())
        at = blob.end()
    yield from _latin(text, at, len(text))


def _latin(text: str, begin: int, stop: int) -> Iterator[tuple[int, int]]:
    start = end = -1
    for run in _LATIN.finditer(text, begin, stop):
        if start < 0:
            start = run.start()
        elif run.start() - end > _GAP:
            yield max(begin, start - _AROUND), min(stop, end + _AROUND)
            start = run.start()
        end = run.end()
    if start >= 0:
        yield max(begin, start - _AROUND), min(stop, end + _AROUND)
