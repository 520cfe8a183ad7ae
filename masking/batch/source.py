"""Which files are masked, how they are written, and what their outputs are called."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from glob import glob, has_magic
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, get_args

from masking.core.errors import ConfigurationError

__all__ = ["COMPRESSIONS", "FORMATS", "STATE", "Compression", "Format", "Source", "sources"]

Format = Literal["jsonl", "json", "csv", "tsv", "parquet", "text"]
Compression = Literal["", "gzip", "zstd"]

FORMATS: tuple[Format, ...] = get_args(Format)
COMPRESSIONS: dict[str, Compression] = {".gz": "gzip", ".gzip": "gzip", ".zst": "zstd", ".zstd": "zstd"}
STATE = "_masking"
"""The folder in an output folder in which a run keeps its own files; Spark and Hive pass over such names."""

_SUFFIXES: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".txt": "text",
    ".text": "text",
    ".log": "text",
}


@dataclass(frozen=True, slots=True)
class Source:
    """One input file; `name` is its place below the output folder, with `/` between folders."""

    path: Path
    name: str
    format: Format
    compression: Compression = ""


def sources(inputs: Iterable[str], output: Path, given: Format | None = None) -> tuple[list[Source], list[str]]:
    """The files of `inputs` (files, folders, globs) by name, and the names in folders that are of no known format.

    Of a folder every file below it counts but hidden ones and those that begin with `_`, as Spark's own do. `given` is
    the format of all of them, whatever they are called. Raises ConfigurationError when there is none, when one cannot
    be told, when two would have the same output, and when output and input lie inside one another.
    """
    found: dict[str, Source] = {}
    strange: list[str] = []
    for name, path, asked in _files(inputs, output):
        source = _source(path, name, given)
        if source is None:
            if asked:
                known = ", ".join(_SUFFIXES)
                raise ConfigurationError(
                    f"{path}: no format has this suffix; known are {known}, each also .gz or .zst: "
                    f"say what it is with --format"
                )
            strange.append(name)
        elif name in found and found[name].path.resolve() != path.resolve():
            raise ConfigurationError(
                f"{found[name].path} and {path} would both be written to {name}; give each a run of its own"
            )
        else:
            found[name] = source
    if not found:
        raise ConfigurationError("the inputs hold no file of a known format; name files, folders or globs")
    return [found[name] for name in sorted(found)], sorted(set(strange))


def _source(path: Path, name: str, given: Format | None) -> Source | None:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    compression: Compression = ""
    if suffixes and suffixes[-1] in COMPRESSIONS:
        compression = COMPRESSIONS[suffixes.pop()]
    format_ = given or (_SUFFIXES.get(suffixes[-1]) if suffixes else None)
    if format_ is None:
        return None
    if format_ == "parquet" and compression:
        raise ConfigurationError(f"{path}: Parquet is compressed inside; decompress the file around it first")
    wanted = "pyarrow" if format_ == "parquet" else "zstandard" if compression == "zstd" else ""
    if wanted and find_spec(wanted) is None:
        raise ConfigurationError(f"{path} needs the package {wanted}: pip install 'masking-pipeline[batch]'")
    return Source(path, name, format_, compression)


def _files(inputs: Iterable[str], output: Path) -> Iterator[tuple[str, Path, bool]]:
    """(name, path, whether the path itself was asked for) of every file."""
    target = output.resolve()
    for given in inputs:
        path = Path(given)
        if path.is_dir():
            yield from ((name, file, False) for name, file in _below(path, target))
        elif path.exists():
            _apart(path.parent.resolve() / path.name, target, given)
            yield path.name, path, True
        elif has_magic(given):
            yield from _globbed(given, target)
        else:
            raise ConfigurationError(f"there is no file or folder {given}")


def _globbed(pattern: str, target: Path) -> Iterator[tuple[str, Path, bool]]:
    fixed = Path(*_fixed(Path(pattern).parts))
    matches = sorted(glob(pattern, recursive=True))  # noqa: PTH207 - the pattern may be absolute
    if not matches:
        raise ConfigurationError(f"no file matches {pattern}")
    for match in map(Path, matches):
        if match.is_file():
            _apart(match.resolve(), target, pattern)
            yield match.relative_to(fixed).as_posix(), match, not match.name.startswith(("_", "."))


def _fixed(parts: Iterable[str]) -> Iterator[str]:
    """What stands before the first wildcard."""
    for part in parts:
        if has_magic(part):
            return
        yield part


def _below(folder: Path, target: Path) -> Iterator[tuple[str, Path]]:
    if target == folder.resolve() or folder.resolve() in target.parents:
        raise ConfigurationError(
            f"the output folder lies inside the input {folder}: the next run would mask its own output; choose another"
        )
    _apart(folder.resolve(), target, str(folder))
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(("_", ".")) for part in inner.parts):
            yield inner.as_posix(), path


def _apart(path: Path, target: Path, given: str) -> None:
    if path == target or target in path.parents:
        raise ConfigurationError(f"the input {given} lies inside the output folder; choose another output folder")
