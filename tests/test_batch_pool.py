"""Several processes give the results of one, in order, and say what went wrong without a value."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest

from masking.batch.pool import Pool
from masking.core.errors import ConfigurationError, MaskingError


def make(argument: str) -> Callable[[int], str]:
    def work(task: int) -> str:
        time.sleep(0.002 * (task % 5))
        if argument == "own" and task == 7:
            raise ConfigurationError("seven")
        if argument == "disk" and task == 7:
            raise OSError(28, "No space left on device")
        if argument == "other" and task == 7:
            raise ValueError("a value: 13800138000")
        if argument == "die" and task == 7:
            os.kill(os.getpid(), signal.SIGKILL)
        return f"{argument} {task}"

    return work


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_results_come_in_order_and_tasks_are_read_a_few_ahead(workers: int) -> None:
    given: list[int] = []

    def tasks() -> list[int]:
        return list(range(40))

    def counted():  # type: ignore[no-untyped-def]
        for task in tasks():
            given.append(task)
            yield task

    with Pool(workers, make, "x") as pool:
        for number, (task, result) in enumerate(pool.results(counted())):
            assert (task, result) == (number, f"x {number}")
            assert len(given) <= number + 1 + 3 * workers
    assert given == tasks()


@pytest.mark.parametrize(
    ("kind", "error", "says"),
    [
        ("own", ConfigurationError, "seven"),
        ("disk", OSError, "No space"),
        ("other", MaskingError, "ValueError"),
        ("die", MaskingError, "died"),
    ],
)
def test_what_goes_wrong_in_a_worker_is_told_here(kind: str, error: type[Exception], says: str) -> None:
    with Pool(2, make, kind) as pool, pytest.raises(error, match=says) as told:
        list(pool.results(iter(range(20))))
    assert "13800138000" not in str(told.value)
