"""The page that compares two versions of a category on a corpus: what appears, vanishes or changes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from masking.core.errors import MaskingError
from masking.policy.difference import Comparison, Sample, Text, compare, examples, rule_changes
from masking.policy.studio.draft import Draft, Drafts
from masking.policy.studio.form import Form, read_form
from masking.policy.studio.messages import translator
from masking.policy.studio.screen import PAGES, Screens
from masking.policy.studio.transcript import decoded, read
from masking.policy.studio.workbench import Bench, Benches, Choice

__all__ = ["Comparing"]

_PATIENCE = 90.0
"""Seconds after which a comparison ends with the texts so far: names in 16 MiB take longer than anybody waits."""

_EDITED = "edited:"
_SAMPLES = 3


@dataclass(frozen=True, slots=True, repr=False)
class Row:
    """One kind of difference."""

    change: str
    entity: str
    other_entity: str
    rule: str
    other_rule: str
    count: int
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Compared:
    """What a comparison came to; `whole` unless it ended before the corpus did."""

    rows: tuple[Row, ...]
    result: Comparison
    rules: Mapping[str, list[str]]
    whole: bool
    missing: str


class Comparing:
    """Shows the form, and what a comparison came to."""

    def __init__(self, screens: Screens, drafts: Drafts, benches: Benches) -> None:
        self._screens = screens
        self._drafts = drafts
        self._benches = benches

    async def show(self, request: Request) -> Response:
        """The form, set to compare the draft's category with its edited copy, if there is one."""
        draft = self._drafts.get(self._screens.owner(request))
        old = draft.category
        new = _EDITED + old if draft.edits else old
        fields = {"old": old, "new": new, "corpus": "text" if draft.text.strip() else "examples", "names": "on"}
        return await run_in_threadpool(self._page, request, draft, fields, None, "")

    async def compare(self, request: Request) -> Response:
        """The form again, and the comparison that it asks for."""
        form = await read_form(request)
        if form.refused:
            return self._screens.refused(request, form.refused)
        draft = self._drafts.get(self._screens.owner(request))
        return await run_in_threadpool(self._compared, request, draft, form)

    def _compared(self, request: Request, draft: Draft, form: Form) -> Response:
        t = translator(self._screens.lang(request))
        fields = {name: form[name] for name in ("old", "new", "corpus", "names", "reveal")}
        try:
            names = form["names"] == "on"
            old, new = (self._bench(form[side], draft, names=names) for side in ("old", "new"))
            upload = form.files.get("file")
            if form["corpus"] == "examples":
                texts: Iterable[Text] = examples(old.category, new.category)
            elif form["corpus"] == "file":
                texts = _texts(decoded(upload.data, upload.name) if upload else "", t)
            else:
                texts = _texts(draft.text, t)
            patient = _Patient(texts)
            result = compare(old.masker, new.masker, patient, samples=_SAMPLES, reveal=form["reveal"] == "on")
        except MaskingError as refused:
            return self._page(request, draft, fields, None, str(refused))
        rows = tuple(
            Row(*key, count, tuple(result.samples.get(key, ()))) for key, count in result.counts.most_common()
        )  # fmt: skip
        changes = rule_changes(old.category, new.category)
        compared = Compared(rows, result, changes, patient.whole, old.missing or new.missing)
        error = "" if result.texts else t("compare.nothing")
        return self._page(request, draft, fields, None if error else compared, error)

    def _bench(self, key: str, draft: Draft, *, names: bool) -> Bench:
        """The version that the form calls `key`. Raises what `Benches.get` raises."""
        if key.startswith(_EDITED):
            edits = draft.edits if key == _EDITED + draft.category else {}
            return self._benches.get(key.removeprefix(_EDITED), edits, names=names)
        return self._benches.get(key, {}, names=names)

    def _page(
        self, request: Request, draft: Draft, fields: Mapping[str, str], compared: Compared | None, error: str
    ) -> Response:
        t = translator(self._screens.lang(request))
        choices = self._benches.choices()
        edited = [Choice(_EDITED + one.key, one.name, one.own) for one in choices if one.key == draft.category]
        said = t("compare.said", n=compared.result.changed, texts=compared.result.texts) if compared else error
        values: dict[str, Any] = {
            "page": "compare",
            "pages": PAGES,
            "choices": choices,
            "edited": edited if draft.edits else [],
            "draft": draft,
            "fields": {"reveal": "", **fields},
            "compared": compared,
            "error": error,
            "said": said,
        }
        return self._screens.page(request, "compare.html", 422 if error else 200, **values)


class _Patient:
    """Texts until patience ends; `whole` says whether all were given."""

    def __init__(self, texts: Iterable[Text]) -> None:
        self._texts = texts
        self.whole = True

    def __iter__(self) -> Iterator[Text]:
        ends = time.monotonic() + _PATIENCE
        for text in self._texts:
            if time.monotonic() > ends:
                self.whole = False
                return
            yield text


def _texts(given: str, t: Any) -> Iterator[Text]:
    """The texts of what was given: the messages of chats, or the lines of a text."""
    transcript = read(given)
    if transcript.kind == "text":
        for number, line in enumerate(given.split("\n"), 1):
            if line.strip():
                yield Text(t("place.line", n=number), line, 0)
        return
    for number, conversation in enumerate(transcript.conversations, 1):
        for message in conversation.messages:
            yield Text(t("place.conversation", n=number), message.text, 0)
