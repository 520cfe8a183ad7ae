"""Provider descriptors: files that say where text sits in an API's requests, replies and stream events.

    id, about                   a name for messages, and a sentence
    match                       method, host, path (glob), query, header, body {path: value}; the most specific one wins
    signed                      the name of a signing scheme: altered requests are refused
    request                     body json | form | none, query [parameters that hold text], opaque, json,
                                data_urls: places where a data: URL in base64 stays as it is
    response                    opaque, json                (opaque counts for stream events, too)
    stream                      framing sse | ndjson, opaque, lanes [text, when, key, mode, escape, close]
    error                       status and body of our refusals, with {message} and {code}
    samples                     values, and request/masked, response/restored or stream/restored: tested

Every string that is not opaque is text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import translate
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from masking.core.document import Document, dump, read_strictly
from masking.core.errors import ProviderError, UnmaskableError
from masking.core.path import Close, Find, Lane, Path, compile_lanes, dig, parse
from masking.core.yamltext import Lines
from masking.core.yamltext import load as load_yaml

__all__ = ["OPENAI_ERROR", "Descriptor", "Descriptors", "Refusal", "Route", "Sample", "load"]


def _path(text: object) -> object:
    return parse(text) if isinstance(text, str) else text


_Path = Annotated[Path, BeforeValidator(_path)]
_Value = str | int | float | bool | None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=False)


class _Match(_File):
    method: str | list[str] = "POST"
    host: str | None = None
    path: str | None = None
    query: dict[str, str] = {}
    header: dict[str, str] = {}
    body: dict[_Path, _Value] = {}


class _Request(_File):
    body: Literal["json", "form", "none"] = "json"
    query: list[str] = []
    opaque: list[_Path] = []
    embedded: list[_Path] = Field([], alias="json")
    data_urls: list[_Path] = []


class _Response(_File):
    opaque: list[_Path] = []
    embedded: list[_Path] = Field([], alias="json")


class _Close(_File):
    when: dict[_Path, _Value] = Field(min_length=1)
    key: list[_Path] = []


class _Lane(_File):
    text: _Path
    when: dict[_Path, _Value] = {}
    key: list[_Path] = []
    mode: Literal["delta", "cumulative", "auto"] = "delta"
    escape: Literal["none", "json"] = "none"
    close: str | list[str] | _Close | None = None


class _Stream(_File):
    framing: Literal["sse", "ndjson"]
    opaque: list[_Path] = []
    lanes: list[_Lane] = []


class _Error(_File):
    status: int = Field(400, ge=400, le=599)
    body: dict[str, Any]


class Sample(_File):
    """One pair of a descriptor's own tests: what goes in, and what must come out when `values` are the
    placeholders'."""

    name: str
    values: dict[str, str]
    request: Any = None
    masked: Any = None
    response: Any = None
    stream: list[Any] | None = None
    restored: Any = None

    @model_validator(mode="after")
    def _one_pair(self) -> Sample:
        given = [name for name in ("request", "response", "stream") if getattr(self, name) is not None]
        wanted = "masked" if given == ["request"] else "restored"
        other = "restored" if wanted == "masked" else "masked"
        if len(given) != 1 or getattr(self, wanted) is None or getattr(self, other) is not None:
            raise ValueError("a sample is request and masked, response and restored, or stream and restored")
        return self


class _Descriptor(_File):
    id: str = Field(pattern=r"^[a-z][a-z0-9_.]*$")
    about: dict[Literal["en", "zh"], str]
    match: _Match
    signed: str | None = None
    request: _Request = Field(default_factory=lambda: _Request.model_validate({}))
    response: _Response = Field(default_factory=lambda: _Response.model_validate({}))
    stream: _Stream | None = None
    error: _Error | None = None
    samples: list[Sample] = Field(min_length=1)


OPENAI_ERROR: Mapping[str, Any] = {
    "error": {"message": "{message}", "type": "masking_refused", "param": None, "code": "{code}"}
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Our answer to a request that may not leave: a template in the provider's own error shape."""

    status: int = 400
    body: Mapping[str, Any] = field(default_factory=lambda: OPENAI_ERROR)

    def spell(self, message: str, code: str) -> bytes:
        """The JSON body; `message` and `code` take the places of {message} and {code}."""

        def fill(node: Any) -> Any:
            if isinstance(node, str):
                return node.replace("{message}", message).replace("{code}", code)
            if isinstance(node, Mapping):
                return {key: fill(value) for key, value in node.items()}
            return [fill(item) for item in node] if isinstance(node, list) else node

        return dump(fill(self.body), ascii_only=True)


@dataclass(frozen=True, slots=True)
class Route:
    """What a request is recognised by: header names in lower case, the path decoded."""

    method: str
    host: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """One API, ready for use: immutable, shared between threads."""

    id: str
    about: Mapping[str, str]
    match: _Match
    signed: str | None
    body: Literal["json", "form", "none"]
    query: frozenset[str]
    request: Document
    response: Document
    event: Document
    framing: Literal["sse", "ndjson"] | None
    lanes: tuple[Lane, ...]
    find: Find
    find_in_objects: Find
    refusal: Refusal
    samples: tuple[Sample, ...]
    _path: re.Pattern[str] | None
    _host: re.Pattern[str] | None

    def fits(self, route: Route) -> bool:
        """Whether all of `match` but the body holds."""
        match = self.match
        methods = [match.method] if isinstance(match.method, str) else match.method
        return (
            route.method.upper() in methods
            and (self._path is None or self._path.fullmatch(route.path) is not None)
            and (self._host is None or self._host.fullmatch(route.host.lower()) is not None)
            and all(route.query.get(name) == value for name, value in match.query.items())
            and all(route.headers.get(name.lower()) == value for name, value in match.header.items())
        )

    @property
    def specificity(self) -> tuple[int, int]:
        """Number of conditions, and characters of the path that are not wildcards."""
        match = self.match
        conditions = len(match.query) + len(match.header) + len(match.body) + (match.host is not None)
        return conditions, len((match.path or "").replace("*", ""))


class Descriptors:
    """All descriptors of one installation; picks the one that a request belongs to."""

    __slots__ = ("_sorted", "replies")

    def __init__(self, descriptors: Iterable[Descriptor]) -> None:
        """Raises ProviderError if two descriptors share an id."""
        self._sorted = tuple(sorted(descriptors, key=lambda one: (one.specificity, one.id), reverse=True))
        seen: set[str] = set()
        for descriptor in self._sorted:
            if descriptor.id in seen:
                raise ProviderError("two descriptors have this id; rename one", subject=descriptor.id)
            seen.add(descriptor.id)
        self.replies: Final = Document.joined(descriptor.response for descriptor in self._sorted)
        """Where text sits in a whole reply of whichever API: what one of them calls opaque is opaque."""

    def __iter__(self) -> Iterator[Descriptor]:
        return iter(self._sorted)

    def __len__(self) -> int:
        return len(self._sorted)

    def named(self, name: str) -> Descriptor | None:
        """The descriptor with this id."""
        return next((one for one in self._sorted if one.id == name), None)

    def pick(self, route: Route) -> Descriptor | None:
        """The most specific descriptor that fits, or None for an unknown route."""
        doc: Any = None
        is_read = False
        for descriptor in self._sorted:
            if not descriptor.fits(route):
                continue
            wanted = descriptor.match.body
            if wanted and not is_read:
                is_read = True
                try:
                    doc = read_strictly(route.body)
                except UnmaskableError:
                    doc = None  # the turn refuses it, in the words of whichever descriptor fits without a body
            if all(_same(dig(doc, path), value) for path, value in wanted.items()):
                return descriptor
        return None


def _same(found: Any, wanted: _Value) -> bool:
    return type(found) is type(wanted) and bool(found == wanted)  # 1 is not true


def load(text: str, file: str) -> Descriptor:
    """The descriptor in one YAML text; raises ProviderError with file, 1-based line, descriptor and what to do."""
    data, lines = load_yaml(text, file)
    name = str(data["id"]) if isinstance(data, dict) and "id" in data else ""
    try:
        raw = _Descriptor.model_validate(data)
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_context=False, include_input=False)[0]
        at = ".".join(str(step) for step in first["loc"])
        what = f"{at or 'the file'}: {first['msg'][:1].lower()}{first['msg'][1:]} (keys: see the descriptor reference)"
        raise ProviderError(what, file=file, line=lines.of(*first["loc"]), subject=name) from None
    stream = raw.stream
    lanes = _lanes(raw, lines, file) if stream else ()
    return Descriptor(
        id=raw.id,
        about={str(language): about for language, about in raw.about.items()},
        match=raw.match,
        signed=raw.signed,
        body=raw.request.body,
        query=frozenset(raw.request.query),
        request=Document(raw.request.opaque, raw.request.embedded, raw.request.data_urls),
        response=Document(raw.response.opaque, raw.response.embedded),
        event=Document([*raw.response.opaque, *(stream.opaque if stream else ())]),
        framing=stream.framing if stream else None,
        lanes=lanes,
        find=compile_lanes(lanes),
        find_in_objects=compile_lanes(lanes, objects=True),
        refusal=Refusal(raw.error.status, raw.error.body) if raw.error else Refusal(),
        samples=tuple(raw.samples),
        _path=re.compile(translate(raw.match.path)) if raw.match.path else None,
        _host=re.compile(translate(raw.match.host.lower())) if raw.match.host else None,
    )


def _lanes(raw: _Descriptor, lines: Lines, file: str) -> tuple[Lane, ...]:
    assert raw.stream is not None
    lanes: list[Lane] = []
    for number, lane in enumerate(raw.stream.lanes):
        try:
            made = Lane(
                lane.text,
                tuple(lane.when.items()),
                tuple(lane.key),
                lane.mode,
                lane.escape == "json",
                _closes(lane.close),
            )
            compile_lanes((made,))  # alone, so that a mistake is found in its own lane
        except ValueError as problem:
            line = lines.of("stream", "lanes", number)
            raise ProviderError(f"lane {number + 1}: {problem}", file=file, line=line, subject=raw.id) from None
        lanes.append(made)
    return tuple(lanes)


def _closes(close: str | list[str] | _Close | None) -> tuple[Close, ...]:
    if close is None:
        return ()
    if isinstance(close, _Close):
        return (Close(when=tuple(close.when.items()), key=tuple(close.key)),)
    return tuple(Close(path=parse(path)) for path in ([close] if isinstance(close, str) else close))
