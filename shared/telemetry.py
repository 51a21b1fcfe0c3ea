"""One trace from the request to the delivery, one log line format, one place where measurements are made."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import structlog
from opentelemetry import context, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import Counter, Gauge, Histogram

correlation: ContextVar[str | None] = ContextVar("correlation", default=None)

_W3C = TraceContextTextMapPropagator()

LAG = Gauge("minewatch_lag_events", "Source head minus mark", ["service", "follower", "source"])
PARKED = Gauge(
    "minewatch_parked_events", "Events that wait for a person, or behind one that does", ["service", "state"]
)
HEAD = Gauge("minewatch_log_head", "Position of the newest sequenced event", ["service"])
SEQUENCED = Counter("minewatch_sequenced_events", "Events given a position", ["service"])
RELAYED = Counter("minewatch_relayed_events", "Events published to the stream", ["service"])
RECEIVED = Counter("minewatch_received_events", "Events taken from another service", ["service", "source", "way"])
FOLLOWED = Counter("minewatch_followed_events", "Events walked by a follower", ["service", "follower", "source"])
STOPPED = Gauge("minewatch_stopped", "1 while a part has stopped and needs a person", ["service", "part"])
DELIVERIES = Counter("minewatch_deliveries", "Delivery attempts by outcome", ["service", "channel", "outcome"])
REQUESTS = Histogram("minewatch_request_seconds", "HTTP requests", ["service", "method", "status"])


def current_traceparent() -> str | None:
    """The W3C traceparent of the running span, None when nothing is traced."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier)
    return carrier.get("traceparent")


@contextmanager
def span_of(traceparent: str | None, name: str, **attributes: str | int) -> Iterator[None]:
    """A span that continues the trace an event carries. Without one there is nothing to continue, and none is made."""
    if traceparent is None:
        yield
        return
    parent = _W3C.extract({"traceparent": traceparent}, context=context.Context())
    tracer = trace.get_tracer("minewatch")
    with tracer.start_as_current_span(name, context=parent, attributes=attributes):
        yield


def start_tracing(service: str, traces: Path | None) -> TracerProvider:
    """Spans go to the file `traces`, one JSON object after another; without a file they are made and dropped."""
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    if traces is not None:
        traces.parent.mkdir(parents=True, exist_ok=True)
        out = traces.open("a", encoding="utf-8", buffering=1)
        provider.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter(out=out)))
    trace.set_tracer_provider(provider)
    return provider


def start_logging(level: str = "INFO", file: Path | None = None) -> None:
    """Structured lines (JSON) with the correlation id; to `file`, else to standard error. Values are codes, ids, numbers."""
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
    stream = file.open("a", encoding="utf-8", buffering=1) if file is not None else sys.stderr

    def add_correlation(_: Any, __: str, entry: structlog.typing.EventDict) -> structlog.typing.EventDict:
        if (known := correlation.get()) is not None:
            entry.setdefault("correlation", known)
        return entry

    # What libraries say (asyncpg, nats, uvicorn) becomes lines of the same kind, without their tracebacks.
    logging.basicConfig(level=logging.WARNING, handlers=[_Lines()], force=True)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            add_correlation,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )


class _Lines(logging.Handler):
    """A library's log record as one structured line."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        log(record.name).log(record.levelno, record.getMessage()[:300], error=type(error).__name__ if error else None)


def log(part: str, **facts: Any) -> Any:
    """The logger of a part of a service."""
    return structlog.get_logger(part=part, **facts)
