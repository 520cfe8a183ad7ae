"""Parameters of DMS and RDS AI as they travel, all of them text in the query or a form; and what is wrong with them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

from masking.clients.dms import DMSParameters, DMSStreamParameters
from masking.clients.errors import ParameterError
from masking.clients.parameter import read
from masking.gateway.refusal import Refused
from masking.gateway.upstream import Outgoing

__all__ = ["check", "dms_parameters", "parameters"]

_INTEGERS = ("InstanceId", "MaxTokens", "Seed", "ThinkingBudget", "TopK", "TopLogprobs", "Dimensions")
_NUMBERS = ("PresencePenalty", "Temperature", "TopP")
_BOOLEANS = (
    "EnableCodeInterpreter", "EnableSearch", "EnableThinking", "IncludeUsage", "Logprobs", "NeedDesensitization",
    "Stream", "VlHighResolutionImages",
)  # fmt: skip
_DOCUMENTS = ("Messages", "ModalitiesList", "SearchOptions", "Stop")


def parameters(outgoing: Outgoing) -> dict[str, str]:
    """Query and form together. Raises Refused for one that comes twice."""
    try:
        pairs = parse_qsl(outgoing.query, keep_blank_values=True, errors="strict")
        pairs += parse_qsl(outgoing.body.decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError:
        raise Refused(400, "InvalidParameter", "the parameters are not URL-encoded UTF-8") from None
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Refused(400, "InvalidParameter", "a parameter comes twice; send it once")
    return found


def check(outgoing: Outgoing) -> None:
    """Raises Refused for what the service would refuse: a parameter that is missing or out of range."""
    if outgoing.action.startswith("ChatWithDesensitize"):
        dms_parameters(outgoing)
        return
    given = parameters(outgoing)
    needed = {"ChatMessages": "Query", "ChatMessagesTaskStop": "TaskId"}[outgoing.action]
    if not given.get(needed):
        raise Refused(400, f"Missing{needed}", f"{needed} is required")
    if given.get("EventMode", "inline") not in ("inline", "separate"):
        raise Refused(400, "InvalidParameter", "EventMode: inline or separate")
    if "Inputs" in given:
        _document("Inputs", given["Inputs"])


def dms_parameters(outgoing: Outgoing) -> dict[str, Any]:
    """The parameters of ChatWithDesensitize(SSE), typed; those that it does not have are left out. Raises Refused."""
    model = DMSStreamParameters if outgoing.action.endswith("SSE") else DMSParameters
    known = {str(field.alias) for field in model.model_fields.values()}
    values = {name: _typed(name, value) for name, value in parameters(outgoing).items() if name in known}
    if values.get("InstanceId") is None:
        raise Refused(400, "MissingInstanceId", "InstanceId is required")
    if values.get("NeedDesensitization") and not values.get("DesensitizationRule"):
        raise Refused(400, "MissingDesensitizationRule", "DesensitizationRule is required with NeedDesensitization")
    try:
        read(model, values)
    except ParameterError as error:
        raise Refused(400, "InvalidParameter", str(error)) from None
    return values


def _typed(name: str, value: str) -> Any:
    try:
        if name in _INTEGERS:
            return int(value)
        if name in _NUMBERS:
            return float(value)
    except ValueError:
        raise Refused(400, "InvalidParameter", f"{name}: not a number") from None
    if name in _BOOLEANS:
        if value.lower() not in ("true", "false"):
            raise Refused(400, "InvalidParameter", f"{name}: true or false")
        return value.lower() == "true"
    return _document(name, value) if name in _DOCUMENTS else value


def _document(name: str, value: str) -> Any:
    try:
        return json.loads(value, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Refused(400, "InvalidParameter", f"{name}: not JSON") from None


def _no_number(name: str) -> Any:
    raise ValueError(name)  # NaN and Infinity are no JSON
