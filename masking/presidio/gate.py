"""Proves in one pass over a text that most of Presidio's patterns match nowhere in it.

One RE2 set for all recognisers' patterns would learn a state for every combination of patterns met so far, and slow
down on unseen texts. So the set holds a few coarse triggers only, such as six digits in a row, and a pattern is opened
when all triggers that its matches cannot do without were met. That they cannot is worked out here, from the shapes
that a match can have; a pattern that no trigger serves gets one of its own, and one without shapes is always open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import exp, log
from typing import Final

from masking.presidio.image import odd_pattern
from masking.presidio.shape import Run, Shape, alternatives, serves, shapes
from masking.presidio.syntax import byte_class

__all__ = ["Gate", "Open", "any_of"]

_TRIGGERS: Final = (
    r"\b[0-9]{6}",
    r"[0-9]{6}\b",
    r"\b[0-9]{8}",
    r"\b[0-9]{9}\b",
    r"[0-9]{3}[ .\-]?[0-9]{3}",
    r"\b[0-9]{3}[ .\-]?[0-9]{3}[ .\-]?[0-9]{3}",
    r"\b[0-9]{4}[ .\-]?[0-9]{4}[ .\-]?[0-9]|\b[0-9]{4}[ .\-]?[0-9]{3}[ .\-]?[0-9]{3}",
    r"\b[0-9]{3}[ .\-][0-9]{2}[ .\-][0-9]",
    r"\b[0-9]{5}[ \-][0-9]{4}\b|\b[0-9]{3}[ \-][0-9]{6}\b",
    r"\b[0-9]{1,4}[/.\-][0-9]{1,2}[/.\-][0-9]",
    r"[0-9][/.\-](?:[0-9]|[A-Za-z]{3})|[A-Za-z]{3}-[0-9]{2}",
    r"[0-9][/\-][A-Za-z]{3}|[A-Za-z]{3}-[0-9]{2}",
    "[0-9]/[0-9]{2}",
    r"[A-Za-z][0-9]{3}|[0-9]{3}[A-Za-z]|[0-9][A-Za-z][0-9]|[A-Za-z][0-9][A-Za-z]",
    r"[A-Za-z]{1,3}[ \-]?[0-9]{2}|[0-9]{2}[ \-]?[A-Za-z]{2}",
    r"\b[A-Za-z0-9][0-9]{7}",
    "@",
    r"[A-Za-z0-9\-.][.][A-Za-z]{2}",
    r"(?i)https?://",
    "[\"']",
    r"[0-9][.][0-9]{1,3}[.][0-9]",
    r"::|:[0-9A-Fa-f]{1,4}:|[0-9A-Fa-f]:[0-9A-Fa-f]",
    r"::|[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{1,4}:",
    r"::|:[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{1,4}:",
    r"[A-Za-z]{2}[0-9]{2}[ \-]?[A-Za-z0-9]{4}",
    "[A-Za-z0-9]{26}",
    r"\b[0-9A-Fa-f]{2}[:\-][0-9A-Fa-f]{2}[:\-][0-9A-Fa-f]{2}[:\-]|\b[0-9A-Fa-f]{4}[.][0-9A-Fa-f]{4}[.]",
    r"\b[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}",
)
_LONGEST_RUN: Final = 6
_TURN: Final = 4  # as much as two digits more
_DIGITS: Final = frozenset(b"0123456789")
_LETTERS: Final = frozenset(range(0x41, 0x5B)) | frozenset(range(0x61, 0x7B))
_COARSE: Final = (_DIGITS, _LETTERS, _DIGITS | _LETTERS)
_MOST_KNOWN: Final = 20_000  # combinations of triggers
_MEMORY: Final = 32 << 20  # bytes; when the automaton outgrows it, RE2 starts its cache again


Open = tuple[tuple[int, tuple[int, ...]], ...]
"""Owners' numbers, each with the numbers of those of its patterns that may match."""
Opened = tuple[Open, tuple[int, ...]] | None


class Gate:
    """Says which patterns may match a text, each owner's given as (pattern, flags), and which marks stand in it.

    In place of a pattern None may stand, for one that is looked for otherwise. Marks are patterns for RE2 on UTF-8.
    """

    __slots__ = ("_known", "_marks", "_needs", "_places", "_triggers", "opened", "seen")

    def __init__(self, owners: Sequence[Sequence[tuple[str, int] | None]], marks: Sequence[str] = ()) -> None:
        given = [
            (owner, number, one)
            for owner, some in enumerate(owners)
            for number, one in enumerate(some)
            if one is not None
        ]
        self._places = [(owner, number) for owner, number, _ in given]
        needs = [_needs(*one) for _, _, one in given]
        self._triggers = sorted(set().union(*needs))
        at = {name: 1 << index for index, name in enumerate(self._triggers)}
        self._needs = [sum(at[name] for name in names) for names in needs]
        self._marks = len(marks)
        self._known: dict[int, Open] = {}
        self.opened = _Opened(self._opened)
        """By what `seen` gives, the patterns worth running on the image of the text, and the numbers of its marks.

        None where everything must be run, and on the text itself.
        """
        self.seen: Callable[[bytes], Sequence[int]] = _nothing
        """What of the gate's own stands in a text, which is given in UTF-8."""
        try:
            import re2
        except ImportError:  # no wheel for this platform: everything is open, and every text is run as Presidio does
            return
        options = re2.Options()
        options.max_mem = _MEMORY
        options.log_errors = False
        chosen = re2.Set.SearchSet(options)
        for trigger in (*self._triggers, *marks, odd_pattern(), ""):
            # The last matches everything, so an answer without it tells of an automaton that ran out of memory.
            chosen.Add(trigger)
        chosen.Compile()
        self.seen = chosen._set.Match  # the public wrapper only encodes

    def _opened(self, met: Sequence[int]) -> Opened:
        triggers, odd = len(self._triggers), len(self._triggers) + self._marks
        if odd in met or odd + 1 not in met:
            return None
        mask = sum(1 << index for index in met if index < triggers)
        return self._open(mask), tuple(index - triggers for index in met if triggers <= index < odd)

    def _open(self, mask: int) -> Open:
        known = self._known.get(mask)
        if known is None:
            by_owner: dict[int, list[int]] = {}
            for (owner, number), need in zip(self._places, self._needs, strict=True):
                if need & mask == need:
                    by_owner.setdefault(owner, []).append(number)
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            known = self._known[mask] = tuple((owner, tuple(some)) for owner, some in by_owner.items())
        return known


class _Opened(dict[tuple[int, ...], Opened]):
    def __init__(self, work_out: Callable[[Sequence[int]], Opened]) -> None:
        super().__init__()
        self._work_out = work_out

    def __missing__(self, met: tuple[int, ...]) -> Opened:
        if len(self) >= _MOST_KNOWN:
            self.clear()
        self[met] = opened = self._work_out(met)
        return opened


def _nothing(_data: bytes) -> Sequence[int]:
    return ()


def any_of(patterns: Iterable[tuple[str, int]]) -> str:
    """A pattern for RE2 on UTF-8 that matches wherever one of some patterns, given with their flags, does."""
    chosen: set[str] = set()
    for pattern, flags in patterns:
        of = shapes(pattern, flags)
        names = [name for name in _TRIGGERS if serves(name, of)] if of else []
        chosen.add(min(names, key=_often) if names else _own(of) if of else "")
    return "|".join(f"(?:{one})" for one in sorted(chosen))


def _needs(pattern: str, flags: int) -> set[str]:
    """The triggers that every match of a pattern has."""
    of = shapes(pattern, flags)
    if not of:
        return set()
    return {name for name in _TRIGGERS if serves(name, of)} or {_own(of)}


def _often(trigger: str) -> float:
    """How often a trigger is to be expected in any text."""
    return sum(exp(_rareness(run)) for run in alternatives(trigger))


def _rareness(run: Run) -> float:
    # A digit beside a letter is rarer than either.
    pairs = zip(run.cells, run.cells[1:], strict=False)
    turns = sum((one <= _DIGITS) is not (other <= _DIGITS) for one, other in pairs)
    return sum(log(len(cell) / 128) for cell in run.cells) - len(run.edges) - _TURN * turns


def _own(of: Sequence[Shape]) -> str:
    """A trigger from the rarest stretch of each shape, with coarse classes so that few remain."""
    chosen = dict.fromkeys(_rarest(shape) for shape in of)
    kept = [one for one in chosen if not any(other != one and one.contains(other) for other in chosen)]
    return "|".join(map(_written, kept))


def _written(run: Run) -> str:
    places = [r"\b" if at in run.edges else "" for at in range(len(run.cells) + 1)]
    return "".join(edge + byte_class(cell) for edge, cell in zip(places, run.cells, strict=False)) + places[-1]


def _rarest(shape: Shape) -> Run:
    stretches = [
        Run(
            tuple(_coarse(cell) for cell in run.cells[start : start + _LONGEST_RUN]),
            frozenset(edge - start for edge in run.edges if start <= edge <= min(start + _LONGEST_RUN, len(run.cells))),
        )
        for run in shape
        for start in range(max(1, len(run.cells) - _LONGEST_RUN + 1))
    ]
    return min(stretches, key=_rareness)


def _coarse(cell: frozenset[int]) -> frozenset[int]:
    if len(cell) > 2:
        for wide in _COARSE:
            if cell <= wide:
                return wide
    return cell
