"""One run: every input masked into the output folder, journaled, resumable."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import secrets
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import orjson

from masking.batch.cut import Block, DamagedError, Prefix, Reader
from masking.batch.identity import category_digest, key_digest
from masking.batch.journal import Journal, Lock, folder_synced, write_whole
from masking.batch.layout import cutter, layout_of
from masking.batch.pool import Pool, cores
from masking.batch.rows import Layout, Outcome, Rows, Settings
from masking.batch.source import STATE, Format, Source, sources
from masking.core.errors import ConfigurationError, MaskingError
from masking.core.rule import ModelSource

if TYPE_CHECKING:
    from masking.batch.parquet import Group
    from masking.vault import Table

__all__ = ["Job", "Progress", "Summary", "run"]

_VERSION = 1
_BLOCK = 1 << 20  # bytes
_BLOCK_WITH_MODELS = 1 << 17  # a model takes a second for some kilobytes, and a killed run loses blocks
_LONGEST = 64 << 20  # bytes of one row
_ASIDE = "a folder that this command has not made"


@dataclass(frozen=True, slots=True)
class Job:
    """What a run is asked for; `workers` 0 means all cores. `block` (0: as fits the category) and `longest` count
    bytes."""

    inputs: tuple[str, ...]
    output: Path
    settings: Settings
    format: Format | None = None
    shape: str = ""
    on_error: Literal["refuse", "quarantine"] = "refuse"
    workers: int = 0
    block: int = 0
    longest: int = _LONGEST
    header: bool = True
    """Whether CSV and TSV files begin with the names of their columns."""


@dataclass(slots=True)
class Progress:
    """How far a run is; `read` and `size` count bytes of the inputs as they lie on disk."""

    files: int = 0
    done: int = 0
    size: int = 0
    read: int = 0
    resumed: int = 0
    """Bytes that earlier runs have done."""
    rows: int = 0
    fresh_rows: int = 0
    """Those of this run alone."""
    masked: int = 0
    quarantined: int = 0
    findings: Counter[str] = field(default_factory=Counter)
    file: str = ""


@dataclass(slots=True)
class Summary:
    """What a run has done, earlier interrupted runs of the same command included."""

    files: list[dict[str, Any]]
    totals: dict[str, Any]
    seconds: float
    resumed: bool
    unknown: list[str]
    """Files in the input folders that are of no known format, and were left alone."""

    @property
    def quarantined(self) -> int:
        return int(self.totals["quarantined"])


@dataclass(frozen=True, slots=True)
class _Task:
    """A block or row group of one file, or (without one) the file's end."""

    file: int
    layout: Layout
    block: Block | None = None
    group: Group | None = None
    read: int = 0
    digest: str = ""
    damage: str = ""


class _Worker:
    """What a worker process is made of."""

    def __init__(self, settings: Settings) -> None:
        if settings.restore:
            from masking.batch.restore import Restoring

            self._rows: Rows = Restoring(settings)
        else:
            self._rows = Rows(settings)

    def __call__(self, task: _Task) -> Outcome:
        if task.group is not None:
            from masking.batch.parquet import mask_group

            return mask_group(self._rows, task.group, task.layout)
        return self._rows.mask(task.block, task.layout) if task.block is not None else Outcome()


def run(job: Job, report: Callable[[Progress], None] = lambda _: None) -> Summary:
    """Mask every input of the job into its output folder; goes on where an interrupted run of the same job stood.

    `report` is called after every block. Raises ConfigurationError for what does not go together (another key, another
    category, changed inputs, a folder that is not ours), MaskingError with the place of the first row that cannot be
    masked where the job refuses such rows, and OSError for a disk that is full: in all of these cases, and after
    KeyboardInterrupt, the same job goes on.
    """
    started = time.monotonic()
    found, unknown = sources(job.inputs, job.output, job.format)
    state = _state_folder(job.output)
    with Lock(state):
        settings = _Identity(job, state).settings()
        worker = _Run(job, settings, state, found, report)
        try:
            worker.go()
        finally:
            worker.close()
        return worker.finish(time.monotonic() - started, unknown)


def _state_folder(output: Path) -> Path:
    """The folder of the run's own files. Raises ConfigurationError for an output folder that is not ours."""
    state = output / STATE
    try:
        if output.exists() and not output.is_dir():
            raise ConfigurationError(f"the output {output} is a file; name a folder")
        if output.exists() and not state.is_dir() and any(output.iterdir()):
            raise ConfigurationError(
                f"the output folder {output} holds files that no `masking batch` has written; name a new or empty one"
            )
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigurationError(f"cannot write to {output}: {error.strerror}") from None
    return state


class _Identity:
    """Which settings the output folder was begun with, and whether these are the same."""

    def __init__(self, job: Job, state: Path) -> None:
        self._job = job
        self._file = state / "run.json"
        self._key = state / "key"

    def settings(self) -> Settings:
        """The job's settings with the run's key. Raises ConfigurationError where the run was begun with others."""
        settings = self._job.settings
        if settings.vault and not settings.restore:
            _check_restorable(settings)
        known = self._known()
        if settings.restore:
            return self._same(known, settings)
        key = settings.key
        if not key:
            key = self._key.read_bytes() if self._key.exists() else b""
        if not key:
            if known is not None and settings.mapping != "irreversible" and not known.get("own_key"):
                return self._same(known, settings)  # enough to see that everything is done
            key = secrets.token_bytes(32)
            write_whole(self._key, key, mode=0o600)
        return self._same(known, dataclasses.replace(settings, key=key))

    def _same(self, known: dict[str, Any] | None, settings: Settings) -> Settings:
        own = self._described(settings)
        if known is not None and not settings.key and not settings.restore:
            own["key"] = known.get("key")
        if known is None:
            write_whole(self._file, orjson.dumps(own, option=orjson.OPT_INDENT_2))
        else:
            self._compare(known, own)
        return settings

    def _known(self) -> dict[str, Any] | None:
        try:
            known = orjson.loads(self._file.read_bytes())
        except FileNotFoundError:
            return None
        except orjson.JSONDecodeError:
            known = None
        if not isinstance(known, dict) or known.get("masking_batch") != _VERSION:
            raise ConfigurationError(f"{self._file} is not what this version writes; choose a new output folder")
        return known

    def _described(self, settings: Settings) -> dict[str, Any]:
        common = {
            "masking_batch": _VERSION,
            "mapping": settings.mapping,
            "vault": bool(settings.vault),
            "owner": settings.owner,
            "shape": self._job.shape,
            "conversation": settings.conversation,
            "format": self._job.format or "",
            "header": self._job.header,
        }
        if settings.restore:
            return {**common, "restored": True}
        category = settings.masker().category
        return {
            **common,
            "category": {
                "name": category.name,
                "version": category.version,
                "sha256": category_digest(category),
                "rules": len(category.rules),
            },
            "names": settings.names,
            "key": ""
            if settings.mapping == "irreversible" and not self._job.settings.key
            else key_digest(settings.key),
            "own_key": bool(self._job.settings.key),
            "text": list(settings.text),
            "opaque": list(settings.opaque),
        }

    def _compare(self, known: dict[str, Any], own: dict[str, Any]) -> None:
        for name, said in own.items():
            if known.get(name) == said:
                continue
            if name in ("key", "own_key"):
                raise ConfigurationError(
                    f"the key is not the one that {self._job.output} was begun with (fingerprint {known.get('key')}, "
                    f"this one {own['key']}); give that key, or choose a new output folder"
                )
            what = "the category's rules have" if name == "category" else f"--{name} has"
            raise ConfigurationError(
                f"{what} changed since {self._job.output} was begun: a folder is masked one way only; "
                "choose a new output folder"
            )


def _check_restorable(settings: Settings) -> None:
    """Raises ConfigurationError where a vault would be of no use."""
    if settings.mapping == "irreversible":
        raise ConfigurationError("irreversible placeholders cannot be restored: leave out --vault, or map otherwise")
    category = settings.masker().category
    fakes = [rule.id for rule in category.rules if rule.request.name == "surrogate"]
    if fakes:
        raise ConfigurationError(
            f"surrogates cannot be told from real values, so nothing could restore those of {', '.join(fakes)}: "
            "leave out --vault, or have these rules use placeholders"
        )


def _runs_models(settings: Settings) -> bool:
    return not settings.restore and any(
        isinstance(rule.source, ModelSource) for rule in settings.masker().category.rules
    )


class _Growing:
    """A file that is written at its end and can be cut back to where it was."""

    def __init__(self, path: Path, size: int = 0, digest: str = "") -> None:
        self.path = path
        self.sha = hashlib.sha256()
        self._file: BinaryIO = path.open("rb+" if size else "wb")
        self.size = size
        if size:
            left = size
            while left and (piece := self._file.read(min(left, 1 << 20))):
                self.sha.update(piece)
                left -= len(piece)
            if left or self.sha.hexdigest() != digest:
                self._file.close()
                raise ConfigurationError(
                    f"{path} is not what the journal says it is: somebody has changed it; choose a new output folder"
                )
            self._file.truncate(size)
            self._file.seek(size)

    def add(self, data: bytes) -> None:
        if data:
            self._file.write(data)
            self.sha.update(data)
            self.size += len(data)

    def sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


class _Run:
    """The run at work."""

    def __init__(
        self, job: Job, settings: Settings, state: Path, found: list[Source], report: Callable[[Progress], None]
    ) -> None:
        self._job = job
        self._settings = settings
        self._state = state
        self._found = found
        self._report = report
        self._parts = state / "parts"
        self._journal = Journal(job.output)
        self._block = job.block or (_BLOCK_WITH_MODELS if _runs_models(settings) else _BLOCK)
        self._patterns = None if settings.restore else dataclasses.replace(settings, names="off").masker()
        self._table: Table | None = None
        if settings.vault and not settings.restore:
            from masking.vault import open_table

            self._table = open_table(settings.vault)
        self._results: dict[str, dict[str, Any]] = {}
        self._begun: dict[str, dict[str, Any]] = {}
        self._last: dict[str, dict[str, Any]] = {}
        self._output: _Growing | None = None
        self._bad: _Growing | None = None
        self._result: dict[str, Any] = {}
        self.progress = Progress(files=len(found), size=sum(_size(one.path) for one in found))
        self.resumed = False
        self._load()

    # What earlier runs have done.

    def _load(self) -> None:
        manifest = self._state / "manifest.json"
        if manifest.exists():
            for result in orjson.loads(manifest.read_bytes())["files"]:
                if result.get("output_sha256"):
                    self._results[result["name"]] = result
        for entry in list(self._journal.read()):
            name = entry["file"]
            match entry["what"]:
                case "begin":
                    self._begun[name] = entry
                    self._last.pop(name, None)
                case "block":
                    self._last[name] = entry
                case "done":
                    self._results[name] = entry["result"]
                    self._place(entry["result"])
        self.resumed = bool(self._results or self._last)

    def _place(self, result: dict[str, Any]) -> None:
        """Give a finished file its name, if the run died before it could."""
        if result["output_sha256"] and not (self._job.output / result["name"]).exists():
            self._rename(result)

    def _rename(self, result: dict[str, Any]) -> None:
        if result["quarantined"]:
            _moved(self._state / "partial.quarantine", self._state / "quarantine" / f"{result['name']}.jsonl")
        if result["output_sha256"]:
            _moved(self._state / "partial", self._job.output / result["name"])

    def _is_done(self, source: Source) -> bool:
        result = self._results.get(source.name)
        if result is None:
            return False
        if result["output_sha256"] and not (self._job.output / source.name).exists():
            del self._results[source.name]  # somebody has removed it: it is masked again
            return False
        status = source.path.stat()
        same = (status.st_size, status.st_mtime_ns) == (result["size"], result["mtime_ns"])
        if not same and _digest(source.path) != result["input_sha256"]:
            raise ConfigurationError(
                f"{source.path} has changed since it was masked to {source.name}; choose a new output folder"
            )
        return True

    # Reading.

    def _tasks(self) -> Iterator[_Task]:
        for index, source in enumerate(self._found):
            if not self._is_done(source):
                yield from self._file_tasks(index, source)

    def _group_tasks(self, index: int, source: Source) -> Iterator[_Task]:
        """The row groups of a Parquet file."""
        from masking.batch import parquet

        begun, last = self._begun.get(source.name), self._last.get(source.name)
        status = source.path.stat()
        if begun and last and [status.st_size, status.st_mtime_ns] != [begun["size"], begun["mtime_ns"]]:
            raise ConfigurationError(
                f"{source.path} has changed since the run began; give back the old one, or choose a new output folder"
            )
        damage, read = "", 0
        layout = Layout("parquet")
        try:
            layout = _layout(begun["layout"]) if begun and last else parquet.layout_of(source.path, self._job.shape)
            for group in parquet.groups(source.path, self._parts):
                read += group.size
                if last is None or group.number > last["group"]:
                    yield _Task(index, layout, group=group, read=read)
        except DamagedError as error:
            damage = str(error)
        yield _Task(index, layout, read=status.st_size, digest=_digest(source.path), damage=damage)

    def _file_tasks(self, index: int, source: Source) -> Iterator[_Task]:
        if source.format == "parquet":
            yield from self._group_tasks(index, source)
            return
        try:
            file = source.path.open("rb")
        except OSError as error:
            raise ConfigurationError(f"cannot read {source.path}: {error.strerror}") from None
        with file:
            reader = Reader(file, source.compression)
            begun, last = self._begun.get(source.name), self._last.get(source.name)
            layout: Layout | None = _layout(begun["layout"]) if begun and last else None
            before = Prefix(last["end"], last["in"]) if last else Prefix()
            cut, records = cutter(source, layout, header=self._job.header)
            damage = ""
            try:
                for block in cut(reader.pieces(), self._block, self._job.longest, before):
                    layout = layout or layout_of(source, block, self._job.shape, records, self._is_clean)
                    yield _Task(index, layout, block, read=reader.size)
            except DamagedError as error:
                damage = str(error)
            except ConfigurationError as error:
                raise ConfigurationError(f"{source.path}: {error}") from None
            layout = layout or Layout(source.format, source.compression)
            yield _Task(index, layout, read=reader.size, digest=reader.raw.hexdigest(), damage=damage)

    def _is_clean(self, name: str) -> bool:
        return self._patterns is None or not self._patterns.scan(name)

    # Writing.

    def go(self) -> None:
        workers = self._job.workers or cores()
        left = sum(_size(one.path) for one in self._found if not self._is_done(one))
        workers = max(1, min(workers, -(-left // self._block)))
        for source in self._found:
            if source.name in self._results:
                self.progress.done += 1
                self.progress.resumed += _size(source.path)
                self._count(self._results[source.name])
        self.progress.read = self.progress.resumed
        if self.progress.done == len(self._found):
            return
        if not self._settings.key and not self._settings.restore:
            raise ConfigurationError(
                f"the key of {self._job.output} was drawn for that run and is gone; to add files to an output "
                "folder later, give it a key of your own from the start (--key-file), or choose a new folder"
            )
        before, current = self.progress.read, -1
        with Pool(workers, _Worker, self._settings) as pool:
            for task, outcome in pool.results(self._tasks()):
                source = self._found[task.file]
                if task.file != current:
                    current = task.file
                    self._begin(source, task.layout)
                if task.block is None and task.group is None:
                    self._end(source, task)
                    before += _size(source.path)
                    self.progress.read = before
                    self.progress.done += 1
                else:
                    self._write(source, task, outcome)
                    self.progress.read = before + task.read
                self._report(self.progress)

    def _begin(self, source: Source, layout: Layout) -> None:
        self.progress.file = source.name
        partial, bad = self._state / "partial", self._state / "partial.quarantine"
        last = self._last.get(source.name)
        if last is not None:
            self._result = dict(last["result"])
            self._output = _Growing(partial, last["out"], last["out_sha"])
            self._bad = _Growing(bad, last["bad"], last["bad_sha"])
            self._count(self._result)
            return
        status = source.path.stat()
        self._result = {
            "name": source.name,
            "input": str(source.path),
            "size": status.st_size,
            "mtime_ns": status.st_mtime_ns,
            "format": layout.format,
            "compression": layout.compression,
            "shape": layout.shape,
            "rows": 0,
            "masked": 0,
            "quarantined": 0,
            "findings": {},
        }
        begin = {"what": "begin", "file": source.name, "size": status.st_size, "mtime_ns": status.st_mtime_ns}
        self._journal.add({**begin, "layout": dataclasses.asdict(layout)})
        self._output, self._bad = _Growing(partial), _Growing(bad)

    def _write(self, source: Source, task: _Task, outcome: Outcome) -> None:
        assert self._output is not None
        assert self._bad is not None
        for bad in outcome.bad:
            row = self._result["rows"] + bad.row + 1
            if self._job.on_error == "refuse":
                raise MaskingError(
                    f"{source.path}: row {row} (byte {bad.start}): {bad.why}; mend it, or leave such rows out with "
                    "--on-error quarantine: the same command goes on here"
                )
            place = {"file": source.name, "row": row, "byte": bad.start, "length": bad.length, "why": bad.why}
            self._bad.add(orjson.dumps(place, option=orjson.OPT_APPEND_NEWLINE))
        if self._table is not None:
            # Before the rows are: a placeholder whose value is lost could never be restored. Twice does no harm.
            for owner, entries in outcome.kept.items():
                self._table.put(owner, entries)
        self._output.add(outcome.data)
        new = {
            "rows": outcome.rows,
            "masked": outcome.masked,
            "quarantined": len(outcome.bad),
            "findings": outcome.findings,
        }
        _add(self._result, new)
        self._output.sync()
        if outcome.bad:
            self._bad.sync()
        if task.block is not None:
            done = {"end": task.block.end, "in": task.block.digest}
        else:
            assert task.group is not None
            done = {"group": task.group.number}
        self._journal.add(
            {
                "what": "block",
                "file": source.name,
                **done,
                "out": self._output.size,
                "out_sha": self._output.sha.hexdigest(),
                "bad": self._bad.size,
                "bad_sha": self._bad.sha.hexdigest(),
                "result": self._result,
            }
        )
        self._count(new)
        self.progress.fresh_rows += outcome.rows

    def _end(self, source: Source, task: _Task) -> None:
        assert self._output is not None
        assert self._bad is not None
        if task.damage:
            if self._job.on_error == "refuse":
                raise MaskingError(
                    f"{source.path}: {task.damage}; mend it, or keep what can be read with --on-error quarantine"
                )
            row = self._result["rows"] + 1
            place = {"file": source.name, "row": row, "byte": None, "length": None, "why": task.damage}
            self._bad.add(orjson.dumps(place, option=orjson.OPT_APPEND_NEWLINE))
            self._result["quarantined"] += 1
            self._result["damage"] = task.damage
            self.progress.quarantined += 1
        self._output.sync()
        self._bad.sync()
        self._output.close()
        self._bad.close()
        size, digest = self._output.size, self._output.sha.hexdigest()
        if source.format == "parquet":
            # There is no half of a Parquet file: what cannot be read has no output.
            size, digest = (0, "") if task.damage else self._assembled(source)
        self._result |= {"input_sha256": task.digest, "output_size": size, "output_sha256": digest}
        self._journal.add({"what": "done", "file": source.name, "result": self._result})
        self._rename(self._result)
        self._results[source.name] = self._result
        if source.format == "parquet":
            shutil.rmtree(self._parts, ignore_errors=True)

    def _assembled(self, source: Source) -> tuple[int, str]:
        """Write the row groups as one file; its size and digest."""
        from masking.batch import parquet

        target = self._state / "partial"
        parquet.assembled(source.path, [one.part for one in parquet.groups(source.path, self._parts)], target)
        return target.stat().st_size, _digest(target)

    def _count(self, part: dict[str, Any]) -> None:
        self.progress.rows += part["rows"]
        self.progress.masked += part["masked"]
        self.progress.quarantined += part["quarantined"]
        self.progress.findings.update(part["findings"])

    def close(self) -> None:
        for file in (self._output, self._bad):
            if file is not None:
                file.close()
        self._journal.close()
        if self._table is not None:
            self._table.close()

    def finish(self, seconds: float, unknown: list[str]) -> Summary:
        """Write the manifest; the journal and a key that was drawn for the run are needed no more."""
        import masking

        files = [self._results[name] for name in sorted(self._results)]
        totals: dict[str, Any] = {"rows": 0, "masked": 0, "quarantined": 0, "findings": {}}
        for result in files:
            _add(totals, result)
        totals = {"files": len(files), "size": sum(one["size"] for one in files), **totals}
        run = orjson.loads((self._state / "run.json").read_bytes())
        manifest = {
            **run,
            "masking": masking.__version__,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "totals": totals,
            "files": files,
        }
        write_whole(self._state / "manifest.json", orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
        self._journal.clear()
        for name in ("key", "partial.quarantine", "partial"):
            (self._state / name).unlink(missing_ok=True)
        return Summary(files, totals, seconds, self.resumed, unknown)


def _add(total: dict[str, Any], part: dict[str, Any]) -> None:
    for name in ("rows", "masked", "quarantined"):
        total[name] += part[name]
    total["findings"] = dict(sorted((Counter(total["findings"]) + Counter(part["findings"])).items()))


def _moved(old: Path, new: Path) -> None:
    """Give a file its last name, unless an earlier run has. Raises ConfigurationError where it is gone."""
    new.parent.mkdir(parents=True, exist_ok=True)
    try:
        old.replace(new)
    except FileNotFoundError:
        if not new.exists():
            raise ConfigurationError(f"{new} was written and is gone; choose a new output folder") from None
    folder_synced(new.parent)


def _layout(said: dict[str, Any]) -> Layout:
    return Layout(**{**said, "columns": tuple(said["columns"])})


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _size(path: Path) -> int:
    return path.stat().st_size
