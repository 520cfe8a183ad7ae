"""Categories made ready for the page: shipped ones, those of the user's folder, and copies that are being edited."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Literal

from masking.core.errors import ConfigurationError, MaskingError, ModelError, RuleError
from masking.core.proof import Failure, prove
from masking.core.rule import Category, ModelSource
from masking.core.rulefile import load_category
from masking.core.scan import Scanner
from masking.files import category_names, category_source
from masking.masker import Masker, detector

if TYPE_CHECKING:
    from masking.core.rulefile import Library

__all__ = ["Bench", "Benches", "Choice", "proofs"]

_KEPT = 8  # benches


@dataclass(frozen=True, slots=True)
class Choice:
    """A category on offer: what the form calls it, and its own name; `own` when it is the user's."""

    key: str
    name: str
    own: bool


@dataclass(frozen=True, slots=True)
class Bench:
    """A category ready to be tried: `files` are the texts of the rule files that it consists of, by name."""

    masker: Masker
    scanner: Scanner
    whole: Category
    files: Mapping[str, str]
    names: Literal["on", "off"]
    edited: frozenset[str]
    missing: str = ""
    """Why names are off though they were asked for; empty where they are not."""

    @property
    def category(self) -> Category:
        """The category as it is used: without the rules that need a model, where names are off."""
        return self.masker.category

    @property
    def wants_models(self) -> bool:
        """Whether a rule of the category needs a name model."""
        return any(isinstance(rule.source, ModelSource) for rule in self.whole.rules)


class Benches:
    """Benches by category and edits; a few are kept ready. `folder` holds the user's own categories, if given."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self._kept: OrderedDict[object, Bench] = OrderedDict()
        self._lock = Lock()

    def choices(self) -> list[Choice]:
        """Every category on offer: the user's own first, then the shipped ones, UserInfo before the others."""
        own = [Choice(key, path.stem, own=True) for key, path in self._own().items()]
        names = sorted(category_names(), key=lambda name: (name != "UserInfo", name))
        return [*own, *(Choice(name, name, own=False) for name in names)]

    def get(self, key: str, edits: Mapping[str, str], *, names: bool = True) -> Bench:
        """The category that the form calls `key`, its files replaced by `edits` (file -> text).

        Where a name model is missing, the bench does without names and says so. Raises ConfigurationError for an
        unknown key, RuleError for a wrong rule file, and what a Masker raises.
        """
        shipped = key in category_names()
        mark: tuple[object, ...] = (key, names, tuple(sorted(edits.items())))
        bench = self._known(mark) if shipped else None  # one's own files may have changed since
        if bench is not None:
            return bench
        text, file, library = self._source(key)
        files = {file: text}
        load_category(text, file, _Edited(library, {}, files))
        if not shipped:
            mark = (*mark, tuple(sorted(files.items())))
            bench = self._known(mark)
            if bench is not None:
                return bench
        used = {name: edited for name, edited in edits.items() if files.get(name, edited) != edited}
        category = load_category(used.get(file, text), file, _Edited(library, used, files))
        bench = _bench(category, files, frozenset(used), names=names)
        with self._lock:
            self._kept[mark] = bench
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return bench

    def path(self, key: str) -> str:
        """The category that the form calls `key`, as a suite's runner names it: a shipped name or a file's path."""
        own = self._own()
        return str(own[key]) if key in own else key

    def _known(self, mark: object) -> Bench | None:
        with self._lock:
            if mark in self._kept:
                self._kept.move_to_end(mark)
            return self._kept.get(mark)

    def _own(self) -> dict[str, Path]:
        if self.folder is None:
            return {}
        files = sorted(path for path in self.folder.glob("*.y*ml") if path.suffix in {".yaml", ".yml"})
        return {f"./{path.name}": path for path in files if _is_category(path)}

    def _source(self, key: str) -> tuple[str, str, Library]:
        own = self._own()
        if key in own:
            return category_source(own[key])
        if key not in category_names():
            raise ConfigurationError("this page offers no such category; choose one from the list")
        return category_source(key)


def _is_category(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8") as file:
            return any(line.startswith("category:") for line in file)
    except (OSError, UnicodeDecodeError):
        return False


def _bench(category: Category, files: Mapping[str, str], edited: frozenset[str], *, names: bool) -> Bench:
    missing = ""
    on: Literal["on", "off"] = "on" if names else "off"
    try:
        masker = Masker(category, names=on)
    except ModelError as error:
        if on == "off":
            raise
        missing, on = str(error), "off"
        masker = Masker(category, names="off")
    return Bench(masker, Scanner(masker.category, detector), category, files, on, edited, missing)


def proofs(bench: Bench) -> list[Failure]:
    """The examples that do not hold, of the rules in files that were edited."""
    failures: list[Failure] = []
    for rule in bench.category.rules:
        if rule.file in bench.edited:
            try:
                failures += prove(rule, detector)
            except RuleError:
                raise
            except MaskingError:
                continue  # a model or Presidio is not there: the bench says so itself
    return failures


class _Edited:
    """A library some of whose files have another text."""

    def __init__(self, library: Library, edits: Mapping[str, str], texts: dict[str, str]) -> None:
        self._library = library
        self._edits = edits
        self._texts = texts

    def recogniser(self, name: str) -> tuple[str, str]:
        text, file = self._library.recogniser(name)
        self._texts.setdefault(file, text)
        return self._edits.get(file, text), file

    def terms(self, name: str) -> tuple[str, str]:
        return self._library.terms(name)

    def category(self, name: str) -> tuple[str, str, Library]:
        text, file, library = self._library.category(name)
        self._texts.setdefault(file, text)
        return self._edits.get(file, text), file, _Edited(library, self._edits, self._texts)
