"""Keys and salts as a rule file writes them: a text, or `{env: NAME}` so that the file holds no secret."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import PlainValidator

from masking.core.errors import ConfigurationError
from masking.core.rule import OperatorSpec

__all__ = ["Secret", "SecretOf", "Secrets", "resolved"]

Secrets = Callable[[str], str]
"""The name of an environment variable -> its value; the outer layer reads it. Raises KeyError when it is not set."""


class Secret:
    """A key or a salt that no repr shows."""

    __slots__ = ("_from", "_text")

    def __init__(self, text: str, environment: str = "") -> None:
        self._text = text
        self._from = environment

    def __repr__(self) -> str:
        return "Secret()"

    def read(self, secrets: Secrets) -> bytes:
        """Its bytes: after `hex:` or `base64:` the bytes so written, otherwise the text in UTF-8.

        Raises ConfigurationError, which shows the variable's name and nothing of its value.
        """
        text, where = self._text, "the secret"
        if self._from:
            where = f"the environment variable {self._from}"
            try:
                text = secrets(self._from)
            except KeyError:
                raise ConfigurationError(f"{where} is not set; set it to the secret") from None
        kind, colon, rest = text.partition(":")
        try:
            if colon and kind == "hex":
                read = bytes.fromhex(rest)
            elif colon and kind == "base64":
                read = base64.b64decode(rest, validate=True)
            else:
                read = text.encode("utf-8")
        except (binascii.Error, ValueError):
            raise ConfigurationError(f"{where} is not {kind}; write bytes in that notation behind {kind}:") from None
        if not read:
            raise ConfigurationError(f"{where} is empty; write the secret there")
        return read


def _secret(given: Any) -> Secret:
    if isinstance(given, Secret):
        return given
    if isinstance(given, str):
        return Secret(given)
    if isinstance(given, Mapping) and list(given) == ["env"] and isinstance(given["env"], str) and given["env"]:
        return Secret("", given["env"])
    raise ValueError("expected a text in quotes, or {env: NAME} for an environment variable")


def resolved(spec: OperatorSpec, secrets: Secrets) -> OperatorSpec:
    """The same operator with the parameters that say `{env: NAME}` read; for operators that are not ours.

    Raises ConfigurationError when a variable is not set.
    """
    parameters = dict(spec.parameters)
    for name, value in parameters.items():
        if isinstance(value, Mapping) and list(value) == ["env"]:
            try:
                parameters[name] = secrets(str(value["env"]))
            except KeyError:
                raise ConfigurationError(
                    f"operator {spec.name}: {name}: the environment variable {value['env']} is not set; set it"
                ) from None
    return OperatorSpec(spec.name, parameters)


SecretOf = Annotated[Secret, PlainValidator(_secret)]
"""A parameter that is a secret."""
