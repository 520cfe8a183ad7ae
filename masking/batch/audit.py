"""Whether anything personal is left in masked files, by means that are not ours: Presidio's analyzer.

It runs Presidio's default pattern recognisers, its telephone recogniser with the regions of China added, and a pattern
for Chinese identity numbers, none of which the masking itself uses. Names are not looked for: that takes a model, and
another model's idea of a name is no measure. What stands in the place of a value, `<PERSON_1>` or `<PERSON>`, is passed
over. Places are told, values never.

Files are read here anew, not by what wrote them: plain JSON lines, CSV and Parquet of the standard readers.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from masking.batch.pool import Pool
from masking.core.errors import ConfigurationError

__all__ = ["IGNORED", "LEAST", "Audit", "Left", "audit"]

LEAST = 0.4
"""Score from which a finding counts: what Presidio gives a telephone number without words beside it."""

IGNORED = ("DATE_TIME", "URL")
"""Entities that are passed over if nothing else is said: dates and links are in every log."""

_PLACEHOLDER = re.compile(r"<[A-Z]+(?:_[A-Z]+)*(?:_[1-9][0-9]{0,17})?>")
_WORTH = re.compile(r"[\d@]")  # none of Presidio's patterns but that for links matches without one of these
_WORTH_HIDING = re.compile(r"\d{4}|@|\s\w+\s")
_SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".tab", ".parquet", ".pq", ".txt", ".text", ".log")
_TOGETHER = 256  # texts given to a worker at once
_LONGEST = 100_000  # characters analysed at once; patterns of Presidio's take time out of proportion beyond
_OVERLAP = 200  # characters that two pieces of a longer text share
_REMEMBERED = 50_000  # texts of which it is known that they hold nothing
_PLACES = 1_000

_REGIONS = ("US", "UK", "DE", "FR", "IL", "IN", "CA", "BR", "CN", "HK", "TW", "SG")
_CHINESE_ID = (
    r"(?<![0-9A-Za-z])[1-9]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[0-9Xx](?![0-9A-Za-z])"
)


@dataclass(frozen=True, slots=True)
class Left:
    """One thing that is left: where, never what. `row` counts from 1, offsets are characters of the text at `path`."""

    file: str
    row: int
    path: str
    entity: str
    score: float
    start: int
    end: int
    recogniser: str


@dataclass(slots=True)
class Audit:
    """What an audit saw. `places` are the first ones only; `entities` and `files` count all."""

    files: dict[str, int] = field(default_factory=dict)
    """Findings by file, also of those that have none."""
    rows: int = 0
    texts: int = 0
    entities: Counter[str] = field(default_factory=Counter)
    places: list[Left] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    """Files of no known format."""

    @property
    def left(self) -> int:
        return self.entities.total()


@dataclass(frozen=True, slots=True)
class Looked:
    """What is looked for: only these entities where there are any, and never those that are ignored."""

    entities: frozenset[str] = frozenset()
    ignored: frozenset[str] = frozenset(IGNORED)
    least: float = LEAST


_Text = tuple[str, int, str, str]  # file, row, path, text
_Found = tuple[int, str, float, int, int, str]  # which text, entity, score, start, end, recogniser


def audit(
    folder: Path,
    *,
    looked: Looked = Looked(),
    opaque: Collection[str] = (),
    workers: int = 1,
    report: Callable[[Audit, str], None] = lambda _audit, _file: None,
) -> Audit:
    """Look through every file of a folder, or one file; hidden ones and those that begin with `_` are left out.

    `opaque` are paths, as they are told in places, that are left out too. `report` is called now and then with what is
    known so far and the file. Raises ConfigurationError for a folder without files, for a file that cannot be read, and
    where Presidio is not installed.
    """
    _require()
    made = Audit()
    hidden = frozenset(opaque)
    files = list(_files(folder, made))
    if not files:
        raise ConfigurationError(f"{folder} holds no file of a known format: {', '.join(_SUFFIXES)}")
    made.files = dict.fromkeys((name for name, _ in files), 0)
    with Pool(workers, _Analyser, looked) as pool:
        for texts, found in pool.results(_blocks(files, hidden, made)):
            made.texts += len(texts)
            for number, entity, score, start, end, recogniser in found:
                name, row, path, _ = texts[number]
                made.entities[entity] += 1
                made.files[name] += 1
                if len(made.places) < _PLACES:
                    made.places.append(Left(name, row, path, entity, score, start, end, recogniser))
            report(made, texts[-1][0])
    return made


class _Analyser:
    """Presidio at work, in one process."""

    def __init__(self, looked: Looked) -> None:
        self._looked = looked
        self._analyzer = _analyzer()
        self._nothing: set[str] = set()
        self._links = not looked.entities.isdisjoint({"URL"}) or "URL" not in looked.ignored

    def __call__(self, texts: Sequence[_Text]) -> list[_Found]:
        return [(number, *one) for number, (_, _, _, text) in enumerate(texts) for one in self._left(text)]

    def _left(self, text: str) -> list[tuple[str, float, int, int, str]]:
        if text in self._nothing:
            return []
        found = sorted(set(self._analysed(text)), key=lambda one: (one[2], one[3], one[0]))
        if not found and len(self._nothing) < _REMEMBERED:
            self._nothing.add(text)
        return found

    def _analysed(self, text: str) -> Iterator[tuple[str, float, int, int, str]]:
        plain = _PLACEHOLDER.sub(lambda one: "|" * len(one[0]), text)
        if not self._links and _WORTH.search(plain) is None:
            return
        for begin in range(0, max(len(plain), 1), _LONGEST - _OVERLAP):
            for one in self._analyzer.analyze(plain[begin : begin + _LONGEST], language="en"):
                wanted = one.entity_type in self._looked.entities or not self._looked.entities
                if wanted and one.score >= self._looked.least and one.entity_type not in self._looked.ignored:
                    recogniser = str((one.recognition_metadata or {}).get("recognizer_name", ""))
                    yield one.entity_type, round(one.score, 2), begin + one.start, begin + one.end, recogniser


def _require() -> None:
    try:
        import presidio_analyzer  # noqa: F401
    except ImportError:
        raise ConfigurationError(
            "the audit looks with Presidio, which is not installed: pip install 'masking-pipeline[presidio]'"
        ) from None


def _analyzer() -> Any:
    from presidio_analyzer import AnalyzerEngine, Pattern, PatternRecognizer, RecognizerRegistry
    from presidio_analyzer.nlp_engine import NoOpNlpEngine
    from presidio_analyzer.predefined_recognizers import PhoneRecognizer

    registry = RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en"])
    for name in ("SpacyRecognizer", "PhoneRecognizer"):
        registry.remove_recognizer(name)
    registry.add_recognizer(PhoneRecognizer(supported_regions=_REGIONS))
    identity = Pattern("Chinese identity number", _CHINESE_ID, 0.6)
    registry.add_recognizer(PatternRecognizer("CN_RESIDENT_ID", name="ChineseIdPattern", patterns=[identity]))
    nothing = NoOpNlpEngine(models=[{"lang_code": "en", "model_name": "none"}])
    return AnalyzerEngine(registry=registry, nlp_engine=nothing, supported_languages=["en"])


def _files(folder: Path, made: Audit) -> Iterator[tuple[str, Path]]:
    if not folder.exists():
        raise ConfigurationError(f"there is no folder {folder}")
    if folder.is_file():
        yield folder.name, folder
        return
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder)
        if not path.is_file() or any(part.startswith(("_", ".")) for part in inner.parts):
            continue
        if _kind(path) in _SUFFIXES:
            yield inner.as_posix(), path
        else:
            made.unread.append(inner.as_posix())


def _kind(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    while suffixes and suffixes[-1] in (".gz", ".gzip", ".zst", ".zstd"):
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def _blocks(files: Sequence[tuple[str, Path]], hidden: frozenset[str], made: Audit) -> Iterator[list[_Text]]:
    block: list[_Text] = []
    for name, path in files:
        try:
            for row, (at, text) in _texts(path, made):
                if at not in hidden:
                    block.append((name, row, at, text))
                if len(block) >= _TOGETHER:
                    yield block
                    block = []
        except (OSError, ValueError, EOFError, csv.Error) as error:
            raise ConfigurationError(f"{path} cannot be read as {_kind(path)}: {type(error).__name__}") from None
    if block:
        yield block


def _texts(path: Path, made: Audit) -> Iterator[tuple[int, tuple[str, str]]]:
    """(row, (path, text)) of everything in a file that may hold text, numbers included."""
    for number, row in enumerate(_rows(path), 1):
        made.rows += 1
        for at, text in _leaves(row, ""):
            yield number, (at, text)


def _rows(path: Path) -> Iterator[Any]:
    kind = _kind(path)
    if kind in (".parquet", ".pq"):
        yield from _parquet(path)
        return
    with _opened(path) as file:
        if kind in (".jsonl", ".ndjson"):
            yield from (json.loads(line) for line in file if line.strip())
        elif kind == ".json":
            whole = json.load(file)
            yield from whole if isinstance(whole, list) else [whole]
        elif kind in (".csv", ".tsv", ".tab"):
            csv.field_size_limit(sys.maxsize)
            records = csv.reader(file, delimiter="," if kind == ".csv" else "\t")
            header = next(records, [])
            yield header  # a row like any other: it may hold a value too, where it is none
            for record in records:
                yield {(header[at] if at < len(header) else f"column {at + 1}"): one for at, one in enumerate(record)}
        else:
            yield from file


def _parquet(path: Path) -> Iterator[Any]:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(1024):
            yield from batch.to_pylist()


def _opened(path: Path) -> IO[str]:
    newline = "" if _kind(path) in (".csv", ".tsv", ".tab") else None
    match path.suffix.lower():
        case ".gz" | ".gzip":
            return gzip.open(path, "rt", encoding="utf-8-sig", newline=newline)
        case ".zst" | ".zstd":
            import zstandard

            stream = zstandard.ZstdDecompressor().stream_reader(path.open("rb"), read_across_frames=True, closefd=True)
            return io.TextIOWrapper(stream, encoding="utf-8-sig", newline=newline)
        case _:
            return path.open(encoding="utf-8-sig", newline=newline)


def _leaves(node: Any, at: str) -> Iterator[tuple[str, str]]:
    """(path, text) of every string, number and key of plain data, JSON inside of strings included."""
    match node:
        case str():
            if node[:1] in ("{", "[") and (inner := _json(node)) is not None:
                yield from _leaves(inner, at)
            elif node:
                yield at, node
        case bool() | None:
            return
        case int() | float():
            yield at, str(node)
        case bytes():
            yield at, node.decode("utf-8", "replace")
        case dict():
            for name, value in node.items():
                yield at, str(name)
                yield from _leaves(value, f"{at}.{_told(str(name))}" if at else _told(str(name)))
        case list() | tuple():
            for value in node:
                yield from _leaves(value, f"{at}[*]")
        case _:
            yield at, str(node)


def _told(name: str) -> str:
    """A key as a path tells it: one that may hold a value itself is a star."""
    return name if len(name) <= 64 and _WORTH_HIDING.search(name) is None else "*"


def _json(text: str) -> Any:
    try:
        made = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return made if isinstance(made, dict | list) else None
