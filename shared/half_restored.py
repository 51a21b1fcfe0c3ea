"""A restore that was broken off: marked until all of it is in place, so that nothing starts on the half, and known by its mark as
nobody's record, so that the same restore may begin again.

On a server the mark is a setting of each database that is filled: set for all of them at once and taken away from all at once.
An embedded town is restored beside its folder, in one with a name of its own.
"""

from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from urllib.parse import quote, unquote

import asyncpg

from shared.errors import NotReady

SETTING = "minewatch.restored_from"
MARKED = f"SELECT coalesce(current_setting('{SETTING}', true), '')"


async def mark(server: str, databases: Sequence[str], backup: str) -> None:
    """As the server's superuser, in one step for all. `backup`: what they are restored from, in words."""
    await _altered(server, [f"ALTER DATABASE \"{name}\" SET {SETTING} = '{quote(backup)}'" for name in databases])


async def unmark(server: str, databases: Sequence[str]) -> None:
    await _altered(server, [f'ALTER DATABASE "{name}" RESET {SETTING}' for name in databases])


async def _altered(server: str, statements: Sequence[str]) -> None:
    connection = await asyncpg.connect(server)
    try:
        async with connection.transaction():
            for statement in statements:
                await connection.execute(statement)
    finally:
        await connection.close()


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
