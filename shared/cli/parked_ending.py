"""`minewatch parked retry|dismiss`: how the waiting of a parked event ends."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import click

from shared import parked as waiting_room
from shared.cli.parked import id_argument, service_argument
from shared.cli.programs import service as service_of
from shared.cli.towns import data_option, settings_of
from shared.errors import NotPermitted
from shared.identity import posts
from shared.plan.calendar import town_day
from shared.reaction import parked_subjects
from shared.service import Service
from shared.sql import Tx

OFFICE = ("clerk", "office_director")
"""Posts that may dismiss."""


@click.command()
@service_argument
@click.argument("parked_id", metavar="[ID]", type=int, required=False)
@data_option
def retry(service: str, parked_id: int | None, data: Path | None) -> None:
    """Try what waits in SERVICE again: the queue of ID, or everything; each subject's events in order."""
    if not asyncio.run(_retry(service, parked_id, data)):
        sys.exit(1)


async def _retry(name: str, parked_id: int | None, data: Path | None) -> bool:
    async with _opened(name, data) as service:
        if parked_id is None:
            queues = await parked_subjects(service.pool)
        else:
            one = await waiting_room.one(service.pool, parked_id)
            queues = [(one.reaction, one.subject)]
        outcomes = [await _work_off(service, reaction, subject) for reaction, subject in queues]
    return all(outcomes)


async def _work_off(service: Service, reaction: str, subject: str) -> bool:
    outcomes = [await reactor.retry(reaction, subject) for reactor in service.reactors]
    click.echo(f"{reaction} {subject}: {'done' if all(outcomes) else 'still refused'}")
    return all(outcomes)


@click.command()
@service_argument
@id_argument
@click.option(
    "--as", "person", metavar="PERSON", required=True, help="who decides it: somebody in a post of the office"
)
@click.option("--reason", "because", required=True, help="why it will not be done; name nobody in it")
@click.option("--yes", is_flag=True, help="do not ask again")
@data_option
def dismiss(service: str, parked_id: int, person: str, because: str, yes: bool, data: Path | None) -> None:
    """Give up the reaction to one event, for good, and let the next of its queue go on. It cannot be taken back."""
    if not asyncio.run(_dismiss(service, parked_id, person, because, yes, data)):
        sys.exit(1)


async def _dismiss(name: str, parked_id: int, person: str, because: str, yes: bool, data: Path | None) -> bool:
    async with _opened(name, data) as service:
        await _must_be_of_the_office(service.pool, person)
        one = await waiting_room.one(service.pool, parked_id)
        click.echo(f"{one.reaction} of {one.source} {one.position} ({one.subject}), refused: {one.reason}")
        if not yes:
            click.confirm("It will never be done. Dismiss it?", abort=True)
        await waiting_room.dismiss(service.pool, name, parked_id, person, because)
        click.echo(f"{parked_id} dismissed by {person}; {one.behind} waited behind it")
        return one.behind == 0 or await _work_off(service, one.reaction, one.subject)


async def _must_be_of_the_office(pool: asyncpg.Pool, person: str) -> None:
    """Raises NotPermitted."""
    async with pool.acquire() as connection:
        held = await posts.held_by(Tx(connection), person, on=town_day(datetime.now(UTC)))
    if not any(holder.post in OFFICE for holder in held):
        raise NotPermitted(f"{person} holds no post of the office today: {' or '.join(OFFICE)}")


@asynccontextmanager
async def _opened(name: str, data: Path | None) -> AsyncIterator[Service]:
    """The service with its reactors, none of which runs."""
    service = service_of(name, settings=settings_of(name, data))
    await service.open()
    try:
        yield service
    finally:
        await service.close()
