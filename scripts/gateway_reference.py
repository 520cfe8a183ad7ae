"""Write the gateway's configuration into docs/reference/gateway.md; with --check only say whether it is up to date."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from reference_page import ReferencePage

from masking.gateway import settings
from masking.gateway.family import FAMILIES

_SECTIONS: dict[str, type[BaseModel]] = {
    "The file": settings.Settings,
    "listen": settings.Listen,
    "clients": settings.Client,
    "upstreams": settings.Upstream,
    "routes": settings.Route,
    "vault": settings.Vault,
    "limits": settings.Limits,
    "audit": settings.Audit,
    "studio": settings.Studio,
    "Secrets": settings.Secret,
    "Access keys": settings.AccessKeyPair,
}


def words(annotation: Any) -> str:
    """A type in the words of the reference."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return words(get_args(annotation)[0])
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    if origin is list:
        return f"list of {words(get_args(annotation)[0])}"
    if origin is dict:
        return f"mapping to {words(get_args(annotation)[1])}"
    if get_args(annotation):
        return " or ".join(dict.fromkeys(words(one) for one in get_args(annotation) if one is not NoneType))
    if annotation is Path:
        return "path"
    names = {"str": "text", "bool": "bool", "int": "integer", "float": "number", "Secret": "secret"}
    names |= {"AccessKeyPair": "access key"}
    return names.get(annotation.__name__, annotation.__name__.lower())


def usual(value: Any) -> str:
    """A default in the words of the reference."""
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, BaseModel):
        return "see below"
    if value is None or value == "" or value == [] or value == {}:
        return "–"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def table(model: type[BaseModel]) -> str:
    """One row for each key."""
    rows = ["| key | type | default | what it is |", "| --- | --- | --- | --- |"]
    for name, field in model.model_fields.items():
        about = (
            field.description or (field.annotation.__doc__ or "").partition("\n")[0].rstrip(".")
            if field.annotation
            else ""
        )
        rows.append(f"| `{name}` | {words(field.annotation)} | {usual(field.default)} | {about} |")
    return "\n".join(rows)


def sections() -> Iterator[str]:
    """Routes, then every model under its own heading."""
    yield "\n### Routes\n\n| route | API | paths | the API itself |\n| --- | --- | --- | --- |\n"
    for name, family in FAMILIES.items():
        paths = ", ".join(f"`{prefix}`" for prefix in family.prefixes)
        yield f"| `{name}` | {family.about} | {paths} | `{family.url}` |\n"
    for name, model in _SECTIONS.items():
        heading = f"`{name}`" if name in settings.Settings.model_fields else name
        yield f"\n### {heading}\n\n{(model.__doc__ or '').strip()}\n\n{table(model)}\n"


PAGE = ReferencePage("gateway.md", "gateway_reference.py", sections)
page = PAGE.text

if __name__ == "__main__":
    sys.exit(PAGE.main(sys.argv[1:]))
