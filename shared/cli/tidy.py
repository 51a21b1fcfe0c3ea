"""`minewatch tidy`: forgets what is done and past its time; a running service does the same every hour."""

import asyncio
from pathlib import Path

import click

from shared.cli.towns import data_option, services_at, settings_of
from shared.database import open_pool
from shared.retention import Retention, Tidying
from shared.settings import SERVICES


@click.command()
@click.argument("service", type=click.Choice(SERVICES), required=False)
@data_option
def tidy(service: str | None, data: Path | None) -> None:
    """Remove old answers, deliveries and reactions that are done from SERVICE, or from every service that can be reached.

    MINEWATCH_KEEP_ANSWERS, _DELIVERIES and _REACTIONS say for how many days they are kept. Nothing recorded is touched.
    """
    for name in [service] if service else services_at(data):
        removed = asyncio.run(_tidy(name, settings_of(name, data).app_dsn))
        click.echo(f"{name}: " + ", ".join(f"{number} {kind}" for kind, number in removed.items()) + " removed")


async def _tidy(name: str, dsn: str) -> dict[str, int]:
    pool = await open_pool(dsn, 1)
    try:
        return await Tidying(name, pool, Retention.from_environment()).once()
    finally:
        await pool.close()
