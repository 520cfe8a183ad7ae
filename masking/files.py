"""Reads categories, recognisers and provider descriptors: those that ship with the package, and the user's own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from masking.core.errors import ConfigurationError, MaskingError, ProviderError
from masking.core.rule import Category, ShippedFile

if TYPE_CHECKING:
    from masking.core.descriptor import Descriptor, Descriptors
    from masking.core.rulefile import Library

__all__ = [
    "Mark",
    "category_names",
    "category_source",
    "mark_of",
    "read_category",
    "read_descriptors",
    "read_session",
    "reading",
    "recogniser_names",
    "shipped",
    "write_session",
]

_CHECKOUT = Path(__file__).resolve().parents[1]
_SUFFIX = ".yaml"
_PART = re.compile(r"\w[\w.-]*")

Mark = tuple[int, int, int] | None
"""By what a file is known to be the same: when it was changed (nanoseconds), its bytes, its place; None: not there."""

_seen: ContextVar[dict[Path, Mark] | None] = ContextVar("masking.files", default=None)


def mark_of(file: Path) -> Mark:
    """The file as it is now."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


@contextmanager
def reading() -> Iterator[dict[Path, Mark]]:
    """The user's own files that are read meanwhile, as they were just before, and those that would have been read, were
    they there."""
    files: dict[Path, Mark] = {}
    token = _seen.set(files)
    try:
        yield files
    finally:
        _seen.reset(token)


def _note(path: Path) -> Path:
    files = _seen.get()
    if files is not None:
        files.setdefault(path, mark_of(path))
    return path


def shipped(folder: Literal["rules", "providers"]) -> Traversable:
    """The folder of YAML files that ships with this package, in an installed wheel or in a checkout.

    Raises MaskingError when the installation lacks it.
    """
    installed = files("masking").joinpath("shipped", folder)
    if installed.is_dir():
        return installed
    # In a checkout the folders stand beside the package. Without the look at pyproject.toml a damaged installation
    # would read another project's `rules` from site-packages.
    if (_CHECKOUT / "pyproject.toml").is_file() and (_CHECKOUT / folder).is_dir():
        return _CHECKOUT / folder
    raise MaskingError(f"this installation of masking-pipeline lacks its {folder} folder; install it again")


def category_names() -> list[str]:
    """The names of the shipped categories, sorted."""
    return sorted(
        entry.name.removesuffix(_SUFFIX) for entry in shipped("rules").iterdir() if entry.name.endswith(_SUFFIX)
    )


def recogniser_names() -> list[str]:
    """The names of the shipped recognisers, `theme.name`, sorted."""
    themes = [theme for theme in shipped("rules").joinpath("recognisers").iterdir() if theme.is_dir()]
    return sorted(
        f"{theme.name}.{entry.name.removesuffix(_SUFFIX)}"
        for theme in themes
        for entry in theme.iterdir()
        if entry.name.endswith(_SUFFIX)
    )


def read_category(name: str | Path) -> Category:
    """A category by the name of a shipped one, or by the path of a YAML file.

    What a file names (recognisers in `recognisers/`, categories, term files) is looked for beside it first, then among
    the shipped ones. Raises
    ConfigurationError when there is no such category, RuleError when its file or a recogniser's is wrong.
    """
    path = Path(name)
    if _is_path(path):
        return _load(*category_source(path))
    return _read_shipped(str(name))


def category_source(name: str | Path) -> tuple[str, str, Library]:
    """A category's YAML text, its file's name, and what that file may name; `name` as for `read_category`.

    Raises ConfigurationError when there is no such category or its file cannot be read.
    """
    path = Path(name)
    if not _is_path(path):
        return _shipped_source(str(name))
    try:
        return _note(path).read_text("utf-8"), str(path), _Beside(path.parent)
    except OSError as error:
        raise ConfigurationError(f"cannot read the category {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"cannot read the category {path}: it is not UTF-8") from None


def _is_path(path: Path) -> bool:
    return path.suffix in {".yaml", ".yml"} or len(path.parts) > 1


def read_descriptors(*own: str | Path) -> Descriptors:
    """The user's own provider descriptors, YAML files or folders of them, and then the shipped ones.

    One's own comes first where both fit equally well, and takes the place of a shipped one with the same id. Raises
    ConfigurationError when a file cannot be read, ProviderError when one is wrong or its samples do not come out.
    """
    from masking.core.descriptor import Descriptors  # brings pydantic

    if not own:
        return _shipped_descriptors()
    mine = [_own_descriptor(_note(file)) for path in own for file in _files(_note(Path(path)))]
    ids = {descriptor.id for descriptor in mine}
    return Descriptors([*mine, *(descriptor for descriptor in _shipped_descriptors() if descriptor.id not in ids)])


@cache
def _shipped_descriptors() -> Descriptors:
    from masking.core.descriptor import Descriptors, load

    return Descriptors(
        load(entry.read_text("utf-8"), f"providers/{entry.name}")
        for entry in sorted(shipped("providers").iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(_SUFFIX)
    )


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.iterdir() if file.suffix in {".yaml", ".yml"})
    if not found:
        raise ConfigurationError(f"the folder {path} holds no provider descriptor: name a folder of YAML files")
    return found


def _own_descriptor(file: Path) -> Descriptor:
    from masking.core.descriptor import load
    from masking.core.samples import problems

    try:
        descriptor = load(file.read_text("utf-8"), str(file))
    except OSError as error:
        raise ConfigurationError(f"cannot read the descriptor {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"cannot read the descriptor {file}: it is not UTF-8") from None
    for problem in problems(descriptor):
        raise ProviderError(problem, file=str(file), subject=descriptor.id)
    return descriptor


@cache
def _read_shipped(name: str) -> Category:
    return _load(*_shipped_source(name))


def _shipped_source(name: str) -> tuple[str, str, Library]:
    if name not in category_names():
        raise ConfigurationError(
            f"no category is called {name!r}; shipped are {', '.join(category_names())}; "
            "your own is named by its path, such as ./rules/Mine.yaml"
        )
    text = shipped("rules").joinpath(name + _SUFFIX).read_text("utf-8")
    return text, ShippedFile(f"rules/{name}{_SUFFIX}"), _Shipped()


def _load(text: str, file: str, library: Library) -> Category:
    from masking.core.rulefile import load_category  # brings yaml, which `import masking` can do without

    return load_category(text, file, library)


class _Shipped:
    """What a shipped category may name: what ships."""

    def recogniser(self, name: str) -> tuple[str, str]:
        theme, _, short = name.partition(".")
        if not _is_name(name):
            raise KeyError(name)
        return self._read("recognisers", theme, short + _SUFFIX)

    def terms(self, name: str) -> tuple[str, str]:
        parts = name.split("/")
        if not all(_PART.fullmatch(part) for part in parts):
            raise KeyError(name)
        return self._read(*parts)

    def category(self, name: str) -> tuple[str, str, Library]:
        if not name.isidentifier():
            raise KeyError(name)
        text, file = self._read(name + _SUFFIX)
        return text, file, self

    @staticmethod
    def _read(*parts: str) -> tuple[str, str]:
        entry = shipped("rules").joinpath(*parts)
        if not entry.is_file():
            raise KeyError("/".join(parts))
        return entry.read_text("utf-8"), ShippedFile("/".join(("rules", *parts)))


class _Beside:
    """What a category in the user's `folder` may name: what stands there, then what ships."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def recogniser(self, name: str) -> tuple[str, str]:
        theme, _, short = name.partition(".")
        own = self._folder / "recognisers" / theme / f"{short}{_SUFFIX}"
        return self._read(own) if _is_name(name) and _note(own).is_file() else _Shipped().recogniser(name)

    def terms(self, name: str) -> tuple[str, str]:
        # The user's own file may lie anywhere: who writes a category could read it anyway.
        own = self._folder / name
        return self._read(own) if _note(own).is_file() else _Shipped().terms(name)

    def category(self, name: str) -> tuple[str, str, Library]:
        own = self._folder / (name if Path(name).suffix in {".yaml", ".yml"} else name + _SUFFIX)
        if not _note(own).is_file():
            return _Shipped().category(name)
        text, file = self._read(own)
        return text, file, _Beside(own.parent)

    @staticmethod
    def _read(path: Path) -> tuple[str, str]:
        try:
            return path.read_text("utf-8"), str(path)
        except OSError as error:
            raise ConfigurationError(f"cannot read {path}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ConfigurationError(f"cannot read {path}: it is not UTF-8") from None


def _is_name(recogniser: str) -> bool:
    """Whether a recogniser's name is a name, and no way out of the folder."""
    theme, dot, name = recogniser.partition(".")
    return bool(dot) and theme.isidentifier() and name.isidentifier()


def read_session(path: Path) -> dict[str, str]:
    """The entries (placeholder -> value) that `write_session` wrote. Raises ConfigurationError for any other file."""
    import orjson

    try:
        data = orjson.loads(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"cannot read the session {path}: {error.strerror}") from None
    except orjson.JSONDecodeError:
        raise ConfigurationError(f"{path} is no session file: it is not JSON") from None
    entries = data.get("entries") if isinstance(data, dict) and data.get("masking_session") == 1 else None
    if not isinstance(entries, dict) or not all(isinstance(value, str) for value in entries.values()):
        raise ConfigurationError(f"{path} is no session file that `masking mask --session` wrote")
    return entries


def write_session(path: Path, entries: dict[str, str]) -> None:
    """Write a session's entries, replacing the file whole; only its owner may read it. Raises ConfigurationError."""
    import os
    import tempfile

    import orjson

    # A lone surrogate is no JSON; the \\ud800 form keeps it, as json.dumps writes it.
    try:
        data = orjson.dumps({"masking_session": 1, "entries": entries})
    except TypeError:
        import json

        data = json.dumps({"masking_session": 1, "entries": entries}).encode()
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # made with mode 0600
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).replace(path)
    except OSError as error:
        raise ConfigurationError(f"cannot write the session {path}: {error.strerror}") from None
