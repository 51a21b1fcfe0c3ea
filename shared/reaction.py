"""Reactions: an event, own or foreign, becomes a command. One transaction an event, the mark first.

A conflict, a deadlock or a lost connection is done again from the mark and never parked. A refusal that the reaction does not
expect, an event that cannot be read, and one with a value that no table takes, is parked in that same transaction; later events
of the same subject queue behind it, in order, and others go on. At all times: applied + parked + queued = mark.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from shared.app import AGAIN, APPENDING, LOST, TAKE_APPENDING, TRIES, App, Cause
from shared.bell import Bell
from shared.contracts.envelope import Recorded, attribute
from shared.contracts.event import Event
from shared.decider import Actor, Command
from shared.errors import NotReady, Refusal, UniqueConflict, VersionConflict
from shared.follower import MarkMoved, Place, Walk, readable
from shared.ids import derived
from shared.parts import Points, no_points
from shared.sql import Tx
from shared.telemetry import FOLLOWED, log, span_of, why

BEHIND = "SELECT EXISTS (SELECT FROM work.parked WHERE reaction = $1 AND subject = $2 AND state <> 'done')"
PARK = """
INSERT INTO work.parked (source, lineage, position, reaction, subject, state, reason, attempts)
VALUES ($1, $2, $3, $4, $5, $6, $7, 1)
"""
# By event, not by reaction: an event of which any reaction is parked is parked, else it is queued.
COUNTS = """
SELECT state, count(*) FROM (
    SELECT min(state) AS state FROM work.parked WHERE state <> 'done' GROUP BY source, lineage, position
) AS waiting GROUP BY state
"""
WAITING = """
SELECT parked_id, source, lineage, position, reaction, subject FROM work.parked
WHERE state <> 'done' AND reaction = $1 AND subject = $2 AND source = $3 ORDER BY parked_id LIMIT 1
"""
# Whoever parks or unparks events of a source holds its mark: a retry and the reactor never look at the queue at the same time.
HOLD_MARK = "SELECT FROM work.mark WHERE follower = 'reactions' AND source = $1 FOR UPDATE"
NOT_APPLIED = "UPDATE work.mark SET applied = applied - 1 WHERE follower = 'reactions' AND source = $1"
SUBJECTS = "SELECT DISTINCT reaction, subject FROM work.parked WHERE state <> 'done'"
DONE = "UPDATE work.parked SET state = 'done', attempts = attempts + 1 WHERE parked_id = $1"
# After the rollback, so no longer under the mark: somebody may have got it done, or dismissed it, in between.
STILL = """
UPDATE work.parked SET state = 'parked', reason = $2, attempts = attempts + 1 WHERE parked_id = $1 AND state <> 'done'
"""
# The event counts as applied when the last of its reactions is done.
APPLY_PARKED = """
UPDATE work.mark SET applied = applied + 1 WHERE follower = 'reactions' AND source = $1 AND NOT EXISTS (
    SELECT FROM work.parked WHERE source = $1 AND lineage = $2 AND position = $3 AND state <> 'done')
"""
BODY = """
SELECT body FROM record.inbox WHERE source = $1 AND lineage = $2 AND position = $3
UNION ALL
SELECT e.body FROM record.log l JOIN record.event e USING (event_id) WHERE l.position = $3 AND $4
"""

FOLLOWER = "reactions"
UNREADABLE = "unreadable"
SOON = 0.02
"""Seconds until a reaction that was not ready is tried again; doubled each time, up to one second."""

React = Callable[[Recorded[Any], Tx], Awaitable[Sequence[Command]]]


@dataclass(frozen=True)
class Reaction:
    """`expects`: refusals that are a good answer, so the event counts as done."""

    name: str
    on: tuple[type[Event], ...]
    run: React
    expects: tuple[type[Refusal], ...]


@dataclass
class Reactions:
    """What a service's bus.py declares: who reacts to what, on one screen."""

    all: list[Reaction] = field(default_factory=list)

    def on(self, *events: type[Event], expects: tuple[type[Refusal], ...] = ()) -> Callable[[React], React]:
        def declare(run: React) -> React:
            name = getattr(run, "__name__", "reaction")
            if any(r.name == name for r in self.all):
                raise ValueError(f"two reactions are called {name}")
            self.all.append(Reaction(name, events, run, expects))
            return run

        return declare

    def to(self, type_: str) -> list[Reaction]:
        return [r for r in self.all if any(e.type == type_ for e in r.on)]

    def types(self) -> frozenset[str]:
        return frozenset(e.type for r in self.all for e in r.on)


@dataclass
class Reactor:
    """All reactions of a service to one source."""

    service: str
    walk: Walk
    reactions: Reactions
    app: App
    bell: Bell
    poll: float = 0.25
    points: Points = field(default=no_points)
    reached: int = 0
    _clashed: tuple[int | None, str] | None = field(default=None, init=False)

    async def once(self) -> int:
        """Handles up to a page of events, each in a transaction of its own; how far the mark moved."""
        async with self.app.pool.acquire() as connection:
            tx = Tx(connection)
            place = await self.walk.place(tx, FOLLOWER)
            if place is None:
                return 0
            start, end = place.at, place.end
            rows = await self.walk.after(tx, start, end, 200)
        types = self.reactions.types()
        for row in rows:
            if row["type"] is None or row["type"] in types:
                place = await self._one(place, row)
                self.reached = place.at
        upto = rows[-1]["position"] if len(rows) == 200 else end.position
        if upto > place.at:
            async with self.app.pool.acquire() as connection:
                await self.walk.move(Tx(connection), FOLLOWER, place, upto)
        FOLLOWED.labels(self.service, FOLLOWER, self.walk.source).inc(upto - start)
        return int(upto - start)

    async def _one(self, place: Place, row: Any) -> Place:
        """One event; the place after it. Raises what must be done again from the mark; then nothing of it stands."""
        event = readable(row["body"], row["position"], row["lineage"])
        refused: dict[str, str] = {}
        while True:
            try:
                return await self._try(place, row, event, refused)
            except _Refused as refusal:  # the transaction is gone with the refusal: the next one parks
                refused[refusal.reaction] = refusal.reason

    async def _try(self, place: Place, row: Any, event: Recorded[Any] | str, refused: dict[str, str]) -> Place:
        async with self.app.pool.acquire() as connection, connection.transaction():
            tx = Tx(connection)
            await tx.one(TAKE_APPENDING, (APPENDING,))
            moved = await self.walk.move(tx, FOLLOWER, place, row["position"])
            if await self._react(tx, row, event, refused):
                await tx.run(NOT_APPLIED, (self.walk.source,))
            await self.points("reaction: before the commit")
        await self.points("reaction: after the commit")
        self.app.appended.ring()
        return moved

    async def _react(self, tx: Tx, row: Any, event: Recorded[Any] | str, refused: dict[str, str]) -> bool:
        """Runs every reaction to the event, or parks it; whether any of it waits."""
        place = (self.walk.source, row["lineage"], row["position"])
        reactions = {reaction.name: reaction for reaction in self.reactions.to(row["type"])}
        unread = event if isinstance(event, str) else None
        subject = attribute(row["body"], "subject") or str(row["type"])
        waiting = False
        for name in reactions or [UNREADABLE]:
            reason = unread or refused.get(name)
            if await tx.value(BEHIND, (name, subject)):
                await tx.run(PARK, (*place, name, subject, "queued", reason))
            elif reason is not None:
                await tx.run(PARK, (*place, name, subject, "parked", reason))
            elif not isinstance(event, str):
                await self._run(tx, reactions[name], event)
                continue
            waiting = True
        return waiting

    async def _run(self, tx: Tx, reaction: Reaction, event: Recorded[Any]) -> None:
        """Raises _Refused; an expected refusal leaves nothing behind and counts as done."""
        cause = Cause(
            command_id=derived(event.source, event.lineage, event.position, reaction.name),
            actor=Actor(person=f"system:{self.service}"),
            correlation_id=event.correlation_id,
        )
        with span_of(event.traceparent, "reaction", service=self.service, reaction=reaction.name):
            try:
                async with tx.connection.transaction():
                    opened = (await self.app.sealer.open([event]))[0]
                    for nth, command in enumerate(await reaction.run(opened, tx)):
                        one = Cause(derived(cause.command_id, nth), cause.actor, cause.correlation_id)
                        await self.app.execute(tx, command, one)
            except reaction.expects:
                return
            except Refusal as refusal:
                raise _Refused(reaction.name, f"{refusal.rule} {refusal.facts or ''}".strip()) from refusal
            except asyncpg.DataError as error:  # what the event says cannot be kept here, now or later: others go on
                raise _Refused(reaction.name, type(error).__name__) from error
            except asyncpg.UniqueViolationError as clash:
                # A reservation that was taken a moment before: once more, then it is a refusal.
                here = (event.position, reaction.name)
                if clash.schema_name in ("record", "work") or self._clashed != here:
                    self._clashed = here
                    raise
                if UniqueConflict not in reaction.expects:
                    raise _Refused(reaction.name, f"{UniqueConflict.__name__} {clash.constraint_name}") from clash

    async def run(self) -> None:
        """Until cancelled. Whatever is not a refusal is done again, with a growing pause.

        NotReady is no failure: a reaction waits for something that is on its way, as a rule a projection of the same event.
        """
        said = log("reactions", service=self.service, source=self.walk.source)
        tries = waits = waiting_at = 0
        while True:
            try:
                moved = await self.once()
                tries = 0
            except (MarkMoved, VersionConflict, asyncpg.UniqueViolationError, *AGAIN):
                await asyncio.sleep(random.uniform(0, 0.02))
                continue
            except NotReady as error:
                waits = waits + 1 if waiting_at == self.reached else 1
                waiting_at = self.reached
                if waits % 30 == 0:
                    said.warning("waits", text=why(error), waits=waits)
                await self.bell.wait(min(1.0, SOON * 2 ** min(waits - 1, 10)))
                continue
            except LOST as error:
                said.warning("again", error=type(error).__name__)
                await asyncio.sleep(0.3)
                continue
            except Exception as error:
                tries += 1
                said.error("again", error=type(error).__name__, text=why(error), tries=tries)
                await asyncio.sleep(min(30, 0.5 * 2**tries))
                continue
            if not moved:
                await self.bell.wait(self.poll)

    async def retry(self, reaction: str, subject: str) -> bool:
        """Tries the oldest waiting event of this reaction and subject, and the next, in order; whether all are done."""
        tries = 0
        while True:
            try:
                outcome = await self._retry_oldest(reaction, subject)
            except (VersionConflict, asyncpg.UniqueViolationError, *AGAIN):
                tries += 1
                if tries == TRIES:
                    raise
                await asyncio.sleep(random.uniform(0, 0.02))
                continue
            if outcome is not True:
                return outcome is None

    async def _retry_oldest(self, reaction: str, subject: str) -> bool | None:
        """True: done, look for the next. False: still refused. None: nothing waits."""
        source, parked = self.walk.source, None
        try:
            async with self.app.pool.acquire() as connection, connection.transaction():
                tx = Tx(connection)
                await tx.one(TAKE_APPENDING, (APPENDING,))
                await tx.one(HOLD_MARK, (source,))
                row = await tx.one(WAITING, (reaction, subject, source))
                if row is None:
                    return None
                parked = row["parked_id"]
                body = await tx.value(BODY, (source, row["lineage"], row["position"], self.walk.own))
                event = readable(body, row["position"], row["lineage"])
                if isinstance(event, str):
                    raise _Refused(reaction, event)
                meant = [one for one in self.reactions.to(event.type) if reaction in (one.name, UNREADABLE)]
                if not meant and reaction != UNREADABLE:
                    raise _Refused(reaction, "this version has no reaction of that name")
                for one in meant:
                    await self._run(tx, one, event)
                await tx.run(DONE, (parked,))
                await tx.run(APPLY_PARKED, (source, row["lineage"], row["position"]))
        except _Refused as refusal:
            await self.app.pool.execute(STILL, parked, refusal.reason)
            return False
        self.app.appended.ring()
        return True


class _Refused(Exception):
    """Carries a refusal out of a transaction that must not stand."""

    def __init__(self, reaction: str, reason: str) -> None:
        super().__init__(reaction, reason)
        self.reaction, self.reason = reaction, reason


async def count_parked(pool: asyncpg.Pool) -> dict[str, int]:
    """{"parked": n, "queued": n}."""
    return {"parked": 0, "queued": 0} | {row[0]: row[1] for row in await pool.fetch(COUNTS)}


async def parked_subjects(pool: asyncpg.Pool) -> list[tuple[str, str]]:
    """(reaction, subject) of everything that waits."""
    return [(row[0], row[1]) for row in await pool.fetch(SUBJECTS)]


__all__ = ["Reaction", "Reactions", "Reactor", "count_parked", "parked_subjects"]
