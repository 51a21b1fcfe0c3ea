"""One trace from the request to the delivery, one log line format, one place where measurements are made."""

import json
import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from opentelemetry import context, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, DEFAULT_ON
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import Counter, Gauge, Histogram

from shared.errors import MinewatchError, Refusal
from shared.rolling_file import rolling

correlation: ContextVar[str | None] = ContextVar("correlation", default=None)

_W3C = TraceContextTextMapPropagator()

LAG = Gauge("minewatch_lag_events", "Source head minus mark", ["service", "follower", "source"])
PARKED = Gauge(
    "minewatch_parked_events", "Events that wait for a person, or behind one that does", ["service", "state"]
)
DISMISSED = Gauge("minewatch_dismissed_events", "Events that a person decided will not be done", ["service"])
HEAD = Gauge("minewatch_log_head", "Position of the newest sequenced event", ["service"])
SEQUENCED = Counter("minewatch_sequenced_events", "Events given a position", ["service"])
RELAYED = Counter("minewatch_relayed_events", "Events published to the stream", ["service"])
RECEIVED = Counter("minewatch_received_events", "Events taken from another service", ["service", "source", "way"])
FOLLOWED = Counter("minewatch_followed_events", "Events walked by a follower", ["service", "follower", "source"])
STOPPED = Gauge("minewatch_stopped", "1 while a part has stopped and needs a person", ["service", "part"])
DELIVERIES = Counter("minewatch_deliveries", "Delivery attempts by outcome", ["service", "channel", "outcome"])
REQUESTS = Histogram("minewatch_request_seconds", "HTTP requests", ["service", "method", "status"])

# Read from the database at each scrape (web/measures.py), whichever process does the work.
BUILD = Gauge("minewatch_build_info", "1; what runs", ["service", "version", "step"])
DATABASE_UP = Gauge("minewatch_database_up", "1 while the service's database answers", ["service"])
NATS_UP = Gauge("minewatch_nats_up", "1 while the service is connected to NATS", ["service"])
DATABASE_SIZE = Gauge("minewatch_database_bytes", "Size of the service's database", ["service"])
SKEW = Gauge("minewatch_clock_skew_seconds", "Postgres's clock minus this program's", ["service"])
PENDING = Gauge("minewatch_pending_events", "Events that wait for a position", ["service"])
PENDING_AGE = Gauge(
    "minewatch_pending_oldest_seconds", "Since when the oldest of them waits; 0 without any", ["service"]
)
STREAM_LAST = Gauge("minewatch_stream_last", "Position of the newest event in the service's stream", ["service"])
UNSENT = Gauge(
    "minewatch_delivery_rows", "Deliveries that are open, late (of the open ones) or dead", ["service", "state"]
)
TIMERS = Gauge("minewatch_timers", "Deadlines overdue or failed", ["service", "state"])
CHECKPOINT = Gauge("minewatch_checkpoint_size", "Events that the newest signed checkpoint covers", ["service"])
UNSIGNED = Gauge(
    "minewatch_unsigned_oldest_seconds", "Since when an event waits for a checkpoint; 0 without any", ["service"]
)
COSIGNED = Gauge("minewatch_cosigned_size", "Events that a witness signed for", ["service", "witness"])
QUORUM = Gauge("minewatch_quorum_size", "Events that a checkpoint covers which meets the policy", ["service"])
QUORUM_BEHIND = Gauge(
    "minewatch_quorum_behind_seconds", "Age of that checkpoint while the newest does not meet it, else 0", ["service"]
)


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


def span_passed(traceparent: str | None, name: str, **attributes: str | int) -> None:
    """The same for an event that only passes by: a span with nothing inside. None either where the trace is not sampled."""
    if traceparent is None or not int(traceparent[-2:], 16) & TraceFlags.SAMPLED:
        return
    _, trace_id, span_id, flags = traceparent.split("-")
    parent = SpanContext(int(trace_id, 16), int(span_id, 16), True, TraceFlags(int(flags, 16)))
    within = trace.set_span_in_context(NonRecordingSpan(parent), context.Context())
    trace.get_tracer("minewatch").start_span(name, context=within, attributes=attributes).end()


def start_tracing(service: str, traces: Path | None) -> TracerProvider:
    """Spans go to the file `traces`, one JSON object a line; without a file only their ids are handed on, marked unsampled."""
    provider = TracerProvider(
        sampler=ALWAYS_OFF if traces is None else DEFAULT_ON, resource=Resource.create({"service.name": service})
    )
    if traces is not None:
        exporter = ConsoleSpanExporter(out=rolling(traces), formatter=_one_line)
        provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return provider


def _one_line(span: ReadableSpan) -> str:
    """Indented, the exporter's default, is written by Python's own encoder, which costs several times as much.

    Of an exception its kind alone: its text, which the tracer keeps three times, may repeat what was sent.
    """
    line: str = span.to_json(indent=None)
    if span.events or span.status.description:
        told = json.loads(line)
        told["status"].pop("description", None)
        for event in told["events"]:
            event["attributes"] = {k: v for k, v in event["attributes"].items() if k == "exception.type"}
        line = json.dumps(told)
    return line + "\n"


def start_logging(level: str = "INFO", file: Path | None = None) -> None:
    """Structured lines (JSON) with the correlation id; to `file`, else to standard error. Values are codes, ids, numbers."""
    import structlog  # as in `log`

    stream = rolling(file) if file is not None else sys.stderr

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
    """A library's log record as one structured line: the first of its lines, for asyncio quotes exceptions in the next."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        said = record.getMessage().partition("\n")[0][:300]
        log(record.name).log(record.levelno, said, error=type(error).__name__ if error else None)


def log(part: str, **facts: Any) -> Any:
    """The logger of a part of a service."""
    import structlog  # it brings rich and attrs along, for which a command that writes no log does not wait

    return structlog.get_logger(part=part, **facts)


def why(error: BaseException) -> str:
    """What may be written down of an error: our own words, and those of Postgres and NATS where they quote no value.

    Of any other the places it passed, last first: its text may repeat an informant's words, as pydantic's does.
    """
    if isinstance(error, Refusal):
        return error.rule
    if isinstance(error, MinewatchError | OSError) or type(error).__module__.startswith("nats."):
        return str(error)[:300]
    sqlstate = getattr(error, "sqlstate", None)
    if isinstance(sqlstate, str) and sqlstate[:2] not in QUOTING:
        return str(error.args[0])[:300]  # without its DETAIL, which quotes rows
    return places(error)


QUOTING = ("22", "P0")
"""Classes of SQLSTATE whose messages quote values: data that fits no type, and what a function raises."""


def places(error: BaseException) -> str:
    """The last six places an error passed, the innermost first, without values: "tip.py:228 < app.py:186"."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    return " < ".join(f"{f.filename.rsplit('/', 1)[-1]}:{f.lineno}" for f in frames[::-1])
