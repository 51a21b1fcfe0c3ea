"""Deadlines. A due row belongs to one stream; the timer takes it, runs the command and removes it in one transaction.

A claim held while another connection runs the command would hang without a deadlock error; a claim committed first would lose
the deadline at a crash. So there is no claim: the row lock, the command and the removal share one transaction.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg
from sqlalchemy import Column, DateTime, MetaData, Table, Text, bindparam, delete
from sqlalchemy.dialects.postgresql import insert

from shared.app import AGAIN, APPENDING, LOST, TAKE_APPENDING, App, Cause
from shared.bell import Bell
from shared.decider import Actor, Command
from shared.errors import NotReady, Refusal, UniqueConflict, VersionConflict
from shared.ids import derived
from shared.parts import Points, no_points
from shared.read_model import Write
from shared.sql import Tx
from shared.telemetry import log

_DUE = Table(
    "due",
    MetaData(schema="work"),
    Column("timer", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("due_at", DateTime(timezone=True)),
    Column("failed", Text),
)
_PUT = insert(_DUE).values(
    timer=bindparam("timer"), subject=bindparam("subject"), due_at=bindparam("due_at"), failed=None
)
_PUT = _PUT.on_conflict_do_update(
    index_elements=["timer", "subject"], set_={"due_at": _PUT.excluded.due_at, "failed": None}
)
_TAKE_AWAY = delete(_DUE).where(_DUE.c.timer == bindparam("a_timer"), _DUE.c.subject == bindparam("a_subject"))

NEXT = """
SELECT timer, subject, due_at FROM work.due WHERE due_at <= $1 AND failed IS NULL AND timer = ANY($2::text[])
ORDER BY due_at, timer, subject LIMIT 1 FOR UPDATE SKIP LOCKED
"""
REMOVE = "DELETE FROM work.due WHERE timer = $1 AND subject = $2 AND due_at = $3"
FAIL = "UPDATE work.due SET failed = $4 WHERE timer = $1 AND subject = $2 AND due_at = $3"
ANY_DUE = "SELECT EXISTS (SELECT FROM work.due WHERE due_at <= $1 AND failed IS NULL AND timer = ANY($2::text[]))"
SOONEST = "SELECT min(due_at) FROM work.due WHERE failed IS NULL AND timer = ANY($1::text[])"


def due_at(timer: str, subject: str, at: datetime) -> Write:
    """Sets, or moves, the deadline `timer` of `subject`."""
    return _PUT, {"timer": timer, "subject": subject, "due_at": at}


def not_due(timer: str, subject: str) -> Write:
    """Takes the deadline away."""
    return _TAKE_AWAY, {"a_timer": timer, "a_subject": subject}


@dataclass(frozen=True)
class Due:
    timer: str
    subject: str
    due_at: datetime


Fire = Callable[[Due, Tx], Awaitable[Iterable[Command]]]


@dataclass
class Timers:
    """What a service's timers.py declares. A handler gives commands, or none when the deadline no longer matters."""

    handlers: dict[str, tuple[Fire, tuple[type[Refusal], ...]]] = field(default_factory=dict)

    def on(self, timer: str, expects: tuple[type[Refusal], ...] = ()) -> Callable[[Any], Any]:
        """Decorates `def f(due) -> Command | None` or `async def f(due, look: Tx) -> Command | list | None`."""

        def declare(handler: Any) -> Any:
            if timer in self.handlers:
                raise ValueError(f"two handlers for {timer}")
            asks = asyncio.iscoroutinefunction(handler)

            async def fire(due: Due, look: Tx) -> Iterable[Command]:
                wanted = await handler(due, look) if asks else handler(due)
                if wanted is None:
                    return ()
                return (wanted,) if isinstance(wanted, Command) else wanted

            self.handlers[timer] = (fire, expects)
            return handler

        return declare


@dataclass
class Clockwork:
    """Fires what is due by the campaign's clock."""

    service: str
    timers: Timers
    app: App
    bell: Bell
    poll: float = 0.2
    points: Points = field(default=no_points)
    _clashed: Due | None = field(default=None, init=False)

    async def once(self) -> bool:
        """Fires the next due deadline; whether there was one.

        What is refused, or fails by its own fault, is marked and left to a person, so that it does not hold up the others.
        """
        names, now = list(self.timers.handlers), self.app.clock.now()
        if not names or not await self.app.pool.fetchval(ANY_DUE, now, names):
            return False
        due: Due | None = None
        try:
            async with self.app.pool.acquire() as connection, connection.transaction():
                tx = Tx(connection)
                await tx.one(TAKE_APPENDING, (APPENDING,))
                row = await tx.one(NEXT, (now, names))
                if row is None:
                    return False
                due = Due(row["timer"], row["subject"], row["due_at"])
                await self._fire(tx, due, now)
                await self.points("timer: before the commit")
        except asyncpg.UniqueViolationError:  # a reservation taken a moment before: once more, then it is a refusal
            if due is None or self._clashed != due:
                self._clashed = due
                raise
            await self._fail(due, UniqueConflict.__name__)
        except (VersionConflict, NotReady, *AGAIN, *LOST):
            raise
        except Exception as error:
            if due is None:
                raise
            await self._fail(due, error.rule if isinstance(error, Refusal) else type(error).__name__)
        await self.points("timer: after the commit")
        self.app.appended.ring()
        return True

    async def _fail(self, due: Due, reason: str) -> None:
        log("timers", service=self.service).error("failed", timer=due.timer, subject=due.subject, reason=reason)
        await self.app.pool.execute(FAIL, due.timer, due.subject, due.due_at, reason)

    async def _fire(self, tx: Tx, due: Due, now: datetime) -> None:
        """As of `now`: were the clock set back meanwhile, the command would find its deadline not passed, and the row be gone."""
        fire, expects = self.timers.handlers[due.timer]
        command_id = derived(self.service, due.timer, due.subject, due.due_at.isoformat())
        actor = Actor(person=f"system:{self.service}")
        await tx.run(REMOVE, (due.timer, due.subject, due.due_at))
        try:
            async with tx.connection.transaction():
                for nth, command in enumerate(await fire(due, tx)):
                    dated = command.model_copy(update={"occurred_at": command.occurred_at or due.due_at})
                    cause = Cause(derived(command_id, nth), actor, str(command_id))
                    await self.app.execute(tx, dated, cause, now)
        except expects:
            return

    async def soonest(self) -> datetime | None:
        """When the next deadline falls due."""
        moment: datetime | None = await self.app.pool.fetchval(SOONEST, list(self.timers.handlers))
        return moment

    async def run(self) -> None:
        """Until cancelled."""
        said = log("timers", service=self.service)
        while True:
            try:
                fired = await self.once()
            except (VersionConflict, asyncpg.UniqueViolationError, *AGAIN):
                await asyncio.sleep(random.uniform(0, 0.02))
                continue
            except (NotReady, *LOST) as error:
                said.warning("again", error=type(error).__name__)
                await asyncio.sleep(0.3)
                continue
            if not fired:
                await self.bell.wait(self.poll)
