"""OpenTelemetry spans, where its API package is installed; nothing otherwise, at no cost.

    tracing = Tracing()
    with tracing.request(headers, {"masking.route": "openai"}) as span:
        with tracing.part("masking.mask"): …
        span.set({"masking.findings": 2})
        headers |= tracing.context()            # traceparent, for the upstream, if that is wanted

Spans: `masking.request` around an exchange, continuing the caller's trace (W3C traceparent); within it `masking.mask`,
`masking.vault`, `masking.upstream`. Attributes are counts and names of routes, categories and clients: never a value.
An exception's type is recorded, its message is not. The program that runs the gateway chooses the SDK and the exporter:
`opentelemetry-instrument masking serve`, with OTEL_… variables. Source: https://opentelemetry.io/docs/specs/otel/trace/api/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

__all__ = ["Span", "Tracing"]

Attributes = Mapping[str, str | int | float | bool]


class Span:
    """A span, or none."""

    __slots__ = ("_span",)

    def __init__(self, span: Any = None) -> None:
        self._span = span

    def set(self, attributes: Attributes) -> None:
        """Set attributes."""
        if self._span is not None:
            self._span.set_attributes(dict(attributes))

    def failed(self, reason: str) -> None:
        """Mark the span as failed, by a code and not by a message."""
        if self._span is not None:
            from opentelemetry.trace import Status, StatusCode

            self._span.set_status(Status(StatusCode.ERROR, reason))
            self._span.set_attribute("error.type", reason)


_NO_SPAN = nullcontext(Span())


class Tracing:
    """Makes spans if there is something to make them with. `provider` is OpenTelemetry's, left out the global one."""

    def __init__(self, provider: Any = None) -> None:
        self._trace: Any = None
        self._is_given = provider is not None
        try:
            from opentelemetry import trace
        except ImportError:
            return
        from masking import __version__

        self._trace = trace
        self._tracer = trace.get_tracer("masking.gateway", __version__, tracer_provider=provider)

    @property
    def is_on(self) -> bool:
        """Whether the API package is installed."""
        return self._trace is not None

    def _records(self) -> bool:
        """Whether anybody gets the spans: a program may set its provider at any time."""
        trace = self._trace
        return trace is not None and (
            self._is_given or not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
        )

    def request(self, headers: Mapping[str, str], attributes: Attributes) -> AbstractContextManager[Span]:
        """The span of one exchange, a child of the caller's where its headers name one."""
        if not self._records():
            return _NO_SPAN
        from opentelemetry.propagate import extract
        from opentelemetry.trace import SpanKind

        # Baggage could hold anything: the trace's own two headers are read, and nothing else.
        given = {name: headers[name] for name in ("traceparent", "tracestate") if name in headers}
        return self._span("masking.request", attributes, context=extract(given), kind=SpanKind.SERVER)

    def part(self, name: str, attributes: Attributes | None = None) -> AbstractContextManager[Span]:
        """A span within the current one."""
        return self._span(name, attributes or {}) if self._records() else _NO_SPAN

    def context(self) -> dict[str, str]:
        """The headers that let an upstream go on with the trace; none without one."""
        if not self._records():
            return {}
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        carrier: dict[str, str] = {}
        TraceContextTextMapPropagator().inject(carrier)
        return carrier

    @contextmanager
    def _span(self, name: str, attributes: Attributes, **options: Any) -> Iterator[Span]:
        with self._tracer.start_as_current_span(
            name, attributes=dict(attributes), record_exception=False, set_status_on_exception=False, **options
        ) as made:
            span = Span(made)
            try:
                yield span
            except BaseException as error:
                span.failed(type(error).__name__)
                raise
