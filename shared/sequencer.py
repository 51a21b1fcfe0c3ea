"""Gives every fact its number: 1, 2, 3 … without a gap, in the order in which they were drawn per stream.

The head row is locked first, in a statement of its own: it fences a second sequencer, and one order of locks cannot deadlock.
Which facts wait is asked of the queue, never of "greater than the last" (loses late commits) nor of transaction ids (one open
transaction anywhere would stall it). The tree is a function of committed rows: its frontier is read with the head each time.
"""

import asyncio
from dataclasses import dataclass, field

import asyncpg

from shared.app import LOST
from shared.bell import Bell, Chime
from shared.clock import Clock
from shared.errors import MinewatchError
from shared.parts import Points, no_points
from shared.telemetry import SEQUENCED, STOPPED, log
from shared.transparency import tree

WAITING = "SELECT EXISTS (SELECT FROM work.pending)"
LOCK_HEAD = "SELECT position, frontier FROM work.head FOR UPDATE"
# Deletes the next batch from the queue, writes it into the log after $1; (position, leaf) in order. The plan is pinned inside.
SEQUENCE = 'SELECT "position", leaf FROM work.sequence_batch($1, $2, $3) ORDER BY "position"'
MOVE_HEAD = """
UPDATE work.head SET position = $1, leaf = $2, frontier = $3, root = $4,
    sequenced_at = (SELECT sequenced_at FROM record.log WHERE position = $1)
"""
KEEP_NODES = "INSERT INTO record.node (level, index, hash) SELECT * FROM unnest($1::int[], $2::bigint[], $3::bytea[])"
# Each event is in the log or in the queue, never in both or in neither. Counts, because a search for the culprits would take
# minutes on a long log, and what is not equal here has to be looked at by a person anyway.
COUNTS = """
SELECT (SELECT count(*) FROM record.event) AS events,
    (SELECT count(*) FROM record.log) AS logged,
    (SELECT coalesce(max("position"), 0) FROM record.log) AS last,
    (SELECT "position" FROM work.head) AS head,
    count(*) AS queued,
    count(DISTINCT q.event_id) FILTER (
        WHERE EXISTS (SELECT FROM record.event e WHERE e.event_id = q.event_id)
          AND NOT EXISTS (SELECT FROM record.log l WHERE l.event_id = q.event_id)
    ) AS waiting
FROM work.pending q
"""


class LogBroken(MinewatchError):
    """Events are in neither the log nor its queue, or in both, or the log has a gap. Nothing is numbered until a person has
    looked."""


@dataclass
class Sequencer:
    """`pool` connects as <svc>_log. Rings `sequenced` after every batch."""

    service: str
    pool: asyncpg.Pool
    clock: Clock
    appended: Bell
    sequenced: Chime = field(default_factory=Chime)
    batch: int = 500
    poll: float = 0.02
    pace: float = 0.005
    points: Points = field(default=no_points)
    stopped: str | None = None

    async def check(self) -> None:
        """Raises LogBroken; to be asked before the first batch."""
        n = await self.pool.fetchrow(COUNTS)
        assert n is not None
        if n["queued"] != n["waiting"] or n["events"] != n["logged"] + n["waiting"]:
            raise LogBroken(
                f"{self.service}: {n['events']} events, but {n['logged']} in the log and {n['waiting']} of "
                f"{n['queued']} queue rows waiting for a number"
            )
        if not n["logged"] == n["last"] == n["head"]:
            raise LogBroken(
                f"{self.service}: {n['logged']} events in the log, the last at {n['last']}, its head at {n['head']}"
            )

    async def once(self) -> int:
        """Numbers the next batch; how many. One transaction."""
        if not await self.pool.fetchval(WAITING):
            return 0
        async with self.pool.acquire() as connection, connection.transaction():
            head = await connection.fetchrow(LOCK_HEAD)
            assert head is not None
            rows = await connection.fetch(SEQUENCE, head["position"], self.batch, self.clock.now())
            if not rows:
                return 0
            await self.points("sequencer: inside a batch")
            full: list[tree.Completed] = []
            leaves = (row["leaf"] for row in rows)
            size, frontier = tree.extend(head["position"], tree.unpack(head["frontier"]), leaves, full)
            if full:
                await connection.execute(KEEP_NODES, *([node[n] for node in full] for n in range(3)))
            await connection.execute(MOVE_HEAD, size, rows[-1]["leaf"], tree.pack(frontier), tree.root(frontier))
        SEQUENCED.labels(self.service).inc(len(rows))
        self.sequenced.ring()
        return len(rows)

    async def run(self) -> None:
        """Until cancelled. Errors of the database are logged and tried again; a broken log stops it for good."""
        said = log("sequencer", service=self.service)
        checked = False
        while True:
            try:
                if not checked:
                    await self.check()
                    checked = True
                done = await self.once()
            except (asyncpg.PostgresError, *LOST) as error:
                said.warning("again", error=type(error).__name__)
                await asyncio.sleep(0.3)
                continue
            except (LogBroken, ValueError) as error:  # ValueError: the frontier is not that of the head
                self.stopped = str(error)
                STOPPED.labels(self.service, "sequencer").set(1)
                said.error("stopped", reason=self.stopped)
                return
            if done == 0:
                await self.appended.wait(self.poll)
            elif done < self.batch // 2:
                await asyncio.sleep(self.pace)
