"""One request and its reply, without IO: bytes in, events and a whole answer out.

A reply is read for what it is, whatever was asked for: a document where a stream was expected is one event, a stream
where a document was expected is gathered.

    reply        what becomes of it
    3xx to 5xx   ApiError, from JSON, events, HTML or nothing
    document     answer; ApiError when it carries an error under a good status
    events       events; StreamError when one carries an error, is no JSON object, or the last one is missing
    other        StreamError: an address that is not the API's

What came before an error is not lost: `feed` and `finish` return events, and `error` says afterwards what was wrong.
One exception: an event beyond all limits takes with it what the mask still held back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple, Protocol

from masking.clients.answer import Answer, Event
from masking.clients.errors import ApiError, StreamError, api_error
from masking.clients.gather import Fresh, Gathered
from masking.clients.prepared import ClosableSession, Prepared, masked
from masking.core.descriptor import Descriptors
from masking.core.errors import UnmaskableError
from masking.core.framing import Frame, Sse
from masking.core.turn import Turn

__all__ = ["Api", "Exchange", "Failure", "Parties"]

_LIMIT = 64 * 1024 * 1024  # bytes of a whole reply
_LIMIT_ERROR = 1024 * 1024  # bytes of an error that are looked at


class Failure(NamedTuple):
    """An error as a server spells it."""

    code: str
    message: str
    request_id: str
    status: int = 0


class Api(Protocol):
    """What is special to one API: how its documents and events are read."""

    done_marker: ClassVar[bool]
    """Whether `data: [DONE]` ends its streams."""

    def failure(self, doc: Mapping[str, Any]) -> Failure | None:
        """The error in a document or an event, if it is one."""

    def answer(self, doc: Mapping[str, Any]) -> Answer:
        """A whole answer; lenient about what is missing."""

    def event(self, doc: Mapping[str, Any]) -> Event:
        """One event; lenient about what is missing."""


class Parties(NamedTuple):
    """Who masks: the descriptors and the session of one exchange; `owned` sessions end with it."""

    descriptors: Descriptors
    session: ClosableSession
    owned: bool


class Exchange:
    """One exchange; belongs to one thread at a time."""

    __slots__ = (
        "_api", "_buffer", "_codec", "_document", "_done", "_fresh", "_gathered", "_length", "_open_ended", "_parties",
        "_retry_after", "_status", "_turn", "_wanted", "error", "request",
    )  # fmt: skip

    def __init__(
        self, api: Api, plain: Prepared, parties: Parties | None, *, cumulative: bool = False, choices: int = 1
    ) -> None:
        """`cumulative`: events repeat all text so far. `choices`: how many were asked for.

        `request` is what may leave. Raises UnmaskableError when it cannot be made safe.
        """
        self._api = api
        self._parties = parties
        self._turn: Turn | None = None
        self._wanted = choices
        self._fresh = Fresh() if cumulative else None
        self._gathered = Gathered()
        self._document: Answer | None = None
        self._codec: Sse | None = None
        self._buffer: list[bytes] = []
        self._length = self._status = 0
        self._done = self._open_ended = False
        self._retry_after: float | None = None
        self.error: ApiError | StreamError | None = None
        try:
            self.request = plain
            if parties is not None:
                self.request, self._turn = masked(plain, parties.descriptors, parties.session)
        except BaseException:
            self.close()
            raise

    @property
    def done(self) -> bool:
        """Whether everything that makes an answer whole has arrived."""
        if self._document is not None or self._done:
            return True
        return self._gathered.finished(self._wanted)

    def open(self, status: int, content_type: str, retry_after: float | None = None) -> None:
        """The reply begins."""
        self._status = status
        self._retry_after = retry_after
        if content_type.partition(";")[0].strip().lower() == "text/event-stream":
            self._codec = Sse()
        if self._turn is not None:
            self._turn.open(status, content_type)

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that are complete now; look at `error` afterwards."""
        return self._take(self._restored(chunk))

    def finish(self) -> list[Event]:
        """The rest; `error` says whether all that came is the whole of a good answer."""
        events = self._take(self._restored(None)) if self._turn is not None else []
        try:
            if self._status >= 300:
                raise self._refused()
            if self._codec is None:
                return [*events, self._whole(b"".join(self._buffer))]
            for frame in self._codec.finish():
                # A last event that no empty line ends is taken if it is whole.
                events += self._frame(frame, cut=True)
            if not self.done and not self._open_ended:
                raise self.broken()
        except (ApiError, StreamError) as error:
            self.error = self.error or error
        return events

    def answer(self) -> Answer:
        """Everything so far."""
        return self._document if self._document is not None else self._gathered.answer()

    def broken(self) -> StreamError:
        """The error for a stream that ends here."""
        return StreamError(
            "the stream ended before its last event, so the answer is not whole; ask again",
            request_id=self._gathered.answer().request_id,
        )

    def close(self) -> None:
        """Forget the session's values, if the session was made for this exchange."""
        if self._parties is not None and self._parties.owned:
            self._parties.session.close()

    def _restored(self, chunk: bytes | None) -> bytes:
        """What the turn says to a chunk, or to the end of the reply."""
        if self._turn is None:
            return chunk or b""
        try:
            return self._turn.close() if chunk is None else self._turn.receive(chunk)
        except UnmaskableError as error:  # an event or a document without an end
            self.error = self.error or StreamError(error.what)
            return b""

    def _take(self, data: bytes) -> list[Event]:
        events: list[Event] = []
        if self.error is not None:
            return events
        try:
            if self._codec is None or self._status >= 300:
                self._keep(data)
            else:
                for frame in self._codec.feed(data):
                    events += self._frame(frame)
        except StreamError as error:
            self.error = error
        except UnmaskableError as error:
            self.error = StreamError(error.what)
        return events

    def _keep(self, data: bytes) -> None:
        limit = _LIMIT if self._status < 300 else _LIMIT_ERROR
        if self._status < 300 and self._length + len(data) > limit:
            raise StreamError(f"the answer is longer than {limit} bytes; ask for less")
        self._buffer.append(data[: max(0, limit - self._length)])
        self._length += len(data)

    def _frame(self, frame: Frame, *, cut: bool = False) -> list[Event]:
        if frame.data is None:
            return []
        name = _field(frame.raw, b"event")
        if frame.data.strip() == b"[DONE]":
            self._done = self._done or self._api.done_marker
            return []
        doc = _object(frame.data)
        if doc is None and cut:
            raise self.broken()
        failure = self._api.failure(doc) if doc is not None else None
        if failure is not None or name == "error":
            failure = failure or Failure("", "" if doc is not None else frame.data.decode("utf-8", "replace"), "")
            raise StreamError("the service reports an error within the stream", **failure._asdict())
        if doc is None:
            raise StreamError("an event is no JSON object: this is not the API that was expected; check the address")
        event = replace(self._api.event(doc), name=name, id=_field(frame.raw, b"id"))
        if self._fresh is not None:
            event = self._fresh.of(event)
        self._gathered.add(event)
        self._open_ended = self._open_ended or event.open_ended
        return [event]

    def _whole(self, body: bytes) -> Event:
        doc = _object(body)
        if doc is None:
            raise StreamError(
                "the reply is neither a JSON object nor a stream of events: check the address, and what stands "
                "between (a proxy, a login page)",
                status=self._status,
            )
        failure = self._api.failure(doc)
        if failure is not None:
            raise self._error(failure)
        self._document = answer = self._api.answer(doc)
        return Event(**{name: getattr(answer, name) for name in Answer.__dataclass_fields__})

    def _refused(self) -> ApiError:
        body = b"".join(self._buffer)
        doc = _object(body)
        if doc is None and self._codec is not None:
            frames = [*self._codec.feed(body), *self._codec.finish()]
            doc = next((doc for frame in frames if frame.data and (doc := _object(frame.data)) is not None), None)
        failure = self._api.failure(doc) if doc is not None else None
        return self._error(failure or Failure("", body.decode("utf-8", "replace") if doc is None else "", ""))

    def _error(self, failure: Failure) -> ApiError:
        code, message, request_id, status = failure
        return api_error(status or self._status, code, message, request_id, self._retry_after)


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        doc = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return doc if isinstance(doc, dict) else None


def _field(raw: bytes, name: bytes) -> str:
    """The last value of one field of an event; "" where it has none."""
    if name not in raw:
        return ""
    value = b""
    for line in raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"):
        if line.startswith(name + b":"):
            value = line[len(name) + 1 :].removeprefix(b" ")
    return value.decode("utf-8", "replace")
