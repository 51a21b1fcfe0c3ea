"""`minewatch rebuild`: it shows how far it is, serving goes on, and one that is killed leaves the live read models alone."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import asyncpg

from shared.service import Service
from tests.integration.replay.environment import environment_of
from tests.integration.replay.week import Week
from tests.integration.reporting.desk import REPORTS
from tests.support.kernel import until
from tests.support.services import Ground

MINEWATCH = Path(sys.executable).parent / "minewatch"
SHADOW = "SELECT count(*) FROM pg_tables WHERE schemaname = 'shadow'"


async def a_rebuild(week: Week) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        MINEWATCH, "rebuild", "reporting",
        env=environment_of(week.reporting.settings),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip


async def content(service: Service) -> dict[str, list[Any]]:
    tables = [table.name for model in service.card.models() for table in model.tables]
    sql = 'SELECT to_jsonb(t)::text AS row FROM view."{}" t ORDER BY 1'
    return {table: [row["row"] for row in await service.pool.fetch(sql.format(table))] for table in tables}


async def test_killed_in_the_middle_it_leaves_the_live_tables_alone_and_what_it_made_is_cleared(
    week: Week, ground: Ground
) -> None:
    service = week.reporting
    before = await content(service)
    holder = await asyncpg.connect(ground.templates.dsn(service.settings.app_dsn.rsplit("/", 1)[-1]))
    transaction = holder.transaction()
    await transaction.start()
    await holder.execute("LOCK TABLE record.inbox IN ACCESS EXCLUSIVE MODE")  # so that it comes to a stand halfway
    killed = await a_rebuild(week)

    async def halfway() -> bool:
        waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%inbox%LIMIT%'"
        return bool(await service.pool.fetchval(SHADOW)) and bool(await service.pool.fetchval(waits))

    await until(halfway, 60)
    page = await week.desk.town.http.get(f"{REPORTS}/{week.desk.id('town', 1)}", headers=week.desk.headers("clerk"))
    assert page.status_code == 200, "serving goes on"
    killed.kill()
    await killed.wait()
    await transaction.rollback()
    await holder.close()
    assert await content(service) == before
    assert await service.pool.fetchval(SHADOW) > 0, "what it left behind"

    async def cleared() -> bool:
        """As the service does when it opens."""
        beside = Service(service.card, service.settings, service.clock, frozenset())
        await beside.open()
        await beside.close()
        return bool(await service.pool.fetchval(SHADOW) == 0)

    await until(cleared, 60)
    assert await content(service) == before


async def test_its_progress_is_shown_source_by_source(week: Week) -> None:
    done = await a_rebuild(week)
    assert done.stdout is not None
    told = (await asyncio.wait_for(done.stdout.read(), 60)).decode()
    assert await done.wait() == 0, told
    for source in ("reporting", "cases", "intake"):
        assert any(line.startswith(source) and "100%" in line for line in told.splitlines()), told
    assert await week.reporting.pool.fetchval(SHADOW) == 0
