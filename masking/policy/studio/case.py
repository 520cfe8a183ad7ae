"""A case for a suite: written as YAML, held to the suite's own rules, added to its file without touching the rest."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from masking.core.errors import ConfigurationError, MaskingError
from masking.core.yamltext import load
from masking.policy.suite import Case, load_suite

__all__ = ["NewCase", "add", "case_of", "suite_names", "text_of"]

_NAME = re.compile(r"[\w-][\w.-]*(?:/[\w-][\w.-]*)*\.ya?ml")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


@dataclass(frozen=True, slots=True, repr=False)
class NewCase:
    """What is to be written: `expect` says what should happen to `value` in `text`, `entity` may be empty.

    `category` is a shipped one's name or a file's path; `names` as in a suite.
    """

    id: str
    text: str
    value: str
    expect: Literal["mask", "keep"]
    entity: str
    category: str
    names: Literal["on", "off"]


def text_of(case: NewCase, *, category: str = "", names: str = "") -> str:
    """The case as an item of `cases`, indented by two; `category` and `names` where the suite has others."""
    lines = [f"  - id: {_quoted(case.id)}"]
    if category:
        lines.append(f"    category: {_quoted(category)}")
    if names:
        lines.append(f"    names: {names}")
    lines.append(f"    text: {_quoted(case.text)}")
    if case.expect == "keep":
        lines.append(f"    must_keep: [{_quoted(case.value)}]")
    elif case.entity:
        lines.append(f"    must_mask: [{{value: {_quoted(case.value)}, entity: {case.entity}}}]")
    else:
        lines.append(f"    must_mask: [{_quoted(case.value)}]")
    return "\n".join(lines) + "\n"


def case_of(case: NewCase, folder: Path | None) -> Case:
    """The case as a suite of its own would hold it. Raises SuiteError where it is wrong."""
    file = str((folder or Path()) / "case.yaml")
    return load_suite(_new_suite(case, "case", _beside(case.category, Path(file))), file).cases[0]


def suite_names(folder: Path) -> list[str]:
    """The suite files of a folder and its subfolders, as `add` takes them."""
    from masking.policy.suite import is_suite

    files = (path for path in folder.rglob("*") if path.suffix in (".yaml", ".yml") and path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in files if is_suite(path))


def add(case: NewCase, folder: Path, name: str) -> Path:
    """Write the case to the suite `name` in `folder`, a new one where there is none; the file's path.

    All that stood in the file stays as it was, comments too. Raises SuiteError where the suite or the case is wrong,
    ConfigurationError where the name leads out of the folder or the file cannot be written.
    """
    path = _inside(folder, name)
    category = _beside(case.category, path)
    if not path.exists():
        text = _new_suite(case, path.stem, category)
    else:
        text = _joined(path, case, category)
    load_suite(text, str(path))
    _write(path, text)
    return path


def _new_suite(case: NewCase, name: str, category: str) -> str:
    names = "" if case.names == "on" else "names: off\n"
    return f"suite: {_quoted(name)}\ncategory: {_quoted(category)}\n{names}cases:\n{text_of(case)}"


def _joined(path: Path, case: NewCase, category: str) -> str:
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot read {path.name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"cannot read {path.name}: it is not UTF-8") from None
    suite = load_suite(text, str(path))
    own = tuple(suite.categories) != (_resolved(category, path),)
    item = text_of(
        case, category=category if own else "", names=case.names if suite.names != case.names else ""
    )  # fmt: skip
    before, _ = load(text, str(path))
    for joined in _places(text, item):
        try:
            after, _ = load(joined, str(path))
        except MaskingError:
            continue
        if after == {**before, "cases": [*(before.get("cases") or []), *_items(item, path)]}:
            return joined
    raise ConfigurationError(
        f"{path.name} is written in a way that no case can be added to; write its cases one below the other, or choose "
        "another file"
    )


def _items(item: str, path: Path) -> list[Any]:
    data, _ = load(f"cases:\n{item}", str(path))
    return list(data["cases"])


def _places(text: str, item: str) -> Sequence[str]:
    """The text with the item behind the last case: before the comments that follow, or behind them."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    cases = next((value for key, value in pairs if key.value == "cases"), None)
    ends = text if text.endswith("\n") else text + "\n"
    if cases is None:
        return [f"{ends}cases:\n{item}"]
    if not isinstance(cases, yaml.SequenceNode) or cases.flow_style or not cases.value:
        return []
    indent = " " * (cases.start_mark.column)
    item = "".join(indent + line[2:] for line in item.splitlines(keepends=True))
    lines = ends.splitlines(keepends=True)
    last = min(cases.value[-1].end_mark.line, len(lines))
    if cases.value[-1].end_mark.column and last < len(lines):
        last += 1
    first = last
    while first and (not lines[first - 1].strip() or lines[first - 1].lstrip().startswith("#")):
        first -= 1
    return ["".join((*lines[:at], item, *lines[at:])) for at in (first, last)]


def _inside(folder: Path, name: str) -> Path:
    if not _NAME.fullmatch(name) or ".." in name:
        raise ConfigurationError("name a suite file as mine.yaml or folder/mine.yaml, in the studio's folder")
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ConfigurationError(f"{name} leads out of the studio's folder; name a file within it")
    if not path.parent.is_dir():
        raise ConfigurationError(f"the studio's folder has no folder {Path(name).parent.as_posix()}; make it first")
    return path


def _beside(category: str, path: Path) -> str:
    """A category as a suite at `path` names it."""
    if not category.endswith((".yaml", ".yml")):
        return category
    return Path(os.path.relpath(category, path.parent)).as_posix()


def _resolved(category: str, path: Path) -> str:
    return str(path.parent / category) if category.endswith((".yaml", ".yml")) else category


def _quoted(text: str) -> str:
    """A YAML double-quoted scalar (YAML 1.2 §7.3.1), of which JSON strings are a part; unprintable ones escaped."""
    quoted = json.dumps(text, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def _write(path: Path, text: str) -> None:
    """Replace the file whole, so that a crash leaves the old one."""
    try:
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except OSError as error:
        raise ConfigurationError(f"cannot write {path.name}: {error.strerror}") from None
