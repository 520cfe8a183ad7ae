"""One run: every input masked into the output folder, journaled, resumable."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from masking.batch.begun import Begun, state_folder
from masking.batch.job import Job, Progress, Summary
from masking.batch.journal import Growing, Journal, Lock, folder_synced, write_whole
from masking.batch.pool import Pool, cores
from masking.batch.reading import Reading, Task, digest_of
from masking.batch.rows import Layout, Outcome, Rows, Settings
from masking.batch.source import Source, sources
from masking.core.errors import ConfigurationError, MaskingError

if TYPE_CHECKING:
    from masking.vault import Table

__all__ = ["run"]


class _Worker:
    """What a worker process is made of."""

    def __init__(self, settings: Settings) -> None:
        if settings.restore:
            from masking.batch.restore import Restoring

            self._rows: Rows = Restoring(settings)
        else:
            self._rows = Rows(settings)

    def __call__(self, task: Task) -> Outcome:
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
    state = state_folder(job.output)
    with Lock(state):
        settings = Begun(job, state).settings()
        worker = _Run(job, settings, state, found, report)
        try:
            worker.go()
        finally:
            worker.close()
        return worker.finish(time.monotonic() - started, unknown)


def _moved(old: Path, new: Path) -> None:
    """Give a file its last name, unless an earlier run has. Raises ConfigurationError where it is gone."""
    new.parent.mkdir(parents=True, exist_ok=True)
    try:
        old.replace(new)
    except FileNotFoundError:
        if not new.exists():
            raise ConfigurationError(f"{new} was written and is gone; choose a new output folder") from None
    folder_synced(new.parent)


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
        self._reading = Reading(job, settings, self._parts)
        self._journal = Journal(job.output)
        self._table: Table | None = None
        if settings.vault and not settings.restore:
            from masking.vault import open_table

            self._table = open_table(settings.vault)
        self._results: dict[str, dict[str, Any]] = {}
        self._begun: dict[str, dict[str, Any]] = {}
        self._last: dict[str, dict[str, Any]] = {}
        self._output: Growing | None = None
        self._bad: Growing | None = None
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
        if not same and digest_of(source.path) != result["input_sha256"]:
            raise ConfigurationError(
                f"{source.path} has changed since it was masked to {source.name}; choose a new output folder"
            )
        return True

    # Reading.

    def _tasks(self) -> Iterator[Task]:
        for index, source in enumerate(self._found):
            if not self._is_done(source):
                begun, last = self._begun.get(source.name), self._last.get(source.name)
                yield from self._reading.tasks(index, source, begun, last)

    # Writing.

    def go(self) -> None:
        workers = self._job.workers
        left = sum(_size(one.path) for one in self._found if not self._is_done(one))
        blocks = -(-left // self._job.block_size)
        # A worker takes a second to begin, as long as it takes for a few blocks.
        workers = max(1, min(workers or min(cores(), blocks // 4), blocks))
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
            self._output = Growing(partial, last["out"], last["out_sha"])
            self._bad = Growing(bad, last["bad"], last["bad_sha"])
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
        self._output, self._bad = Growing(partial), Growing(bad)

    def _write(self, source: Source, task: Task, outcome: Outcome) -> None:
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

    def _end(self, source: Source, task: Task) -> None:
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
        return target.stat().st_size, digest_of(target)

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


def _size(path: Path) -> int:
    return path.stat().st_size
