"""Walks one ordered source, the own log or one source's inbox, and moves a mark with everything it does.

Projections go in batches, one transaction with the mark; a group that fails stops loudly and alone. Reactions go one event a
transaction, the mark first; they are in reaction.py.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg

from shared.app import AGAIN, APPENDING, LOST, TAKE_APPENDING, Sealer
from shared.bell import Bell
from shared.contracts.envelope import Recorded, read
from shared.errors import MinewatchError, Unreadable
from shared.parts import Points, no_points
from shared.read_model import ReadModel, write_all
from shared.sql import Tx
from shared.telemetry import FOLLOWED, STOPPED, log, why

FIRST_MARK = "INSERT INTO work.mark (follower, source) VALUES ($1, $2) ON CONFLICT DO NOTHING"
# Where a follower stands and where its source ends, in one look: idle, this is all a follower asks.
OWN_PLACE = """
SELECT h.lineage, h.position, m.position AS mark, m.lineage AS known FROM work.head h
LEFT JOIN work.mark m ON m.follower = $1 AND m.source = $2
"""
INBOX_PLACE = """
SELECT r.lineage, r.position, m.position AS mark, m.lineage AS known FROM work.mark r
LEFT JOIN work.mark m ON m.follower = $1 AND m.source = $2
WHERE r.follower = 'receiver' AND r.source = $2 AND r.lineage IS NOT NULL
"""
# Compare-and-set: whoever comes second with the same events does nothing, nor whoever read them before some were forgotten.
MOVE = """
UPDATE work.mark SET lineage = $5, position = $6, applied = applied + $7
WHERE follower = $1 AND source = $2 AND position = $3 AND lineage IS NOT DISTINCT FROM $4 RETURNING 1
"""
OWN_END = "SELECT lineage, position FROM work.head"
INBOX_END = "SELECT lineage, position FROM work.mark WHERE follower = 'receiver' AND source = $1"
OWN_AFTER = """
SELECT l.position, $4::uuid AS lineage, e.type, e.body FROM record.log l JOIN record.event e USING (event_id)
WHERE l.position > $1 AND l.position <= $2 ORDER BY l.position LIMIT $3
"""
# What a restored source forgot, and a person accepted as forgotten, is no longer walked (lineage.py).
INBOX_AFTER = """
SELECT position, lineage, type, body FROM record.inbox i
WHERE source = $4 AND position > $1 AND position <= $2 AND NOT EXISTS (
    SELECT FROM record.forgotten f WHERE f.source = i.source AND f.lineage = i.lineage AND i.position > f.shared
) ORDER BY position LIMIT $3
"""
MARKS = "SELECT source, lineage, position FROM work.mark WHERE follower = $1"


class MarkMoved(MinewatchError):
    """Somebody else walked on, or the source began a new lineage: look again."""


@dataclass(frozen=True)
class End:
    """Up to where a source can be walked now."""

    lineage: UUID
    position: int


@dataclass(frozen=True)
class Place:
    """Where a follower stands, under which lineage it came there, and the end of its source."""

    at: int
    known: UUID | None
    end: End


async def marks(tx: Tx, group: str) -> dict[str, tuple[str, int]]:
    """source -> (lineage, position) of a projection group; taken in the transaction that also reads its tables."""
    rows = await tx.all(MARKS, (f"projection:{group}",))
    return {row["source"]: (str(row["lineage"]), row["position"]) for row in rows if row["lineage"] is not None}


@dataclass(frozen=True)
class Walk:
    """One source as a follower sees it. `own` is the service's own name when the source is its own log."""

    service: str
    source: str

    @property
    def own(self) -> bool:
        return self.service == self.source

    async def end(self, tx: Tx) -> End | None:
        row = await (tx.one(OWN_END) if self.own else tx.one(INBOX_END, (self.source,)))
        if row is None or row["lineage"] is None:
            return None
        return End(row["lineage"], row["position"])

    async def place(self, tx: Tx, follower: str) -> Place | None:
        """None when nothing lies ahead. A follower's first mark is made here, and stands before its source is looked at."""
        look = OWN_PLACE if self.own else INBOX_PLACE
        row = await tx.one(look, (follower, self.source))
        if row is not None and row["mark"] is None:
            await tx.run(FIRST_MARK, (follower, self.source))
            row = await tx.one(look, (follower, self.source))
        if row is None or row["position"] <= row["mark"]:
            return None
        return Place(row["mark"], row["known"], End(row["lineage"], row["position"]))

    async def move(self, tx: Tx, follower: str, place: Place, position: int) -> Place:
        """Moves the mark to `position`, at or before the end; the new place. Raises MarkMoved."""
        lineage = place.end.lineage
        step = (follower, self.source, place.at, place.known, lineage, position, position - place.at)
        if not await tx.value(MOVE, step):
            raise MarkMoved(follower)
        return Place(position, lineage, place.end)

    async def after(self, tx: Tx, position: int, end: End, most: int) -> list[asyncpg.Record]:
        """Rows (position, lineage, type, body), oldest first; the inbox leaves out what nobody here wants."""
        if self.own:
            return await tx.all(OWN_AFTER, (position, end.position, most, end.lineage))
        return await tx.all(INBOX_AFTER, (position, end.position, most, self.source))


@dataclass
class Projection:
    """One group of read models over one source."""

    service: str
    group: str
    walk: Walk
    models: Sequence[ReadModel]
    pool: asyncpg.Pool
    sealer: Sealer
    bell: Bell
    moved: Bell = field(default_factory=Bell)
    batch: int = 500
    poll: float = 0.25
    points: Points = field(default=no_points)
    stopped: str | None = None

    @property
    def follower(self) -> str:
        return f"projection:{self.group}"

    async def once(self) -> int:
        """Walks one batch; how far the mark moved. Raises Unreadable and whatever a projection raises."""
        async with self.pool.acquire() as connection:
            tx = Tx(connection)
            place = await self.walk.place(tx, self.follower)
            if place is None:
                return 0
            end = place.end
            async with connection.transaction():
                await tx.one(TAKE_APPENDING, (APPENDING,))
                rows = await self.walk.after(tx, place.at, end, self.batch)
                upto = rows[-1]["position"] if len(rows) == self.batch else end.position
                await self.walk.move(tx, self.follower, place, upto)
                for recorded in await self.sealer.open(readings(rows, self.models)):
                    await write_all(tx, self.models, recorded)
                await self.points(f"projection {self.group}: before the commit")
        FOLLOWED.labels(self.service, self.follower, self.walk.source).inc(upto - place.at)
        self.moved.ring()
        return int(upto - place.at)

    async def run(self) -> None:
        """Until cancelled. A failure of the projection itself stops it for good; of the database, it is tried again."""
        said = log("projection", service=self.service, group=self.group, source=self.walk.source)
        while True:
            try:
                moved = await self.once()
            except (MarkMoved, *AGAIN):
                continue
            except LOST as error:
                said.warning("again", error=type(error).__name__)
                await asyncio.sleep(0.3)
                continue
            except Exception as error:
                self.stopped = f"{type(error).__name__}: {why(error)}"
                STOPPED.labels(self.service, f"{self.follower}:{self.walk.source}").set(1)
                said.error("stopped", reason=self.stopped)
                return
            if not moved:
                await self.bell.wait(self.poll)


def readings(rows: Sequence[Any], models: Sequence[ReadModel]) -> list[Recorded[Any]]:
    """The rows some model listens to, and those that are no envelope at all: Unreadable, because nothing may be skipped."""
    wanted = {event.type for model in models for event in model.events}
    known = [row for row in rows if row["type"] is None or row["type"] in wanted]
    return [read(row["body"], row["position"], str(row["lineage"])) for row in known]


def readable(body: bytes, position: int, lineage: UUID) -> Recorded[Any] | str:
    """The event, or why it cannot be read."""
    try:
        return read(body, position, str(lineage))
    except Unreadable as error:
        return str(error)
