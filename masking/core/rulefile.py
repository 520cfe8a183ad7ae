"""Reads categories and recognisers from YAML text; every mistake is named with file, line, rule and what to do.

The keys are documented in docs/reference/rules.md. Files are read by the caller: this module sees text only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Protocol

from masking.core.check import check as named_check
from masking.core.check import is_proof
from masking.core.context import Context
from masking.core.errors import ConfigurationError, RuleError
from masking.core.pattern import BOUNDARIES, Pattern, PatternSyntaxError
from masking.core.placeholder import ENTITY, LONGEST
from masking.core.rule import (
    Category,
    Example,
    ModelSource,
    OperatorSpec,
    PatternSource,
    PresidioSource,
    Rule,
    ShippedFile,
    SpacySource,
    TermSource,
)
from masking.core.ruleplace import Place
from masking.core.session import LITERAL
from masking.core.shippedkeys import shipped_keys
from masking.core.terms import Terms, normal
from masking.core.yamltext import load

if TYPE_CHECKING:
    from masking.core.rulekeys import AllowKeys, CategoryKeys, ContextKeys, RecogniserKeys

__all__ = ["MODELS", "Library", "Read", "load_category"]

Read = Callable[[str], tuple[str, str]]
"""The name of a recogniser or of a term file -> its text and the file's name; raises KeyError when there is none."""


class Library(Protocol):
    """What a category file may name, as seen from that file. Each raises KeyError for a name that it does not have."""

    def recogniser(self, name: str) -> tuple[str, str]:
        """A shared recogniser's YAML text and the file's name."""

    def terms(self, name: str) -> tuple[str, str]:
        """A term file's text and its name."""

    def category(self, name: str) -> tuple[str, str, Library]:
        """Another category's YAML text, the file's name, and what that file may name."""


MODELS = ("zh", "latin")
_SOURCES = ("pattern", "terms", "model", "presidio", "spacy")
_SCORE = 0.6
_CHECKED_SCORE = 0.9
_PRESIDIO_LEAST = 0.4  # below it stand Presidio's patterns that are any number without a context word

_Source = PatternSource | TermSource | ModelSource | PresidioSource | SpacySource


class _Beside(NamedTuple):
    """What must not stand before and after a match."""

    before: str = "none"
    after: str = "none"


def load_category(text: str, file: str, library: Library | Read) -> Category:
    """The category that `text` describes; `library` gives what it names (a function gives recognisers only).

    Raises RuleError for anything that is wrong in the category, in one that it extends, or in a recogniser.
    """
    return _category(text, file, _RecognisersOnly(library) if callable(library) else library, ())


class _RecognisersOnly:
    def __init__(self, read: Read) -> None:
        self.recogniser = read

    def terms(self, name: str) -> NoReturn:
        raise KeyError(name)

    def category(self, name: str) -> NoReturn:
        raise KeyError(name)


def _category(text: str, file: str, library: Library, chain: tuple[str, ...]) -> Category:
    data, lines = load(text, file, error=RuleError)
    top = Place(file, lines, (), "")
    keys = _keys("CategoryKeys", data, top)
    if not keys.rules and not keys.extends:
        top.refuse("rules", "a category has at least one rule, or extends another")
    rules = _inherited(keys, top, library, (*chain, file))
    own: dict[str, int] = {}
    for index, raw in enumerate(keys.rules):
        place = Place(file, lines, ("rules", index), str(raw.get("use") or raw.get("id") or f"rule {index + 1}"))
        rule = _used(raw, place, library) if "use" in raw else _inline(raw, place, library)
        if rule.id in own:
            place.refuse("use" if "use" in raw else "id", f"is already in this category, on line {own[rule.id]}")
        own[rule.id] = place.line()
        rules[rule.id] = rule
    allowed = _allowed(keys.allow, top, library)
    if allowed:
        rules = {rule_id: replace(rule, allow=rule.allow | allowed) for rule_id, rule in rules.items()}
    return Category(keys.category, keys.version, keys.about, tuple(rules.values()), file, keys.delegate)


def _keys(kind: str, data: object, place: Place) -> Any:
    """The data as a model of `masking.core.rulekeys`, or as what stands for it where the file ships.

    Raises RuleError with the line of the key that is wrong.
    """
    made = shipped_keys(kind, data) if isinstance(place.file, ShippedFile) else None
    if made is not None:
        return made
    from masking.core import rulekeys  # brings pydantic

    return rulekeys.validated(getattr(rulekeys, kind), data, place)


def _inherited(keys: CategoryKeys, top: Place, library: Library, chain: tuple[str, ...]) -> dict[str, Rule]:
    """The rules of the categories that this one extends, less those that it drops; of two with one id the first."""
    rules: dict[str, Rule] = {}
    for index, name in enumerate(keys.extends):
        try:
            text, file, seen_from_there = library.category(name)
        except KeyError:
            top.refuse(f"extends.{index}", f"no category is called {name}; `masking rules list` shows them")
        if file in chain:
            top.refuse(f"extends.{index}", f"{name} extends this category in its turn; leave one of the two out")
        for rule in _category(text, file, seen_from_there, chain).rules:
            rules.setdefault(rule.id, rule)
    for index, rule_id in enumerate(keys.drop):
        if rules.pop(rule_id, None) is None:
            top.refuse(f"drop.{index}", f"no category that this one extends has a rule {rule_id}")
    return rules


def _used(raw: Mapping[str, Any], place: Place, library: Library) -> Rule:
    use = _keys("UseKeys", raw, place)
    try:
        text, file = library.recogniser(use.use)
    except KeyError:
        place.refuse("use", f"no recogniser is called {use.use}; `masking rules list --recognisers` shows them")
    data, lines = load(text, file, error=RuleError)
    there = Place(file, lines, (), use.use)
    shared = _keys("SharedKeys", data, there)
    if shared.recogniser != use.use:
        there.refuse("recogniser", f"is {shared.recogniser}, but the file's place says {use.use}; make them the same")
    overrides = {
        key: value for key in ("entity", "score", "request", "answer") if (value := getattr(use, key)) is not None
    }
    rule = _rule(shared.recogniser, shared.model_copy(update=overrides), there, library)
    if use.context is not None:
        rule = replace(rule, context=_context(use.context, place))
    if use.allow is not None:
        rule = replace(rule, allow=rule.allow | _allowed(use.allow, place, library))
    return rule


def _inline(raw: Mapping[str, Any], place: Place, library: Library) -> Rule:
    rule = _keys("InlineKeys", raw, place)
    return _rule(rule.id, rule, place, library)


def _rule(rule_id: str, raw: RecogniserKeys, place: Place, library: Library) -> Rule:
    if not ENTITY.fullmatch(raw.entity) or len(raw.entity) > LONGEST or raw.entity == LITERAL:
        place.refuse("entity", f"must be upper-case words joined by _, at most {LONGEST} characters, and not {LITERAL}")
    for key, examples in (("hits", raw.hits), ("misses", raw.misses)):
        if not examples:
            place.refuse(key, "a rule without examples does not load; add at least one")
    source = _source(raw, place, library)
    if isinstance(source, PresidioSource):
        score = _PRESIDIO_LEAST
    else:
        score = _CHECKED_SCORE if isinstance(source, PatternSource) and source.proves else _SCORE
    return Rule(
        id=rule_id,
        entity=raw.entity,
        source=source,
        score=score if raw.score is None else float(raw.score),
        request=_operator(raw.request, place),
        answer=raw.answer,
        about=raw.about,
        origin=raw.source,
        hits=tuple(Example(hit) if isinstance(hit, str) else Example(hit.text, tuple(hit.finds)) for hit in raw.hits),
        misses=tuple(raw.misses),
        known_gaps=tuple(raw.known_gaps),
        file=place.file,
        line=place.line(),
        context=None if raw.context is None else _context(raw.context, place),
        allow=_allowed(raw.allow, place, library),
    )


def _source(raw: RecogniserKeys, place: Place, library: Library) -> _Source:
    written = {key for key in _SOURCES if getattr(raw, key) is not None}
    if raw.terms_files is not None:
        written.add("terms")
    if len(written) != 1:
        place.refuse(
            next((key for key in reversed(_SOURCES) if key in written), "entity"),
            f"a rule has exactly one of {', '.join(_SOURCES)}; this one has {len(written)}",
        )
    if "pattern" not in written and raw.check not in (None, "none"):
        place.refuse("check", "only what a pattern finds can be checked; leave it out")
    if raw.model is not None:
        model = raw.model
        if "/" in model or "\\" in model:
            model = _folder(model, place.file)
        elif model not in MODELS:
            place.refuse("model", f"unknown; known are {', '.join(MODELS)}, and a folder such as ./models/mine")
        return ModelSource(model, _labels(raw, place))
    if raw.spacy is not None:
        return SpacySource(raw.spacy, _labels(raw, place))
    if raw.presidio is not None:
        gate = None if raw.gate is None else _pattern(raw.gate, raw, place, "gate", beside=_Beside())
        named = raw.presidio
        if named.partition("#")[0].endswith((".yaml", ".yml")):
            named = _folder(named, place.file)
        return PresidioSource(named, raw.language, gate)
    beside = _beside(raw, place)
    if "terms" in written:
        terms = [*(raw.terms or ()), *_from_files(raw.terms_files or (), "terms_files", place, library)]
        found = Terms(terms, beside.before, beside.after, ignore_case=raw.ignore_case)
        if not found.words:
            place.refuse("terms" if raw.terms is not None else "terms_files", "no term is given; add at least one")
        return TermSource(found)
    sources = [raw.pattern] if isinstance(raw.pattern, str) else raw.pattern or []
    patterns = tuple(_pattern(source, raw, place, "pattern", beside=beside) for source in sources)
    specs: Sequence[str | dict[str, Any]] = (
        raw.check if isinstance(raw.check, list) else [] if raw.check in (None, "none") else [raw.check]
    )
    try:
        checks = tuple(named_check(spec) for spec in specs)
        return PatternSource(patterns, checks, is_proof(specs), tuple(map(_check_name, specs)))
    except ConfigurationError as error:
        place.refuse("check", str(error))


def _check_name(spec: str | Mapping[str, Any]) -> str:
    return spec if isinstance(spec, str) else next(iter(spec))


def _beside(raw: RecogniserKeys, place: Place) -> _Beside:
    said = raw.not_beside
    beside = _Beside(said, said) if isinstance(said, str) else _Beside(said.before, said.after)
    for word in beside:
        if word not in BOUNDARIES:
            place.refuse("not_beside", f"unknown boundary; known are {', '.join(BOUNDARIES)}")
    return beside


def _pattern(source: str, raw: RecogniserKeys, place: Place, key: str, *, beside: _Beside) -> Pattern:
    try:
        proven = isinstance(place.file, ShippedFile)
        return Pattern(source, beside.before, beside.after, ignore_case=raw.ignore_case, proven=proven)
    except PatternSyntaxError as error:
        place.refuse(key, str(error))


def _context(keys: ContextKeys, place: Place) -> Context:
    for index, word in enumerate(keys.words):
        if not normal(word):
            place.refuse(f"context.words.{index}", "is empty; write a word or leave it out")
    if keys.required == (keys.score is not None):
        place.refuse("context", "say one of `required: true` and `score: N`, the score when a word is near")
    score = None if keys.score is None else float(keys.score)
    return Context(keys.words, keys.within, keys.side, required=keys.required, score=score)


def _allowed(keys: AllowKeys | None, place: Place, library: Library) -> frozenset[str]:
    if keys is None:
        return frozenset()
    terms = [*keys.terms, *_from_files(keys.files, "allow.files", place, library)]
    allowed = frozenset(filter(None, map(normal, terms)))
    if not allowed:
        place.refuse("allow", "no term is given; add `terms: [...]` or `files: [...]`")
    return allowed


def _from_files(names: Sequence[str], key: str, place: Place, library: Library) -> Iterator[str]:
    """The terms of files, one a line; empty lines and lines that begin with # do not count."""
    for index, name in enumerate(names):
        try:
            text, _ = library.terms(name)
        except KeyError:
            place.refuse(
                f"{key}.{index}",
                f"there is no file {name}: it is looked for beside the category, then among the shipped rules",
            )
        for line in text.splitlines():
            term = line.strip().lstrip("\ufeff")
            if term and not term.startswith("#"):
                yield term


def _folder(folder: str, file: str) -> str:
    """A folder as a rule names it: from where the rule's file lies, unless it is absolute."""
    if folder.startswith(("/", "\\")) or folder[1:2] == ":":
        return folder
    return file[: max(file.rfind("/"), file.rfind("\\")) + 1] + folder


def _labels(raw: RecogniserKeys, place: Place) -> frozenset[str]:
    if not raw.labels:
        place.refuse("labels", "say which labels of the model count, for instance [PERSON]")
    return frozenset(raw.labels)


def _operator(raw: str | dict[str, Any], place: Place) -> OperatorSpec:
    if isinstance(raw, str):
        return OperatorSpec(raw)
    if len(raw) != 1:
        place.refuse("request", "name one operator, for instance {mask: {masking_char: '*', chars_to_mask: 4}}")
    ((name, parameters),) = raw.items()
    if parameters is not None and not isinstance(parameters, dict):
        place.refuse("request", f"the parameters of {name} are a mapping, for instance {{{name}: {{key: value}}}}")
    return OperatorSpec(name, parameters or {})
