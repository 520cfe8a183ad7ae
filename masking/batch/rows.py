"""Masks the rows of one block: what a worker does, and all that it does."""

from __future__ import annotations

import hmac
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal, get_args

import orjson

from masking.batch.cut import Block
from masking.batch.deflate import compressed
from masking.batch.shape import conversation_of, shape_of
from masking.batch.source import Format
from masking.core.document import Document, dump
from masking.core.errors import MaskingError, UnmaskableError
from masking.core.path import Path, parse
from masking.core.session import Masked
from masking.masker import Masker

__all__ = ["MAPPINGS", "Bad", "Layout", "Mapping", "Outcome", "Rows", "Settings"]

Mapping = Literal["keyed", "conversation", "irreversible"]
MAPPINGS: tuple[Mapping, ...] = get_args(Mapping)

_BOM = b"\xef\xbb\xbf"
_PLACEHOLDER = re.compile(r"<([A-Z]+(?:_[A-Z]+)*)_[1-9][0-9]{0,17}>")
_SHORT = 48  # characters; keys, roles and models of which the clean ones are remembered
_REMEMBERED = 20_000


@dataclass(frozen=True, slots=True)
class Settings:
    """What every worker is told. `text`: only these paths are text. `keep`: entries are wanted, for a vault."""

    categories: tuple[str, ...]
    names: Literal["on", "off"] = "on"
    mapping: Mapping = "keyed"
    key: bytes = field(default=b"", repr=False)
    text: tuple[str, ...] = ()
    opaque: tuple[str, ...] = ()
    conversation: str = ""
    keep: bool = False

    def masker(self) -> Masker:
        """The masker of these settings. Raises what Masker raises."""
        key = self.key if self.mapping != "conversation" else None
        return Masker(list(self.categories), names=self.names, key=key or None)


@dataclass(frozen=True, slots=True)
class Layout:
    """How one file is read: found at its beginning, the same for all of its blocks and for a resumed run."""

    format: Format
    compression: str = ""
    shape: str = "any"


@dataclass(frozen=True, slots=True)
class Bad:
    """A row that could not be masked: its number in the block and place in the file's bytes, from 0, and why."""

    row: int
    start: int
    length: int
    why: str


@dataclass(slots=True)
class Outcome:
    """A block masked; `bad` rows are not in `data`. `entries`: placeholder to value, by conversation."""

    data: bytes = b""
    rows: int = 0
    masked: int = 0
    findings: Counter[str] = field(default_factory=Counter)
    bad: list[Bad] = field(default_factory=list)
    entries: dict[str, dict[str, str]] = field(default_factory=dict, repr=False)


class Rows:
    """One masker at work; holds no value of a row longer than the row."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._texts = _Texts(settings)
        self._only = tuple(map(parse, settings.text))
        self._opaque = tuple(map(parse, settings.opaque))
        self._row_masks: dict[str, Callable[[Any], tuple[Any, bool]]] = {}
        self._conversations: dict[str, Path | None] = {}

    def mask(self, block: Block, layout: Layout) -> Outcome:
        """The block with its rows masked. Nothing is raised for a row: what is wrong with one is told in `bad`."""
        outcome = Outcome()
        self._texts.outcome = outcome
        if block.skipped:
            outcome.rows = 1
            outcome.bad.append(Bad(0, block.start, block.skipped, "longer than the limit; raise --max-row"))
            return outcome
        pieces: list[bytes] = []
        data, at = block.data, 0
        if block.start == 0 and data.startswith(_BOM):
            pieces.append(_BOM)
            at = len(_BOM)
        one = self._line if layout.format == "text" else self._json_line
        while at < len(data):
            end = data.find(b"\n", at) + 1 or len(data)
            line = data[at:end]
            if line.strip():
                try:
                    new = one(line, layout)
                except MaskingError as error:
                    outcome.bad.append(Bad(outcome.rows, block.start + at, len(line), _why(error)))
                except Exception as error:  # noqa: BLE001 - whatever it is, the row does not leave, and no value is told
                    why = f"internal error ({type(error).__name__})"
                    outcome.bad.append(Bad(outcome.rows, block.start + at, len(line), why))
                else:
                    outcome.masked += new is not line
                    pieces.append(new)
                outcome.rows += 1
            else:
                pieces.append(line)
            at = end
        outcome.data = compressed(b"".join(pieces), layout.compression)
        return outcome

    def _line(self, line: bytes, layout: Layout) -> bytes:
        self._texts.begin(None)
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            raise UnmaskableError(f"not UTF-8 at byte {error.start} of the row") from None
        body = text.rstrip("\r\n")
        masked = self._texts.mask(body)
        return line if masked == body else (masked + text[len(body) :]).encode()

    def _json_line(self, line: bytes, layout: Layout) -> bytes:
        body = line.strip()
        doc = read(body)
        doc, changed = self.document(doc, layout.shape)
        if not changed:
            return line
        return dump(doc, ascii_only=body.isascii()) + line[len(line.rstrip(b"\r\n")) :]

    def document(self, doc: Any, shape: str) -> tuple[Any, bool]:
        """A row as plain data with its texts masked, in place, and whether anything changed.

        Raises UnmaskableError for what cannot be made safe.
        """
        mask = self._row_masks.get(shape) or self._prepared(shape)
        path = self._conversations[shape]
        self._texts.begin(conversation_of(doc, path) if path else None)
        try:
            return mask(doc)
        except UnmaskableError as error:
            raise UnmaskableError(error.what) from None

    def _prepared(self, name: str) -> Callable[[Any], tuple[Any, bool]]:
        shape = shape_of(name)
        given = self._settings.conversation
        self._conversations[name] = parse(given) if given else shape.conversation
        if self._only:
            self._row_masks[name] = self._only_these
        else:
            document = shape.document(self._opaque)
            self._row_masks[name] = lambda doc: document.mask(doc, self._texts.mask)
        return self._row_masks[name]

    def _only_these(self, doc: Any) -> tuple[Any, bool]:
        box = [doc]
        changed = False
        for path in self._only:
            changed = _masked_at(box, 0, path, self._texts.mask) or changed
        return box[0], changed


class _Texts:
    """The texts of one row after the other. A row whose texts hold a value has a session of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._masker = settings.masker()
        self._session = self._masker.session()
        self._conversation: str | None = None
        self._told = False
        self._clean: set[str] = set()
        self.outcome = Outcome()

    def begin(self, conversation: str | None) -> None:
        """A new row, which belongs to a conversation if rows of one can be told."""
        if self._settings.mapping != "conversation":
            conversation = None
        if self._told or conversation != self._conversation:
            self._session.close()
            self._session = self._masker.session(key=self._key_of(conversation))
            self._told = False
            self._conversation = conversation

    def _key_of(self, conversation: str | None) -> bytes | None:
        """Rows of one conversation may lie anywhere: what they have in common is a key that is made from its id."""
        if conversation is None:
            return None
        return hmac.digest(
            self._settings.key, b"conversation\0" + conversation.encode("utf-8", "surrogatepass"), sha256
        )

    def mask(self, text: str) -> str:
        if not self._told and text in self._clean:
            return text
        masked: Masked = self._session.masked(text)
        if not masked.findings:
            if not self._told and len(text) <= _SHORT:
                if len(self._clean) >= _REMEMBERED:
                    self._clean.clear()
                self._clean.add(text)
            return text
        self._told = True
        for finding in masked.findings:
            self.outcome.findings[finding.entity] += 1
        if self._settings.mapping == "irreversible":
            return _PLACEHOLDER.sub(r"<\1>", masked.text)
        return masked.text


def _masked_at(node: Any, name: Any, path: Path, mask: Callable[[str], str]) -> bool:
    """Mask what stands at a path below node[name]; a string, number, or everything in what it holds."""
    value = node[name]
    if not path:
        if isinstance(value, str) or (isinstance(value, int | float) and not isinstance(value, bool)):
            old = str(value)
            new = mask(old)
            if new != old:
                node[name] = new
                return True
            return False
        if isinstance(value, dict | list):
            return _masked_all(value, mask)
        return False
    changed = False
    if path[0] is None:
        if isinstance(value, list):
            for position in range(len(value)):
                changed = _masked_at(value, position, path[1:], mask) or changed
    elif isinstance(value, dict) and path[0] in value:
        changed = _masked_at(value, path[0], path[1:], mask)
    return changed


def _masked_all(node: Any, mask: Callable[[str], str]) -> bool:
    return Document().mask(node, mask)[1]


def read(row: bytes) -> Any:
    """The document of a row. Raises UnmaskableError, which says what is wrong with it.

    A row that is spelled as we spell it holds no key twice, or it would be longer: that is most rows, and cheaper to
    see than to read twice.
    """
    try:
        doc = orjson.loads(row)
        if type(doc) is dict and dump(doc, ascii_only=False) == row:
            return doc
    except orjson.JSONDecodeError:
        pass  # RFC 8259 §8.2: a lone surrogate in \uXXXX form is JSON; orjson refuses it
    try:
        return json.loads(row.decode(), object_pairs_hook=_without_duplicates, parse_constant=_refused)
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


def _why(error: MaskingError) -> str:
    return error.what if isinstance(error, UnmaskableError) else str(error)
