"""A restore that was broken off: marked until all of it is in place, so that nothing starts on the half, and known by its mark as
nobody's record, so that the same restore may begin again.

On a server the mark is a setting of each database that is filled: set for all of them at once and taken away from all at once.
An embedded town is restored beside its folder, in one with a name of its own. Two restores never work on the same: the folder, or
the server, is locked by the process itself, so that nothing is left locked when it is killed.
"""

import contextlib
import fcntl
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from fnmatch import fnmatch
from pathlib import Path
from urllib.parse import quote, unquote

import asyncpg

from shared.errors import NotReady

SETTING = "minewatch.restored_from"
ALONE = "SELECT pg_advisory_lock(hashtextextended('minewatch restore', 0))"
LOST = (asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError, asyncpg.InterfaceError, OSError)
MARKED = f"SELECT coalesce(current_setting('{SETTING}', true), '')"


@asynccontextmanager
async def alone_on(server: str) -> AsyncIterator[asyncpg.Connection]:
    """As the server's superuser, who restores its databases, or changes what wraps its keys: the connection that keeps others
    away, to mark and unmark with. Raises NotReady while another is at work; whichever database of the server each was told to
    connect to."""
    # Such a lock belongs to one database, so all take it in the same one.
    settings = {"application_name": "minewatch restore", "idle_session_timeout": "0"}
    connection = await asyncpg.connect(server, database="postgres", server_settings=settings)
    try:
        await connection.execute("SET lock_timeout = '3s'")  # a killed one's connection may end a moment after it
        try:
            await connection.execute(ALONE)
        except asyncpg.LockNotAvailableError:
            raise NotReady(
                "另一个恢复或换钥正在使用这台服务器，请等它结束。 "
                "Another restore is at work on this server, or keys rewrap: let it come to its end"
            ) from None
        yield connection
    finally:
        await connection.close()


async def mark(alone: asyncpg.Connection, databases: Sequence[str], backup: str) -> None:
    """In one step for all. `backup`: what they are restored from, in words. Raises NotReady as `unmark` does."""
    await _altered(alone, [f"ALTER DATABASE \"{name}\" SET {SETTING} = '{quote(backup)}'" for name in databases])


async def unmark(alone: asyncpg.Connection, databases: Sequence[str]) -> None:
    """In one step for all. Raises NotReady when the connection that kept others away is gone: another may have begun since."""
    await _altered(alone, [f'ALTER DATABASE "{name}" RESET {SETTING}' for name in databases])


async def _altered(alone: asyncpg.Connection, statements: Sequence[str]) -> None:
    try:
        async with alone.transaction():
            for statement in statements:
                await alone.execute(statement)
    except LOST:
        raise NotReady(
            "与服务器的连接中断过，其间可能有另一个恢复开始。请用同样的命令再恢复一次。 "
            "The connection to the server was lost, and another restore may have begun since. "
            "Run minewatch restore once more, with the same words"
        ) from None


async def restored_from(connection: asyncpg.Connection | asyncpg.pool.PoolConnectionProxy) -> str:
    """What this database was being restored from when it was connected to; empty where nobody restores it."""
    return unquote(await connection.fetchval(MARKED))


async def refuse_half(connection: asyncpg.Connection | asyncpg.pool.PoolConnectionProxy, database: str) -> None:
    """Raises NotReady for a database that is one of a half-restored town."""
    backup = await restored_from(connection)
    if backup:
        raise NotReady(
            f"{database} is one of the databases of a restore that is under way or was broken off: they are no town yet. "
            f"Run minewatch restore --from {backup} once more, with the same words; it begins again by itself"
        )


def beside(folder: Path) -> Path:
    """Where the town is restored that will be in `folder`; it gets its name when everything is in place."""
    return folder.with_name(f".{folder.name}.restoring")


@contextmanager
def alone_beside(folder: Path) -> Iterator[Path]:
    """The folder `beside` it, made if need be and held; gone afterwards if nothing came into it. Raises NotReady while another
    restore holds it."""
    half = beside(folder)
    held = _held(half)
    try:
        yield half
    finally:
        if _is(half, held):
            with contextlib.suppress(OSError):  # something came into it
                half.rmdir()
        os.close(held)


def _held(half: Path) -> int:
    """Open, and locked as long as it is. Raises NotReady."""
    while True:
        half.mkdir(parents=True, exist_ok=True)
        held = os.open(half, os.O_RDONLY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(held)
            raise NotReady(
                f"另一个恢复正在使用 {half}，请等它结束。 Another restore is at work in {half}: let it come to its end"
            ) from None
        if _is(half, held):
            return held
        os.close(held)  # whoever held it gave it its name, or took it away, in this moment


def _is(half: Path, held: int) -> bool:
    try:
        return os.path.samestat(half.stat(), os.fstat(held))
    except FileNotFoundError:
        return False


def refuse_half_town(folder: Path, lives: bool) -> None:
    """`lives`: whether a town is in the folder. Raises NotReady for a half-restored one, and for a folder that waits for one."""
    half = folder if fnmatch(folder.name, ".?*.restoring") else None
    if half is None and not lives and beside(folder).exists():
        half = beside(folder)
    if half is not None:
        raise NotReady(
            f"{half} is what a restore has made so far that is under way or was broken off: it is no town yet. Run minewatch "
            f"restore once more, with the same words; it begins again by itself. To have no restored town, delete {half}"
        )
