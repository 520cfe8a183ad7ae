"""A function's answer, restored whole or as it flows."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Iterator,
)
from typing import Any

from masking.core.descriptor import Descriptors
from masking.core.held import Held
from masking.core.lane import GenericLanes, Lanes
from masking.core.session import Session
from masking.decorator import tea
from masking.decorator.copies import Copies, is_data, is_plain, is_text

__all__ = ["Answer", "Events", "aflow", "flow"]


class Answer:
    """What becomes of a function's result; ends the session when nothing more can come."""

    def __init__(
        self,
        session: Session,
        shapes: Descriptors,
        finished: Callable[[Session], None],
        other: Callable[[Any, Session], Any] | None = None,
        attribute: Callable[[Any], Any] | None = None,
    ) -> None:
        """`other` takes what is neither text nor data nor a stream, with the session; `attribute` an attribute of a
        stream, which otherwise is handed out as it is."""
        self._session = session
        self._shapes = shapes
        self._finished = finished
        self._other = other
        self._attribute = attribute or _same

    def restored(self, result: Any) -> Any:
        """The result restored, or a stand-in that restores it as it comes."""
        if inspect.isawaitable(result):
            return self._awaited(result)
        if not is_text(result) and not is_data(result):
            events = Events(self._session, self._shapes)
            finished = functools.partial(self._finished, self._session)
            if hasattr(result, "__anext__"):
                return _AsyncStream(result, aflow(result, events), finished, self._attribute)
            if hasattr(result, "__next__"):
                return _SyncStream(result, flow(result, events), finished, self._attribute)
            if self._other is not None and not is_plain(result):
                return self._other(result, self._session)
        try:
            return _whole(result, self._session, self._shapes)
        finally:
            self._finished(self._session)

    async def _awaited(self, result: Awaitable[Any]) -> Any:
        try:
            return self.restored(await result)
        except BaseException:
            self._finished(self._session)
            raise


def _same(value: Any) -> Any:
    return value


def _whole(result: Any, session: Session, shapes: Descriptors) -> Any:
    """A whole answer restored, in a copy."""
    if is_text(result):
        return session.restore(result)
    if not is_data(result):
        return result
    if tea.is_model(result):
        doc, changed = shapes.replies.restore(
            tea.document(result), session.restore, lambda text: session.restore(text, json=True)
        )
        return tea.rebuilt(result, doc) if changed else result
    copies = Copies("", session.restore)
    made = copies.of(result)
    restored, _ = shapes.replies.restore(made, session.restore, lambda text: session.restore(text, json=True))
    return copies.finished(restored)


def flow(source: Iterable[Any], events: Events) -> Generator[Any, None, None]:
    """The events of `source`, restored; closes `source` when it ends or is closed."""
    try:
        for item in source:
            yield from events.feed(item)
        yield from events.close()
    finally:
        _close(source)


async def aflow(source: AsyncIterable[Any], events: Events) -> AsyncGenerator[Any, None]:
    """As `flow`, asynchronously."""
    try:
        async for item in source:
            for event in events.feed(item):
                yield event
        for event in events.close():
            yield event
    finally:
        await _aclose(source)


def _close(source: Any) -> None:
    close = getattr(source, "close", None)
    if callable(close):
        close()


async def _aclose(source: Any) -> None:
    close = getattr(source, "aclose", None) or getattr(source, "close", None)
    if callable(close):
        closing = close()
        if inspect.isawaitable(closing):
            await closing


class Events:
    """Restores the items of one stream: pieces of text, or events in the shape of some API, in the order they came."""

    def __init__(self, session: Session, shapes: Descriptors) -> None:
        self._session = session
        self._shapes = shapes
        self._text = session.stream_object()
        self._lanes: Lanes[Any] | None = None
        self._known = False

    def feed(self, item: Any) -> list[Any]:
        """What may leave now that `item` has come."""
        if is_text(item):
            said = self._text.feed(item)
            return [*self._left(), said] if said else self._left()
        doc = list(item) if isinstance(item, tuple) else item
        if not is_data(doc):
            return [*self._said(), item]
        if tea.is_model(item):
            doc = tea.document(item)
        return [*self._said(), *self._lanes_of(doc, item)]

    def close(self) -> list[Any]:
        """What still waited."""
        return [*self._left(), *self._said()]

    def _said(self) -> list[str]:
        said = self._text.flush() if self._text.held else ""
        return [said] if said else []

    def _left(self) -> list[Any]:
        if self._lanes is None:
            return []
        left = self._lanes.close()
        self._lanes, self._known = None, False
        return [_rebuilt(held) for held in left]

    def _lanes_of(self, doc: Any, item: Any) -> list[Any]:
        left: list[Any] = []
        if not self._known:
            found = self._described(doc)
            if found is not None:
                left = self._left()
                self._lanes, self._known = found, True
            elif self._lanes is None:
                self._lanes = GenericLanes(self._session)
        assert self._lanes is not None
        return left + [_rebuilt(held) for held in self._lanes.feed(item, doc)]

    def _described(self, doc: Any) -> Lanes[Any] | None:
        """The lanes of the first descriptor that sees its shape in `doc`."""
        for shape in self._shapes:
            # What an API sends in pieces or as repeats, its SDK may have merged: then the lane finds out by itself.
            unsure = self._shapes.unsure
            modes = [dataclasses.replace(lane, mode="auto") if lane.text in unsure else lane for lane in shape.lanes]
            lanes: Lanes[Any] = Lanes(
                self._session, modes, shape.find_in_objects, shape.event, opens=shape.opens_in_objects
            )
            if lanes.sees(doc):
                return lanes
        return None


def _rebuilt(held: Held[Any]) -> Any:
    item = held.event
    if held.changed and tea.is_model(item):
        return tea.rebuilt(item, held.doc)
    if not isinstance(item, tuple) or not held.changed:
        return item
    return type(item)._make(held.doc) if hasattr(item, "_make") else type(item)(held.doc)


class _SyncStream:
    """The stand-in of a stream: its events restored, its other attributes its own."""

    def __init__(
        self,
        source: Any,
        flow: Generator[Any, None, None],
        finished: Callable[[], None],
        attribute: Callable[[Any], Any],
    ) -> None:
        self._source = source
        self._flow = flow
        self._finished = finished
        self._attribute = attribute

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            return next(self._flow)
        except BaseException:
            self._finished()
            raise

    def __enter__(self) -> _SyncStream:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End the stream now: what it read from is closed, and its values are forgotten."""
        self._flow.close()
        _close(self._source)  # a generator that was never started closes nothing
        self._finished()

    def __getattr__(self, name: str) -> Any:
        return self._attribute(getattr(self._source, name))


class _AsyncStream:
    """As `_SyncStream`, asynchronously."""

    def __init__(
        self,
        source: Any,
        flow: AsyncGenerator[Any, None],
        finished: Callable[[], None],
        attribute: Callable[[Any], Any],
    ) -> None:
        self._source = source
        self._flow = flow
        self._finished = finished
        self._attribute = attribute

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        try:
            return await anext(self._flow)
        except BaseException:
            self._finished()
            raise

    async def __aenter__(self) -> _AsyncStream:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the stream now: what it read from is closed, and its values are forgotten."""
        await self._flow.aclose()
        await _aclose(self._source)
        self._finished()

    aclose = close

    def __getattr__(self, name: str) -> Any:
        return self._attribute(getattr(self._source, name))
