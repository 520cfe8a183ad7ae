"""Progress of long work: a bar on a terminal, lines in a log."""

from __future__ import annotations

import sys
import time
from types import TracebackType

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from masking.batch import Progress as Stand

__all__ = ["Shown"]

_EVERY = 10.0  # seconds between lines


class Shown:
    """Says on standard error how far a batch is; call it with the run's progress. Quiet where `quiet`."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._started = self._said = time.monotonic()
        self._quiet = quiet
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        if not quiet and sys.stderr.isatty():
            self._bar = Progress(
                TextColumn("{task.fields[file]}", markup=False),
                BarColumn(),
                DownloadColumn(binary_units=True),
                TextColumn("{task.fields[said]}", markup=False),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )

    def __enter__(self) -> Shown:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, stand: Stand) -> None:
        now = time.monotonic()
        rate = stand.fresh_rows / max(now - self._started, 0.001)
        said = f"{stand.rows:,} rows, {rate:,.0f}/s, {stand.findings.total():,} findings"
        if stand.quarantined:
            said += f", {stand.quarantined:,} left out"
        if self._bar is not None:
            if self._task is None:
                self._task = self._bar.add_task("", total=stand.size, completed=stand.resumed, file="", said="")
            self._bar.update(self._task, completed=stand.read, file=stand.file, said=said)
        elif not self._quiet and now - self._said >= _EVERY:
            self._said = now
            click.echo(f"{stand.done}/{stand.files} files, {_share(stand)}, {said}{self._left(stand, now)}", err=True)

    def _left(self, stand: Stand, now: float) -> str:
        done, left = stand.read - stand.resumed, stand.size - stand.read
        if done <= 0:
            return ""
        seconds = round((now - self._started) * left / done)
        return f", about {seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02} left"


def _share(stand: Stand) -> str:
    return f"{stand.read / stand.size:.0%}" if stand.size else "100%"
