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
from masking.models.network import network, probabilities
from masking.models.wordpiece import Piece, WordPiece

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Rampart"]

_PERSON, _ADDRESS, _PLACE = "PERSON", "ADDRESS", "LOCATION"
_LABELS = {
    "GIVEN_NAME": _PERSON,
    "SURNAME": _PERSON,
    "BUILDING_NUMBER": _ADDRESS,
    "STREET_NAME": _ADDRESS,
    "SECONDARY_ADDRESS": _ADDRESS,
    "ZIP_CODE": _ADDRESS,
    "CITY": _ADDRESS,
    "STATE": _ADDRESS,
}
_PLAIN_PLACES = {"CITY", "STATE"}

_LATIN = re.compile("[A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff]+")
_LATIN_WORD = re.compile(_LATIN.pattern[:-1] + "{2,}")
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
_SURE = 0.5  # share of a label above which a word carries it
_JOINT = 24  # characters that at most stand between two words of one entity: ", Apartment #"
_LIKELY = 0.2  # ... above which it carries it too, if it is capitalised and stands beside a sure word of that label

_MAYBE = 0.15  # share of a name above which a word behind a first name is a surname
_TOGETHER = 0.3  # mean share above which several capitalised words are a name though none is sure

_BLANKS = r"[ \t\u00a0]{0,2}"
_PERSON_GAP = re.compile(rf"{_BLANKS}[-\u2010\u2011'\u2019]?{_BLANKS}|[ \u00a0][A-Z]\.?[ \u00a0]")
_INITIAL_GAP = re.compile(r"\.[ \t\u00a0]?")
# What stands between the parts of an address without being labelled: Suite, Apt., P.O. Box, state codes before a
# postcode.
_DESIGNATOR = r"(?:Suite|Ste|Apt|Apartment|Unit|Room|Rm|Floor|Fl|Flat|Box|P\.?O\.? Box|Street|St|No|Nr|N\u00ba)\.?"
_ADDRESS_GAP = re.compile(
    rf"(?i:{_BLANKS}[,.;#/\-\u2013]?{_BLANKS}(?:\n{_BLANKS}){{0,2}}(?:{_DESIGNATOR}{_BLANKS}#?){{0,2}})"
    r"|,?[ \n]{1,2}(?:[A-Z]{2,3} ){1,2}|[,.]? ?\([^()\n]{1,12}\) ?"
)
# ... and what opens one: Unit 12; postcode 3520. Without such a word a number alone is no address.
_ADDRESS_START = re.compile(
    rf"(?i:\b(?:Suite|Ste|Apt|Apartment|Unit|Flat|(?:P\.?O\.? )?Box|Postbox|Postfach)\.?{_BLANKS}#?"
    rf"|\b(?P<code>ZIP|ZIP code|Post ?code|Postal code|PLZ|CAP|CEP|C\.?P\.?)(?: is|:)?{_BLANKS})$"
)
# A middle initial with a capitalised word behind it makes that word a surname: Janka M. Szasz.
_SURNAME = re.compile(r"[ \u00a0][A-Z]\.?[ \u00a0](?=[^\W\d_a-z])[^\W\d_]+(?:[-'\u2019][^\W\d_]+)?")
_BEFORE_INITIAL = re.compile(r"(?:^|(?<=[^\w'\u2019-]))(?P<name>[^\W\d_a-z][^\W\d_]{1,16}[ \u00a0][A-Z]\.?[ \u00a0])$")
# A name with an initial, or with a title: what the model takes for a street.
_CAPITALISED = r"[^\W\d_a-z][^\W\d_]+(?:[-'\u2019][^\W\d_]+)?"
_INITIALLED = re.compile(
    rf"(?:{_CAPITALISED} [A-Z]\.? (?:(?:de|van|von|der|la|St\.) ){{0,2}}|(?:Dr|Mrs?|Ms|Miss|Prof|Sir)\.? (?:{_CAPITALISED} )?){_CAPITALISED}"
)
_STREET_KIND = re.compile(
    r"\b(?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Court|Ct|Blvd|Boulevard|Way|Place|Terrace|Square|Highway|Hwy|Close|Park)\.?$"
)
_OTHER_GAP = re.compile(r"[ \t\u00a0().,/+\-]{0,3}")
# A surname that a company is called by. Two surnames joined by "and" stay people: they may be.
_COMPANY = re.compile(
    r",? (?:(?:&|and|und|et|y) (?:Sons|Co|Company|Partners|Brothers|Associates)|Inc|LLC|LLP|Ltd|Limited|PLC|Corp|"
    r"Corporation|Incorporated|Group|Holdings|GmbH|AG|KG|SARL|SAS|SpA|BV|NV)\b"
)
# The rest of a mail address behind what looks like a name, and its beginning before it.
_MAIL_BEHIND = re.compile(r"[A-Za-z0-9_.+-]{0,64}@[A-Za-z0-9]")
_MAIL_BEFORE = re.compile(r"[A-Za-z0-9]@[A-Za-z0-9.-]{0,64}$")


class _Word(NamedTuple):
    """One word that the model labels: its place, our label, the model's own kind, and how sure it is."""

    start: int
    end: int
    label: str
    kind: str
    score: float
    person: float = 0.0
    """How much of it the model takes for a person's name, whatever it labels it."""


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
        self._labels = sorted({_LABELS.get(kind, kind) for kind in self._kinds})
        # B- and I- of a kind count together, and so do the kinds of one label: a first name or a surname is a person.
        self._by_kind = np.array([[name == kind for kind in self._kinds] for name in kinds], dtype=np.float32)
        self._by_label = np.array(
            [[_LABELS.get(kind, kind) == label for label in self._labels] for kind in self._kinds], dtype=np.float32
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
        words: list[list[_Word]] = [[] for _ in texts]
        parts = (part for number, text in enumerate(texts) for part in self._parts(text, number))
        while block := list(islice(parts, _BLOCK)):
            for part, kinds in zip(block, self._all_shares(block), strict=True):
                words[part.number].extend(self._labelled(part, kinds))
        return [_entities(text, some) for text, some in zip(texts, words, strict=True)]

    def _parts(self, text: str, number: int) -> Iterator[_Part]:
        for window in _windows(text):
            pieces = self._words.pieces(text[window.start : window.end])
            for begin in range(0, len(pieces), _PIECES):
                some = pieces[begin : begin + _PIECES]
                starts = [position for position, piece in enumerate(some) if piece.opens or not position]
                yield _Part(text, number, window, some, starts)

    def _labelled(self, part: _Part, kinds: NDArray[np.float32]) -> Iterator[_Word]:
        text, _, window, pieces, starts = part
        labels = kinds @ self._by_label
        best = labels.argmax(axis=1)
        for row in (labels.max(axis=1) > _LIKELY).nonzero()[0]:
            start = pieces[starts[row]].start + window.start
            sure = bool(labels[row, best[row]] > _SURE)
            if not window.first <= start < window.last or not (sure or text[start].isupper()):
                continue
            if _OTHER_SCRIPT.match(text, start):
                continue
            end = pieces[starts[row + 1] - 1 if row + 1 < len(starts) else -1].end + window.start
            while end < len(text) and unicodedata.category(text[end]) == "Mn":
                end += 1  # the accent of the last letter, where it is a code point of its own
            label = self._labels[best[row]]
            own = kinds[row] * self._by_label[:, best[row]]
            person = float(labels[row, self._labels.index(_PERSON)])
            yield _Word(start, end, label, self._kinds[int(own.argmax())], float(labels[row, best[row]]), person)

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


def _entities(text: str, words: Iterable[_Word]) -> list[Entity]:
    groups = (part for group in _groups(text, _surnames(text, words)) for part in _names_apart(text, group))
    return [entity for group in groups if (entity := _entity(text, group)) is not None]


def _surnames(text: str, words: Iterable[_Word]) -> Iterator[_Word]:
    """The words; one that follows a name directly and may be one is a surname, not a street: Mei Chowdhury."""
    before: _Word | None = None
    for word in words:
        if (
            before is not None
            and before.label == _PERSON
            and word.label == _ADDRESS
            and word.person >= _MAYBE
            and word.kind in {"STREET_NAME", "CITY"}
            and text[before.end : word.start] == " "
            and text[word.start].isupper()
        ):
            word = _Word(word.start, word.end, _PERSON, "SURNAME", word.person, word.person)
        yield word
        before = word


def _names_apart(text: str, group: list[_Word]) -> Iterator[list[_Word]]:
    """A group of words; where a name with an initial or a title opens an address, both apart.

    The model takes Hugh G. for a street, most of all where one follows in the next line.
    """
    if group[0].label != _ADDRESS or (named := _INITIALLED.match(text, group[0].start)) is None:
        yield group
        return
    name = [word for word in group if word.start < named.end()]
    rest = group[len(name) :]
    if any(word.kind in {"BUILDING_NUMBER", "ZIP_CODE"} for word in name) or _STREET_KIND.search(text, *named.span()):
        yield group
        return
    yield [_Word(named.start(), named.end(), _PERSON, "SURNAME", 1.0, 1.0)]
    if rest:
        yield rest


def _groups(text: str, words: Iterable[_Word]) -> Iterator[list[_Word]]:
    """Words that make one entity together: of one label, with nothing but a joint between them."""
    group: list[_Word] = []
    for word in words:
        if group and word.start < group[-1].end:
            continue
        if group and not _joins(text, group[-1], word):
            yield group
            group = []
        group.append(word)
    if group:
        yield group


def _joins(text: str, before: _Word, word: _Word) -> bool:
    if word.label != before.label or word.start - before.end > _JOINT:
        return False
    between = text[before.end : word.start]
    if word.label == _PERSON:
        if _PERSON_GAP.fullmatch(between):
            return True
        # The full stop of an initial: John F. Kennedy, but not: I met Ann. Mary said
        return before.end - before.start <= 2 and _INITIAL_GAP.fullmatch(between) is not None
    if word.label == _ADDRESS:
        # Paris, London are two cities; Paris, Texas is one place.
        cities = before.kind == word.kind and word.kind in _PLAIN_PLACES and "," in between
        return not cities and _ADDRESS_GAP.fullmatch(between) is not None
    return before.kind == word.kind and _OTHER_GAP.fullmatch(between) is not None


def _entity(text: str, group: list[_Word]) -> Entity | None:
    """The entity that a group of words makes; None where no word is sure or the shape speaks against it."""
    start, end, label = group[0].start, group[-1].end, group[0].label
    while start < end and not text[start].isalnum() and text[start] not in "(+#":
        start += 1
    while start < end and not (text[end - 1].isalnum() or unicodedata.category(text[end - 1]) == "Mn"):
        end -= 1
    if start == end or (all(word.score <= _SURE for word in group) and not _is_full_name(text, group)):
        return None
    alike = all(word.kind == group[0].kind for word in group)
    if label == _PERSON:
        surname = _SURNAME.match(text, end) if alike else None
        end = surname.end() if surname else end
        opening = _BEFORE_INITIAL.search(text, max(0, start - 24), start)
        start = opening.start("name") if opening and alike else start
        if not _is_name(text, start, end):
            return None
    elif label == _ADDRESS:
        label = _PLACE if all(word.kind in _PLAIN_PLACES for word in group) else _ADDRESS
        opening = _ADDRESS_START.search(text, max(start - 16, 0), start)
        if opening is None and _LATIN_WORD.search(text, start, end) is None:
            return None  # a number alone: a port, an age, a part of an invoice number
        start = opening.start() if opening and not opening["code"] else start
    if label in {_PERSON, _PLACE} and alike and _COMPANY.match(text, end):
        return None
    return Entity(start, end, label, round(sum(word.score for word in group) / len(group), 4))


def _is_full_name(text: str, group: list[_Word]) -> bool:
    """Whether words of which none is sure make a name together: several, capitalised, each of them likely."""
    if group[0].label != _PERSON or len(group) < 2 or not all(text[word.start].isupper() for word in group):
        return False
    return sum(word.score for word in group) / len(group) >= _TOGETHER


def _is_name(text: str, start: int, end: int) -> bool:
    """False for what is no name in Latin script: digits, one letter, the beginning of a mail address."""
    found = text[start:end]
    if _LATIN_WORD.search(found) is None or any(char.isdigit() for char in found):
        return False
    return not (_MAIL_BEHIND.match(text, end) or _MAIL_BEFORE.search(text, max(start - 66, 0), start))
