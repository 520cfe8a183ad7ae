"""Parquet, one row group at a time: schema, nested columns, dictionaries, order, metadata and row groups stay.

A row group is masked into a file of its own, in Arrow's streaming format, because a Parquet file cannot be continued
after a kill; when all are there they are written to one Parquet file. Encodings and compression are those of the input;
statistics are of what is masked, for the old ones would tell values; Bloom filters are left out for the same reason.

Format: https://parquet.apache.org/docs/file-format/
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from masking.batch.arrow import mask_batch
from masking.batch.cut import DamagedError
from masking.batch.rows import Layout, Outcome, Rows
from masking.batch.shape import recognised, shape_of
from masking.core.errors import MaskingError, UnmaskableError

__all__ = ["Group", "assembled", "first_rows", "groups", "holds_json", "layout_of", "mask_group"]

_TOGETHER = 512  # rows
_BUFFER = 1 << 20  # bytes of a column that are read at a time
_LOOK = 50  # rows
_OPENERS = ("{", "[")


@dataclass(frozen=True, slots=True)
class Group:
    """One row group: the file, its number and bytes, and where the masked one is put."""

    path: Path
    number: int
    size: int
    part: Path


def _opened(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path, buffer_size=_BUFFER)
    except (pa.ArrowException, OSError) as error:
        raise DamagedError(f"not a Parquet file that can be read ({type(error).__name__})") from None


def groups(path: Path, parts: Path) -> list[Group]:
    """The row groups of a file. Raises DamagedError."""
    with closing(_opened(path)) as file:
        meta = file.metadata
        return [
            Group(
                path,
                number,
                sum(meta.row_group(number).column(at).total_compressed_size for at in range(meta.num_columns)),
                parts / f"{number}.arrow",
            )
            for number in range(meta.num_row_groups)
        ]


def layout_of(path: Path, shape: str) -> Layout:
    """The layout of a file; `columns` are the columns of strings that hold JSON of their own. Raises DamagedError."""
    rows: list[dict[str, Any]] = []
    with closing(_opened(path)) as file:
        for batch in islice(file.iter_batches(batch_size=_LOOK), 1):
            rows = batch.to_pylist()
        names = file.schema_arrow.names
    embedded = tuple(name for name in names if holds_json([row[name] for row in rows if name in row]))
    return Layout("parquet", "", shape_of(shape).name if shape else recognised(rows).name, columns=embedded)


def holds_json(values: list[Any]) -> bool:
    """Whether a column of strings holds JSON of its own, by the first of its values."""
    texts = [value for value in values if isinstance(value, str) and value.strip()]
    return bool(texts) and all(text.lstrip().startswith(_OPENERS) for text in texts)


def mask_group(rows: Rows, group: Group, layout: Layout) -> Outcome:
    """One row group masked into its part; the part is on disk, whole, when this returns.

    Rows that cannot be masked are left out and told of. Raises MaskingError for a column that cannot be, OSError.
    """
    outcome = Outcome()
    part = group.part.with_suffix(".tmp")
    part.parent.mkdir(parents=True, exist_ok=True)
    with closing(_opened(group.path)) as file, part.open("wb") as out:
        with pa.ipc.new_stream(out, file.schema_arrow) as stream:
            try:
                for batch in file.iter_batches(batch_size=_TOGETHER, row_groups=[group.number]):
                    stream.write_batch(_masked(rows, batch, layout, outcome))
            except pa.ArrowException as error:
                raise DamagedError(f"row group {group.number} cannot be read ({type(error).__name__})") from None
        out.flush()
        os.fsync(out.fileno())
    part.replace(group.part)
    return outcome


def _masked(rows: Rows, batch: pa.RecordBatch, layout: Layout, outcome: Outcome) -> pa.RecordBatch:
    try:
        return mask_batch(rows, batch, layout, outcome)
    except UnmaskableError as error:
        raise MaskingError(f"{error}: call the column --opaque, or turn it into text first") from None


def assembled(path: Path, parts: list[Path], target: Path) -> None:
    """Write the masked row groups as one Parquet file, on disk when this returns. Raises OSError."""
    with closing(_opened(path)) as file:
        meta, schema = file.metadata, file.schema_arrow
        options = _options(meta)
    with target.open("wb") as out:
        with pq.ParquetWriter(out, schema, **options) as writer:
            for table in _tables(parts):
                if table.num_rows:
                    writer.write_table(table, row_group_size=table.num_rows)
        out.flush()
        os.fsync(out.fileno())


def _tables(parts: list[Path]) -> Iterator[pa.Table]:
    for part in parts:
        with pa.memory_map(str(part)) as source, pa.ipc.open_stream(source) as stream:
            yield stream.read_all().unify_dictionaries()


def _options(meta: pq.FileMetaData) -> dict[str, Any]:
    """How the input was written, by column."""
    options: dict[str, Any] = {"version": "1.0" if meta.format_version == "1.0" else "2.6", "store_schema": True}
    if not meta.num_row_groups:
        return options
    first = meta.row_group(0)
    columns = [first.column(at) for at in range(first.num_columns)]
    options["compression"] = {one.path_in_schema: _codec(one.compression) for one in columns}
    options["use_dictionary"] = [
        one.path_in_schema for one in columns if {"RLE_DICTIONARY", "PLAIN_DICTIONARY"} & set(one.encodings)
    ] or False
    options["write_statistics"] = [one.path_in_schema for one in columns if one.is_stats_set] or False
    return options


def _codec(name: str) -> str:
    return "none" if name == "UNCOMPRESSED" else name.lower()


def first_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file as plain data, from its beginning. Raises DamagedError."""
    with closing(_opened(path)) as file:
        for batch in file.iter_batches(batch_size=_LOOK):
            yield from batch.to_pylist()
