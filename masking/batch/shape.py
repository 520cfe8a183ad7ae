"""Where text sits in a row: shapes of logs that are known by name, or the caller's own paths."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from masking.core.document import Document
from masking.core.errors import ConfigurationError
from masking.core.path import Path, dig, parse

__all__ = ["ANY", "Shape", "known", "recognised", "shape_of"]

# What a conversation is made of wherever it stands: OpenAI's messages and answers, and Anthropic's blocks.
_MESSAGE_OPAQUE = (
    "role",
    "tool_call_id",
    "tool_calls[*].id",
    "tool_calls[*].type",
    "tool_calls[*].function.name",
    "function_call.name",
    "weight",
    "content[*].type",
    "content[*].id",
    "content[*].tool_use_id",
    "content[*].signature",
    "content[*].source.data",
    "content[*].source.media_type",
    "content[*].source.type",
    "content[*].image_url.detail",
    "content[*].input_audio",
    "content[*].file.file_id",
)
_MESSAGE_JSON = ("tool_calls[*].function.arguments", "function_call.arguments")
_MESSAGE_DATA_URLS = ("content[*].image_url.url", "content[*].image", "content[*].file.file_data")
_MESSAGES = ("messages[*]", "choices[*].message")
_BESIDE = (
    "model",
    "max_tokens",
    "temperature",
    "top_p",
    "n",
    "seed",
    "stream",
    "tool_choice",
    "tools[*].type",
    "tools[*].function.name",
    "choices[*].index",
    "choices[*].finish_reason",
)
_DROP = ("choices[*].logprobs",)  # tokens and their bytes: the text once more, in pieces in which nothing is found


@dataclass(frozen=True, slots=True)
class Shape:
    """Where text sits in one kind of row; see `shapes.yaml` for the keys."""

    name: str
    about: str
    has: tuple[tuple[Path, ...], ...]
    opaque: tuple[Path, ...] = ()
    json: tuple[Path, ...] = ()
    data_urls: tuple[Path, ...] = ()
    drop: tuple[Path, ...] = ()
    conversation: Path | None = None

    def fits(self, row: Any) -> bool:
        return any(all(any(True for _ in at(row, path)) for path in paths) for paths in self.has)

    def document(self, opaque: Iterable[Path] = (), json: Iterable[Path] = ()) -> Document:
        """The shape as a document, with more places that are opaque or hold JSON."""
        return Document((*self.opaque, *opaque), (*self.json, *json), self.data_urls)


ANY = Shape("any", "every string is text", ())
"""The shape of what no shape fits."""


@cache
def known() -> tuple[Shape, ...]:
    """The shapes known by name, in the order in which they are tried."""
    import yaml

    listed = yaml.safe_load(files("masking.batch").joinpath("shapes.yaml").read_text("utf-8"))
    return tuple(_shape(one) for one in listed)


def _shape(one: dict[str, Any]) -> Shape:
    opaque, json, urls, drop = list(one.get("opaque", ())), [], [], list(one.get("drop", ()))
    for under in one.get("under", ()):
        place = f"{under}." if under else ""
        opaque += [place + path for path in _BESIDE]
        drop += [place + path for path in _DROP]
        for messages in _MESSAGES:
            opaque += [f"{place}{messages}.{path}" for path in _MESSAGE_OPAQUE]
            json += [f"{place}{messages}.{path}" for path in _MESSAGE_JSON]
            urls += [f"{place}{messages}.{path}" for path in _MESSAGE_DATA_URLS]
    json += one.get("json", ())
    urls += one.get("data_urls", ())
    conversation = one.get("conversation")
    return Shape(
        one["shape"],
        one["about"]["en"],
        tuple(tuple(map(parse, paths)) for paths in one["has"]),
        tuple(map(parse, dict.fromkeys(opaque))),
        tuple(map(parse, dict.fromkeys(json))),
        tuple(map(parse, dict.fromkeys(urls))),
        tuple(map(parse, dict.fromkeys(drop))),
        parse(conversation) if conversation else None,
    )


def shape_of(name: str) -> Shape:
    """The shape of a name; raises ConfigurationError that lists them."""
    for shape in (*known(), ANY):
        if shape.name == name:
            return shape
    names = ", ".join(shape.name for shape in (*known(), ANY))
    raise ConfigurationError(f"no shape is called {name!r}; known are {names}")


def recognised(rows: Iterable[Any]) -> Shape:
    """The first shape that fits most of `rows`, which are the first of a file; `ANY` where none does."""
    rows = list(rows)
    for shape in known():
        if rows and sum(map(shape.fits, rows)) * 2 > len(rows):
            return shape
    return ANY


def at(row: Any, path: Path) -> Iterator[Any]:
    """What stands at a path, one for each item where it goes through lists; null counts as nothing."""
    if not path:
        if row is not None:
            yield row
        return
    if path[0] is None:
        for item in row if isinstance(row, list) else ():
            yield from at(item, path[1:])
    elif isinstance(row, dict):
        yield from at(row.get(path[0]), path[1:])


def dropped(row: Any, path: Path) -> bool:
    """Put null at a path, in place; whether anything stood there."""
    if path[0] is None:
        places: Iterable[Any] = range(len(row)) if isinstance(row, list) else ()
    else:
        places = (path[0],) if isinstance(row, dict) and path[0] in row else ()
    found = False
    for place in places:
        if len(path) > 1:
            found = dropped(row[place], path[1:]) or found
        elif row[place] is not None:
            row[place], found = None, True
    return found


def conversation_of(row: Any, path: Path) -> str | None:
    """The id of a row's conversation, or None where it has none."""
    found = dig(row, path)
    return str(found) if isinstance(found, str | int) and not isinstance(found, bool) and found != "" else None
