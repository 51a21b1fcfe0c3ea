"""Traces: an event that passes leaves a span of its trace, unless the trace is not kept."""

import json
import logging
from pathlib import Path

import asyncpg
import pytest
import structlog
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import BaseModel

from shared import telemetry
from shared.errors import NotReady, StreamExists

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    return kept


def test_an_event_that_passes_leaves_a_span_below_its_own(spans: InMemorySpanExporter) -> None:
    telemetry.span_passed(f"00-{TRACE}-{PARENT}-01", "relay", service="cases")
    (span,) = spans.get_finished_spans()
    assert span.context is not None and span.parent is not None
    assert (span.name, span.context.trace_id, span.parent.span_id) == ("relay", int(TRACE, 16), int(PARENT, 16))
    assert dict(span.attributes or {}) == {"service": "cases"}


@pytest.mark.parametrize("traceparent", [None, f"00-{TRACE}-{PARENT}-00"])
def test_what_nobody_traces_leaves_none(spans: InMemorySpanExporter, traceparent: str | None) -> None:
    telemetry.span_passed(traceparent, "relay", service="cases")
    assert spans.get_finished_spans() == ()


def test_a_file_of_traces_holds_one_object_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "set_tracer_provider", lambda _: None)
    provider = telemetry.start_tracing("cases", tmp_path / "traces.jsonl")
    for name in ("one", "two"):
        provider.get_tracer("minewatch").start_span(name).end()
    provider.shutdown()
    lines = (tmp_path / "traces.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["one", "two"]


def test_without_a_file_ids_are_handed_on_marked_unsampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "set_tracer_provider", lambda _: None)
    provider = telemetry.start_tracing("cases", None)
    with provider.get_tracer("minewatch").start_as_current_span("append"):
        traceparent = telemetry.current_traceparent()
    assert traceparent is not None and not int(traceparent[-2:], 16) & 1


TOLD = "欧阳查无此 13987650123"


class Typed(BaseModel):
    name: int


def failed(cause: Exception | None = None) -> BaseException:
    """As it is caught: with the places it passed. Without `cause`, what pydantic raises, which quotes what it was given."""
    try:
        if cause is not None:
            raise cause
        Typed(name=TOLD)  # type: ignore[arg-type]
    except Exception as error:
        return error
    raise AssertionError


def test_a_trace_holds_the_kind_of_an_error_and_not_its_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "set_tracer_provider", lambda _: None)
    provider = telemetry.start_tracing("cases", tmp_path / "traces.jsonl")
    with pytest.raises(ValueError), provider.get_tracer("minewatch").start_as_current_span("append"):
        raise failed()
    provider.shutdown()
    kept = (tmp_path / "traces.jsonl").read_text("utf-8")
    (event,) = json.loads(kept)["events"]
    assert event["attributes"] == {"exception.type": "pydantic_core._pydantic_core.ValidationError"}
    assert json.loads(kept)["status"] == {"status_code": "ERROR"}
    assert "13987650123" not in kept


@pytest.mark.parametrize(
    "error",
    [
        failed(),
        failed(ValueError(TOLD)),
        failed(KeyError(TOLD)),
        failed(asyncpg.DataError(f"invalid input for query argument $1: {TOLD!r}")),
        failed(asyncpg.InvalidTextRepresentationError(f'invalid input syntax for type integer: "{TOLD}"')),
        failed(asyncpg.RaiseError(f"no room for ({TOLD})")),
        failed(StreamExists(name=TOLD)),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_is_written_down_of_an_error_repeats_nothing_that_was_sent(error: BaseException) -> None:
    assert "13987650123" not in telemetry.why(error)
    assert telemetry.why(error) == "StreamExists" or "test_telemetry.py:" in telemetry.why(error)


def test_of_an_error_that_quotes_nothing_the_words_are_kept() -> None:
    missing = asyncpg.UndefinedTableError('relation "view.tip_line" does not exist')
    missing.detail = f"Failing row contains ({TOLD})"
    assert telemetry.why(missing) == 'relation "view.tip_line" does not exist'
    assert telemetry.why(NotReady("the plan is not here")) == "the plan is not here"
    assert telemetry.why(ConnectionRefusedError(111, "Connection refused")) == "[Errno 111] Connection refused"


def test_a_library_that_quotes_an_exception_in_its_second_line_is_cut_short(tmp_path: Path) -> None:
    """asyncio does: "Task exception was never retrieved\\nfuture: <Task … exception=ValueError('…')>"."""
    telemetry.start_logging(file=tmp_path / "minewatch.jsonl")
    try:
        said = f"Task exception was never retrieved\nfuture: <Task exception={failed()!r}>"
        logging.getLogger("asyncio").error(said, exc_info=failed())
    finally:
        structlog.reset_defaults()
        logging.getLogger().handlers.clear()
    line = json.loads((tmp_path / "minewatch.jsonl").read_text("utf-8"))
    assert (line["event"], line["error"]) == ("Task exception was never retrieved", "ValidationError")
    assert "13987650123" not in str(line)
