"""Chinese names by LAC, Baidu's lexical analyser: characters in, one tag per character out.

The network (two bidirectional GRUs, run by onnxruntime) gives each character a score for 59 tags; a linear-chain CRF
picks the best sequence of tags (Viterbi); a word starts at every tag that does not end in -I. Words tagged PER, LOC
and ORG are names. Paper: Jiao, Sun, Sun, "Chinese Lexical Analysis with Deep Bi-GRU-CRF Network", arXiv 1807.01882.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby, islice
from typing import TYPE_CHECKING, NamedTuple

from masking.core.entity import Entity
from masking.models.address import join_addresses
from masking.models.cue import CuedNames
from masking.models.mention import stated
from masking.models.network import network
from masking.models.whole import whole_names

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Lac"]

_LABELS = {"PER": "PERSON", "LOC": "LOCATION", "ORG": "ORGANIZATION"}
_HAN = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_HAS_HAN = re.compile(f"[{_HAN}]")
_SENTENCE_END = re.compile(r"[。！？；…\n]+[”’」』）】》]*")
_SOFT_END = re.compile(r"[，、,;:： \t]")

_TITLE = re.compile("先生|女士|小姐|太太|夫人|老师")
_NUMERALS = frozenset("〇零一二三四五六七八九十百千万亿壹贰叁肆伍陆柒捌玖拾佰仟两元角分整")
_CUED = 0.5  # score of a name that its surroundings give away

_WINDOW = 256  # characters that the network sees at once; sentences are far shorter, and memory stays bounded
_OVERLAP = 32  # characters seen twice where a window has to be cut in mid sentence: no name is longer
_BATCH = 32  # sentences of one length that run together; padding would change the result, so lengths are not mixed
_BLOCK = 2048  # windows that are sorted by length together


class _Window(NamedTuple):
    """What the network sees of a text, `start`..`end`, and the part of it that is this window's to report,
    `first`..`last`; `number` is that of the text."""

    text: str
    number: int
    start: int
    end: int
    first: int
    last: int


class Lac:
    """One loaded LAC. Holds no text; `find` may be called from several threads at once."""

    def __init__(self, files: Mapping[str, bytes], *, threads: int = 1) -> None:
        import numpy as np

        self._session = network(files["encoder.onnx"], threads=threads)
        transitions = np.load(io.BytesIO(files["transitions.npy"]), allow_pickle=False)
        # [to, from], so that the search for the best tag to come from runs along memory.
        self._transitions = np.ascontiguousarray(transitions.T, dtype=np.float32)
        words = {word: int(number) for number, word in _pairs(files["word.dic"])}
        self._unknown = words["OOV"]
        self._cues = CuedNames(frozenset(word for word in words if 2 <= len(word) <= 3))
        # Whole words are never looked up: text is fed character by character.
        self._ids = {word: number for word, number in words.items() if len(word) == 1}
        for full, half in _pairs(files["q2b.dic"]):
            self._ids[full] = words.get(half, self._unknown)
        tags = {int(number): tag for number, tag in _pairs(files["tag.dic"])}
        size = len(self._transitions)
        self._inside = np.array([tags.get(number, "O").endswith("-I") for number in range(size)])
        self._kind = [_LABELS.get(tags.get(number, "O").rpartition("-")[0], "") for number in range(size)]
        self._named = np.array([bool(kind) for kind in self._kind])

    def find(self, text: str) -> list[Entity]:
        """People, places, addresses and organisations in the Chinese sentences of a text, in order, without overlaps.

        Offsets in code points. Time is linear in the text; memory beyond the result does not grow with it.
        """
        return self.find_many((text,))[0]

    def find_many(self, texts: Iterable[str]) -> list[list[Entity]]:
        """As `find` for each text; sentences of one length run together, from whichever text they come.

        Equal to one after another: what the network says of a sentence does not depend on its company in a batch.
        """
        texts = list(texts)
        found: list[list[Entity]] = [[] for _ in texts]
        windows = (window for number, text in enumerate(texts) for window in _windows(text, number))
        while block := list(islice(windows, _BLOCK)):
            for window in block:
                found[window.number].extend(
                    Entity(*place, "PERSON", _CUED) for place in self._cues.find(window.text, window.first, window.last)
                )
            # A stable order, so that the windows of one text stay in theirs.
            block.sort(key=_length)
            for length, group in groupby(block, key=_length):
                while batch := list(islice(group, _BATCH)):
                    for number, entity in self._run(batch, length):
                        found[number].append(entity)
        return [_finished(text, entities) for text, entities in zip(texts, found, strict=True)]

    def _run(self, batch: list[_Window], length: int) -> Iterator[tuple[int, Entity]]:
        import numpy as np

        ids, unknown = self._ids, self._unknown
        tokens = np.array([[ids.get(char, unknown) for char in w.text[w.start : w.end]] for w in batch], dtype=np.int64)
        lengths = np.full(len(batch), length, dtype=np.int64)
        emissions = self._session.run(None, {"token_ids": tokens, "length": lengths})[0]
        tags = _viterbi(emissions, self._transitions)
        for window, row, scores in zip(batch, tags, emissions, strict=True):
            starts = np.flatnonzero(~self._inside[row])
            for position in np.flatnonzero(self._named[row[starts]]):
                start = int(starts[position])
                end = int(starts[position + 1]) if position + 1 < len(starts) else length
                if not window.first <= window.start + start < window.last:
                    continue
                label = self._kind[row[start]]
                place = self._cleaned(window.text, window.start + start, window.start + end, label)
                if place is not None:
                    yield window.number, Entity(*place, label, _confidence(scores[start:end], row[start:end]))

    def _cleaned(self, text: str, start: int, end: int, label: str) -> tuple[int, int] | None:
        """The word's offsets without marks at its edges; None for what a Chinese name never looks like.

        Measured on harmless prompts: four of five false alarms were emoji, digits, single characters or ASCII words.
        """
        belongs = str.isalpha if label == "PERSON" else str.isalnum
        while start < end and not belongs(text[start]):
            start += 1
        while start < end and not belongs(text[end - 1]):
            end -= 1
        characters = len(_HAS_HAN.findall(text, start, end))
        if characters == 1 and label == "PERSON" and end - start == 1 and (title := _TITLE.match(text, end)):
            return start, title.end()
        if characters < 2:
            return None  # a plate's 京A, a lone 李, an English word
        if label == "PERSON" and any(char.isdigit() for char in text[start:end]):
            return None
        if label == "PERSON" and _NUMERALS.issuperset(text[start:end]):
            return None
        return start, end


def _pairs(table: bytes) -> Iterator[tuple[str, str]]:
    """Lines of two columns, split at line feeds only: some columns are themselves odd line separators."""
    for line in table.decode("utf-8").split("\n"):
        left, tab, right = line.rstrip("\r").partition("\t")
        if tab:
            yield left, right


def _length(window: _Window) -> int:
    return window.end - window.start


def _windows(text: str, number: int = 0) -> Iterator[_Window]:
    """Sentence by sentence, none longer than a window; what has no Chinese character is left out."""
    start = first = 0
    while start < len(text):
        limit = min(start + _WINDOW, len(text))
        stop = _cut(text, start, limit)
        # A name that is cut in mid sentence lies whole in one of two windows that overlap; each reports its half.
        last = stop or limit - _OVERLAP // 2
        if _HAS_HAN.search(text, first, last):
            yield _Window(text, number, start, stop or limit, first, last)
        start, first = (stop, stop) if stop else (limit - _OVERLAP, last)


def _cut(text: str, start: int, limit: int) -> int:
    """Where a sentence that begins at `start` may end: behind a full stop, the text's end, or a comma; 0 if nowhere."""
    mark = _SENTENCE_END.search(text, start, limit)
    if mark is not None:
        return mark.end()
    if limit == len(text):
        return limit
    stop = 0
    for soft in _SOFT_END.finditer(text, (start + limit) // 2, limit):
        stop = soft.end()
    return stop


def _viterbi(emissions: NDArray[np.float32], transitions: NDArray[np.float32]) -> NDArray[np.intp]:
    """Best tag sequences, [sentence, position], of scores [sentence, position, tag] under transitions [to, from].

    On the way forth only how good the best way to each tag is; which way that is, is asked on the way back, of the one
    tag that was chosen.
    """
    import numpy as np

    count, length, size = emissions.shape
    onward = np.ascontiguousarray(transitions.T)[:, None, :]  # [from, sentence, to]: the greatest is looked for in rows
    scores = np.empty((size, count, size), dtype=np.float32)
    best = np.empty((length, count, size), dtype=np.float32)
    best[0] = emissions[:, 0]
    for position in range(1, length):
        np.add(best[position - 1].T[:, :, None], onward, out=scores)
        np.maximum.reduce(scores, axis=0, out=best[position])
        best[position] += emissions[:, position]
    path = np.empty((count, length), dtype=np.intp)
    path[:, -1] = best[-1].argmax(axis=1)
    for position in range(length - 1, 0, -1):
        path[:, position - 1] = (best[position - 1] + transitions[path[:, position]]).argmax(axis=1)
    return path


def _confidence(emissions: NDArray[np.float32], tags: NDArray[np.intp]) -> float:
    """Mean share of the chosen tag among all tags, character by character: orders findings, is no probability."""
    import numpy as np

    powers = np.exp(emissions - emissions.max(axis=1, keepdims=True))
    shares = powers[np.arange(len(tags)), tags] / powers.sum(axis=1)
    return round(float(shares.mean()), 4)


def _finished(text: str, entities: list[Entity]) -> list[Entity]:
    """What the network and the cues gave, made whole: names, addresses, and what is only mentioned told apart."""
    return stated(text, join_addresses(text, whole_names(text, _apart(entities))))


def _apart(entities: list[Entity]) -> list[Entity]:
    """Entities in order, none overlapping another; what only begins inside the one before begins behind it.

    Of two that cover one another the longer stays. A name that its surroundings give away so replaces what the model
    saw of it, a piece, or a town of the same name.
    """
    kept: list[Entity] = []
    for entity in sorted(entities, key=lambda entity: (entity.start, entity.end, entity.label == "PERSON")):
        while kept and kept[-1].start >= entity.start:
            kept.pop()
        begin = max(entity.start, kept[-1].end) if kept else entity.start
        if begin < entity.end:
            kept.append(Entity(begin, entity.end, entity.label, entity.score))
    return kept
