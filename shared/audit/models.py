"""A live service's read models against ones built anew from its log and inbox: what was changed by other means than an event."""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import aclosing
from typing import Any
from uuid import UUID

from shared.audit.difference import Change, compared, keys_of, watch, writers
from shared.audit.moment import At, Moment, as_of
from shared.audit.past import NO_SERVER, Past, Readable, copied, made_past, pour
from shared.audit.scratch import Scratch, scratch
from shared.errors import NotReady
from shared.read_model import reading
from shared.replay import Progress

MOST = 1000
"""Rows that are named; of what differs beyond, that there is more."""

MARKS = "SELECT follower, source, position FROM work.mark WHERE follower LIKE 'projection:%'"
# What is appended already and not numbered: pages written with the append show it.
PENDING = """
SELECT h.position + row_number() OVER (ORDER BY p.ingest_id) AS position, p.event_id, e.leaf, clock_timestamp() AS sequenced_at
FROM work.pending p JOIN record.event e USING (event_id), work.head h
"""
PENDING_EVENTS = "SELECT e.* FROM work.pending p JOIN record.event e USING (event_id)"
COUNT = "SELECT count(*) FROM work.pending"
LIVE = """
SELECT c.relname::text AS table, string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', '
    ORDER BY a.attnum) AS columns
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind = 'r' AND c.relnamespace = 'view'::regnamespace GROUP BY 1
"""


async def differences(
    of: Readable, *, without: Collection[UUID] = (), progress: Progress = lambda *_: None
) -> AsyncIterator[str]:
    """A line for each row that is not as the record says, with its table, its key and the event that says otherwise.

    Values are left out: they may be what somebody said. The service may run meanwhile; its tables, marks and log are read in one
    snapshot. `without`: events that were passed by. Raises NotReady without a server for the copy.
    """
    if of.settings.scratch_dsn is None:
        raise NotReady(NO_SERVER)
    async with scratch(of.settings.scratch_dsn) as made:
        moment, limits, live = await _taken(of, made)
        past = await made_past(of, made, without)
        past.replay.limits = limits
        tables = list(keys_of(past))
        for table in sorted(set(tables) - live.keys()):
            yield f"{table}: the table is not there"
        for table in sorted(live.keys() - set(tables)):
            yield f"{table}: no read model has this table"
        await past.move_to(moment, progress)
        wrong = await _found(past, [table for table in tables if table in live])
        if not wrong:
            return
        past.moment = None  # once more from the first event, to see which one wrote what
        await watch(past, sorted({change.table for change in wrong}))
        await past.move_to(moment, progress)
        for change in wrong[:MOST]:
            yield await _line(past, change)
        if len(wrong) > MOST:
            yield f"and more than {MOST} rows besides"


async def _taken(of: Readable, made: Scratch) -> tuple[Moment, dict[str, dict[str, int]], Mapping[str, str]]:
    """Copies record and read models of one moment: (the moment, group -> source -> how far it had come, live tables)."""
    async with reading(of.pool, of.card.models()) as tx:
        live = tx.connection
        now = await tx.value("SELECT now()")
        at = await as_of(tx, of.name, list(of.card.consumes()), now, "occurred")  # "occurred": all there is
        head = dict(at.upto)
        pending = await tx.value(COUNT)
        limits: dict[str, dict[str, int]] = {group: {} for group in of.card.projections}
        for row in await tx.all(MARKS):
            limits.setdefault(row["follower"].removeprefix("projection:"), {})[row["source"]] = row["position"]
        await copied(live, made, head, of.name)
        tables = {row["table"]: row["columns"] for row in await tx.all(LIVE)}
        async with made.pool.acquire() as target:
            await pour(live, target, "record", "event", PENDING_EVENTS)
            await pour(live, target, "record", "log", PENDING)
            await target.execute("CREATE SCHEMA live")
            for table, columns in tables.items():
                await target.execute(f'CREATE TABLE live."{table}" ({columns})')
                await pour(live, target, "live", table, f'SELECT * FROM view."{table}"')
    own = head[of.name]
    upto = {**head, of.name: At(own.lineage, own.position + pending)}
    return Moment(of.name, "recorded", now, tuple(upto.items())), limits, tables


async def _found(past: Past, tables: list[str]) -> list[Change]:
    """One more than MOST at the most."""
    wrong: list[Change] = []
    async with aclosing(compared(past, "live", tables)) as changes:
        async for change in changes:
            wrong.append(change)
            if len(wrong) > MOST:
                break
    return wrong


async def _line(past: Past, change: Change) -> str:
    """`before` is the live row, `after` the one built from the record."""
    key = ", ".join(f"{name}={_short(value)}" for name, value in change.key.items())
    made = await writers(past, change)
    says = f"{made[-1].source} {made[-1].position} ({made[-1].type}) says otherwise" if made else "no event made it"
    match change.kind:
        case "added":
            what = "a row is missing"
        case "removed":
            what = "a row that the record does not have"
            says = (
                "no event made it"
                if not made
                else f"{made[-1].source} {made[-1].position} ({made[-1].type}) took it away"
            )
        case _:
            what = f"other than the record: {', '.join(change.columns)}"
    return f"{change.table} [{key}]: {what}; {says}"


def _short(value: Any) -> str:
    return str(value)[:60]
