"""A report as one page that an auditor can read and print without us: no script, nothing loaded from anywhere.

It shows the texts of the cases, which are invented; a report of your own suites is as public as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from masking.core.errors import ConfigurationError
from masking.policy.coverage import Cover
from masking.policy.report import marked, place_of
from masking.policy.result import CaseResult, LabelledResult, Report, Tally, Violation
from masking.policy.wording import WORDS

__all__ = ["as_html"]

_LONG = 400  # characters of a case's text that are shown
_MANY = 6  # violations of a case that are shown


def as_html(report: Report, covers: Sequence[Cover] = (), *, lang: str = "en", date: str = "") -> str:
    """The page, in English or Chinese; `date` is when the run was, as people read it. Raises ConfigurationError."""
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError:
        raise ConfigurationError("the HTML report needs Jinja: run `pip install 'masking-pipeline[studio]'`") from None
    from masking import __version__

    environment = Environment(
        loader=PackageLoader("masking.policy"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    results = [one for suite in report.suites for one in suite]
    cases = [one for one in results if isinstance(one, CaseResult)]
    return environment.get_template("report.html").render(
        report=report,
        lang="zh-CN" if lang == "zh" else "en",
        words=WORDS[lang],
        date=date,
        version=__version__,
        counts=report.counts,
        checks=f"{sum(one.checks for one in cases):,}",
        suites=[_suite(suite, lang) for suite in report.suites],
        failures=[_failure(one) for one in results if one.status == "failed"],
        gaps=[_gap(one) for one in cases if one.status in ("gap", "closed")],
        labelled=[_labelled(one) for one in results if isinstance(one, LabelledResult)],
        categories=list(dict.fromkeys(one.category for one in covers)),
        obligations=_obligations(covers, lang),
        cases=[_case(one) for one in cases],
    )


def _suite(suite: Any, lang: str) -> dict[str, Any]:
    rows = list(suite)
    return {
        "name": suite.suite.name,
        "about": _said(suite.suite.about, lang),
        "total": len(rows),
        "passed": sum(one.status == "passed" for one in rows),
        "failed": sum(one.status == "failed" for one in rows),
        "gaps": sum(one.status in ("gap", "closed") for one in rows),
    }


def _failure(one: CaseResult | LabelledResult) -> dict[str, Any]:
    return {
        "name": one.name,
        "place": place_of(one),
        "violations": [_violation(each) for each in one.violations[:_MANY]],
    }


def _violation(one: Violation) -> dict[str, Any]:
    before, value, behind = marked(one)
    return {"said": str(one), "shown": bool(one.end), "before": before, "value": value, "behind": behind}


def _gap(one: CaseResult) -> dict[str, Any]:
    return {"name": one.name, "text": _text(one), "why": one.case.known_gap, "closed": one.status == "closed"}


def _case(one: CaseResult) -> dict[str, Any]:
    entities = ", ".join(sorted(one.entities)) or "–"
    return {"name": one.name, "text": _text(one), "entities": entities, "status": one.status}


def _text(one: CaseResult) -> str:
    text = "\n".join(message.text for message in one.case.messages)
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"


def _labelled(one: LabelledResult) -> dict[str, Any]:
    rows: list[tuple[str, Tally]] = [("", one.all), *one.entities.items()]
    return {"name": one.name, "shares": rows}


def _obligations(covers: Iterable[Cover], lang: str) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    items: dict[tuple[str, str], dict[str, Any]] = {}
    for one in covers:
        obligation = one.obligation
        page = found.setdefault(
            obligation.name,
            {
                "about": _said(obligation.about, lang) or obligation.name,
                "title": obligation.title,
                "url": obligation.url,
                "rows": [],
            },
        )
        key = (obligation.name, one.item.id)
        if key not in items:
            items[key] = {
                "about": _said(one.item.about, lang) or one.item.id,
                "source": one.item.source,
                "gap": _said(one.item.gap, lang),
                "cells": [],
            }
            page["rows"].append(items[key])
        items[key]["cells"].append(
            {"category": one.category, "state": one.state, "cases": one.cases, "lacking": one.lacking}
        )
    return list(found.values())


def _said(about: Mapping[str, str], lang: str) -> str:
    return about.get(lang) or next(iter(about.values()), "")
