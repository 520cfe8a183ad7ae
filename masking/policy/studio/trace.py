"""An answer streamed through a session piece by piece: what arrives, what goes out, what waits."""

from __future__ import annotations

from dataclasses import dataclass

from masking.core.session import Session
from masking.core.stream import Stream

__all__ = ["LONGEST", "Step", "Trace", "trace"]

LONGEST = 4_000
"""Characters of an answer that is traced."""


@dataclass(frozen=True, slots=True, repr=False)
class Step:
    """One piece: `arrives` from the model (empty at the end), `leaves` to the caller, `waits` afterwards."""

    number: int
    arrives: str
    leaves: str
    waits: str
    end: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Trace:
    """A whole answer: its steps, what the caller gets, and whether that equals the answer restored in one piece."""

    steps: tuple[Step, ...]
    answer: str
    restored: str
    same: bool
    most: int
    """The most characters that waited after a piece."""


def trace(session: Session, answer: str, cut: int) -> Trace:
    """`answer` in pieces of `cut` characters, all at once for 0."""
    stream = session.stream_object()
    assert isinstance(stream, Stream)  # it would be a JsonStream for JSON only
    steps: list[Step] = []
    size = cut or max(1, len(answer))
    for at in range(0, len(answer), size):
        piece = answer[at : at + size]
        leaves = stream.feed(piece)
        steps.append(Step(len(steps) + 1, piece, leaves, stream.waiting))
    last = stream.flush()
    if last:
        steps.append(Step(len(steps) + 1, "", last, "", end=True))
    restored = "".join(step.leaves for step in steps)
    most = max((len(step.waits) for step in steps), default=0)
    return Trace(tuple(steps), answer, restored, restored == session.restore(answer), most)
