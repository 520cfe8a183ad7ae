"""What takes a finding's place: operators under the names that DMS gives them, checked when the rule is loaded.

Two operators are not made here, because they remember: `placeholder` and `surrogate` are the session's. Those of
presidio-anonymizer (replace, redact, mask, hash, encrypt, keep) go by its names; masking/presidio.py runs them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from masking.core.errors import ConfigurationError, UnmaskableError
from masking.core.operator_cipher import Replace
from masking.core.operator_kind import KINDS
from masking.core.operator_secret import Secrets, resolved
from masking.core.rule import OperatorSpec

__all__ = ["NAMES", "SESSION", "Operation", "make", "resolved"]

SESSION: Final = ("placeholder", "surrogate")
"""The operators that the session has by itself."""

NAMES: Final = tuple(KINDS)
"""The operators that `make` knows."""


@dataclass(frozen=True, slots=True, repr=False)
class Operation:
    """An operator with its parameters: call it with a value and its entity. Its repr shows no parameter.

    `inverse` takes what it wrote and the entity, and gives the value back; None where nothing can. Raises
    UnmaskableError for a value that it cannot change: it must not leave. `inverse` raises RestoreError for a text that
    it did not write, where it can tell.
    """

    name: str
    inverse: Replace | None
    may_keep: bool
    _replace: Replace

    def __repr__(self) -> str:
        return f"Operation({self.name}{', reversible' if self.reversible else ''})"

    @property
    def reversible(self) -> bool:
        """Whether the value can be had again from what took its place, with the parameters."""
        return self.inverse is not None

    def __call__(self, value: str, entity: str) -> str:
        try:
            replaced = self._replace(value, entity)
        except UnmaskableError:
            raise
        except Exception as error:  # noqa: BLE001 - the value must neither leave nor stand in a message
            raise UnmaskableError(f"operator {self.name} failed on a {entity} with {type(error).__name__}") from None
        if replaced == value and value and not self.may_keep:
            raise UnmaskableError(
                f"operator {self.name} leaves a {entity} as it is; choose one that changes such values"
            )
        return replaced


def make(spec: OperatorSpec, secrets: Secrets) -> Operation:
    """The operator that a rule names; `secrets` reads the environment variables that its parameters may name.

    Raises ConfigurationError for an unknown name, and for a parameter that is missing, unknown or unfit, naming the
    operator, the parameter and what is expected.
    """
    kind = KINDS.get(spec.name)
    if kind is None:
        raise ConfigurationError(f"no operator is called {spec.name!r}; there are {', '.join((*SESSION, *NAMES))}")
    try:
        checked = kind.model_validate(dict(spec.parameters))
    except ValidationError as error:
        raise ConfigurationError(f"operator {spec.name}: {_said(error, spec.parameters, kind)}") from None
    try:
        replace, inverse = checked.build(secrets)
    except ConfigurationError as error:
        said = str(error)
        raise ConfigurationError(said if said.startswith("operator ") else f"operator {spec.name}: {said}") from None
    return Operation(spec.name, inverse, kind.may_keep, replace)


def _said(error: ValidationError, given: Mapping[str, Any], kind: type[Any]) -> str:
    errors = error.errors(include_input=False, include_url=False, include_context=False)
    # A name that is not known explains one that is missing, so it is told first.
    first = min(errors, key=lambda one: one["type"] != "extra_forbidden")
    fields = [field.alias or name for name, field in kind.model_fields.items()]
    known = ", ".join(fields) or "none"
    key = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        return f"there is no parameter {key}; there are: {known}"
    if first["type"] == "missing":
        return f"the parameter {key} is missing; add it"
    said = first["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    return f"{key}: {said}" if key else said
