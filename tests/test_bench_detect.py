"""The scorer of benchmarks/bench_detect.py measures what its page says."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "bench_detect.py"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_detect", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_detect"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("wording", ["a", "b"])
@pytest.mark.parametrize("kind", ["zh", "en", "synth", "secrets"])
def test_fresh_texts_are_the_same_for_a_seed_and_their_spans_lie_on_what_was_filled_in(
    monkeypatch: pytest.MonkeyPatch, kind: str, wording: str
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARK.parent))
    fresh = importlib.import_module("fresh")
    once, again, other = (fresh.documents(kind, wording, seed) for seed in (1, 1, 2))

    assert once == again != other
    assert len(once) > 200
    for one in once:
        assert not re.search(r"\{[a-z_0-9]+\}", one["text"]), one["text"]
        ends = [0, *(span["end"] for span in one["spans"])]
        assert all(before <= span["start"] < span["end"] for before, span in zip(ends, one["spans"], strict=False))
        assert all(one["text"][span["start"] : span["end"]].strip() for span in one["spans"])


def document(text: str, *spans: tuple[int, int, str], lang: str = "en") -> dict[str, Any]:
    return {"text": text, "spans": [{"start": s, "end": e, "label": label} for s, e, label in spans], "lang": lang}


@pytest.mark.parametrize(
    ("text", "gold", "found", "expected"),
    [
        pytest.param("Ann Lee", [(0, 7, "PERSON")], [(0, 7, "PERSON")], (1, 1, 1, 1, 1, 1), id="exact"),
        pytest.param("Ann Lee", [(0, 7, "PERSON")], [(0, 3, "NAME")], (1, 1, 0, 1, 1, 0), id="overlap, other name"),
        pytest.param("Ann Lee", [(0, 7, "PERSON")], [(0, 3, "PER"), (4, 7, "PER")], (1, 1, 1, 1, 1, 1), id="two are joined"),
        pytest.param("Ann Lee", [(0, 7, "PERSON")], [(0, 7, "EMAIL")], (1, 0, 0, 0, 0, 1), id="another label masks too"),
        pytest.param("Ann Lee", [(0, 7, "PERSON")], [], (1, 0, 0, 0, 0, 0), id="missed"),
        pytest.param("Rd 1,\nYork", [(0, 10, "ADDRESS")], [(0, 4, "ADDRESS"), (6, 10, "CITY")], (1, 1, 1, 1, 1, 1), id="lines of an address"),
        pytest.param("a@b Ann", [(0, 3, "EMAIL")], [(0, 3, "EMAIL_ADDRESS"), (4, 7, "PERSON")], (1, 1, 1, 1, 1, 1), id="labels that the file lacks"),
    ],
)  # fmt: skip
def test_counts_are_those_of_a_document(
    bench: ModuleType, text: str, gold: list[Any], found: list[Any], expected: tuple[int, ...]
) -> None:
    total = bench.score([document(text, *gold)], [found]).all

    assert (total.gold, total.predicted, total.exact, total.gold_met, total.predicted_met, total.covered) == expected


def test_chinese_names_are_not_joined_and_places_only_where_they_touch(bench: ModuleType) -> None:
    spans = [bench.Span(0, 2, "LOCATION"), bench.Span(2, 4, "LOCATION"), bench.Span(5, 6, "LOCATION")]

    assert bench.join(spans, "杭州西湖，山", "zh") == [bench.Span(0, 4, "LOCATION"), bench.Span(5, 6, "LOCATION")]
    names = [bench.Span(0, 2, "PERSON"), bench.Span(2, 4, "PERSON")]
    assert bench.join(names, "张伟李娜", "zh") == names


def test_findings_in_documents_without_spans_are_false_alarms(bench: ModuleType) -> None:
    result = bench.score([document("x", (0, 1, "ID")), document("y"), document("z")], [[], [(0, 1, "ID")], []])

    assert (result.harmless, result.alarmed, dict(result.alarms)) == (2, 1, {"ID": 1})


def test_a_file_is_printed_with_all_its_labels(bench: ModuleType) -> None:
    result = bench.score([document("a 1", (0, 1, "PERSON"), (2, 3, "ID"))], [[(0, 1, "PERSON")]])
    row = bench.as_json("file", result)

    assert row["overlap"] == [100.0, 50.0, 66.67]
    assert [line.split("|")[1].strip() for line in bench.table([row]).splitlines()[2:]] == ["**file**", "ID", "PERSON"]


def test_every_labelled_span_of_our_data_lies_in_its_text(bench: ModuleType) -> None:
    files = sorted((BENCHMARK.parent / "data").glob("*.jsonl"))

    assert len(files) == 3
    for path in files:
        for one in bench.read(path):
            assert all(0 <= span["start"] < span["end"] <= len(one["text"]) for span in one["spans"])
