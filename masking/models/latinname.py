"""Joins the words that the Latin name model labels to names, places and addresses.

The model labels words one by one, and leaves out or mistakes what stands between them: initials, titles, suites,
countries. A name with an initial it takes for a street. Patterns are bounded: time linear in the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from masking.core.entity import Entity

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

_LATIN_WORD = re.compile("[A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff]{2,}")
SURE = 0.5  # share of a label above which a word carries it
_JOINT = 24  # characters that at most stand between two words of one entity: ", Apartment #"
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
# A first name before a surname, a surname behind a first name, that the model left out in mid sentence.
_GIVEN_BEFORE = re.compile(r"[\w,;:)] (?P<name>[^\W\d_a-z][^\W\d_A-Z]{1,14}) $")
_FAMILY_BEHIND = re.compile(
    rf" (?:(?:de|da|do|dos|del|della|di|du|la|le|van|von|der|den|ten|ter|bin|al|el|St\.) ){{0,3}}(?P<name>(?:[A-Z]['\u2019])?[^\W\d_a-z][^\W\d_A-Z]+"
    rf"(?:[-'\u2019][^\W\d_]+)?)(?![\w'\u2019-]| (?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Court|Blvd|Inc|Ltd|LLC|GmbH|Corp|Group|Bank)\b)"
)
_NO_NAMES = frozenset(
    "January February March April May June July August September October November December Monday Tuesday Wednesday Thursday Friday "
    "Saturday Sunday Christmas Easter The This That These Those My Your Our His Her Their Please Thanks Thank Can Could Would Will Should "
    "What Which Who How Why When Where Is Are And But Or So If In On At To For From With By As Of It He She We You They Also Then Today "
    "Tomorrow Yesterday Dear Hi Hello Hey Best Regards Phone Email Address Name Contact Customer Patient Translate Write Call Send Ask "
    "President Minister Senator Judge Captain Sergeant Officer Detective King Queen Prince Princess Pope Saint Uncle Aunt Mount Lake River "
    "Street Road Avenue Hotel Hospital School University College Bank Company Inc Street English French German Spanish".split()
)
_OPENS = re.compile(r"(?:^|[\s(\"',])(?P<name>[^\W\d_a-z][^\W\d_A-Z]{1,14}) (?:[A-Z]\.? )?$")
_FOR = re.compile(rf",? ?\b(?:attn|Attn|ATTN|c/o|C/O)[.:]? (?P<name>{_CAPITALISED}(?: [A-Z]\.)?(?: {_CAPITALISED}){{0,2}})")
_STATE_CODE = re.compile(
    r", ?(?:A[KLRZ]|C[AOT]|D[CE]|FL|G[AU]|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|P[AR]|RI|S[CD]|T[NX]|UT|V[AT]|W[AIVY])\b"
)
# What belongs to a name: Dr. Guy O'Connor, Michael Medina MD.
_TITLE = re.compile(
    r"(?:^|(?<=[^\w'\u2019-]))(?P<title>(?:Mrs?|Ms|Mx|Miss|Dr|Prof|Sir|Dame|Rev|Herr|Frau|Mme|Mlle|Monsieur|Madame|Se\u00f1ora?|Sra?|Dott|Signora?)"
    r"\.?[ \u00a0])$"
)
_SUFFIX = re.compile(r",?[ \u00a0](?P<suffix>(?:Jr|Sr|II|III|IV|MD|M\.D|PhD|Ph\.D|DDS|DVM|Esq|CPA|RN)\b)")
# The first line of a label: a name, where the next begins with a number.
_ADDRESSEE = re.compile(
    rf"{_CAPITALISED} (?:[A-Z]\.? )?{_CAPITALISED}(?=[ \t]*\n[ \t]*(?:\d|Unit|PSC|CMR|P\.? ?O\.? Box|Apt|Suite|Flat|USNS|USS|USCGC|USNV))"
)
# What an address may end with or begin with beyond what the model has seen: a country, a number.
_COUNTRY = re.compile(
    r"(?:,?[ \t]?\n?[ \t]?\n?[ \t])(?:United States(?: of America)?|USA|U\.S\.A\.?|United Kingdom|UK|England|Scotland|Wales|Ireland|Canada|Australia|"
    r"New Zealand|Germany|Austria|Switzerland|France|Belgium|Netherlands|The Netherlands|Luxembourg|Italy|Spain|Portugal|Denmark|Sweden|Norway|"
    r"Finland|Iceland|Greenland|Poland|Czech Republic|Czechia|Slovakia|Slovenia|Hungary|Croatia|Serbia|Romania|Bulgaria|Greece|Cyprus|Malta|Estonia|"
    r"Latvia|Lithuania|Turkey|Israel|South Africa|India|Japan|South Korea|Singapore|Brazil|Argentina|Uruguay|Chile|Mexico|Deutschland|\u00d6sterreich|"
    r"Schweiz|Espa\u00f1a|Italia|Nederland|Belgique|Suisse)(?![\w-])(?:[ ]\d{4,6}(?!\d))?"
)
_NUMBER_BEFORE = re.compile(r"(?:^|(?<=[\s(\"':]))\d{1,6}[A-Za-z]?[ ](?:ul\.[ ])?$")
MENTIONED_PLACE = "MENTIONED_PLACE"
_STATED = re.compile(
    r"\b(?i:liv(?:e|es|ed|ing)|born|based|resid(?:e|es|ing)|stay(?:s|ed|ing)?|mov(?:e|es|ed|ing)|relocat\w+|grew up|raised|from|com(?:e|es|ing)|"
    r"work(?:s|ed|ing)?|fl(?:y|ew|ying)|travel\w*|trip|go(?:es|ing)?|went|visit\w*|my|our|i'm|i am|we're|he is|she is)\b[^.!?\n]{0,24}$"
)
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)|\n|$")
_ASKS = re.compile(
    r"\s*(?i:what|which|who|how|why|when|where|is|are|does|do|did|was|were|should|tell me about|explain|describe|list|compare|write|best|"
    r"recommend|summar\w+)\b"
)
# One word in small letters is hardly a name where capitals are used, unless it is said to be one: i'm trevor.
_NAMED = re.compile(
    r"(?i:\b(?:i'?m|i am|it'?s|its|name is|name:|this is|call me|dear|hi|hey|hello|from|by|with|for|to|ask|tell|thanks|regards|user)[ ,:]{1,2}|@)$"
)
_KEY = re.compile(r"[\"']?[ ]?[:=]")
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
    groups = (part for group in _groups(text, _surnames(text, words)) for part in _names_apart(text, group) if part)
    return _mentions_apart(text, [entity for group in groups if (entity := _entity(text, group)) is not None])


def _mentions_apart(text: str, found: list[Entity]) -> list[Entity]:
    """The entities; towns and countries in a question about the world, in a text without anybody, as mentions."""
    if any(entity.label in {PERSON, _ADDRESS} for entity in found):
        return found
    return [
        Entity(one.start, one.end, MENTIONED_PLACE, one.score)
        if one.label == _PLACE and _is_general(text, one)
        else one
        for one in found
    ]


def _is_general(text: str, place: Entity) -> bool:
    """Whether a place stands in a question that says of nobody that he lives, is born or goes there."""
    if _STATED.search(text, max(0, place.start - 40), place.start):
        return False
    start = max(text.rfind(mark, 0, place.start) for mark in ".!?\n") + 1
    end = _SENTENCE_END.search(text, place.end)
    return bool(end and end[0].startswith("?")) or _ASKS.match(text, start) is not None


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
    whom = _FOR.search(text, at, group[-1].end + 1) if group[0].label == _ADDRESS else None
    if whom is not None:  # ..., Edinburgh EH1 1QS, attn Wanda Thornbury
        yield from _names_apart(text, [word for word in group if word.end <= whom.start()] or group[:0])
        yield [Word(*whom.span("name"), PERSON, "SURNAME", 1.0, 1.0)]
        yield [word for word in group if word.start >= whom.end()]
        return
    opening = _OPENS.search(text, max(0, at - 24), at) if group[0].label == _ADDRESS else None
    if opening and (whole := _INITIALLED.fullmatch(text, opening.start("name"), group[-1].end)):
        yield [Word(*whole.span(), PERSON, "SURNAME", 1.0, 1.0)]  # Ezra | G. Thornbury
        return
    named = (_INITIALLED.match(text, at) or _ADDRESSEE.match(text, at)) if group[0].label == _ADDRESS else None
    if named is None:
        yield group
        return
    name = [word for word in group if word.start < named.end()]
    rest = group[len(name) :]
    if any(word.kind in {"BUILDING_NUMBER", "ZIP_CODE"} for word in name) or _STREET_KIND.search(text, *named.span()):
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
        if text[before.start].isupper() and text[word.start].islower() and text[before.end : word.start].startswith(("'", "\u2019")):
            return False  # Bayes' theorem
        if _PERSON_GAP.fullmatch(between):
            return True
        # The full stop of an initial: John F. Kennedy, but not: I met Ann. Mary said
        return before.end - before.start <= 2 and _INITIAL_GAP.fullmatch(between) is not None
    if word.label == _ADDRESS:
        # Paris, London are two cities; Paris, Texas is one place.
        cities = before.kind == word.kind and word.kind in _PLAIN_PLACES and "," in between
        return not cities and _ADDRESS_GAP.fullmatch(between) is not None
    return before.kind == word.kind and _OTHER_GAP.fullmatch(between) is not None


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
        surname = _SURNAME.match(text, end) if alike else None
        end = surname.end() if surname else end
        opening = _BEFORE_INITIAL.search(text, max(0, start - 24), start)
        start = opening.start("name") if opening and alike else start
        kinds = {word.kind for word in group}
        if kinds == {"SURNAME"} and (given := _GIVEN_BEFORE.search(text, max(0, start - 20), start)):
            start = start if given["name"] in _NO_NAMES else given.start("name")
        elif kinds == {"GIVEN_NAME"} and (family := _FAMILY_BEHIND.match(text, end)):
            end = end if family["name"] in _NO_NAMES else family.end()
        title = _TITLE.search(text, max(0, start - 12), start)
        start = title.start("title") if title else start
        suffix = _SUFFIX.match(text, end)
        end = suffix.end("suffix") if suffix else end
        if not _is_name(text, start, end):
            return None
    elif label == _ADDRESS:
        label = _PLACE if all(word.kind in _PLAIN_PLACES for word in group) else _ADDRESS
        opening = _ADDRESS_START.search(text, max(start - 16, 0), start)
        if opening is None and _LATIN_WORD.search(text, start, end) is None:
            return None  # a number alone: a port, an age, a part of an invoice number
        start = opening.start() if opening and not opening["code"] else start
        if label == _ADDRESS:
            number = _NUMBER_BEFORE.search(text, max(0, start - 12), start)
            start = number.start() if number else start
        if label == _PLACE and text[start:end].islower() and not (text.islower() and _STATED.search(text, 0, start)):
            return None  # caching, lookup
        state = _STATE_CODE.match(text, end)
        end = state.end() if state else end
        country = _COUNTRY.match(text, end)
        end = country.end() if country else end
    if label in {PERSON, _PLACE} and alike and _COMPANY.match(text, end):
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
    if _LATIN_WORD.search(found) is None or any(char.isdigit() for char in found):
        return False
    if found.islower() and " " not in found:
        if _KEY.match(text, end):
            return False
        if not text.islower() and _NAMED.search(text, max(0, start - 16), start) is None:
            return False
    return not (_MAIL_BEHIND.match(text, end) or _MAIL_BEFORE.search(text, max(start - 66, 0), start))
