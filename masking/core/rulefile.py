"""Reads categories and recognisers from YAML text; every mistake is named with file, line, rule and what to do.

The keys are documented in docs/reference/rules.md. Files are read by the caller: this module sees text only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from masking.core.check import check as named_check
from masking.core.check import is_proof
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
    SpacySource,
)
from masking.core.session import LITERAL
from masking.core.yamltext import Lines, load

__all__ = ["MODELS", "load_category"]

Read = Callable[[str], tuple[str, str]]
"""The name of a shared recogniser -> its YAML text and the file's name; raises KeyError when there is none."""

MODELS = ("zh", "latin")
_SOURCES = ("pattern", "model", "presidio", "spacy")
_SCORE = 0.6
_CHECKED_SCORE = 0.9
_PRESIDIO_LEAST = 0.4  # below it stand Presidio's patterns that are any number without a context word


_Model = TypeVar("_Model", bound=BaseModel)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Example(_Strict):
    text: str
    finds: list[str]


class _Beside(_Strict):
    before: str = "none"
    after: str = "none"


class _Recogniser(_Strict):
    """The keys of a rule, wherever it is written."""

    about: dict[str, str] = Field(default_factory=dict)
    source: str = ""
    entity: str = ""
    pattern: str | list[str] | None = None
    model: str | None = None
    presidio: str | None = None
    spacy: str | None = None
    labels: list[str] | None = None
    language: str = "en"
    gate: str | None = None
    not_beside: str | _Beside = "alnum"
    ignore_case: bool = False
    check: str | dict[str, Any] | list[str | dict[str, Any]] | None = None
    score: float | int | None = Field(default=None, ge=0, le=1)
    request: str | dict[str, Any] = "placeholder"
    answer: Literal["redact", "keep"] = "redact"
    hits: list[str | _Example] = Field(default_factory=list)
    misses: list[str] = Field(default_factory=list)
    known_gaps: list[str] = Field(default_factory=list)


class _Shared(_Recogniser):
    recogniser: str


class _Inline(_Recogniser):
    id: str


class _Use(_Strict):
    """A shared recogniser taken into a category, with what the category says otherwise."""

    use: str
    entity: str | None = None
    score: float | int | None = Field(default=None, ge=0, le=1)
    request: str | dict[str, Any] | None = None
    answer: Literal["redact", "keep"] | None = None


class _Category(_Strict):
    category: str
    version: str
    about: dict[str, str]
    rules: list[dict[str, Any]] = Field(min_length=1)


def load_category(text: str, file: str, read: Read) -> Category:
    """The category that `text` describes; `read` gives the shared recognisers that it uses.

    Raises RuleError for anything that is wrong in the category or in a recogniser.
    """
    data, lines = load(text, file, error=RuleError)
    category = _validated(_Category, data, _Place(file, lines, (), ""))
    rules: list[Rule] = []
    seen: dict[str, int] = {}
    for index, raw in enumerate(category.rules):
        place = _Place(file, lines, ("rules", index), str(raw.get("use") or raw.get("id") or f"rule {index + 1}"))
        rule = _used(raw, place, read) if "use" in raw else _inline(raw, place)
        if rule.id in seen:
            place.refuse("use" if "use" in raw else "id", f"is already in this category, on line {seen[rule.id]}")
        seen[rule.id] = place.line()
        rules.append(rule)
    return Category(category.category, category.version, category.about, tuple(rules), file)


class _Place:
    """Where in which file a rule stands; makes its errors."""

    def __init__(self, file: str, lines: Lines, path: tuple[str | int, ...], subject: str) -> None:
        self.file = file
        self.subject = subject
        self._lines = lines
        self._path = path

    def line(self, *path: str | int) -> int:
        return self._lines.of(*self._path, *path)

    def refuse(self, key: str, what: str) -> NoReturn:
        subject = f"rule {self.subject}" if self.subject else ""
        raise RuleError(f"{key}: {what}", file=self.file, line=self.line(*key.split(".")), subject=subject)


def _validated(model: type[_Model], data: object, place: _Place) -> _Model:
    if not isinstance(data, dict):
        raise RuleError(
            "a mapping of keys is expected here; see docs/reference/rules.md", file=place.file, line=place.line()
        )
    try:
        return model.model_validate(data)
    except ValidationError as error:
        # A key that is not known explains one that is missing, so it is told first.
        errors = error.errors(include_input=False, include_url=False)
        first = min(errors, key=lambda one: one["type"] != "extra_forbidden")
        where = [part for part in first["loc"] if isinstance(part, int) or part in data or part in model.model_fields]
        known = ", ".join(sorted(model.model_fields))
        what = {
            "extra_forbidden": f"no such key; known are {known}",
            "missing": "the key is missing; add it",
        }.get(first["type"], first["msg"])
        key = ".".join(map(str, where or first["loc"])) or "file"
        subject = f"rule {place.subject}" if place.subject else ""
        raise RuleError(f"{key}: {what}", file=place.file, line=place.line(*where), subject=subject) from None


def _used(raw: Mapping[str, Any], place: _Place, read: Read) -> Rule:
    use = _validated(_Use, raw, place)
    try:
        text, file = read(use.use)
    except KeyError:
        place.refuse("use", f"no recogniser is called {use.use}; `masking rules list --recognisers` shows them")
    data, lines = load(text, file, error=RuleError)
    there = _Place(file, lines, (), use.use)
    shared = _validated(_Shared, data, there)
    if shared.recogniser != use.use:
        there.refuse("recogniser", f"is {shared.recogniser}, but the file's place says {use.use}; make them the same")
    overrides = {
        key: value for key in ("entity", "score", "request", "answer") if (value := getattr(use, key)) is not None
    }
    return _rule(shared.recogniser, shared.model_copy(update=overrides), there)


def _inline(raw: Mapping[str, Any], place: _Place) -> Rule:
    rule = _validated(_Inline, raw, place)
    return _rule(rule.id, rule, place)


def _rule(rule_id: str, raw: _Recogniser, place: _Place) -> Rule:
    if not ENTITY.fullmatch(raw.entity) or len(raw.entity) > LONGEST or raw.entity == LITERAL:
        place.refuse("entity", f"must be upper-case words joined by _, at most {LONGEST} characters, and not {LITERAL}")
    for key, examples in (("hits", raw.hits), ("misses", raw.misses)):
        if not examples:
            place.refuse(key, "a rule without examples does not load; add at least one")
    source = _source(raw, place)
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
    )


def _source(raw: _Recogniser, place: _Place) -> PatternSource | ModelSource | PresidioSource | SpacySource:
    named = [key for key in _SOURCES if getattr(raw, key) is not None]
    if len(named) != 1:
        place.refuse(
            named[-1] if named else "entity",
            f"a rule has exactly one of {', '.join(_SOURCES)}; this one has {len(named)}",
        )
    if raw.model is not None:
        if raw.model not in MODELS:
            place.refuse("model", f"unknown; known are {', '.join(MODELS)}")
        return ModelSource(raw.model, _labels(raw, place))
    if raw.spacy is not None:
        return SpacySource(raw.spacy, _labels(raw, place))
    if raw.presidio is not None:
        gate = None if raw.gate is None else _pattern(raw.gate, raw, place, "gate", beside=_Beside())
        return PresidioSource(raw.presidio, raw.language, gate)
    sources = [raw.pattern] if isinstance(raw.pattern, str) else raw.pattern or []
    beside = (
        raw.not_beside if isinstance(raw.not_beside, _Beside) else _Beside(before=raw.not_beside, after=raw.not_beside)
    )
    patterns = tuple(_pattern(source, raw, place, "pattern", beside=beside) for source in sources)
    specs: Sequence[str | dict[str, Any]] = (
        raw.check if isinstance(raw.check, list) else [] if raw.check in (None, "none") else [raw.check]
    )
    try:
        return PatternSource(patterns, tuple(named_check(spec) for spec in specs), is_proof(specs))
    except ConfigurationError as error:
        place.refuse("check", str(error))


def _pattern(source: str, raw: _Recogniser, place: _Place, key: str, *, beside: _Beside) -> Pattern:
    for word in (beside.before, beside.after):
        if word not in BOUNDARIES:
            place.refuse("not_beside", f"unknown boundary; known are {', '.join(BOUNDARIES)}")
    try:
        return Pattern(source, beside.before, beside.after, ignore_case=raw.ignore_case)
    except PatternSyntaxError as error:
        place.refuse(key, str(error))


def _labels(raw: _Recogniser, place: _Place) -> frozenset[str]:
    if not raw.labels:
        place.refuse("labels", "say which labels of the model count, for instance [PERSON]")
    return frozenset(raw.labels)


def _operator(raw: str | dict[str, Any], place: _Place) -> OperatorSpec:
    if isinstance(raw, str):
        return OperatorSpec(raw)
    if len(raw) != 1:
        place.refuse("request", "name one operator, for instance {mask: {masking_char: '*', chars_to_mask: 4}}")
    ((name, parameters),) = raw.items()
    if parameters is not None and not isinstance(parameters, dict):
        place.refuse("request", f"the parameters of {name} are a mapping, for instance {{{name}: {{key: value}}}}")
    return OperatorSpec(name, parameters or {})
