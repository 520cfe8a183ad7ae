"""JSON documents as blocks of rows: the elements of one array, or values one after another.

Only brackets, commas and quotes are looked at, whatever stands between them is read when the row is; what stands
between rows must be a comma and white space.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from masking.batch.cut import Block, DamagedError, Prefix

__all__ = ["elements"]

_MARK = re.compile(rb'[\[\]{},"]')
_BLANK = b" \t\r\n"
_BOM = b"\xef\xbb\xbf"


class _Scan:
    """Finds where rows begin and end, in bytes that arrive in pieces."""

    def __init__(self) -> None:
        self.array: bool | None = None  # an array's elements, or values one after another; None: nothing seen yet
        self.closed = False
        self.begun = -1  # where the row that is open begins
        self.at = 0
        self.depth = 0
        self.in_string = False
        self.needs_comma = False
        self.any = False

    def shift(self, count: int) -> None:
        """The first `count` bytes are gone."""
        self.at -= count
        if self.begun >= 0:
            self.begun -= count

    def rows(self, data: bytearray) -> Iterator[tuple[int, int]]:
        """The rows that end in what has arrived. Raises DamagedError for what is no JSON."""
        while self.at < len(data):
            if self.in_string:
                if not self._string(data):
                    return
                continue
            if self.begun < 0:
                if not self._between(data):
                    return
                continue
            mark = _MARK.search(data, self.at)
            if mark is None:
                self.at = len(data)
                return
            self.at = mark.end()
            match mark[0]:
                case b'"':
                    self.in_string = True
                case b"[" | b"{":
                    self.depth += 1
                case b",":
                    if self.depth == 0:  # a number or a word of an array ends here
                        self.at = mark.start()
                        yield self._row(data, mark.start())
                case _:
                    if self.depth == 0:
                        self.at = mark.start()
                        yield self._row(data, mark.start())
                        continue
                    self.depth -= 1
                    if self.depth == 0:
                        yield self._row(data, mark.end())
                        continue

    def _row(self, data: bytearray, end: int) -> tuple[int, int]:
        start, self.begun = self.begun, -1
        self.needs_comma = self.any = True
        while end > start and data[end - 1] in _BLANK:
            end -= 1
        return start, end

    def _string(self, data: bytearray) -> bool:
        """Go to the end of a string; whether it has arrived."""
        while True:
            end = data.find(b'"', self.at)
            if end < 0:
                self.at = len(data)
                return False
            slashes = end
            while slashes > 0 and data[slashes - 1] == 0x5C:
                slashes -= 1
            self.at = end + 1
            if (end - slashes) % 2 == 0:
                self.in_string = False
                return True

    def _between(self, data: bytearray) -> bool:
        """Go to the first byte of the next row; whether it has arrived."""
        while self.at < len(data) and data[self.at] in _BLANK:
            self.at += 1
        if self.at == len(data):
            return False
        byte = bytes(data[self.at : self.at + 1])
        if self.closed:
            raise DamagedError("not JSON: something stands behind the array")
        if self.array is None:
            self.array = byte == b"["
            if self.array:
                self.at += 1
                return True
        if self.array and byte == b"]" and (self.needs_comma or not self.any):
            self.closed = True
            self.at += 1
            return True
        if self.array and self.needs_comma:
            if byte != b",":
                raise DamagedError("not JSON: a comma is missing between two elements")
            self.needs_comma = False
            self.at += 1
            return True
        if byte in (b",", b"]", b"}"):
            raise DamagedError("not JSON: an element is missing, or a bracket too many")
        if not self.array and byte not in (b"{", b"["):
            raise DamagedError("not JSON: a file is an array, an object, or objects one after another")
        self.begun = self.at
        return True


def elements(pieces: Iterator[bytes], size: int, limit: int, before: Prefix) -> Iterator[Block]:
    """Blocks of whole elements; what an earlier run has done is scanned again and not given again.

    Raises DamagedError where the file is no JSON, after the elements before; ConfigurationError as `lines` does.
    """
    scan = _Scan()
    data = bytearray()
    base = 0  # where data begins in the file
    spans: list[tuple[int, int]] = []
    damage: DamagedError | None = None
    source = iter(pieces)
    while damage is None:
        try:
            piece = next(source, b"")
            if not piece:
                break
            if base == 0 and not data and piece.startswith(_BOM):
                scan.at = len(_BOM)
            data += piece
            for start, end in scan.rows(data):
                spans.append((start, end))
                if end >= size or base + end == before.end:
                    yield from before.new(bytes(data[:end]), base, tuple(spans))
                    del data[:end]
                    scan.shift(end)
                    base += end
                    spans = []
        except DamagedError as error:
            damage = error
        if scan.begun >= 0 and len(data) - scan.begun > limit:
            damage = DamagedError(
                f"an element is longer than {limit:,} bytes: raise --max-row, or write the file as JSONL"
            )
    if damage is None and (scan.begun >= 0 or (scan.array and not scan.closed)):
        damage = DamagedError("not JSON: the file ends in the middle")
    if damage is not None:
        del data[spans[-1][1] if spans else 0 :]
    if data:
        yield from before.new(bytes(data), base, tuple(spans))
    before.finish()
    if damage is not None:
        raise damage
