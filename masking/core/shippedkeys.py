"""The keys of rule files that ship, read without pydantic, whose import takes longer than reading all the rules.

The tests read every shipped file in both ways, so here only the names of keys and the kinds of their values are looked
at. Whatever is not as expected is left to `masking.core.rulekeys`, which says what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, Final

__all__ = ["ShippedKeys", "shipped_keys"]

_Known = Mapping[str, tuple[Any, tuple[type, ...]]]
"""The keys of one kind of mapping: the value of one that is not written, and the types of one that is."""

_NEEDED: Final = object()
_TEXT, _LIST, _MAPPING, _FLAG, _SCORE = (str,), (list,), (dict,), (bool,), (float, int)

_CONTEXT: Final[_Known] = {
    "words": (_NEEDED, _LIST),
    "within": (24, (int,)),
    "side": ("both", _TEXT),
    "required": (False, _FLAG),
    "score": (None, _SCORE),
}
_ALLOW: Final[_Known] = {"terms": ((), _LIST), "files": ((), _LIST)}
_BESIDE: Final[_Known] = {"before": ("none", _TEXT), "after": ("none", _TEXT)}
_EXAMPLE: Final[_Known] = {"text": (_NEEDED, _TEXT), "finds": (_NEEDED, _LIST)}
_SHARED: Final[_Known] = {
    "recogniser": (_NEEDED, _TEXT),
    "about": ({}, _MAPPING),
    "source": ("", _TEXT),
    "entity": ("", _TEXT),
    "pattern": (None, (str, list)),
    "terms": (None, _LIST),
    "terms_files": (None, _LIST),
    "model": (None, _TEXT),
    "presidio": (None, _TEXT),
    "spacy": (None, _TEXT),
    "labels": (None, _LIST),
    "language": ("en", _TEXT),
    "gate": (None, _TEXT),
    "not_beside": ("alnum", (str, dict)),
    "ignore_case": (False, _FLAG),
    "check": (None, (str, dict, list)),
    "context": (None, _MAPPING),
    "allow": (None, _MAPPING),
    "score": (None, _SCORE),
    "request": ("placeholder", (str, dict)),
    "answer": ("redact", _TEXT),
    "hits": ((), _LIST),
    "misses": ((), _LIST),
    "known_gaps": ((), _LIST),
}
_USE: Final[_Known] = {
    "use": (_NEEDED, _TEXT),
    **{key: (None, _SHARED[key][1]) for key in ("entity", "context", "allow", "score", "request", "answer")},
}
_CATEGORY: Final[_Known] = {
    "category": (_NEEDED, _TEXT),
    "version": (_NEEDED, _TEXT),
    "about": (_NEEDED, _MAPPING),
    "delegate": ("local", _TEXT),
    "extends": ((), _LIST),
    "drop": ((), _LIST),
    "allow": (None, _MAPPING),
    "rules": ((), _LIST),
}
_KINDS: Final[Mapping[str, _Known]] = {"CategoryKeys": _CATEGORY, "SharedKeys": _SHARED, "UseKeys": _USE}
_BELOW: Final[Mapping[str, _Known]] = {"context": _CONTEXT, "allow": _ALLOW, "not_beside": _BESIDE}


class ShippedKeys(SimpleNamespace):
    """Keys with their values, as attributes."""

    def model_copy(self, *, update: Mapping[str, Any]) -> ShippedKeys:
        """A copy with other values, as pydantic's models have it."""
        return ShippedKeys(**{**vars(self), **update})


def shipped_keys(kind: str, data: object) -> ShippedKeys | None:
    """The data of a shipped file as `kind` of `masking.core.rulekeys`; None where it is not as expected."""
    known = _KINDS.get(kind)
    try:
        return None if known is None else _read(known, data)
    except (TypeError, KeyError):
        return None


def _read(known: _Known, data: Any) -> ShippedKeys:
    """Raises TypeError or KeyError for what is not as expected."""
    if type(data) is not dict:
        raise TypeError
    made = {}
    for key, value in data.items():
        default, types = known[key]
        if value is None and default is None:
            pass
        elif type(value) not in types:
            raise TypeError
        elif key in _BELOW and type(value) is dict:
            value = _read(_BELOW[key], value)
        elif key == "hits":
            value = [one if type(one) is str else _read(_EXAMPLE, one) for one in value]
        made[key] = value
    for key, (default, _) in known.items():
        if key not in made:
            if default is _NEEDED:
                raise KeyError(key)
            made[key] = default
    return ShippedKeys(**made)
