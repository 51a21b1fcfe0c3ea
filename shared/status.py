"""How a service stands, for whoever looks after it: one statement on its database, one look at its stream, and at its sources.

Everything is read, nothing is changed, and no part of a service waits for it. What a person has to do about it is said in
findings.py.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import nats.errors
import nats.js.errors
from asyncpg.pool import PoolConnectionProxy
from nats.aio.client import Client

from shared.contracts.envelope import leaf_of
from shared.errors import NotReady
from shared.log_feed import ANCESTORS, FeedHead, NatsFeed
from shared.reaction import COUNTS
from shared.receiver import FOLLOWER as RECEIVER
from shared.stream import LINEAGE, stream_name

LATE = timedelta(seconds=60)
"""How long a timer or a delivery may wait before somebody should look."""
LATELY = timedelta(days=7)
"""For so long a delivery that was given up calls for a person."""
PATIENCE = 2.0
"""Seconds that NATS, and a source asked through it, get to answer."""

LOOK = f"""
WITH waiting AS ({COUNTS}), line AS ({ANCESTORS}),
failed AS (SELECT count(*) AS n FROM work.due WHERE failed IS NOT NULL),
late AS (
    SELECT count(*) AS n, min(due_at) AS since FROM work.due
    WHERE failed IS NULL AND due_at < $1::timestamptz - $2::interval),
unsent AS (
    SELECT count(*) AS n, count(*) FILTER (WHERE late) AS late, min(next_at) FILTER (WHERE late) AS since FROM (
        SELECT next_at, greatest(next_at, lease_until) < clock_timestamp() - $2::interval AS late FROM work.delivery
        WHERE state = 'open') AS open),
dead AS (
    SELECT count(*) AS n, count(*) FILTER (WHERE next_at > clock_timestamp() - $3::interval) AS lately FROM work.delivery
    WHERE state = 'dead')
SELECT clock_timestamp() AS at, current_setting('server_version') AS postgres,
    pg_database_size(current_database()) AS size, (SELECT version_num FROM public.schema_version) AS step,
    (SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND usename = replace(current_user, '_app', '_log')) AS sessions,
    h.position AS head, h.lineage, h.sequenced_at, l.since AS lineage_since,
    (SELECT coalesce(json_object_agg(parent, shared), '{{}}') FROM line) AS ancestors,
    (SELECT count(*) FROM work.pending) AS pending,
    (SELECT e.recorded_at FROM work.pending p JOIN record.event e USING (event_id) ORDER BY p.ingest_id LIMIT 1)
        AS pending_since,
    coalesce((SELECT count FROM waiting WHERE state = 'parked'), 0) AS parked,
    coalesce((SELECT count FROM waiting WHERE state = 'queued'), 0) AS queued,
    (SELECT min(parked_at) FROM work.parked WHERE state <> 'done') AS parked_since,
    (SELECT count(*) FROM work.parked WHERE dismissed_by IS NOT NULL) AS dismissed,
    unsent.n AS unsent, unsent.late AS unsent_late, unsent.since AS unsent_since, dead.n AS dead, dead.lately AS dead_lately,
    late.n AS timers_late, late.since AS timers_since, failed.n AS timers_failed,
    (SELECT coalesce(json_agg(json_build_array(follower, source, lineage, position) ORDER BY follower, source), '[]')
     FROM work.mark) AS marks
FROM work.head h LEFT JOIN record.lineage l USING (lineage), failed, late, unsent, dead
"""
PLACE = "SELECT h.lineage, h.position, (SELECT leaf FROM record.log WHERE position = $1) AS leaf FROM work.head h"

MINEWATCH = version("minewatch")


@cache
def newest_step() -> str:
    """The step that a database ought to be at for this program."""
    steps = (Path(__file__).parent / "migrations" / "versions").glob("[0-9]*.py")
    return max(step.name for step in steps).partition("_")[0]


@dataclass(frozen=True)
class Mark:
    """Where a follower stands in a source."""

    follower: str
    source: str
    lineage: UUID | None
    position: int


@dataclass(frozen=True)
class Look:
    """One service's database at one moment, `at` by Postgres's clock.

    `skew`: seconds by which that clock is ahead of this program's. `size`: bytes of the database. `sessions`: connections of the
    role that numbers events; none when no process of the service runs. *_since: since when the oldest of them waits.
    `unsent`: deliveries still under way; `unsent_late`: those of them that ought to have been tried by now; `dead_lately`: given
    up within LATELY.
    """

    service: str
    at: datetime
    skew: float
    postgres: str
    size: int
    step: str
    sessions: int
    head: int
    lineage: UUID
    lineage_since: datetime | None
    ancestors: dict[UUID, int]
    sequenced_at: datetime | None
    pending: int
    pending_since: datetime | None
    parked: int
    queued: int
    parked_since: datetime | None
    dismissed: int
    unsent: int
    unsent_late: int
    unsent_since: datetime | None
    dead: int
    dead_lately: int
    timers_late: int
    timers_since: datetime | None
    timers_failed: int
    marks: tuple[Mark, ...]

    @property
    def feed_head(self) -> FeedHead:
        """What the service's own feed would answer."""
        return FeedHead(self.lineage, self.head, self.ancestors)


@dataclass(frozen=True)
class Stream:
    """The service's stream on NATS, `size` in bytes. `differs`: why it is no copy of the log, None when it is one."""

    first: int
    last: int
    messages: int
    size: int
    differs: str | None


@dataclass(frozen=True)
class Follower:
    """`behind`: how many events its source is ahead of it; None when the source did not say."""

    follower: str
    source: str
    position: int
    behind: int | None


async def look(connection: asyncpg.Connection | PoolConnectionProxy, service: str, now: datetime) -> Look:
    """`now` is the campaign's time, by which timers fall due. Raises asyncpg.SyntaxOrAccessError when the schema is older."""
    before = datetime.now(UTC)
    row = await connection.fetchrow(LOOK, now, LATE, LATELY)
    between = before + (datetime.now(UTC) - before) / 2
    assert row is not None
    told: dict[str, Any] = dict(row)
    told["marks"] = tuple(Mark(f, s, UUID(known) if known else None, at) for f, s, known, at in row["marks"])
    told["ancestors"] = {UUID(lineage): shared for lineage, shared in row["ancestors"].items()}
    return Look(service=service, skew=(row["at"] - between).total_seconds(), **told)


async def stream_of(
    nc: Client, jurisdiction: str, seen: Look, connection: asyncpg.Connection | PoolConnectionProxy
) -> Stream | None:
    """None when there is none, or one of before a restore, which the relay replaces. Raises nats.errors.Error."""
    js, name = nc.jetstream(timeout=PATIENCE), stream_name(jurisdiction, seen.service)
    try:
        info = await js.stream_info(name)
    except nats.js.errors.NotFoundError:
        return None
    try:
        last = await js.get_msg(name, subject=f"{jurisdiction}.{seen.service}.>")
    except nats.js.errors.NotFoundError:
        last = None
    state = info.state
    theirs = ((info.config.metadata or {}) if last is None else (last.headers or {})).get(LINEAGE)
    place = await connection.fetchrow(PLACE, last.seq if last is not None else 0)  # after the stream: the log may go on
    assert place is not None
    if theirs in {str(ancestor) for ancestor in seen.ancestors}:
        return None  # the relay replaces it
    differs = None
    if theirs != str(place["lineage"]):
        differs = f"the stream is of lineage {theirs}, the log of {place['lineage']}"
    elif state.last_seq > place["position"]:
        differs = f"the stream ends at {state.last_seq}, the log at {place['position']}"
    elif last is not None and place["leaf"] != leaf_of(last.data or b""):
        differs = f"stream and log differ at position {last.seq}"
    return Stream(state.first_seq, state.last_seq, state.messages, state.bytes, differs)


def nats_version(nc: Client) -> str:
    """Of the server it is connected to."""
    version = nc.connected_server_version
    return f"{version.major}.{version.minor}.{version.patch}"


async def heads_of(nc: Client, jurisdiction: str, sources: set[str]) -> dict[str, FeedHead]:
    """Where each source says its log ends; one that does not answer within PATIENCE is left out."""

    async def ask(source: str) -> FeedHead | None:
        try:
            async with asyncio.timeout(PATIENCE):
                return await NatsFeed(nc, jurisdiction, source).head()
        except (nats.errors.Error, NotReady, TimeoutError):
            return None

    answers = await asyncio.gather(*(ask(source) for source in sorted(sources)))
    return {source: head for source, head in zip(sorted(sources), answers, strict=True) if head is not None}


def sources_of(seen: Look) -> set[str]:
    """The other services it receives from."""
    return {mark.source for mark in seen.marks if mark.follower == RECEIVER}


def followers_of(seen: Look, heads: Mapping[str, FeedHead]) -> list[Follower]:
    """Every mark beside the end of what it walks: the own log, what was received, and for a receiver the source itself."""
    received = {mark.source: mark.position for mark in seen.marks if mark.follower == RECEIVER}

    def end(mark: Mark) -> int | None:
        if mark.source == seen.service:
            return seen.head
        if mark.follower == RECEIVER:
            return heads[mark.source].position if mark.source in heads else None
        return received.get(mark.source)

    ends = [(mark, end(mark)) for mark in seen.marks]
    return [Follower(m.follower, m.source, m.position, None if e is None else max(0, e - m.position)) for m, e in ends]
