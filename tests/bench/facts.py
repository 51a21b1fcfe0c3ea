"""The event that is written, published and read everywhere here: about 700 bytes, as a service would write it."""

from datetime import UTC, datetime
from functools import cache
from uuid import UUID, uuid4

from opentelemetry import trace

from shared.contracts.cases.site import SiteKeeperAssigned
from shared.contracts.envelope import Header, write
from shared.event_store import NewEvent
from shared.telemetry import current_traceparent

AT = datetime(2018, 1, 16, 4, tzinfo=UTC)
TYPE = SiteKeeperAssigned.type
DATA = SiteKeeperAssigned(kind="departmental", unit="safety_office").model_dump(mode="json", exclude_none=True)


def body_of(event_id: UUID, stream_id: str, version: int) -> bytes:
    header = Header(
        event_id=event_id,
        jurisdiction="140181101",
        source="cases",
        stream_id=stream_id,
        version=version,
        type=TYPE,
        occurred_at=AT,
        recorded_at=AT,
        actor="p-clerk-1",
        in_role="clerk@safety_office",
        on_behalf_of=None,
        causation_id=event_id,
        correlation_id=str(event_id),
        traceparent=_traced(),
        plan_version="zhenchengdi-2018@1",
    )
    return write(header, DATA, bytes(32), bytes(16))


@cache
def _traced() -> str | None:
    """What App.execute writes there under the tracing this process was started with."""
    with trace.get_tracer("minewatch").start_as_current_span("append"):
        return current_traceparent()


@cache
def the_body() -> bytes:
    """One for all where only the writing is measured, so that making it costs nobody anything."""
    return body_of(UUID(int=1), "site-000000000000", 1)


def a_fact(stream_id: str, version: int) -> NewEvent:
    return NewEvent(uuid4(), stream_id, version, TYPE, the_body(), AT)
