"""Masks the rows of one block: what a worker does, and all that it does."""

from __future__ import annotations

import hmac
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import Any, Literal, get_args

from masking.batch.cut import Block
from masking.batch.deflate import compressed
from masking.batch.row import Fields, Json, Line, Only, Row, Walk
from masking.batch.shape import at, conversation_of, dropped, shape_of
from masking.batch.source import Format
from masking.core.document import Document
from masking.core.errors import ConfigurationError, MaskingError, UnmaskableError
from masking.core.path import Path, parse, spell
from masking.core.session import Session
from masking.masker import Masker
from masking.shadow import Shadow, ShadowFile

__all__ = ["MAPPINGS", "Bad", "Layout", "Mapping", "Outcome", "Rows", "Settings", "owner_of", "split"]

Mapping = Literal["keyed", "conversation", "irreversible"]
MAPPINGS: tuple[Mapping, ...] = get_args(Mapping)

_BOM = b"\xef\xbb\xbf"
_PLACEHOLDER = re.compile(r"<([A-Z]+(?:_[A-Z]+)*)_[1-9][0-9]{0,17}>")
_SHORT = 48  # characters; keys, roles and models, of which those that look like no placeholder are remembered
_REMEMBERED = 20_000


@dataclass(frozen=True, slots=True)
class Settings:
    """What every worker is told. `text`: only these paths are text.

    `vault` is the address of the table that keeps what placeholders stand for, `owner` whose entries they are there;
    without an address nothing is kept. `restore`: rows get their values back from it. `shadow` is a candidate category
    whose differences every worker appends to the file `shadow_report`.
    """

    categories: tuple[str, ...]
    names: Literal["on", "off"] = "on"
    mapping: Mapping = "keyed"
    key: bytes = field(default=b"", repr=False)
    text: tuple[str, ...] = ()
    opaque: tuple[str, ...] = ()
    conversation: str = ""
    vault: str = ""
    owner: str = "batch"
    restore: bool = False
    shadow: str = ""
    shadow_report: str = ""

    def masker(self) -> Masker:
        """The masker of these settings, with the candidate that reads along. Raises what Masker raises."""
        key = self.key if self.mapping != "conversation" else None
        shadow = Shadow(self.shadow, ShadowFile(self.shadow_report)) if self.shadow else None
        return Masker(list(self.categories), names=self.names, key=key or None, shadow=shadow)


@dataclass(frozen=True, slots=True)
class Layout:
    """How one file is read: found at its beginning, the same for all of its blocks and for a resumed run."""

    format: Format
    compression: str = ""
    shape: str = "any"
    delimiter: str = ","
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bad:
    """A row that could not be masked: its number in the block and place in the file's bytes, from 0, and why."""

    row: int
    start: int
    length: int
    why: str


@dataclass(slots=True)
class Outcome:
    """A block masked; `bad` rows are not in `data`. `kept`: placeholder to value by owner, where a vault wants them."""

    data: bytes = b""
    rows: int = 0
    masked: int = 0
    findings: Counter[str] = field(default_factory=Counter)
    bad: list[Bad] = field(default_factory=list)
    kept: dict[str, dict[str, str]] = field(default_factory=dict, repr=False)


def owner_of(settings: Settings, conversation: str | None) -> str:
    """Whose entries a row's are in the table. Raises ConfigurationError where rows cannot be told apart."""
    if settings.mapping != "conversation":
        return settings.owner
    if conversation is None:
        raise ConfigurationError(
            "a vault needs to know which conversation a row belongs to, and one has no id: say where it is with "
            "--conversation, or map --mapping keyed"
        )
    return f"{settings.owner}/{conversation}"


class Rows:
    """One masker at work; it holds no value longer than the block that holds it."""

    def __init__(self, settings: Settings, masker: Masker | None = None) -> None:
        """`masker` in place of the one that the settings describe."""
        self._settings = settings
        self._masker = masker or settings.masker()
        self._quiet = self._masker.session()
        self._plain: set[str] = set()
        self._walks: dict[tuple[str, tuple[str, ...]], Walks] = {}

    def mask(self, block: Block, layout: Layout) -> Outcome:
        """The block with its rows masked. Nothing is raised for a row: what is wrong with one is told in `bad`."""
        outcome = Outcome()
        if block.skipped:
            outcome.rows = 1
            outcome.bad.append(Bad(0, block.start, block.skipped, "longer than the limit; raise --max-row"))
            return outcome
        pieces, places = split(block, layout)
        rows: list[_Opened] = []
        walks = self.walks_of(layout)
        for place in places:
            raw = pieces[place.piece]
            try:
                rows.append(_Opened(place, *walks.opened(raw, layout)))
            except Exception as error:  # noqa: BLE001 - whatever it is, the row does not leave, and no value is told
                pieces[place.piece] = _nothing(raw, layout)
                outcome.bad.append(Bad(place.row, block.start + place.start, len(raw), _why(error)))
        for one, texts in zip(rows, self.texts([(one.texts, one.conversation) for one in rows], outcome), strict=True):
            if texts is None and not one.row.altered:
                continue
            raw = pieces[one.place.piece]
            try:
                if texts is not None:
                    one.row.walk(_Replace(one.texts, texts))
                pieces[one.place.piece] = one.row.write()
                outcome.masked += 1
            except Exception as error:  # noqa: BLE001
                pieces[one.place.piece] = _nothing(raw, layout)
                outcome.bad.append(Bad(one.place.row, block.start + one.place.start, len(raw), _why(error)))
        outcome.bad.sort(key=lambda bad: bad.row)
        outcome.rows = len(places)
        outcome.data = compressed(b"".join(pieces), layout.compression)
        return outcome

    def texts(
        self, rows: Sequence[tuple[Sequence[str], str | None]], outcome: Outcome
    ) -> Iterator[Sequence[str] | None]:
        """The texts of each row masked, None where none changed; a row comes with the id of its conversation or None.

        A row is one conversation: what one of its texts tells is found in all of them, in earlier ones too. Counts the
        findings in `outcome`, and keeps the tables there where they are wanted.
        """
        flat = [text for texts, _ in rows for text in texts]
        scanned = self._masker.scan_many(flat)
        for texts, conversation in rows:
            found = [next(scanned) for _ in texts]
            if not any(found) and (not self._quiet.may_type(texts) or all(map(self._is_plain, texts))):
                yield None
                continue
            with self._session(conversation) as session:
                masked = session.masked_together(texts, found)
                for one in masked:
                    for finding in one.findings:
                        outcome.findings[finding.entity] += 1
                if self._settings.vault:
                    owner = owner_of(self._settings, conversation)
                    outcome.kept.setdefault(owner, {}).update(session.entries())
            if self._settings.mapping == "irreversible":
                yield [_PLACEHOLDER.sub(r"<\1>", one.text) if one.findings else one.text for one in masked]
            else:
                yield [one.text for one in masked]

    def _is_plain(self, text: str) -> bool:
        """Whether a text in which nothing is found does not look like a placeholder either."""
        if text in self._plain:
            return True
        if self._quiet.masked(text, ()).findings:
            self._quiet.close()
            self._quiet = self._masker.session()
            return False
        if len(text) <= _SHORT:
            if len(self._plain) >= _REMEMBERED:
                self._plain.clear()
            self._plain.add(text)
        return True

    def _session(self, conversation: str | None) -> Session:
        """Rows of one conversation may lie anywhere: what they have in common is a key that is made from its id."""
        if self._settings.mapping != "conversation" or conversation is None:
            return self._masker.session()
        name = conversation.encode("utf-8", "surrogatepass")
        return self._masker.session(key=hmac.digest(self._settings.key, b"conversation\0" + name, sha256))

    def walks_of(self, layout: Layout) -> Walks:
        """Where the texts of a file's rows are."""
        at = (layout.shape, layout.columns)
        if at not in self._walks:
            self._walks[at] = Walks(self._settings, layout, self.is_word)
        return self._walks[at]

    def is_word(self, name: str) -> bool:
        """Whether the name of a field is a plain word, and so nobody's."""
        return self._masker.is_word(name)


class Walks:
    """Where the texts of one file's rows are."""

    def __init__(self, settings: Settings, layout: Layout, is_word: Callable[[str], bool]) -> None:
        shape = shape_of(layout.shape)
        only, own = tuple(map(parse, settings.text)), tuple(map(parse, settings.opaque))
        self.opaque = own if only else (*shape.opaque, *own)
        self.columns = {path[0] for path in only} if only else None
        embedded = [(name,) for name in layout.columns] if layout.format == "parquet" else []
        self._walk: Walk = Only(only) if only else partial(shape.document(own, embedded).mask, is_word=is_word)
        self._drop = () if only or settings.restore else shape.drop
        self.conversation = parse(settings.conversation) if settings.conversation else shape.conversation
        self._fields = tuple(_column(name, only, own) for name in layout.columns)
        place = self.conversation
        name = place[0] if place and len(place) == 1 else None
        self._conversation_field = layout.columns.index(name) if name in layout.columns else None

    def texts(self, doc: Any) -> list[str]:
        """The texts of a document, in the order in which `put` takes them. Raises UnmaskableError."""
        for path in self._drop:
            if any(True for _ in at(doc, path)):
                raise UnmaskableError(f"{spell(path)} spells the text in pieces; leave the field out of the file")
        texts: list[str] = []

        def collect(text: str) -> str:
            texts.append(text)
            return text

        self._walk(doc, collect)
        return texts

    def put(self, doc: Any, old: Sequence[str], new: Sequence[str]) -> None:
        """Put what they became into the document, in place. Raises UnmaskableError."""
        self._walk(doc, _Replace(old, new))

    def opened(self, raw: bytes, layout: Layout) -> tuple[Row, list[str], str | None]:
        """A row, its texts, and its conversation. Raises UnmaskableError."""
        conversation = None
        row: Row
        match layout.format:
            case "jsonl" | "json":
                row = Json(raw, self._walk)
                for path in self._drop:
                    row.altered = dropped(row.doc, path) or row.altered
                conversation = conversation_of(row.doc, self.conversation) if self.conversation else None
            case "csv" | "tsv":
                row = Fields(raw, layout.delimiter, self._fields)
                if self._conversation_field is not None:
                    conversation = row.field(self._conversation_field) or None
            case _:
                row = Line(raw)
        texts: list[str] = []

        def collect(text: str) -> str:
            texts.append(text)
            return text

        row.walk(collect)
        return row, texts, conversation


def _column(name: str, only: Sequence[Path], opaque: Sequence[Path]) -> Walk | None:
    """How the fields of a column are walked; None: not at all."""
    if (name,) in opaque:
        return None
    below = tuple(path[1:] for path in only if path[0] == name)
    if only:
        return Only(below) if below else None
    return Document(path[1:] for path in opaque if path[0] == name and len(path) > 1).mask


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a row is: its number in the block, which of the block's pieces it is, and its first byte in the block."""

    row: int
    piece: int
    start: int


@dataclass(frozen=True, slots=True)
class _Opened:
    place: _Place
    row: Row
    texts: list[str]
    conversation: str | None


class _Replace:
    """Gives each text what it became, in the order in which they were collected."""

    __slots__ = ("_new", "_old")

    def __init__(self, old: Sequence[str], new: Sequence[str]) -> None:
        self._old = iter(old)
        self._new = iter(new)

    def __call__(self, text: str) -> str:
        if next(self._old, None) != text:
            raise UnmaskableError("internal error: the row was walked in two ways")
        return next(self._new)


def split(block: Block, layout: Layout) -> tuple[list[bytes], list[_Place]]:
    """The block in pieces, and which of them are rows; what is no row stays as it is."""
    data = block.data
    pieces: list[bytes] = []
    places: list[_Place] = []
    at = 0
    if block.spans is not None:
        for start, end in block.spans:
            pieces += [data[at:start], data[start:end]]
            places.append(_Place(len(places), len(pieces) - 1, start))
            at = end
        pieces.append(data[at:])
        return pieces, places
    if block.start == 0 and data.startswith(_BOM):
        at = len(_BOM)
        pieces.append(_BOM)
    while at < len(data):
        end = data.find(b"\n", at) + 1 or len(data)
        line = data[at:end]
        pieces.append(line)
        if line.strip():
            places.append(_Place(len(places), len(pieces) - 1, at))
        at = end
    return pieces, places


def _nothing(raw: bytes, layout: Layout) -> bytes:
    """What stands where a row is left out; in a JSON array its place is kept."""
    return b"null" if layout.format == "json" else b""


def _why(error: Exception) -> str:
    if isinstance(error, UnmaskableError):
        return error.what
    return str(error) if isinstance(error, MaskingError) else f"internal error ({type(error).__name__})"
