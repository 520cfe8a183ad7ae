"""What scanning costs on text that was not seen before: the gate, whole scans by kind of text, the dearest rules.

    python benchmarks/bench_rules.py [-c CATEGORY] [--count 60000] [--seed N] [--json]

Models are left out: they cost milliseconds. Some other messages are scanned first, so that imports do not count. Times
are CPU microseconds of one thread; `gate` is given for each sixth of
the messages, since an automaton that grows with every new text shows there. Also the time to load the category.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import Counter
from dataclasses import replace
from typing import Any

from corpus import messages

from masking.core.gate import Gate
from masking.core.rule import PatternSource, TermSource
from masking.core.scan import Scanner
from masking.core.view import View
from masking.files import read_category
from masking.masker import detector

_WARM = 2000


def load(name: str) -> tuple[Scanner, float]:
    """The category's rules without models, and the CPU milliseconds of a second loading (imports done)."""
    read_category("Minimal" if name != "Minimal" else "UserInfo")
    start = time.thread_time()
    category = read_category(name)
    kept = tuple(rule for rule in category.rules if isinstance(rule.source, (PatternSource, TermSource)))
    scanner = Scanner(replace(category, rules=kept), detector)
    return scanner, 1000 * (time.thread_time() - start)


def measure(scanner: Scanner, count: int, seed: int) -> dict[str, Any]:
    """All the figures, in microseconds a message."""
    corpus = list(messages(count, seed))
    gate = Gate(
        [p for rule in scanner.category.rules if isinstance(rule.source, PatternSource) for p in rule.source.patterns]
    )
    sixth = max(1, count // 6)
    climb = []
    for at in range(0, count, sixth):
        views = [View(one.text) for one in corpus[at : at + sixth]]
        for view in views:
            _ = view.utf8
        climb.append(_timed(lambda some=views: [gate.open_for(view) for view in some], len(views)))
    for one in messages(_WARM, seed + 1):  # checks import their tables when they are first asked
        scanner.scan(one.text)
    kinds = {}
    for kind in ("en", "zh", "code", "log"):
        for personal in (False, True):
            texts = [one.text for one in corpus if one.kind == kind and one.personal == personal][:4000]
            if texts:
                name = f"{kind}{' with personal data' if personal else ''}"
                spent = _timed(lambda some=texts: [scanner.scan(text) for text in some], len(texts))
                kinds[name] = {"us": spent, "characters": round(statistics.mean(map(len, texts)))}
    return {"gate": climb, "scan": kinds, "rules": _rules(scanner, corpus[: min(count, 4000)])}


def _rules(scanner: Scanner, corpus: list[Any]) -> dict[str, float]:
    spent: Counter[str] = Counter()
    for rule in scanner.category.rules:
        source = rule.source
        if not isinstance(source, PatternSource):
            continue
        gate = Gate(source.patterns)
        accept = source.accepts if source.checks else None
        views = [View(one.text) for one in corpus]
        opened = [(view, source.patterns[index], bound) for view in views for index, bound in gate.opened(view)]
        for view, _, _ in opened:
            _ = view.image, view.utf8
        start = time.thread_time()
        for view, pattern, bound in opened:
            pattern.matches(view, accept, 0, bound)
        spent[rule.id] = 1e6 * (time.thread_time() - start) / len(corpus)
    return {rule: round(cost, 2) for rule, cost in spent.most_common(12)}


def _timed(call: Any, count: int) -> float:
    start = time.thread_time()
    call()
    return round(1e6 * (time.thread_time() - start) / count, 1)


def main() -> None:
    """Print the figures."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("-c", "--category", default="UserInfo")
    arguments.add_argument("--count", type=int, default=60_000)
    arguments.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args()
    scanner, loaded = load(given.category)
    result = {"category": given.category, "seed": given.seed, "load_ms": round(loaded, 1)}
    result |= measure(scanner, given.count, given.seed)
    if given.json:
        print(json.dumps(result))
        return
    print(f"{given.category}, {given.count} messages, seed {given.seed}: loaded in {loaded:.0f} ms\n")
    print("| what | µs a message |\n| --- | ---: |")
    print(f"| gate, sixth by sixth | {' '.join(map(str, result['gate']))} |")
    for kind, row in result["scan"].items():
        print(f"| scan, {kind}, {row['characters']} characters | {row['us']} |")
    for rule, spent in result["rules"].items():
        print(f"| {rule} | {spent} |")


if __name__ == "__main__":
    main()
