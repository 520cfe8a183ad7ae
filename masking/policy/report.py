"""A report as text, JSON, JUnit or SARIF; the page for an auditor is in `masking.policy.page`.

Only the text shows what a case says, with the offending place marked: a suite holds invented values. JSON, JUnit and
SARIF go to other systems, and hold files, lines and offsets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import orjson

from masking.policy.result import CaseResult, LabelledResult, Report, Violation

__all__ = ["as_json", "as_junit", "as_sarif", "as_text", "marked", "place_of", "told"]

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LIMIT = 3  # violations of one case that are told in full


def as_text(report: Report, *, verbose: bool = False) -> Iterator[str]:
    """The lines of a report for people: what failed, which gaps are closed, and the count."""
    for suite in report.suites:
        for one in suite:
            if one.status == "failed":
                yield from told(one)
            elif one.status == "closed":
                yield f"{place_of(one)}: {one.name}: a known gap that is none any more: leave `known_gap` out"
            elif verbose and one.status == "gap":
                assert isinstance(one, CaseResult)
                yield f"{place_of(one)}: {one.name}: known gap: {one.case.known_gap}"
    if verbose:
        for policy in report.policies:
            yield f"{policy.name} {policy.version}, {policy.rules} rules, names {policy.names}, {policy.digest[:16]}"
        yield f"{report.seconds:.1f} s in {report.workers} {'process' if report.workers == 1 else 'processes'}"
    yield report.summary


def told(one: CaseResult | LabelledResult) -> Iterator[str]:
    """The lines that tell how a case does not hold, its place first."""
    yield f"{place_of(one)}: {one.name}: failed"
    shown: set[tuple[str, int, int]] = set()
    violations = _distinct(one.violations)
    for violation in violations[:_LIMIT]:
        yield f"  {violation}"
        place = (violation.text, violation.start, violation.end)
        if violation.end and place not in shown:
            shown.add(place)
            before, value, behind = marked(violation)
            yield f"    {before}⟦{value}⟧{behind}"
    if len(violations) > _LIMIT:
        yield f"  and {len(violations) - _LIMIT} more; --output json has them all"


def _distinct(violations: Sequence[Violation]) -> list[Violation]:
    """The violations without those that say of a wire what the text alone has said already."""
    texts = {(one.variant, one.message, one.start, one.end) for one in violations if one.lane == "text"}
    return [
        one
        for one in violations
        if one.lane not in ("json", "tool") or (one.variant, one.message, one.start, one.end) not in texts
    ]


def marked(violation: Violation, around: int = 60) -> tuple[str, str, str]:
    """The text of a violation before its place, at it, and behind it, each in one line that steers no terminal."""
    text, start, end = violation.text, violation.start, violation.end
    first, last = max(0, start - around), min(len(text), end + around)
    before = ("…" if first else "") + text[first:start]
    behind = text[end:last] + ("…" if last < len(text) else "")
    return _visible(before), _visible(text[start:end]), _visible(behind)


def _visible(text: str) -> str:
    return "".join("⏎" if one == "\n" else one if one.isprintable() else f"\\u{ord(one):04x}" for one in text)


def _file(one: CaseResult | LabelledResult) -> str:
    return one.case.file if isinstance(one, CaseResult) else one.labelled.suite_file


def _line(one: CaseResult | LabelledResult) -> int:
    return one.case.line if isinstance(one, CaseResult) else one.labelled.line


def place_of(one: CaseResult | LabelledResult) -> str:
    """The file and line of a case, as editors jump to it."""
    return f"{_file(one)}:{_line(one)}"


def as_json(report: Report) -> bytes:
    """One JSON document: counts, policies, and every case with its violations."""
    doc: dict[str, Any] = {
        "summary": dict(report.counts),
        "seconds": round(report.seconds, 3),
        "policies": [
            {key: getattr(one, key) for key in ("name", "version", "file", "digest", "rules", "names")}
            for one in report.policies
        ],
        "suites": [
            {
                "suite": suite.suite.name,
                "file": suite.suite.file,
                "cases": [_plain(one) for one in suite.cases],
                "labelled": [_plain(one) for one in suite.labelled],
            }
            for suite in report.suites
        ],
    }
    return orjson.dumps(doc, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _plain(one: CaseResult | LabelledResult) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": one.name,
        "line": _line(one),
        "status": one.status,
        "violations": [
            {key: getattr(each, key) for key in ("lane", "variant", "message", "start", "end", "line", "what")}
            for each in one.violations
        ],
    }
    if isinstance(one, CaseResult):
        known_gap = {"known_gap": one.case.known_gap} if one.case.known_gap else {}
        return {**row, **known_gap, "checks": one.checks, "rules": sorted(one.rules), "seconds": round(one.seconds, 4)}
    shares = {
        entity: {"recall": round(tally.recall, 4), "precision": round(tally.precision, 4), "labelled": tally.gold}
        for entity, tally in (("all", one.all), *one.entities.items())
    }
    return {**row, "texts": one.texts, "shares": shares, "seconds": round(one.seconds, 4)}


def as_junit(report: Report) -> str:
    """JUnit XML as build servers read it: a suite per file, a gap as skipped."""
    lines = ['<?xml version="1.0" encoding="utf-8"?>']
    counts = report.counts
    lines.append(
        f'<testsuites tests="{sum(counts.values())}" failures="{counts["failed"]}" time="{report.seconds:.3f}">'
    )
    for suite in report.suites:
        rows = list(suite)
        failed = sum(one.status == "failed" for one in rows)
        skipped = sum(one.status == "gap" for one in rows)
        name = quoteattr(suite.suite.name)
        lines.append(f'  <testsuite name={name} tests="{len(rows)}" failures="{failed}" skipped="{skipped}">')
        for one in rows:
            place = f'file={quoteattr(_file(one))} line="{_line(one)}"'
            head = f'    <testcase classname={name} name={quoteattr(one.name)} {place} time="{one.seconds:.4f}"'
            if one.status == "failed":
                said = quoteattr("\n".join(map(str, one.violations)))
                lines += [f"{head}>", f"      <failure message={said}/>", "    </testcase>"]
            elif one.status == "gap":
                assert isinstance(one, CaseResult)
                lines += [f"{head}>", f"      <skipped message={quoteattr(one.case.known_gap)}/>", "    </testcase>"]
            else:
                lines.append(f"{head}/>")
        lines.append("  </testsuite>")
    return "\n".join([*lines, "</testsuites>", ""])


def as_sarif(report: Report) -> bytes:
    """SARIF 2.1.0, as code hosts show it beside the suite's lines. OASIS SARIF 2.1.0 §3.27."""
    results = [
        {
            "ruleId": f"masking/{violation.lane}",
            "level": "error",
            "message": {"text": f"{one.name}: {violation}"},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": _uri(_file(one))},
                        "region": {"startLine": violation.line or _line(one)},
                    }
                }
            ],
        }
        for suite in report.suites
        for one in suite
        if one.status == "failed"
        for violation in one.violations
    ]
    lanes = sorted({str(result["ruleId"]) for result in results})
    driver = {"name": "masking policy test", "rules": [{"id": lane} for lane in lanes]}
    doc = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}
    return orjson.dumps(doc, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _uri(file: str) -> str:
    path = Path(file)
    return path.as_uri() if path.is_absolute() else path.as_posix()
