"""Lives a fortnight in a town of this very version and keeps it: `python -m tests.upgrade.keep [--into FILE]`, for each release.

The town is stopped in the midst of things: an event waits for its number, a letter for its next try, one event is parked, a
deadline is to come, and intake was restored to an older state once. Two runs tell the same story, but keys and what a run
draws by lot are others, so a town is made once and never again; packing the same folder gives the same bytes.
"""

import argparse
import asyncio
import hashlib
import json
import shutil
import tempfile
import tomllib
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg

from services.simulation.course import a_stage, live
from services.simulation.outside import MailBox, outside
from services.simulation.scene import Stage
from services.simulation.timetable import Entry, when
from services.together import Together, listening, town
from shared.clock import SimulatedClock
from shared.contracts.registry import CONTRACTS
from shared.database import dsn_of, open_pool
from shared.embedded.home import Home
from shared.embedded.ports import free_port
from shared.embedded.postgres import EmbeddedPostgres
from shared.lineage import accept_lineage, begin_new_lineage
from shared.log_feed import NatsFeed
from shared.replay import Replay
from shared.stream import stream_name
from tests.support.stage import Silent
from tests.support.town import eventually
from tests.upgrade import story
from tests.upgrade.archive import KEPT, NAME, SUMS, dump, pack, packed

ROOT = Path(__file__).parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
PLAN = Path(__file__).parent / "plan.yaml"
RESTORED = "intake"
WHILE_SENDING = {("a delivery",), ()}
TRIED = "SELECT EXISTS (SELECT FROM work.delivery WHERE state = 'open' AND last_error IS NOT NULL)"
TYPES = "SELECT type, count(*) FROM record.event GROUP BY type"
SAID = "SELECT report, version, content_sha256 FROM report_content ORDER BY report, version"


@dataclass
class Lived:
    """A running town and who acts in it."""

    stage: Stage
    together: Together
    mail: MailBox


@asynccontextmanager
async def a_while(folder: Path, now: datetime, mail: str | None = None) -> AsyncIterator[Lived]:
    """The town from `now` on, until it is stopped. `mail`: the address of another mail server than the one that takes letters."""
    clock = SimulatedClock(now)
    async with outside() as world:
        plan = None if Home(folder).known else PLAN
        async with (
            town(folder, plan, clock, mail or world.mail.address) as together,
            listening(together, 0) as address,
            a_stage(together, address, clock, 1) as stage,
        ):
            yield Lived(stage, together, world.mail)


async def lived_through(folder: Path) -> dict[str, Any]:
    """The whole story in `folder`, with `databases.sql`, `left.json` and `contents` when it has ended; what left.json says."""
    restored_at = when(story.FORGOTTEN)
    async with a_while(folder, when("05-07 00:00")) as now:
        entries = story.entries(now.mail)
        await live(now.stage, before(entries, restored_at), Silent(), restored_at)
    await copied(folder)
    async with a_while(folder, restored_at) as now:
        await story.forgotten(now.stage.scene("遗忘"))
        await now.stage.time.quiet()
    await restored(folder)
    async with a_while(folder, restored_at) as now:
        await accepted_by_all(now.together)
        last = when(story.LAST)
        await live(now.stage, [entry for entry in entries if entry.at > restored_at], Silent(), last)
    nobody = f"smtp://127.0.0.1:{free_port()}?from=minewatch@example.org"
    async with a_while(folder, when(story.LAST), nobody) as now:
        left = await last_hour(now)
        for name, content in (await contents(now)).items():
            (folder / "contents").mkdir(exist_ok=True)
            (folder / "contents" / name).write_bytes(content)
    server = EmbeddedPostgres(folder / "postgres", folder / "run")
    await server.start()
    (folder / "databases.sql").write_text(dump(server.superuser_dsn), "utf-8")
    await server.stop()
    (folder / "left.json").write_text(json.dumps(left, ensure_ascii=False, indent=1) + "\n", "utf-8")
    return left


def before(entries: Iterable[Entry], moment: datetime) -> list[Entry]:
    return [entry for entry in entries if entry.at <= moment]


async def copied(folder: Path) -> None:
    """The backup that intake is restored from."""
    await as_superuser(folder, f'CREATE DATABASE kept TEMPLATE "{RESTORED}"')


async def restored(folder: Path) -> None:
    """Intake as it was, owner and rights with it, and said so as a person must."""
    rights = [f'REVOKE ALL ON DATABASE "{RESTORED}" FROM PUBLIC']
    rights += [f'GRANT CONNECT ON DATABASE "{RESTORED}" TO "{RESTORED}_{role}"' for role in ("app", "log")]
    await as_superuser(
        folder,
        f'DROP DATABASE "{RESTORED}"',
        f'ALTER DATABASE kept RENAME TO "{RESTORED}"',
        f'ALTER DATABASE "{RESTORED}" OWNER TO "{RESTORED}_owner"',
        *rights,
    )
    server = EmbeddedPostgres(folder / "postgres", folder / "run")
    await server.start()
    await begin_new_lineage(owner_dsn(server.superuser_dsn, Home(folder), RESTORED))
    await server.stop()


async def as_superuser(folder: Path, *statements: str) -> None:
    server = EmbeddedPostgres(folder / "postgres", folder / "run")
    await server.start()
    connection = await asyncpg.connect(server.superuser_dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()
        await server.stop()


def owner_dsn(server: str, home: Home, service: str) -> str:
    return dsn_of(server, service, f"{service}_owner", home.secrets["passwords"][f"{service}_owner"])


async def accepted_by_all(together: Together) -> None:
    """Everybody who received more of intake than it still knows goes on with it, and rebuilds what they show."""
    server = together.postgres.superuser_dsn
    for name, service in together.services.items():
        if RESTORED not in service.card.consumes():
            continue
        feed = NatsFeed(service.nc, service.settings.jurisdiction, RESTORED)
        await accept_lineage(owner_dsn(server, together.home, name), RESTORED, feed)
        pool = await open_pool(service.settings.app_dsn, 2, "shadow, work, record")
        sources = list(service.card.consumes())
        replay = Replay(name, pool, service.sealer, service.card.inline, service.card.projections, sources)
        await replay.fill()
        await replay.swap()
        await pool.close()


async def last_hour(now: Lived) -> dict[str, Any]:
    """A letter that finds no mail server, and a tip that gets no number; what the town says of itself then."""
    stage, services = now.stage, now.together.services
    await stage.time.quiet()
    given = await story.last_letter(stage.scene("最后一封信"))

    async def only_the_letter_is_left() -> Any:
        looks = {name: await service.standing() for name, service in services.items()}
        received = all(
            looks[name].received.get(source, 0) == looks[source].head
            for name, service in services.items()
            for source in service.card.consumes()
        )
        tried = await services["notify"].pool.fetchval(TRIED)
        return received and tried and {look.waits for look in looks.values()} <= WHILE_SENDING

    await eventually(only_the_letter_is_left)
    left = await told(now, str(given["receipt"]))
    (sequencer,) = [task for task in asyncio.all_tasks() if task.get_name() == "intake sequencer"]
    sequencer.cancel()
    await asyncio.wait([sequencer])
    await story.unnumbered(stage.scene("停机前"))
    return left


async def told(now: Lived, receipt: str) -> dict[str, Any]:
    """For left.json."""
    services = now.together.services
    types: dict[str, int] = {}
    streams = {}
    for name, service in services.items():
        types |= {row[0]: row[1] for row in await service.pool.fetch(TYPES)}
        info = await service.nc.jetstream().stream_info(stream_name(service.settings.jurisdiction, name))
        streams[name] = {"created": info.created.isoformat(), "last": info.state.last_seq}  # type: ignore[union-attr]
    return {
        "version": VERSION,
        "moment": now.stage.time.now().isoformat(),
        "receipt": receipt,
        "informant": story.INFORMANT,
        "streams": streams,
        "types": dict(sorted(types.items())),
        "missing": sorted(CONTRACTS.types.keys() - types.keys()),
    }


async def contents(now: Lived) -> dict[str, bytes]:
    """REPORT@VERSION.json → the bytes that the report's hash is over."""
    rows = await now.together.services["reporting"].pool.fetch(SAID)
    director = now.stage.cast.token(now.stage.cast.one("office_director"))
    found = {}
    for row in rows:
        answer = await now.stage.http.get(
            f"/reporting/v1/reports/{row['report']}/content",
            params={"version": row["version"]},
            headers={"Authorization": f"Bearer {director}"},
        )
        answer.raise_for_status()
        found[f"{row['report']}@{row['version']}.json"] = answer.content
    return found


async def keep(archive: Path) -> None:
    folder = Path(tempfile.mkdtemp(prefix="minewatch-kept-"))
    try:
        left = await lived_through(folder)
        places = [str(place).encode() for place in (folder, ROOT)]
        told = [place for place in places if place in packed(folder)]
        assert not told, f"the town says where it was made: {told}"
        pack(folder, archive)
    finally:
        shutil.rmtree(folder)
    print(
        f"{archive}: {archive.stat().st_size:,} bytes, {sum(left['types'].values())} events of {len(left['types'])} types"
    )
    print("did not happen:", ", ".join(left["missing"]) or "nothing is missing")


def main() -> None:
    parser = argparse.ArgumentParser(description="Keeps a town of this version for the upgrade test.")
    parser.add_argument("--into", type=Path, help="a file for a trial, instead of tests/upgrade/kept/VERSION")
    trial = parser.parse_args().into
    archive = trial or KEPT / VERSION / NAME
    if archive.exists():
        raise SystemExit(f"{archive} is there; what was kept is never made again")
    asyncio.run(keep(archive))
    if not trial:
        with (KEPT / SUMS).open("a", encoding="utf-8") as kept:
            kept.write(f"{hashlib.sha256(archive.read_bytes()).hexdigest()}  {VERSION}/{NAME}\n")


if __name__ == "__main__":
    main()
