"""How a file is read, found from its first rows."""

from __future__ import annotations

from masking.batch.cut import Block
from masking.batch.rows import Layout, Settings, read
from masking.batch.shape import recognised, shape_of
from masking.batch.source import Source
from masking.core.errors import UnmaskableError

__all__ = ["layout_of"]

_LOOK = 50  # rows


def layout_of(source: Source, block: Block, shape: str, settings: Settings) -> Layout:
    """The layout of a file whose first block this is; `shape` where the caller has named one."""
    if source.format == "text":
        return Layout("text", source.compression)
    if shape:
        return Layout(source.format, source.compression, shape_of(shape).name)
    rows = []
    for line in block.data.removeprefix(b"\xef\xbb\xbf").split(b"\n", _LOOK)[:_LOOK]:
        if line.strip():
            try:
                rows.append(read(line.strip()))
            except UnmaskableError:
                continue
    return Layout(source.format, source.compression, recognised(rows).name)
