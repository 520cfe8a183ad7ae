"""Stream events: first in, first out, rewritten in place.

Every lane has a stream of its own, which says what can be said and holds a tail that may still become a placeholder.
The event whose text ends in such a tail stays in the queue, and everything later queues behind it. When a later event
of the lane arrives, the tail moves into that event, and the earlier one is free; when the lane closes or the stream
ends, the tail is appended to the event that waits. So no event is invented, dropped or reordered, ids and sequence
numbers stay true, and an event waits for at most one later event of its lane.

    lane          text arrives           closes, or the stream ends
    quiet         say; holding if held   -
    holding       say; free the earlier  append the tail to the one that waits

What a stream says need not be a part of what it was fed: values come instead of placeholders, and what the model made
up may be redacted. So a tail may span several events (the digits of a number), each of which leaves when the next one
of its lane has come.

A lane may fall silent for good with a tail in hand while others speak on (thinking that ends in "<"). After `patience`
later events its tail is said, through `flush`, as if the text ended there: what is a value by then is redacted. If the
lane speaks again all the same, its text begins anew, so a value whose halves lie on either side is not recognised;
descriptors name what closes a lane, so that this is left to lanes that close nowhere.

Cumulative lanes repeat all text so far in every event: only what is new is fed, and the event's text becomes everything
said so far.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Sequence
from typing import Any, Generic, Literal, Protocol, TypeVar

import orjson

from masking.core.document import Document, Place, dump, leaves, read
from masking.core.errors import RestoreError
from masking.core.held import Held
from masking.core.path import Find, Lane, Piece, home

__all__ = ["GenericLanes", "Lanes", "Restorer", "Session", "State", "Stream"]

E = TypeVar("E")
Mode = Literal["delta", "cumulative", "auto"]

_PATIENCE = 64  # events
# Where streams of unknown shape put JSON piece by piece: OpenAI, Anthropic.
_JSON_NAMES = frozenset({"arguments", "partial_json"})
# Fields that say what an event is: whole in every event, so a tail of theirs must not move into the next one.
_KINDS = frozenset({"event", "finish_reason", "object", "role", "status", "stop_reason", "type"})
_PLAIN = re.compile(rb'[^"\\\x00-\x1f]+')  # what stands in the quotes of a JSON string without escapes
_PROBE = "\0?"  # no event of a lane has said this
_NAME = re.compile(r"[A-Za-z0-9_.:-]*")


class Stream(Protocol):
    """The restorer of one lane. Where `feed` gives back the very object that it was given, made for this call and of
    more than one character, the text was said as a whole and nothing waits."""

    @property
    def held(self) -> bool: ...
    def feed(self, text: str) -> str: ...
    def flush(self) -> str: ...


class Restorer(Protocol):
    """What restoring an answer asks of a session."""

    def restore(self, text: str, *, json: bool = False) -> str: ...
    def stream_object(self, *, json: bool = False) -> Stream: ...


class Session(Restorer, Protocol):
    """What a turn asks of a session."""

    def mask(self, text: str) -> str: ...
    def is_word(self, name: str) -> bool: ...


class State:
    """One open lane; `held` is the event in which its tail waits."""

    __slots__ = ("container", "delta", "held", "json", "mode", "name", "raw", "said", "stream")

    def __init__(self, stream: Stream, mode: Mode, *, json: bool) -> None:
        self.stream = stream
        self.mode = mode
        self.json = json
        self.raw = ""  # cumulative and auto: the text of the last event, as it came
        self.said = ""  # cumulative: everything said so far
        self.delta = False  # auto: an event has shown that texts do not repeat
        self.held: Held[Any] | None = None
        self.container: Any = None
        self.name: Any = None


class Lanes(Generic[E]):
    """The queue of one stream of events."""

    __slots__ = (
        "_document",
        "_find",
        "_frame",
        "_known",
        "_lanes",
        "_open",
        "_opens",
        "_patience",
        "_queue",
        "_session",
    )  # fmt: skip

    def __init__(
        self,
        session: Restorer,
        lanes: Sequence[Lane],
        find: Find,
        document: Document | None = None,
        *,
        opens: Sequence[Find] = (),
        patience: int = _PATIENCE,
    ) -> None:
        """`find` finds the pieces of `lanes` in an event, `opens` the strings that hold JSON which lanes lead into;
        `document` restores the strings outside the lanes, None leaves them alone; `patience` in events."""
        self._session = session
        self._lanes = lanes
        self._find = find
        self._document = document
        self._opens = opens
        self._patience = patience
        self._queue: deque[Held[E]] = deque()
        self._open: dict[tuple[Any, ...], State] = {}
        self._frame: tuple[bytes, bytes] | None = None  # what stood around the last event's only piece
        # The same, the lane that it leads to, and what it closes.
        self._known: tuple[bytes, bytes, tuple[Any, ...], list[tuple[Any, ...]]] | None = None

    def feed(self, event: E, doc: Any = None, *, walk: bool = True, raw: bytes = b"") -> list[Held[E]]:
        """Take one event and give those that may leave, in the order they came.

        `doc` is rewritten in place; None is an event without text (a comment, a heartbeat). With `walk` false the
        strings outside the lanes are known to hold nothing to restore. `raw` is what `doc` was read from, where the
        caller has it: most events of a stream differ from the one before in their text alone, and what stands around
        it is then walked once.
        """
        held = Held(event, doc)
        if doc is not None:
            pieces: list[Piece] = []
            closes: list[tuple[Any, ...]] = []
            if self._opens:
                held.open_strings(self._opens)
            self._find(doc, pieces, closes)
            if walk and self._document is not None:
                frame = _around(raw, pieces[0][3]) if len(pieces) == 1 and raw and not self._opens else None
                if frame is None or frame != self._frame:
                    self._walk(held, pieces)
                    self._frame = None if held._rest else frame
                elif self._known is None or frame != self._known[:2]:
                    self._learn(frame)
            for key, container, name, text in pieces:
                self._piece(held, key, container, name, text)
            for prefix in closes:
                self._close(prefix)
        if not held._waiting and not self._queue:
            if held._opened:
                held.close_strings()
            return [held]
        self._queue.append(held)
        return self._drain()

    def quick(self, event: E, raw: bytes) -> list[Held[E]] | None:
        """As `feed`, for an event that differs from those before it in one plain text alone: it is not parsed. None for
        any other, of which nothing was taken."""
        known = self._known
        if known is None:
            return None
        before, after, key, _ = known
        if not (raw.startswith(before) and raw.endswith(after)):
            return None
        middle = raw[len(before) : len(raw) - len(after)]
        if _PLAIN.fullmatch(middle) is None:
            return None
        try:
            state = self._open.get(key)
        except TypeError:  # see `_piece`
            return None
        if state is None or state.mode != "delta":
            return None
        try:
            text = middle.decode()
        except UnicodeDecodeError:
            return None
        return self.told(event, state, text, state.stream.feed(text))

    def alone(self) -> tuple[bytes, bytes, State] | None:
        """What stands before and after the text of an event that `quick` takes, and its lane; None where more than this
        lane is open, or would be closed by the event.

        Whoever feeds the lane such a text has done all there is to do, if it says the text itself (see Stream) and held
        nothing before: then nothing waits anywhere. Else `told` does the rest.
        """
        if self._known is None or len(self._open) != 1:
            return None
        before, after, key, closes = self._known
        ((only, state),) = self._open.items()
        if only != key or state.mode != "delta" or any(key[: len(prefix)] == prefix for prefix in closes):
            return None
        return before, after, state

    def told(self, event: E, state: State, text: str, said: str) -> list[Held[E]]:
        """The events that may leave, now that the lane of a known event was fed its text and has said this."""
        assert self._known is not None
        before, after, _, closes = self._known
        box = [text]
        held = Held(event, box, (before, after))
        self._said(held, state, box, 0, text, said)
        for prefix in closes:
            self._close(prefix)
        if not held._waiting and not self._queue:
            return [held]
        self._queue.append(held)
        return self._drain()

    def _learn(self, frame: tuple[bytes, bytes]) -> None:
        """Make sure that whatever string stands in this frame is the text of one lane alone."""
        before, after = frame
        pieces: list[Piece] = []
        closes: list[tuple[Any, ...]] = []
        try:
            self._find(read(before + dump(_PROBE, ascii_only=True)[1:-1] + after), pieces, closes)
        except ValueError:
            return
        if [piece[3] for piece in pieces] == [_PROBE]:
            self._known = (before, after, pieces[0][0], closes)

    def sees(self, doc: Any) -> bool:
        """Whether any lane finds text in this event, which is left as it is."""
        held = Held(None, doc)
        pieces: list[Piece] = []
        held.open_strings(self._opens)
        self._find(doc, pieces, [])
        held.close_strings()
        return bool(pieces)

    def close(self) -> list[Held[E]]:
        """End the stream: every tail is said, every event leaves."""
        for key in list(self._open):
            self._settle(self._open.pop(key))
        return self._drain()

    def _walk(self, held: Held[E], pieces: list[Piece]) -> None:
        assert self._document is not None
        skip: set[Place] = {(home(container), name) for _, container, name, _ in pieces}
        session = self._session
        _, held._rest = self._document.restore(
            held.doc, session.restore, lambda text: session.restore(text, json=True), skip=skip
        )

    def _state(self, key: tuple[Any, ...], name: Any) -> State:
        del name
        lane = self._lanes[key[0]]
        return State(self._session.stream_object(json=lane.json), lane.mode, json=lane.json)

    def _piece(self, held: Held[E], key: tuple[Any, ...], container: Any, name: Any, text: str) -> None:
        try:
            state = self._open.get(key)
        except TypeError:  # a key that holds a list or a mapping
            key = (key[0], *map(repr, key[1:]))
            state = self._open.get(key)
        if state is None:
            state = self._open[key] = self._state(key, name)
        if state.mode == "delta":
            said = state.stream.feed(text)
        elif state.mode == "cumulative":
            said = self._cumulative(state, text)
        else:
            said = self._auto(state, text)
        self._said(held, state, container, name, text, said)

    def _said(self, held: Held[E], state: State, container: Any, name: Any, text: str, said: str) -> None:
        if state.held is not None:
            state.held._waiting -= 1
            state.held = None
        if state.stream.held:
            held._waiting += 1
            state.held, state.container, state.name = held, container, name
        if said != text or state.held is not None:  # a tail may still change the text when it is flushed
            container[name] = said
            if held._touched is None:
                held._touched = []
            held._touched.append((container, name, text))

    def _cumulative(self, state: State, text: str) -> str:
        if not text.startswith(state.raw):  # it does not go on from the former one: afresh
            self._restart(state)
        state.said += state.stream.feed(text[len(state.raw) :])
        state.raw = text
        return state.said

    def _auto(self, state: State, text: str) -> str:
        before = state.raw
        if state.stream.held and before and not state.delta:
            if text == before:  # a field that every event repeats: each is whole by itself
                self._restart(state)
            elif text.startswith(before):
                # Cumulative: the tail comes again in this event, so the earlier one must not say it.
                state.stream = self._session.stream_object(json=state.json)
                state.mode = "cumulative"
                return self._cumulative_from_here(state, text)
        if before and text and not text.startswith(before):
            state.delta = True
        state.raw = text
        return state.stream.feed(text)

    def _cumulative_from_here(self, state: State, text: str) -> str:
        state.raw, state.said = text, state.stream.feed(text)
        return state.said

    def _restart(self, state: State) -> None:
        self._settle(state)
        state.stream = self._session.stream_object(json=state.json)
        state.raw = state.said = ""

    def _close(self, prefix: tuple[Any, ...]) -> None:
        lane, length = prefix[0], len(prefix)
        for key in [key for key in self._open if key[0] == lane and key[:length] == prefix]:
            self._settle(self._open.pop(key))

    def _settle(self, state: State) -> None:
        """Say the tail in the event that waits for it."""
        tail = state.stream.flush()
        held, state.held = state.held, None
        if held is not None:
            held._waiting -= 1
            if tail:
                state.container[state.name] += tail
        elif tail:
            raise RestoreError("a stream kept text without saying so (`held` was false); report this")

    def _drain(self) -> list[Held[E]]:
        queue = self._queue
        leaving: list[Held[E]] = []
        while queue:
            head = queue[0]
            if head._waiting:
                if len(queue) <= self._patience:
                    break
                for key in [key for key, state in self._open.items() if state.held is head]:
                    self._restart(self._open[key])
            leaving.append(queue.popleft())
            if head._opened:
                head.close_strings()
        return leaving


def _around(raw: bytes, text: str) -> tuple[bytes, bytes] | None:
    """What stands before and after a piece of text in the JSON that holds it, the quotes too; None where that cannot be
    told."""
    if not text:
        return None
    try:
        spelt = orjson.dumps(text)
    except TypeError:  # a lone surrogate
        return None
    before, found, after = raw.partition(spelt)
    if not found and not text.isascii():
        spelt = json.dumps(text).encode("ascii")
        before, found, after = raw.partition(spelt)
    return (before + b'"', b'"' + after) if found and spelt not in after else None


class GenericLanes(Lanes[E]):
    """Lanes of events whose shape nobody described: every string is a lane of mode `auto`, known by its own path."""

    __slots__ = ()

    def __init__(self, session: Restorer, *, patience: int = _PATIENCE) -> None:
        super().__init__(session, (), _every_leaf, patience=patience)

    def _state(self, key: tuple[Any, ...], name: Any) -> State:
        json = name in _JSON_NAMES
        return State(self._session.stream_object(json=json), "auto", json=json)


def _every_leaf(doc: Any, pieces: list[Piece], closes: list[tuple[Any, ...]]) -> None:
    del closes
    pieces.extend(piece for piece in leaves(doc) if not _is_name(piece[2], piece[3]))


def _is_name(name: Any, text: str) -> bool:
    known = isinstance(name, str) and (name in _KINDS or name == "id" or name.endswith("_id"))
    return known and _NAME.fullmatch(text) is not None
