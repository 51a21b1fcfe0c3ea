"""Waiting until an event that was just recorded has its number, and a checkpoint covers it."""

import asyncio
import time
from uuid import UUID

import asyncpg

from shared.audit.heads import heads_at
from shared.checkpoints import newest
from shared.contracts.parts import Heads
from shared.errors import NotReady
from shared.sql import Tx
from shared.transparency import heads
from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import Note
from shared.transparency.policy import Policy

LOOK_AGAIN = 0.1
HEAD = "SELECT position FROM work.head"
NUMBERED = "SELECT position FROM record.log WHERE event_id = $1"


async def stated(tx: Tx) -> Heads:
    """The heads of all streams as the log stands in this transaction, which sees one moment."""
    size = await tx.value(HEAD)
    found = await heads_at(tx, size)
    return Heads(size=size, streams=len(found), root=heads.root(found).hex())


async def numbered(pool: asyncpg.Pool, event_id: UUID, seconds: float = 30.0) -> int:
    """The event's position. Raises NotReady when it gets none in time."""
    until = time.monotonic() + seconds
    while (position := await pool.fetchval(NUMBERED, event_id)) is None:
        if time.monotonic() >= until:
            raise NotReady(f"event {event_id} got no number within {seconds:.0f} seconds: does the sequencer run?")
        await asyncio.sleep(LOOK_AGAIN)
    return int(position)


async def covering(pool: asyncpg.Pool, position: int, policy: Policy | None, seconds: float) -> Note | None:
    """The newest checkpoint (with a policy: that meets it) when it covers `position`, or when the time is over; None when there
    is none at all."""
    until = time.monotonic() + seconds
    while True:
        async with pool.acquire() as connection:
            note = await newest(Tx(connection), policy=policy)
        if (note is not None and Checkpoint.read(note.text).size >= position) or time.monotonic() >= until:
            return note
        await asyncio.sleep(LOOK_AGAIN)
