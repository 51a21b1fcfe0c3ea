"""Every key of the key store taken out of one wrapper and put into another, so that what wraps them can be changed.

Some at a time, each time a commit: wherever it is killed each key is under one of the two, and the next run goes on. The newest
of every audience come first, more of them at once than a service looks at (key_store.NEWEST), so one that is started on the half
with the old wrapper sees that it is the wrong one before it seals anything.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg

from shared.errors import KeyServiceAway
from shared.identity.clearing import clear
from shared.identity.key_store import bound_to
from shared.identity.wrapping import AT_ONCE, KeyWrapper, WrongMasterKey
from shared.parts import Points, no_points
from shared.telemetry import log, why

NEWEST_FIRST = """
SELECT key_id FROM public.key WHERE wrapped IS NOT NULL
ORDER BY row_number() OVER (PARTITION BY audience ORDER BY made_at DESC, key_id), key_id
"""
SOME = """
SELECT key_id, subject, audience, wrapped FROM public.key WHERE key_id = ANY($1::uuid[]) AND wrapped IS NOT NULL
"""
# A key that was destroyed meanwhile stays destroyed.
PUT = """
UPDATE public.key SET wrapped = fresh FROM unnest($1::uuid[], $2::bytea[], $3::bytea[]) AS each (id, old, fresh)
WHERE key_id = id AND wrapped = old
"""
# A version before 0.2 let Postgres take samples of the wrapped keys. What the log holds goes where segments are not recycled.
LEFT = ("VACUUM (FULL) pg_catalog.pg_statistic", "SELECT pg_switch_wal()", "CHECKPOINT")


@dataclass
class Rewrapped:
    """`old`: keys that the old wrapper opened; `new`: keys that the new one had wrapped before; `unopened`: ids of the others."""

    old: int = 0
    new: int = 0
    unopened: list[str] = field(default_factory=list)


async def rewrap(
    connection: asyncpg.Connection,
    old: KeyWrapper,
    new: KeyWrapper,
    *,
    only_look: bool = False,
    progress: Callable[[int, int], None] = lambda *_: None,
    points: Points = no_points,
) -> Rewrapped:
    """As a role that sees every row and may change it, while no service runs. `only_look`: nothing is written. Raises
    KeyServiceAway; what was done until then stays done."""
    found = Rewrapped()
    ids = [row["key_id"] for row in await connection.fetch(NEWEST_FIRST)]
    for at in range(0, len(ids), AT_ONCE):
        rows = await connection.fetch(SOME, ids[at : at + AT_ONCE])
        secrets = await _opened(old, rows)
        others = [row for row in rows if row["key_id"] not in secrets]
        known = await _opened(new, others)
        if not only_look:
            await _put(connection, new, [row for row in rows if row["key_id"] in secrets], secrets)
            await points("rewrap: some wrapped anew")
        found.old += len(secrets)
        found.new += len(known)
        found.unopened += [str(row["key_id"]) for row in others if row["key_id"] not in known]
        progress(min(at + AT_ONCE, len(ids)), len(ids))
    return found


async def _opened(wrapper: KeyWrapper, rows: Sequence[asyncpg.Record]) -> dict[UUID, bytes]:
    """Key id -> secret, of those that it opens. It refuses all for one that it does not, so they are halved until it is found."""
    if not rows:
        return {}
    try:
        secrets = await wrapper.unwrap([(row["wrapped"], _aad(row)) for row in rows])
    except WrongMasterKey:
        half = len(rows) // 2
        return await _opened(wrapper, rows[:half]) | await _opened(wrapper, rows[half:]) if half else {}
    return {row["key_id"]: secret for row, secret in zip(rows, secrets, strict=True)}


async def _put(
    connection: asyncpg.Connection, new: KeyWrapper, rows: Sequence[asyncpg.Record], secrets: dict[UUID, bytes]
) -> None:
    """Nothing is written that the new one was not seen to open."""
    fresh = [await new.wrap(secrets[row["key_id"]], _aad(row)) for row in rows]
    opened = await new.unwrap([(wrapped, _aad(row)) for wrapped, row in zip(fresh, rows, strict=True)])
    if opened != [secrets[row["key_id"]] for row in rows]:
        raise KeyServiceAway("what wraps the keys from now on gives back other keys than it was given")
    await connection.execute(PUT, [row["key_id"] for row in rows], [row["wrapped"] for row in rows], fresh)


def _aad(row: asyncpg.Record) -> bytes:
    return bound_to(str(row["key_id"]), row["subject"], row["audience"])


async def clear_former(connection: asyncpg.Connection) -> bool:
    """What was wrapped before leaves the files of the database and the write-ahead log; as superuser. False when it could not,
    the log says why: it is to be done again."""
    if not await clear(connection, anyway=True):
        return False
    try:
        for statement in LEFT:
            await connection.execute(statement)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        log("keys").warning("not cleared yet", reason=f"{type(error).__name__}: {why(error)}")
        return False
    return True
