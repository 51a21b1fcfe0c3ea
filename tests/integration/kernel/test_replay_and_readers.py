"""Who reads while a rebuild's tables take the live ones' place sees all of the old or all of the new ones."""

import asyncio

import asyncpg
import pytest

from shared.errors import NotReady
from shared.read_model import reading
from tests.support.kernel import Assign, Place, a_cause, until
from tests.support.rebuilding import a_replay, caught_up, content, recomputed
from tests.support.toy import LINES


async def test_a_view_taken_before_the_exchange_holds_it_back_and_shows_everything(
    live: Place, shadow: asyncpg.Pool
) -> None:
    """Else it would be shown the new tables' rows as they were when it was taken."""
    await live.fill(3)
    await caught_up(live)
    replay = a_replay(live, shadow)
    await replay.fill()
    await live.fill(3, "b")
    await caught_up(live)
    whole = await live.pool.fetchval("SELECT count(*) FROM toy_line")
    async with reading(live.pool, [LINES]) as tx:
        assert await tx.value("SELECT 1") == 1
        swapping = asyncio.create_task(replay.swap())
        await asyncio.wait([swapping], timeout=0.3)
        assert await tx.value("SELECT count(*) FROM toy_line") == whole and not swapping.done()
    await swapping


async def test_a_view_that_is_wanted_during_the_exchange_is_taken_after_it(live: Place, shadow: asyncpg.Pool) -> None:
    await live.fill(3)
    await caught_up(live)
    replay = a_replay(live, shadow)
    await replay.fill()
    await live.fill(3, "b")
    await caught_up(live)
    whole = await live.pool.fetchval("SELECT count(*) FROM toy_line")
    async with live.pool.acquire() as holding:
        transaction = holding.transaction()
        await transaction.start()
        await holding.execute("SELECT FROM toy_type")  # dropped last
        swapping = asyncio.create_task(replay.swap())
        await until(live.somebody_waits)
        entering = asyncio.create_task(_lines_seen(live))
        await asyncio.wait([entering], timeout=0.3)
        assert not entering.done()
        await transaction.rollback()
    await swapping
    assert await entering == whole


async def _lines_seen(place: Place) -> int:
    async with reading(place.pool, [LINES]) as tx:
        return int(await tx.value("SELECT count(*) FROM toy_line"))


async def test_whoever_reads_for_long_makes_the_swap_give_up_and_appends_go_on(
    live: Place, shadow: asyncpg.Pool
) -> None:
    await live.fill(3)
    await live.number()
    replay = a_replay(live, shadow, at_most=0.2)
    await replay.fill()
    async with reading(live.pool, [LINES]):
        with pytest.raises(NotReady, match="reading or writing for long"):
            await replay.swap()
        await live.app.handle(Assign(site="a"), a_cause())
    await live.number()
    await replay.swap()
    assert await content(live) == await recomputed(live)
