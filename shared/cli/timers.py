"""`minewatch timers list|retry`: deadlines whose handling failed, which wait for a person."""

import asyncio
from pathlib import Path

import asyncpg
import click
from rich.console import Console
from rich.table import Table

from shared.cli.towns import data_option, settings_of
from shared.settings import SERVICES

FAILED = "SELECT timer, subject, due_at, failed FROM work.due WHERE failed IS NOT NULL ORDER BY due_at, timer, subject"
RETRY = """
UPDATE work.due SET failed = NULL
WHERE failed IS NOT NULL AND ($1::text IS NULL OR timer = $1) AND ($2::text IS NULL OR subject = $2)
RETURNING timer, subject
"""


@click.group()
def timers() -> None:
    """Deadlines whose handling failed."""


@timers.command("list")
@click.argument("service", type=click.Choice(SERVICES))
@data_option
def list_failed(service: str, data: Path | None) -> None:
    """What failed in SERVICE, the earliest deadline first."""
    rows = asyncio.run(_asked(settings_of(service, data).app_dsn, FAILED))
    table = Table("timer", "subject", "due at", "failed with")
    for row in rows:
        table.add_row(*(str(value) for value in row))
    Console().print(table if rows else "no deadline failed")


@timers.command()
@click.argument("service", type=click.Choice(SERVICES))
@click.argument("timer", required=False)
@click.argument("subject", required=False)
@data_option
def retry(service: str, timer: str | None, subject: str | None, data: Path | None) -> None:
    """Let the running SERVICE try failed deadlines again: all, those of TIMER, or the one of TIMER and SUBJECT."""
    rows = asyncio.run(_asked(settings_of(service, data).app_dsn, RETRY, timer, subject))
    for row in rows:
        click.echo(f"{row['timer']} {row['subject']} is due again")
    if not rows:
        click.echo("no such deadline failed")


async def _asked(dsn: str, statement: str, *values: str | None) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(dsn, timeout=5)
    try:
        return list(await connection.fetch(statement, *values))
    finally:
        await connection.close()
