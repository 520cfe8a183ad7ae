"""Bytes to events and back, without IO: server-sent events, newline-delimited JSON, and JSON arrays as they grow.

Every codec keeps each event's own bytes: joined they are the input, whatever the cuts. An event that is rewritten
keeps its other lines (`id:`, `event:`, comments), its spacing and its line ends. Sources:
https://html.spec.whatwg.org/multipage/server-sent-events.html §9.2.6, https://github.com/ndjson/ndjson-spec.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from masking.core.errors import UnmaskableError

__all__ = ["FRAMINGS", "Codec", "Frame", "JsonArray", "Ndjson", "Sse"]

_LIMIT = 16 * 1024 * 1024  # bytes of one event

_BOM = b"\xef\xbb\xbf"
# Atomic: the CR and LF of one CRLF are never two line ends.
_LINE_END = re.compile(rb"(?>\r\n|\n|\r)")
_BLANK_LINE = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_LINE = re.compile(rb"([^\r\n]*)((?>\r\n|\n|\r)|\Z)")
_IN_STRING = re.compile(rb'["\\]')
_STRUCTURE = re.compile(rb'["\[\]{}]')
_BLANKS = b" \t\r\n"  # RFC 8259 §2


@dataclass(slots=True)  # not frozen: that takes three times as long to make
class Frame:
    """One event: its own bytes, and the data in them (None: a comment, a blank line, a heartbeat)."""

    raw: bytes
    data: bytes | None

    def replaced(self, data: bytes) -> bytes:
        """The event's bytes with other data."""
        raise NotImplementedError

    def bounds(self) -> tuple[bytes, bytes] | None:
        """The bytes before and after the data, where these, and data of one line between them, are one event wherever
        one may begin."""
        return None


class Codec(Protocol):
    """Cuts a byte stream into frames."""

    def __init__(self, limit: int = _LIMIT) -> None: ...
    def feed(self, chunk: bytes) -> list[Frame]: ...
    def finish(self) -> list[Frame]: ...


class _SseFrame(Frame):
    __slots__ = ()

    def replaced(self, data: bytes) -> bytes:
        if self.raw.startswith(b"data: ") and _is_one_line(self.raw) and b"\n" not in data:
            return b"data: " + data + b"\n\n"
        out: list[bytes] = []
        written = False
        bom = _BOM if self.raw.startswith(_BOM) else b""
        for match in _LINE.finditer(self.raw, len(bom)):
            line, end = match[1], match[2]
            if not line.startswith(b"data") or line[4:5] not in (b":", b""):
                out.append(line + end)
            elif not written:
                written = True
                space = b" " if line[5:6] == b" " else b""
                # Data with line feeds (text, not JSON) is one `data` line each.
                out.append((end or b"\n").join(b"data:" + space + part for part in data.split(b"\n")) + end)
        return bom + b"".join(out)

    def bounds(self) -> tuple[bytes, bytes] | None:
        raw, data = self.raw, self.data
        if not data or b"\n" in data or b"\r" in raw or not raw.endswith(b"data: %b\n\n" % data):
            return None
        before = raw[: -len(data) - 2]
        return (before, b"\n\n") if before == b"data: " or before.endswith(b"\ndata: ") else None


class _NdjsonFrame(Frame):
    __slots__ = ()

    def replaced(self, data: bytes) -> bytes:
        body = self.raw.strip()
        start = self.raw.index(body)
        return self.raw[:start] + data + self.raw[start + len(body) :]

    def bounds(self) -> tuple[bytes, bytes] | None:
        return (b"", b"\n") if self.data and self.raw == self.data + b"\n" else None


def _is_one_line(raw: bytes) -> bool:
    return raw.endswith(b"\n\n") and raw.find(b"\n") == len(raw) - 2 and b"\r" not in raw


class Sse:
    """Server-sent events: LF, CRLF and CR, a byte order mark at the start, cuts anywhere."""

    __slots__ = ("_buffer", "_limit", "_searched", "_started")

    def __init__(self, limit: int = _LIMIT) -> None:
        """`limit` in bytes of one event; UnmaskableError beyond it."""
        self._buffer = bytearray()
        self._limit = limit
        self._searched = 0
        self._started = False

    def feed(self, chunk: bytes) -> list[Frame]:
        # What servers send almost always: one event in one chunk.
        if not self._buffer and chunk.endswith(b"\n\n") and b"\r" not in chunk:
            first = chunk.find(b"\n")
            if first == len(chunk) - 2 and chunk.startswith(b"data: "):
                self._started = True
                return [_SseFrame(chunk, chunk[6:-2])]
            if first > 0 and chunk.find(b"\n\n") == len(chunk) - 2:
                return [self._frame(chunk)]
        if b"\n\n" in chunk and (many := self._many(chunk)) is not None:
            return many
        self._buffer += chunk
        buffer = self._buffer
        frames: list[Frame] = []
        start = 0
        while start < len(buffer):
            blank = _LINE_END.match(buffer, start) or _BLANK_LINE.search(buffer, max(start, self._searched))
            # A CR at the very end may be half of a CRLF, which would belong to this event.
            if blank is None or (blank.end() == len(buffer) and buffer[-1] == 0x0D):
                break
            frames.append(self._frame(bytes(buffer[start : blank.end()])))
            start = blank.end()
            self._searched = start
        if start:
            del buffer[:start]
        # Remember how far the search went, so that a byte at a time stays linear; a blank line has at most 4 bytes.
        self._searched = max(0, len(buffer) - 3)
        if len(buffer) > self._limit:
            raise UnmaskableError(
                f"one event is longer than {self._limit} bytes; raise the limit", where="reply stream"
            )
        return frames

    def _many(self, chunk: bytes) -> list[Frame] | None:
        """Several events that came at once, where LF alone ends their lines; None where it is not so simple."""
        data = bytes(self._buffer) + chunk if self._buffer else chunk
        parts = data.split(b"\n\n")
        rest = parts.pop()
        if b"\r" in data or rest.startswith(b"\n") or len(rest) > self._limit:
            return None
        frames: list[Frame] = []
        if not all(part and not part.startswith(b"\n") for part in parts):  # blank lines are events of their own
            return None
        for part in parts:
            if part.startswith(b"data: ") and b"\n" not in part:
                self._started = True
                frames.append(_SseFrame(part + b"\n\n", part[6:]))
            else:
                frames.append(self._frame(part + b"\n\n"))
        self._buffer[:] = rest
        self._searched = max(0, len(rest) - 3)
        return frames

    def finish(self) -> list[Frame]:
        """What is left: an event that its server did not end with a blank line."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        self._searched = 0
        return [self._frame(rest)] if rest else []

    def _frame(self, raw: bytes) -> Frame:
        if raw.startswith(b"data: ") and _is_one_line(raw):
            self._started = True
            return _SseFrame(raw, raw[6:-2])
        start = 3 if not self._started and raw.startswith(_BOM) else 0
        self._started = True
        lines = raw[start:].split(b"\n") if b"\r" not in raw else [match[1] for match in _LINE.finditer(raw, start)]
        parts = [
            line[6:] if line[5:6] == b" " else line[5:]
            for line in lines
            if line.startswith(b"data") and line[4:5] in (b":", b"")
        ]
        return _SseFrame(raw, b"\n".join(parts) if parts else None)


class Ndjson:
    """One JSON document a line; blank lines are heartbeats."""

    __slots__ = ("_buffer", "_limit", "_searched")

    def __init__(self, limit: int = _LIMIT) -> None:
        """`limit` in bytes of one line; UnmaskableError beyond it."""
        self._buffer = bytearray()
        self._limit = limit
        self._searched = 0

    def feed(self, chunk: bytes) -> list[Frame]:
        if not self._buffer and 0 < chunk.find(b"\n") == len(chunk) - 1 <= self._limit:  # one line in one chunk
            return [self._frame(chunk)]
        self._buffer += chunk
        buffer = self._buffer
        frames: list[Frame] = []
        start = 0
        while (end := buffer.find(b"\n", max(start, self._searched))) >= 0:
            frames.append(self._frame(bytes(buffer[start : end + 1])))
            start = end + 1
        del buffer[:start]
        self._searched = len(buffer)
        if len(buffer) > self._limit:
            raise UnmaskableError(f"one line is longer than {self._limit} bytes; raise the limit", where="reply stream")
        return frames

    def finish(self) -> list[Frame]:
        """What is left: a last line without its end."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        self._searched = 0
        return [self._frame(rest)] if rest else []

    def _frame(self, raw: bytes) -> Frame:
        return _NdjsonFrame(raw, raw.strip() or None)


class _ArrayFrame(Frame):
    __slots__ = ()

    def replaced(self, data: bytes) -> bytes:
        assert self.data is not None
        return self.raw[: len(self.raw) - len(self.data)] + data


class JsonArray:
    """One JSON array whose items arrive one after the other, as Gemini streams without `alt=sse`.

    Objects, lists and strings of the array are events; anything that is no array is one event at its end.
    """

    __slots__ = ("_at", "_buffer", "_depth", "_in_string", "_item", "_limit", "_state")

    def __init__(self, limit: int = _LIMIT) -> None:
        """`limit` in bytes of one item; UnmaskableError beyond it."""
        self._buffer = bytearray()
        self._limit = limit
        self._at = 0  # how far the buffer has been read
        self._item = -1  # where the item begins that is being read
        self._depth = 0
        self._in_string = False
        self._state = "new"  # new, array, whole (no array), over

    def feed(self, chunk: bytes) -> list[Frame]:
        self._buffer += chunk
        frames: list[Frame] = []
        if self._state == "new":
            self._begin()
        start = 0
        while self._state == "array" and (end := self._item_end()) is not None:
            frames.append(_ArrayFrame(bytes(self._buffer[start:end]), bytes(self._buffer[self._item : end])))
            start, self._item = end, -1
        if self._state == "over" and start < len(self._buffer):
            frames.append(_ArrayFrame(bytes(self._buffer[start:]), None))
            start = len(self._buffer)
        del self._buffer[:start]
        self._at -= start
        self._item -= start if self._item >= 0 else 0
        # A document that is no array is not the item of a stream: pictures come in it.
        limit = self._limit if self._state != "whole" else 4 * self._limit
        if len(self._buffer) > limit:
            raise UnmaskableError(f"one item is longer than {limit} bytes; raise the limit", where="reply stream")
        return frames

    def finish(self) -> list[Frame]:
        """What is left: an item that was cut off, or a document that is no array."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        if self._state == "array":
            return [_ArrayFrame(rest, rest[self._item :] if self._item >= 0 else None)] if rest else []
        return [_NdjsonFrame(rest, rest.strip() or None)] if rest else []

    def _begin(self) -> None:
        body = self._buffer.removeprefix(_BOM).lstrip(_BLANKS)
        if body and not _BOM.startswith(body):  # half of a byte order mark
            self._state = "array" if body[0] == 0x5B else "whole"
            self._at = len(self._buffer) - len(body) + 1
            self._depth = 1

    def _item_end(self) -> int | None:
        """The place after the next whole item, or None."""
        buffer = self._buffer
        while True:
            found = (_IN_STRING if self._in_string else _STRUCTURE).search(buffer, self._at)
            if found is None:
                self._at = len(buffer)
                return None
            byte, at = found[0], found.start()
            if byte == b"\\":
                if at + 1 == len(buffer):
                    self._at = at
                    return None
                self._at = at + 2
                continue
            self._at = at + 1
            if self._depth == 1 and not self._in_string:
                self._item = at
            if byte == b'"':
                self._in_string = not self._in_string
            else:
                self._depth += 1 if byte in b"[{" else -1
            if self._depth == 0:
                self._state, self._item = "over", -1
                return None
            if self._depth == 1 and not self._in_string:
                return self._at


FRAMINGS: dict[str, type[Sse] | type[Ndjson] | type[JsonArray]] = {
    "sse": Sse,
    "ndjson": Ndjson,
    "json-array": JsonArray,
}
