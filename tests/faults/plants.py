"""Five bugs of the kind that a bus invites, planted one at a time into a running process: the drill must find each of them.

`apply(name)` puts it in the place of the sound code; nothing takes it out again. Each docstring says which promise is broken.
"""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import nats.js.errors
from nats.js import JetStreamContext

from shared.app import Cause
from shared.contracts.envelope import attribute, leaf_of
from shared.decider import Actor
from shared.errors import Refusal
from shared.ids import derived
from shared.log_feed import FeedEvent
from shared.receiver import KEEP, MOVE, Fenced, Mark, Receiver, digest_after
from shared.relay import Relay
from shared.sequencer import LOCK_HEAD, MOVE_HEAD, Sequencer
from shared.sql import Tx
from shared.stream import LINEAGE, POSITION
from shared.timers import NEXT, REMOVE, Clockwork, Due
from shared.transparency import tree

Plant = Callable[[], None]
PLANTS: dict[str, Plant] = {}


def apply(name: str) -> None:
    """Raises KeyError for a bug that is none of these."""
    PLANTS[name]()


def plant(put: Plant) -> Plant:
    PLANTS[put.__name__] = put
    return put


@plant
def skip_instead_of_gap_check() -> None:
    """The receiver takes whatever comes after the mark for the next event, and never asks the source for what lies between.

    Broken: each once, in order, none left out. Found by: inbox.
    """

    async def check_source(self: Receiver, mark: Mark) -> Mark:
        return mark

    async def from_feed(self: Receiver, mark: Mark, upto: int) -> Mark:
        return mark

    def same(self: Receiver, event: FeedEvent, mark: Mark) -> None:
        return None

    async def commit(self: Receiver, mark: Mark, events: Sequence[FeedEvent], way: str) -> Mark:
        events = [event for event in events if event.position > mark.position]
        if not events:
            return mark
        digest = mark.digest
        for event in events:
            digest = digest_after(digest, attribute(event.body, "id") or "")
        kinds = [(event.position, attribute(event.body, "type"), event.body) for event in events]
        moved = Mark(events[0].lineage, events[-1].position, leaf_of(events[-1].body), digest)
        await self.points("receiver: before the commit")
        await self._store(mark, moved, [kept for kept in kinds if kept[1] in self.wanted])
        await self.points("receiver: after the commit")
        self.position = moved.position
        self.received.ring()
        return moved

    _put(Receiver, _check_source=check_source, _from_feed=from_feed, _same=same, _commit=commit)


@plant
def mark_before_inbox() -> None:
    """The receiver commits the mark first and the inbox rows after it.

    Broken: the mark moves with what it counts, in one transaction. Found by: inbox.
    """

    async def store(self: Receiver, mark: Mark, moved: Mark, kept: Sequence[tuple[int, str | None, bytes]]) -> None:
        walked = moved.position - mark.position
        to = (moved.lineage, moved.position, moved.leaf, moved.digest, walked)
        if not await self.pool.fetchval(MOVE, self.source, mark.position, *to):
            raise Fenced
        await self.points("receiver: after the commit")
        await self.pool.execute(KEEP, self.source, moved.lineage, *[[row[n] for row in kept] for n in range(3)])

    _put(Receiver, _store=store)


@plant
def relay_trusts_last_message() -> None:
    """The relay goes on behind the last message that stands, and never looks whether there is less than it left.

    Broken: it resumes from the stream's last sequence, and a wiped stream is noticed. Found by: stream.
    """
    sound = Relay.tail

    async def tail(self: Relay, js: JetStreamContext) -> tuple[int, UUID]:
        at, lineage = await sound(self, js)
        try:
            last = await js.get_msg(self.stream, subject=f"{self.jurisdiction}.{self.service}.>")
        except nats.js.errors.NotFoundError:
            return at, lineage
        headers = last.headers or {}
        return int(headers[POSITION]), UUID(headers[LINEAGE])

    async def still_at(self: Relay, js: JetStreamContext, at: int, lineage: UUID) -> None:
        return None

    _put(Relay, tail=tail, _still_at=still_at)


@plant
def timer_claim_committed_first() -> None:
    """The timer takes the due row away and commits that, then runs the command in another transaction.

    Broken: a deadline is taken with what it brings, or not at all. Found by: deadlines.
    """

    async def once(self: Clockwork) -> bool:
        async with self.app.pool.acquire() as connection, connection.transaction():
            row = await Tx(connection).one(NEXT, (self.app.clock.now(), list(self.timers.handlers)))
            if row is None:
                return False
            due = Due(row["timer"], row["subject"], row["due_at"])
            await Tx(connection).run(REMOVE, (due.timer, due.subject, due.due_at))
        await self.points("timer: after the commit")
        try:
            async with self.app.pool.acquire() as connection, connection.transaction():
                await _fire(self, Tx(connection), due)
        except Refusal:
            pass
        self.app.appended.ring()
        return True

    async def _fire(self: Clockwork, tx: Tx, due: Due) -> None:
        fire, _ = self.timers.handlers[due.timer]
        command_id = derived(self.service, due.timer, due.subject, due.due_at.isoformat())
        for nth, command in enumerate(await fire(due, tx)):
            dated = command.model_copy(update={"occurred_at": command.occurred_at or due.due_at})
            cause = Cause(derived(command_id, nth), Actor(person=f"system:{self.service}"), str(command_id))
            await self.app.execute(tx, dated, cause)

    _put(Clockwork, once=once)


LATER = """
WITH taken AS (
    SELECT event_id, ingest_id, leaf FROM record.event WHERE ingest_id > (
        SELECT coalesce(max(e.ingest_id), 0) FROM record.log l JOIN record.event e USING (event_id)
        WHERE l.position > $1 - 1000
    ) ORDER BY ingest_id LIMIT $2
), queue AS (DELETE FROM work.pending p USING taken t WHERE p.ingest_id = t.ingest_id)
INSERT INTO record.log (position, event_id, leaf, sequenced_at)
SELECT $1 + row_number() OVER (ORDER BY ingest_id), event_id, leaf,
    greatest($3, (SELECT sequenced_at FROM work.head)) FROM taken
RETURNING position, leaf
"""


@plant
def sequencer_by_id_greater_than_last() -> None:
    """The sequencer numbers what has a greater id than the last it numbered; what commits later with a smaller id is left out.

    Broken: every fact gets a number. Found by: log.
    """

    async def once(self: Sequencer) -> int:
        async with self.pool.acquire() as connection, connection.transaction():
            head = await connection.fetchrow(LOCK_HEAD)
            assert head is not None
            found = await connection.fetch(LATER, head["position"], self.batch, self.clock.now())
            rows = sorted(found, key=lambda row: int(row["position"]))
            if not rows:
                return 0
            await self.points("sequencer: inside a batch")
            frontier = tree.unpack(head["frontier"])
            size, frontier = tree.extend(head["position"], frontier, (row["leaf"] for row in rows))
            await connection.execute(MOVE_HEAD, size, rows[-1]["leaf"], tree.pack(frontier), tree.root(frontier))
        self.sequenced.ring()
        return len(rows)

    _put(Sequencer, once=once)


def _put(into: type[Any], **methods: Any) -> None:
    for name, method in methods.items():
        if not hasattr(into, name):
            raise AttributeError(f"{into.__name__} has no {name} any more: the plant would change nothing")
        setattr(into, name, method)


__all__ = ["PLANTS", "apply"]
