"""Puts a backup's rows into empty databases: made as a fresh one is made, at the step the backup was taken at, then brought to
today's. Each database is filled in one transaction that also begins the new lineage: a restore that is killed leaves it empty or
whole, never a log that goes on as if it had not been restored.
"""

from collections.abc import Callable
from pathlib import Path

import asyncpg

from shared.backup.key_rows import Kept
from shared.backup.manifest import BackupRefused, Doubt, Part
from shared.backup.rows import chunks
from shared.backup.take import AS_WRITTEN, quoted
from shared.contracts.envelope import leaf_of
from shared.database import migrate_keys, migrate_one, roles_of
from shared.half_restored import restored_from
from shared.lineage import NewLineage, grow
from shared.parts import Points, no_points
from shared.status import newest_step
from shared.transparency import tree

FILLED = """
SELECT EXISTS (SELECT FROM record.event) OR EXISTS (SELECT FROM record.inbox) OR EXISTS (SELECT FROM record.file)
"""
MADE = "SELECT to_regclass($1) IS NOT NULL"
WAITING = """
SELECT EXISTS (SELECT FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = to_regnamespace('view') AND a.attname = 'restored_and_to_be_rebuilt')
"""
# Of what Postgres does by itself nobody is the user.
OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND usesysid IS NOT NULL
"""
UNMAKE = """
DROP SCHEMA IF EXISTS view, shadow, work, record CASCADE;
DROP TABLE IF EXISTS public.schema_version;
"""
IDENTITIES = """
SELECT n.nspname || '.' || c.relname AS name, a.attname AS column,
    pg_get_serial_sequence(format('%I.%I', n.nspname, c.relname), a.attname) AS sequence
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('record', 'work') AND c.relkind = 'r' AND a.attidentity <> ''
"""
LOG = "SELECT l.position, l.leaf, e.body FROM record.log l JOIN record.event e USING (event_id) ORDER BY l.position"
# Read models are not in a backup. A table of the right name with a wrong column is one that an earlier version made: the service
# does not start on it, and a rebuild puts the true one in its place (shared/read_model.py).
TO_REBUILD = (
    'CREATE TABLE view."{view}" (restored_and_to_be_rebuilt boolean); ALTER TABLE view."{view}" OWNER TO "{app}"'
)

Rows = Callable[[int], None]


async def refuse_filled(service: str, owner_dsn: str) -> None:
    """Raises BackupRefused for a database that holds a record, or that somebody uses. What a restore left that was broken off is
    no record."""
    connection = await asyncpg.connect(owner_dsn)
    try:
        if not await restored_from(connection) and await _holds(connection, service):
            if await connection.fetchval(WAITING):
                raise BackupRefused(
                    f"the database {service} is not empty: it was restored already, and waits for its read models. Go on with "
                    f"minewatch rebuild {service}"
                )
            raise BackupRefused(
                f"the database {service} is not empty, and a restore never writes over a record. Put it aside first: "
                f'ALTER DATABASE "{service}" RENAME TO "{service}_before", then minewatch migrate --prepare'
            )
        if await connection.fetchval(OTHERS):
            raise BackupRefused(f"somebody uses the database {service}: stop every service before a restore")
    finally:
        await connection.close()


async def keys_left(owner_dsn: str) -> bool:
    """Whether a restore that was broken off had put keys into this store."""
    connection = await asyncpg.connect(owner_dsn)
    try:
        return bool(await restored_from(connection)) and await _holds(connection, "keys")
    finally:
        await connection.close()


async def _holds(connection: asyncpg.Connection, service: str) -> bool:
    table, filled = ("public.key", "SELECT EXISTS (SELECT FROM public.key)")
    if service != "keys":
        table, filled = ("record.event", FILLED)
    return bool(await connection.fetchval(MADE, table) and await connection.fetchval(filled))


async def load_service(
    folder: Path,
    service: str,
    part: Part,
    owner_dsn: str,
    progress: Rows = lambda _: None,
    points: Points = no_points,
) -> NewLineage:
    """The database is empty (refuse_filled). Raises BackupRefused for a backup of a newer version, Doubt when what was loaded is
    not what was taken."""
    if part.step > newest_step():
        raise BackupRefused(
            f"the backup is of schema step {part.step}, this program knows {newest_step()}: install a newer one"
        )
    await _run(owner_dsn, UNMAKE)
    await migrate_one(service, owner_dsn, part.step)
    await points(f"restore: {service} emptied")
    connection = await asyncpg.connect(owner_dsn, server_settings=AS_WRITTEN)
    try:
        async with connection.transaction():
            await _fill(connection, folder, service, part, progress)
            await _same(connection, service, part)
            for view in part.views:
                await connection.execute(TO_REBUILD.format(view=view, app=roles_of(service)[1]))
            born = await grow(connection)
            await points(f"restore: {service} filled")
    finally:
        await connection.close()
    await migrate_one(service, owner_dsn)
    await points(f"restore: {service} put back")
    return born


async def _run(dsn: str, sql: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


async def _fill(connection: asyncpg.Connection, folder: Path, service: str, part: Part, progress: Rows) -> None:
    done = 0
    for table in part.tables:
        name = quoted(table.name)
        if await connection.fetchval(
            f"SELECT EXISTS (SELECT FROM {name})"
        ):  # a fresh database has a lineage of its own
            await connection.execute(
                f"ALTER TABLE {name} DISABLE TRIGGER USER; DELETE FROM {name}; ALTER TABLE {name} ENABLE TRIGGER USER"
            )
        schema, _, bare = table.name.partition(".")
        said = await connection.copy_to_table(
            bare, schema_name=schema, columns=table.columns, source=chunks(folder / table.file), format="text"
        )
        if said != f"COPY {table.rows}":
            raise Doubt(f"{service}, {table.name}: {table.rows} rows were taken, {said.removeprefix('COPY ')} loaded")
        done += table.rows
        progress(done)
    for row in await connection.fetch(IDENTITIES):
        most = await connection.fetchval(f'SELECT max("{row["column"]}") FROM {quoted(row["name"])}')
        if most is not None:
            await connection.execute("SELECT setval($1::text::regclass, $2)", row["sequence"], most)
    await connection.execute("ANALYZE " + ", ".join(quoted(table.name) for table in part.tables))


async def _same(connection: asyncpg.Connection, service: str, part: Part) -> None:
    """The log in the database is the one that was taken, event by event. Raises Doubt."""
    size, frontier = 0, list[bytes]()
    async for row in connection.cursor(LOG, prefetch=1000):
        leaf = leaf_of(row["body"])
        if row["position"] != size + 1 or leaf != row["leaf"]:
            raise Doubt(f"{service}, event {size + 1}: what was loaded is not what was taken")
        size, frontier = tree.extend(size, frontier, (leaf,))
    if (size, tree.root(frontier).hex()) != (part.position, part.root):
        raise Doubt(f"{service}: loaded were {size} events under another root than the {part.position} that were taken")


async def load_keys(kept: Kept, owner_dsn: str, progress: Rows = lambda _: None, points: Points = no_points) -> int:
    """How many. Raises Doubt, WrongMasterKey, KeyServiceAway; then nothing was put in."""
    await migrate_keys(owner_dsn)
    connection = await asyncpg.connect(owner_dsn, server_settings=AS_WRITTEN)
    try:
        async with connection.transaction():
            # It gives an erased subject no second key; the copy holds all that there were, destroyed ones too.
            await connection.execute("ALTER TABLE public.key DISABLE TRIGGER USER")
            if await restored_from(connection):
                await connection.execute("DELETE FROM public.key")  # of a restore that was broken off
            said = await connection.copy_to_table(
                "key",
                schema_name="public",
                columns=kept.file.columns,
                source=kept.chunks(progress),
                format="text",
            )
            await connection.execute("ALTER TABLE public.key ENABLE TRIGGER USER")
            await connection.execute("ANALYZE public.key")
            await points("restore: keys filled")
    finally:
        await connection.close()
    await points("restore: keys put back")
    return int(said.removeprefix("COPY "))
