"""notify's own database with its messages, and deliveries that a test starts, kills and starts again."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from services.notify.message import MESSAGE
from services.notify.message_commands import IssueMessage
from services.notify.read_models import attempt, message_line, message_work
from services.notify.writing import failed, given_up, started, succeeded, unavailable
from shared.app import App
from shared.clock import SimulatedClock
from shared.contracts.envelope import read
from shared.contracts.event import Event
from shared.database import SEARCH_PATH, open_pool
from shared.decider import Actor
from shared.deliveries import Deliveries
from shared.delivery_rows import delivery_id_of
from shared.outside import Delivery, Outside, SendFailed
from shared.plan.terms import Terms
from shared.sql import Tx
from tests.support.kernel import Templates, Unsealed, a_cause
from tests.support.plans import plan

NOON = datetime.fromisoformat("2018-02-11T12:00+08:00")
SOON = tuple(timedelta(seconds=s) for s in (0.02, 0.05))
MODELS = (message_line.READ_MODEL, attempt.READ_MODEL, message_work.READ_MODEL)


@dataclass
class Line:
    """A channel to nobody, which notes what it was given. `replies`: to the next calls; `first`: to the first attempt of each
    delivery, whenever it comes; `hold`: seconds that a call takes."""

    replies: list[SendFailed | None] = field(default_factory=list)
    first: SendFailed | None = None
    hold: float = 0.0
    sent: list[Delivery] = field(default_factory=list)
    busy: dict[UUID, int] = field(default_factory=dict)
    most: int = 0

    async def send(self, delivery: Delivery, letter: Any) -> None:
        self.sent.append(delivery)
        self.busy[delivery.delivery_id] = self.busy.get(delivery.delivery_id, 0) + 1
        self.most = max(self.most, self.busy[delivery.delivery_id])
        try:
            await asyncio.sleep(self.hold)
            if self.replies and (error := self.replies.pop(0)) is not None:
                raise error
            if self.first is not None and delivery.attempt == 1:
                raise self.first
        finally:
            self.busy[delivery.delivery_id] -= 1


@dataclass
class Office:
    app: App
    pool: asyncpg.Pool
    clock: SimulatedClock
    templates: Templates
    database: str
    line: Line = field(default_factory=Line)

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """The database cannot be reached: connections are cut, and new ones refused."""
        await self.templates.run(f'ALTER DATABASE "{self.database}" CONNECTION LIMIT 0')
        cut = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self.database}'"
        await self.templates.run(cut)
        try:
            yield
        finally:
            await self.templates.run(f'ALTER DATABASE "{self.database}" CONNECTION LIMIT -1')

    async def issue(self, *channels: str) -> str:
        """An assignment by these channels; its stream."""
        message = str(uuid4())
        wish = IssueMessage(
            message=message,
            kind="assignment",
            about="hazard-1",
            about_no=14,
            recipient="p-village_head-dulan",
            post="village_head",
            unit="dulan",
            village="140181101207",
            due_at=NOON + timedelta(days=7),
            channels=("in_app", *(channels or ("email",))),
        )
        await self.app.handle(wish, a_cause())
        return f"message-{message}"

    def deliveries(self, lacking: Mapping[str, str] | None = None, **changes: Any) -> Deliveries:
        """Sends by `line`, with short leases. Like a process of its own. `lacking`: channels it has not, and why."""

        async def write(_: Tx, __: Delivery) -> str:
            return "a letter"

        lines = {"email": self.line, "webhook": self.line}
        outside = Outside(started, unavailable, succeeded, failed, given_up, write, lines, lacking or {})
        short: dict[str, Any] = {"back_off": SOON, "lease": timedelta(seconds=0.6), "call_limit": 0.5, "poll": 0.01}
        return Deliveries("notify", self.pool, self.app, **{"outside": outside} | short | changes)

    async def facts(self, stream: str) -> list[Event]:
        """What the stream says, after the message itself."""
        rows = await self.pool.fetch("SELECT body FROM record.event WHERE stream_id = $1 ORDER BY version", stream)
        return [read(row["body"]).event for row in rows][1:]

    async def steps(self, stream: str) -> list[str]:
        """attempt_started, attempt_failed, attempt_succeeded, dead_lettered …"""
        return [event.type.split(".")[2] for event in await self.facts(stream)]

    async def row(self, stream: str, channel: str = "email") -> asyncpg.Record:
        row = await self.pool.fetchrow(
            "SELECT * FROM work.delivery WHERE delivery_id = $1", delivery_id_of(stream, channel)
        )
        assert row is not None
        return row


@asynccontextmanager
async def an_office(templates: Templates) -> AsyncIterator[Office]:
    database = await templates.copy("notify")
    pool = await open_pool(templates.dsn(database, "notify_app"), 24, SEARCH_PATH)
    clock = SimulatedClock(NOON)

    async def terms(_: Tx, actor: Actor, now: datetime) -> tuple[Terms, str]:
        return Terms(now=now, actor=actor, plan=plan()), plan().version

    for model in MODELS:
        for statement in model.ddl():
            await pool.execute(statement)
    try:
        app = App("notify", "t", pool, (MESSAGE,), MODELS, Unsealed(), clock, terms)
        yield Office(app, pool, clock, templates, database)
    finally:
        pool.terminate()
        await templates.drop(database)
