"""`minewatch parked`, `rebuild`, `restore` and `accept-lineage`: what only a person may decide, or must look at."""

import asyncio
import os

import click
from rich.console import Console
from rich.progress import Progress as Bars
from rich.table import Table

from shared.cli.programs import service as service_of
from shared.database import open_pool
from shared.lineage import Accepted, accept_lineage, begin_new_lineage
from shared.log_feed import NatsFeed
from shared.reaction import parked_subjects
from shared.replay import Replay
from shared.settings import SERVICES, SettingMissing, Settings
from shared.stream import connect

LIST = """
SELECT source, position, reaction, subject, state, reason, attempts, parked_at FROM work.parked
WHERE state <> 'done' ORDER BY parked_id
"""


@click.group()
def parked() -> None:
    """Events whose reaction was refused, and those that wait behind them."""


@parked.command("list")
@click.argument("service", type=click.Choice(SERVICES))
def list_parked(service: str) -> None:
    """What is parked in SERVICE, oldest first."""
    asyncio.run(_list(service))


async def _list(name: str) -> None:
    service = service_of(name)
    await service.open()
    try:
        rows = await service.pool.fetch(LIST)
    finally:
        await service.close()
    table = Table("source", "position", "reaction", "subject", "state", "reason", "tries", "since")
    for row in rows:
        table.add_row(*(str(value) for value in row))
    Console().print(table if rows else "nothing is parked")


@parked.command()
@click.argument("service", type=click.Choice(SERVICES))
def retry(service: str) -> None:
    """Try everything parked in SERVICE again, each subject's events in order."""
    asyncio.run(_retry(service))


async def _retry(name: str) -> None:
    service = service_of(name)
    await service.open()
    try:
        for reaction, subject in await parked_subjects(service.pool):
            outcomes = [await reactor.retry(reaction, subject) for reactor in service.reactors]
            click.echo(f"{reaction} {subject}: {'done' if all(outcomes) else 'still refused'}")
    finally:
        await service.close()


@click.command()
@click.argument("service", type=click.Choice(SERVICES))
def rebuild(service: str) -> None:
    """Build SERVICE's read models anew beside the live ones, and swap them in."""
    asyncio.run(_rebuild(service))


async def _rebuild(name: str) -> None:
    service = service_of(name)
    await service.open()
    pool = await open_pool(service.settings.app_dsn, 2, "shadow, work, record")
    try:
        replay = Replay(
            name, pool, service.sealer, service.card.inline, service.card.projections, list(service.card.consumes())
        )
        with Bars() as bars:
            rows = {source: bars.add_task(source) for source in (name, *service.card.consumes())}
            await replay.fill(lambda source, at, end: bars.update(rows[source], completed=at, total=end))
            await replay.swap()
    finally:
        await pool.close()
        await service.close()


def _owner_dsn() -> str:
    dsn = os.environ.get("MINEWATCH_OWNER_DSN")
    if not dsn:
        raise SettingMissing("set MINEWATCH_OWNER_DSN: the address of the database as its owner role")
    return dsn


@click.command()
@click.argument("service", type=click.Choice(SERVICES))
@click.option("--new-lineage", is_flag=True, help="say that the database was restored to an older state")
def restore(service: str, new_lineage: bool) -> None:
    """Begin a new lineage of SERVICE, before it starts again. MINEWATCH_OWNER_DSN names its database."""
    if not new_lineage:
        raise click.UsageError("Restoring itself is the database's own business; --new-lineage says that it was done.")
    begun = asyncio.run(begin_new_lineage(_owner_dsn()))
    click.echo(f"{service} goes on from position {begun.shared} as lineage {begun.lineage} (before: {begun.parent})")


@click.command("accept-lineage")
@click.argument("service", type=click.Choice(SERVICES))
@click.argument("source", type=click.Choice(SERVICES))
def accept(service: str, source: str) -> None:
    """Let SERVICE go on with SOURCE, which was restored and forgot events that SERVICE received.

    SOURCE must run. MINEWATCH_OWNER_DSN names the database of SERVICE. Its read models are rebuilt.
    """
    accepted = asyncio.run(_accept(service, source))
    click.echo(f"{accepted.forgotten} events of {source} forgotten; {service} goes on from position {accepted.shared}")
    asyncio.run(_rebuild(service))


async def _accept(name: str, source: str) -> Accepted:
    settings = Settings.from_environment(name)
    nc = await connect(settings.nats_url, f"minewatch-accept-{name}")
    try:
        return await accept_lineage(_owner_dsn(), source, NatsFeed(nc, settings.jurisdiction, source))
    finally:
        await nc.close()
