"""`minewatch rebuild` and `accept-lineage`: what only a person may decide."""

import asyncio
from pathlib import Path

import click
import nats.errors
from rich.progress import Progress as Bars

from shared.cli.programs import service as service_of
from shared.cli.towns import data_option, owner_dsn, settings_of
from shared.errors import NotReady
from shared.lineage import Accepted, accept_lineage
from shared.log_feed import NatsFeed
from shared.settings import SERVICES
from shared.stream import connect


@click.command()
@click.argument("service", type=click.Choice(SERVICES))
@data_option
def rebuild(service: str, data: Path | None) -> None:
    """Build SERVICE's read models anew beside the live ones, and swap them in."""
    asyncio.run(_rebuild(service, data))


async def _rebuild(name: str, data: Path | None) -> None:
    service = service_of(name, settings=settings_of(name, data))
    await service.open()
    try:
        with Bars() as bars:
            rows = {source: bars.add_task(source) for source in (name, *service.card.consumes())}
            await service.rebuild(lambda source, at, end: bars.update(rows[source], completed=at, total=end))
    finally:
        await service.close()


@click.command("accept-lineage")
@click.argument("service", type=click.Choice(SERVICES))
@click.argument("source", type=click.Choice(SERVICES))
@data_option
def accept(service: str, source: str, data: Path | None) -> None:
    """Let SERVICE go on with SOURCE, which was restored and forgot events that SERVICE received.

    SOURCE must run. Without --data MINEWATCH_OWNER_DSN names the database of SERVICE. Its read models are rebuilt.
    """
    accepted = asyncio.run(_accept(service, source, data))
    click.echo(f"{accepted.forgotten} events of {source} forgotten; {service} goes on from position {accepted.shared}")
    asyncio.run(_rebuild(service, data))


async def _accept(name: str, source: str, data: Path | None) -> Accepted:
    settings = settings_of(name, data)
    nc = await connect(settings.nats_url, f"minewatch-accept-{name}")
    try:
        return await accept_lineage(owner_dsn(name, data), source, NatsFeed(nc, settings.jurisdiction, source))
    except nats.errors.Error as error:
        raise NotReady(f"{source} does not answer: it has to run") from error
    finally:
        await nc.close()
