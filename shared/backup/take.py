"""Takes a backup of a running town: one moment for all services, then each database's rows from its snapshot of that moment.

While the snapshots are made, the head of every log is held, so that nothing gets a number for some milliseconds: whoever has
received an event finds it in its source's backup. The keys are read last; a key is made before the text it seals.
"""

import contextlib
import graphlib
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from shared.backup.key_rows import take_keys
from shared.backup.manifest import (
    FORMAT,
    KEYS,
    PLANS,
    POLICY,
    BackupRefused,
    File,
    Keys,
    Manifest,
    Part,
    Received,
    Table,
    file_of,
    sync_folder,
)
from shared.backup.rows import RowFile
from shared.checkpoints import newest, origin_of
from shared.errors import NotReady
from shared.half_restored import refuse_half
from shared.replay import Progress
from shared.settings import SERVICES
from shared.sql import Tx
from shared.status import MINEWATCH
from shared.transparency import tree

OLDEST_STEP = "0004"
"""Since this step a database holds its checkpoints."""

AS_WRITTEN = {"timezone": "UTC", "datestyle": "ISO", "bytea_output": "hex", "search_path": "pg_catalog"}
"""Settings under which rows are written and read, whatever the server's own are."""

HOLD = "SELECT FROM work.head FOR UPDATE"
STEP = "SELECT version_num FROM public.schema_version"
STANDING = """
SELECT lineage::text, position, root, sequenced_at, clock_timestamp() AS at,
    (SELECT count(*) FROM work.pending) AS waiting FROM work.head
"""
RECEIVED = """
SELECT source, lineage::text, position, encode(leaf, 'hex') AS leaf FROM work.mark
WHERE follower = 'receiver' AND position > 0 ORDER BY source
"""
VIEWS = "SELECT relname::text FROM pg_class WHERE relnamespace = 'view'::regnamespace AND relkind = 'r' ORDER BY 1"
# Each table with its columns (those that are computed left out), its primary key, and the tables its rows point to.
TABLES = """
SELECT n.nspname || '.' || c.relname AS name,
    (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
     WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') AS columns,
    (SELECT array_agg(a.attname::text ORDER BY k.nth) FROM pg_index i
     CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, nth)
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
     WHERE i.indrelid = c.oid AND i.indisprimary) AS key,
    ARRAY(SELECT nn.nspname || '.' || cc.relname FROM pg_constraint f JOIN pg_class cc ON cc.oid = f.confrelid
          JOIN pg_namespace nn ON nn.oid = cc.relnamespace
          WHERE f.conrelid = c.oid AND f.contype = 'f' AND f.confrelid <> c.oid) AS needs
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname IN ('record', 'work') ORDER BY 1
"""
# Events in the order of the log, those without a number last: so the log can be checked in one walk.
EVENTS = """
SELECT {columns} FROM record.event e LEFT JOIN record.log l USING (event_id) ORDER BY l.position NULLS LAST, e.ingest_id
"""

Dsn = Callable[[str], str]
"""A database's name -> its address, as its owner or the superuser."""
Ready = Callable[[Mapping[str, asyncpg.Connection]], Awaitable[None]]
"""Waits for the moment to be taken; looks by a connection to each service's database."""


async def at_once(_: Mapping[str, asyncpg.Connection]) -> None: ...


@dataclass(frozen=True)
class KeyCopy:
    """Where the keys go: `to` None: into the backup's folder; `leave_out`: nowhere."""

    leave_out: bool = False
    to: Path | None = None


def quoted(name: str) -> str:
    """schema.table as SQL."""
    return ".".join(f'"{part}"' for part in name.split("."))


async def take(
    folder: Path,
    dsn: Dsn,
    jurisdiction: str,
    *,
    plans: Path | None = None,
    policy: Path | None = None,
    keys: KeyCopy = KeyCopy(),
    elsewhere: Sequence[str] = (),
    progress: Progress = lambda *_: None,
    check: Callable[[Manifest], None] = lambda _: None,
    ready: Ready = at_once,
) -> tuple[Manifest, str]:
    """Writes the backup into `folder`; its manifest, and the manifest's SHA-256.

    `check` reads what was written before the manifest says that it is whole. Raises BackupRefused.
    """
    if folder.exists() and any(folder.iterdir()):
        raise BackupRefused(f"{folder} is not empty: every backup has a folder of its own")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    files: dict[str, File] = {}
    services: dict[str, Part] = {}
    async with snapshots({name: dsn(name) for name in SERVICES}, ready) as standing:
        made = datetime.now(UTC)
        for name, connection in standing.items():
            services[name] = await _part(folder, name, connection, jurisdiction, files, progress)
    kept = None
    if not keys.leave_out:
        kept = await _keys(folder, keys.to, dsn("keys"), jurisdiction, files, progress)
    for name, source in _texts(plans, policy).items():
        (folder / name).parent.mkdir(mode=0o700, exist_ok=True)
        shutil.copyfile(source, folder / name)
        (folder / name).chmod(0o600)
        files[name] = file_of(folder / name)
    for each in (folder, *(path for path in folder.iterdir() if path.is_dir())):
        sync_folder(each)
    manifest = Manifest(FORMAT, MINEWATCH, jurisdiction, made, services, kept, files, tuple(elsewhere))
    check(manifest)
    return manifest, manifest.write(folder)


@asynccontextmanager
async def snapshots(dsns: Mapping[str, str], ready: Ready) -> AsyncIterator[dict[str, asyncpg.Connection]]:
    """Service -> a connection that sees its database as it stood at one moment, the same for all, after `ready`. Raises
    BackupRefused, NotReady."""
    async with contextlib.AsyncExitStack() as stack:
        made = {name: await _connected(stack, dsn) for name, dsn in dsns.items()}
        for name, connection in made.items():
            if (step := await connection.fetchval(STEP)) < OLDEST_STEP:
                raise BackupRefused(
                    f"{name} is at step {step}: take the backup with the version it belongs to, or minewatch migrate first"
                )
        await ready(made)
        async with contextlib.AsyncExitStack() as held:
            for dsn in dsns.values():
                holder = await _connected(held, dsn)
                await held.enter_async_context(holder.transaction())
                await holder.execute("SET LOCAL lock_timeout = '10s'")
                try:
                    await holder.execute(HOLD)
                except asyncpg.LockNotAvailableError:
                    raise NotReady(
                        "somebody holds the head of a log: look at the locks in Postgres, then try again"
                    ) from None
            for connection in made.values():
                await stack.enter_async_context(connection.transaction(isolation="repeatable_read", readonly=True))
                await connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")  # it waits for its turn
                await connection.execute("SELECT FROM work.head")  # the snapshot is of the first look
        yield made


async def _connected(stack: contextlib.AsyncExitStack, dsn: str) -> asyncpg.Connection:
    try:
        connection = await asyncpg.connect(dsn, server_settings=AS_WRITTEN | {"application_name": "minewatch backup"})
    except (OSError, asyncpg.PostgresError) as error:
        database = urlsplit(dsn).path[1:]
        raise NotReady(f"the database {database} cannot be read: {type(error).__name__}: {error}") from None
    stack.push_async_callback(connection.close)
    await refuse_half(connection, urlsplit(dsn).path[1:])
    return connection


async def _part(
    folder: Path,
    name: str,
    connection: asyncpg.Connection,
    jurisdiction: str,
    files: dict[str, File],
    progress: Progress,
) -> Part:
    tx = Tx(connection)
    head = await tx.one(STANDING)
    assert head is not None
    checkpoint = await newest(tx)
    tables = await _tables(connection)
    counted = {each["name"]: await tx.value(f"SELECT count(*) FROM {quoted(each['name'])}") for each in tables}
    whole, done, taken = sum(counted.values()), 0, []
    for each in tables:
        table, file = await _table(folder, name, connection, each)
        if table.rows != counted[table.name]:
            raise BackupRefused(f"{name}, {table.name}: {counted[table.name]} rows are there, {table.rows} were given")
        files[table.file] = file
        taken.append(table)
        done += table.rows
        progress(name, done, whole)
    return Part(
        step=await tx.value(STEP),
        origin=await origin_of(tx, jurisdiction, name),
        lineage=head["lineage"],
        position=head["position"],
        root=(head["root"] or tree.EMPTY_ROOT).hex(),
        sequenced_at=head["sequenced_at"],
        waiting=head["waiting"],
        received=tuple(Received(**row) for row in await tx.all(RECEIVED)),
        checkpoint=None if checkpoint is None else str(checkpoint),
        views=tuple(row[0] for row in await tx.all(VIEWS)),
        tables=tuple(taken),
    )


async def _tables(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    """In an order in which each comes after those its rows point to."""
    found = {row["name"]: row for row in await connection.fetch(TABLES)}
    order = graphlib.TopologicalSorter({name: row["needs"] for name, row in found.items()})
    return [found[name] for name in order.static_order()]


async def _table(
    folder: Path, service: str, connection: asyncpg.Connection, about: asyncpg.Record
) -> tuple[Table, File]:
    name, columns = about["name"], tuple(about["columns"])
    order = ", ".join(f'"{column}"' for column in about["key"] or columns)
    listed = ", ".join(f'"{column}"' for column in columns)
    query = f"SELECT {listed} FROM {quoted(name)} ORDER BY {order}"
    if name == "record.event":
        query = EVENTS.format(columns=", ".join(f'e."{column}"' for column in columns))
    file = f"{service}/{name}.copy.gz"
    out = RowFile(folder / file)
    await connection.copy_from_query(query, output=out.take, format="text")
    kept = out.close()
    return Table(name, file, columns, out.rows), kept


async def _keys(
    folder: Path, to: Path | None, dsn: str, jurisdiction: str, files: dict[str, File], progress: Progress
) -> Keys:
    path = folder / KEYS if to is None else to
    if path.exists():
        raise BackupRefused(f"{path} is there already: give --keys-to another name")
    connection = await asyncpg.connect(dsn, server_settings=AS_WRITTEN | {"application_name": "minewatch backup"})
    try:
        made, rows, file = await take_keys(path, connection, jurisdiction)
    finally:
        await connection.close()
    sync_folder(path.parent)
    if to is None:
        files[KEYS] = file
    progress("keys", rows, rows)
    return Keys(to is None, made, rows, file)


def _texts(plans: Path | None, policy: Path | None) -> dict[str, Path]:
    """Name in the backup -> file: the plan files, and never what else may lie beside them."""
    found = {} if plans is None else {f"{PLANS}/{path.name}": path for path in sorted(plans.glob("*.y*ml"))}
    if plans is not None and (plans / "current").exists():
        found[f"{PLANS}/current"] = plans / "current"
    if policy is not None and policy.exists():
        found[POLICY] = policy
    return found
