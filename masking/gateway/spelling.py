"""How a stream is spelled so that every SDK reads all of it: an event in each HTTP chunk, ASCII, a blank line after it.

The synchronous SDKs of Alibaba Cloud decode each read by itself and drop one that ends within a character; Model
Studio's cut lines at U+2028. JSON in ASCII says the same and survives both.
"""

from __future__ import annotations

import re

__all__ = ["ascii_events", "ascii_json", "ended", "flags_as_text", "split", "whole"]

_DATA_LINE = re.compile(rb"^data:.*$", re.MULTILINE)
_ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r")
# As a key: within a string its quotes would be escaped.
_FLAG = re.compile(rb'(?<!\\)("node_is_completed"[ ]?:[ ]?)(true|false)')
_NOT_ASCII = re.compile("[^\x00-\x7f]")


def ascii_events(events: bytes) -> bytes:
    """Whole events with the JSON of their data lines in ASCII; other lines keep their bytes."""
    return events if events.isascii() else _DATA_LINE.sub(_escaped, events)


def ascii_json(document: bytes) -> bytes:
    """A JSON document in ASCII: outside its strings it is ASCII already."""
    return document if document.isascii() else _escape(document)


def flags_as_text(document: bytes) -> bytes:
    """`node_is_completed` of workflows as a string: so Model Studio's 2.x client has it, which raises on the boolean
    that the documented wire and all other SDKs have."""
    return _FLAG.sub(rb'\1"\2"', document) if b'"node_is_completed"' in document else document


def split(events: bytes) -> list[bytes]:
    """Whole events, each by itself."""
    parts = events.split(b"\n\n")
    last = parts.pop()
    whole = [part + b"\n\n" for part in parts]
    return [*whole, last] if last else whole


def ended(last: bytes) -> bytes:
    """The line ends that the last event lacks: without a blank line after it, readers drop it."""
    if not last or last.endswith(_ENDS):
        return b""
    return b"\n" if last.endswith(b"\n") else b"\n\n"


def whole(events: bytes) -> bytes:
    """The events that have come to their end: half an event before an error would spoil the error, too."""
    return events[: max((events.rfind(end) + len(end) for end in _ENDS if end in events), default=0)]


def _escaped(line: re.Match[bytes]) -> bytes:
    return line[0] if line[0].isascii() else _escape(line[0])


def _escape(line: bytes) -> bytes:
    try:
        text = line.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return line  # no JSON: its own bytes
    return _NOT_ASCII.sub(_units, text).encode("ascii")


def _units(found: re.Match[str]) -> str:
    """The character as JSON escapes it: in UTF-16 code units, RFC 8259 §7."""
    code = ord(found[0])
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
