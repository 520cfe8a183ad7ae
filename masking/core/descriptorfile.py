"""The shape of a descriptor file, checked key by key: see `masking.core.descriptor` for what the keys mean."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from masking.core.path import Path, parse

__all__ = [
    "Closing",
    "DescriptorFile",
    "Framing",
    "LanePlace",
    "Match",
    "OpaquePlace",
    "Query",
    "Sample",
    "Stream",
    "Value",
]


def _path(text: object) -> object:
    return parse(text) if isinstance(text, str) else text


_Path = Annotated[Path, BeforeValidator(_path)]
Value = str | int | float | bool | None
Framing = Literal["sse", "ndjson", "json-array"]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=False)


class OpaquePlace(_File):
    path: _Path
    when: dict[_Path, Value] = Field(min_length=1)

    @model_validator(mode="after")
    def _are_neighbours(self) -> OpaquePlace:
        if self.path[-1] is None or any(path[-1] is None or path[:-1] != self.path[:-1] for path in self.when):
            raise ValueError("when names keys of the same object: a.b[*].kind beside a.b[*].data")
        return self


class Match(_File):
    method: str | list[str] = "POST"
    host: str | None = None
    path: str | None = None
    query: dict[str, str] = {}
    header: dict[str, str] = {}
    body: dict[_Path, Value] = {}


class Query(_File):
    text: list[str] = []
    embedded: list[_Path] = Field([], alias="json")
    opaque: list[_Path] = []


class Request(_File):
    body: Literal["json", "form", "none"] = "json"
    query: list[str] | Query = []
    headers: list[str] = []
    opaque: list[_Path | OpaquePlace] = []
    embedded: list[_Path] = Field([], alias="json")
    data_urls: list[_Path] = []
    tokens: list[_Path] = []


class Response(_File):
    opaque: list[_Path | OpaquePlace] = []
    embedded: list[_Path] = Field([], alias="json")


class Closing(_File):
    when: dict[_Path, Value] = Field(min_length=1)
    key: list[_Path] = []


class LanePlace(_File):
    text: _Path
    when: dict[_Path, Value] = {}
    key: list[_Path] = []
    mode: Literal["delta", "cumulative", "auto"] = "delta"
    escape: Literal["none", "json"] = "none"
    close: str | list[str | Closing] | Closing | None = None


class Stream(_File):
    framing: Framing | list[Framing]
    opaque: list[_Path | OpaquePlace] = []
    embedded: list[_Path] = Field([], alias="json")
    lanes: list[LanePlace] = []


class Refused(_File):
    status: int = Field(400, ge=400, le=599)
    body: dict[str, Any]


class Sample(_File):
    """One pair of a descriptor's own tests: what goes in, and what must come out when `values` are the
    placeholders'."""

    name: str
    values: dict[str, str]
    request: Any = None
    query: dict[str, str] | None = None
    headers: dict[str, str] | None = None
    masked: Any = None
    response: Any = None
    stream: list[Any] | None = None
    restored: Any = None

    @model_validator(mode="after")
    def _one_pair(self) -> Sample:
        pairs = {
            "request": "masked",
            "query": "masked",
            "headers": "masked",
            "response": "restored",
            "stream": "restored",
        }
        given = [name for name in pairs if getattr(self, name) is not None]
        wanted = pairs[given[0]] if given else "masked"
        other = "restored" if wanted == "masked" else "masked"
        if len(given) != 1 or getattr(self, wanted) is None or getattr(self, other) is not None:
            raise ValueError(
                "a sample is request, query or headers with masked, or response or stream with restored; only one pair"
            )
        return self


class DescriptorFile(_File):
    id: str = Field(pattern=r"^[a-z][a-z0-9_.]*$")
    about: dict[Literal["en", "zh"], str]
    match: Match | Annotated[list[Match], Field(min_length=1)]
    signed: str | None = None
    request: Request = Field(default_factory=lambda: Request.model_validate({}))
    response: Response = Field(default_factory=lambda: Response.model_validate({}))
    stream: Stream | None = None
    error: Refused | None = None
    samples: list[Sample] = Field(min_length=1)
