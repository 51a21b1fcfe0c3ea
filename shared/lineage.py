"""When a database was restored to an older moment: the source begins a new lineage, and those who received more than it still
knows accept that.

A lineage names one past. A restored database would otherwise give old positions to new facts, and no check of gaps sees that.
Both steps are decisions of a person and belong to the owner role; no running service can take them.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from shared.app import APPENDING
from shared.contracts.envelope import attribute, leaf_of
from shared.errors import HistoryDiffers, MinewatchError
from shared.log_feed import Feed
from shared.receiver import BATCH, MARK, digest_after

LOCK_HEAD = "SELECT lineage, position, leaf FROM work.head FOR UPDATE"
GROW = """
INSERT INTO record.lineage (lineage, parent, from_position, from_leaf) VALUES (gen_random_uuid(), $1, $2, $3)
RETURNING lineage
"""
NAME_IT = "UPDATE work.head SET lineage = $1"

RECEIVED = (
    "SELECT position, body FROM record.inbox WHERE source = $1 AND lineage = $2 AND position > $3 AND position <= $4"
)
FORGET = "INSERT INTO record.forgotten (source, lineage, shared) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
RECEIVE_FROM = """
UPDATE work.mark SET lineage = $2, position = $3, leaf = $4, digest = $5, applied = $3
WHERE follower = 'receiver' AND source = $1
"""
LET_GO = """
UPDATE work.parked SET state = 'done', reason = 'forgotten by its source'
WHERE source = $1 AND position > $2 AND state <> 'done'
"""
# Every mark gets the new lineage, so that whoever read events before they were forgotten cannot move it.
# applied + parked + queued = mark holds for the reactions before and after.
WALK_FROM = """
UPDATE work.mark SET lineage = $2, position = least(position, $3), applied = CASE WHEN position <= $3 THEN applied
    WHEN follower <> 'reactions' THEN $3 ELSE $3 - (
        SELECT count(DISTINCT (p.lineage, p.position)) FROM work.parked p WHERE p.source = $1 AND p.state <> 'done') END
WHERE follower <> 'receiver' AND source = $1
"""


class NothingToAccept(MinewatchError):
    """The receiver can go on by itself."""


@dataclass(frozen=True)
class NewLineage:
    """`lineage` goes on from position `shared` of `parent`; `leaf` is the event there, None in an empty log."""

    lineage: UUID
    parent: UUID
    shared: int
    leaf: bytes | None


@dataclass(frozen=True)
class Accepted:
    """What was received of `source` beyond `shared` no longer counts: `forgotten` positions."""

    source: str
    lineage: UUID
    shared: int
    forgotten: int


@asynccontextmanager
async def _transaction(owner_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(owner_dsn)
    try:
        async with connection.transaction():
            yield connection
    finally:
        await connection.close()


async def begin_new_lineage(owner_dsn: str) -> NewLineage:
    """Once after every restore and fail-over, before the service starts again. Its relay then begins a new stream."""
    async with _transaction(owner_dsn) as connection:
        return await grow(connection)


async def grow(connection: asyncpg.Connection) -> NewLineage:
    """The new lineage as part of the transaction that is open on `connection`."""
    head = await connection.fetchrow(LOCK_HEAD)
    assert head is not None
    lineage = await connection.fetchval(GROW, head["lineage"], head["position"], head["leaf"])
    await connection.execute(NAME_IT, lineage)
    return NewLineage(lineage, head["lineage"], head["position"], head["leaf"])


async def accept_lineage(owner_dsn: str, source: str, feed: Feed) -> Accepted:
    """Goes on with a restored `source` although more was received than it still knows.

    The inbox keeps what the source forgot, but nobody walks it any more; marks stand at the last event both know, and what comes
    after it is received, projected and reacted to anew. What this service itself recorded because of the forgotten events stays
    its own history. Read models hold their traces until they are rebuilt. Raises HistoryDiffers when the source is no restored
    state of what was received, and NothingToAccept.
    """
    async with _transaction(owner_dsn) as connection:
        head = await feed.head()
        mark = await connection.fetchrow(f"{MARK} FOR UPDATE", source)
        if mark is None or mark["lineage"] in (None, head.lineage):
            raise NothingToAccept(f"{source} has the lineage that was received from it: there is nothing to accept")
        shared = head.ancestors.get(mark["lineage"])
        if shared is None:
            raise HistoryDiffers(f"{source} is of lineage {head.lineage}, which did not grow from {mark['lineage']}")
        if mark["position"] <= shared:
            raise NothingToAccept(f"{source} still knows all that was received: the receiver follows it by itself")
        leaf, digest = await _walk_again(connection, source, mark["lineage"], shared, feed)
        await connection.execute("SELECT pg_advisory_xact_lock($1)", APPENDING)
        for lineage, known in head.ancestors.items():
            await connection.execute(FORGET, source, lineage, known)
        await connection.execute(RECEIVE_FROM, source, head.lineage, shared, leaf, digest)
        await connection.execute(LET_GO, source, shared)
        await connection.execute(WALK_FROM, source, head.lineage, shared)
    return Accepted(source, head.lineage, shared, mark["position"] - shared)


async def _walk_again(
    connection: asyncpg.Connection, source: str, lineage: UUID, shared: int, feed: Feed
) -> tuple[bytes | None, bytes]:
    """(leaf, running checksum) at `shared`, from the source itself, each event compared with what was received."""
    at, leaf, digest = 0, None, await connection.fetchval("SELECT sha256('')")
    while at < shared:
        page = [event for event in await feed.after(at, BATCH) if event.position <= shared]
        if not page:
            raise HistoryDiffers(f"{source} gives no event after {at}")
        rows = await connection.fetch(RECEIVED, source, lineage, at, page[-1].position)
        received = {row["position"]: row["body"] for row in rows}
        for event in page:
            if received.get(event.position, event.body) != event.body:
                raise HistoryDiffers(f"{source} at {event.position}: not the event that was received")
            digest = digest_after(digest, attribute(event.body, "id") or "")
        at, leaf = page[-1].position, leaf_of(page[-1].body)
    return leaf, digest
