"""Write the clients' parameters into docs/reference/clients.md; with --check only say whether it is up to date."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

from reference_page import ReferencePage

from masking.clients import (
    AppParameters,
    CompatibleParameters,
    DMSStreamParameters,
    GenerationParameters,
    RdsAIParameters,
)
from masking.clients.dms import DMSParameters

_SECTIONS = {
    "DMS": (DMSStreamParameters, "From `include_usage` on: `stream` only."),
    "RdsAI": (RdsAIParameters, "From `custom_agent_id` on: inside `Inputs`."),
    "DashScopeApp": (AppParameters, ""),
    "DashScopeGeneration": (GenerationParameters, ""),
    "OpenAICompatible": (CompatibleParameters, ""),
}


def words(annotation: Any) -> str:
    """A type in the words of the reference."""
    if get_origin(annotation) is Annotated:
        return words(get_args(annotation)[0])
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    if get_origin(annotation) in (list, dict):
        inner = {str: "texts", dict: "objects"}.get(
            get_origin(get_args(annotation)[0]) or get_args(annotation)[0], "items"
        )
        return "object" if get_origin(annotation) is dict else f"list of {inner}"
    if get_args(annotation):
        return " or ".join(dict.fromkeys(words(one) for one in get_args(annotation) if one is not NoneType))
    return {"str": "text", "bool": "bool"}.get(annotation.__name__, annotation.__name__)


def table(model: type[DMSParameters]) -> str:
    """One row for each parameter."""
    rows = ["| parameter | on the wire | type | range | what it is | masked |", "| --- | --- | --- | --- | --- | --- |"]
    for name, field in model.model_fields.items():
        extra: Any = field.json_schema_extra
        limits = extra["limits"] or "–"
        kept = "text" if extra["text"] else "opaque"
        rows.append(
            f"| `{name}` | `{field.alias}` | {words(field.annotation)} | {limits} | {field.description} | {kept} |"
        )
    return "\n".join(rows)


def sections() -> Iterator[str]:
    """The parameters of every client under its own heading."""
    for name, (model, note) in _SECTIONS.items():
        yield f"\n### Parameters of `{name}`\n\n{note + chr(10) * 2 if note else ''}{table(model)}\n"  # type: ignore[arg-type]


PAGE = ReferencePage("clients.md", "clients_reference.py", sections)
page = PAGE.text

if __name__ == "__main__":
    sys.exit(PAGE.main(sys.argv[1:]))
