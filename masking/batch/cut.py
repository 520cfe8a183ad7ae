"""Files as blocks of whole rows, read once from front to back in bounded memory.

What a block is does not depend on who masks it: it ends with the first row that makes it `size` bytes long. A row that
is longer than the limit is passed over without being held, and told of.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

from masking.batch.source import Compression
from masking.core.errors import ConfigurationError, MaskingError

__all__ = ["Block", "DamagedError", "Reader", "lines"]

_CHUNK = 1 << 18  # bytes
_BOM = b"\xef\xbb\xbf"


class DamagedError(MaskingError):
    """The file cannot be read on from here; what was read before is whole."""


@dataclass(frozen=True, slots=True)
class Block:
    """Whole rows of one file: their bytes, where they begin in the (decompressed) file, the file's digest up to their
    end.

    `spans` are the rows' places in `data` where newlines do not tell them. `skipped` is the length in bytes of a single
    row that was too long to be held; `data` is empty then.
    """

    data: bytes
    start: int
    end: int
    digest: str
    spans: tuple[tuple[int, int], ...] = ()
    skipped: int = 0


class _Inflating(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /) -> bytes: ...


@dataclass(slots=True)
class Reader:
    """The decompressed bytes of a file, in pieces; `raw` and `plain` are SHA-256 of the file and of what it holds.

    Raises DamagedError where the compressed stream is cut off or broken.
    """

    file: BinaryIO
    compression: Compression
    raw: hashlib._Hash = field(default_factory=hashlib.sha256)
    size: int = 0

    def pieces(self) -> Iterator[bytes]:
        if not self.compression:
            yield from self._raw()
            return
        stream: _Inflating | None = None
        for piece in self._raw():
            while piece:
                if stream is None or stream.eof:
                    stream = _inflating(self.compression)
                try:
                    out = stream.decompress(piece)
                except Exception as error:  # noqa: BLE001 - zlib.error, ZstdError
                    raise DamagedError(f"the {self.compression} stream is broken: {type(error).__name__}") from None
                piece = stream.unused_data if stream.eof else b""
                if self.compression == "gzip" and stream.eof and not piece.strip(b"\0"):
                    piece = b""  # RFC 1952 says nothing of padding, tapes and some tools write it
                for at in range(0, len(out), _CHUNK):
                    yield out[at : at + _CHUNK]
        if stream is not None and not stream.eof:
            raise DamagedError(f"the {self.compression} stream is cut off: the file is not whole")

    def _raw(self) -> Iterator[bytes]:
        while piece := self.file.read(_CHUNK):
            self.raw.update(piece)
            self.size += len(piece)
            yield piece


def _inflating(compression: Compression) -> _Inflating:
    if compression == "gzip":
        return zlib.decompressobj(31)
    try:
        import zstandard
    except ImportError:
        raise ConfigurationError("zstd needs the package zstandard: pip install 'masking-pipeline[batch]'") from None
    made: _Inflating = zstandard.ZstdDecompressor().decompressobj()
    return made


def lines(pieces: Iterator[bytes], size: int, limit: int, start: int = 0, expected: str = "") -> Iterator[Block]:
    """Blocks of whole lines, from byte `start` on, where `expected` is the digest of what stands before it.

    Raises ConfigurationError when what stands before is another, DamagedError as `pieces` does, after the lines that
    were whole.
    """
    digest = hashlib.sha256()
    at = 0  # of the first byte held
    held: list[bytes] = []
    length = 0
    passing = 0  # bytes of a line that is too long
    ends_whole = False
    damage: DamagedError | None = None
    source = iter(pieces)
    while True:
        try:
            piece = next(source, b"")
        except DamagedError as error:
            damage, piece = error, b""
        if at < start and piece:
            skip = min(start - at, len(piece))
            digest.update(piece[:skip])
            at += skip
            piece = piece[skip:]
            if at == start and digest.hexdigest() != expected:
                raise ConfigurationError("the file has changed since the run began; give a new output folder")
            if not piece:
                continue
        if not piece:
            break
        while piece:
            if passing:
                end = piece.find(b"\n") + 1
                part, piece = (piece[:end], piece[end:]) if end else (piece, b"")
                digest.update(part)
                passing += len(part)
                if end:
                    yield Block(b"", at, at + passing, digest.copy().hexdigest(), skipped=passing)
                    at += passing
                    passing = 0
                continue
            held.append(piece)
            length += len(piece)
            has_end = b"\n" in piece
            ends_whole = ends_whole or has_end
            piece = b""
            if length >= size and ends_whole:
                data = b"".join(held)
                cut = data.rfind(b"\n") + 1
                digest.update(data[:cut])
                yield Block(data[:cut], at, at + cut, digest.copy().hexdigest())
                at += cut
                held, length, ends_whole = [data[cut:]], len(data) - cut, False
            if length > limit and not ends_whole:
                data = b"".join(held)
                digest.update(data)
                passing = len(data)
                held, length = [], 0
    if at < start:
        raise ConfigurationError("the file is shorter than it was when the run began; give a new output folder")
    if passing:
        yield Block(b"", at, at + passing, digest.copy().hexdigest(), skipped=passing)
    data = b"".join(held)
    if damage is not None:
        data = data[: data.rfind(b"\n") + 1]
    if data:
        digest.update(data)
        yield Block(data, at, at + len(data), digest.copy().hexdigest())
    if damage is not None:
        raise damage
