"""One command takes a town's backup while it runs, one makes a town of it elsewhere; an old one put back in silence is found."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg
import pytest

from shared.backup.manifest import KEYS, Manifest
from shared.settings import SERVICES, Settings
from tests.support.attacked_town import ground_at, policy_text, witnessed
from tests.support.attacks import Attacked, Ground
from tests.support.commands import Said, command, environment_of
from tests.support.postgres_tools import tool
from tests.support.servers import NatsAddress
from tests.support.town import Town, a_town, eventually, well

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "COLUMNS": "200"}


async def all_witnessed(folder: Path) -> bool:
    """To the last event of each log; the town writes its logs' keys into the policy as they begin."""
    ground = await ground_at(folder)
    return None not in [await witnessed(ground, name) for name in SERVICES]


async def minewatch(*words: object) -> Said:
    return await command(ENVIRONMENT, *map(str, words))


@dataclass(frozen=True)
class Dumped:
    """intake's database as its administrator dumped it, and the checkpoint that an auditor had of it then."""

    dump: bytes
    known: bytes


@pytest.fixture(scope="module", autouse=True)
async def before(running_town: Town) -> Dumped:
    """Taken before everything that the tests here record."""
    await running_town.post("/intake/v1/public/tips", {"words": "备份之前"})
    await well(running_town)
    ground = await ground_at(running_town.folder)
    known = await eventually(lambda: witnessed(ground, "intake"))
    return Dumped(tool("pg_dump", ground.dsn("intake"), "--format=custom"), known)


async def test_a_town_is_backed_up_while_it_runs_and_made_anew_elsewhere(
    running_town: Town, folder: Path, tmp_path: Path
) -> None:
    receipt = (await running_town.post("/intake/v1/public/tips", {"words": "夜里有车拉煤"}))["receipt"]
    await well(running_town)
    await eventually(lambda: all_witnessed(running_town.folder))
    (policy := tmp_path / "policy").write_text(policy_text(running_town.folder), "utf-8")
    backup, keys, secrets = tmp_path / "backup", tmp_path / "keys.gz", running_town.folder / "keys"
    taken = await minewatch("backup", "--to", backup, "--keys-to", keys, "--data", running_town.folder)
    assert taken.code == 0, taken.text
    assert "sha256 of the manifest: " in taken.text and f"  {secrets}: the master key" in taken.text
    assert not (backup / KEYS).exists()

    await running_town.post("/intake/v1/public/tips", {"words": "备份之后"})
    await well(running_town)
    words = ("--from", backup, "--data", folder, "--secrets", secrets, "--keys", keys, "--also", running_town.folder)
    refused = await minewatch("restore", *words)
    assert (refused.code, "anybody may have made it up" in refused.text) == (2, True), refused.text
    restored = await minewatch("restore", *words, "--policy", policy)
    assert restored.code == 0, restored.text
    assert "  intake.tip.received.v1  " in restored.text and "stands in the stream of intake" in restored.text
    end = Manifest.read(backup).services["intake"].position
    assert f"intake goes on from position {end} as lineage " in restored.text
    assert not (folder.parent / f".{folder.name}.restoring").exists()
    async with a_town(folder) as town:
        status = await town.post("/intake/v1/public/tips/status", {"receipt": receipt})
        assert status["state"] == "received"
        await town.post("/intake/v1/public/tips", {"words": "又来了"})
        await well(town)


@asynccontextmanager
async def put_back(ground: Ground, before: Dumped, nats: NatsAddress) -> AsyncIterator[Attacked]:
    """What intake would run on if its superuser had put the dump in the place of its database, and the old stream with it."""

    def settings_of(name: str) -> Settings:
        return replace(ground.settings_of(name), nats_url=nats.url)

    admin, name = await asyncpg.connect(ground.dsn("postgres")), "intake_put_back"
    await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    try:
        tool("pg_restore", ground.dsn(name), "--exit-on-error", given=before.dump)
        at = Attacked(replace(ground, settings_of=settings_of), "intake", name)
        await at.refill(lambda bodies: [*bodies])
        yield at
    finally:
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await admin.close()


async def test_an_old_backup_put_back_in_silence_is_found_by_the_checkpoint_that_was_kept_since(
    running_town: Town, before: Dumped, nats_server: NatsAddress, tmp_path: Path
) -> None:
    """Database and stream agree in everything, and so do the checkpoints in it, signed and witnessed in their time."""
    await running_town.post("/intake/v1/public/tips", {"words": "备份之后，又有人见证"})
    await well(running_town)
    ground = await ground_at(running_town.folder)
    since = await eventually(lambda: witnessed(ground, "intake"))
    (tmp_path / "policy").write_text(policy_text(running_town.folder), "utf-8")
    (tmp_path / "since").write_bytes(since)
    words = ("--policy", tmp_path / "policy", "--known", tmp_path / "since", "--service", "intake")
    async with put_back(ground, before, nats_server) as at:
        end, signed = await at.value("SELECT position FROM work.head"), int(since.split(b"\n")[1])
        assert await at.value("SELECT max(size) FROM record.cosignature") == end < signed
        then = replace(at, ground=replace(at.ground, known={"intake": before.known}))
        assert await then.found() == []
        environment = environment_of(at.settings) | {"MINEWATCH_SCRATCH_DSN": at.settings.scratch_dsn or ""}
        said = await command(environment, *map(str, ("audit", "verify", "--live", *words)))
    place = f"a signed checkpoint is about {signed} events, the log ends at {end}: its end was cut off"
    assert f"doubt intake: event {end + 1}: {place}" in said.text
    assert (said.code, "结论：有疑点 1 处" in said.text) == (1, True), said.text
