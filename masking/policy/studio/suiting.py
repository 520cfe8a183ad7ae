"""The page of suites: which there are, what a run of one came to, the report to take away."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from masking.core.errors import ConfigurationError, MaskingError, ModelError
from masking.files import read_category, shipped
from masking.policy.coverage import cover, read_obligations
from masking.policy.page import as_html
from masking.policy.report import as_json, as_junit, as_sarif, marked
from masking.policy.result import Report, SuiteResult
from masking.policy.run import Policy, run_suite
from masking.policy.runner import run_suites
from masking.policy.studio.case import suite_names
from masking.policy.studio.draft import Draft, Drafts
from masking.policy.studio.form import read_form
from masking.policy.studio.messages import translator
from masking.policy.studio.screen import PAGES, Screens
from masking.policy.studio.workbench import Benches
from masking.policy.suite import Suite, read_suite

__all__ = ["Suiting"]

_KEPT = 4  # reports
_TYPES: dict[str, tuple[str, Callable[[Report], str | bytes]]] = {
    "json": ("application/json", as_json),
    "junit": ("application/xml", as_junit),
    "sarif": ("application/sarif+json", as_sarif),
}
_SUFFIX = {"json": "json", "junit": "xml", "sarif": "sarif"}


@dataclass(frozen=True, slots=True)
class Listed:
    """A suite on the list; `suite` is None where its file is wrong, and `error` says how."""

    key: str
    name: str
    own: bool
    suite: Suite | None
    error: str = ""


class Suiting:
    """Lists suites, runs one, and keeps the last reports in memory."""

    def __init__(self, screens: Screens, drafts: Drafts, benches: Benches, folder: Path | None) -> None:
        self._screens = screens
        self._drafts = drafts
        self._benches = benches
        self._folder = folder
        self._read: dict[Path, tuple[int, Listed]] = {}
        self._reports: OrderedDict[str, Report] = OrderedDict()

    async def show(self, request: Request) -> Response:
        """The list of suites, and the last report."""
        return await run_in_threadpool(self._page, request, "", "")

    async def run(self, request: Request) -> Response:
        """Run the suite that the form names."""
        form = await read_form(request)
        if form.refused:
            return self._screens.refused(request, form.refused)
        if form["take"]:
            return await run_in_threadpool(self._taken, request, form["take"])
        return await run_in_threadpool(self._ran, request, form["suite"], form["edited"] == "on")

    def _listed(self) -> list[Listed]:
        found: list[Listed] = []
        if self._folder is not None:
            found += [self._entry(name, self._folder / name, own=True) for name in suite_names(self._folder)]
        entries = shipped("rules").joinpath("suites")
        if entries.is_dir():
            names = sorted(entry.name for entry in entries.iterdir() if entry.name.endswith(".yaml"))
            found += [self._entry(f"shipped/{name}", Path(str(entries.joinpath(name))), own=False) for name in names]
        return found

    def _entry(self, key: str, path: Path, *, own: bool) -> Listed:
        changed = path.stat().st_mtime_ns
        known = self._read.get(path)
        if known is not None and known[0] == changed:
            return known[1]
        try:
            suite = read_suite(path)
            entry = Listed(key, suite.name, own, suite)
        except MaskingError as error:
            entry = Listed(key, path.stem, own, None, str(error))
        self._read[path] = (changed, entry)
        return entry

    def _ran(self, request: Request, key: str, edited: bool) -> Response:
        draft = self._drafts.get(self._screens.owner(request))
        try:
            entry = next((one for one in self._listed() if one.key == key), None)
            if entry is None or entry.suite is None:
                raise ConfigurationError(entry.error if entry else "there is no such suite; open the page again")
            report = self._report(entry.suite, draft if edited else None)
        except MaskingError as error:
            return self._page(request, str(error), key)
        owner = self._screens.owner(request)
        self._reports[owner] = report
        self._reports.move_to_end(owner)
        while len(self._reports) > _KEPT:
            self._reports.popitem(last=False)
        return self._page(request, "", key)

    def _report(self, suite: Suite, draft: Draft | None) -> Report:
        """What the suite came to; with a draft, its edited category stands for the one of that name."""
        if draft is None:
            return run_suites([suite], workers=1, cuts="near")
        wanted = self._benches.path(draft.category)

        def policies(categories: tuple[str, ...], names: Literal["on", "off"]) -> Policy:
            if categories != (wanted,):
                return Policy.of(categories, names)
            bench = self._benches.get(draft.category, draft.edits, names=names == "on")
            if bench.missing:
                raise ModelError(bench.missing)
            return Policy(bench.masker)

        return Report((SuiteResult(suite, tuple(run_suite(suite, cuts="near", policies=policies))),))

    def _taken(self, request: Request, kind: str) -> Response:
        report = self._reports.get(self._screens.owner(request))
        if report is not None and kind == "html":
            return self._page_to_take(request, report)
        if report is None or kind not in _TYPES:
            return self._page(request, translator(self._screens.lang(request))("suites.none"), "")
        media, write = _TYPES[kind]
        name = f"masking-report.{_SUFFIX[kind]}"
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        return Response(write(report), media_type=media, headers=headers)

    def _page_to_take(self, request: Request, report: Report) -> Response:
        """The page for an auditor, with what the tested category covers."""
        results = [one for suite in report.suites for one in suite.cases]
        named = dict.fromkeys(name for one in results for name in one.case.categories)
        rows = cover([read_category(name) for name in named], read_obligations(), results)
        made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        text = as_html(report, rows, lang=self._screens.lang(request), date=made)
        headers = {"content-disposition": 'attachment; filename="masking-report.html"'}
        return Response(text, media_type="text/html", headers=headers)

    def _page(self, request: Request, error: str, key: str) -> Response:
        draft = self._drafts.get(self._screens.owner(request))
        return self._screens.page(
            request,
            "suites.html",
            422 if error else 200,
            page="suites",
            pages=PAGES,
            suites=self._listed(),
            error=error,
            chosen=key,
            draft=draft,
            folder=self._folder,
            report=self._reports.get(self._screens.owner(request)),
            types=tuple(_TYPES),
            marked=marked,
            said=self._said(request, error),
        )

    def _said(self, request: Request, error: str) -> str:
        report = self._reports.get(self._screens.owner(request))
        t: Any = translator(self._screens.lang(request))
        return error or (
            t("suites.said", **{str(name): count for name, count in report.counts.items()}) if report else ""
        )
