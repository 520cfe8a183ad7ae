"""Which API a request speaks: told by the operation's name or by the path, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from masking.core.descriptor import Descriptor, Descriptors
from masking.gateway.incoming import Incoming
from masking.gateway.refusal import Refused, Shape

__all__ = ["FAMILIES", "Family", "Name", "family_of", "pick"]

Name = Literal["dms", "rdsai", "dashscope", "compatible", "openai", "anthropic", "gemini", "ollama"]


@dataclass(frozen=True, slots=True)
class Family:
    """One API as it is served here.

    `prefixes` are the paths under which it is found; `ids` how its descriptors' names begin; `url` is the API itself,
    in the place of the prefix. `ascii_only`: its SDKs lose what is not ASCII in a stream, and want one event in each
    HTTP chunk. `versions` of the RPC style.
    """

    name: Name
    about: str
    shape: Shape
    prefixes: tuple[str, ...]
    ids: tuple[str, ...]
    url: str
    ascii_only: bool = False
    versions: frozenset[str] = frozenset()

    @property
    def is_openapi(self) -> bool:
        """Whether it is of Alibaba Cloud's RPC style: operations, signed."""
        return self.shape == "openapi"


FAMILIES: dict[Name, Family] = {
    family.name: family
    for family in (
        Family(
            "dms", "DMS ChatWithDesensitize", "openapi", ("/", "/worknode/innerapi/services"), ("aliyun.dms.",),
            "https://dms-enterprise.aliyuncs.com", ascii_only=True, versions=frozenset({"2018-11-01"}),
        ),
        Family(
            "rdsai", "RDS AI ChatMessages", "openapi", ("/", "/v1/chat-messages"), ("aliyun.rdsai.",),
            "https://rdsai.aliyuncs.com", ascii_only=True, versions=frozenset({"2025-05-07"}),
        ),
        Family(
            "compatible", "Model Studio, OpenAI-compatible", "openai", ("/compatible-mode/v1",), ("openai.",),
            "https://dashscope.aliyuncs.com/compatible-mode/v1",
        ),
        Family(
            "dashscope", "Model Studio applications and generation", "dashscope", ("/api/v1",), ("dashscope.",),
            "https://dashscope.aliyuncs.com/api/v1", ascii_only=True,
        ),
        Family(
            "anthropic", "Anthropic messages", "anthropic",
            ("/v1/messages", "/anthropic/v1", "/apps/anthropic/v1"), ("anthropic.", "openai.models"),
            "https://api.anthropic.com/v1",
        ),
        Family(
            "gemini", "Gemini", "gemini", ("/v1beta", "/v1alpha"), ("gemini.", "openai.models"),
            "https://generativelanguage.googleapis.com",
        ),
        Family("ollama", "Ollama", "ollama", ("/api",), ("ollama.",), "http://127.0.0.1:11434"),
        Family("openai", "OpenAI", "openai", ("/v1",), ("openai.",), "https://api.openai.com/v1"),
    )
}  # fmt: skip

_ACTIONS: dict[str, Name] = {
    "ChatWithDesensitize": "dms",
    "ChatWithDesensitizeSSE": "dms",
    "ChatMessages": "rdsai",
    "ChatMessagesTaskStop": "rdsai",
}
_BY_PATH = sorted(
    ((prefix, family) for family in FAMILIES.values() if not family.is_openapi for prefix in family.prefixes),
    key=lambda pair: len(pair[0]),
    reverse=True,
)


def family_of(request: Incoming) -> Family:
    """The API that a request speaks, as far as its head tells; an address nobody knows counts as OpenAI's, whose error
    shape most SDKs read. Raises Refused in the words of the RPC style."""
    if request.action:
        return FAMILIES[_ACTIONS.get(request.action, "dms")]
    path = request.path
    if path == "/" or path in FAMILIES["dms"].prefixes + FAMILIES["rdsai"].prefixes:
        return FAMILIES["rdsai" if path == "/v1/chat-messages" else "dms"]
    if "anthropic-version" in request.headers and path.startswith("/v1/"):
        return FAMILIES["anthropic"]
    if path.startswith("/v1/") and (":" in path or "x-goog-api-key" in request.headers):
        return FAMILIES["gemini"]  # it has a /v1, too: /v1/models/NAME:generateContent
    for prefix, family in _BY_PATH:
        if path == prefix or path.startswith(f"{prefix}/"):
            return family
    return FAMILIES["openai"]


def pick(request: Incoming, family: Family, descriptors: Descriptors) -> Descriptor:
    """The descriptor of a request. Raises Refused: what nobody describes does not leave."""
    if family.is_openapi:
        _check_operation(request, family)
    descriptor = descriptors.pick(request.route())
    if descriptor is None or not descriptor.id.startswith(family.ids):
        code = "InvalidAction.NotFound" if family.is_openapi else "unknown_route"
        raise Refused(404, code, "no descriptor knows this method and path, so nothing was sent on; see the routes")
    return descriptor


def tail(request: Incoming, family: Family) -> str:
    """The path below the family's prefix, as it was sent: what is appended to the address of the API itself."""
    if family.is_openapi:
        return "/"
    if family.name == "gemini" or family.name == "ollama":
        return request.raw_path
    path = request.raw_path
    if family.name == "anthropic":
        return path.removeprefix("/apps").removeprefix("/anthropic").removeprefix("/v1")
    return next((path[len(prefix) :] for prefix in family.prefixes if path.startswith(f"{prefix}/")), path)


def _check_operation(request: Incoming, family: Family) -> None:
    if not request.action:
        raise Refused(400, "MissingAction", "name the operation in the header x-acs-action")
    if request.action not in _ACTIONS:
        raise Refused(404, "InvalidAction.NotFound", "no such operation here")
    if request.path not in family.prefixes:
        raise Refused(404, "InvalidAction.NotFound", "operations are posted to /")
    if request.method != "POST":
        raise Refused(405, "UnsupportedHTTPMethod", "send this operation with POST")
    if request.version not in family.versions:
        raise Refused(400, "InvalidVersion", f"the version of this operation is {min(family.versions)}")
