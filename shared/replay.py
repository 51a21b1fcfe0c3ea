"""Builds all read models of a service anew beside the live ones, and swaps them in without stopping the service.

The shadow is filled from the log and the inbox while appends go on. Then appends are held back for a moment, the queue drains,
the shadow catches up, and its tables take the live ones' place in the same transaction that moves the marks.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg

from shared.app import AGAIN, APPENDING, LOST, TRIES, Sealer
from shared.contracts.envelope import Recorded
from shared.errors import NotReady
from shared.follower import FIRST_MARK, End, Walk, readings
from shared.read_model import ReadModel, tables_of
from shared.sql import Tx

BATCH = 1000
SET_MARK = """
UPDATE work.mark SET lineage = $3, applied = applied + ($4 - position), position = $4 WHERE follower = $1 AND source = $2
"""

# Who rebuilds holds both as long as it lasts, the second from when nobody clears any more: a clearing is no rebuild.
ONE_REBUILD = "SELECT pg_try_advisory_lock(hashtext('minewatch rebuild'))"
FILL_SHADOW = "SELECT pg_advisory_lock(hashtext('minewatch shadow'))"
CLEAR_SHADOW = "SELECT pg_try_advisory_xact_lock(hashtext('minewatch shadow'))"
SHADOWS = "SELECT tablename::text AS name FROM pg_tables WHERE schemaname = 'shadow'"

Progress = Callable[[str, int, int], None]
"""Told (source, position reached, position to reach)."""


async def write_views(tx: Tx, models: Sequence[ReadModel], recorded: Recorded[Any]) -> None:
    """As write_all, but what stands in `work` (deadlines, deliveries) is not a read model and is left alone."""
    for model in models:
        if isinstance(recorded.event, model.events):
            for statement, params in model.project(recorded):
                if getattr(getattr(statement, "table", None), "schema", None) != "work":
                    await tx.run(statement, params)


async def clear_shadow(tx: Tx) -> None:
    """Drops what a rebuild that died left behind: opened texts stand in it, and no erasure would reach them there.

    Not while a rebuild is under way.
    """
    if await tx.value(CLEAR_SHADOW):
        for row in await tx.all(SHADOWS):
            await tx.run(f'DROP TABLE IF EXISTS shadow."{row["name"]}" CASCADE')


@dataclass
class Replay:
    """`pool` connects with the search path `schema, work, record`, in a live database as <svc>_app; `groups` as in the service's
    card.

    `patience`: seconds that appends may be held back for the sequencer, and `at_most` for any one lock. `limits`: group -> source
    -> position, for groups that shall not come further; `noting` is called before each event that is written.
    """

    service: str
    pool: asyncpg.Pool
    sealer: Sealer
    inline: Sequence[ReadModel]
    groups: Mapping[str, Sequence[ReadModel]]
    sources: Sequence[str]
    patience: float = 10.0
    at_most: float = 2.0
    schema: str = "shadow"
    limits: Mapping[str, Mapping[str, int]] | None = None
    noting: Callable[[Tx, Recorded[Any]], Awaitable[None]] | None = None
    reached: dict[str, int] = field(default_factory=dict)

    def _models(self, source: str, position: int = 0) -> list[ReadModel]:
        """Those that may be written from `position` of the source on."""
        every = [
            model
            for group, models in self.groups.items()
            if self.limits is None or position <= self.limits.get(group, {}).get(source, 0)
            for model in models
        ]
        return [*self.inline, *every] if source == self.service else every

    def _tables(self) -> list[str]:
        return tables_of([*self.inline, *(m for g in self.groups.values() for m in g)])

    async def fill(self, progress: Progress = lambda *_: None) -> None:
        """Makes the shadow tables and fills them up to where the sources stand now."""
        await self.begin()
        await self.go_on(progress)

    async def begin(self) -> None:
        """Makes the tables, empty; what stood of them is gone."""
        async with self.pool.acquire() as connection, connection.transaction():
            for table in self._tables():
                await connection.execute(f'DROP TABLE IF EXISTS {self.schema}."{table}" CASCADE')
            for model in {m.name: m for s in (self.service, *self.sources) for m in self._models(s)}.values():
                for statement in model.ddl():
                    await connection.execute(statement)
        self.reached = {source: 0 for source in (self.service, *self.sources)}

    async def go_on(self, progress: Progress = lambda *_: None) -> None:
        """Fills the tables up to where the sources stand now."""
        for source in self.reached:
            while not await self._batch(source, progress):
                pass

    async def _batch(self, source: str, progress: Progress) -> bool:
        """Whether that was all there is: what comes in meanwhile is left to the swap, or a busy service would never be done."""
        for attempt in range(TRIES):
            try:
                async with self.pool.acquire() as connection, connection.transaction():
                    end, reached = await self._walk(Tx(connection), source, self.reached[source])
                break
            except (
                *AGAIN,
                *LOST,
            ):  # what stands of the shadow stands; hours of work are not begun again for one lost batch
                if attempt == TRIES - 1:
                    raise
                await asyncio.sleep(0.5 * 2**attempt)
        if reached > self.reached[source]:
            self.reached[source] = reached  # only now that it stands
            progress(source, reached, end.position)
        return reached == end.position

    async def _walk(self, tx: Tx, source: str, at: int) -> tuple[End, int]:
        """Projects the next batch after `at`; (where the source ends, where the batch ended)."""
        walk = Walk(self.service, source)
        end = await walk.end(tx) or End(UUID(int=0), at)
        rows = await walk.after(tx, at, end, BATCH)
        models = self._models(source)
        for recorded in await self.sealer.open(readings(rows, models)):
            if self.noting is not None:
                await self.noting(tx, recorded)
            await write_views(
                tx, self._models(source, recorded.position or 0) if self.limits is not None else models, recorded
            )
        return end, rows[-1]["position"] if len(rows) == BATCH else end.position

    async def swap(self, wait: Callable[[], Awaitable[None]] | None = None) -> None:
        """Puts the shadow in place of the live tables; afterwards there is no shadow to swap again.

        Raises NotReady when the queue does not drain, or somebody does not let go of a table; then all is as before, and it may
        be called again. `wait` is called at the last moment before the exchange.
        """
        for attempt in range(TRIES):
            try:
                async with self.pool.acquire() as connection, connection.transaction():
                    await self._exchange(Tx(connection), wait)
                return
            except asyncpg.LockNotAvailableError as error:
                raise NotReady("somebody has been reading or writing for long: try again later") from error
            except AGAIN:  # a reader that had one table and wanted another
                if attempt == TRIES - 1:
                    raise
        raise AssertionError("the last try returns or raises")

    async def _exchange(self, tx: Tx, wait: Callable[[], Awaitable[None]] | None) -> None:
        await tx.run(f"SET LOCAL lock_timeout = {int(self.at_most * 1000)}")  # others wait as long behind it
        await tx.one("SELECT pg_advisory_xact_lock($1)", (APPENDING,))
        await self._drained(tx)
        reached: dict[str, End] = {}
        for source, at in self.reached.items():
            end, at = await self._walk(tx, source, at)
            while at < end.position:
                end, at = await self._walk(tx, source, at)
            reached[source] = End(end.lineage, at)
        if wait is not None:
            await wait()
        for table in self._tables():
            await tx.run(f'DROP TABLE IF EXISTS view."{table}" CASCADE')
            await tx.run(f'ALTER TABLE shadow."{table}" SET SCHEMA view')
        await self.set_marks(tx, reached)

    async def set_marks(self, tx: Tx, reached: Mapping[str, End]) -> None:
        """Says of every group that it has come there, of the sources it listens to."""
        for group, models in self.groups.items():
            types = {event.type for model in models for event in model.events}
            for source, to in reached.items():
                if to.position and any(type_.startswith(f"{source}.") for type_ in types):
                    await tx.run(FIRST_MARK, (f"projection:{group}", source))
                    await tx.run(SET_MARK, (f"projection:{group}", source, to.lineage, to.position))

    async def _drained(self, tx: Tx) -> None:
        until = time.monotonic() + self.patience
        while await tx.value("SELECT EXISTS (SELECT FROM work.pending)"):
            if time.monotonic() > until:
                raise NotReady("events wait for a number: is the sequencer running?")
            await asyncio.sleep(0.02)
