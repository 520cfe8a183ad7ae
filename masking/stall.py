"""Shows what waits when a model's server pauses, for readers who would rather see half a value than nothing.

A stream keeps back what may still become a value or a placeholder. Whoever calls `say_unfinished` takes it after a
pause all the same, and takes the risk that its name tells: what is said may be the first half of a value that would
have been redacted, and the other half then stands alone and is said as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import suppress

from masking.core.links import Links
from masking.core.stream import Stream

__all__ = ["say_unfinished"]


async def say_unfinished(stream: Stream, pieces: AsyncIterable[str], *, after: float) -> AsyncIterator[str]:
    """What `stream` says as `pieces` arrive, and what waits in it once no piece has come for `after` seconds.

    What waits is then decided as if the text had ended, and what comes afterwards as if it had just begun. A link, an
    HTML tag or a placeholder that has begun with `<` is never cut off so: it waits for its end, because whether a value
    may stand in it depends on all of it. For asyncio. While something waits, `pieces` is read by a task of its own.
    Closing this iterator closes the other. Raises TypeError when `stream` is a lane of JSON, which half a string would
    break, ValueError when `after` is negative.
    """
    if not isinstance(stream, Stream):
        raise TypeError("say_unfinished takes a stream of text: session.stream_object(), without json=True")
    if not after >= 0:
        raise ValueError("after is a number of seconds, 0 or more")
    links = Links()  # the stream's own forgets on a flush that a link is open
    iterator = aiter(pieces)
    arriving: asyncio.Task[str | None] | None = None
    try:
        while True:
            if stream.held and not links.open:
                arriving = asyncio.create_task(_next(iterator))
                done, _ = await asyncio.wait({arriving}, timeout=after)
                if not done:
                    said = stream.flush()
                    if said:
                        yield said
                piece = await arriving
                arriving = None
            else:
                piece = await _next(iterator)
            if piece is None:
                break
            links.read(piece)
            said = stream.feed(piece)
            if said:
                yield said
        said = stream.flush()
        if said:
            yield said
    finally:
        if arriving is not None:
            arriving.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await arriving
        close = getattr(iterator, "aclose", None)
        if close is not None:
            await close()


async def _next(iterator: AsyncIterator[str]) -> str | None:
    """The next piece, None at the end: a task cannot end with StopAsyncIteration."""
    return await anext(iterator, None)
