"""What is known to be so, and why: the findings of `verify` and the survivors of `mutate` that somebody has explained.

`rules/policy/exceptions.yaml` holds those of the shipped rules; a policy of one's own has a file of the same form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from masking.core.errors import ConfigurationError, SuiteError
from masking.core.yamltext import load
from masking.files import shipped
from masking.policy.suite import Node

__all__ = ["Exceptions", "read_exceptions"]

_KEYS = ("rule", "lint", "mutation", "other", "why")


@dataclass(frozen=True, slots=True)
class Exceptions:
    """Reasons by (rule, what, other rule); the other rule is empty where none is concerned."""

    reasons: Mapping[tuple[str, str, str], str]
    lines: Mapping[tuple[str, str, str], int]
    file: str = ""

    def why(self, rule: str, what: str, other: str = "") -> str:
        """Why this is known to be so; empty where nobody said."""
        return self.reasons.get((rule, what, other)) or self.reasons.get((rule, what, "")) or ""


def read_exceptions(path: Path | None = None) -> Exceptions:
    """The exceptions of a file, or the shipped ones. Raises SuiteError, ConfigurationError."""
    if path is None:
        entry = shipped("rules").joinpath("policy", "exceptions.yaml")
        if not entry.is_file():
            return Exceptions({}, {})
        path = Path(str(entry))
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(f"cannot read the exceptions {path}: name a YAML file in UTF-8") from None
    data, lines = load(text, str(path), error=SuiteError)
    top = Node(data, str(path), lines)
    top.keys(("exceptions",), required=("exceptions",))
    reasons: dict[tuple[str, str, str], str] = {}
    places: dict[tuple[str, str, str], int] = {}
    for node in top.items("exceptions"):
        node.keys(_KEYS, required=("rule", "why"))
        if ("lint" in node.data) == ("mutation" in node.data):
            node.refuse("rule", "say either a lint or a mutation")
        what = node.string("lint") if "lint" in node.data else node.string("mutation")
        key = (node.string("rule"), what, node.string("other", ""))
        if key in reasons:
            node.refuse("rule", f"this exception is already on line {places[key]}; keep one of them")
        reasons[key], places[key] = node.string("why"), node.line()
    return Exceptions(reasons, places, str(path))
