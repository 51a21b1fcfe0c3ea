"""A restore that is killed begins again by itself; nothing starts on the half that it left, and who was erased stays erased."""

import json
import shutil
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg
import pytest

from services.together import town as up
from shared.backup.manifest import Manifest
from shared.clock import SystemClock
from shared.contracts.intake.informant import InformantErased
from shared.database import dsn_of
from shared.embedded.home import Home
from shared.embedded.postgres import EmbeddedPostgres
from shared.errors import NotReady
from shared.half_restored import alone_beside, alone_on, beside, refuse_half
from shared.identity.key_store import KeyStore
from shared.service import Service
from shared.settings import SERVICES
from tests.support.backups import WRAPPER, BackedUp
from tests.support.commands import Said
from tests.support.dying import dying
from tests.support.kernel import until
from tests.support.servers import PostgresAddress
from tests.support.services import MASTER_KEY
from tests.support.town import stop_servers

ALL = (*SERVICES, "keys")
OTHERS = "SELECT count(*) FROM pg_stat_activity WHERE datname = ANY($1::text[]) AND pid <> pg_backend_pid()"
WORKS = "SELECT count(*) FILTER (WHERE subject = $1), count(*) FROM public.key WHERE wrapped IS NOT NULL"
GREW = "SELECT count(*) FROM record.lineage"
LOG = "SELECT body FROM record.log JOIN record.event USING (event_id) ORDER BY position"


@dataclass
class Taken:
    """`backup` knows nothing yet of the erasure of `erased`, `newer` does. `bodies` by service, as they are in `backup`."""

    town: BackedUp
    backup: Path
    newer: Path
    erased: str
    bodies: Mapping[str, list[bytes]]

    @property
    def words(self) -> tuple[object, ...]:
        return ("restore", "--from", self.backup, "--unproven")

    async def sound(self, server: str, lineages: int = 2) -> None:
        """What stands on the server is all of the backup, once, and without the key of whoever was erased."""
        for name in SERVICES:
            connection = await asyncpg.connect(at(server, name))
            assert [row["body"] for row in await connection.fetch(LOG)] == self.bodies[name], name
            assert await connection.fetchval(GREW) == lineages, name
            await refuse_half(connection, name)
            await connection.close()
        keys = await asyncpg.connect(at(server, "keys"))
        of_erased, of_all = await keys.fetchrow(WORKS, self.erased) or ()
        await refuse_half(keys, "keys")
        await keys.close()
        assert of_erased == 0 < of_all


def at(server: str, database: str) -> str:
    return server.rsplit("/", 1)[0] + f"/{database}"


@pytest.fixture(scope="module")
async def taken(town: BackedUp) -> AsyncIterator[Taken]:
    await town.a_tip(anonymous=False, name="程晓岚", contact="13912345678")
    await town.town.settled(60)
    pool = await asyncpg.create_pool(town.dsn("keys"), min_size=1, max_size=1)
    keys = KeyStore(pool, WRAPPER, "intake", frozenset({"custodian"}))
    await keys.sealing_key(erased := "informant-of-the-killed", "custodian", "tip-of-the-killed")
    backup = await town.backup("killed")
    ends = {name: part.position for name, part in Manifest.read(backup).services.items()}
    bodies = {name: await town.bodies(name, ends[name]) for name in SERVICES}
    await keys.destroy(erased)
    await pool.close()
    await town.says("intake", "tip-of-the-killed", InformantErased(subject=erased))
    await town.town.settled(60)
    yield Taken(town, backup, await town.backup("killed-newer"), erased, bodies)


# ------------------------------------------------------------------------------------------------ a server's databases


async def left_alone(server: PostgresAddress) -> None:
    """Postgres has noticed that the process is gone."""
    admin = await asyncpg.connect(server.superuser_dsn)
    try:
        await until(lambda: nobody(admin), 30)
    finally:
        await admin.close()


async def nobody(admin: asyncpg.Connection) -> bool:
    return bool(await admin.fetchval(OTHERS, list(ALL)) == 0)


async def halves(server: PostgresAddress) -> set[str]:
    """Databases that nothing starts on."""
    found = set()
    for name in ALL:
        connection = await asyncpg.connect(at(server.superuser_dsn, name))
        try:
            await refuse_half(connection, name)
        except NotReady as refused:
            assert "Run minewatch restore --from " in str(refused)
            found.add(name)
        finally:
            await connection.close()
    return found


async def opened(taken: Taken, server: PostgresAddress, name: str) -> None:
    """As whatever runs a service does."""
    of = taken.town.town.services[name]
    dsns = {f"{role}_dsn": dsn_of(server.superuser_dsn, name, f"{name}_{role}", "p") for role in ("app", "log")}
    keys = {"keys_dsn": dsn_of(server.superuser_dsn, "keys", "keys_office", "p"), "keys_custodian_dsn": None}
    service = Service(of.card, replace(of.settings, **dsns, **keys), SystemClock(), frozenset())
    try:
        await service.open()
    finally:
        for pool in (service.pool, service.log_pool, service.keys_pool):
            pool.terminate()
        await service.nc.close()


WHILE_MARKED = ("marked", "keys filled", "keys put back", "intake emptied", "intake filled", "intake put back",
    "notify filled", "all put back")  # fmt: skip


async def test_on_a_server_it_begins_again_wherever_it_was_killed(
    taken: Taken, server: PostgresAddress, environment: dict[str, str], tmp_path: Path
) -> None:
    """Each begins on what the one before has left. The last is not told where the erasure stands: the half knew of it."""

    async def killed(point: str, *also: object) -> Said:
        said = await dying(f"restore: {point}", (*taken.words, *also), tmp_path, environment)
        assert said.code == -9, (point, said.text)
        await left_alone(server)
        return said

    for point in WHILE_MARKED:
        await killed(point, "--also", taken.newer)
        assert await halves(server) == set(ALL), point
    with pytest.raises(NotReady, match=f"intake is one of the databases .* --from {taken.backup} once more"):
        await opened(taken, server, "intake")
    named = environment | {"MINEWATCH_JURISDICTION": taken.town.jurisdiction}
    said = await dying(None, ("backup", "--to", tmp_path / "of-the-half"), tmp_path, named)
    assert said.code == 2 and "they are no town yet" in said.text
    said = await dying(None, ("migrate", "--prepare"), tmp_path, environment)
    assert said.code == 2 and "they are no town yet" in said.text, said.text
    async with alone_on(server.superuser_dsn):
        said = await dying(None, taken.words, tmp_path, environment)
    assert said.code == 2 and "Another restore is at work on this server" in said.text, said.text

    await killed("unmarked")
    assert await halves(server) == set()
    await taken.sound(server.superuser_dsn)
    said = await dying(None, taken.words, tmp_path, environment)
    assert said.code == 2
    assert "it was restored already, and waits for its read models. Go on with minewatch rebuild intake" in said.text


async def test_one_database_alone_begins_again_and_the_others_live_on(
    taken: Taken, server: PostgresAddress, environment: dict[str, str], tmp_path: Path
) -> None:
    """The keys live on: they are told of the erasure before anything is put back."""
    said = await dying(None, (*taken.words, "--also", taken.newer), tmp_path, environment)
    assert said.code in (0, 2), said.text  # by the test before
    admin = await asyncpg.connect(server.superuser_dsn)
    await admin.execute('DROP DATABASE "intake"')
    await admin.close()
    keys = await asyncpg.connect(at(server.superuser_dsn, "keys"))
    await keys.execute(
        "UPDATE public.key SET wrapped = sha256('x'), destroyed_at = NULL WHERE subject = $1", taken.erased
    )
    await keys.close()
    for point in ("erased again", "intake filled"):
        words = (*taken.words, "intake", "--also", taken.newer)
        said = await dying(f"restore: {point}", words, tmp_path, environment)
        assert said.code == -9, said.text
        await left_alone(server)
        assert await halves(server) == {"intake"}
    await opened(taken, server, "cases")
    said = await dying(None, (*taken.words, "intake"), tmp_path, environment)
    assert said.code == 0, said.text
    await taken.sound(server.superuser_dsn)


# ------------------------------------------------------------------------------------------------ an embedded town


@pytest.fixture
async def data(tmp_path: Path) -> AsyncIterator[Path]:
    data = tmp_path / "town"
    yield data
    for folder in (data, beside(data)):
        await stop_servers(folder)


def secrets_of(folder: Path) -> Path:
    """As the lost town's folder keys/ was kept: its master key opens what is in the backup."""
    Home(folder).secrets  # noqa: B018 - made by the first look
    kept = folder / "keys" / "secrets.json"
    kept.write_text(json.dumps(json.loads(kept.read_text("utf-8")) | {"master_key": MASTER_KEY}), "utf-8")
    return folder / "keys"


def running(folder: Path) -> list[int]:
    """Servers of this folder."""
    return alive(int(path.read_text()) for path in (folder / "run").glob("*.pid"))


def alive(pids: Iterable[int]) -> list[int]:
    stats = {pid: Path(f"/proc/{pid}/stat") for pid in pids}
    return [pid for pid, stat in stats.items() if stat.exists() and stat.read_text().rpartition(") ")[2][0] != "Z"]


async def test_a_town_gets_its_name_last_and_until_then_nothing_starts_in_its_place(
    taken: Taken, data: Path, tmp_path: Path
) -> None:
    data.mkdir()
    backup = shutil.copytree(taken.backup, tmp_path / "carried")
    (backup / "plans" / "slipped-in.yaml").write_text("?", "utf-8")
    words = (
        "restore",
        "--from",
        backup,
        "--unproven",
        "--data",
        data,
        "--secrets",
        secrets_of(tmp_path / "safe"),
        "--also",
        taken.newer,
    )
    with alone_beside(data):
        said = await dying(None, words, tmp_path)
    assert said.code == 2 and "Another restore is at work in" in said.text, said.text
    left: list[int] = []
    for point in ("secrets copied", "cases put back", "folder gone"):
        said = await dying(f"restore: {point}", words, tmp_path)
        assert said.code == -9, said.text
        assert beside(data).exists() and not any(data.glob("*")), point
        left += running(beside(data))
        for folder in (data, beside(data)):
            with pytest.raises(NotReady, match=r"it is no town yet. Run minewatch restore once more"):
                async with up(folder):
                    raise AssertionError("it came up")
    assert not data.exists()
    said = await dying(None, words, tmp_path)
    assert said.code == 0, said.text
    assert not beside(data).exists() and running(data) == []
    assert len(left) == 2 and alive(left) == [], "the servers that ran on when it was killed are stopped"
    assert sorted(path.name for path in (data / "plans").iterdir()) == ["zhenchengdi-2018.yaml"]
    postgres = EmbeddedPostgres(data / "postgres", data / "run")
    await postgres.start()
    await taken.sound(postgres.superuser_dsn)
    await postgres.stop()
