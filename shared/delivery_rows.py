"""The rows of work.delivery: what is to be sent to the outside, in whose hands it is, and how it ended."""

from typing import Any
from uuid import UUID

from sqlalchemy import Column, MetaData, Table, Text, bindparam
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from sqlalchemy.dialects.postgresql import insert

from shared.contracts.envelope import Recorded
from shared.ids import derived
from shared.read_model import Write
from shared.sql import Tx

DELIVERY_DDL = """
CREATE TABLE work.delivery (
    delivery_id uuid PRIMARY KEY,
    event_id    uuid NOT NULL,
    stream_id   text NOT NULL,
    channel     text NOT NULL,
    correlation text NOT NULL,
    traceparent text,
    state       text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'done', 'dead')),
    attempts    int NOT NULL DEFAULT 0,
    next_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    lease_until timestamptz,
    last_error  text,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX delivery_open ON work.delivery (next_at) WHERE state = 'open';
CREATE INDEX delivery_dead ON work.delivery (stream_id) WHERE state = 'dead';
"""
"""To be made by the owner; the app role needs SELECT, INSERT and UPDATE."""

_DELIVERY = Table(
    "delivery",
    MetaData(schema="work"),
    Column("delivery_id", PgUUID(as_uuid=True), primary_key=True),
    Column("event_id", PgUUID(as_uuid=True)),
    Column("stream_id", Text),
    Column("channel", Text),
    Column("correlation", Text),
    Column("traceparent", Text),
)
_ASK = (
    insert(_DELIVERY)
    .values(
        delivery_id=bindparam("delivery_id"),
        event_id=bindparam("event_id"),
        stream_id=bindparam("stream_id"),
        channel=bindparam("channel"),
        correlation=bindparam("correlation"),
        traceparent=bindparam("traceparent"),
    )
    .on_conflict_do_nothing(index_elements=["delivery_id"])
)

# What ought to be on its way: due, and in nobody's hands or in those of somebody whose lease ran out.
DUE = """
SELECT delivery_id, attempts FROM work.delivery
WHERE state = 'open' AND next_at <= clock_timestamp() AND (lease_until IS NULL OR lease_until <= clock_timestamp())
ORDER BY next_at LIMIT $1
"""
# Takes one for a lease, if it is still due; who comes second gets no row.
CLAIM = """
UPDATE work.delivery SET attempts = attempts + 1, lease_until = clock_timestamp() + $2
WHERE delivery_id = (
    SELECT delivery_id FROM work.delivery
    WHERE delivery_id = $1 AND state = 'open' AND next_at <= clock_timestamp()
      AND (lease_until IS NULL OR lease_until <= clock_timestamp())
    FOR UPDATE SKIP LOCKED
)
RETURNING delivery_id, stream_id, channel, attempts, traceparent, correlation
"""
# The outcome of attempt $2, unless a later attempt or an earlier commit of this one has spoken already.
SETTLE = """
UPDATE work.delivery SET state = $3, last_error = $4, lease_until = NULL, next_at = clock_timestamp() + $5
WHERE delivery_id = $1 AND attempts = $2 AND state = 'open' AND lease_until IS NOT NULL
"""
UNAVAILABLE = "unavailable"
"""last_error of a delivery that is done without an attempt, because the town has no such channel."""
REOPEN = f"""
UPDATE work.delivery SET state = 'open', next_at = clock_timestamp(), lease_until = NULL, correlation = $2
WHERE delivery_id = $1 AND (state = 'dead' OR (state = 'done' AND last_error = '{UNAVAILABLE}'))
"""
STATE = "SELECT state FROM work.delivery WHERE delivery_id = $1"
ANY_OPEN = "SELECT EXISTS (SELECT FROM work.delivery WHERE state = 'open')"


def delivery_id_of(stream_id: str, channel: str) -> UUID:
    """A stream asks for one delivery by each channel, and no second one."""
    return derived(stream_id, "delivery", channel)


def delivery(e: Recorded[Any], channel: str) -> Write:
    """The row that sends what `e` asks for by `channel`; written in the append's own transaction, once however often it runs."""
    return _ASK, {
        "delivery_id": delivery_id_of(e.stream_id, channel),
        "event_id": e.event_id,
        "stream_id": e.stream_id,
        "channel": channel,
        "correlation": e.correlation_id,
        "traceparent": e.traceparent,
    }


async def reopen(tx: Tx, delivery_id: UUID, correlation: str) -> bool:
    """One more attempt for a delivery that is dead, or had no channel, under the correlation of whoever asked; else False."""
    return await tx.run(REOPEN, (delivery_id, correlation)) == 1


async def state_of(tx: Tx, delivery_id: UUID) -> str | None:
    """open | done | dead; None when nothing was to be sent."""
    state: str | None = await tx.value(STATE, (delivery_id,))
    return state
