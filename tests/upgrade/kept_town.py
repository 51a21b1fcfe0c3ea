"""A kept town laid out as an operator lays out a backup (unpacked, databases loaded), then brought to today's version."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg

from services.simulation.course import a_stage
from services.simulation.outside import Outside, outside
from services.simulation.scene import Stage
from services.together import DESCRIBE, Together, listening, town
from shared.clock import SimulatedClock
from shared.database import open_pool
from shared.embedded.home import Home
from shared.embedded.nats_server import EmbeddedNats
from shared.embedded.postgres import EmbeddedPostgres
from shared.plan.loader import load_plan
from shared.replay import Replay
from shared.service import Service
from shared.settings import SERVICES
from tests.upgrade.archive import load, unpack

MINEWATCH = Path(sys.executable).parent / "minewatch"
LOG = "SELECT position, event_id, body, l.leaf FROM record.log l JOIN record.event USING (event_id) ORDER BY position"
EVENTS = "SELECT stream_id, version, body FROM record.event ORDER BY stream_id, version"
INBOX = "SELECT body FROM record.inbox"
HEAD = "SELECT lineage, position, leaf, frontier, root FROM work.head"
VIEWS = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'view' ORDER BY 1"

Row = dict[str, Any]
Tables = dict[str, list[Row]]


@dataclass(frozen=True)
class Standing:
    """One service's database at one moment. `log` and `events` hold the bodies, `views` every read model."""

    log: list[Row]
    events: list[Row]
    inbox: list[bytes]
    head: Row
    views: Tables


@dataclass
class KeptTown:
    """Databases loaded, nothing running yet. `left`: what the old version said when it stopped; `before`: its databases then."""

    folder: Path
    server: str
    left: dict[str, Any]
    before: dict[str, Standing]

    @property
    def moment(self) -> datetime:
        """When it stopped, by its own clock."""
        return datetime.fromisoformat(self.left["moment"])


@dataclass
class Running:
    """Today's services on the kept town."""

    kept: KeptTown
    together: Together
    stage: Stage
    world: Outside


async def laid_out(archive: Path, folder: Path) -> KeptTown:
    """Unpacked into `folder`, with the databases as they were on a running Postgres."""
    unpack(archive, folder)
    left = json.loads((folder / "left.json").read_text("utf-8"))
    server = EmbeddedPostgres(folder / "postgres", folder / "run")
    await server.start()
    await load(server.superuser_dsn, (folder / "databases.sql").read_text("utf-8"))
    before = {service: await standing(server.superuser_dsn, service) for service in SERVICES}
    return KeptTown(folder, server.superuser_dsn, left, before)


async def standing(server: str, service: str) -> Standing:
    connection = await asyncpg.connect(server.rsplit("/", 1)[0] + f"/{service}")
    try:
        (head,) = await connection.fetch(HEAD)
        return Standing(
            log=[dict(row) for row in await connection.fetch(LOG)],
            events=[dict(row) for row in await connection.fetch(EVENTS)],
            inbox=[row["body"] for row in await connection.fetch(INBOX)],
            head=dict(head),
            views=await views(connection),
        )
    finally:
        await connection.close()


async def views(connection: asyncpg.Connection | asyncpg.Pool) -> Tables:
    """table → its rows, each with all its columns, in values of JSON."""
    names = [row[0] for row in await connection.fetch(VIEWS)]
    return {
        name: [json.loads(row[0]) for row in await connection.fetch(f'SELECT to_jsonb(t)::text FROM view."{name}" t')]
        for name in names
    }


async def migrated(kept: KeptTown) -> None:
    """By the command, as each database's owner, with the passwords of old."""
    passwords = kept.folder / "run" / "passwords.json"
    passwords.write_text(json.dumps(Home(kept.folder).secrets["passwords"]), "utf-8")
    environment = os.environ | {"MINEWATCH_SERVER_DSN": kept.server, "MINEWATCH_PASSWORDS": str(passwords)}
    program = await asyncio.create_subprocess_exec(
        MINEWATCH, "migrate", env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said = (await program.communicate())[0].decode()
    assert program.returncode == 0, said


async def rebuilt(kept: KeptTown) -> dict[str, Tables]:
    """service → today's read models from its log and inbox, swapped in; what waited for its number gets it first."""
    home, nats = Home(kept.folder), EmbeddedNats(kept.folder / "nats", kept.folder / "run")
    await nats.start()
    jurisdiction = load_plan(home.plans / (home.plans / "current").read_text("utf-8")).plan.jurisdiction
    tables = {}
    for name in SERVICES:
        settings = home.settings(name, jurisdiction, kept.server, nats.url)
        service = Service(DESCRIBE[name](), settings, SimulatedClock(kept.moment), frozenset())
        await service.open()
        pool = await open_pool(service.settings.app_dsn, 2, "shadow, work, record")
        try:
            while await service.sequencer.once():
                pass
            card = service.card
            replay = Replay(name, pool, service.sealer, card.inline, card.projections, list(card.consumes()))
            await replay.fill()
            await replay.swap()
            tables[name] = await views(pool)
        finally:
            await pool.close()
            await service.close()
    return tables


@asynccontextmanager
async def running(kept: KeptTown) -> AsyncIterator[Running]:
    """From the moment on at which the old version stopped, on its servers; these are stopped at the end."""
    clock = SimulatedClock(kept.moment)
    async with (
        outside() as world,
        town(kept.folder, None, clock, world.mail.address) as together,
        listening(together, 0) as address,
        a_stage(together, address, clock, 1) as stage,
    ):
        yield Running(kept, together, stage, world)
