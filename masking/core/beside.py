"""What appears in a text once placeholders are the neighbours of what stands between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from masking.core.edges import NEAR
from masking.core.finding import Finding
from masking.core.plan import Plan
from masking.core.streamview import StreamView

__all__ = ["beside"]

_REACH = 512  # characters that a match may be long


def beside(text: str, findings: Sequence[Finding], plan: Plan) -> list[Finding]:
    """The findings, and those that appear in what stands between them once placeholders are its neighbours.

    In 13800138000a@example.com the digits hide the address from its rule; the placeholder does not.
    """
    known = list(findings)
    view = StreamView(text)
    shown = view.text if view.aligned else None
    gaps = [(0, findings[0].start), (findings[-1].end, len(text))]
    gaps += [(one.end, after.start) for one, after in pairwise(findings)]
    while gaps:
        start, end = gaps.pop()
        found = list(_at_edges(text, start, end, plan, shown)) if end > start else []
        if found:
            known += found
            edges = [start, *(place for one in found for place in (one.start, one.end)), end]
            gaps += list(zip(edges[::2], edges[1::2], strict=True))
    return sorted(known, key=lambda finding: finding.start)


def _at_edges(text: str, start: int, end: int, plan: Plan, shown: str | None) -> Iterator[Finding]:
    """What is found at the edges of a stretch: further inside its neighbours are what they were.

    `shown` is what rules see of the text, where that stands at the same places.
    """
    for first, last in [(start, end)] if end - start <= 2 * _REACH else [(start, start + _REACH), (end - _REACH, end)]:
        if shown is None or plan.edges.may_hold(shown[first:last], head=first == start, tail=last == end):
            for one in plan.findings(text[first:last]):
                if one.start + first - start <= NEAR or end - one.end - first <= NEAR:
                    yield one._replace(start=one.start + first, end=one.end + first)
