"""How a file is read: its cutter, and the layout of its rows, found from the first of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from masking.batch.cut import UTF_16, Block, DamagedError, Prefix, lines
from masking.batch.elements import elements
from masking.batch.records import Records
from masking.batch.row import read
from masking.batch.rows import Layout, split
from masking.batch.shape import recognised, shape_of
from masking.batch.source import Source
from masking.core.errors import UnmaskableError

__all__ = ["Cut", "cutter", "layout_of"]

Cut = Callable[[Iterator[bytes], int, int, Prefix], Iterator[Block]]

_LOOK = 50  # rows


def cutter(source: Source, known: Layout | None, *, header: bool) -> tuple[Cut, Records | None]:
    """What cuts the file into blocks; `known` is its layout where an earlier run has found it."""
    if source.format == "json":
        return elements, None
    if source.format not in ("csv", "tsv"):
        return lines, None
    delimiter = known.delimiter if known else "\t" if source.format == "tsv" else ""
    records = Records(delimiter=delimiter, header=header)
    return records.blocks, records


def layout_of(
    source: Source, block: Block, shape: str, records: Records | None, is_clean: Callable[[str], bool]
) -> Layout:
    """The layout of a file whose first block this is; `shape` where the caller has named one.

    Raises DamagedError for UTF-16 and for column names that hold what the category masks.
    """
    if block.data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DamagedError(UTF_16)
    if records is not None:
        if not all(map(is_clean, records.columns)):
            raise DamagedError(
                "the first record holds what the category masks: if the file has no header, say so with --no-header"
            )
        return Layout(
            source.format, source.compression, shape or "any", delimiter=records.delimiter, columns=records.columns
        )
    if source.format == "text":
        return Layout("text", source.compression)
    if shape:
        return Layout(source.format, source.compression, shape_of(shape).name)
    layout = Layout(source.format, source.compression)
    pieces, places = split(block, layout)
    rows = []
    for place in islice(places, _LOOK):
        try:
            rows.append(read(pieces[place.piece].strip()))
        except UnmaskableError:
            continue
    return Layout(source.format, source.compression, recognised(rows).name)
