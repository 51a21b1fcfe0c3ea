"""A cut fixes what a report says: whatever comes later, and in whatever order the sources' events came in."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.reporting.read_models import fact
from services.reporting.recount import content_at
from shared.contracts.envelope import Recorded
from shared.contracts.parts import CutAt
from shared.database import SEARCH_PATH, open_pool
from shared.read_model import write_all
from shared.sql import Tx
from tests.integration.reporting.histories import FIRST, LINEAGE, PLAN, SECOND, histories, logs_of, recounted
from tests.support.kernel import Templates
from tests.support.servers import PostgresAddress

REPORTS = [
    {
        "report": f"r-{unit}-{p.no}",
        "unit": unit,
        "period_no": p.no,
        "starts_at": p.starts_at,
        "cut_off_at": p.cut_off_at,
    }
    for unit in ("town", "dulan", "police_station")
    for p in (FIRST, SECOND)
]
PERIODS = {1: FIRST, 2: SECOND}
slowly = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="session")
async def shelf(postgres_server: PostgresAddress) -> AsyncIterator[asyncpg.Pool]:
    """A database with the table of facts and nothing else."""
    templates = Templates(postgres_server)
    database = await templates.copy("reporting")
    pool = await open_pool(templates.dsn(database, "reporting_app"), 2, SEARCH_PATH)
    for statement in fact.READ_MODEL.ddl():
        await pool.execute(statement)
    yield pool
    pool.terminate()
    await templates.drop(database)


async def write(tx: Tx, events: Sequence[Recorded[Any]]) -> None:
    for e in events:
        await write_all(tx, [fact.READ_MODEL], e)


def cut(cases: int, intake: int) -> tuple[CutAt, ...]:
    positions = {"cases": cases, "intake": intake}
    return tuple(CutAt(source=source, lineage=LINEAGE, position=at) for source, at in positions.items())


async def contents(tx: Tx, at: tuple[CutAt, ...]) -> list[bytes]:
    return [(await content_at(tx, PLAN, line, at)).canonical for line in REPORTS]


@slowly
@given(steps=histories, data=st.data())
async def test_what_came_later_changes_no_byte_at_an_earlier_cut(shelf: asyncpg.Pool, steps: Any, data: Any) -> None:
    cases, intake = logs_of(steps)
    here = (data.draw(st.integers(0, len(cases))), data.draw(st.integers(0, len(intake))))
    at = cut(*here)
    async with shelf.acquire() as connection:
        tx = Tx(connection)
        await tx.run("TRUNCATE fact")
        await write(tx, [*cases[: here[0]], *intake[: here[1]]])
        then = await contents(tx, at)
        await write(tx, [*cases[here[0] :], *intake[here[1] :]])
        assert await contents(tx, at) == then


@slowly
@given(steps=histories, data=st.data())
async def test_every_figure_is_the_length_of_its_list_and_what_a_plain_recount_gives(
    shelf: asyncpg.Pool, steps: Any, data: Any
) -> None:
    cases, intake = logs_of(steps)
    seen = (data.draw(st.integers(0, len(cases))), data.draw(st.integers(0, len(intake))))
    async with shelf.acquire() as connection:
        tx = Tx(connection)
        await tx.run("TRUNCATE fact")
        await write(tx, [*cases, *intake])
        for line in REPORTS:
            content = await content_at(tx, PLAN, line, cut(*seen))
            for figure in content.figures:
                assert figure.value == len({one.name for one in figure.events}) == sum(figure.by_phase.values())
            expected = recounted(
                [*cases[: seen[0]], *intake[: seen[1]]], str(line["unit"]), PERIODS[int(str(line["period_no"]))]
            )
            assert {f.figure: f.value for f in content.figures if f.value and f.figure != "late_recorded"} == expected


@slowly
@given(steps=histories, data=st.data())
async def test_the_order_in_which_the_sources_came_in_does_not_matter(
    shelf: asyncpg.Pool, steps: Any, data: Any
) -> None:
    cases, intake = logs_of(steps)
    turns = data.draw(st.permutations(["cases"] * len(cases) + ["intake"] * len(intake)))
    left = {"cases": list(cases), "intake": list(intake)}
    async with shelf.acquire() as connection:
        tx = Tx(connection)
        dumps = []
        for order in ([*cases, *intake], [left[source].pop(0) for source in turns]):
            await tx.run("TRUNCATE fact")
            await write(tx, order)
            rows = await tx.all("SELECT * FROM fact ORDER BY source, position, figure, part, from_position")
            dumps.append([tuple(row) for row in rows])
        assert dumps[0] == dumps[1]
