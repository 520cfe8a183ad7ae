"""The keys of rule files, as models that refuse what they do not know."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from masking.core.errors import RuleError
from masking.core.ruleplace import Place

__all__ = [
    "AllowKeys",
    "BesideKeys",
    "CategoryKeys",
    "ContextKeys",
    "InlineKeys",
    "RecogniserKeys",
    "SharedKeys",
    "UseKeys",
    "validated",
]

_Model = TypeVar("_Model", bound=BaseModel)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


class ExampleKeys(_Strict):
    """An example with the texts that are found in it."""

    text: str
    finds: list[str]


class BesideKeys(_Strict):
    """The long form of `not_beside`."""

    before: str = "none"
    after: str = "none"


class ContextKeys(_Strict):
    """Words that must stand near a value, or that change its score."""

    words: list[str] = Field(min_length=1)
    within: int = Field(default=24, ge=1, le=500)
    side: Literal["before", "after", "both"] = "both"
    required: bool = False
    score: float | int | None = Field(default=None, ge=0, le=1)


class AllowKeys(_Strict):
    """Values that are never findings."""

    terms: list[str] = Field(default_factory=list)
    files: list[str] = Field(default_factory=list)


class RecogniserKeys(_Strict):
    """The keys of a rule, wherever it is written."""

    about: dict[str, str] = Field(default_factory=dict)
    source: str = ""
    entity: str = ""
    pattern: str | list[str] | None = None
    terms: list[str] | None = None
    terms_files: list[str] | None = None
    model: str | None = None
    presidio: str | None = None
    spacy: str | None = None
    labels: list[str] | None = None
    language: str = "en"
    gate: str | None = None
    not_beside: str | BesideKeys = "alnum"
    ignore_case: bool = False
    check: str | dict[str, Any] | list[str | dict[str, Any]] | None = None
    context: ContextKeys | None = None
    allow: AllowKeys | None = None
    score: float | int | None = Field(default=None, ge=0, le=1)
    request: str | dict[str, Any] = "placeholder"
    answer: Literal["redact", "keep"] = "redact"
    hits: list[str | ExampleKeys] = Field(default_factory=list)
    misses: list[str] = Field(default_factory=list)
    known_gaps: list[str] = Field(default_factory=list)


class SharedKeys(RecogniserKeys):
    """A recogniser in a file of its own."""

    recogniser: str


class InlineKeys(RecogniserKeys):
    """A rule written out in a category."""

    id: str


class UseKeys(_Strict):
    """A shared recogniser taken into a category, with what the category says otherwise."""

    use: str
    entity: str | None = None
    context: ContextKeys | None = None
    allow: AllowKeys | None = None
    score: float | int | None = Field(default=None, ge=0, le=1)
    request: str | dict[str, Any] | None = None
    answer: Literal["redact", "keep"] | None = None


class CategoryKeys(_Strict):
    """A category's file."""

    category: str
    version: str
    about: dict[str, str]
    delegate: Literal["local", "dms", "local+dms"] = "local"
    extends: list[str] = Field(default_factory=list)
    drop: list[str] = Field(default_factory=list)
    allow: AllowKeys | None = None
    rules: list[dict[str, Any]] = Field(default_factory=list)


def validated(model: type[_Model], data: object, place: Place) -> _Model:
    """The data as `model`. Raises RuleError with the line of the key that is wrong."""
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
        where = _written(first["loc"], data, model)
        known = ", ".join(sorted(_model_at(model, where[:-1]).model_fields))
        what = {
            "extra_forbidden": f"no such key; known are {known}",
            "missing": "the key is missing; add it",
        }.get(first["type"], first["msg"])
        key = ".".join(map(str, where or first["loc"])) or "file"
        subject = f"rule {place.subject}" if place.subject else ""
        raise RuleError(f"{key}: {what}", file=place.file, line=place.line(*where), subject=subject) from None


def _written(location: tuple[int | str, ...], data: Any, model: type[BaseModel]) -> list[int | str]:
    """The location of an error without what pydantic adds for the members of a union."""
    where: list[int | str] = []
    for part in location:
        below = _below(data, part)
        if below is not None or part in model.model_fields or part in _KEYS_BELOW:
            where.append(part)
            data = below
    return where


def _below(data: Any, part: int | str) -> Any:
    if isinstance(data, dict):
        return data.get(part)
    if isinstance(data, list) and isinstance(part, int) and part < len(data):
        return data[part]
    return None


def _model_at(model: type[BaseModel], where: list[int | str]) -> type[BaseModel]:
    return _MODELS_BELOW.get(str(where[0]), model) if where else model


_MODELS_BELOW: dict[str, type[BaseModel]] = {
    "context": ContextKeys,
    "allow": AllowKeys,
    "not_beside": BesideKeys,
    "hits": ExampleKeys,
}
_KEYS_BELOW = frozenset(key for model in _MODELS_BELOW.values() for key in model.model_fields)
