"""Whole JSON documents: every string that is not called opaque is text.

A request is read strictly, because what one reader skips another may see: duplicate keys, bytes that are not UTF-8 and
anything that is not JSON are refused. A reply is read leniently, because the client would have read it too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from masking.core.errors import UnmaskableError
from masking.core.path import Path, fields, home

__all__ = ["Document", "Guarded", "Place", "dump", "leaves", "read", "read_strictly", "respell"]

Text = Callable[[str], str]
Place = tuple[int, Any]  # a container as `home` knows it, and the key or position in it

_TOO_DEEP = "nested too deep; send a flatter document"
# orjson reads an integer beyond 64 bits as a float; the standard library keeps it whole.
_LONG_NUMBER = re.compile(rb"[0-9]{19}")
_DEEPEST = 64
_DATA_URL = re.compile(r"data:[a-z0-9.+-]+/[a-z0-9.+-]+;base64,[A-Za-z0-9+/=_-]*", re.IGNORECASE)
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")


@dataclass(frozen=True, slots=True)
class Guarded:
    """A place that is opaque only where its neighbours in the same object have these values."""

    path: Path
    when: tuple[tuple[str, Any], ...]


@dataclass(slots=True)
class _Plan:
    """What is known about one place of a document, and about the places below it."""

    keys: dict[str, _Plan] = field(default_factory=dict)
    items: _Plan | None = None
    opaque: bool = False
    when: list[tuple[tuple[str, Any], ...]] = field(default_factory=list)
    json: bool = False
    data_url: bool = False
    is_token: bool = False

    def hides(self, view: Any) -> bool:
        """Whether this place of the object `view` is opaque."""
        if self.opaque:
            return True
        return any(all(view.get(name) == value for name, value in when) for when in self.when)

    def at(self, path: Path) -> _Plan:
        plan = self
        for step in path:
            if step is None:
                plan.items = plan.items or _Plan()
                plan = plan.items
            else:
                plan = plan.keys.setdefault(step, _Plan())
        return plan


_NOTHING = _Plan()


class Document:
    """Where text sits in one kind of document; immutable after it is made, shared between threads."""

    __slots__ = ("_paths", "_plan")

    def __init__(
        self,
        opaque: Iterable[Path | Guarded] = (),
        embedded: Iterable[Path] = (),
        data_urls: Iterable[Path] = (),
        tokens: Iterable[Path] = (),
    ) -> None:
        """`opaque`: places never touched, with all below them. `embedded`: strings that hold JSON of their own.

        `data_urls`: places where a data: URL in base64 (RFC 2397) stays as it is; anything else there is text.
        `tokens`: places where a number stands for text, which is refused.
        """
        self._paths = tuple(opaque), tuple(embedded), tuple(data_urls), tuple(tokens)
        self._plan = _Plan()
        for place in self._paths[0]:
            if isinstance(place, Guarded):
                self._plan.at(place.path).when.append(place.when)
            else:
                self._plan.at(place).opaque = True
        for paths, what in zip(self._paths[1:], ("json", "data_url", "is_token"), strict=True):
            for path in paths:
                setattr(self._plan.at(path), what, True)

    @classmethod
    def joined(cls, documents: Iterable[Document]) -> Document:
        """A document in which all that is said of any of them holds."""
        opaque: dict[Path | Guarded, None] = {}
        rest: tuple[dict[Path, None], ...] = ({}, {}, {})
        for document in documents:
            opaque.update(dict.fromkeys(document._paths[0]))
            for found, paths in zip(rest, document._paths[1:], strict=True):
                found.update(dict.fromkeys(paths))
        return cls(opaque, *rest)

    def mask(self, doc: Any, mask: Text, is_word: Callable[[str], bool] | None = None) -> tuple[Any, bool]:
        """The document with every string masked, in place, and whether anything changed.

        A number that would be masked becomes the masked string. `is_word` says of a key that it may stay, whatever
        `mask` would make of it, see `Session.is_word`. Raises UnmaskableError for a key that would be
        masked, and for JSON in a string that cannot be read without doubt.
        """
        try:
            return _Masking(mask, is_word).root(doc, self._plan)
        except RecursionError:
            raise UnmaskableError(_TOO_DEEP, where="request body") from None

    def restore(
        self, doc: Any, restore: Text, restore_json: Text, *, skip: set[Place] | None = None
    ) -> tuple[Any, bool]:
        """The document with every string restored, in place, and whether anything changed.

        `restore_json` is for text inside JSON that does not parse; `skip` names places to leave alone. SDK objects are
        walked like plain data.
        """
        try:
            return _Restoring(restore, restore_json, skip or set()).root(doc, self._plan)
        except RecursionError:
            raise UnmaskableError(_TOO_DEEP, where="reply") from None


class _Walk:
    """One pass over one document."""

    __slots__ = ("changed", "seen", "text")

    def __init__(self, text: Text) -> None:
        self.text = text
        self.seen: set[int] = set()
        self.changed = False

    def root(self, doc: Any, plan: _Plan) -> tuple[Any, bool]:
        if type(doc) is dict:
            self.visit(doc, plan)
            return doc, self.changed
        box = [doc]  # so that a document that is a single string is a place, too
        self.visit(box, _Plan(items=plan))
        return box[0], self.changed

    def visit(self, node: Any, plan: _Plan) -> None:
        kind = type(node)
        if kind is list or kind is tuple:
            items = plan.items or _NOTHING
            if not items.opaque:
                for position, value in enumerate(node):
                    if kind is list or type(value) is not str:  # a tuple of an SDK object cannot be written to
                        self.value(node, position, value, items)
            return
        if kind is not dict:
            if id(node) in self.seen:  # SDK objects may point back at their owners; JSON data cannot
                return
            self.seen.add(id(node))
            node = fields(node)
            if node is None:
                return
        keys = plan.keys
        for name, value in node.items():
            below = keys.get(name, _NOTHING)
            if below is _NOTHING:
                self.key(name)
            if not below.opaque and not (below.when and below.hides(node)):
                self.value(node, name, value, below)

    def value(self, node: Any, name: Any, value: Any, plan: _Plan) -> None:
        kind = type(value)
        if kind is str:
            if plan.data_url and _DATA_URL.fullmatch(value):
                return
            new = self.embedded(value, plan) if plan.json else self.text(value)
            if new != value:
                node[name] = new
                self.changed = True
        elif kind is int or kind is float:
            self.number(node, name, value, plan)
        elif value is not None and kind is not bool:
            self.visit(value, plan)

    def embedded(self, text: str, plan: _Plan) -> str:
        """Open JSON in a string, walk it, close it again; unchanged JSON keeps its own spelling."""
        try:
            doc = self.open(text)
        except ValueError:
            return self.unreadable(text)
        if not isinstance(doc, dict | list):
            return self.unreadable(text)
        outer, self.changed = self.changed, False
        try:
            self.visit(doc, plan)
            return dump(doc, ascii_only=text.isascii()).decode() if self.changed else text
        finally:
            self.changed = outer

    def open(self, text: str) -> Any:
        return json.loads(text)

    def unreadable(self, text: str) -> str:
        raise NotImplementedError

    def key(self, name: Any) -> None:
        """A key that no descriptor names."""

    def number(self, node: Any, name: Any, value: float, plan: _Plan) -> None:
        """A number."""


class _Masking(_Walk):
    __slots__ = ("_is_word", "_safe")

    def __init__(self, text: Text, is_word: Callable[[str], bool] | None) -> None:
        super().__init__(text)
        self._is_word = is_word
        self._safe: set[str] = set()

    def visit(self, node: Any, plan: _Plan) -> None:
        if type(node) is not dict:
            super().visit(node, plan)
            return
        # What nearly all of a log is made of: no call for opaque places and for keys that were seen.
        keys, safe = plan.keys, self._safe
        for name, value in node.items():
            below = keys.get(name, _NOTHING)
            if below is _NOTHING:
                if name not in safe:
                    self.key(name)
            elif below.opaque or (below.when and below.hides(node)):
                continue
            if type(value) is str and not below.json and not below.data_url:
                new = self.text(value)
                if new != value:
                    node[name], self.changed = new, True
            elif value is not None:
                self.value(node, name, value, below)

    def open(self, text: str) -> Any:
        return json.loads(text, object_pairs_hook=_without_duplicates)

    def unreadable(self, text: str) -> str:
        plain = _ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), text)
        masked = self.text(plain)
        # JSON cut short may still spell a name as \uXXXX: mask what it says, and keep the spelling if that is harmless.
        return text if masked == plain else masked

    def key(self, name: Any) -> None:
        if name in self._safe:
            return
        if not (self._is_word is not None and self._is_word(name)) and self.text(name) != name:
            raise UnmaskableError(
                "an object key holds what the category masks; keys cannot be replaced, so put the value into a string",
                where="request body, object key",
            )
        self._safe.add(name)

    def number(self, node: Any, name: Any, value: float, plan: _Plan) -> None:
        if plan.is_token:
            raise UnmaskableError("text as token numbers cannot be read; send it as strings", where="request body")
        spelled = str(value)
        masked = self.text(spelled)
        if masked != spelled:
            node[name] = masked
            self.changed = True


class _Restoring(_Walk):
    __slots__ = ("_json", "_skip")

    def __init__(self, text: Text, json_text: Text, skip: set[Place]) -> None:
        super().__init__(text)
        self._json = json_text
        self._skip = skip

    def visit(self, node: Any, plan: _Plan) -> None:
        if type(node) is not dict:
            super().visit(node, plan)
            return
        # What nearly every stream event comes through: no call for numbers, opaque places and keys.
        keys = plan.keys
        for name, value in node.items():
            kind = type(value)
            if kind is int or value is None or kind is bool or kind is float:
                continue
            below = keys.get(name, _NOTHING)
            if below.opaque or (below.when and below.hides(node)):
                continue
            if kind is str:
                self.value(node, name, value, below)
            else:
                self.visit(value, below)

    def value(self, node: Any, name: Any, value: Any, plan: _Plan) -> None:
        if type(value) is str and self._skip and (home(node), name) in self._skip:
            return
        super().value(node, name, value, plan)

    def unreadable(self, text: str) -> str:
        return self._json(text)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise UnmaskableError("an object has the same key twice; send it once", where="request body")
    return found


def read_strictly(body: bytes) -> Any:
    """The document of a request; raises UnmaskableError for anything that two readers could read differently."""
    try:
        orjson.loads(body)
        # Read again: orjson keeps the last of two equal keys, and turns integers beyond 64 bits into floats.
        return json.loads(body.decode("utf-8"), object_pairs_hook=_without_duplicates)
    except RecursionError:
        raise UnmaskableError(_TOO_DEEP, where="request body") from None
    except ValueError:
        raise UnmaskableError("not JSON in UTF-8; send one JSON document", where="request body") from None


def read(data: bytes | str) -> Any:
    """The document of a reply or an event; raises ValueError. Integers beyond 64 bits become floats: see `respell`."""
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    try:
        return orjson.loads(raw)
    except ValueError:
        pass  # RFC 8259 §8.2: a lone \ud83d may arrive, its other half in the next event; orjson refuses it
    try:
        return json.loads(raw)
    except RecursionError:
        raise ValueError("nested too deep") from None


def respell(raw: bytes, doc: Any) -> bytes:
    """Compact JSON of `doc`, which `read` made from `raw` and whose strings have changed since.

    ASCII stays ASCII, because some clients cut UTF-8 apart; integers beyond 64 bits stay whole.
    """
    if _LONG_NUMBER.search(raw):
        doc = _with_numbers_of(json.loads(raw), doc)
    return dump(doc, ascii_only=raw.isascii())


def _with_numbers_of(old: Any, new: Any) -> Any:
    if isinstance(old, dict):
        return {key: _with_numbers_of(value, new[key]) for key, value in old.items()}
    if isinstance(old, list):
        return [_with_numbers_of(was, now) for was, now in zip(old, new, strict=True)]
    return new if isinstance(old, str) else old


def dump(doc: Any, *, ascii_only: bool) -> bytes:
    """Compact JSON; with `ascii_only` every other character is escaped."""
    try:
        data = orjson.dumps(doc)
    except (TypeError, ValueError):  # lone surrogates, integers beyond 64 bits
        return json.dumps(doc, ensure_ascii=True, separators=(",", ":")).encode()
    if not ascii_only or data.isascii():
        return data
    return _NOT_ASCII.sub(lambda run: json.dumps(run[0])[1:-1], data.decode()).encode()


def leaves(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any, Any, str]]:
    """Every string of plain data or SDK objects, at most 64 levels down: (path, container, name, text).

    An item of a list that has an integer `index` of its own is known by it: streams send one choice at a time.
    """
    if len(path) > _DEEPEST:  # an SDK object that points back at its owner
        return
    if isinstance(node, list | tuple):
        for position, value in enumerate(node):
            if type(value) is str:
                if isinstance(node, list):  # a tuple cannot be written to
                    yield (*path, position), node, position, value
            else:
                view = fields(value)
                index = view.get("index") if view is not None else None
                yield from leaves(value, (*path, ("index", index) if type(index) is int else position))
        return
    view = fields(node)
    if view is None:
        return
    for name, value in view.items():
        if type(value) is str:
            yield (*path, name), view, name, value
        elif value is not None and type(value) not in (int, float, bool):
            yield from leaves(value, (*path, name))
