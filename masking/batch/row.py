"""One row of each format: read from its bytes, walked by its texts, written again."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from masking.core.document import Document, dump
from masking.core.errors import UnmaskableError
from masking.core.path import Path

__all__ = ["Fields", "Json", "Line", "Only", "Row", "Walk", "read"]

Text = Callable[[str], str]
Walk = Callable[[Any, Text], tuple[Any, bool]]
"""(document, mask) -> the document with every text masked, in place, and whether anything changed."""

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[^\[\]{},:" \t\r\n]+', re.DOTALL)
_LOOKS_LIKE_JSON = ('{"', '[{"', "{}", "[]")


class Row(Protocol):
    """A row at work: `walk` visits its texts, always the same ones in the same order; `write` is the row's new bytes.

    Both raise UnmaskableError for what cannot be made safe. `altered`: it must be written though no text changed.
    """

    altered: bool

    def walk(self, mask: Text) -> None: ...
    def write(self) -> bytes: ...


class Json:
    """A JSON value; what surrounds it, the end of the line, stays."""

    __slots__ = ("_after", "_before", "_is_ours", "_raw", "_walk", "altered", "doc")

    def __init__(self, raw: bytes, walk: Walk) -> None:
        body = raw.strip()
        at = raw.find(body)
        self._before, self._after = raw[:at], raw[at + len(body) :]
        self._raw = body
        self._walk = walk
        self.altered = False
        self.doc, self._is_ours = _read(body)

    def walk(self, mask: Text) -> None:
        try:
            self.doc, _ = self._walk(self.doc, mask)
        except UnmaskableError as error:
            raise UnmaskableError(error.what) from None

    def write(self) -> bytes:
        if self.altered:
            return self._before + dump(self.doc, ascii_only=self._raw.isascii()) + self._after
        if (
            self._is_ours
        ):  # spelled anew it is spelled the same, but for characters that the two writers escape otherwise
            data = dump(self.doc, ascii_only=False)
            if b"\x7f" not in data and (data.isascii() or not self._raw.isascii()):
                return self._before + data + self._after
        return self._before + spliced(self._raw, read(self._raw), self.doc) + self._after


def spliced(raw: bytes, old: Any, new: Any) -> bytes:
    """The JSON `raw`, which reads as `old`, with what is other in `new`; everything else keeps its own spelling.

    Both are of one structure. So numbers that no float holds keep every digit, and blanks stay.
    """
    pieces: list[bytes] = []
    at = 0
    ascii_only = raw.isascii()
    for token, was, now in zip(_TOKEN.finditer(raw), _leaves(old), _leaves(new), strict=True):
        if now is not was and now != was:
            pieces += raw[at : token.start()], _spelled(now, ascii_only=ascii_only)
            at = token.end()
    pieces.append(raw[at:])
    return b"".join(pieces)


def _leaves(node: Any) -> Iterator[Any]:
    """Keys and values that hold no others, in the order of the text."""
    if type(node) is dict:
        for key, value in node.items():
            yield key
            yield from _leaves(value)
    elif type(node) is list:
        for value in node:
            yield from _leaves(value)
    else:
        yield node


def _spelled(value: Any, *, ascii_only: bool) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=ascii_only).encode()
    except UnicodeEncodeError:  # half a pair of surrogates
        return json.dumps(value).encode()


class Line:
    """A line of plain text."""

    __slots__ = ("_end", "_text", "altered")

    def __init__(self, raw: bytes) -> None:
        text = decoded(raw)
        self.altered = False
        self._text = text.rstrip("\r\n")
        self._end = text[len(self._text) :]

    def walk(self, mask: Text) -> None:
        self._text = mask(self._text)

    def write(self) -> bytes:
        return (self._text + self._end).encode()


class Fields:
    """A record of CSV or TSV. A field that holds a JSON object, or a list of them, is opened."""

    __slots__ = ("_delimiter", "_end", "_fields", "_quoted", "_walks", "altered")

    def __init__(self, raw: bytes, delimiter: str, walks: tuple[Walk | None, ...]) -> None:
        text = decoded(raw)
        body = text.rstrip("\r\n")
        self._end = text[len(body) :]
        self.altered = False
        self._delimiter = delimiter
        self._walks = walks
        # Where every field is quoted, every field stays so.
        self._quoted = len(body) > 1 and body[0] == body[-1] == '"'
        try:
            records = list(csv.reader(io.StringIO(body, newline=""), delimiter=delimiter))
        except csv.Error as error:
            raise UnmaskableError(f"not CSV: {error}") from None
        if len(records) != 1:
            raise UnmaskableError("not CSV: a quote is not closed")
        self._fields = records[0]
        if walks and len(self._fields) > len(walks):
            raise UnmaskableError(f"{len(self._fields)} fields under {len(walks)} columns")

    def walk(self, mask: Text) -> None:
        for place, value in enumerate(self._fields):
            walk = self._walks[place] if self._walks else _EVERYTHING.mask
            if walk is not None:
                self._fields[place] = walked_text(value, walk, mask)

    def field(self, place: int) -> str:
        """A field's value; empty where the record is shorter."""
        return self._fields[place] if place < len(self._fields) else ""

    def write(self) -> bytes:
        out = io.StringIO(newline="")
        if self._quoted:
            writer = csv.writer(out, delimiter=self._delimiter, quoting=csv.QUOTE_ALL, lineterminator=self._end)
        else:
            writer = csv.writer(out, delimiter=self._delimiter, lineterminator=self._end)
        writer.writerow(self._fields)
        return out.getvalue().encode()


def walked_text(text: str, walk: Walk, mask: Text) -> str:
    """A string that may hold JSON of its own: opened where it reads as an object or a list of objects."""
    if text.lstrip().startswith(_LOOKS_LIKE_JSON):
        try:
            doc = read(text.strip().encode("utf-8", "surrogatepass"))
        except UnmaskableError:
            return mask(text)
        doc, changed = walk(doc, mask)
        return dump(doc, ascii_only=text.isascii()).decode() if changed else text
    return mask(text)


@dataclass(frozen=True, slots=True)
class Only:
    """Walks the texts at some paths, and everything below them; nothing else."""

    paths: tuple[Path, ...]

    def __call__(self, doc: Any, mask: Text) -> tuple[Any, bool]:
        box = [doc]
        changed = False
        for path in self.paths:
            changed = _at(box, 0, path, mask) or changed
        return box[0], changed


def _at(node: Any, name: Any, path: Path, mask: Text) -> bool:
    """Mask what stands at a path below node[name]: a string, a number, or everything in what it holds."""
    value = node[name]
    if not path:
        box = [value]
        changed = _EVERYTHING.mask(box, mask)[1]
        if changed:
            node[name] = box[0]
        return changed
    changed = False
    if path[0] is None:
        if isinstance(value, list):
            for position in range(len(value)):
                changed = _at(value, position, path[1:], mask) or changed
    elif isinstance(value, dict) and path[0] in value:
        changed = _at(value, path[0], path[1:], mask)
    return changed


_EVERYTHING = Document()


def decoded(raw: bytes) -> str:
    """Raises UnmaskableError for what is not UTF-8."""
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise UnmaskableError(f"not UTF-8 at byte {error.start} of the row") from None


def read(row: bytes) -> Any:
    """The document of a row. Raises UnmaskableError, which says what is wrong with it."""
    return _read(row)[0]


def _read(row: bytes) -> tuple[Any, bool]:
    """The document of a row, and whether `dump` spells it the same. Raises as `read`.

    A row that is spelled as we spell it holds no key twice, or it would be longer: that is most rows, and cheaper to
    see than to read twice.
    """
    try:
        doc = orjson.loads(row)
        if type(doc) is dict and dump(doc, ascii_only=False) == row:
            return doc, True
    except orjson.JSONDecodeError:
        pass  # RFC 8259 §8.2: a lone surrogate in \\uXXXX form is JSON; orjson refuses it
    try:
        doc = json.loads(
            row.decode("utf-8", "surrogatepass"),
            object_pairs_hook=_without_duplicates,
            parse_constant=_refused,
        )
        return doc, False
    except UnicodeDecodeError as error:
        raise UnmaskableError(f"not UTF-8 at byte {error.start} of the row") from None
    except RecursionError:
        raise UnmaskableError("nested too deep") from None
    except json.JSONDecodeError as error:
        raise UnmaskableError(f"not JSON at character {error.pos} of the row") from None
    except ValueError:
        raise UnmaskableError("a number is too long to be read") from None


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise UnmaskableError("an object has the same key twice: two readers would see two values")
    return found


def _refused(name: str) -> Any:
    raise UnmaskableError(f"{name} is no JSON (RFC 8259 §6)")
