"""The first page: a text, a category, and everything that the category does with the text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from masking.core.errors import ConfigurationError, MaskingError, RuleError
from masking.policy.run import Policy, run_case
from masking.policy.studio.case import NewCase, add, case_of, suite_names, text_of
from masking.policy.studio.draft import VIEWS, Draft, Drafts
from masking.policy.studio.form import Form, read_form
from masking.policy.studio.inspection import EXPLAINED, inspect, marked
from masking.policy.studio.messages import translator
from masking.policy.studio.screen import PAGES, Screens
from masking.policy.studio.trace import LONGEST, trace
from masking.policy.studio.transcript import decoded, read
from masking.policy.studio.workbench import Bench, Benches, proofs

__all__ = ["Trying"]

_LARGEST = 256 * 1024  # bytes of text that this page takes
_NEAR = 2  # lines shown before and behind a wrong one

_EXAMPLE = """\
{"role": "user", "content": "我叫王芳，手机号是13800138000，身份证号11010519491231002X。"}
{"role": "assistant", "content": "好的，王芳，已经记下了。还需要邮箱吗？"}
{"role": "user", "content": "Mail me at wang.fang@example.com, or call Emily Carter on +1 415 555 0132. \
Order 2138001380001 is still open."}
"""


@dataclass(frozen=True, slots=True, repr=False)
class Fault:
    """A mistake in a rule file: where, what, and the lines around it."""

    file: str
    line: int
    subject: str
    what: str
    near: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True, repr=False)
class CaseForm:
    """The fields of the case that is being written, and what became of it."""

    text: str = ""
    value: str = ""
    entity: str = ""
    expect: str = "mask"
    id: str = ""
    file: str = ""
    open: bool = False
    done: str = ""
    error: str = ""
    yaml: str = ""
    verdict: str = ""


class Trying:
    """Shows the page, and what a form changed."""

    def __init__(self, screens: Screens, drafts: Drafts, benches: Benches, folder: Path | None) -> None:
        self._screens = screens
        self._drafts = drafts
        self._benches = benches
        self._folder = folder

    async def show(self, request: Request) -> Response:
        """The page with the draft as it is."""
        draft = self._drafts.get(self._screens.owner(request))
        return await run_in_threadpool(self._page, request, draft, Form(), "")

    async def change(self, request: Request) -> Response:
        """The page after a form changed the draft."""
        form = await read_form(request)
        if form.refused:
            return self._screens.refused(request, form.refused)
        owner = self._screens.owner(request)
        draft, error = self._changed(self._drafts.get(owner), form, translator(self._screens.lang(request)))
        self._drafts.put(owner, draft)
        if form["do"] == "download":
            return _download(draft)
        return await run_in_threadpool(self._page, request, draft, form, error)

    def _changed(self, draft: Draft, form: Form, t: Any) -> tuple[Draft, str]:
        """The draft that the form makes of the last one, and what was wrong with the form."""
        error = ""
        text = form["text"]
        upload = form.files.get("file")
        if upload is not None:
            try:
                text = decoded(upload.data, upload.name)
            except MaskingError as refused:
                error = str(refused)
        if form["do"] == "example":
            text = _EXAMPLE
        size = len(text.encode("utf-8", "surrogatepass"))
        if size > _LARGEST:
            error = t("too.long", size=-(-size // 1024), kib=_LARGEST // 1024)
            text = draft.text
        category = form["category"] or draft.category
        same = category == draft.category
        edits = {name.removeprefix("edit:"): text for name, text in form.fields.items() if name.startswith("edit:")}
        opened = form["opened"]
        if opened and same and form["do"] != "revert":
            edits[opened] = form["rules"]
        return draft.with_(
            text=text,
            category=category,
            names=form["names"] == "on",
            edits=edits if same else {},
            open=(form["open"] if form["do"] == "open" else opened) if same else "",
            # Not a field of the form: what follows the typing may be sent before a view is chosen, and come after it.
            view=form["go"] if form["go"] in VIEWS else draft.view,
            answer=form.fields.get("answer", draft.answer),
            cut=_number(form["cut"], draft.cut, 24),
            number=_number(form["number"], draft.number, 1_000_000),
        ), error

    def _page(self, request: Request, draft: Draft, form: Form, error: str) -> Response:
        """Everything computed anew from the draft; slow for long texts, so it runs in a thread."""
        t = translator(self._screens.lang(request))
        lang = self._screens.lang(request)
        fault: Fault | None = None
        bench: Bench | None = None
        failures: list[str] = []
        try:
            bench = self._benches.get(draft.category, draft.edits, names=draft.names)
            failures = [str(one) for one in proofs(bench)]
        except RuleError as wrong:
            fault = _fault(wrong, draft.edits)
        except MaskingError as wrong:
            error = error or str(wrong)
        files = self._files(draft, bench)
        file = draft.open if draft.open in files else next(iter(files), "")
        # Without the edits that do not load, so that there is something to go back to.
        kept = {name: text for name, text in draft.edits.items() if files.get(name, text) != text}
        tidy = draft.with_(edits=kept, open=draft.open if draft.open in files else "")
        if tidy != draft and self._drafts.get(self._screens.owner(request)) == draft:  # unless there is a newer one
            self._drafts.put(self._screens.owner(request), tidy)
        draft = tidy
        values: dict[str, Any] = {
            "page": "inspect",
            "pages": PAGES,
            "choices": self._benches.choices(),
            "about": bench.whole.about.get(lang, "") if bench else "",
            "text_kib": _LARGEST // 1024,
            "files": files,
            "file": file,
            "rules": kept.get(file, files.get(file, "")),
            "fault": fault,
            "failures": failures,
            "views": VIEWS,
            "explained": EXPLAINED,
            "longest": LONGEST,
            "error": error or (t("fault", file=fault.file, line=fault.line) + ": " + fault.what if fault else ""),
            "notice": t("names.off", why=bench.missing) if bench and bench.missing else "",
            "entities": list(bench.category.entities) if bench else [],
            "folder": self._folder,
            "suite_files": suite_names(self._folder) if self._folder else [],
            "case": self._case(bench, draft, form, t) if bench else _written(form),
            "seen": None,
            "said": "",
            "total": 0,
        }
        if bench is not None and draft.text.strip() and not error:
            draft = self._inspected(bench, draft, form, values, t)
        values["draft"] = draft
        values["said"] = values["said"] or values["error"]
        return self._screens.page(request, "inspect.html", 422 if error else 200, **values)

    def _inspected(self, bench: Bench, draft: Draft, form: Form, values: dict[str, Any], t: Any) -> Draft:
        """What the category does with the text, into `values`."""
        conversations = read(draft.text).conversations
        draft = draft.with_(number=min(draft.number, len(conversations)))
        chosen = conversations[draft.number - 1]
        with bench.masker.session() as session:
            try:
                seen = inspect(bench, chosen, session)
            except MaskingError as refused:
                values["error"] = str(refused)
                return draft
            values |= {
                "seen": seen,
                "total": len(conversations),
                "entries": list(session.entries().items()),
                "wire": marked(seen.wire, session.entries()),
                "said": t("status", n=len(seen.found), messages=len(seen.sheets)),
                "traced": None,
                "cut_off": False,
            }
            if draft.view == "answer":
                answer = draft.answer or seen.answer
                values |= {"traced": trace(session, answer[:LONGEST], draft.cut), "cut_off": len(answer) > LONGEST}
            picked = _number(form["pick"], 0, len(seen.found))
            if picked:
                one = seen.found[picked - 1]
                text = seen.sheets[one.message].text
                values["case"] = CaseForm(
                    text, one.value, expect="keep", file=form["case-file"] or "cases.yaml", open=True
                )
        return draft

    def _case(self, bench: Bench, draft: Draft, form: Form, t: Any) -> CaseForm:
        """The case that the form describes, shown, or added to its suite; and whether it holds as things are."""
        written = _written(form)
        if not written.open:
            return written
        case = NewCase(
            written.id.strip() or "unnamed",
            written.text,
            written.value,
            "keep" if written.expect == "keep" else "mask",
            written.entity if written.entity in bench.category.entities else "",
            self._benches.path(draft.category),
            bench.names if bench.wants_models else "on",
        )
        try:
            if form["do"] == "case" and not written.id.strip():
                raise ConfigurationError(t("case.nameless"))
            held = run_case(case_of(case, self._folder), Policy(bench.masker), "near")
            verdict = t("case.holds") if held.status == "passed" else t("case.fails", why=held.violations[0].what)
            if form["do"] != "case" or self._folder is None:
                return replace(written, yaml=text_of(case), verdict=verdict)
            path = add(case, self._folder, written.file)
        except MaskingError as wrong:
            return replace(written, error=str(wrong))
        name = path.relative_to(self._folder).as_posix()
        return CaseForm(file=name, done=t("case.added", id=case.id, file=name), verdict=verdict)

    def _files(self, draft: Draft, bench: Bench | None) -> Mapping[str, str]:
        """The rule files that can be edited, as they are on disk."""
        if bench is not None:
            return bench.files
        try:
            return self._benches.get(draft.category, {}, names=False).files
        except MaskingError:
            return {}


def _number(text: str, other: int, most: int) -> int:
    return max(1, min(int(text), most)) if text.isascii() and text.isdigit() and len(text) < 10 and most else other


def _written(form: Form) -> CaseForm:
    """The fields of the case as the form has them."""
    return CaseForm(
        form["case-text"],
        form["case-value"],
        form["case-entity"],
        form["case-expect"] or "mask",
        form["case-id"],
        form["case-file"] or "cases.yaml",
        open=form["do"] in ("case", "preview"),
    )


def _fault(wrong: RuleError, edits: Mapping[str, str]) -> Fault:
    lines = edits.get(wrong.file, "").split("\n")
    first, last = max(1, wrong.line - _NEAR), min(len(lines), wrong.line + _NEAR)
    near = tuple((number, lines[number - 1]) for number in range(first, last + 1)) if wrong.file in edits else ()
    return Fault(wrong.file, wrong.line, wrong.subject, wrong.what, near)


def _download(draft: Draft) -> Response:
    name = Path(draft.open).name
    safe = "".join(one for one in name if one.isascii() and (one.isalnum() or one in "._-")) or "rules.yaml"
    return Response(
        draft.edits.get(draft.open, ""),
        media_type="application/yaml",
        headers={"content-disposition": f'attachment; filename="{safe}"'},
    )
