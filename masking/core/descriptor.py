"""Provider descriptors: files that say where text sits in an API's requests, replies and stream events.

    id, about                   a name for messages, and a sentence
    match                       method, host, path (glob), query, header, body {path: value}, or a list of such
                                alternatives; the most specific descriptor wins
    signed                      the name of a signing scheme: altered requests are refused unless they are signed later
    request                     body json | form | none, opaque, json, data_urls (places where a data: URL in base64
                                stays as it is), tokens (places where a number stands for text: refused), headers
                                [names], query [parameters that hold text] or {text, json, opaque}
    response                    opaque, json                (opaque counts for stream events, too)
    stream                      framing sse | ndjson | json-array, opaque, json, lanes [text, when, key, mode, escape,
                                close]
    error                       status and body of our refusals, with {message} and {code}
    samples                     values, and request/masked, query/masked, headers/masked, response/restored or
                                stream/restored: tested

Every string that is not opaque is text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import translate
from typing import Any, Final, Literal

from pydantic import ValidationError

from masking.core.descriptorfile import (
    Closing,
    DescriptorFile,
    Framing,
    Match,
    OpaquePlace,
    Query,
    Sample,
    Stream,
    Value,
)
from masking.core.document import Document, Guarded, dump, read_strictly
from masking.core.errors import ProviderError, UnmaskableError
from masking.core.path import Close, Find, Lane, Path, compile_lanes, dig, parse
from masking.core.yamltext import Lines
from masking.core.yamltext import load as load_yaml

__all__ = ["OPENAI_ERROR", "Descriptor", "Descriptors", "Refusal", "Route", "Sample", "load"]


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
class _Pattern:
    """One alternative of `match`, ready for use."""

    match: Match
    methods: frozenset[str]
    path: re.Pattern[str] | None
    host: re.Pattern[str] | None

    def fits(self, route: Route) -> bool:
        """Whether all of it but the body holds."""
        match = self.match
        return (
            route.method.upper() in self.methods
            and (self.path is None or self.path.fullmatch(route.path) is not None)
            and (self.host is None or self.host.fullmatch(route.host.lower()) is not None)
            and all(route.query.get(name) == value for name, value in match.query.items())
            and all(route.headers.get(name.lower()) == value for name, value in match.header.items())
        )

    @property
    def specificity(self) -> tuple[int, int]:
        """Number of conditions, and characters of the path that are not wildcards."""
        match = self.match
        conditions = len(match.query) + len(match.header) + len(match.body) + (match.host is not None)
        return conditions, len((match.path or "").replace("*", ""))


@dataclass(frozen=True, slots=True)
class Descriptor:
    """One API, ready for use: immutable, shared between threads."""

    id: str
    about: Mapping[str, str]
    signed: str | None
    body: Literal["json", "form", "none"]
    query: Document
    query_names: frozenset[str]
    headers: frozenset[str]
    request: Document
    response: Document
    event: Document
    framings: tuple[Framing, ...]
    lanes: tuple[Lane, ...]
    find: Find
    find_in_objects: Find
    opens: tuple[Find, ...]
    opens_in_objects: tuple[Find, ...]
    refusal: Refusal
    samples: tuple[Sample, ...]
    _patterns: tuple[_Pattern, ...]

    def fits(self, route: Route) -> bool:
        """Whether all of an alternative of `match` but the body holds."""
        return any(pattern.fits(route) for pattern in self._patterns)


class Descriptors:
    """All descriptors of one installation; picks the one that a request belongs to."""

    __slots__ = ("_patterns", "_sorted", "replies", "unsure")

    def __init__(self, descriptors: Iterable[Descriptor]) -> None:
        """Among those that fit equally well the first wins. Raises ProviderError if two descriptors share an id."""
        given = list(descriptors)
        pairs = [(pattern, one) for one in given for pattern in one._patterns]
        pairs.sort(key=lambda pair: pair[0].specificity, reverse=True)  # stable: among equals the first given wins
        self._patterns = tuple(pairs)
        self._sorted = tuple({id(one): one for _, one in pairs}.values())
        seen: set[str] = set()
        for descriptor in given:
            if descriptor.id in seen:
                raise ProviderError("two descriptors have this id; rename one", subject=descriptor.id)
            seen.add(descriptor.id)
        self.replies: Final = Document.joined(descriptor.response for descriptor in self._sorted)
        """Where text sits in a whole reply of whichever API: what one of them calls opaque is opaque."""
        modes: dict[Path, set[str]] = {}
        for lane in (lane for descriptor in given for lane in descriptor.lanes):
            modes.setdefault(lane.text, set()).add(lane.mode)
        self.unsure: Final = frozenset(text for text, found in modes.items() if len(found) > 1)
        """The lanes that one descriptor reads in pieces and another as repeats: where the request is not known, each
        has to find out."""

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
        for pattern, descriptor in self._patterns:
            if not pattern.fits(route):
                continue
            wanted = pattern.match.body
            if wanted and not is_read:
                is_read = True
                try:
                    doc = read_strictly(route.body)
                except UnmaskableError:
                    doc = None  # the turn refuses it, in the words of whichever descriptor fits without a body
            if all(_same(dig(doc, path), value) for path, value in wanted.items()):
                return descriptor
        return None


def _same(found: Any, wanted: Value) -> bool:
    return type(found) is type(wanted) and bool(found == wanted)  # 1 is not true


def load(text: str, file: str) -> Descriptor:
    """The descriptor in one YAML text; raises ProviderError with file, 1-based line, descriptor and what to do."""
    data, lines = load_yaml(text, file)
    name = str(data["id"]) if isinstance(data, dict) and "id" in data else ""
    try:
        raw = DescriptorFile.model_validate(data)
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_context=False, include_input=False)[0]
        at = ".".join(map(str, _steps(data, first["loc"])))
        what = f"{at or 'the file'}: {first['msg'][:1].lower()}{first['msg'][1:]} (keys: see the descriptor reference)"
        raise ProviderError(what, file=file, line=lines.of(*first["loc"]), subject=name) from None
    stream = raw.stream
    lanes = _lanes(raw, lines, file) if stream else ()
    query = raw.request.query if isinstance(raw.request.query, Query) else Query(text=raw.request.query, json=[])
    opens = _opens(raw, lanes)
    return Descriptor(
        id=raw.id,
        about={str(language): about for language, about in raw.about.items()},
        signed=raw.signed,
        body=raw.request.body,
        query=Document(query.opaque, query.embedded),
        query_names=frozenset([*query.text, *(path[0] for path in (*query.embedded, *query.opaque) if path[0])]),
        headers=frozenset(header.lower() for header in raw.request.headers),
        request=Document(_opaque(raw.request.opaque), raw.request.embedded, raw.request.data_urls, raw.request.tokens),
        response=Document(_opaque(raw.response.opaque), raw.response.embedded),
        event=Document(
            _opaque([*raw.response.opaque, *(stream.opaque if stream else ())]), stream.embedded if stream else ()
        ),
        framings=_framings(stream),
        lanes=lanes,
        find=compile_lanes(lanes),
        find_in_objects=compile_lanes(lanes, objects=True),
        opens=tuple(map(compile_lanes, opens)),
        opens_in_objects=tuple(compile_lanes(level, objects=True) for level in opens),
        refusal=Refusal(raw.error.status, raw.error.body) if raw.error else Refusal(),
        samples=tuple(raw.samples),
        _patterns=tuple(_pattern(match) for match in (raw.match if isinstance(raw.match, list) else [raw.match])),
    )


def _steps(data: Any, loc: tuple[int | str, ...]) -> list[int | str]:
    """The steps of an error's place that lead through the file, without the alternatives that pydantic tried."""
    steps: list[int | str] = []
    for number, step in enumerate(loc, 1):
        is_item = isinstance(data, list) and isinstance(step, int) and step < len(data)
        if is_item or (isinstance(data, dict) and step in data):
            data = data[step]
        elif not isinstance(data, dict) or number < len(loc):
            continue
        steps.append(step)
    return steps


def _pattern(match: Match) -> _Pattern:
    methods = [match.method] if isinstance(match.method, str) else match.method
    return _Pattern(
        match,
        frozenset(methods),
        re.compile(translate(match.path)) if match.path else None,
        re.compile(translate(match.host.lower())) if match.host else None,
    )


def _opaque(places: Iterable[Path | OpaquePlace]) -> list[Path | Guarded]:
    return [
        Guarded(place.path, tuple((str(path[-1]), value) for path, value in place.when.items()))
        if isinstance(place, OpaquePlace)
        else place
        for place in places
    ]


def _framings(stream: Stream | None) -> tuple[Framing, ...]:
    if stream is None:
        return ()
    return (stream.framing,) if isinstance(stream.framing, str) else tuple(stream.framing)


def _opens(raw: DescriptorFile, lanes: tuple[Lane, ...]) -> list[tuple[Lane, ...]]:
    """The strings of JSON that a lane leads into, outer ones first: they are opened before the lanes are looked up.

    The others are opened only where something is restored.
    """
    paths = [path for lane in lanes for path in (lane.text, *lane.key, *(at for at, _ in lane.when))]
    levels: dict[int, list[Lane]] = {}
    embedded = raw.stream.embedded if raw.stream else []
    for string in embedded:
        if any(_leads(string, path) for path in paths):
            levels.setdefault(sum(_leads(outer, string) for outer in embedded), []).append(Lane(string))
    return [tuple(levels[depth]) for depth in sorted(levels)]


def _leads(outer: Path, inner: Path) -> bool:
    return len(inner) > len(outer) and inner[: len(outer)] == outer


def _lanes(raw: DescriptorFile, lines: Lines, file: str) -> tuple[Lane, ...]:
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


def _closes(close: str | list[str | Closing] | Closing | None) -> tuple[Close, ...]:
    if close is None:
        return ()
    return tuple(
        Close(path=parse(one)) if isinstance(one, str) else Close(when=tuple(one.when.items()), key=tuple(one.key))
        for one in (close if isinstance(close, list) else [close])
    )
