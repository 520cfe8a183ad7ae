"""Runs suites, in this process or in several, and gathers what they came to."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from typing import Literal

from masking.core.errors import MaskingError
from masking.policy.labelled import run_labelled
from masking.policy.result import CaseResult, LabelledResult, PolicyVersion, Report, SuiteResult
from masking.policy.run import Cuts, Policy, check_entities, run_case
from masking.policy.suite import Case, Labelled, Suite
from masking.policy.version import version_of

__all__ = ["Progress", "policy_for", "run_suites"]

Progress = Callable[[int], None]
"""Told how many more cases are done."""

_FEW = 200  # cases: a second process costs more than it brings
_MOST = 64  # cases at a time
_Key = tuple[tuple[str, ...], Literal["on", "off"]]


@dataclass(frozen=True, slots=True)
class _Job:
    """Cases of one policy; `at` is the suite's and the case's place."""

    key: _Key
    cases: tuple[tuple[tuple[int, int], Case | Labelled], ...]


def run_suites(
    suites: Sequence[Suite], *, workers: int = 0, cuts: Cuts = "all", progress: Progress | None = None
) -> Report:
    """Run every case of `suites` in `workers` processes: 0 takes as many as are worth it.

    Raises SuiteError, ConfigurationError, RuleError or ModelError where a case cannot run at all.
    """
    started = time.perf_counter()
    jobs = list(_jobs(suites))
    total = sum(len(job.cases) for job in jobs)
    count = workers or (1 if total <= _FEW else os.cpu_count() or 1)
    done: dict[tuple[int, int], CaseResult | LabelledResult] = {}

    def take(results: Sequence[tuple[tuple[int, int], CaseResult | LabelledResult]]) -> None:
        done.update(results)
        if progress is not None:
            progress(len(results))

    if count == 1:
        for job in jobs:
            for part in _single(job):
                take(_work(part, cuts))
    else:
        _spread(jobs, count, cuts, take)
    gathered: list[SuiteResult] = []
    for at, suite in enumerate(suites):
        rows = [done[at, number] for number in range(len(suite.cases) + len(suite.labelled))]
        cases = tuple(one for one in rows if isinstance(one, CaseResult))
        labelled = tuple(one for one in rows if isinstance(one, LabelledResult))
        gathered.append(SuiteResult(suite, cases, labelled))
    return Report(tuple(gathered), _versions(jobs), time.perf_counter() - started, count)


def _jobs(suites: Sequence[Suite]) -> Iterator[_Job]:
    by_key: dict[_Key, list[tuple[tuple[int, int], Case | Labelled]]] = {}
    for at, suite in enumerate(suites):
        both: tuple[Case | Labelled, ...] = (*suite.cases, *suite.labelled)
        for number, one in enumerate(both):
            by_key.setdefault((one.categories, one.names), []).append(((at, number), one))
    for key, cases in by_key.items():
        for start in range(0, len(cases), _MOST):
            yield _Job(key, tuple(cases[start : start + _MOST]))


def _single(job: _Job) -> Iterator[_Job]:
    for one in job.cases:
        yield _Job(job.key, (one,))


def _spread(
    jobs: Sequence[_Job],
    count: int,
    cuts: Cuts,
    take: Callable[[Sequence[tuple[tuple[int, int], CaseResult | LabelledResult]]], None],
) -> None:
    # Spawned, because a fork of a process with threads (a progress bar, a model) may hang.
    pool = ProcessPoolExecutor(count, mp_context=get_context("spawn"))
    try:
        running: set[Future[list[tuple[tuple[int, int], CaseResult | LabelledResult]]]] = {
            pool.submit(_work, job, cuts) for job in jobs
        }
        while running:
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                take(future.result())
    except BrokenProcessPool:
        raise MaskingError("a process that ran cases ended by itself, perhaps for lack of memory; try -j 1") from None
    finally:
        pool.shutdown(cancel_futures=True)


def policy_for(categories: tuple[str, ...], names: Literal["on", "off"]) -> Policy:
    """The policy of some categories, made once as long as their files stay as they are. Raises what Masker raises."""
    key = (categories, names)
    return _policy(key, _stamp(key))


@lru_cache(maxsize=16)
def _policy(key: _Key, stamp: tuple[float, ...]) -> Policy:
    del stamp  # a file that was changed since makes another policy
    return Policy.of(*key)


def _stamp(key: _Key) -> tuple[float, ...]:
    return tuple(os.stat(name).st_mtime if os.path.isfile(name) else 0.0 for name in key[0])  # noqa: PTH113, PTH116


def _work(job: _Job, cuts: Cuts) -> list[tuple[tuple[int, int], CaseResult | LabelledResult]]:
    policy = policy_for(*job.key)
    results: list[tuple[tuple[int, int], CaseResult | LabelledResult]] = []
    for at, one in job.cases:
        if isinstance(one, Labelled):
            results.append((at, run_labelled(one, policy)))
        else:
            check_entities(one, policy)
            results.append((at, run_case(one, policy, cuts)))
    return results


def _versions(jobs: Sequence[_Job]) -> tuple[PolicyVersion, ...]:
    keys = dict.fromkeys(job.key for job in jobs)
    return tuple(version_of(policy_for(*key).masker.category, key[1]) for key in keys)
