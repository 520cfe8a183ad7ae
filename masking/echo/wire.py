"""Requests and replies of the stand-in as bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from masking.echo.model import Manner

__all__ = ["CREATED", "Reply", "Request", "lines", "sse", "whole"]

CREATED = 1_700_000_000  # seconds; a constant, because an answer that never changes can be compared


@dataclass(frozen=True, slots=True)
class Request:
    """One request: names of headers in lower case, `document` the JSON body or the form; `manner` is the model's."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    document: Mapping[str, Any]
    manner: Manner


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply as bytes; a stream has one event in each chunk. With `breaks` the connection breaks after the last."""

    status: int
    content_type: str
    chunks: tuple[bytes, ...]
    breaks: bool = False


def whole(document: Mapping[str, Any], status: int = 200) -> Reply:
    """One JSON document."""
    return Reply(status, "application/json", (json.dumps(document, ensure_ascii=False).encode(),))


def sse(events: Iterable[Mapping[str, Any]], *, named: str = "", end: bytes = b"") -> Reply:
    """Server-sent events in ASCII, because some clients cut UTF-8 apart; `named` is the key that names the event."""
    chunks = []
    for event in events:
        name = f"event: {event[named]}\n" if named else ""
        chunks.append(f"{name}data: {json.dumps(event)}\n\n".encode())
    return Reply(200, "text/event-stream", (*chunks, end) if end else tuple(chunks))


def lines(documents: Iterable[Mapping[str, Any]]) -> Reply:
    """One JSON document a line."""
    return Reply(
        200,
        "application/x-ndjson",
        tuple(json.dumps(document, ensure_ascii=False).encode() + b"\n" for document in documents),
    )
