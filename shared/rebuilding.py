"""Facts after which a service builds its read models anew, because texts that stand open in them open no longer.

A rebuild asks the keys of today. It is the one way that clears every row, whatever a read model made of a text, that gives what
any later rebuild gives, and that leaves nothing behind in the old tables' files: they are dropped. A service whose record the
subject is not has no text of it (tests/contracts/test_offices_texts.py).
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import asyncpg

from shared.app import AGAIN, LOST
from shared.errors import MinewatchError
from shared.follower import MarkMoved, Walk
from shared.sql import Tx
from shared.telemetry import log

FOLLOWER = "rebuilding"
AGAIN_AFTER = 10.0
"""Seconds, when a rebuild could not be made: another one is under way, or the database or a key is away."""

OWN = """
SELECT e.body FROM record.log l JOIN record.event e USING (event_id)
WHERE l.position > $1 AND l.position <= $2 AND e.type = ANY($3::text[]) ORDER BY l.position
"""
RECEIVED = """
SELECT body FROM record.inbox WHERE source = $4 AND position > $1 AND position <= $2 AND type = ANY($3::text[]) ORDER BY position
"""
OURS = "SELECT EXISTS (SELECT FROM record.event WHERE stream_id = ANY($1::text[]))"


@dataclass
class Rebuilding:
    """`types` of facts that name a `subject` whose keys are gone; `forget` drops what this process remembers of it.

    The mark moves when the rebuild stands: killed before, it is done again. Of two processes at it one waits for the other.
    """

    walk: Walk
    types: frozenset[str]
    pool: asyncpg.Pool
    forget: Callable[[str], None]
    rebuild: Callable[[], Awaitable[None]]
    poll: float = 1.0

    async def once(self) -> bool:
        """Whether there was something to walk. Raises what a rebuild raises."""
        async with self.pool.acquire() as connection:
            tx = Tx(connection)
            place = await self.walk.place(tx, FOLLOWER)
            if place is None:
                return False
            between = (place.at, place.end.position, sorted(self.types))
            rows = await (tx.all(OWN, between) if self.walk.own else tx.all(RECEIVED, (*between, self.walk.source)))
            subjects = [str(json.loads(row["body"])["data"]["subject"]) for row in rows]
            ours = bool(subjects) and await tx.value(OURS, (subjects,))
        for subject in subjects:
            self.forget(subject)
        if ours:
            await self.rebuild()
            log(FOLLOWER, service=self.walk.service).info("read models built anew", facts=len(rows))
        async with self.pool.acquire() as connection:
            await self.walk.move(Tx(connection), FOLLOWER, place, place.end.position)
        return True

    async def run(self) -> None:
        """Until cancelled."""
        said = log(FOLLOWER, service=self.walk.service)
        while True:
            try:
                await self.once()
                await asyncio.sleep(self.poll)
            except (MarkMoved, *AGAIN):
                continue
            except (MinewatchError, asyncpg.PostgresError, *LOST) as error:
                said.warning("again", error=type(error).__name__)
                await asyncio.sleep(AGAIN_AFTER)
