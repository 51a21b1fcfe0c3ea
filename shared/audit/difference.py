"""What differs between two states of the read models, row by row, and which events made it.

In a copy (past.py) each write is noted while `watched`: the row, and the event being written. So an event explains a row because
it wrote it, not because somebody thought that it might.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from shared.audit.moment import Moment
from shared.audit.past import Past
from shared.audit.told import Told, told
from shared.contracts.envelope import Recorded
from shared.replay import Progress
from shared.sql import Tx

WATCH = """
CREATE TABLE IF NOT EXISTS aside.written (
    "table" text NOT NULL, key jsonb NOT NULL, source text NOT NULL, position bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS written_row ON aside.written ("table", key);
CREATE OR REPLACE FUNCTION aside.note() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    event text := current_setting('minewatch.event', true);
    source text := split_part(event, ' ', 1);
    at bigint := nullif(split_part(event, ' ', 2), '')::bigint;
    written jsonb;
BEGIN
    FOREACH written IN ARRAY CASE TG_OP WHEN 'INSERT' THEN ARRAY[to_jsonb(NEW)] WHEN 'DELETE' THEN ARRAY[to_jsonb(OLD)]
        ELSE ARRAY[to_jsonb(OLD), to_jsonb(NEW)] END LOOP
        INSERT INTO aside.written ("table", key, source, position) SELECT TG_TABLE_NAME,
            coalesce((SELECT jsonb_object_agg(k, written -> k) FROM unnest(TG_ARGV) k), written), source, at;
    END LOOP;
    RETURN NULL;
END $$;
"""
WATCH_ONE = """
CREATE TRIGGER written AFTER INSERT OR UPDATE OR DELETE ON view."{table}" FOR EACH ROW EXECUTE FUNCTION aside.note({columns})
"""
NOW = "SELECT set_config('minewatch.event', $1, true)"

ROWS = 'SELECT {key} AS key, to_jsonb(t) AS row FROM {schema}."{table}" t'
COMPARE = """
SELECT coalesce(a.key, b.key) AS key, a.row AS before, b.row AS after FROM ({before}) a FULL JOIN ({after}) b ON a.key = b.key
WHERE a.row IS DISTINCT FROM b.row ORDER BY 1
"""
SHARED = """
CREATE TABLE aside.shared AS SELECT $1::text AS source, l.position FROM record.log l, work.head h WHERE l.position <= h.position
UNION ALL SELECT i.source, i.position FROM record.inbox i JOIN work.mark m ON m.source = i.source AND m.follower = 'receiver'
WHERE i.position <= m.position
"""
WRITERS = """
SELECT DISTINCT w.source, w.position, coalesce(e.body, i.body) AS body FROM aside.written w
LEFT JOIN record.log l ON w.source = $3 AND l.position = w.position LEFT JOIN record.event e USING (event_id)
LEFT JOIN record.inbox i ON w.source <> $3 AND i.source = w.source AND i.position = w.position
WHERE w."table" = $1 AND w.key = $2::jsonb AND NOT EXISTS (
    SELECT FROM aside.shared s WHERE (s.source, s.position) = (w.source, w.position)
) ORDER BY 1, 2
"""


@dataclass(frozen=True)
class Change:
    """One row. `before` and `after` hold the columns that differ; a row that is missing on a side is None there."""

    table: str
    key: dict[str, Any]
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    events: tuple[Told, ...] = ()

    @property
    def kind(self) -> str:
        return "added" if self.before is None else "removed" if self.after is None else "changed"

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(sorted({**(self.before or {}), **(self.after or {})}))

    def as_json(self) -> dict[str, Any]:
        return {"kind": self.kind, **asdict(self)}


def keys_of(past: Past) -> dict[str, tuple[str, ...]]:
    """Table -> the columns that name a row; none where only the whole row does."""
    models = past.of.card.models()
    return {table.name: tuple(c.name for c in table.primary_key.columns) for m in models for table in m.tables}


async def watch(past: Past, tables: Iterable[str], shared: bool = False) -> None:
    """From now on it is noted which event writes which row. `shared`: but for the events walked until now."""
    keys, pool = keys_of(past), past.scratch.pool
    await pool.execute(WATCH)
    if shared:
        await pool.execute(SHARED.replace("$1", f"'{past.of.name}'"))
    else:
        await pool.execute("CREATE TABLE aside.shared (source text, position bigint)")
    await pool.execute("CREATE INDEX shared_event ON aside.shared (source, position)")

    async def begun() -> None:
        for table in tables:
            columns = ", ".join(f"'{column}'" for column in keys[table])
            await pool.execute(WATCH_ONE.format(table=table, columns=columns))

    past.begun, past.replay.noting = begun, _noting
    if past.moment is not None:
        await begun()


async def _noting(tx: Tx, recorded: Recorded[Any]) -> None:
    await tx.run(NOW, (f"{recorded.source} {recorded.position}",))


async def compared(past: Past, schema: str, tables: Iterable[str]) -> AsyncGenerator[Change, None]:
    """Rows that are not the same in `schema` and in `view`, without the events; by table and key."""
    keys = keys_of(past)
    for table in tables:
        parts = ", ".join(f"'{column}', t.\"{column}\"" for column in keys[table])
        key = f"jsonb_build_object({parts})" if parts else "to_jsonb(t)"
        sides = [ROWS.format(key=key, schema=side, table=table) for side in (schema, "view")]
        async with past.scratch.pool.acquire() as connection, connection.transaction():
            async for row in connection.cursor(COMPARE.format(before=sides[0], after=sides[1])):
                before, after = _differing(row["before"], row["after"])
                yield Change(table, row["key"], before, after)


def _differing(before: Any, after: Any) -> tuple[Any, Any]:
    if before is None or after is None:
        return before, after
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return {name: before.get(name) for name in names}, {name: after.get(name) for name in names}


async def writers(past: Past, change: Change) -> tuple[Told, ...]:
    """The events that wrote the row while it was watched, by source and position."""
    key = json.dumps(change.key, ensure_ascii=False)
    rows = await past.scratch.pool.fetch(WRITERS, change.table, key, past.of.name)
    return tuple(told(row["source"], row["position"], row["body"]) for row in rows if row["body"] is not None)


async def between(
    past: Past,
    first: Moment,
    last: Moment,
    tables: Collection[str] | None = None,
    progress: Progress = lambda *_: None,
) -> AsyncIterator[Change]:
    """What changed from `first` to `last`, row by row, with the events that `last` has and `first` has not, and that wrote it.

    `past` must hold both; it stands at `last` afterwards.
    """
    chosen = [table for table in keys_of(past) if tables is None or table in tables]
    await past.move_to(first, progress)
    await past.scratch.pool.execute("CREATE SCHEMA before")
    for table in chosen:
        await past.scratch.pool.execute(f'CREATE TABLE before."{table}" AS TABLE view."{table}"')
    await watch(past, chosen, shared=True)
    await past.move_to(last, progress)
    async for change in compared(past, "before", chosen):
        made = await writers(past, change)
        yield Change(change.table, change.key, change.before, change.after, made)
