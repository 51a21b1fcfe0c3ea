"""Databases made to be thrown away: read models of another moment are built in one, beside the town's own and never in them.

Each is held by a connection of whoever made it. One that nobody holds was left by a process that died, and the next to make one
drops it. `keep` gives it a name that no sweep takes away; it is then whoever asked for it that has to drop it.
"""

import contextlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from shared.app import LOST
from shared.database import open_pool
from shared.errors import NotReady
from shared.telemetry import log

SWEPT, KEPT = "minewatch_scratch_", "minewatch_kept_"
SEARCH_PATH = "view, work, record"
PATIENCE = 600.0
"""Seconds for one statement here: a long log is copied in one."""

# From a database's making until it is held, nobody sweeps.
ALONE = "SELECT pg_advisory_lock(hashtext('minewatch scratch'))"
TOGETHER = "SELECT pg_advisory_unlock(hashtext('minewatch scratch'))"
LEFT = r"""
SELECT datname FROM pg_database d WHERE datname LIKE 'minewatch\_scratch\_%' AND pg_has_role(d.datdba, 'USAGE')
AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datname = d.datname) ORDER BY datname
"""


@dataclass
class Scratch:
    """`pool` may do anything in it."""

    name: str
    dsn: str
    pool: asyncpg.Pool

    async def reading(self, size: int = 4) -> asyncpg.Pool:
        """Connections that Postgres itself lets write nothing; to be closed by whoever asked."""
        return await open_pool(self.dsn, size, SEARCH_PATH, default_transaction_read_only="on")


@asynccontextmanager
async def scratch(server: str, keep: bool = False) -> AsyncIterator[Scratch]:
    """A new database on the server, dropped at the end unless `keep`.

    `server`: the address of a database there, such as postgres, as a role that may make databases.
    Raises NotReady when that role may not.
    """
    name = f"{KEPT if keep else SWEPT}{secrets.token_hex(6)}"
    dsn = urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    admin = await _connected(server)
    try:
        await admin.execute(ALONE)
        await _sweep(admin)
        try:
            await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE template0 ENCODING UTF8')
        except asyncpg.InsufficientPrivilegeError as error:
            raise NotReady("MINEWATCH_SCRATCH_DSN names a role that may not make databases") from error
        holder = await asyncpg.connect(dsn, timeout=30)
        await admin.execute(TOGETHER)
        await holder.execute(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC')
    except BaseException:
        await _dropped(admin, name)
        await admin.close()
        raise
    try:
        pool = await open_pool(dsn, 4, SEARCH_PATH, command_timeout=PATIENCE)
        try:
            yield Scratch(name, dsn, pool)
        finally:
            pool.terminate()
    finally:
        await holder.close()
        if not keep:
            await _dropped(admin, name)
        await admin.close()


async def sweep(server: str) -> list[str]:
    """Drops what processes that died left behind; their names."""
    admin = await _connected(server)
    try:
        await admin.execute(ALONE)
        return await _sweep(admin)
    finally:
        await admin.close()


async def _connected(server: str) -> asyncpg.Connection:
    try:
        return await asyncpg.connect(server, timeout=30, command_timeout=PATIENCE)
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise NotReady(
            "MINEWATCH_SCRATCH_DSN names a role that is not there: minewatch migrate --prepare makes it, or starting the town"
        ) from error


async def _sweep(admin: asyncpg.Connection) -> list[str]:
    gone = []
    for row in await admin.fetch(LEFT):
        with contextlib.suppress(asyncpg.ObjectInUseError, asyncpg.InvalidCatalogNameError):
            await admin.execute(f'DROP DATABASE "{row["datname"]}"')  # never by force: whoever holds one uses it
            gone.append(row["datname"])
    if gone:
        log("scratch").info("swept", databases=len(gone))
    return gone


async def _dropped(admin: asyncpg.Connection, name: str) -> None:
    """Connections that are just ending are ended, which may take some longer than Postgres waits for them. What cannot be dropped
    now, a sweep will drop."""
    for _ in range(3):
        with contextlib.suppress(asyncpg.PostgresError, *LOST):
            await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            return
