"""Compressing block by block: each is a member (gzip, RFC 1952 §2.2) or a frame (zstd, RFC 8878 §3.1) of its own."""

from __future__ import annotations

import gzip

from masking.core.errors import ConfigurationError

__all__ = ["compressed"]


def compressed(data: bytes, compression: str) -> bytes:
    """The bytes as one whole compressed piece; such pieces may be joined. Empty stays empty."""
    if not data or not compression:
        return data
    if compression == "gzip":
        return gzip.compress(data, 6, mtime=0)
    try:
        import zstandard
    except ImportError:
        raise ConfigurationError("zstd needs the package zstandard: pip install 'masking-pipeline[batch]'") from None
    made: bytes = zstandard.ZstdCompressor(level=3).compress(data)
    return made
