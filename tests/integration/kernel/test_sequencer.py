"""Numbering: 1, 2, 3 … without a gap, in each stream's order, whatever dies or waits meanwhile."""

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from shared.contracts.envelope import attribute, leaf_of, read
from shared.sequencer import LogBroken
from shared.sql import Tx
from shared.transparency import tree
from tests.support.crash import Killed, kill_at, pause_at
from tests.support.kernel import Assign, OpenSite, Place, a_cause, a_sequencer, running, until

INSIDE = "sequencer: inside a batch"
LOG = "SELECT position, event_id, leaf, sequenced_at FROM record.log ORDER BY position"


async def numbered(place: Place) -> list[asyncpg.Record]:
    """The log, after it was found to be whole: 1..n, each stream in its order, the head and its tree as recomputed."""
    rows = await place.pool.fetch(LOG)
    assert [r["position"] for r in rows] == list(range(1, len(rows) + 1))
    bodies = await place.bodies()
    versions: dict[str, int] = {}
    for body in bodies:
        event = read(body)
        assert event.version == versions.get(event.stream_id, 0) + 1
        versions[event.stream_id] = event.version
    leaves = [leaf_of(body) for body in bodies]
    assert [r["leaf"] for r in rows] == leaves
    head = await place.pool.fetchrow("SELECT position, leaf, frontier, root, sequenced_at FROM work.head")
    assert head is not None
    size, frontier = tree.extend(0, [], leaves)
    assert (head["position"], head["frontier"]) == (size, tree.pack(frontier))
    if rows:
        assert (head["leaf"], head["root"]) == (leaves[-1], tree.root(frontier))
        assert head["sequenced_at"] == rows[-1]["sequenced_at"]
    return rows


async def test_thirty_two_writers_get_numbers_without_a_gap_and_in_the_order_of_each_stream(source: Place) -> None:
    await asyncio.gather(*(source.app.handle(OpenSite(site=f"s{n}"), a_cause()) for n in range(8)))

    async def of_one_stream(n: int) -> None:
        for _ in range(5):
            await source.app.handle(Assign(site=f"s{n}", times=3), a_cause())

    async def of_many(n: int) -> None:
        for k in range(5):
            await source.app.handle(OpenSite(site=f"c{n}-{k}"), a_cause())

    async with running(a_sequencer(source)):
        await asyncio.gather(*(of_one_stream(n) for n in range(8)), *(of_many(n) for n in range(24)))
        total = 8 + 8 * 15 + 24 * 5
        await until(lambda: _head_is(source, total))
    assert len(await numbered(source)) == total
    assert await source.pool.fetchval("SELECT count(*) FROM work.pending") == 0


async def _head_is(place: Place, position: int) -> bool:
    return bool(await place.pool.fetchval("SELECT position = $1 FROM work.head", position))


async def test_the_events_of_one_command_keep_their_order(source: Place) -> None:
    await source.fill(700)
    await source.number()
    await numbered(source)


async def test_a_commit_that_comes_late_is_numbered_late_and_not_lost(source: Place) -> None:
    """Its row was drawn before others that are in the log already."""
    async with source.pool.acquire() as slow:
        transaction = slow.transaction()
        await transaction.start()
        await source.app.execute(Tx(slow), OpenSite(site="late"), a_cause())
        await source.app.handle(OpenSite(site="early"), a_cause())
        assert await source.number() == 1
        await transaction.commit()
    assert await source.number() == 2
    subjects = [attribute(body, "subject") for body in await source.bodies()]
    assert subjects == ["site-early", "site-late"]
    drawn = await source.pool.fetch(
        "SELECT ingest_id FROM record.event JOIN record.log USING (event_id) ORDER BY position"
    )
    assert drawn[0][0] > drawn[1][0]
    await numbered(source)


async def test_an_open_transaction_anywhere_does_not_hold_up_the_numbering(source: Place) -> None:
    superuser = await source.superuser()
    try:
        async with superuser.transaction():
            await superuser.execute("CREATE TABLE public.elsewhere (x int)")
            await source.app.handle(OpenSite(site="a"), a_cause())
            assert await source.number() == 1
    finally:
        await superuser.close()


async def test_two_sequencers_number_together_without_a_gap(source: Place) -> None:
    one, two = a_sequencer(source, batch=7), a_sequencer(source, batch=5)
    async with running(one, two):
        await asyncio.gather(*(source.app.handle(OpenSite(site=f"s{n}"), a_cause()) for n in range(200)))
        await until(lambda: _head_is(source, 200))
    await numbered(source)


async def test_a_second_sequencer_waits_until_the_first_has_ended_its_batch(source: Place) -> None:
    await source.fill(3)
    point = pause_at(INSIDE)
    first = asyncio.create_task(a_sequencer(source, points=point).once())
    await point.reached.wait()
    await source.fill(2)
    second = asyncio.create_task(a_sequencer(source).once())
    await until(source.somebody_waits)
    assert not second.done()
    point.go_on.set()
    assert (await first, await second) == (3, 2)
    await numbered(source)


async def test_a_crash_inside_a_batch_leaves_nothing_of_it_and_the_next_run_numbers_all(source: Place) -> None:
    await source.fill(5)
    with pytest.raises(Killed):
        await a_sequencer(source, points=kill_at(INSIDE)).once()
    assert await source.pool.fetchval("SELECT count(*) FROM record.log") == 0
    assert await source.pool.fetchval("SELECT count(*) FROM work.pending") == 5
    assert await source.number() == 5
    await numbered(source)


async def test_a_batch_whose_connection_is_killed_is_done_again(source: Place) -> None:
    await source.fill(5)
    point = pause_at(INSIDE)
    async with running(a_sequencer(source, points=point)):
        await point.reached.wait()
        await source.disconnect()
        point.go_on.set()
        await until(lambda: _head_is(source, 5))
    await numbered(source)


async def test_a_crash_of_everybody_between_append_and_numbering_loses_nothing(source: Place) -> None:
    await source.fill(4)
    await source.disconnect()
    async with running(a_sequencer(source)):
        await until(lambda: _head_is(source, 4))
    await numbered(source)


async def test_the_tree_is_the_same_however_the_batches_fell(source: Place) -> None:
    await source.fill(23)
    for size in (1, 2, 3, 1, 16):
        await a_sequencer(source, batch=size).once()
    assert len(await numbered(source)) == 23


ASTRAY = {
    "in neither log nor queue": (
        "DELETE FROM work.pending WHERE ingest_id = (SELECT max(ingest_id) FROM work.pending)",
    ),
    "in both": (
        "INSERT INTO work.pending SELECT ingest_id, event_id FROM record.event JOIN record.log USING (event_id) LIMIT 1",
    ),
    "queued twice": ("INSERT INTO work.pending SELECT ingest_id + 1000, event_id FROM work.pending LIMIT 1",),
    "queued and unknown": ("INSERT INTO work.pending VALUES (1000, gen_random_uuid())",),
    "lost from the log": ("DELETE FROM record.log WHERE position = 2",),
    "moved in the log": ("UPDATE record.log SET position = 9 WHERE position = 3",),
    "ahead of the head": ("UPDATE work.head SET position = 2",),
}


@pytest.mark.parametrize("injury", ASTRAY)
async def test_a_log_that_does_not_add_up_stops_the_sequencer_and_nothing_is_numbered(
    source: Place, injury: str
) -> None:
    await source.fill(3)
    await source.number()
    await source.fill(2)
    await source.forced(*ASTRAY[injury])
    sequencer = a_sequencer(source)
    with pytest.raises(LogBroken):
        await sequencer.check()
    await asyncio.wait_for(sequencer.run(), 20)
    assert sequencer.stopped
    assert await source.pool.fetchval("SELECT count(*) FROM record.log") <= 3


async def test_the_check_at_start_allows_what_is_in_order(source: Place) -> None:
    await a_sequencer(source).check()
    await source.fill(3)
    await a_sequencer(source).check()
    await source.number()
    await a_sequencer(source).check()


async def test_a_database_that_is_away_at_the_start_is_waited_for(source: Place) -> None:
    await source.fill(2)
    async with source.away():
        starting = asyncio.create_task(a_sequencer(source).run())
        await asyncio.sleep(0.5)
        assert not starting.done()
    await until(lambda: _head_is(source, 2))
    starting.cancel()


async def test_the_time_of_numbering_never_decreases_when_the_clock_goes_back(source: Place) -> None:
    class Backwards:
        at = source.clock.now()

        def now(self) -> Any:
            self.at -= timedelta(hours=1)
            return self.at

    await source.fill(2)
    await source.number()
    source.clock.move_to(source.clock.now() + timedelta(days=1))
    await source.fill(1)
    await source.number()
    for _ in range(3):
        await source.fill(1)
        sequencer = a_sequencer(source)
        sequencer.clock = Backwards()
        await sequencer.once()
    times = [row["sequenced_at"] for row in await numbered(source)]
    assert times == sorted(times)
    assert len(set(times)) == 2


async def test_the_frontier_of_another_tree_stops_it_for_good(source: Place) -> None:
    await source.fill(3)
    await source.number()
    await source.forced("UPDATE work.head SET frontier = ''")
    await source.fill(1)
    sequencer = a_sequencer(source)
    await asyncio.wait_for(sequencer.run(), 20)
    assert sequencer.stopped and "frontier" in sequencer.stopped
    assert await source.pool.fetchval("SELECT count(*) FROM record.log") == 3
