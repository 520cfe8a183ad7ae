"""Prometheus metrics, in a registry of the gateway's own: counts and times, never a value, a name or a path.

    metrics = Metrics()
    metrics.requested("openai", "masked", {"PHONE_NUMBER": 1}, added=0.0004)
    body, content_type = metrics.page()

| name | what |
| --- | --- |
| `masking_requests_total{route,decision}` | requests by decision: masked, clean, unmasked, refused |
| `masking_findings_total{entity}` | what was found in requests |
| `masking_redactions_total{entity}` | new values that were redacted in answers |
| `masking_refusals_total{route,reason}` | refusals by code |
| `masking_upstream_responses_total{route,status}` | replies of upstreams by class of status: 2xx … 5xx, broken |
| `masking_added_seconds{route}` | seconds that masking adds to a request |
| `masking_added_event_seconds{route}` | seconds that restoring adds to a part of a reply, the mean of each reply |
| `masking_withheld_characters{route}` | the most characters that a stream held back at a time |
| `masking_open_streams{route}` | streams that are open now |
| `masking_vault_seconds{operation}` | calls of the vault |
| `masking_vault_errors_total{kind}` | calls that failed: down, conflict, limit, seal |
| `masking_audit_lost_total` | audit lines that could not be written |
| `masking_category_info{category,version}` | 1 for every category that is loaded |
| `masking_reloads_total{outcome}` | rules and configuration read again: done, refused |

Source: https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from masking.core.errors import ConflictError, LimitError, SealError, VaultError
from masking.vault import Stored, Vault

__all__ = ["Metrics", "TimedVault"]

_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
_EVENT_SECONDS = (0.000005, 0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.1)
_CHARACTERS = (0, 1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """Everything that is counted; may be used from several threads."""

    def __init__(self) -> None:
        self._lost_before = 0
        self.registry = CollectorRegistry(auto_describe=True)
        registry = self.registry
        self._requests = Counter("masking_requests", "Requests by decision", ["route", "decision"], registry=registry)
        self._findings = Counter("masking_findings", "Findings in requests by entity", ["entity"], registry=registry)
        self._redactions = Counter(
            "masking_redactions", "New values redacted in answers by entity", ["entity"], registry=registry
        )
        self._refusals = Counter("masking_refusals", "Refusals by code", ["route", "reason"], registry=registry)
        self._replies = Counter(
            "masking_upstream_responses",
            "Upstreams' replies by class of status",
            ["route", "status"],
            registry=registry,
        )
        self._request_seconds = Histogram(
            "masking_added_seconds",
            "Seconds that masking a request adds",
            ["route"],
            registry=registry,
            buckets=_SECONDS,
        )
        self._event_seconds = Histogram(
            "masking_added_event_seconds",
            "Seconds that restoring adds to a part of a reply, the mean of each reply",
            ["route"], registry=registry, buckets=_EVENT_SECONDS,
        )  # fmt: skip
        self._withheld = Histogram(
            "masking_withheld_characters",
            "The most characters that a stream held back at a time",
            ["route"], registry=registry, buckets=_CHARACTERS,
        )  # fmt: skip
        self._open = Gauge("masking_open_streams", "Streams that are open now", ["route"], registry=registry)
        self._vault_seconds = Histogram(
            "masking_vault_seconds", "Seconds of the vault's calls", ["operation"], registry=registry, buckets=_SECONDS
        )
        self._vault_errors = Counter("masking_vault_errors", "Vault calls that failed", ["kind"], registry=registry)
        self._lost = Counter("masking_audit_lost", "Audit lines that could not be written", registry=registry)
        self._categories = Gauge(
            "masking_category_info", "Categories that are loaded", ["category", "version"], registry=registry
        )

        self._reloads = Counter("masking_reloads", "Rules and configuration read again", ["outcome"], registry=registry)

    def reloaded(self, outcome: str) -> None:
        """Rules and configuration were read again, and taken over or refused."""
        self._reloads.labels(outcome).inc()

    def requested(self, route: str, decision: str, entities: Mapping[str, int], added: float) -> None:
        """A request was masked and is on its way; `added` in seconds."""
        self._requests.labels(route, decision).inc()
        for entity, count in entities.items():
            self._findings.labels(entity).inc(count)
        self._request_seconds.labels(route).observe(added)

    def redacted(self, entities: Mapping[str, int]) -> None:
        """A reply ended in which new values were redacted."""
        for entity, count in entities.items():
            self._redactions.labels(entity).inc(count)

    def refused(self, route: str, reason: str, decision: str = "refused") -> None:
        """A request was not served."""
        self._requests.labels(route, decision).inc()
        self._refusals.labels(route, reason).inc()

    def replied(self, route: str, status: int) -> None:
        """An upstream began to answer; status 0: it broke off, or did not answer at all."""
        self._replies.labels(route, f"{status // 100}xx" if status else "broken").inc()

    @contextmanager
    def stream(self, route: str) -> Iterator[None]:
        """Counts a stream as open while it is."""
        gauge = self._open.labels(route)
        gauge.inc()
        try:
            yield
        finally:
            gauge.dec()

    def streamed(self, route: str, seconds: float, parts: int, withheld: int) -> None:
        """A reply ended: the seconds that restoring took in all, of how many parts, and the most characters held."""
        if parts:
            self._event_seconds.labels(route).observe(seconds / parts)
        self._withheld.labels(route).observe(withheld)

    @contextmanager
    def vault(self, operation: str, now: Callable[[], float] = time.perf_counter) -> Iterator[None]:
        """Times a call of the vault, and counts it if it fails."""
        began = now()
        try:
            yield
        except VaultError as error:
            self._vault_errors.labels(_kind(error)).inc()
            raise
        finally:
            self._vault_seconds.labels(operation).observe(now() - began)

    def audit_lost(self, total: int) -> None:
        """How many audit lines are lost since the gateway started."""
        known = self._lost._value.get()
        if total > known:
            self._lost.inc(total - known)

    def categories(self, loaded: Mapping[str, str]) -> None:
        """Categories and their versions as they are now."""
        self._categories.clear()
        for category, version in loaded.items():
            self._categories.labels(category, version).set(1)

    def page(self) -> tuple[bytes, str]:
        """What a scrape gets: the body and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST


class TimedVault:
    """A vault whose calls are timed, and counted where they fail."""

    def __init__(self, vault: Vault, metrics: Metrics) -> None:
        self._vault = vault
        self._metrics = metrics

    def load(self, owner: str, name: str) -> Stored | None:
        with self._metrics.vault("load"):
            return self._vault.load(owner, name)

    def save(self, owner: str, name: str, entries: Mapping[str, str], version: int) -> int:
        with self._metrics.vault("save"):
            return self._vault.save(owner, name, entries, version)

    def delete(self, owner: str, name: str) -> bool:
        with self._metrics.vault("delete"):
            return self._vault.delete(owner, name)

    def forget(self, owner: str) -> int:
        with self._metrics.vault("forget"):
            return self._vault.forget(owner)

    def claim(self, owner: str, name: str, seconds: float) -> bool:
        with self._metrics.vault("claim"):
            return self._vault.claim(owner, name, seconds)

    def purge(self) -> int:
        with self._metrics.vault("purge"):
            return self._vault.purge()

    def check(self) -> None:
        with self._metrics.vault("check"):
            self._vault.check()

    def close(self) -> None:
        self._vault.close()


def _kind(error: VaultError) -> str:
    kinds = {ConflictError: "conflict", LimitError: "limit", SealError: "seal"}
    return next((kind for of, kind in kinds.items() if isinstance(error, of)), "down")
