"""What a run would find, seen in the first rows of each file: by path, in numbers, without a value."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from masking.batch.cut import DamagedError, Prefix, Reader
from masking.batch.job import Job
from masking.batch.layout import cutter, layout_of
from masking.batch.row import read
from masking.batch.rows import Layout, split
from masking.batch.shape import shape_of
from masking.batch.source import Source, sources
from masking.core.errors import MaskingError
from masking.core.path import Path, parse, spell
from masking.masker import Masker

__all__ = ["Place", "Sample", "sample"]

_BLOCK = 1 << 16  # bytes


@dataclass(slots=True)
class Place:
    """One path of a file: how many texts stand there, what is found in them, and whether they are masked."""

    masked: bool
    texts: int = 0
    findings: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Sample:
    """The first rows of a file; `bad` of them cannot be read, `damage` says why the file cannot."""

    name: str
    format: str
    shape: str = ""
    rows: int = 0
    bad: int = 0
    damage: str = ""
    places: dict[str, Place] = field(default_factory=dict)


def sample(job: Job, rows: int) -> Iterator[Sample]:
    """The first `rows` rows of every input, scanned. Nothing is written. Raises as `run` does before it begins."""
    found, _ = sources(job.inputs, job.output, job.format)
    masker = job.settings.masker()
    only = tuple(map(parse, job.settings.text))
    for source in found:
        seen = Sample(source.name, source.format)
        try:
            layout, docs = _first(job, source, masker)
            seen.shape = layout.shape
            hidden = tuple(map(parse, job.settings.opaque))
            hidden = hidden if only else (*shape_of(layout.shape).opaque, *hidden)
            for doc in islice(docs, rows):
                seen.rows += 1
                if isinstance(doc, MaskingError):
                    seen.bad += 1
                else:
                    _look(doc, (), seen, masker, hidden, only)
        except DamagedError as error:
            seen.damage = str(error)
        yield seen


def _first(job: Job, source: Source, masker: Masker) -> tuple[Layout, Iterator[Any]]:
    if source.format == "parquet":
        from masking.batch import parquet

        return parquet.layout_of(source.path, job.shape), parquet.first_rows(source.path)
    with source.path.open("rb") as file:
        cut, records = cutter(source, None, header=job.header)
        blocks = cut(Reader(file, source.compression).pieces(), _BLOCK, job.longest, Prefix())
        block = next(blocks, None)
        if block is None:
            return Layout(source.format, source.compression), iter(())
        layout = layout_of(source, block, job.shape, records, lambda name: not masker.scan(name))
        pieces, places = split(block, layout)
    return layout, (_document(pieces[place.piece], layout) for place in places)


def _document(raw: bytes, layout: Layout) -> Any:
    """A row as plain data, or what is wrong with it."""
    try:
        if layout.format in ("jsonl", "json"):
            return read(raw.strip())
        text = raw.decode("utf-8", "replace").rstrip("\r\n")
        if layout.format == "text":
            return text
        fields = next(csv.reader([text], delimiter=layout.delimiter), [])
        return dict(zip(layout.columns or map(str, range(1, len(fields) + 1)), fields, strict=False))
    except MaskingError as error:
        return error


def _look(
    node: Any, path: Path, seen: Sample, masker: Masker, hidden: tuple[Path, ...], only: tuple[Path, ...]
) -> None:
    if isinstance(node, dict):
        for name, value in node.items():
            _look(value, (*path, str(name)), seen, masker, hidden, only)
    elif isinstance(node, list):
        for value in node:
            _look(value, (*path, None), seen, masker, hidden, only)
    elif isinstance(node, str | int | float) and not isinstance(node, bool):
        masked = not any(path[: len(one)] == one for one in hidden)
        if only:
            masked = masked and any(path[: len(one)] == one for one in only)
        place = seen.places.setdefault(spell(path) or "(row)", Place(masked))
        place.texts += 1
        for finding in masker.scan(str(node)):
            place.findings[finding.entity] += 1
