"""What a service may forget, and when: answers to repeated commands, deliveries and reactions that are done.

The record is never touched. Neither is what still waits, a dead delivery, or a dismissal: the database itself refuses to delete
those (migration 0002). The stream has its own limit (MINEWATCH_STREAM_KEEP), and log files roll over (telemetry.py).
"""

import asyncio
import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import asyncpg

from shared.app import LOST
from shared.backup.erasures import ERASED, Erasures
from shared.errors import MinewatchError
from shared.identity.key_store import KeyStore
from shared.telemetry import log

# A few at a time; of two processes at it the second finds them gone. What was sent and done stands in the record as events.
ANSWERS = """
DELETE FROM work.answer WHERE command_id IN (
    SELECT command_id FROM work.answer WHERE answered_at < clock_timestamp() - $1::interval LIMIT $2)
"""
DELIVERIES = """
DELETE FROM work.delivery WHERE delivery_id IN (
    SELECT delivery_id FROM work.delivery WHERE state = 'done' AND next_at < clock_timestamp() - $1::interval
    LIMIT $2)
"""
REACTIONS = """
DELETE FROM work.parked WHERE parked_id IN (
    SELECT parked_id FROM work.parked
    WHERE state = 'done' AND dismissed_by IS NULL AND parked_at < clock_timestamp() - $1::interval
    LIMIT $2)
"""

ERASURES = "SELECT body FROM record.event WHERE type = ANY($1::text[])"

KNOWN = """
SELECT DISTINCT stream_id FROM record.event WHERE stream_id = ANY($1::text[])
UNION SELECT stream_id FROM record.file WHERE stream_id = ANY($1::text[])
"""

UNUSED = timedelta(days=1)
"""After which a key without a text is an orphan; a day more, and it is gone. Longer than any command is tried again."""
AGAIN_AFTER = 10.0
"""Seconds, when the database was away."""
CLEARS_EVERY = 2.0
"""Seconds."""
LEAST_DAYS = 7
"""A phone that was offline sends its commands again, and a person looks after the weekend."""


class KeptTooShort(MinewatchError):
    """A retention setting that is no number of days, or fewer than LEAST_DAYS."""


@dataclass(frozen=True)
class Retention:
    """How long work that is done is kept. Technical figures; what the law wants kept are events, and those stay for ever."""

    answers: timedelta = timedelta(days=90)
    deliveries: timedelta = timedelta(days=180)
    reactions: timedelta = timedelta(days=365)

    @staticmethod
    def from_environment(environment: Mapping[str, str] = os.environ) -> "Retention":
        """MINEWATCH_KEEP_ANSWERS, MINEWATCH_KEEP_DELIVERIES, MINEWATCH_KEEP_REACTIONS, in days. Raises KeptTooShort."""

        def days(name: str, otherwise: timedelta) -> timedelta:
            key = f"MINEWATCH_KEEP_{name}"
            given = environment.get(key)
            if not given:
                return otherwise
            if not given.isdecimal() or int(given) < LEAST_DAYS:
                raise KeptTooShort(f"{key} is a number of days, {LEAST_DAYS} or more")
            return timedelta(days=int(given))

        plain = Retention()
        return Retention(
            answers=days("ANSWERS", plain.answers),
            deliveries=days("DELIVERIES", plain.deliveries),
            reactions=days("REACTIONS", plain.reactions),
        )


@dataclass
class Tidying:
    """Removes what is past its time, `batch` rows a transaction. In seconds: `pause` after each, `every` between two rounds.

    `keys`: the custodian's key store where this process has it; then keys whose text was never stored go as well, and those of
    whoever is erased by the log, where an older copy of the keys was put back.
    """

    service: str
    pool: asyncpg.Pool
    retention: Retention = field(default_factory=Retention)
    batch: int = 500
    pause: float = 0.1
    every: float = 3600.0
    keys: KeyStore | None = None

    async def once(self) -> dict[str, int]:
        """What was removed: kind -> rows."""
        r = self.retention
        wanted = (
            ("answers", ANSWERS, r.answers),
            ("deliveries", DELIVERIES, r.deliveries),
            ("reactions", REACTIONS, r.reactions),
        )
        removed = {kind: await self._all(statement, kept) for kind, statement, kept in wanted}
        if self.keys is not None:
            removed["keys"] = await self.keys.sweep(UNUSED, self._known)
            await self.keys.clear()
        if any(removed.values()):
            log("tidying", service=self.service).info("removed", **removed)
        return removed

    async def erased_again(self) -> int:
        """How many keys were destroyed that the log says were destroyed before."""
        assert self.keys is not None
        erasures = Erasures()
        for row in await self.pool.fetch(ERASURES, list(ERASED)):
            erasures.note(row["body"], self.service)
        destroyed = await self.keys.destroy(*erasures.subjects) + await self.keys.destroy_keys(erasures.keys)
        if destroyed:
            log("tidying", service=self.service).warning("erased again", keys=destroyed)
        return destroyed

    async def _known(self, streams: Sequence[str]) -> set[str]:
        """Those of the streams in which something stands."""
        return {row["stream_id"] for row in await self.pool.fetch(KNOWN, list(streams))}

    async def _all(self, statement: str, kept: timedelta) -> int:
        total = 0
        while True:
            status: str = await self.pool.execute(statement, kept, self.batch)
            done = int(status.rsplit(" ", 1)[-1])
            total += done
            if done < self.batch:
                return total
            await asyncio.sleep(self.pause)

    async def clears(self) -> None:
        """Until cancelled. What erasures destroy leaves the key store's files some seconds later; while somebody holds that up it
        is tried ever more seldom, once a round at least."""
        assert self.keys is not None
        wait = CLEARS_EVERY
        while True:
            await asyncio.sleep(wait)
            wait = CLEARS_EVERY if await self.keys.clear() else min(2 * wait, self.every)

    async def run(self) -> None:
        """Until cancelled. Erasures at once; the first round some minutes later, so that replicas do not come at once."""
        wait = random.uniform(0.02, 0.1) * self.every
        while True:
            try:
                if self.keys is not None:
                    await self.erased_again()
                await asyncio.sleep(wait)
                wait = self.every
                await self.once()
            except (asyncpg.PostgresError, *LOST) as error:
                log("tidying", service=self.service).warning("again", error=type(error).__name__)
                await asyncio.sleep(AGAIN_AFTER)
