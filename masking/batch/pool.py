"""Tasks done by several processes, their results in the order of the tasks.

A worker holds one end of one pipe. When this process dies, however it dies, the pipe closes and the worker ends.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar, cast

from masking.core.errors import MaskingError

__all__ = ["Pool", "cores"]

T = TypeVar("T")
R = TypeVar("R")

_AHEAD = 3  # tasks for each worker that are read, being done, or waiting for an earlier one


def cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Pool(Generic[T, R]):
    """`workers` processes that each make one function of `make(argument)` and call it for tasks.

    With one worker everything happens in this process. Close it, or use it as a context manager.
    """

    def __init__(self, workers: int, make: Callable[[Any], Callable[[T], R]], argument: Any) -> None:
        self._workers: list[tuple[BaseProcess, Connection]] = []
        self._function: Callable[[T], R] | None = make(argument) if workers <= 1 else None
        context = get_context("spawn")  # a fork would copy threads' locks, of onnxruntime and others
        for _ in range(workers if workers > 1 else 0):
            here, there = context.Pipe()
            process = context.Process(target=_work, args=(there, make, argument), daemon=True)
            process.start()
            there.close()
            self._workers.append((process, here))

    def __enter__(self) -> Pool[T, R]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers, whatever they are doing."""
        for process, pipe in self._workers:
            pipe.close()
            process.terminate()
        for process, _ in self._workers:
            process.join()
            process.close()
        self._workers = []

    def results(self, tasks: Iterable[T]) -> Iterator[tuple[T, R]]:
        """Each task with its result, in order; tasks are read only a few ahead.

        Raises what a task raised, and MaskingError when a worker died.
        """
        if self._function is not None:
            for task in tasks:
                yield task, self._function(task)
            return
        source = enumerate(tasks)
        idle = list(range(len(self._workers)))
        pending: dict[int, T] = {}
        done: dict[int, R] = {}
        following = 0
        more = True
        while True:
            while more and idle and len(pending) < _AHEAD * len(self._workers):
                number, task = next(source, (-1, cast("T", None)))
                if number < 0:
                    more = False
                    break
                pending[number] = task
                self._send(idle.pop(), number, task)
            while following in done:
                yield pending.pop(following), done.pop(following)
                following += 1
            if not pending:
                if not more:
                    return
                continue
            if following in done or (more and idle and len(pending) < _AHEAD * len(self._workers)):
                continue
            pipes = [pipe for _, pipe in self._workers]
            for ready in wait(pipes):
                number, result, error = self._received(ready)  # type: ignore[arg-type]
                idle.append(pipes.index(ready))  # type: ignore[arg-type]
                if error is not None:
                    raise error
                done[number] = result

    def _send(self, worker: int, number: int, task: T) -> None:
        try:
            self._workers[worker][1].send((number, task))
        except OSError:
            raise _died() from None

    @staticmethod
    def _received(pipe: Connection) -> tuple[int, Any, Exception | None]:
        try:
            received: tuple[int, Any, Exception | None] = pipe.recv()
        except (EOFError, OSError):
            raise _died() from None
        return received


def _died() -> MaskingError:
    return MaskingError(
        "a worker process died, perhaps for want of memory; the same command goes on where this one stopped: "
        "give it fewer --workers or a smaller --block"
    )


def _work(pipe: Connection, make: Callable[[Any], Callable[[Any], Any]], argument: Any) -> None:
    """The whole life of a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the first process decides
    function: Callable[[Any], Any] | None = None
    answer: tuple[int, Any, Exception | None]
    with suppress(EOFError, OSError):
        while True:
            number, task = pipe.recv()
            try:
                function = function or make(argument)
                answer = (number, function(task), None)
            except MaskingError as error:
                answer = (number, None, error)
            except OSError as error:  # a full disk, most often
                answer = (number, None, OSError(error.errno, error.strerror))
            except Exception as error:  # noqa: BLE001 - its message may hold a value
                answer = (number, None, MaskingError(f"internal error in a worker: {type(error).__name__}"))
            pipe.send(answer)
