"""A descriptor's own samples, run: what goes in must come out as the file says."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode

from masking.core.descriptor import Descriptor
from masking.core.descriptorfile import Framing, Sample
from masking.core.document import dump
from masking.core.framing import FRAMINGS
from masking.core.held import Held
from masking.core.path import Piece, spell
from masking.core.placeholder import Grammar
from masking.core.rule import Category
from masking.core.rulefile import load_category
from masking.core.scan import Scanner
from masking.core.session import LITERAL, Session
from masking.core.turn import Turn

__all__ = ["CONTENT_TYPES", "category_of", "framed", "outcome", "problems", "session_of", "unframed"]

CONTENT_TYPES: dict[Framing, str] = {
    "sse": "text/event-stream",
    "ndjson": "application/x-ndjson",
    "json-array": "application/json",
}


def problems(descriptor: Descriptor) -> list[str]:
    """What is wrong with a descriptor, by its own samples: sentences without any text of theirs but the names."""
    found = []
    for sample in descriptor.samples:
        made, wanted = outcome(descriptor, sample)
        if made != wanted:
            found.append(f"sample {sample.name!r} does not come out as it says{_place(made, wanted)}")
    seen = {
        piece[0][0]
        for sample in descriptor.samples
        for event in sample.stream or ()
        for piece in _pieces(descriptor, event)
    }
    for number, lane in enumerate(descriptor.lanes):
        if number not in seen:
            found.append(
                f"lane {number + 1} ({spell(lane.text)}) finds text in none of the samples; add one, or mend it"
            )
    return found


def outcome(
    descriptor: Descriptor, sample: Sample, *, size: int = 0, framing: Framing | None = None
) -> tuple[Any, Any]:
    """What comes out, and what should; streams arrive `size` bytes at a time (0: at once), in the first framing if
    none is given."""
    with session_of(sample.values) as session:
        turn = Turn(descriptor, session, signer=descriptor.signed or "")
        if sample.query is not None:
            return dict(parse_qsl(turn.query(urlencode(sample.query)), keep_blank_values=True)), sample.masked
        if sample.headers is not None:
            return turn.headers(sample.headers), sample.masked
        if sample.request is not None:
            if descriptor.body == "form":
                body = turn.request(urlencode(sample.request).encode())
                return dict(parse_qsl(body.decode(), keep_blank_values=True)), sample.masked
            return json.loads(turn.request(dump(copy.deepcopy(sample.request), ascii_only=False))), sample.masked
        session.load(sample.values)
        if sample.response is not None:
            turn.open(200, "application/json")
            return json.loads(turn.receive(dump(sample.response, ascii_only=False)) + turn.close()), sample.restored
        kind = framing or (descriptor.framings or ("sse",))[0]
        data = framed(kind, sample.stream or [])
        turn.open(200, CONTENT_TYPES[kind])
        step = size or max(1, len(data))
        said = [turn.receive(data[at : at + step]) for at in range(0, len(data), step)]
        return unframed(kind, b"".join(said) + turn.close()), sample.restored


def category_of(values: Mapping[str, str]) -> Category:
    """A category that finds exactly these values; keys are the placeholders they may get."""
    rules = [
        {
            "id": f"value.v{number}",
            "entity": placeholder[1:-1].rpartition("_")[0],
            "pattern": re.escape(value),
            "not_beside": "none",
            "hits": [value],
            "misses": ["-"],
        }
        for number, (placeholder, value) in enumerate(values.items())
    ]
    if not rules:
        return Category("Samples", "1", {}, (), "samples")
    text = json.dumps({"category": "Samples", "version": "1", "about": {"en": "samples"}, "rules": rules})
    return load_category(text, "samples", _no_recogniser)


def session_of(values: Mapping[str, str]) -> Session:
    """A session of `category_of` the values."""
    category = category_of(values)
    return Session(Scanner(category, _no_detector), Grammar((*category.entities, LITERAL)), {})


def framed(framing: Framing, events: Sequence[Any]) -> bytes:
    """A stream's bytes."""
    documents = [dump(event, ascii_only=False) for event in events]
    if framing == "ndjson":
        return b"".join(document + b"\n" for document in documents)
    if framing == "json-array":
        return b"[" + b",\r\n".join(documents) + b"]"
    return b"".join(b"data: " + document + b"\n\n" for document in documents)


def unframed(framing: Framing, data: bytes) -> list[Any]:
    """A stream's events."""
    codec = FRAMINGS[framing]()
    return [json.loads(frame.data) for frame in [*codec.feed(data), *codec.finish()] if frame.data is not None]


def _no_recogniser(name: str) -> tuple[str, str]:
    raise KeyError(name)


def _no_detector(source: Any) -> Any:
    raise NotImplementedError


def _pieces(descriptor: Descriptor, event: Any) -> list[Piece]:
    held = Held(None, copy.deepcopy(event))
    held.open_strings(descriptor.opens)
    pieces: list[Piece] = []
    descriptor.find(held.doc, pieces, [])
    return pieces


def _place(made: Any, wanted: Any) -> str:
    if isinstance(made, list) and isinstance(wanted, list):
        for number, (one, other) in enumerate(zip(made, wanted, strict=False), 1):
            if one != other:
                return f", from event {number} on"
    return ""
