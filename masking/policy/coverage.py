"""Which rule covers which item of a law or standard, and how many cases test it.

`rules/obligations/*.yaml` names for each item the entities that stand for it, with the article that asks for it. An
item is covered by a category that has a rule for each of its entities; a gap is what is known not to be found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from masking.core.errors import ConfigurationError, SuiteError
from masking.core.rule import Category
from masking.core.yamltext import load
from masking.files import read_category, shipped
from masking.policy.result import CaseResult
from masking.policy.suite import Node

__all__ = ["Cover", "Item", "Obligation", "cover", "load_obligation", "read_obligations"]

_KEYS = ("obligation", "about", "source", "items")
_ITEM_KEYS = ("id", "about", "source", "entities", "gap")
_SUFFIXES = (".yaml", ".yml")
State = Literal["covered", "partly", "no"]


@dataclass(frozen=True, slots=True)
class Item:
    """One kind of data that a law or standard names."""

    id: str
    about: Mapping[str, str]
    source: str
    entities: tuple[str, ...]
    gap: Mapping[str, str]
    line: int


@dataclass(frozen=True, slots=True)
class Obligation:
    """A law or standard."""

    name: str
    about: Mapping[str, str]
    title: str
    url: str
    items: tuple[Item, ...]
    file: str


@dataclass(frozen=True, slots=True)
class Cover:
    """How one category covers one item: by which rules, tested by how many passing cases, and which entities lack a
    rule. `untested` says that a rule is there and no case."""

    obligation: Obligation
    item: Item
    category: str
    rules: tuple[str, ...]
    lacking: tuple[str, ...]
    cases: int

    @property
    def state(self) -> State:
        """Whether every entity of the item has a rule, some have, or none."""
        if not self.rules:
            return "no"
        return "partly" if self.lacking else "covered"

    @property
    def untested(self) -> bool:
        """Whether rules cover it that no case tests."""
        return bool(self.rules) and not self.cases


def read_obligations(paths: Sequence[str | Path] = ()) -> list[Obligation]:
    """The obligations of files and folders; the shipped ones for no path. Raises SuiteError, ConfigurationError."""
    if not paths:
        folder = shipped("rules").joinpath("obligations")
        files = [Path(str(one)) for one in folder.iterdir() if one.name.endswith(_SUFFIXES)] if folder.is_dir() else []
    else:
        files = [file for path in map(Path, paths) for file in (path.iterdir() if path.is_dir() else (path,))]
        files = [file for file in files if file.suffix in _SUFFIXES]
    found = [_read(file) for file in sorted(files)]
    if paths and not found:
        raise ConfigurationError("no obligation is there: name YAML files with the key `obligation`")
    return found


def _read(path: Path) -> Obligation:
    try:
        return load_obligation(path.read_text("utf-8"), str(path))
    except OSError as error:
        raise ConfigurationError(f"cannot read the obligation {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"cannot read the obligation {path}: it is not UTF-8") from None


def load_obligation(text: str, file: str) -> Obligation:
    """The obligation that `text` describes. Raises SuiteError."""
    data, lines = load(text, file, error=SuiteError)
    top = Node(data, file, lines)
    top.keys(_KEYS, required=("obligation", "about", "source", "items"))
    source = top.below("source")
    source.keys(("title", "url"), required=("title",))
    items: dict[str, Item] = {}
    for node in top.items("items"):
        item = _item(node)
        if item.id in items:
            node.refuse("id", f"is already an item, on line {items[item.id].line}; give it another id")
        items[item.id] = item
    if not items:
        top.refuse("items", "the obligation is empty; write at least one item")
    return Obligation(
        top.string("obligation"),
        _sentences(top, "about"),
        source.string("title"),
        source.string("url", ""),
        tuple(items.values()),
        file,
    )


def _item(node: Node) -> Item:
    node.keys(_ITEM_KEYS, required=("id", "about", "source"))
    entities = tuple(node.strings("entities")) if node.data.get("entities") else ()
    gap = _sentences(node, "gap") if node.data.get("gap") is not None else {}
    if not entities and not gap:
        node.refuse("entities", "an item names the entities that stand for it, or says in `gap` why there are none")
    return Item(node.string("id"), _sentences(node, "about"), node.string("source"), entities, gap, node.line())


def _sentences(node: Node, key: str) -> Mapping[str, str]:
    below = node.below(key)
    return {language: below.string(language) for language in below.data}


def cover(
    categories: Iterable[Category], obligations: Sequence[Obligation], results: Iterable[CaseResult] = ()
) -> list[Cover]:
    """How each category covers each item. `results` are those of the suites: a case that passed, masks something, and
    belongs to the category alone counts for the entities that were found in it."""
    tested: dict[str, list[frozenset[str]]] = {}
    for one in results:
        if one.status == "passed" and one.case.must_mask and len(one.case.categories) == 1:
            tested.setdefault(read_category(one.case.categories[0]).name, []).append(one.entities)
    rows: list[Cover] = []
    for category in categories:
        by_entity: dict[str, list[str]] = {}
        for rule in category.rules:
            by_entity.setdefault(rule.entity, []).append(rule.id)
        for obligation in obligations:
            for item in obligation.items:
                rules = tuple(rule for entity in item.entities for rule in by_entity.get(entity, ()))
                lacking = tuple(entity for entity in item.entities if entity not in by_entity)
                cases = sum(not found.isdisjoint(item.entities) for found in tested.get(category.name, ()))
                rows.append(Cover(obligation, item, category.name, rules, lacking, cases))
    return rows
