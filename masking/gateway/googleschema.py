"""Google's schemas, as JSON schemas: types in capitals, counts as text, names in either spelling."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["json_schema"]

_COUNTS = frozenset({"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"})
_LISTS = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_SNAKE = re.compile("_([a-z])")


def json_schema(schema: Any) -> Any:
    """The schema that says the same; None of None. Source: https://ai.google.dev/api/caching#Schema"""
    if not isinstance(schema, dict):
        return schema
    made: dict[str, Any] = {}
    for given, value in schema.items():
        name = _SNAKE.sub(lambda found: found[1].upper(), given)
        if name == "type" and isinstance(value, str):
            made[name] = value.lower()
        elif name == "properties" and isinstance(value, dict):
            made[name] = {key: json_schema(one) for key, one in value.items()}  # its keys are the user's own
        elif name in _LISTS and isinstance(value, list):
            made[name] = [json_schema(one) for one in value]
        elif name in _COUNTS and isinstance(value, str) and value.isdecimal():
            made[name] = int(value)
        elif name == "items":
            made[name] = json_schema(value)
        elif name not in ("nullable", "propertyOrdering"):
            made[name] = value
    if schema.get("nullable") is True and "type" in made:
        made["type"] = [made["type"], "null"]
    return made
