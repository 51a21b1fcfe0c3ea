"""`minewatch parked list|show|retry|dismiss`: events whose reaction was refused, and what a person decides about them."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import click
from rich.console import Console
from rich.table import Table

from shared import parked as waiting_room
from shared.cli.later import LaterGroup
from shared.cli.towns import data_option, settings_of
from shared.database import open_pool
from shared.parked import Parked
from shared.settings import SERVICES

service_argument = click.argument("service", type=click.Choice(SERVICES))
id_argument = click.argument("parked_id", metavar="ID", type=int)


COMMANDS = {
    "dismiss": (
        "shared.cli.parked_ending:dismiss",
        "Give up the reaction to one event, for good, and let the next of its queue go on.",
    ),
    "retry": (
        "shared.cli.parked_ending:retry",
        "Try what waits in SERVICE again: the queue of ID, or everything; each subject's events in order.",
    ),
}
"""As in shared.cli.main: these need the service itself; looking needs its database alone."""


@click.group(cls=LaterGroup, later=COMMANDS)
def parked() -> None:
    """Events whose reaction was refused, and those that wait behind them."""


@parked.command("list")
@service_argument
@click.option("--dismissed", is_flag=True, help="what was dismissed, instead of what waits")
@data_option
def list_parked(service: str, dismissed: bool, data: Path | None) -> None:
    """What waits in SERVICE, oldest first."""
    asyncio.run(_list(service, dismissed, data))


async def _list(name: str, dismissed: bool, data: Path | None) -> None:
    async with _pool(name, data) as pool:
        rows = await (waiting_room.dismissed(pool) if dismissed else waiting_room.waiting(pool))
    if not rows:
        click.echo("nothing was dismissed" if dismissed else "nothing is parked")
    elif dismissed:
        _print(("id", "event", "reaction", "subject", "refused", "dismissed by", "at", "because"), rows, _decided)
    else:
        _print(("id", "event", "reaction", "subject", "state", "reason", "tries", "since", "behind"), rows, _waits)


def _decided(row: Parked) -> tuple[object, ...]:
    because = (row.dismissed_by, _moment(row.dismissed_at), row.dismissed_because)
    return row.parked_id, f"{row.source} {row.position}", row.reaction, row.subject, row.reason, *because


def _waits(row: Parked) -> tuple[object, ...]:
    place = (row.parked_id, f"{row.source} {row.position}", row.reaction, row.subject)
    return *place, row.state, row.reason or "", row.attempts, _moment(row.parked_at), row.behind


@parked.command()
@service_argument
@id_argument
@data_option
def show(service: str, parked_id: int, data: Path | None) -> None:
    """One event that waits: why, what waits behind it, and the event itself with its sealed texts closed."""
    asyncio.run(_show(service, parked_id, data))


async def _show(name: str, parked_id: int, data: Path | None) -> None:
    async with _pool(name, data) as pool:
        one = await waiting_room.one(pool, parked_id)
        behind = await waiting_room.behind(pool, one)
        event = await waiting_room.event_of(pool, name, one)
    click.echo(f"{one.source} {one.position} (lineage {one.lineage})")
    click.echo(f"reaction  {one.reaction}\nsubject   {one.subject}\nstate     {one.state}\nreason    {one.reason}")
    click.echo(f"tries     {one.attempts}\nsince     {_moment(one.parked_at)}")
    if one.dismissed_by is not None:
        click.echo(f"dismissed {_moment(one.dismissed_at)} by {one.dismissed_by}: {one.dismissed_because}")
    click.echo(f"behind it {one.behind}" + "".join(f"\n  {b.parked_id}: {b.source} {b.position}" for b in behind))
    click.echo(event if isinstance(event, str) else json.dumps(event, ensure_ascii=False, indent=2))


@asynccontextmanager
async def _pool(name: str, data: Path | None) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(settings_of(name, data).app_dsn, 1)
    try:
        yield pool
    finally:
        await pool.close()


def _print(heads: tuple[str, ...], rows: list[Parked], cells: Callable[[Parked], tuple[object, ...]]) -> None:
    table = Table(*heads)
    for row in rows:
        table.add_row(*(str(cell) for cell in cells(row)))
    Console().print(table)


def _moment(at: datetime | None) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%MZ") if at else ""
