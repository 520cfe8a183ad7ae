"""What a user pastes or uploads: a text, a chat, or a log of chats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from masking.core.errors import ConfigurationError

__all__ = ["Conversation", "Message", "Transcript", "decoded", "read"]

_BINARY = (
    (b"%PDF-", "a PDF"),
    (b"PK\x03\x04", "a ZIP archive or an Office document"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF8", "an image"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"PAR1", "a Parquet file"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"SQLite format 3", "a database"),
)
_ROLES = {"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant"}


@dataclass(frozen=True, slots=True, repr=False)
class Message:
    """One text of a conversation: who says it, and itself."""

    role: str
    text: str


@dataclass(frozen=True, slots=True, repr=False)
class Conversation:
    """The messages of one conversation as a model's API takes them, and the texts in them; `line` is 0 or its line."""

    body: Sequence[Mapping[str, Any]]
    messages: tuple[Message, ...]
    line: int = 0


@dataclass(frozen=True, slots=True, repr=False)
class Transcript:
    """What was given: `kind` is text, chat (one conversation) or log (several)."""

    kind: str
    conversations: tuple[Conversation, ...]


def decoded(data: bytes, name: str) -> str:
    """An uploaded file as text. Raises ConfigurationError for anything that is not UTF-8 text, saying what it is."""
    said = f"{name or 'the file'} is no text"
    for magic, kind in _BINARY:
        if data.startswith(magic):
            raise ConfigurationError(f"{said}: it is {kind}; export it as UTF-8 text, JSON or JSONL first")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise ConfigurationError(f"{said} in UTF-8: it is UTF-16; save it as UTF-8")
    if b"\0" in data:
        raise ConfigurationError(f"{said}: it holds null bytes; export it as UTF-8 text, JSON or JSONL first")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{said} in UTF-8 (byte {error.start}); convert it first, for instance with iconv -t utf-8"
        ) from None


def read(text: str) -> Transcript:
    """What `text` is: JSON or JSONL that holds chats is taken apart, everything else is one text of a user."""
    begins = text.lstrip("\ufeff \t\r\n")[:1]
    if begins in ("{", "["):
        whole = _json(text)
        found = list(_conversations(whole)) if whole is not None else list(_lines(text))
        if found:
            return Transcript("chat" if len(found) == 1 else "log", tuple(found))
    return Transcript("text", (_spoken([{"role": "user", "content": text}], 0),))


def _json(text: str) -> Any:
    try:
        return orjson.loads(text.lstrip("\ufeff"))
    except orjson.JSONDecodeError:
        return None


def _conversations(data: Any) -> Iterator[Conversation]:
    if isinstance(data, list) and data and all(_is_message(one) for one in data):
        yield _spoken(data, 0)
    elif isinstance(data, list):
        for one in data:
            yield from _one(one, 0)
    else:
        yield from _one(data, 0)


def _lines(text: str) -> Iterator[Conversation]:
    """JSONL: a line is a conversation, or lines that are messages make one together."""
    rows = [(number, _json(line)) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if any(not isinstance(row, dict) for _, row in rows):
        return
    if all(_is_message(row) for _, row in rows):
        yield _spoken([row for _, row in rows], 1)
        return
    for number, row in rows:
        yield from _one(row, number)


def _one(row: Any, line: int) -> Iterator[Conversation]:
    if not isinstance(row, dict):
        return
    if _is_message(row):
        yield _spoken([row], line)
        return
    for key in ("messages", "conversations", "history"):
        listed = row.get(key)
        if isinstance(listed, list) and listed and all(_is_message(one) for one in listed):
            yield _spoken(listed, line)
            return
    for key in ("text", "prompt", "query", "content"):
        if isinstance(row.get(key), str):
            yield _spoken([{"role": "user", "content": row[key]}], line)
            return


def _is_message(row: Any) -> bool:
    if not isinstance(row, dict):
        return False
    return isinstance(row.get("role"), str) or (isinstance(row.get("from"), str) and isinstance(row.get("value"), str))


def _spoken(rows: Sequence[Mapping[str, Any]], line: int) -> Conversation:
    body = [_message(row) for row in rows]
    texts = [Message(str(row["role"]), text) for row in body for text in _texts(row.get("content"))]
    return Conversation(body, tuple(texts), line)


def _message(row: Mapping[str, Any]) -> Mapping[str, Any]:
    if "role" in row:
        return row
    return {"role": _ROLES.get(row["from"], row["from"]), "content": row["value"]}


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for part in content:
            if isinstance(part, str):
                yield part
            elif isinstance(part, dict) and isinstance(part.get("text"), str):
                yield part["text"]
