"""Facts after which a service builds its read models anew, because texts that stand open in them open no longer.

A rebuild asks the keys of today. It is the one way that clears every row, whatever a read model made of a text, that gives what
any later rebuild gives, and that leaves nothing behind in the old tables' files: they are dropped. A service whose record the
subject is not has no text of it (tests/contracts/test_offices_texts.py).

It cannot be a timer's command: the swap waits for all that appends, and a timer is such. So it is a deadline that no timer keeps.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import asyncpg

from shared.app import LOST
from shared.contracts.envelope import Recorded
from shared.contracts.event import Event
from shared.errors import MinewatchError
from shared.read_model import ReadModel, Write
from shared.telemetry import log, why
from shared.timers import due_at

WORK = "rebuilding"
"""The deadline; its subject is the record whose keys are gone."""
AGAIN_AFTER, AT_MOST = 10.0, 600.0
"""Seconds, when a rebuild could not be made: another is under way, or the database or a key is away. Twice as long each time."""
TOLD_AFTER = 3
"""Tries in a row, after which the deadlines say that they failed, and with what."""

WAITING = "SELECT subject, due_at FROM work.due WHERE timer = 'rebuilding'"
OURS = "SELECT EXISTS (SELECT FROM record.event WHERE stream_id = ANY($1::text[]))"
FAILED = "UPDATE work.due SET failed = $1 WHERE timer = 'rebuilding'"
DONE = "DELETE FROM work.due WHERE timer = 'rebuilding' AND subject = $1 AND due_at = $2"


def rebuilt_after(fact: type[Event], needed: Callable[[Recorded[Any]], bool] = lambda _: True) -> ReadModel:
    """Has no table: sets the deadline. `fact` names a `subject` whose keys are gone; `needed`: whether a read model can
    have a text of it."""

    def project(e: Recorded[Any]) -> Iterator[Write]:
        if needed(e):
            yield due_at(WORK, e.event.subject, e.recorded_at)

    return ReadModel(WORK, tables=(), events=(fact,), project=project)


@dataclass
class Rebuilding:
    """`forget` drops what this process remembers of a subject's keys.

    What waits goes away when the rebuild stands: killed before, it is done again. Of two processes at it one waits for the other.
    One that goes on failing is tried ever more seldom, and shows among the deadlines that failed. In seconds: `poll`, `again`.
    """

    service: str
    pool: asyncpg.Pool
    forget: Callable[[str], None]
    rebuild: Callable[[], Awaitable[None]]
    poll: float = 1.0
    again: float = AGAIN_AFTER

    async def once(self) -> bool:
        """Whether something waited. Raises what a rebuild raises."""
        rows = await self.pool.fetch(WAITING)
        if not rows:
            return False
        for row in rows:
            self.forget(row["subject"])
        if await self.pool.fetchval(OURS, [row["subject"] for row in rows]):
            await self.rebuild()
            log(WORK, service=self.service).info("read models built anew", records=len(rows))
        await self.pool.executemany(DONE, [(row["subject"], row["due_at"]) for row in rows])
        return True

    async def run(self) -> None:
        """Until cancelled."""
        failures = 0
        while True:
            try:
                await self.once()
                failures = 0
                await asyncio.sleep(self.poll)
            except (MinewatchError, *LOST, asyncpg.PostgresError) as error:
                await asyncio.sleep(await self._failed(error, failures))
                failures += 1

    async def _failed(self, error: Exception, before: int) -> float:
        """Seconds to wait."""
        pause = min(self.again * 2.0 ** min(before, 10), AT_MOST)
        reason = f"{type(error).__name__}: {why(error)}"
        log(WORK, service=self.service).warning("again", reason=reason, after=pause)
        if before + 1 >= TOLD_AFTER:
            with contextlib.suppress(asyncpg.PostgresError, *LOST):
                await self.pool.execute(FAILED, reason)
        return pause
