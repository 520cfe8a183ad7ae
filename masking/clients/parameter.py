"""Parameters of a request: typed, ranged, spelled for the wire.

A wrong one raises ParameterError with its wire name and its range, never with its value: it may be the text of a user.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from masking.clients.errors import ParameterError

__all__ = ["Messages", "Number", "Parameters", "as_json", "as_text", "given", "parameter", "read"]

M = TypeVar("M", bound="Parameters")


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("not a finite number")
    return value


def _messages(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for position, message in enumerate(messages):
        if not isinstance(message.get("role"), str):
            raise ValueError(f"message {position} has no role; give one, such as 'user'")  # noqa: TRY004 (pydantic)
    return messages


Number = Annotated[int | float, AfterValidator(_finite)]
"""An int stays an int on the wire: 1 is `1`, 1.0 is `1.0`."""

Messages = Annotated[list[dict[str, Any]], AfterValidator(_messages)]


class Parameters(BaseModel):
    """What one operation takes; every name in snake case or as the wire has it."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        validate_by_name=True,
        validate_by_alias=True,
        hide_input_in_errors=True,
        protected_namespaces=(),
    )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self.model_fields_set)} parameters)"

    __str__ = __repr__


def parameter(wire: str, about: str, limits: str = "", *, text: bool = False, **more: Any) -> Any:
    """One optional parameter: its wire name, a sentence, the range in words, and whether its strings are text.

    `more` are constraints as pydantic.Field has them.
    """
    extra: dict[str, Any] = {"limits": limits, "text": text}
    return Field(None, alias=wire, description=about, json_schema_extra=extra, **more)


def read(model: type[M], values: Mapping[str, Any]) -> M:
    """`values` as a model. Raises ParameterError for the first that does not fit."""
    for name, field in model.model_fields.items():
        wire = str(field.alias)
        if name != wire and {name, wire} <= values.keys():
            raise ParameterError(f"{wire}: given twice, as {wire} and as {name}; give it once", parameter=wire)
    try:
        made = model.model_validate(dict(values))
        # What a name of its own has is checked under that name.
        if not (getattr(made, "extra", None) or {}).keys() & {field.alias for field in model.model_fields.values()}:
            return made
        raise ParameterError("extra: names a parameter that has a name of its own here", parameter="extra")
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_context=False, include_input=False)[0]
    # Deeper steps may be keys of the caller's own data.
    steps = [first["loc"][0], *(step for step in first["loc"][1:2] if isinstance(step, int))] if first["loc"] else []
    name = ".".join(map(str, steps))
    what = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        known = ", ".join(str(field.alias or name) for name, field in model.model_fields.items())
        raise ParameterError(
            f"{name}: {model.__name__} has no such parameter; it has {known}", parameter=name
        ) from None
    limits = _limits(model, str(steps[0])) if steps else ""
    about = f"{name}: {what[:1].lower()}{what[1:]}" if name else what
    raise ParameterError(f"{about}; allowed: {limits}" if limits else about, parameter=name) from None


def given(model: Parameters, order: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that were given and are not None, by wire name, in the caller's order."""
    by_wire = {field.alias or name: name for name, field in type(model).model_fields.items()}
    by_name = {name: wire for wire, name in by_wire.items()}
    wires = [by_name.get(name, name) for name in order]
    return {wire: value for wire in wires if (value := getattr(model, by_wire[wire])) is not None}


def as_text(value: Any) -> str:
    """A parameter of DMS or RdsAi as its query or form has it: compact JSON for lists and objects, `True` for true."""
    return value if isinstance(value, str) else as_json(value) if isinstance(value, list | dict) else str(value)


def as_json(value: Any, *, spaced: bool = False) -> str:
    """JSON with characters beyond ASCII as they are; `spaced` as the dashscope SDK writes it, compact as the others.

    Raises ParameterError for what is no JSON: NaN, bytes, half a surrogate pair.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=None if spaced else (",", ":"))
        text.encode()
    except (TypeError, ValueError, RecursionError):
        raise ParameterError(
            "a parameter holds what JSON cannot: give str, int, float, bool, None, lists and dicts with str keys"
        ) from None
    return text


def _limits(model: type[Parameters], wire: str) -> str:
    for name, field in model.model_fields.items():
        if wire in (field.alias, name) and isinstance(field.json_schema_extra, dict):
            return str(field.json_schema_extra.get("limits") or "")
    return ""
