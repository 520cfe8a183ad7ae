"""One exchange with an API, without IO: a request goes out masked, its reply comes back restored.

    turn = Turn(descriptor, session)
    upstream = turn.request(body, headers)        # bytes -> bytes, or UnmaskableError
    turn.open(status, content_type)
    for chunk in reply:
        client.send(turn.receive(chunk))          # bytes -> bytes, maybe b""
    client.send(turn.close())

What a reply is, is told by its content type alone:

    text/event-stream, application/x-ndjson …    events, while they flow
    application/json, where the descriptor says json-array
                                                 events, while they flow
    application/json, …+json, no type            one document, kept until its end
    text/*                                       text, while it flows
    anything else                                its own bytes
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Mapping
from typing import Protocol
from urllib.parse import parse_qsl, quote, urlencode

from masking.core.descriptor import Descriptor
from masking.core.document import dump, read, read_strictly, respell
from masking.core.errors import ConfigurationError, UnmaskableError
from masking.core.framing import FRAMINGS, Frame
from masking.core.held import Held
from masking.core.lane import GenericLanes, Lanes, Session, State

__all__ = ["Turn"]

_LIMIT = 64 * 1024 * 1024  # bytes of a whole reply
_DONE = b"[DONE]"  # what ends a stream of OpenAI's
_EVENTS = {
    "text/event-stream": "sse",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/x-jsonlines": "ndjson",
}

Maybe = Callable[[bytes], bool]


class Turn:
    """One exchange; belongs to one conversation and one thread at a time."""

    __slots__ = ("_descriptor", "_limit", "_maybe", "_reply", "_session", "_signer", "receive")

    def __init__(
        self,
        descriptor: Descriptor,
        session: Session,
        *,
        maybe: Maybe | None = None,
        signer: str = "",
        limit: int = _LIMIT,
    ) -> None:
        """`maybe` says whether bytes may hold something to restore or to redact: False lets them pass unread, but for
        the lanes, which are always read. Left out, it is `session.possible`, if the session has that.

        `signer` names the scheme in which the caller signs the request afterwards. `limit` in bytes of a whole reply;
        UnmaskableError beyond it.
        """
        self._descriptor = descriptor
        self._session = session
        self._maybe: Maybe = maybe or getattr(session, "possible", None) or _always
        self._signer = signer
        self._limit = limit
        self._reply: _Reply = _Unopened()
        self.receive: Callable[[bytes], bytes] = self._reply.feed
        """What of the reply can be said now; once for every piece of it, so it is the reply's own method."""

    def request(self, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
        """The body as it may leave; header names in lower case. Unchanged documents keep their own bytes.

        Raises UnmaskableError for what cannot be read without doubt, and for a signed request that would have to
        change.
        """
        headers = headers or {}
        if not body:
            return body
        kind = self._descriptor.body
        if kind == "none":
            raise UnmaskableError("this route takes no body; send none", where="request body")
        if headers.get("content-encoding", "identity").lower() not in ("", "identity"):
            raise UnmaskableError("the body is compressed; send it plain", where="request header content-encoding")
        media, charset = _media(headers.get("content-type", ""))
        if charset not in ("", "utf-8", "utf8", "us-ascii"):
            raise UnmaskableError("only UTF-8 can be read; send UTF-8", where="request header content-type")
        if kind == "json" and (media in ("", "application/json") or media.endswith("+json")):
            masked = self._json(body)
        elif kind == "form" and media in ("", "application/x-www-form-urlencoded"):
            masked = self._form(body)
        else:
            wanted = "application/json" if kind == "json" else "application/x-www-form-urlencoded"
            raise UnmaskableError(f"unknown content type; send {wanted}", where="request header content-type")
        if masked is not body:
            self._check_signature("request body")
        return masked

    def query(self, query: str) -> str:
        """The query string as it may leave: parameters that the descriptor names are masked, any other that would be
        masked is refused."""
        if not query:
            return query
        mask = self._session.mask
        pairs = parse_qsl(query, keep_blank_values=True)
        changed = False
        for position, (name, value) in enumerate(pairs):
            if name in self._descriptor.query_names:
                doc, is_other = self._descriptor.query.mask({name: value}, mask)
                if is_other:
                    pairs[position] = (name, doc[name])
                    changed = True
            elif mask(value) != value or mask(name) != name:
                raise UnmaskableError(
                    "a query parameter that the descriptor does not list as text holds what the category masks",
                    where="request query",
                )
        if changed:
            self._check_signature("request query")
        return urlencode(pairs, quote_via=quote, safe="") if changed else query

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """The headers that must change before they leave: those that the descriptor names; names in lower case."""
        mask = self._session.mask
        found = {name: headers[name] for name in self._descriptor.headers if name in headers}
        changed = {name: masked for name, value in found.items() if (masked := mask(value)) != value}
        if changed:
            self._check_signature("request header")
        return changed

    def open(self, status: int, content_type: str) -> None:
        """The reply begins; error replies are restored like any other."""
        del status  # a provider's error may quote the request, so it is text, too
        media, charset = _media(content_type)
        if media in _EVENTS:
            self._reply = _Events(self._descriptor, self._session, _EVENTS[media], self._maybe)
        elif media == "application/json" and "json-array" in self._descriptor.framings:
            self._reply = _Events(self._descriptor, self._session, "json-array", self._maybe)
        elif media in ("", "application/json") or media.endswith("+json"):
            self._reply = _Whole(self._descriptor, self._session, self._maybe, self._limit)
        elif media.startswith("text/"):
            self._reply = _Text(self._session, charset)
        else:
            self._reply = _Untouched()
        self.receive = self._reply.feed

    def close(self) -> bytes:
        """The rest of the reply."""
        return self._reply.finish()

    def _check_signature(self, where: str) -> None:
        scheme = self._descriptor.signed
        if scheme and scheme != self._signer:
            raise UnmaskableError(
                f"signed ({scheme}), and would have to change; mask the text before it is signed", where=where
            )

    def _json(self, body: bytes) -> bytes:
        doc, changed = self._descriptor.request.mask(read_strictly(body), self._session.mask, self._session.is_word)
        return dump(doc, ascii_only=body.isascii()) if changed else body

    def _form(self, body: bytes) -> bytes:
        try:
            pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict")
        except ValueError:
            raise UnmaskableError("not a URL-encoded form in UTF-8; send one", where="request body") from None
        doc = dict(pairs)
        if len(doc) != len(pairs):
            raise UnmaskableError("a form field comes twice; send it once", where="request body")
        doc, changed = self._descriptor.request.mask(doc, self._session.mask, self._session.is_word)
        return urlencode(doc).encode() if changed else body


class _Reply(Protocol):
    def feed(self, chunk: bytes) -> bytes: ...
    def finish(self) -> bytes: ...


class _Unopened:
    __slots__ = ()

    def feed(self, chunk: bytes) -> bytes:
        del chunk
        return self.finish()

    def finish(self) -> bytes:
        raise ConfigurationError("the reply was not opened: call Turn.open(status, content_type) before receive")


class _Untouched:
    __slots__ = ()

    def feed(self, chunk: bytes) -> bytes:
        return chunk

    def finish(self) -> bytes:
        return b""


class _Whole:
    """One JSON document."""

    __slots__ = ("_buffer", "_descriptor", "_limit", "_maybe", "_session")

    def __init__(self, descriptor: Descriptor, session: Session, maybe: Maybe, limit: int) -> None:
        self._descriptor = descriptor
        self._session = session
        self._maybe = maybe
        self._limit = limit
        self._buffer = bytearray()

    def feed(self, chunk: bytes) -> bytes:
        self._buffer += chunk
        if len(self._buffer) > self._limit:
            raise UnmaskableError(f"longer than {self._limit} bytes; raise the limit", where="reply")
        return b""

    def finish(self) -> bytes:
        raw = bytes(self._buffer)
        self._buffer.clear()
        if not raw or not self._maybe(raw):
            return raw
        session = self._session
        try:
            doc = read(raw)
        except ValueError:
            return _plain(raw, session)
        doc, changed = self._descriptor.response.restore(
            doc, session.restore, lambda text: session.restore(text, json=True)
        )
        return respell(raw, doc) if changed else raw


class _Text:
    """Plain text as it flows; bytes that do not decode pass as they are."""

    __slots__ = ("_charset", "_decoder", "_stream")

    def __init__(self, session: Session, charset: str) -> None:
        try:
            self._charset = codecs.lookup(charset or "utf-8").name
        except LookupError:
            self._charset = "utf-8"
        self._decoder = codecs.getincrementaldecoder(self._charset)("surrogateescape")
        self._stream = session.stream_object()

    def feed(self, chunk: bytes) -> bytes:
        return self._spell(self._stream.feed(self._decoder.decode(chunk)))

    def finish(self) -> bytes:
        return self._spell(self._stream.feed(self._decoder.decode(b"", final=True)) + self._stream.flush())

    def _spell(self, text: str) -> bytes:
        try:
            return text.encode(self._charset, "surrogateescape")
        except UnicodeEncodeError:  # a restored value that the reply's own charset cannot spell
            return text.encode(self._charset, "replace")


class _Events:
    """Stream events as they flow."""

    __slots__ = ("_codec", "_lanes", "_maybe", "_plain", "_session")

    def __init__(self, descriptor: Descriptor, session: Session, framing: str, maybe: Maybe) -> None:
        self._session = session
        self._maybe = maybe
        self._codec = FRAMINGS[framing]()
        self._lanes: Lanes[Frame]
        if descriptor.lanes:
            self._lanes = Lanes(session, descriptor.lanes, descriptor.find, descriptor.event, opens=descriptor.opens)
        else:
            self._lanes = GenericLanes(session)
        # What stands around the text of an event that comes in a chunk of its own, and its lane.
        self._plain: tuple[bytes, bytes, State] | None = None

    def feed(self, chunk: bytes) -> bytes:
        if self._plain is not None:
            # One event, which differs from the one before in one plain text alone: most chunks of most streams.
            before, after, lane = self._plain
            if chunk.startswith(before) and chunk.endswith(after):
                try:
                    text = chunk[len(before) : len(chunk) - len(after)].decode()
                except UnicodeDecodeError:
                    text = ""
                # Printable: what JSON would have to escape is not, and the rest of what is not may go the other way.
                if text and text.isprintable() and '"' not in text and "\\" not in text:
                    told = lane.stream.feed(text)
                    if told is text and lane.held is None and len(text) > 1:  # see Lanes.alone
                        return chunk
                    frame = self._codec.feed(chunk)[0]
                    return self._leave(self._lanes.told(frame, lane, text, told))
            self._plain = None
        frames = self._codec.feed(chunk)
        if len(frames) != 1:
            return b"".join(map(self._frame, frames))
        frame = frames[0]
        said = self._frame(frame)
        if frame.raw is chunk:  # nothing is left of it, nor of what came before
            alone = self._lanes.alone()
            around = frame.bounds() if alone is not None else None
            if alone is not None and around is not None:
                self._plain = (around[0] + alone[0], alone[1] + around[1], alone[2])
        return said

    def finish(self) -> bytes:
        frames = [self._frame(frame) for frame in self._codec.finish()]
        return b"".join([*frames, *map(_spell, self._lanes.close())])

    def _frame(self, frame: Frame) -> bytes:
        data = frame.data
        if data is None:
            return self._leave(self._lanes.feed(frame))
        quick = self._lanes.quick(frame, data)
        if quick is not None:
            return self._leave(quick)
        walk = self._maybe(data)
        try:
            doc = read(data)
        except ValueError:  # text, or no text at all
            if walk and data != _DONE:
                new = _plain(data, self._session)
                if new != data:
                    raw = frame.replaced(new)
                    frame = type(frame)(raw, new)
            return self._leave(self._lanes.feed(frame))
        return self._leave(self._lanes.feed(frame, doc, walk=walk, raw=data))

    def _leave(self, leaving: list[Held[Frame]]) -> bytes:
        return _spell(leaving[0]) if len(leaving) == 1 else b"".join(map(_spell, leaving))


def _spell(held: Held[Frame]) -> bytes:
    frame = held.event
    if not held.changed or frame.data is None:
        return frame.raw
    return frame.replaced(held.respelt(frame.data))


def _plain(raw: bytes, session: Session) -> bytes:
    """Bytes that are no JSON: restored as text if they are text at all."""
    try:
        text = raw.decode("utf-8")
    except ValueError:
        return raw
    restored = session.restore(text)
    return raw if restored == text else restored.encode("utf-8", "surrogatepass")


def _always(data: bytes) -> bool:
    del data
    return True


def _media(content_type: str) -> tuple[str, str]:
    """Media type and charset of a content type, in lower case. RFC 9110 §8.3.1."""
    media, *parameters = content_type.split(";")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return media.strip().lower(), value.strip().strip('"').lower()
    return media.strip().lower(), ""
