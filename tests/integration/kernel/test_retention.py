"""Tidying removes what is done and past its time, little by little; the record, what waits and what was decided stay."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from shared.parked import dismiss, dismissed, waiting
from shared.retention import KeptTooShort, Retention, Tidying
from tests.support.kernel import OpenSite, Place, a_cause
from tests.support.reacting import a_reactor, adds_up, copies, walked
from tests.support.toy import Mirror

DAY = timedelta(days=1)


async def tidied(place: Place, **changes: Any) -> dict[str, int]:
    return await Tidying(place.name, **({"pool": place.pool, "batch": 2, "pause": 0.0} | changes)).once()


class Counting:
    """A pool that notes how many rows each statement removed."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self.removed: list[int] = []

    async def execute(self, *given: Any) -> str:
        status: str = await self._pool.execute(*given)
        self.removed.append(int(status.split()[-1]))
        return status


async def older(place: Place, table: str, column: str, by: timedelta) -> None:
    await place.forced(f"UPDATE work.{table} SET {column} = {column} - interval '{by.days} days'")


async def a_delivery(place: Place, state: str) -> UUID:
    delivery_id = uuid4()
    await place.pool.execute(
        "INSERT INTO work.delivery (delivery_id, event_id, stream_id, channel, correlation, state)"
        " VALUES ($1, $1, 's', 'email', 'c', $2)",
        delivery_id,
        state,
    )
    return delivery_id


async def record(place: Place) -> list[int]:
    tables = ("event", "log", "inbox", "lineage", "file", "forgotten")
    return [await place.pool.fetchval(f"SELECT count(*) FROM record.{table}") for table in tables]


async def test_answers_are_forgotten_after_their_time_and_the_record_stays(source: Place) -> None:
    for n in range(5):
        await source.app.handle(OpenSite(site=f"s{n}", no=n), a_cause())
    await source.number()
    before = await record(source)
    assert await tidied(source) == {"answers": 0, "deliveries": 0, "reactions": 0}
    await older(source, "answer", "answered_at", 91 * DAY)
    late = a_cause()
    await source.app.handle(OpenSite(site="new", no=99), late)
    assert (await tidied(source))["answers"] == 5
    assert (await source.app.handle(OpenSite(site="new", no=99), late)).repeated
    await source.number()
    assert [n - m for n, m in zip(await record(source), before, strict=True)] == [1, 1, 0, 0, 0, 0]


async def test_only_deliveries_that_are_done_are_forgotten(source: Place) -> None:
    kept = [await a_delivery(source, state) for state in ("open", "dead")]
    await a_delivery(source, "done")
    await older(source, "delivery", "next_at", 181 * DAY)
    kept.append(await a_delivery(source, "done"))
    assert (await tidied(source))["deliveries"] == 1
    rows = await source.pool.fetch("SELECT delivery_id FROM work.delivery")
    assert {row[0] for row in rows} == set(kept)


@pytest.mark.parametrize("state", ["open", "dead"])
async def test_a_delivery_that_is_not_done_cannot_be_deleted_at_all(source: Place, state: str) -> None:
    await a_delivery(source, state)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await source.pool.execute("DELETE FROM work.delivery")


async def test_of_reactions_what_was_done_goes_and_what_waits_or_was_dismissed_stays(source: Place) -> None:
    mirror = Mirror({"site-a", "site-b", "site-c"})
    for site in "abc":
        await source.fill(1, site)
    reactor = a_reactor(source, mirror.reactions)
    await walked(source, reactor)
    mirror.refuses.discard("site-a")
    assert await reactor.retry("copy", "site-a")
    await dismiss(source.pool, source.name, (await waiting(source.pool))[0].parked_id, "p-1", "x")
    await older(source, "parked", "parked_at", 366 * DAY)
    assert (await tidied(source))["reactions"] == 1
    assert [row.subject for row in await waiting(source.pool)] == ["site-c"]
    assert [row.subject for row in await dismissed(source.pool)] == ["site-b"]
    await walked(source, reactor)
    assert await copies(source) == {"site-a-copy": 1}
    await adds_up(source)


async def test_it_goes_in_small_batches_and_two_at_once_remove_each_row_once(source: Place) -> None:
    for n in range(7):
        await source.app.handle(OpenSite(site=f"s{n}", no=n), a_cause())
    await older(source, "answer", "answered_at", 91 * DAY)
    counting = Counting(source.pool)
    both = await asyncio.gather(tidied(source, pool=counting), tidied(source, pool=counting))
    assert sum(one["answers"] for one in both) + (await tidied(source))["answers"] == 7
    assert max(counting.removed) == 2


async def test_it_runs_by_itself_and_outlives_a_database_that_is_away(source: Place) -> None:
    await source.app.handle(OpenSite(site="a"), a_cause())
    await older(source, "answer", "answered_at", 91 * DAY)
    tidying = asyncio.create_task(Tidying(source.name, source.pool, every=0.02).run())
    async with asyncio.timeout(30):
        async with source.away():
            await asyncio.sleep(0.1)
            assert not tidying.done()
        while await source.pool.fetchval("SELECT EXISTS (SELECT FROM work.answer)"):
            await asyncio.sleep(0.01)
    tidying.cancel()


def test_settings_are_days_and_not_too_few() -> None:
    assert Retention.from_environment({}) == Retention(90 * DAY, 180 * DAY, 365 * DAY)
    given = Retention.from_environment({"MINEWATCH_KEEP_ANSWERS": "7", "MINEWATCH_KEEP_REACTIONS": "30"})
    assert (given.answers, given.deliveries, given.reactions) == (7 * DAY, 180 * DAY, 30 * DAY)
    for wrong in ("6", "0", "-9", "a week", "7.5"):
        with pytest.raises(KeptTooShort, match="MINEWATCH_KEEP_DELIVERIES"):
            Retention.from_environment({"MINEWATCH_KEEP_DELIVERIES": wrong})
