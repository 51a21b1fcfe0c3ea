"""What can only be checked by doing it: read models built anew equal the live ones, and a deadline that is gone would do nothing.

A service is opened beside the running ones, on their databases, with none of its parts at work.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from services.together import DESCRIBE
from shared.app import AGAIN
from shared.audit.models import differences
from shared.clock import SimulatedClock
from shared.contracts.cases.hazard import HazardCompleted, HazardExtended
from shared.contracts.reporting.weekly_report import ReportReturned
from shared.errors import MinewatchError
from shared.service import Service
from shared.settings import Settings
from shared.sql import Tx
from shared.timers import Due
from tests.faults.checks_commands import fired
from tests.faults.records import Book, DrillTown, Records

LATE = timedelta(seconds=10)
BACK = timedelta(minutes=30)
"""So far back a clock may have been set since a deadline rang."""


@asynccontextmanager
async def opened(town: DrillTown, name: str) -> AsyncIterator[Service]:
    settings = Settings.from_environment(name, town.environment_of(name))
    service = Service(DESCRIBE[name](), settings, SimulatedClock(town.now(name)), frozenset())
    await service.open()
    try:
        yield service
    finally:
        await service.close()


# ------------------------------------------------------------------------------------------------- read models


async def views(town: DrillTown, records: Records) -> AsyncIterator[str]:
    """Each table of a read model, row by row, against the same table built from log and inbox."""
    for name in records.books:
        async with opened(town, name) as service:
            async for what in differences(service, without=records.poisoned):
                yield f"views: {name}: {what}"


# ------------------------------------------------------------------------------------------------- deadlines


async def deadlines(town: DrillTown, records: Records) -> AsyncIterator[str]:
    """Every deadline that the log has set stands, or has left its event, or has nothing to say; none is late, and none failed."""
    for name, book in records.books.items():
        if not book.card.timers.handlers:
            continue
        async with opened(town, name) as service:
            for what in _standing(book, records.read_at[name]):
                yield f"deadlines: {name}: {what}"
            for due in _gone(book, records.poisoned):
                if what := await _lost(service, book, due):
                    yield f"deadlines: {name}: {due.timer} of {due.subject} at {due.due_at}: {what}"


def _standing(book: Book, now: datetime) -> Iterator[str]:
    for row in book.due:
        which = f"{row['timer']} of {row['subject']} at {row['due_at']}"
        if row["failed"] is not None:
            yield f"{which} failed: {row['failed']}"
        elif row["timer"] in book.card.timers.handlers and row["due_at"] < now - LATE:
            yield f"{which} is past, and has not rung at {now}"


def _gone(book: Book, poisoned: frozenset[UUID]) -> Iterator[Due]:
    """Deadlines that the log has set and not taken away, that are not in the table and left no event."""
    set_: dict[tuple[str, str], datetime] = {}
    for fact in book.log:
        if fact.event_id not in poisoned:
            recorded = fact.typed()
            for model in book.card.inline:
                if isinstance(recorded.event, model.events):
                    for statement, params in model.project(recorded):
                        _keep(set_, getattr(getattr(statement, "table", None), "fullname", ""), params)
    standing = {(row["timer"], row["subject"]) for row in book.due}
    here = frozenset(fact.cause for fact in book.log)
    for (timer, subject), at in set_.items():
        if (timer, subject) not in standing and not fired(book.service, timer, subject, at, here):
            yield Due(timer, subject, at)


def _keep(set_: dict[tuple[str, str], datetime], table: str, params: dict[str, Any]) -> None:
    if table != "work.due":
        return
    if "due_at" in params:
        set_[params["timer"], params["subject"]] = params["due_at"]
    else:
        set_.pop((params["a_timer"], params["a_subject"]), None)


async def _lost(service: Service, book: Book, due: Due) -> str:
    """What is wrong with its being gone; empty when it would do nothing now either."""
    latest = max((fact.told["recordedat"] for fact in book.log), default="")
    if due.due_at > max(datetime.fromisoformat(latest), service.clock.now()) + BACK:
        return "it is not in the table, and its time has not come"
    if due.due_at > service.clock.now() or _changed_since(book, due):
        return ""
    events = await _would_record(service, due)
    return f"it is gone without a trace, and would record {events} events" if events else ""


def _changed_since(book: Book, due: Due) -> bool:
    """Whether what the handler looks at went to and fro, so that nothing to say then may be something to say now."""
    about = {due.subject}
    about |= {fact.data["about"] for fact in book.log if fact.stream == due.subject and "about" in fact.data}
    types = {HazardCompleted.type, HazardExtended.type, ReportReturned.type}
    return due.timer != "hazard.overdue" and any(
        fact.stream in about and fact.type in types for fact in (*book.log, *book.inbox)
    )


async def _would_record(service: Service, due: Due) -> int:
    """How many events the deadline would bring if it rang now; nothing of it stands afterwards."""
    while True:
        async with service.pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                before = await connection.fetchval("SELECT count(*) FROM work.pending")
                await service.clockwork._fire(Tx(connection), due, service.clock.now())
                return int(await connection.fetchval("SELECT count(*) FROM work.pending") - before)
            except AGAIN:
                continue
            except MinewatchError:
                return 0  # refused: it would stand as failed, and does not
            except asyncpg.UniqueViolationError:
                return 1
            finally:
                await transaction.rollback()
