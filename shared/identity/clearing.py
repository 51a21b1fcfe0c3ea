"""After an erasure: the destroyed keys' bytes leave the files of the key database, too.

What a row held before it was changed stays in the table's file until something is written over it; a plain VACUUM only gives the
place free. So the table is written anew into another file. It is as large as the town has keys, and shut while that lasts.
"""

import asyncpg

from shared.errors import NotReady
from shared.telemetry import log

UNCLEARED = "SELECT public.uncleared()"
CLEARED = "SELECT public.note_cleared($1)"
FILE = "SELECT pg_relation_filenode('public.key')"
# Nobody reads a key while this waits for somebody who reads them all, such as a backup.
WAIT = "SET lock_timeout = '3s'"
AS_LONG_AS_IT_TAKES = 600.0


async def clear(connection: asyncpg.Connection | asyncpg.pool.PoolConnectionProxy) -> bool:
    """Writes the table anew when keys were destroyed since that was last done; as keys_custodian or keys_owner.

    False while somebody reads the whole table: it is to be done again, and whoever does it sees that it is still to be done.
    Raises NotReady where the role may not.
    """
    began = await connection.fetchval(UNCLEARED)
    if began is None:
        return True
    before = await connection.fetchval(FILE)
    await connection.execute(WAIT)
    try:
        await connection.execute("VACUUM (FULL) public.key", timeout=AS_LONG_AS_IT_TAKES)
    except asyncpg.LockNotAvailableError:
        log("keys").warning("not cleared yet")
        return False
    finally:
        await connection.execute("RESET lock_timeout")
    if await connection.fetchval(FILE) == before:  # Postgres only warns whoever may not
        raise NotReady("the key store's table was not written anew: run minewatch migrate")
    await connection.execute(CLEARED, began)
    return True
