"""CSV and TSV as blocks of whole records, by the same reader that reads them later."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from masking.batch.cut import UTF_16, Block, DamagedError, Prefix

__all__ = ["Records"]

_BOM = b"\xef\xbb\xbf"
_DELIMITERS = ",;\t|"


class Records:
    """Blocks of records. `delimiter` and `columns` are found in the first record, unless they are given.

    RFC 4180 says comma; what stands most often in the first line is taken instead, out of `,;|` and the tabulator.
    """

    def __init__(self, *, delimiter: str = "", header: bool = True) -> None:
        self.delimiter = delimiter
        self.columns: tuple[str, ...] = ()
        self._header = header

    def blocks(self, pieces: Iterator[bytes], size: int, limit: int, before: Prefix) -> Iterator[Block]:
        """Raises DamagedError for a record that is longer than `limit` bytes, a stream that is cut off, and a header
        that is not UTF-8; ConfigurationError as `lines` does."""
        csv.field_size_limit(max(limit, csv.field_size_limit()))
        taken = _Taken(pieces, limit)
        self._begin(taken)
        data = bytearray()
        base = 0
        spans: list[tuple[int, int]] = []
        damage: DamagedError | None = None
        reader = csv.reader(taken, delimiter=self.delimiter)
        first = self._header
        while True:
            try:
                record = next(reader, None)
            except DamagedError as error:
                damage = error
                break
            except csv.Error as error:
                damage = DamagedError(f"not CSV: {error}")
                break
            if record is None:
                break
            start = len(data)
            data += taken.take()
            if first:
                first = False
                self._name(record)
            elif record:
                spans.append((start, len(data)))
            if len(data) >= size or base + len(data) == before.end:
                yield from before.new(bytes(data), base, tuple(spans))
                base += len(data)
                data.clear()
                spans = []
        if data:
            yield from before.new(bytes(data), base, tuple(spans))
        before.finish()
        if damage is not None:
            raise damage

    def _begin(self, taken: _Taken) -> None:
        line = taken.peek()
        if line.startswith(("\xff\xfe", "\xfe\xff")):
            raise DamagedError(UTF_16)
        if not self.delimiter:
            self.delimiter = max(_DELIMITERS, key=line.count) if any(map(line.count, _DELIMITERS)) else ","

    def _name(self, record: list[str]) -> None:
        try:
            names = [name.encode("latin-1").decode() for name in record]
        except UnicodeDecodeError:
            raise DamagedError("the header is not UTF-8") from None
        self.columns = (names[0].removeprefix("\ufeff"), *names[1:]) if names else ()


class _Taken:
    """Lines as characters of one byte each, which csv can read whatever they are, and what was read since `take`."""

    def __init__(self, pieces: Iterator[bytes], limit: int) -> None:
        self._pieces = pieces
        self._limit = limit
        self._ahead: list[bytes] = []
        self._rest = b""
        self._taken = bytearray()

    def __iter__(self) -> _Taken:
        return self

    def __next__(self) -> str:
        line = self._next()
        if not line:
            raise StopIteration
        self._taken += line
        if len(self._taken) > self._limit:
            raise DamagedError(f"a record is longer than {self._limit:,} bytes: a quote may not be closed")
        return line.decode("latin-1")

    def take(self) -> bytes:
        taken = bytes(self._taken)
        self._taken.clear()
        return taken

    def peek(self) -> str:
        """The first line, without taking it."""
        line = self._next()
        if line:
            self._ahead.append(line)
        return line.decode("latin-1")

    def _next(self) -> bytes:
        while not self._ahead:
            piece = next(self._pieces, b"")
            if not piece:
                line, self._rest = self._rest, b""
                return line
            lines = _lines(self._rest + piece)
            self._rest = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
            if len(self._rest) > self._limit:
                raise DamagedError(f"a line is longer than {self._limit:,} bytes")
            self._ahead = lines[::-1]
        return self._ahead.pop()


def _lines(data: bytes) -> list[bytes]:
    """Lines that end in a newline; a carriage return alone ends none."""
    parts = data.split(b"\n")
    lines = [part + b"\n" for part in parts[:-1]]
    return [*lines, parts[-1]] if parts[-1] else lines
