"""Appending and loading. One statement writes the facts and their places in the queue for a number.

Insert-only, without locks and without NOTIFY: two writers of one stream meet at unique (stream_id, version), where the later
one gets "no row" rather than an error, so the transaction around it stays usable.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.errors import VersionConflict
from shared.sql import Tx

# Facts and their queue rows in one statement; numbered in the order given, because identity is drawn in that order.
APPEND = """
WITH wanted AS (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::int[], $4::text[], $5::bytea[], $6::timestamptz[])
        WITH ORDINALITY AS w(event_id, stream_id, version, type, body, recorded_at, nth)
), kept AS (
    INSERT INTO record.event (event_id, stream_id, version, type, body, recorded_at)
    SELECT event_id, stream_id, version, type, body, recorded_at FROM wanted ORDER BY nth
    ON CONFLICT (stream_id, version) DO NOTHING
    RETURNING ingest_id, event_id
)
INSERT INTO work.pending (ingest_id, event_id) SELECT ingest_id, event_id FROM kept
"""

# The same for one event, the common case: no arrays to take apart.
APPEND_ONE = """
WITH kept AS (
    INSERT INTO record.event (event_id, stream_id, version, type, body, recorded_at) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (stream_id, version) DO NOTHING
    RETURNING ingest_id, event_id
)
INSERT INTO work.pending (ingest_id, event_id) SELECT ingest_id, event_id FROM kept
"""

LOAD = "SELECT version, body, leaf FROM record.event WHERE stream_id = $1 ORDER BY version"


@dataclass(frozen=True, slots=True)
class NewEvent:
    """One row of record.event; `body` are the canonical bytes of `envelope.write`."""

    event_id: UUID
    stream_id: str
    version: int
    type: str
    body: bytes
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Stored:
    version: int
    body: bytes
    leaf: bytes


async def load(tx: Tx, stream_id: str) -> list[Stored]:
    """Every event of the stream, oldest first; an empty list when there is none."""
    return [Stored(row[0], row[1], row[2]) for row in await tx.all(LOAD, (stream_id,))]


async def append(tx: Tx, events: Sequence[NewEvent]) -> None:
    """Writes all of them. Raises VersionConflict when another writer took a version; then the transaction must be rolled back,
    since the others of this command may stand."""
    if len(events) == 1:
        e = events[0]
        done = await tx.run(APPEND_ONE, (e.event_id, e.stream_id, e.version, e.type, e.body, e.recorded_at))
    else:
        columns = list(
            zip(*((e.event_id, e.stream_id, e.version, e.type, e.body, e.recorded_at) for e in events), strict=True)
        )
        done = await tx.run(APPEND, columns)
    if done != len(events):
        raise VersionConflict(events[0].stream_id)
