"""Reads the configuration's file: what is wrong with it is told by file and line, with the nearest name that exists."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from masking.core.errors import ConfigurationError, ProviderError
from masking.core.yamltext import Lines, load
from masking.gateway.settings import Settings

__all__ = ["Source", "read_settings"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a configuration comes from, so that it can be read again."""

    file: Path
    read: Callable[[], Settings]


def read_settings(path: Path) -> Settings:
    """The configuration in a YAML file. Raises ConfigurationError: `file:line: key: what`, a line for each mistake."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"cannot read {path}: it is not UTF-8") from None
    try:
        data, lines = load(text, str(path))
    except ProviderError as error:
        raise ConfigurationError(str(error)) from None
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise ConfigurationError(f"{path}:1: the file holds no mapping; see the configuration reference")
    try:
        return Settings.model_validate(data)
    except ValidationError as problem:
        # The input is left out: it may be a secret that somebody wrote into the file.
        found = problem.errors(include_url=False, include_context=True, include_input=False)
    told = sorted(_told(dict(error), lines) for error in found)
    raise ConfigurationError("\n".join(f"{path}:{line}: {what}" for line, what in told)) from None


def _told(error: dict[str, Any], lines: Lines) -> tuple[int, str]:
    """The line and what is wrong there."""
    loc = tuple(step for step in error["loc"] if step != "[key]")
    name = ".".join(map(str, loc))
    what = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        known = _keys(Settings, loc[:-1])
        what = "no such key" + _nearest(str(loc[-1]), known)
    elif error["type"] == "literal_error":
        what = what.replace("Input should be", "should be")
    elif error["type"] == "model_type":
        is_secret = error.get("ctx", {}).get("class_name") == "Secret"
        what = "write {env: NAME} or {file: PATH}; no secret in this file" if is_secret else "should be a mapping"
    if not loc:  # a mistake between keys begins with the place of one of them
        place = what.partition(":")[0].split(".")
        return lines.of(*place), what
    return lines.of(*loc), f"{name}: {what}"


def _nearest(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, 1, 0.6)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}" if known else ""


def _keys(model: Any, loc: tuple[Any, ...]) -> list[str]:
    """The keys that the model has at a place."""
    for step in loc:
        model = _part(model, step)
        if model is None:
            return []
    return list(model.model_fields) if _is_model(model) else []


def _part(model: Any, step: Any) -> Any:
    if _is_model(model):
        field = model.model_fields.get(step)
        return _inner(field.annotation) if field is not None else None
    return _inner(model.item) if isinstance(model, _Items) else None


def _inner(annotation: Any) -> Any:
    """The model in `Model`, `Model | None`; the list or mapping as it is."""
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        return next((_inner(one) for one in get_args(annotation) if one is not type(None)), None)
    if origin in (list, dict):
        return _Items(get_args(annotation)[-1])
    return annotation


class _Items:
    """A list or mapping of models: one step down is any of them."""

    def __init__(self, item: Any) -> None:
        self.item = item


def _is_model(thing: Any) -> bool:
    return isinstance(thing, type) and issubclass(thing, BaseModel)
