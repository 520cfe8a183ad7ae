"""Joins the words that the Latin name model labels to names, places and addresses.

The model labels words one by one, and leaves out or mistakes what stands between them: initials, titles, suites,
countries. A name with an initial it takes for a street. Patterns are bounded: time linear in the text.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from masking.core.entity import Entity
from masking.models import latinform as form

__all__ = ["LABELS", "PERSON", "SURE", "Word", "entities"]

PERSON, _ADDRESS, _PLACE = "PERSON", "ADDRESS", "LOCATION"
LABELS = {
    "GIVEN_NAME": PERSON,
    "SURNAME": PERSON,
    "BUILDING_NUMBER": _ADDRESS,
    "STREET_NAME": _ADDRESS,
    "SECONDARY_ADDRESS": _ADDRESS,
    "ZIP_CODE": _ADDRESS,
    "CITY": _ADDRESS,
    "STATE": _ADDRESS,
}
_PLAIN_PLACES = {"CITY", "STATE"}
_MENTIONED_PLACE = "MENTIONED_PLACE"

SURE = 0.5  # share of a label above which a word carries it
_JOINT = 24  # characters that at most stand between two words of one entity: ", Apartment #"
_MAYBE = 0.15  # share of a name above which a word behind a first name is a surname
_TOGETHER = 0.3  # mean share above which several capitalised words are a name though none is sure


class Word(NamedTuple):
    """One word that the model labels: its place, our label, the model's own kind, and how sure it is."""

    start: int
    end: int
    label: str
    kind: str
    score: float
    person: float = 0.0
    """How much of it the model takes for a person's name, whatever it labels it."""


def entities(text: str, words: Iterable[Word]) -> list[Entity]:
    """The names, places and addresses that labelled words make, in order, without overlaps."""
    groups = (part for group in _groups(text, _surnames(text, words)) for part in _names_apart(text, group) if part)
    return _mentions_apart(text, [entity for group in groups if (entity := _entity(text, group)) is not None])


def _mentions_apart(text: str, found: list[Entity]) -> list[Entity]:
    """The entities; towns and countries in a question about the world, in a text without anybody, as mentions."""
    if any(entity.label in {PERSON, _ADDRESS} for entity in found):
        return found
    return [
        Entity(one.start, one.end, _MENTIONED_PLACE, one.score)
        if one.label == _PLACE and _is_general(text, one)
        else one
        for one in found
    ]


def _is_general(text: str, place: Entity) -> bool:
    """Whether a place stands in a question that says of nobody that he lives, is born or goes there."""
    if form.STATED.search(text, max(0, place.start - 40), place.start):
        return False
    start = max(text.rfind(mark, 0, place.start) for mark in ".!?\n") + 1
    end = form.SENTENCE_END.search(text, place.end)
    return bool(end and end[0].startswith("?")) or form.ASKS.match(text, start) is not None


def _surnames(text: str, words: Iterable[Word]) -> Iterator[Word]:
    """The words; one that follows a name directly and may be one is a surname, not a street: Mei Chowdhury."""
    before: Word | None = None
    for word in words:
        if (
            before is not None
            and before.label == PERSON
            and word.label == _ADDRESS
            and word.person >= _MAYBE
            and word.kind in {"STREET_NAME", "CITY"}
            and text[before.end : word.start] == " "
            and text[word.start].isupper()
        ):
            word = Word(word.start, word.end, PERSON, "SURNAME", word.person, word.person)
        yield word
        before = word


def _names_apart(text: str, group: list[Word]) -> Iterator[list[Word]]:
    """A group of words; where a name with an initial or a title opens an address, or closes one, both apart.

    The model takes Hugh G. for a street, most of all where one follows in the next line.
    """
    at = group[0].start
    whom = form.FOR.search(text, at, group[-1].end + 1) if group[0].label == _ADDRESS else None
    if whom is not None:  # ..., Edinburgh EH1 1QS, attn Wanda Thornbury
        yield from _names_apart(text, [word for word in group if word.end <= whom.start()] or group[:0])
        yield [Word(*whom.span("name"), PERSON, "SURNAME", 1.0, 1.0)]
        yield [word for word in group if word.start >= whom.end()]
        return
    opening = form.OPENS.search(text, max(0, at - 24), at) if group[0].label == _ADDRESS else None
    if opening and (whole := form.INITIALLED.fullmatch(text, opening.start("name"), group[-1].end)):
        yield [Word(*whole.span(), PERSON, "SURNAME", 1.0, 1.0)]  # Ezra | G. Thornbury
        return
    named = (form.INITIALLED.match(text, at) or form.ADDRESSEE.match(text, at)) if group[0].label == _ADDRESS else None
    if named is None:
        yield group
        return
    name = [word for word in group if word.start < named.end()]
    rest = group[len(name) :]
    numbered = any(word.kind in {"BUILDING_NUMBER", "ZIP_CODE"} for word in name)
    if numbered or form.STREET_KIND.search(text, *named.span()):
        yield group
        return
    yield [Word(named.start(), named.end(), PERSON, "SURNAME", 1.0, 1.0)]
    if rest:
        yield rest


def _groups(text: str, words: Iterable[Word]) -> Iterator[list[Word]]:
    """Words that make one entity together: of one label, with nothing but a joint between them."""
    group: list[Word] = []
    for word in words:
        if group and word.start < group[-1].end:
            continue
        if group and not _joins(text, group[-1], word):
            yield group
            group = []
        group.append(word)
    if group:
        yield group


def _joins(text: str, before: Word, word: Word) -> bool:
    if word.label != before.label or word.start - before.end > _JOINT:
        return False
    between = text[before.end : word.start]
    if word.label == PERSON:
        if (
            text[before.start].isupper()
            and text[word.start].islower()
            and text[before.end : word.start].startswith(("'", "\u2019"))
        ):
            return False  # Bayes' theorem
        if form.PERSON_GAP.fullmatch(between):
            return True
        # The full stop of an initial: John F. Kennedy, but not: I met Ann. Mary said
        return before.end - before.start <= 2 and form.INITIAL_GAP.fullmatch(between) is not None
    if word.label == _ADDRESS:
        # Paris, London are two cities; Paris, Texas is one place.
        cities = before.kind == word.kind and word.kind in _PLAIN_PLACES and "," in between
        return not cities and form.ADDRESS_GAP.fullmatch(between) is not None
    return before.kind == word.kind and form.OTHER_GAP.fullmatch(between) is not None


def _entity(text: str, group: list[Word]) -> Entity | None:
    """The entity that a group of words makes; None where no word is sure or the shape speaks against it."""
    start, end, label = group[0].start, group[-1].end, group[0].label
    while start < end and not text[start].isalnum() and text[start] not in "(+#":
        start += 1
    while start < end and not (text[end - 1].isalnum() or unicodedata.category(text[end - 1]) == "Mn"):
        end -= 1
    if start == end or (all(word.score <= SURE for word in group) and not _is_full_name(text, group)):
        return None
    alike = all(word.kind == group[0].kind for word in group)
    if label == PERSON:
        surname = form.SURNAME.match(text, end) if alike else None
        end = surname.end() if surname else end
        opening = form.BEFORE_INITIAL.search(text, max(0, start - 24), start)
        start = opening.start("name") if opening and alike else start
        kinds = {word.kind for word in group}
        if kinds == {"SURNAME"} and (given := form.GIVEN_BEFORE.search(text, max(0, start - 20), start)):
            start = start if given["name"] in form.NO_NAMES else given.start("name")
        elif kinds == {"GIVEN_NAME"} and (family := form.FAMILY_BEHIND.match(text, end)):
            end = end if family["name"] in form.NO_NAMES else family.end()
        title = form.TITLE.search(text, max(0, start - 12), start)
        start = title.start("title") if title else start
        suffix = form.SUFFIX.match(text, end)
        end = suffix.end("suffix") if suffix else end
        if not _is_name(text, start, end):
            return None
    elif label == _ADDRESS:
        label = _PLACE if all(word.kind in _PLAIN_PLACES for word in group) else _ADDRESS
        opening = form.ADDRESS_START.search(text, max(start - 16, 0), start)
        if opening is None and form.LATIN_WORD.search(text, start, end) is None:
            return None  # a number alone: a port, an age, a part of an invoice number
        start = opening.start() if opening and not opening["code"] else start
        if label == _ADDRESS:
            number = form.NUMBER_BEFORE.search(text, max(0, start - 12), start)
            start = number.start() if number else start
        said = text.islower() and form.STATED.search(text, max(0, start - 40), start)
        if text[start:end].islower() and text[start:end].isalpha() and not said:
            return None  # caching, lookup
        state = form.STATE_CODE.match(text, end)
        end = state.end() if state else end
        country = form.COUNTRY.match(text, end)
        end = country.end() if country else end
    if label in {PERSON, _PLACE} and alike and form.COMPANY.match(text, end):
        return None
    return Entity(start, end, label, round(sum(word.score for word in group) / len(group), 4))


def _is_full_name(text: str, group: list[Word]) -> bool:
    """Whether words of which none is sure make a name together: several, capitalised, each of them likely."""
    if group[0].label != PERSON or len(group) < 2 or not all(text[word.start].isupper() for word in group):
        return False
    return sum(word.score for word in group) / len(group) >= _TOGETHER


def _is_name(text: str, start: int, end: int) -> bool:
    """False for what is no name in Latin script: digits, one letter, the beginning of a mail address."""
    found = text[start:end]
    if form.LATIN_WORD.search(found) is None or any(char.isdigit() for char in found):
        return False
    if found.islower() and " " not in found:
        if form.KEY.match(text, end):
            return False
        if not text.islower() and form.NAMED.search(text, max(0, start - 16), start) is None:
            return False
    return not (form.MAIL_BEHIND.match(text, end) or form.MAIL_BEFORE.search(text, max(start - 66, 0), start))
