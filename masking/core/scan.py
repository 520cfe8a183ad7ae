"""Finds what a category names in one text.

The order is that of every hot path here: one pass that proves most patterns cannot match, exact patterns for the
rest, validators on what matched, models, and last the other mentions of what was found.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from operator import attrgetter
from secrets import token_bytes
from threading import Lock
from typing import Any, Final, NamedTuple

from masking.core.entity import Entity
from masking.core.escapes import view_of
from masking.core.finding import Finding, resolve
from masking.core.gate import Gate, Opened
from masking.core.pattern import Accept, Pattern
from masking.core.repeat import Values, may_repeat
from masking.core.rule import Category, ModelSource, PatternSource, PresidioSource, Rule, SpacySource, TermSource
from masking.core.terms import normal
from masking.core.view import View

__all__ = ["Detect", "DetectMany", "Detectors", "Scanner", "Together"]

Detect = Callable[[str], Sequence[Entity]]
"""A detector of the outer layers: a model, a spaCy pipeline or a Presidio recogniser. Text in, entities out."""

Detectors = Callable[[ModelSource | PresidioSource | SpacySource], Detect]
"""Gives the detector of a source; called once per distinct source, when it is first needed."""

Together = Callable[[Sequence[PresidioSource]], Callable[[str], Sequence[tuple[int, Entity]]]]
"""Gives one detector for several of Presidio's recognisers: text in, entities out, each with its source's number."""

DetectMany = Callable[[ModelSource | SpacySource], Callable[[Sequence[str]], Sequence[Sequence[Entity]]] | None]
"""Gives what finds the entities of many texts at once, equal to one after another; None for a model that cannot."""

_KNOWN_TEXTS = 4096
_made: Final[Any] = tuple.__new__  # a named tuple's own constructor takes twice as long
_ONE_WORD = re.compile(r"[a-z]{1,20}[0-9]{0,2}")

_External = ModelSource | PresidioSource | SpacySource


class _Ready(NamedTuple):
    """A pattern of a rule; `plain`: nothing counts but the pattern and `accept`."""

    pattern: Pattern
    accept: Accept | None
    order: int
    rule: Rule
    source: PatternSource | PresidioSource
    plain: bool


class Scanner:
    """A category made ready to scan; immutable, shared between threads.

    `detectors` supplies what the core cannot run by itself. It is asked for a detector only when a text needs it.
    `together`, where given, supplies one detector for all of Presidio's recognisers, which share a gate in it; `many`
    what a model finds in many texts at once.
    """

    __slots__ = (
        "_detectors",
        "_external",
        "_gate",
        "_group",
        "_grouped",
        "_known",
        "_many",
        "_modelled",
        "_patterns",
        "_ready",
        "_terms",
        "_together",
        "category",
    )

    def __init__(
        self,
        category: Category,
        detectors: Detectors,
        together: Together | None = None,
        many: DetectMany | None = None,
    ) -> None:
        self.category = category
        self._detectors = detectors
        self._together = together
        self._many = many
        self._group: Callable[[str], Sequence[tuple[int, Entity]]] | None = None
        self._grouped: list[tuple[int, Rule, PresidioSource]] = []
        self._ready: dict[_External, Detect] = {}
        self._known = _Known()
        self._external: list[tuple[int, Rule, _External]] = []
        self._terms: list[tuple[int, Rule, TermSource]] = []
        self._patterns: list[_Ready] = []
        gates: list[Pattern] = []
        needs: dict[int, str] = {}
        for order, rule in enumerate(category.rules):
            source = rule.source
            if isinstance(source, PatternSource):
                for pattern in source.patterns:
                    needs[len(gates)] = source.needs
                    gates.append(pattern)
                    plain = rule.context is None and not rule.allow
                    self._patterns.append(_Ready(pattern, source.accept, order, rule, source, plain))
            elif isinstance(source, PresidioSource) and source.gate is not None:
                gates.append(source.gate)
                self._patterns.append(_Ready(source.gate, None, order, rule, source, plain=False))
            elif isinstance(source, TermSource):
                self._terms.append((order, rule, source))
            elif isinstance(source, PresidioSource) and together is not None:
                self._grouped.append((order, rule, source))
            else:
                self._external.append((order, rule, source))
        self._gate = Gate(gates, needs, [source.terms for _, _, source in self._terms])
        self._modelled = frozenset(
            rule.id for _, rule, source in self._external if isinstance(source, ModelSource | SpacySource)
        )

    def scan(self, text: str, known: Values | None = None) -> list[Finding]:
        """The findings in `text`, in order, none overlapping another; offsets in characters of `text`.

        A value that is found is found at its other mentions too, and so are the `known` ones, which stand for earlier
        texts of the conversation. A mention displaces what a rule finds only where that is a piece of it.
        """
        if not self._external:
            found = self._scanned(text, view_of(text))
        else:
            # A conversation is sent again with every turn, and a schema with every call: models see each text once.
            key = self._known.key(text)
            cached = self._known.get(key)
            if cached is None:
                cached = self._scanned(text, view_of(text))
                self._known.put(key, cached)
            found = list(cached)
        return self.mentioned(text, found, known) if known else found

    def mentioned(self, text: str, found: list[Finding], known: Values) -> list[Finding]:
        """What `scan` found in `text`, and where else in it `known` values are mentioned."""
        return self._with_mentions(view_of(text), found, known)

    def is_word(self, text: str) -> bool:
        """Whether a text is one plain word in small letters, in which nothing but a model of names sees anything.

        Alone such a word says nothing to a model, which takes `enum`, `args` and `lang` for somebody's name.
        """
        return _ONE_WORD.fullmatch(text) is not None and all(one.rule in self._modelled for one in self.scan(text))

    def scan_many(self, texts: Sequence[str]) -> list[list[Finding]]:
        """As `scan` for each text: an identical text is scanned once, and a model sees all of them together."""
        if not self._external:
            once = self._scanned_many({text: view_of(text) for text in dict.fromkeys(texts)})
            return [list(once[text]) for text in texts]
        keys = {text: self._known.key(text) for text in dict.fromkeys(texts)}
        found = {text: self._known.get(key) for text, key in keys.items()}
        views = {text: view_of(text) for text, known in found.items() if known is None}
        self._see_together(list(views.values()))
        for text, scanned in self._scanned_many(views).items():
            found[text] = scanned
            self._known.put(keys[text], scanned)
        return [list(found[text] or ()) for text in texts]

    def _see_together(self, views: Sequence[View]) -> None:
        """Lets the views remember what each model finds in them."""
        external = (source for _, _, source in self._external if not isinstance(source, PresidioSource))
        sources = {_seen_by(source): source for source in external}
        for source in sources.values() if self._many is not None and views else ():
            assert self._many is not None
            detect = self._many(source)
            if detect is not None:
                for view, entities in zip(views, detect([view.text for view in views]), strict=True):
                    view.once(_seen_by(source), partial(list, entities))

    def _scanned_many(self, views: Mapping[str, View]) -> dict[str, list[Finding]]:
        opened = self._gate.opened_many(list(views.values()))
        return {text: self._scanned(text, view, some) for (text, view), some in zip(views.items(), opened, strict=True)}

    def _scanned(self, text: str, view: View, opened: Sequence[Opened] | None = None) -> list[Finding]:
        candidates = self._candidates(view, self._gate.opened(view) if opened is None else opened)
        if not candidates:
            return []
        found = resolve(candidates, text)
        if not may_repeat(view, text, found):
            return found
        values = Values()
        values.add(text, found)
        return self._with_mentions(view, found, values)

    @staticmethod
    def _with_mentions(view: View, found: list[Finding], values: Values) -> list[Finding]:
        displaced: set[Finding] = set()
        more: list[tuple[Finding, int]] = []
        for mention in values.places(view, found):
            met = _met(found, mention)
            if all(_is_part(one, mention) for one in met):
                displaced.update(met)
                more.append((mention, 0))
        if not more:
            return found
        kept = [(one, 0) for one in found if one not in displaced]
        return resolve([*kept, *more])

    def _candidates(self, view: View, opened: Sequence[Opened]) -> list[tuple[Finding, int]]:
        """Every finding before overlaps are resolved, each with its rule's place in the category."""
        found: list[tuple[Finding, int]] = []
        for index, bound in opened:
            if index >= len(self._patterns):
                found += self._listed(view, *self._terms[index - len(self._patterns)])
                continue
            pattern, accept, order, rule, source, plain = self._patterns[index]
            if isinstance(source, PresidioSource):
                if next(pattern.spans(view), None) is not None:
                    found += self._detected(view, order, rule, source)
                continue
            for _, _, start, end in pattern.matches(view, accept, 0, bound):
                if plain:
                    first, last = view.original(start, end)
                    one = first, last, rule.entity, rule.score, rule.id, source.proves
                    found.append((_made(Finding, one), order))
                else:
                    finding = self._finding(view, start, end, rule, rule.score, checked=source.proves)
                    if finding is not None:
                        found.append((finding, order))
        if self._grouped:
            found += self._detected_together(view)
        for order, rule, external in self._external:
            found += self._detected(view, order, rule, external)
        return found

    def _listed(self, view: View, order: int, rule: Rule, source: TermSource) -> Iterator[tuple[Finding, int]]:
        for start, end in source.terms.spans(view):
            finding = self._finding(view, start, end, rule, rule.score, checked=False)
            if finding is not None:
                yield finding, order

    def _detected_together(self, view: View) -> Iterator[tuple[Finding, int]]:
        if self._group is None:
            assert self._together is not None
            self._group = self._together([source for _, _, source in self._grouped])
        for index, entity in self._group(view.text):
            order, rule, _ = self._grouped[index]
            if entity.score >= rule.score:
                finding = self._finding(view, entity.start, entity.end, rule, entity.score, checked=False)
                if finding is not None:
                    yield finding, order

    def _detected(self, view: View, order: int, rule: Rule, source: _External) -> Iterator[tuple[Finding, int]]:
        entities = self.detect(source, view)
        if isinstance(source, PresidioSource):
            counted = [(entity, entity.score) for entity in entities if entity.score >= rule.score]
        else:
            counted = [(entity, rule.score) for entity in entities if entity.label in source.labels]
        for entity, score in counted:
            finding = self._finding(view, entity.start, entity.end, rule, score, checked=False)
            if finding is not None:
                yield finding, order

    def detect(self, source: _External, view: View) -> Sequence[Entity]:
        """What a detector of the outer layers finds in the view; a model runs once per view."""
        detect = self._ready.get(source)
        if detect is None:
            detect = self._ready[source] = self._detectors(source)
        if isinstance(source, PresidioSource):
            return detect(view.text)
        # Several rules may read different labels of the same model: it runs once per text.
        return view.once(_seen_by(source), partial(detect, view.text))

    @staticmethod
    def _finding(view: View, start: int, end: int, rule: Rule, score: float, *, checked: bool) -> Finding | None:
        """The finding at a place of the view, unless the rule allows the value or misses a word beside it."""
        if rule.allow and normal(view.text[start:end]) in rule.allow:
            return None
        context = rule.context
        if context is not None:
            near = context.near(view, start, end) is not None
            if context.required and not near:
                return None
            if near and context.score is not None:
                score = context.score
        first, last = view.original(start, end)
        return Finding(first, last, rule.entity, score, rule.id, checked)


class _Known:
    """The findings of the texts last seen, which are known here by a keyed digest only."""

    __slots__ = ("_found", "_lock", "_secret")

    def __init__(self) -> None:
        self._found: OrderedDict[bytes, list[Finding]] = OrderedDict()
        self._lock = Lock()
        self._secret = token_bytes(32)

    def key(self, text: str) -> bytes:
        return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, key=self._secret).digest()

    def get(self, key: bytes) -> list[Finding] | None:
        with self._lock:
            found = self._found.get(key)
            if found is not None:
                self._found.move_to_end(key)
            return found

    def put(self, key: bytes, found: list[Finding]) -> None:
        with self._lock:
            self._found[key] = found
            if len(self._found) > _KNOWN_TEXTS:
                self._found.popitem(last=False)


def _met(found: list[Finding], mention: Finding) -> list[Finding]:
    """The findings, which are in order, that a mention shares a character with."""
    first = last = bisect_right(found, mention.start, key=attrgetter("end"))
    while last < len(found) and found[last].start < mention.end:
        last += 1
    return found[first:last]


def _is_part(one: Finding, mention: Finding) -> bool:
    """Whether a finding is a piece of the mention's value: 欧阳 in a second 欧阳 锦程."""
    inside = mention.start <= one.start and one.end <= mention.end
    return (
        inside
        and one.entity == mention.entity
        and not one.checked
        and one.end - one.start < mention.end - mention.start
    )


def _seen_by(source: ModelSource | SpacySource) -> tuple[type, str]:
    """What a view remembers the findings of a model under."""
    return type(source), _name(source)


def _name(source: ModelSource | SpacySource) -> str:
    return source.model if isinstance(source, ModelSource) else source.pipeline
