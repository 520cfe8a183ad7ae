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

__all__ = ["UTF_16", "Block", "DamagedError", "Prefix", "Reader", "lines"]

_CHUNK = 1 << 18  # bytes
UTF_16 = "this is UTF-16; convert it to UTF-8 first, for instance with iconv"


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
    spans: tuple[tuple[int, int], ...] | None = None
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


class Prefix:
    """What an earlier run has done of a file: up to byte `end`, where the digest was `expected`; nothing, by default.

    Every block goes through `new`, which gives those that are not done yet, each with the digest up to its end.
    """

    def __init__(self, end: int = 0, expected: str = "") -> None:
        self.end = end
        self._expected = expected
        self._digest = hashlib.sha256()
        self._seen = 0

    def new(
        self, data: bytes, start: int, spans: tuple[tuple[int, int], ...] | None = None, *, skipped: int = 0
    ) -> Iterator[Block]:
        """Raises ConfigurationError when the file is not the one that the earlier run has read."""
        self._digest.update(data)
        end = self._seen = start + (skipped or len(data))
        digest = self._digest.hexdigest()
        if end > self.end:
            yield Block(b"" if skipped else data, start, end, digest, spans, skipped)
        elif end == self.end and digest != self._expected:
            raise ConfigurationError("the file has changed since the run began; choose a new output folder")

    def pass_over(self, data: bytes) -> None:
        """Bytes of a row that is too long to be held."""
        self._digest.update(data)

    def finish(self) -> None:
        """Raises ConfigurationError when the file has ended before what the earlier run has read of it."""
        if self._seen < self.end:
            raise ConfigurationError("the file is shorter than when the run began; choose a new output folder")


def lines(pieces: Iterator[bytes], size: int, limit: int, before: Prefix) -> Iterator[Block]:
    """Blocks of whole lines. A line longer than `limit` bytes is a block of its own, `skipped`.

    Raises DamagedError as `pieces` does, after the lines that were whole; ConfigurationError when what an earlier run
    has read is another file now.
    """
    at = 0  # of the first byte held
    held = bytearray()
    passing = 0  # bytes of a line that is too long
    damage: DamagedError | None = None
    source = iter(pieces)
    while damage is None:
        try:
            piece = next(source, b"")
        except DamagedError as error:
            damage, piece = error, b""
        if not piece:
            break
        if passing:
            end = piece.find(b"\n") + 1
            part, piece = (piece[:end], piece[end:]) if end else (piece, b"")
            before.pass_over(part)
            passing += len(part)
            if not end:
                continue
            yield from before.new(b"", at, skipped=passing)
            at, passing = at + passing, 0
        held += piece
        if at < before.end <= at + len(held):  # the blocks of the earlier run may have had another size
            cut = before.end - at
            yield from before.new(bytes(held[:cut]), at)
            del held[:cut]
            at += cut
        if len(held) >= size and (cut := held.rfind(b"\n") + 1):
            yield from before.new(bytes(held[:cut]), at)
            del held[:cut]
            at += cut
        if len(held) > limit:
            before.pass_over(bytes(held))
            passing = len(held)
            held.clear()
    if passing:
        yield from before.new(b"", at, skipped=passing)
    if damage is not None:
        del held[held.rfind(b"\n") + 1 :]
    if held:
        yield from before.new(bytes(held), at)
    before.finish()
    if damage is not None:
        raise damage
