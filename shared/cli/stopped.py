"""What a command needs of a town that may not run: its servers are started for as long as they are asked."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import click

from shared.cli.towns import as_owner, of_town, owner_dsn, settings_of
from shared.embedded.home import Home
from shared.embedded.nats_server import EmbeddedNats
from shared.embedded.postgres import EmbeddedPostgres
from shared.embedded.processes import PidFile
from shared.settings import Settings


@asynccontextmanager
async def stopped_postgres(data: Path) -> AsyncIterator[EmbeddedPostgres]:
    """Starts the Postgres of a town whose services do not run. Raises AlreadyRunning, ClickException."""
    home = Home(data.resolve())
    if not home.known:
        raise click.ClickException(f"no town lives in {home.folder}")
    program = PidFile(home.run / "minewatch.pid", home.folder)
    program.claim()
    postgres = EmbeddedPostgres(home.folder / "postgres", home.run)
    try:
        await postgres.start()
        yield postgres
    finally:
        await postgres.stop()
        program.remove()


@asynccontextmanager
async def stopped_town(data: Path) -> AsyncIterator[Callable[[str], str]]:
    """As stopped_postgres; gives each service's database as its owner."""
    async with stopped_postgres(data) as postgres:
        yield lambda name: as_owner(Home(data.resolve()), name, postgres.access.port)


@asynccontextmanager
async def databases_of(data: Path) -> AsyncIterator[Callable[[str], str]]:
    """Each database of a town as its owner, whether the town runs or not."""
    home = Home(data.resolve())
    if home.known and PidFile(home.run / "minewatch.pid", home.folder).live() is not None:
        yield lambda name: owner_dsn(name, data)
        return
    async with stopped_town(data) as dsn_for:
        yield dsn_for


@asynccontextmanager
async def reached(data: Path | None) -> AsyncIterator[Callable[[str], Settings]]:
    """What `settings_of` gives; the servers of a town that does not run are started for as long as this lasts."""
    if data is None or PidFile(data.resolve() / "run" / "minewatch.pid", data.resolve()).live() is not None:
        yield lambda name: settings_of(name, data)
        return
    async with stopped_town(data):
        home = Home(data.resolve())
        nats = EmbeddedNats(home.folder / "nats", home.run)
        await nats.start()
        try:
            yield lambda name: of_town(home, name)
        finally:
            await nats.stop()


@asynccontextmanager
async def settings_at(data: Path | None) -> AsyncIterator[Callable[[str], Settings]]:
    """Each service's settings, whether the town in `data` runs or not; then only its databases can be reached.

    Without a folder as MINEWATCH_… variables say.
    """
    home = Home(data.resolve()) if data is not None else None
    if home is None or not home.known or PidFile(home.run / "minewatch.pid", home.folder).live() is not None:
        yield lambda name: settings_of(name, data)
        return
    async with stopped_town(home.folder):
        yield lambda name: of_town(home, name)


@asynccontextmanager
async def jetstream_of(data: Path) -> AsyncIterator[str]:
    """The address of the JetStream in a town's folder, whatever else of the town is gone; started for the while, if need be."""
    nats = EmbeddedNats(data.resolve() / "nats", data.resolve() / "run")
    runs = PidFile(data.resolve() / "run" / "nats.pid", data.resolve() / "nats").live() is not None
    await nats.start()
    try:
        yield nats.url
    finally:
        if not runs:
            await nats.stop()
