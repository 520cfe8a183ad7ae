"""Masking by Presidio's recognisers, here and in Presidio itself: the same findings, and how much faster.

    python benchmarks/bench_presidio.py                 # a table, in about two minutes
    python benchmarks/bench_presidio.py --json          # the same as JSON
    python benchmarks/bench_presidio.py --count 20000 --rounds 9
    python benchmarks/bench_presidio.py --differences 20000    # no times, only the comparison; minutes
    python benchmarks/bench_presidio.py --parts                # what our side spends its time on

Both sides get Presidio's default English recognisers without an NLP model (NoOpNlpEngine). Texts come from corpus.py
with a seed of their own for every round, so neither side has seen them; rounds alternate between the sides; time is
the CPU time of this thread. Findings are compared on every text that both sides saw.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from corpus import Message, messages

from masking import Masker, presidio
from masking.core.rule import PresidioSource
from masking.presidio.bank import Bank
from masking.presidio.image import image
from masking.presidio.source import recognisers, runner

PHONE = "PhoneRecognizer"
_SEED = 20_000  # of the first round; others follow
_SELECTIONS: dict[str, Callable[[Message], bool]] = {
    "all": lambda one: True,
    "nothing personal": lambda one: not one.personal,
    "personal, English": lambda one: one.personal and one.kind == "en",
    "personal, Chinese": lambda one: one.personal and one.kind == "zh",
}
Found = list[tuple[str, int, int, float]]


def main() -> None:
    parser = argparse.ArgumentParser(description="Presidio's recognisers, here and in Presidio.")
    parser.add_argument("--count", type=int, default=4000, help="messages on our side, in all rounds together")
    parser.add_argument("--share", type=int, default=8, help="one message in so many is given to Presidio too")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--differences", type=int, metavar="TEXTS", help="compare the findings on so many texts")
    parser.add_argument("--parts", action="store_true", help="what our side spends its time on")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.parts:
        _show_parts(_parts(given.count), as_json=given.json)
        return
    if given.differences:
        sys.exit(_compared(given.differences, as_json=given.json))
    rows = [row for phone in (False, True) for row in _measured(phone, given.count, given.share, given.rounds)]
    if given.json:
        print(json.dumps(rows, indent=1))
    else:
        _show(rows)


def _compared(count: int, *, as_json: bool) -> int:
    """Compares the findings of all default recognisers on texts of a seed of their own; 1 where any differs."""
    names = _default_names(True)
    theirs = _presidio(names)
    ours = presidio.recognisers([PresidioSource(name, "en") for name in names])
    differing = findings = 0
    for one in messages(count, _SEED - 1):
        right = set(theirs(one.text))
        findings += len(right)
        differing += sorted(_plain(ours(one.text))) != sorted(right)
    if as_json:
        print(json.dumps({"texts": count, "findings": findings, "different": differing}))
    else:
        print(f"{count} texts, {findings} findings of Presidio's: different in {differing} texts")
    return 1 if differing else 0


def _parts(count: int) -> list[dict[str, Any]]:
    """Each part timed alone on texts that it has not seen, which leaves out what it costs that parts take turns."""
    names = _default_names(True)
    runners = [runner(recognisers(PresidioSource(name, "en"))[0]) for name in names]
    bank = Bank(runners)
    for one in messages(2000, 1):
        bank.find(one.text)
    texts = [one.text for one in messages(count, _SEED + 50)]
    datas = [text.encode() for text in texts]
    rows = []

    def timed(part: str, run: Callable[..., Any], given: Sequence[tuple[Any, ...]]) -> list[Any]:
        gc.collect()
        start = time.thread_time_ns()
        results = [run(*one) for one in given]
        spent = (time.thread_time_ns() - start) / 1000
        rows.append({"part": part, "us": round(spent / count, 2), "texts": round(len(given) / count, 3)})
        return results

    opened = timed("the gate", lambda data: bank._opened[tuple(bank._seen(data))], [(data,) for data in datas])
    known = [(text, data, *some) for text, data, some in zip(texts, datas, opened, strict=True) if some is not None]
    timed("runs of digits", bank._windows.find, [(text, data, marks) for text, data, _, marks in known if marks])
    phones = [index for index, one in enumerate(runners) if one.phones is not None]
    without = Bank([one for index, one in enumerate(runners) if index not in phones])._windows
    timed(
        "the same without telephone numbers",
        lambda text, data: without.find(text, data, (0,)),
        [(text, data) for text, data, _, marks in known if 0 in marks],
    )
    images = timed("images", image, [(text,) for text, _, patterns, _ in known if patterns])
    seen = iter(images)
    open_ = [(text, next(seen), dict(patterns)) for text, _, patterns, _ in known if patterns]
    for index, name in enumerate(names):
        given = [(text, data, some[index], []) for text, data, some in open_ if index in some]
        if given:
            timed(f"{name} beside runs", runners[index].add, given)
    timed("all together", bank.find, [(one.text,) for one in messages(count, _SEED + 51)])
    return rows


def _show_parts(rows: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    print(f"{'part':40} {'µs a message':>12} {'texts':>7}")
    for row in rows:
        print(f"{row['part']:40} {row['us']:12} {row['texts']:7.1%}")


def _measured(phone: bool, count: int, share: int, rounds: int) -> list[dict[str, Any]]:
    names = _default_names(phone)
    theirs = _presidio(names)
    ours = presidio.recognisers([PresidioSource(name, "en") for name in names])
    masker = Masker(presidio.category() if phone else _without_phone())
    rows: list[dict[str, Any]] = []
    _warm(theirs, ours, masker)
    for label, wanted in _SELECTIONS.items():
        samples = []
        differing = compared = 0
        for number in range(rounds):
            texts = [one.text for one in messages(4 * count // rounds, _SEED + number) if wanted(one)][
                : count // rounds
            ]
            shared = texts[::share]
            if number % 2:
                slow, expected = _timed(theirs, shared)
                fast, found = _timed(ours, texts)
            else:
                fast, found = _timed(ours, texts)
                slow, expected = _timed(theirs, shared)
            whole, _ = _timed(masker.mask, texts)
            samples.append((slow / len(shared), fast / len(texts), whole / len(texts)))
            compared += len(shared)
            differing += sum(
                sorted(_plain(mine)) != sorted(set(right)) for mine, right in zip(found[::share], expected, strict=True)
            )
        rows.append(_row(label, phone, samples, differing, compared))
    return rows


def _row(
    label: str, phone: bool, samples: Sequence[tuple[float, float, float]], differing: int, compared: int
) -> dict[str, Any]:
    ratios = sorted(slow / fast for slow, fast, _ in samples)
    return {
        "texts": label,
        "phone": phone,
        "presidio_us": round(statistics.median(slow for slow, _, _ in samples), 1),
        "ours_us": round(statistics.median(fast for _, fast, _ in samples), 1),
        "mask_us": round(statistics.median(whole for _, _, whole in samples), 1),
        "ratio": round(statistics.median(ratios), 1),
        "ratio_least": round(ratios[0], 1),
        "ratio_most": round(ratios[-1], 1),
        "mask_ratio": round(statistics.median(slow / whole for slow, _, whole in samples), 1),
        "different": differing,
        "compared": compared,
    }


def _show(rows: Sequence[dict[str, Any]]) -> None:
    head = ("texts", "phone", "Presidio", "ours", "ratio (spread)", "mask", "ratio")
    print("{:20} {:6} {:>9} {:>7} {:>20} {:>7} {:>6}  different".format(*head))
    for row in rows:
        spread = f"{row['ratio']}x ({row['ratio_least']}-{row['ratio_most']})"
        print(
            f"{row['texts']:20} {'with' if row['phone'] else 'no':6} {row['presidio_us']:9} {row['ours_us']:7} "
            f"{spread:>20} "
            f"{row['mask_us']:7} {row['mask_ratio']:5}x  {row['different']} of {row['compared']}"
        )
    print("microseconds a message, thread CPU time, median of the rounds; mask: a whole Masker.mask")


def _timed(run: Callable[[str], Any], texts: Sequence[str]) -> tuple[float, list[Any]]:
    """Microseconds for all texts, and what was found."""
    gc.collect()  # nobody pays for what the other side left
    start = time.thread_time_ns()
    found = [run(text) for text in texts]
    return (time.thread_time_ns() - start) / 1000, found


def _warm(*runs: Any) -> None:
    for one in messages(300, 1):
        for run in runs:
            run.mask(one.text) if isinstance(run, Masker) else run(one.text)


def _plain(found: Any) -> set[tuple[str, int, int, float]]:
    return {(one.label, one.start, one.end, one.score) for _, one in found}


def _default_names(phone: bool) -> list[str]:
    rules = presidio.category().rules
    names = [rule.source.recogniser for rule in rules if isinstance(rule.source, PresidioSource)]
    return [name for name in names if phone or name != PHONE]


def _without_phone() -> Any:
    from dataclasses import replace

    whole = presidio.category()
    return replace(whole, rules=tuple(rule for rule in whole.rules if rule.source.recogniser != PHONE))  # type: ignore[union-attr]


def _presidio(names: Sequence[str]) -> Callable[[str], Found]:
    import tldextract
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry, predefined_recognizers
    from presidio_analyzer.nlp_engine import NoOpNlpEngine

    # As Presidio without a network: the list of suffixes that its package brings.
    tldextract.extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)  # type: ignore[assignment]
    nothing = NoOpNlpEngine(models=[{"lang_code": "en", "model_name": "none"}])
    nothing.load()
    registry = RecognizerRegistry(recognizers=[getattr(predefined_recognizers, name)() for name in names])
    engine = AnalyzerEngine(registry=registry, nlp_engine=nothing)

    def analyse(text: str) -> Found:
        return [(one.entity_type, one.start, one.end, one.score) for one in engine.analyze(text, language="en")]

    return analyse


if __name__ == "__main__":
    main()
