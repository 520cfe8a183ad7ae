"""Metrics, spans and the program's log: they tell what happened, and no value."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from gateway_server import Watched, serving
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from masking.core.errors import ConflictError, VaultError
from masking.echo import Manner
from masking.gateway.logs import configure
from masking.gateway.metrics import Metrics
from masking.gateway.tracing import Tracing

ROOT = Path(__file__).parents[1]


def page(metrics: Metrics) -> dict[str, float]:
    """Samples by name and labels as they stand on the page."""
    body, kind = metrics.page()
    assert kind.startswith("text/plain")
    lines = [one for one in body.decode().splitlines() if not one.startswith("#")]
    return {name: float(value) for name, _, value in (one.rpartition(" ") for one in lines)}


def test_what_happens_is_counted() -> None:
    metrics = Metrics()
    metrics.requested("openai", "masked", {"PHONE_NUMBER": 2, "PERSON": 1}, added=0.0004)
    metrics.requested("openai", "clean", {}, added=0.0001)
    metrics.refused("dms", "unmaskable")
    metrics.replied("openai", 200)
    metrics.replied("openai", 0)
    metrics.streamed("openai", 0.001, 100, 12)
    metrics.audit_lost(3)
    metrics.audit_lost(3)
    metrics.audit_lost(5)
    metrics.categories({"UserInfo": "3"})
    metrics.categories({"UserInfo": "4"})
    with metrics.stream("openai"):
        during = page(metrics)
    after = page(metrics)

    assert during['masking_open_streams{route="openai"}'] == 1
    expected = {
        'masking_open_streams{route="openai"}': 0,
        'masking_requests_total{decision="masked",route="openai"}': 1,
        'masking_requests_total{decision="refused",route="dms"}': 1,
        'masking_findings_total{entity="PHONE_NUMBER"}': 2,
        'masking_refusals_total{reason="unmaskable",route="dms"}': 1,
        'masking_upstream_responses_total{route="openai",status="2xx"}': 1,
        'masking_upstream_responses_total{route="openai",status="broken"}': 1,
        'masking_added_seconds_count{route="openai"}': 2,
        'masking_added_event_seconds_sum{route="openai"}': 0.00001,
        'masking_withheld_characters_sum{route="openai"}': 12,
        "masking_audit_lost_total": 5,
        'masking_category_info{category="UserInfo",version="4"}': 1,
    }
    assert {name: after.get(name) for name in expected} == pytest.approx(expected)
    assert 'masking_category_info{category="UserInfo",version="3"}' not in after


def test_a_stream_that_breaks_is_no_longer_open() -> None:
    metrics = Metrics()
    with pytest.raises(ValueError), metrics.stream("openai"):
        raise ValueError

    assert page(metrics)['masking_open_streams{route="openai"}'] == 0


def test_the_vaults_calls_are_timed_and_its_failures_counted_by_kind() -> None:
    metrics = Metrics()
    for error in (VaultError("down"), ConflictError("x"), None):
        try:
            with metrics.vault("save"):
                if error:
                    raise error
        except VaultError:
            pass
    seen = page(metrics)

    assert seen['masking_vault_seconds_count{operation="save"}'] == 3
    assert (seen['masking_vault_errors_total{kind="down"}'], seen['masking_vault_errors_total{kind="conflict"}']) == (
        1,
        1,
    )


def test_the_gateways_page_tells_of_its_vault_and_its_streams() -> None:
    with serving() as server:
        body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "电话13800138000"}]}
        httpx.post(f"{server.url}/v1/chat/completions", json=body, headers={"x-masking-session": "s"})
        text = httpx.get(f"{server.url}/metrics").text

    assert "13800138000" not in text
    for line in (
        'masking_requests_total{decision="masked",route="openai"} 1.0',
        'masking_findings_total{entity="PHONE_NUMBER"} 1.0',
        'masking_vault_seconds_count{operation="load"} 1.0',
        'masking_vault_seconds_count{operation="save"} 1.0',
        'masking_open_streams{route="openai"} 0.0',
        'masking_withheld_characters_count{route="openai"} 1.0',
        'masking_added_seconds_count{route="openai"} 1.0',
    ):
        assert line in text


@pytest.mark.parametrize("stream", [True, False])
def test_values_that_the_model_made_up_are_counted(stream: bool) -> None:
    upstream = Watched(manner=Manner(invents=" 或 13900139000，13700137000 或 han@example.com。"))
    with serving(upstream) as server:
        body = {"model": "m", "stream": stream, "messages": [{"role": "user", "content": "电话13800138000"}]}
        httpx.post(f"{server.url}/v1/chat/completions", json=body).raise_for_status()
        text = httpx.get(f"{server.url}/metrics").text

    assert 'masking_redactions_total{entity="PHONE_NUMBER"} 2.0' in text
    assert 'masking_redactions_total{entity="EMAIL_ADDRESS"} 1.0' in text
    assert 'masking_findings_total{entity="PHONE_NUMBER"} 1.0' in text


def test_two_gateways_of_one_process_do_not_share_counts() -> None:
    one, other = Metrics(), Metrics()
    one.refused("dms", "unmaskable")

    assert not any("masking_refusals_total{" in name for name in page(other))


# Spans


@pytest.fixture
def spans() -> Iterator[tuple[Tracing, InMemorySpanExporter]]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield Tracing(provider), exporter
    provider.shutdown()


def test_an_exchange_is_a_span_of_the_callers_trace(spans: tuple[Tracing, InMemorySpanExporter]) -> None:
    tracing, exporter = spans
    caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with tracing.request({"traceparent": caller, "baggage": "phone=13800138000"}, {"masking.route": "openai"}) as span:
        with tracing.part("masking.mask"):
            pass
        with tracing.part("masking.upstream"):
            handed_on = tracing.context()
        span.set({"masking.findings": 2})
    mask, upstream, request = exporter.get_finished_spans()

    assert [one.name for one in (mask, upstream, request)] == ["masking.mask", "masking.upstream", "masking.request"]
    assert {f"{one.context.trace_id:032x}" for one in (mask, upstream, request)} == {caller[3:35]}
    assert request.parent is not None
    assert f"{request.parent.span_id:016x}" == caller[36:52]
    assert dict(request.attributes or {}) == {"masking.route": "openai", "masking.findings": 2}
    assert handed_on["traceparent"].split("-")[1:3] == [caller[3:35], f"{upstream.context.span_id:016x}"]
    assert "baggage" not in handed_on


def test_a_failed_span_names_the_kind_of_failure_alone(spans: tuple[Tracing, InMemorySpanExporter]) -> None:
    tracing, exporter = spans
    with pytest.raises(ValueError), tracing.request({}, {}), tracing.part("masking.mask"):
        raise ValueError("13800138000")
    with tracing.request({}, {}) as span:
        span.failed("unmaskable")
    told = [one.to_json() for one in exporter.get_finished_spans()]

    assert not any("13800138000" in one for one in told)
    assert [json.loads(one)["attributes"]["error.type"] for one in told] == ["ValueError", "ValueError", "unmaskable"]


def test_without_the_api_package_nothing_is_traced() -> None:
    code = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from masking.gateway.tracing import Tracing\n"
        "tracing = Tracing()\n"
        "with tracing.request({}, {'a': 1}) as span, tracing.part('b') as part:\n"
        "    span.set({'c': 2}); part.failed('d')\n"
        "assert not tracing.is_on and tracing.context() == {}\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


# The log


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    names = ("masking", "uvicorn", "uvicorn.error", "aiohttp", "asyncio")
    loggers = [logging.getLogger(name) for name in names]
    before = [(one.handlers[:], one.level, one.propagate) for one in loggers]
    yield io.StringIO()
    for one, (handlers, level, propagate) in zip(loggers, before, strict=True):
        one.handlers[:], one.propagate = handlers, propagate
        one.setLevel(level)


def complain(logger: str) -> None:
    try:
        raise ValueError("could not read 13800138000")
    except ValueError:
        logging.getLogger(logger).exception("it broke", extra={"route": "openai", "what": object()})


@pytest.mark.parametrize("logger", ["masking.gateway", "asyncio", "uvicorn.error"])
def test_the_log_is_json_and_tells_no_exceptions_message(logged: io.StringIO, logger: str) -> None:
    configure("INFO", "json", logged)
    configure("INFO", "json", logged)
    complain(logger)
    (text,) = logged.getvalue().splitlines()
    line: dict[str, Any] = json.loads(text)

    assert "13800138000" not in text
    assert line["at"].split(":")[0] == __file__
    assert {name: line[name] for name in ("level", "logger", "message", "error", "route", "what")} == {
        "level": "error", "logger": logger, "message": "it broke", "error": "ValueError", "route": "openai",
        "what": "<object>",
    }  # fmt: skip


def test_the_log_as_text_is_as_careful(logged: io.StringIO) -> None:
    configure("DEBUG", "text", logged)
    complain("masking.gateway")
    logging.getLogger("aiohttp").debug("a body")

    assert "13800138000" not in logged.getvalue()
    assert "a body" not in logged.getvalue()
    assert "ValueError at " in logged.getvalue()
