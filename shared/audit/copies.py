"""Copies of one service's past that are kept for a while, so that several questions about one moment build it once."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import asyncpg

from shared.audit.moment import Clock, Moment, as_of
from shared.audit.past import NO_SERVER, Readable, past_of
from shared.ending import ended
from shared.errors import NotReady
from shared.sql import Tx
from shared.telemetry import log

SETTLED = timedelta(minutes=1)
"""Before that, facts of a moment may still be on their way here, and it is looked up anew each time."""


class BeingBuilt(NotReady):
    """正在还原当时的数据，请稍后再试。
    That moment is being built. Ask again shortly."""


class TooManyMoments(NotReady):
    """同时查询的时刻太多，请稍后再试。
    Too many moments are looked at. Ask again shortly."""


@dataclass
class _Held:
    """One copy. `ready`: connections that only read, once it is built; `users`: how many questions are read from it now."""

    ready: asyncio.Future[asyncpg.Pool]
    used_at: float
    leave: asyncio.Event = field(default_factory=asyncio.Event)
    users: int = 0
    task: asyncio.Task[None] | None = None


@dataclass
class Copies:
    """At most `most` copies, each dropped `age` seconds after it was built; a question waits `patience` seconds for its copy."""

    of: Readable
    most: int = 3
    age: float = 600.0
    patience: float = 20.0

    def __post_init__(self) -> None:
        self._held: dict[tuple[object, ...], _Held] = {}
        self._moments: dict[tuple[datetime, Clock], Moment] = {}
        self._one_at_a_time = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def moment(self, at: datetime, clock: Clock, now: datetime) -> Moment:
        """Raises NotReady where no server for copies is set."""
        if self.of.settings.scratch_dsn is None:
            raise NotReady(NO_SERVER)
        known = self._moments.get((at, clock))
        if known is None:
            async with self.of.pool.acquire() as connection:
                known = await as_of(Tx(connection), self.of.name, list(self.of.card.consumes()), at, clock)
            if clock == "recorded" and at < now - SETTLED:
                while len(self._moments) >= 1000:
                    self._moments.pop(next(iter(self._moments)))
                self._moments[at, clock] = known
        return known

    @asynccontextmanager
    async def use(self, moment: Moment) -> AsyncIterator[asyncpg.Pool]:
        """Connections to the copy of that moment. Raises BeingBuilt, TooManyMoments, and whatever building it raised."""
        held = self._held.get(moment.key) or self._begin(moment)
        held.users += 1
        held.used_at = time.monotonic()
        try:
            done, _ = await asyncio.wait([held.ready], timeout=self.patience)
            if not done:
                raise BeingBuilt
            yield held.ready.result()
        finally:
            held.users -= 1

    def _begin(self, moment: Moment) -> _Held:
        if len(self._held) >= self.most:
            idle = [(held.used_at, key) for key, held in self._held.items() if not held.users and held.ready.done()]
            if not idle:
                raise TooManyMoments
            self._held.pop(min(idle, key=lambda one: one[0])[1]).leave.set()
        held = self._held[moment.key] = _Held(asyncio.get_running_loop().create_future(), time.monotonic())
        held.task = asyncio.create_task(self._keep(moment, held), name=f"{self.of.name} {moment.text}")
        self._tasks.add(held.task)
        held.task.add_done_callback(self._tasks.discard)
        return held

    async def _keep(self, moment: Moment, held: _Held) -> None:
        """Builds the copy, holds it until its time is over and nobody reads from it, and drops it."""
        try:
            async with past_of(self.of, moment) as past:
                async with self._one_at_a_time:
                    await past.move_to(moment)
                await past.only()
                pool = await past.scratch.reading()
                try:
                    held.ready.set_result(pool)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(held.leave.wait(), self.age)
                    self._forget(moment, held)
                    while held.users:
                        await asyncio.sleep(0.05)
                finally:
                    pool.terminate()
        except Exception as error:
            log("as of", service=self.of.name).warning("not built", error=type(error).__name__)
            if not held.ready.done():
                held.ready.set_exception(error)
                held.ready.exception()  # nobody may be waiting any more
        finally:
            self._forget(moment, held)
            held.ready.cancel()

    def _forget(self, moment: Moment, held: _Held) -> None:
        if self._held.get(moment.key) is held:
            del self._held[moment.key]

    async def close(self) -> None:
        """Drops every copy."""
        await ended(list(self._tasks))
