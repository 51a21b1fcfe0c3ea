"""Rebuilding: the same tables come out of the log and the inbox again, and take the live ones' place without a stop."""

import asyncio
import contextlib
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from shared.contracts.cases.site import SiteRegistered
from shared.contracts.envelope import Recorded
from shared.contracts.intake.tip import TipClosed
from shared.errors import NotReady, Unreadable
from shared.read_model import ReadModel, Write
from shared.timers import due_at
from tests.support.crash import Killed, pause_at
from tests.support.kernel import START, Assign, OpenSite, Place, a_cause, a_sequencer, instead, running, until
from tests.support.rebuilding import a_replay, caught_up, content, damage, marks, projections, recomputed
from tests.support.toy import LINES, SEEN_MODEL


async def test_damaged_tables_come_out_whole(live: Place, shadow: asyncpg.Pool) -> None:
    await live.fill(30)
    await live.fill(3, "b")
    await caught_up(live)
    before = await content(live)
    await damage(live)
    replay = a_replay(live, shadow)
    await replay.fill()
    assert await content(live) != before
    await replay.swap()
    assert await content(live) == before == await recomputed(live)
    assert await live.pool.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'shadow'") == 0


async def test_a_log_longer_than_a_batch_is_replayed_whole_and_progress_is_told(
    live: Place, shadow: asyncpg.Pool
) -> None:
    await live.fill(2300)
    await live.number()
    told: list[tuple[str, int, int]] = []
    replay = a_replay(live, shadow)
    await replay.fill(lambda *said: told.append(said))
    await replay.swap()
    assert told == [("cases", n, 2300) for n in (1000, 2000, 2300)]
    assert await content(live) == await recomputed(live)


async def test_a_swap_under_load_loses_and_doubles_nothing(live: Place, shadow: asyncpg.Pool) -> None:
    await live.fill(200)
    await caught_up(live)
    await damage(live)
    ended = asyncio.Event()

    async def writer(n: int) -> int:
        written = 0
        while not ended.is_set():
            site = f"w{n}-{written}"
            await live.app.handle_all([OpenSite(site=site, no=n * 10_000 + written), Assign(site=site)], a_cause())
            await asyncio.sleep(0.002)
            written += 1
        return written

    async def reader() -> int:
        """A page that is read all the time never sees a table that is missing, nor one half filled."""
        pages = 0
        while not ended.is_set():
            assert await live.pool.fetchval("SELECT count(*) FROM toy_line") >= 1
            await asyncio.sleep(0.002)
            pages += 1
        return pages

    async with running(a_sequencer(live), *projections(live)):
        work = [asyncio.create_task(part) for part in (*(writer(n) for n in range(1, 5)), reader())]
        for _ in range(2):
            await asyncio.sleep(0.1)
            replay = a_replay(live, shadow)
            await replay.fill()
            await asyncio.sleep(0.1)
            await replay.swap()
        ended.set()
        assert all(await asyncio.gather(*work))
        await until(lambda: _at_the_end(live))
    assert await content(live) == await recomputed(live)
    head = await live.pool.fetchval("SELECT position FROM work.head")
    assert await marks(live) == [(f"projection:{group}", "cases", head, head) for group in ("seen", "types")]


async def _at_the_end(place: Place) -> bool:
    if await place.pool.fetchval("SELECT EXISTS (SELECT FROM work.pending)"):
        return False
    head = await place.pool.fetchval("SELECT position FROM work.head")
    return {row[2] for row in await marks(place)} == {head}


async def test_appends_wait_while_tables_are_exchanged_and_then_go_on(live: Place, shadow: asyncpg.Pool) -> None:
    await live.fill(3)
    await live.number()
    replay = a_replay(live, shadow)
    await replay.fill()
    point = pause_at("now")
    swapping = asyncio.create_task(replay.swap(lambda: point("now")))
    await point.reached.wait()
    appending = asyncio.create_task(live.app.handle(Assign(site="a"), a_cause()))
    await until(live.somebody_waits)
    assert not appending.done()
    point.go_on.set()
    await swapping
    await appending
    assert await live.pool.fetchval("SELECT assigned FROM toy_line") == 3


async def test_the_swap_waits_for_an_append_under_way_and_includes_it(live: Place, shadow: asyncpg.Pool) -> None:
    await live.fill(3)
    await live.number()
    replay = a_replay(live, shadow)
    await replay.fill()
    held = asyncio.Event()
    execute = live.app.execute

    async def slow(*args: Any) -> Any:
        done = await execute(*args)
        await held.wait()
        return done

    instead(live.app, "execute", slow)
    appending = asyncio.create_task(live.app.handle(Assign(site="a"), a_cause()))
    await asyncio.sleep(0.1)
    async with running(a_sequencer(live)):
        swapping = asyncio.create_task(replay.swap())
        await until(live.somebody_waits)
        assert not swapping.done()
        held.set()
        await asyncio.gather(appending, swapping)
    assert await content(live) == await recomputed(live)


async def test_a_queue_that_does_not_drain_gives_the_swap_up_and_it_may_be_called_again(
    live: Place, shadow: asyncpg.Pool
) -> None:
    await live.fill(3)
    await caught_up(live)
    await live.fill(2)
    before = await content(live)
    replay = a_replay(live, shadow, patience=0.1)
    await replay.fill()
    with pytest.raises(NotReady):
        await replay.swap()
    assert await content(live) == before
    await live.number()
    await replay.swap()
    assert await content(live) == await recomputed(live)


async def test_a_swap_that_breaks_off_at_the_last_moment_changes_nothing_and_may_be_called_again(
    live: Place, shadow: asyncpg.Pool
) -> None:
    """What it had caught up with is gone with its transaction, and must be projected again."""
    await live.fill(3)
    await caught_up(live)
    replay = a_replay(live, shadow)
    await replay.fill()
    await live.fill(4)
    await caught_up(live)
    before, there = await content(live), await marks(live)

    async def die() -> None:
        raise Killed

    with pytest.raises(Killed):
        await replay.swap(die)
    assert (await content(live), await marks(live)) == (before, there)
    await replay.swap()
    assert await content(live) == before == await recomputed(live)


@dataclass
class BreaksOff:
    """A sealer whose `nth` opening fails, as when the key store goes away."""

    sealer: Any
    nth: int
    opened: int = field(default=0)

    async def seal(self, *args: Any) -> Any:
        return await self.sealer.seal(*args)

    async def open(self, recorded: Any) -> Any:
        self.opened += 1
        if self.opened == self.nth:
            raise RuntimeError("away")
        return await self.sealer.open(recorded)


async def test_a_fill_that_broke_off_begins_anew(live: Place, shadow: asyncpg.Pool) -> None:
    await live.fill(2300)
    await live.number()
    replay = a_replay(live, shadow)
    replay.sealer = BreaksOff(live.app.sealer, 2)
    with pytest.raises(RuntimeError, match="away"):
        await replay.fill()
    assert replay.reached["cases"] == 1000
    await replay.fill()
    await replay.swap()
    assert await content(live) == await recomputed(live)


@dataclass
class Busy:
    """While it opens, another event is appended and numbered."""

    place: Place

    async def seal(self, *args: Any) -> Any:
        raise AssertionError("nothing is sealed in a rebuild")

    async def open(self, recorded: Any) -> Any:
        await self.place.fill(1)
        await self.place.number()
        return recorded


async def test_filling_ends_although_events_keep_coming(live: Place, shadow: asyncpg.Pool) -> None:
    await live.fill(3)
    await live.number()
    replay = a_replay(live, shadow)
    replay.sealer = Busy(live)
    await asyncio.wait_for(replay.fill(), 30)
    replay.sealer = live.app.sealer
    await replay.swap()
    assert await content(live) == await recomputed(live)


async def test_deadlines_and_deliveries_are_no_read_models_and_stay_as_they_are(
    live: Place, shadow: asyncpg.Pool
) -> None:
    def project(e: Recorded[Any]) -> list[Write]:
        return [due_at("keeper", e.stream_id, START + timedelta(days=1))]

    deadline = ReadModel("toy_due", (), (SiteRegistered,), project)
    await live.fill(3)
    await live.number()
    replay = a_replay(live, shadow, inline=[LINES, deadline])
    await replay.fill()
    await replay.swap()
    assert await live.pool.fetchval("SELECT count(*) FROM work.due") == 0


async def test_a_group_gets_marks_of_the_sources_it_listens_to_only(live: Place, shadow: asyncpg.Pool) -> None:
    """One group of the own log, one of another service's; a mark of a source nobody walks would stand still for ever."""
    closed = ReadModel("toy_closed", (), (TipClosed,), lambda _: [])
    await live.fill(3)
    await live.number()
    await live.pool.execute(
        "INSERT INTO work.mark (follower, source, lineage, position) VALUES ('receiver', 'intake', $1, 7)",
        await live.pool.fetchval("SELECT lineage FROM work.head"),
    )
    replay = a_replay(live, shadow, groups={"seen": [SEEN_MODEL], "tips": [closed]})
    await replay.fill()
    await replay.swap()
    assert [row[:3] for row in await marks(live)] == [
        ("projection:seen", "cases", 3),
        ("projection:tips", "intake", 7),
    ]


async def test_an_event_it_cannot_read_stops_the_rebuild_and_nothing_is_swapped(
    live: Place, shadow: asyncpg.Pool
) -> None:
    await live.fill(3)
    await caught_up(live)
    before = await content(live)
    await live.forced("UPDATE record.event SET body = 'no event' WHERE version = 2")
    with pytest.raises(Unreadable):
        await a_replay(live, shadow).fill()
    assert await content(live) == before


async def test_bytes_without_a_type_in_the_inbox_are_not_skipped_either(live: Place, shadow: asyncpg.Pool) -> None:
    lineage = await live.pool.fetchval("SELECT lineage FROM work.head")
    await live.pool.execute("INSERT INTO record.inbox VALUES ('intake', $1, 1, NULL, 'no event')", lineage)
    await live.pool.execute(
        "INSERT INTO work.mark (follower, source, lineage, position) VALUES ('receiver', 'intake', $1, 1)", lineage
    )
    with pytest.raises(Unreadable):
        await a_replay(live, shadow).fill()


async def test_projections_and_appends_go_on_when_a_table_came_back_with_other_columns(
    live: Place, shadow: asyncpg.Pool
) -> None:
    """Their connections hold prepared statements of the old table."""
    await live.fill(3)
    await caught_up(live)
    for table in ("toy_line", "toy_seen"):
        await live.pool.execute(f"ALTER TABLE {table} ADD COLUMN from_before int")
    async with running(a_sequencer(live), *projections(live)):
        await live.fill(3)
        await until(lambda: _at_the_end(live))
        replay = a_replay(live, shadow)
        await replay.fill()
        await replay.swap()
        await live.fill(3)
        await until(lambda: _at_the_end(live))
    assert await content(live) == await recomputed(live)


async def test_a_reader_who_holds_one_table_and_wants_another_does_not_spoil_the_swap(
    live: Place, shadow: asyncpg.Pool
) -> None:
    """A deadlock; whoever is chosen to give way, the swap is done in the end."""
    await live.fill(3)
    await caught_up(live)
    await damage(live)
    replay = a_replay(live, shadow)
    await replay.fill()
    async with live.pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("SELECT FROM toy_seen")
        swapping = asyncio.create_task(replay.swap())
        await until(live.somebody_waits)
        with contextlib.suppress(asyncpg.DeadlockDetectedError):
            await connection.execute("SELECT FROM toy_line")
        await transaction.rollback()
        await swapping
    assert await content(live) == await recomputed(live)
