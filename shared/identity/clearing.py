"""After an erasure: the destroyed keys' bytes leave the files of the key database, too.

What a row held before it was changed stays in the table's file until something is written over it; a plain VACUUM only gives the
place free. So the table is written anew into another file. It is as large as the town has keys, and shut while that lasts.
"""

import re

import asyncpg

from shared.telemetry import log, why

UNCLEARED = "SELECT public.uncleared()"
CLEARED = "SELECT public.note_cleared($1)"
FILE = "SELECT pg_relation_filenode('public.key')"
# Nobody reads a key while this waits for somebody who reads them all, such as a backup.
WAIT = "SET lock_timeout = '3s'"
ANEW = "VACUUM (FULL, VERBOSE) public.key"
STILL_SEEN = re.compile(r"\d+")
"""First in Postgres's words on a table it wrote anew: how many dead rows went along, because an older snapshot sees them."""
SEEN = "a transaction that began before is open still: it may see destroyed keys"
AS_LONG_AS_IT_TAKES = 600.0
Connection = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy


async def clear(connection: Connection, anyway: bool = False) -> bool:
    """Writes the table anew when keys were destroyed since that was last done, or `anyway`; as keys_custodian or keys_owner.

    False when it could not, or somebody's older snapshot still sees what was destroyed: the log says why, and it is to be done
    again; whoever does it sees that it is still to be done. Raises nothing for that: the keys are destroyed all the same. Of no
    use while a transaction that wrote before the keys went is open in any database of the server, the caller's own among them.
    """
    try:
        uncleared = await connection.fetchval(UNCLEARED)
        reason = await _anew(connection) if uncleared or anyway else None
        if uncleared and reason is None:
            await connection.execute(CLEARED, uncleared)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        reason = f"{type(error).__name__}: {why(error)}"
    if reason is not None:
        log("keys").warning("not cleared yet", reason=reason)
    return reason is None


async def _anew(connection: Connection) -> str | None:
    """Why what was destroyed may still be in the file; None when it is not."""
    details: list[str] = []

    def said(_: object, message: asyncpg.PostgresLogMessage) -> None:
        if '"public.key"' in message.message:
            details.append(message.detail or "")

    before = await connection.fetchval(FILE)
    connection.add_log_listener(said)
    await connection.execute(WAIT)
    try:
        await connection.execute(ANEW, timeout=AS_LONG_AS_IT_TAKES)
    finally:
        connection.remove_log_listener(said)
        await connection.execute("RESET lock_timeout")
    if await connection.fetchval(FILE) == before:  # Postgres only warns whoever may not
        return "the table was not written anew: run minewatch migrate"
    seen = [int(found[0]) for detail in details if (found := STILL_SEEN.search(detail))]
    return None if seen and not any(seen) else SEEN
