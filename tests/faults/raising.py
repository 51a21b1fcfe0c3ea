"""Puts a town up, whole or some of its services, from nothing or as a copy of one that stood before.

async with a_town(folder, seed=7, mail="smtp://127.0.0.1:2525?from=a@b.example") as town: ...
"""

import asyncio
import contextlib
import random
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from shared.database import migrate, prepare_server
from shared.embedded.nats_server import EmbeddedNats
from shared.embedded.ports import free_port
from shared.embedded.postgres import EmbeddedPostgres
from shared.embedded.processes import EmbeddedServer
from shared.ending import ended
from shared.settings import SERVICES
from tests.faults import settling, signing
from tests.faults.hatchery import Hatchery
from tests.faults.supervisor import Supervisor
from tests.faults.town import SETTINGS, Town
from tests.support.plans import loaded
from tests.support.services import FIRST_DAY, MONDAY


@dataclass(frozen=True)
class Stood:
    """A town that came to rest and was stopped: `folder` is what it left. `hatchery`: where the processes of its copies come
    from."""

    folder: Path
    services: tuple[str, ...]
    hatchery: Hatchery


@asynccontextmanager
async def a_town(
    folder: Path, seed: int, mail: str | None = None, plant: str | None = None, like: Stood | None = None
) -> AsyncIterator[Town]:
    """Everything up, the plan of 2018 in force, every clock on Monday 2018-01-22 09:00 in the town; stopped at the end. Its logs
    are signed, and witnessed.

    mail: MINEWATCH_MAIL. plant: the bug of plants.py that every process has. like: begins as a copy of that one, with its
    services and its clocks, and nobody signs.
    """
    if like is not None:  # with owners: a cluster belongs to the account that runs it
        subprocess.run(["cp", "-a", f"{like.folder}/.", str(folder)], check=True)
    services = like.services if like is not None else SERVICES
    async with _servers(folder, seed, services, like.hatchery if like is not None else None) as town:
        town.more |= ({"MAIL": mail} if mail else {}) | ({"DRILL_PLANT": plant} if plant else {})
        if like is None:
            signing.make(folder, town.jurisdiction, town.ports["witness"])
            await _settle_in(town)
            await signing.introduce(town)
        await town.supervisor.want(town.processes)
        keepers = [asyncio.create_task(_keep(town, server)) for server in (town.postgres, town.nats)]
        try:
            yield town
        finally:
            await ended(keepers)


async def stand(folder: Path, services: tuple[str, ...], hatchery: Hatchery) -> Stood:
    """Puts up a town of these services, waits until it is at rest, and stops it."""
    async with _servers(folder, 0, services, hatchery) as town:
        await _settle_in(town)
        await town.supervisor.want(town.processes)
        if waiting := await settling.quiet(town, 120.0):
            raise RuntimeError(f"it does not come to rest: {waiting}")
    return Stood(folder, services, hatchery)


@asynccontextmanager
async def _servers(
    folder: Path, seed: int, services: tuple[str, ...], hatchery: Hatchery | None
) -> AsyncIterator[Town]:
    """Postgres and NATS, and a supervisor who has nothing to do yet. hatchery: that of others, None for one of its own."""
    for name in ("plans", "clock", "armed", "logs"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    plan = loaded()
    shutil.copy(plan.path, folder / "plans")
    async with contextlib.AsyncExitStack() as stack:
        if hatchery is None:
            hatchery = Hatchery()
            await hatchery.open()
            stack.push_async_callback(hatchery.close)
        town = Town(
            folder=folder,
            plan=plan,
            postgres=EmbeddedPostgres(folder / "postgres", folder / "run", free_port(), SETTINGS),
            nats=EmbeddedNats(folder / "nats", folder / "run", free_port()),
            supervisor=Supervisor(
                lambda name: town.environment_of(name),
                lambda name: town.words_of(name),
                folder / "logs",
                random.Random(seed),
                hatchery,
            ),
            ports={name: free_port() for name in (*SERVICES, "witness")},
            services=services,
        )
        for server in (town.postgres, town.nats):
            stack.push_async_callback(server.stop)
            await server.start()
        stack.push_async_callback(town.supervisor.close)
        yield town


async def _settle_in(town: Town) -> None:
    """Databases, and the plan adopted on its first day."""
    passwords = town.home.secrets["passwords"]
    await prepare_server(town.superuser_dsn, passwords)
    await migrate(town.superuser_dsn, passwords)
    town.set_clocks(FIRST_DAY)
    code, said = await town.supervisor.once("cases.adopt", ["plan", "adopt", str(town.plan.path)])
    if code != 0:
        raise RuntimeError(f"the plan was not adopted: {said}")
    town.set_clocks(MONDAY)


async def _keep(town: Town, server: EmbeddedServer) -> None:
    """Starts a server again that died while nobody works on it."""
    while True:
        await asyncio.sleep(0.25)
        if not server.sound:
            async with town.at(server):
                continue
