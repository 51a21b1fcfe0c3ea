"""A service's record as it was at a moment, with the read models it then had: a copy in a scratch database.

The record of a live or standing town is only read, in one snapshot, and its read models are not touched. The copy has the tables
of `record` and `work`, but of `work` only where the log and each source stood; and the read models in `view`, built anew.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

import asyncpg

from shared.audit.moment import KNOWN, At, Moment
from shared.audit.scratch import PATIENCE, Scratch, scratch
from shared.contracts.envelope import moment as utc
from shared.errors import NotReady
from shared.follower import End
from shared.replay import Progress, Replay
from shared.sealer import ServiceSealer
from shared.service import ServiceCard
from shared.settings import Settings
from shared.sql import Tx

NO_SERVER = "set MINEWATCH_SCRATCH_DSN: a Postgres server, as a role that may make databases there"

COLUMNS = """
SELECT n.nspname::text AS schema, c.relname::text AS table, string_agg(format('%I %s', a.attname,
    format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum) AS columns
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind = 'r' AND n.nspname = ANY($1::text[]) GROUP BY 1, 2
"""
INDEXES = "SELECT indexdef FROM pg_indexes WHERE schemaname IN ('record', 'work') ORDER BY indexname"
OWN = (
    ("event", "SELECT e.* FROM record.event e JOIN record.log l USING (event_id) WHERE l.position <= $1"),
    ("log", "SELECT * FROM record.log WHERE position <= $1"),
)
INBOX = "SELECT * FROM record.inbox WHERE source = $1 AND position <= $2"
WHOLE = ("lineage", "forgotten")

# What the copy holds and the moment does not is put aside, so that the walk through log and inbox does not meet it.
ASIDE = """
CREATE SCHEMA aside;
CREATE TABLE aside.log (LIKE record.log);
CREATE TABLE aside.inbox (LIKE record.inbox);
CREATE TABLE aside.forgotten AS TABLE record.forgotten;
TRUNCATE record.forgotten;
"""
BACK = """
INSERT INTO record.log SELECT * FROM aside.log;
INSERT INTO record.inbox SELECT * FROM aside.inbox;
TRUNCATE aside.log, aside.inbox;
"""
LOG_LATER = """
WITH later AS (
    DELETE FROM record.log l USING (
        SELECT event_id, max(convert_from(body, 'UTF8')::json ->> 'time') OVER (PARTITION BY stream_id ORDER BY version) AS latest
        FROM record.event
    ) e WHERE e.event_id = l.event_id AND e.latest > $1 RETURNING l.*
) INSERT INTO aside.log SELECT * FROM later
"""
INBOX_LATER = """
WITH later AS (
    DELETE FROM record.inbox i USING (
        SELECT source, lineage, position,
            max(j ->> 'time') OVER (PARTITION BY source, j ->> 'subject' ORDER BY position) AS latest
        FROM (SELECT *, convert_from(body, 'UTF8')::json AS j FROM record.inbox WHERE type IS NOT NULL) read
    ) e WHERE (e.source, e.lineage, e.position) = (i.source, i.lineage, i.position) AND e.latest > $1 RETURNING i.*
) INSERT INTO aside.inbox SELECT * FROM later
"""
UNKNOWN = f"""
WITH known AS (SELECT i.lineage, i.position FROM record.inbox i WHERE {KNOWN.replace("record.forgotten", "aside.forgotten")}),
unknown AS (
    DELETE FROM record.inbox i WHERE i.source = $1 AND (i.lineage, i.position) NOT IN (SELECT lineage, position FROM known)
    RETURNING i.*
) INSERT INTO aside.inbox SELECT * FROM unknown
"""
ANY_ASIDE = "SELECT EXISTS (SELECT FROM aside.log) OR EXISTS (SELECT FROM aside.inbox)"
HEAD = "INSERT INTO work.head (only_one, lineage, position, frontier) VALUES (true, $1, $2, '')"
RECEIVED = """
INSERT INTO work.mark (follower, source, lineage, position, digest, applied) VALUES ('receiver', $1, $2, $3, '', $3)
"""
ONLY = """
DELETE FROM record.event e WHERE NOT EXISTS (SELECT FROM record.log l WHERE l.event_id = e.event_id);
TRUNCATE aside.log, aside.inbox;
"""


class Readable(Protocol):
    """A service whose record can be read: one that is open, or what the command line opens of it."""

    @property
    def name(self) -> str: ...
    @property
    def card(self) -> ServiceCard: ...
    @property
    def settings(self) -> Settings: ...

    pool: asyncpg.Pool
    sealer: ServiceSealer


@dataclass
class Past:
    """`moment`: what the read models show; None before the first `move_to`. `begun` is called when their tables were made."""

    of: Readable
    scratch: Scratch
    replay: Replay
    moment: Moment | None = None
    begun: Callable[[], Awaitable[None]] | None = None

    async def move_to(self, moment: Moment, progress: Progress = lambda *_: None) -> None:
        """Builds the read models of `moment`, which the copy must hold. What was built is gone on from where that is right:
        from what was recorded by one moment to what was recorded by a later one."""
        async with self.scratch.pool.acquire() as connection, connection.transaction():
            went_on = await self._went_on(connection, moment)
            await self._stand(connection, moment)
        if not went_on:
            await self.replay.begin()
            if self.begun is not None:
                await self.begun()
        await self.replay.go_on(progress)
        upto = {source: End(at.lineage, at.position) for source, at in moment.upto}
        async with self.scratch.pool.acquire() as connection, connection.transaction():
            await self.replay.set_marks(Tx(connection), upto)
        self.moment = moment

    async def _went_on(self, connection: Any, moment: Moment) -> bool:
        """Puts aside what the moment does not have; whether all that was walked so far is still a part of it."""
        before = await connection.fetchval(ANY_ASIDE)
        await connection.execute(BACK)
        if moment.clock == "occurred":
            for sql in (LOG_LATER, INBOX_LATER):
                await connection.execute(sql, utc(moment.at))
        if await connection.fetchval("SELECT EXISTS (SELECT FROM aside.forgotten)"):
            for source, _ in moment.upto[1:]:
                await connection.execute(UNKNOWN, source, moment.at)
        if self.moment is None or before or await connection.fetchval(ANY_ASIDE):
            return False
        upto = dict(moment.upto)
        return all(source in upto and at.position <= upto[source].position for source, at in self.moment.upto)

    async def _stand(self, connection: Any, moment: Moment) -> None:
        """Log and inboxes end where the moment says."""
        await connection.execute("TRUNCATE work.head, work.mark")
        for source, at in moment.upto:
            if source == moment.service:
                await connection.execute(HEAD, at.lineage, at.position)
            else:
                await connection.execute(RECEIVED, source, at.lineage, at.position)

    async def only(self) -> None:
        """Throws away what the moment does not have, for good."""
        await self.scratch.pool.execute(ONLY)


@asynccontextmanager
async def past_of(
    of: Readable, upto: Moment, *, without: Collection[UUID] = (), keep: bool = False
) -> AsyncIterator[Past]:
    """A copy that holds the record up to that moment, with no read models yet. Raises NotReady without a server for it.

    `without`: ids of events that are left out.
    """
    if of.settings.scratch_dsn is None:
        raise NotReady(NO_SERVER)
    async with scratch(of.settings.scratch_dsn, keep) as made:
        async with of.pool.acquire() as live, live.transaction(isolation="repeatable_read", readonly=True):
            await copied(live, made, dict(upto.upto), of.name)
        yield await made_past(of, made, without)


async def made_past(of: Readable, made: Scratch, without: Collection[UUID] = ()) -> Past:
    """What was copied, made ready to be walked."""
    await made.pool.execute(ASIDE)
    for event in without:
        await made.pool.execute("DELETE FROM record.log WHERE event_id = $1", event)
        await made.pool.execute("DELETE FROM record.inbox WHERE position($1::bytea IN body) > 0", str(event).encode())
    card = of.card
    sources = list(card.consumes())
    return Past(of, made, Replay(of.name, made.pool, of.sealer, card.inline, card.projections, sources, schema="view"))


async def copied(live: Any, made: Scratch, upto: dict[str, At], own: str) -> None:
    """Makes the tables as they are in the live database, and copies log and inbox up to where `upto` says."""
    async with made.pool.acquire() as target:
        await target.execute("CREATE SCHEMA record; CREATE SCHEMA work; CREATE SCHEMA view")
        for row in await live.fetch(COLUMNS, ["record", "work"]):
            await target.execute(f'CREATE TABLE {row["schema"]}."{row["table"]}" ({row["columns"]})')
        for table, query in OWN:
            await pour(live, target, "record", table, query, upto[own].position)
        for source, at in upto.items():
            if source != own:
                await pour(live, target, "record", "inbox", INBOX, source, at.position)
        for table in WHOLE:
            await pour(live, target, "record", table, f"SELECT * FROM record.{table}")
        for row in await live.fetch(INDEXES):
            await target.execute(row["indexdef"])
        await target.execute("ANALYZE record.event; ANALYZE record.log; ANALYZE record.inbox")


async def pour(live: Any, target: Any, schema: str, table: str, query: str, *args: Any) -> None:
    """Copies a query's rows into a table with the same columns, without holding them."""
    chunks: asyncio.Queue[bytes | None] = asyncio.Queue(16)

    async def poured() -> AsyncIterator[bytes]:
        while (chunk := await chunks.get()) is not None:
            yield chunk

    async def read() -> None:
        await live.copy_from_query(query, *args, output=chunks.put, format="binary", timeout=PATIENCE)
        await chunks.put(None)

    async with asyncio.TaskGroup() as both:
        both.create_task(read())
        both.create_task(
            target.copy_to_table(table, schema_name=schema, source=poured(), format="binary", timeout=PATIENCE)
        )
