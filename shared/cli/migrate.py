"""`minewatch migrate`: databases, roles and schemas, as a step of its own before any service starts."""

import asyncio
import json
import secrets
from pathlib import Path

import click

from shared.database import SCRATCH, prepare_server, role_names
from shared.database import migrate as migrate_all
from shared.embedded.processes import write_private


@click.command()
@click.option(
    "--server", envvar="MINEWATCH_SERVER_DSN", required=True, help="postgresql://user:password@host:port/postgres"
)
@click.option(
    "--passwords",
    envvar="MINEWATCH_PASSWORDS",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="JSON, role → password; made with fresh ones where it is missing",
)
@click.option(
    "--prepare", is_flag=True, help="also make missing roles and databases; the server's user must be superuser"
)
def migrate(server: str, passwords: Path, prepare: bool) -> None:
    """Bring every database to the newest step, each as its owner."""
    if not passwords.exists():
        if not prepare:
            raise click.ClickException(f"{passwords} is not there; --prepare makes it")
        write_private(
            passwords, json.dumps({role: secrets.token_urlsafe(24) for role in (*role_names(), SCRATCH)}, indent=1)
        )
    known = json.loads(passwords.read_text("utf-8"))
    if missing := set(role_names()) - set(known):
        raise click.ClickException(f"{passwords} has no password for {', '.join(sorted(missing))}")

    async def steps() -> None:
        if prepare:
            await prepare_server(server, known)
        await migrate_all(server, known)

    asyncio.run(steps())
    click.echo("every database is at the newest step")
