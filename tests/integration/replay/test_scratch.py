"""Scratch databases are never left behind: dropped at the end, and after a death by the next who makes one."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from shared.audit.scratch import scratch, sweep
from shared.embedded.home import Home
from shared.errors import NotReady
from tests.support.kernel import until
from tests.support.services import Ground

THERE = "SELECT count(*) FROM pg_database WHERE datname = $1"
DIES = """
import asyncio, sys
from shared.audit.scratch import scratch
async def main():
    async with scratch(sys.argv[1]) as made:
        print(made.name, file=sys.stderr, flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""


@pytest.fixture
async def address(ground: Ground) -> str:
    await ground.templates.prepare()
    return ground.templates.dsn("postgres", "scratch")


async def test_it_is_dropped_at_the_end_also_of_a_failure_and_with_somebody_reading(address: str, server: Any) -> None:
    with pytest.raises(ValueError, match="no"):
        async with scratch(address) as made:
            reading = await made.reading()
            assert await reading.fetchval("SELECT 1") == 1
            assert await server.fetchval(THERE, made.name) == 1
            raise ValueError("no")
    assert await server.fetchval(THERE, made.name) == 0
    reading.terminate()


async def test_what_is_read_from_it_cannot_be_written(address: str) -> None:
    async with scratch(address) as made:
        await made.pool.execute("CREATE SCHEMA view; CREATE TABLE view.a (b int)")
        reading = await made.reading()
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await reading.execute("INSERT INTO a VALUES (1)")
        reading.terminate()


async def test_one_of_a_killed_process_is_swept_by_the_next_and_one_that_is_held_is_not(
    address: str, server: Any
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", DIES, address, stderr=asyncio.subprocess.PIPE, env={"PYTHONPATH": "."}
    )
    assert process.stderr is not None  # what it swept of others' it logs to stdout
    name = (await asyncio.wait_for(process.stderr.readline(), 30)).decode().strip()
    async with scratch(address):
        assert await server.fetchval(THERE, name) == 1, "somebody holds it"
    process.kill()
    await process.wait()
    assert await server.fetchval(THERE, name) == 1

    async def swept() -> bool:
        """Postgres needs a moment to see that its client is gone."""
        async with scratch(address):
            return bool(await server.fetchval(THERE, name) == 0)

    await until(swept)
    assert await sweep(address) == []


async def test_the_role_for_it_reaches_no_services_database(ground: Ground, address: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(ground.templates.dsn("cases", "scratch"))


async def test_a_role_that_may_not_make_databases_and_one_that_is_not_there_are_named(ground: Ground) -> None:
    await ground.templates.prepare()
    for role in (ground.templates.dsn("postgres", "cases_app"), "postgresql://nobody:x@" + address_of(ground)):
        with pytest.raises(NotReady, match="MINEWATCH_SCRATCH_DSN"):
            async with scratch(role):
                pass


def test_a_town_of_before_gets_a_password_for_the_role_and_keeps_it(tmp_path: Path) -> None:
    assert Home(tmp_path).secrets["passwords"]["scratch"]
    file = tmp_path / "keys" / "secrets.json"
    kept = json.loads(file.read_text("utf-8"))
    former = kept["passwords"].pop("scratch")
    file.write_text(json.dumps(kept), "utf-8")
    made = Home(tmp_path).secrets
    assert made["passwords"]["scratch"] not in ("", former) and made["master_key"] == kept["master_key"]
    assert Home(tmp_path).secrets == made


def address_of(ground: Ground) -> str:
    return ground.templates.dsn("postgres").rpartition("@")[2]
