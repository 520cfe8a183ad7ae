"""The page of obligations: which item of a law or standard a category covers, by which rules, how well tested."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from masking.core.errors import MaskingError
from masking.policy.coverage import Cover, Obligation, cover, read_obligations
from masking.policy.result import CaseResult
from masking.policy.runner import run_suites
from masking.policy.studio.draft import Drafts
from masking.policy.studio.form import read_form
from masking.policy.studio.screen import PAGES, Screens
from masking.policy.studio.workbench import Benches
from masking.policy.suite import read_suites, shipped_suites

__all__ = ["Covering"]


class Covering:
    """Shows the coverage of one category, and counts its cases when asked to."""

    def __init__(self, screens: Screens, drafts: Drafts, benches: Benches) -> None:
        self._screens = screens
        self._drafts = drafts
        self._benches = benches
        self._obligations: list[Obligation] | None = None
        self._counted: dict[str, Sequence[CaseResult]] = {}

    async def show(self, request: Request) -> Response:
        """The coverage of the category that the link names, or else the draft's."""
        key = request.query_params.get("category") or self._drafts.get(self._screens.owner(request)).category
        return await run_in_threadpool(self._page, request, key, "")

    async def count(self, request: Request) -> Response:
        """As `show`, once the suites have been run whose cases count."""
        form = await read_form(request)
        if form.refused:
            return self._screens.refused(request, form.refused)
        return await run_in_threadpool(self._run, request, form["category"], form["do"] == "count")

    def _run(self, request: Request, key: str, run: bool) -> Response:
        try:
            if run:
                wanted = (self._benches.path(key),)
                own = read_suites([self._benches.folder]) if self._benches.folder and self._has_suites() else []
                suites = [one for one in (*own, *shipped_suites()) if one.categories == wanted]
                report = run_suites(suites, workers=1, cuts="none")
                self._counted[key] = [one for suite in report.suites for one in suite.cases]
        except MaskingError as error:
            return self._page(request, key, str(error))
        return self._page(request, key, "")

    def _has_suites(self) -> bool:
        from masking.policy.studio.case import suite_names

        return self._benches.folder is not None and bool(suite_names(self._benches.folder))

    def _page(self, request: Request, key: str, error: str) -> Response:
        rows: list[Cover] = []
        try:
            if self._obligations is None:
                self._obligations = read_obligations()
            bench = self._benches.get(key, {}, names=False)
            rows = cover([bench.whole], self._obligations, self._counted.get(key, ()))
        except MaskingError as wrong:
            error = error or str(wrong)
        groups = [(one, list(many)) for one, many in groupby(rows, key=lambda row: row.obligation)]
        values: dict[str, Any] = {
            "page": "coverage",
            "pages": PAGES,
            "choices": self._benches.choices(),
            "chosen": key,
            "groups": groups,
            "counted": key in self._counted,
            "error": error,
        }
        return self._screens.page(request, "coverage.html", 422 if error else 200, **values)
