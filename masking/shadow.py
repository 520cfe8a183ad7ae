"""Shadow mode: a candidate category reads what the active one masks, and only tells where it would differ.

    shadow = Shadow("./rules/UserInfo.next.yaml", ShadowFile("differences.jsonl"))
    masker = Masker("UserInfo", shadow=shadow)

What leaves and what comes back is the active category's alone, whatever the candidate finds and whatever goes wrong in
it. The price is a second scan of each distinct text.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from secrets import token_bytes
from threading import Lock

from masking.core.difference import Difference, differences
from masking.core.errors import ConfigurationError
from masking.core.finding import Finding
from masking.core.rule import Category
from masking.core.scan import Scanner

__all__ = ["Shadow", "ShadowFile"]

_KNOWN = 8192  # texts


class Shadow:
    """A candidate category beside an active one: `Masker("UserInfo", shadow=Shadow(candidate, report))`.

    `candidate` is what Masker takes as a category. `report` is called with the differences of a text that has some:
    entities, offsets, rules, never values. A text that comes again, as a conversation does with each turn, is told
    once. `counts` says how many distinct texts were read (`texts`), differed (`differing`) or could not be compared
    (`failed`), and how often each change was met.

    One shadow belongs to one masker; it may be used from several threads, and calls `report` from each.
    """

    def __init__(
        self,
        candidate: str | Path | Category | Sequence[str | Path | Category],
        report: Callable[[Sequence[Difference]], object] | None = None,
    ) -> None:
        self.candidate = candidate
        self.report = report
        self._lock = Lock()
        self._counts: Counter[str] = Counter()
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._secret = token_bytes(32)

    @property
    def counts(self) -> Mapping[str, int]:
        """What was met so far."""
        with self._lock:
            return dict(self._counts)

    def look(self, active: Scanner, candidate: Scanner, text: str, findings: Sequence[Finding]) -> None:
        """Compare what `active` found in `text` with what `candidate` finds; never raises."""
        if not self._is_new(text):
            return
        try:
            operators = (_operators(active.category), _operators(candidate.category))
            found = differences(findings, candidate.scan(text), operators)
            if found and self.report is not None:
                self.report(found)
        except Exception:  # noqa: BLE001 - a candidate that fails must not stop what the active category does
            self._count({"texts": 1, "failed": 1})
            return
        self._count({"texts": 1, "differing": bool(found), **Counter(one.change for one in found)})

    def _is_new(self, text: str) -> bool:
        key = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, key=self._secret).digest()
        with self._lock:
            new = key not in self._known
            self._known[key] = None
            self._known.move_to_end(key)
            if len(self._known) > _KNOWN:
                self._known.popitem(last=False)
        return new

    def _count(self, more: Mapping[str, int]) -> None:
        with self._lock:
            self._counts.update({key: count for key, count in more.items() if count})


class ShadowFile:
    """A report that appends a JSON line per text that differs: `{"differences": [{"change": …, "start": …}, …]}`.

    The file holds no value. Raises ConfigurationError where it cannot be opened for appending.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._lock = Lock()
        try:
            with self._path.open("ab"):
                pass
        except OSError as error:
            raise ConfigurationError(f"cannot write the shadow report {path}: {error.strerror}") from None

    def __call__(self, found: Sequence[Difference]) -> None:
        """Append the differences of one text."""
        import orjson

        rows = [{key: getattr(one, key) for key in Difference.__slots__ if getattr(one, key) != ""} for one in found]
        line = orjson.dumps({"differences": rows}, option=orjson.OPT_APPEND_NEWLINE)
        with self._lock, self._path.open("ab") as file:
            file.write(line)


def _operators(category: Category) -> Callable[[str], object]:
    known = {rule.id: (rule.request.name, rule.request.parameters) for rule in category.rules}
    return known.get
