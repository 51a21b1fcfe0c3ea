"""One look at a database and its stream says what is there, and changes nothing."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest
from nats.aio.client import Client

from shared.database import dsn_of
from shared.delivery_rows import delivery_id_of
from shared.lineage import begin_new_lineage
from shared.parked import dismiss, waiting
from shared.status import LATE, LATELY, Look, Stream, heads_of, look, newest_step, sources_of, stream_of
from tests.support.kernel import PASSWORDS, START, FeedOf, OpenSite, Place, a_cause, a_loose_stream, running, until
from tests.support.reacting import a_reactor, receive, walked
from tests.support.restoring import head_of, lineage_of, relayed
from tests.support.toy import Mirror


async def looked(place: Place, now: datetime = START) -> Look:
    async with place.pool.acquire() as connection:
        return await look(connection, place.name, now)


async def streamed(place: Place, nc: Client) -> Stream | None:
    async with place.pool.acquire() as connection:
        return await stream_of(nc, place.jurisdiction, await look(connection, place.name, START), connection)


async def test_a_new_database_is_at_the_newest_step_with_nothing_in_it(source: Place) -> None:
    seen = await looked(source)
    assert seen.step == newest_step()
    assert seen.postgres.startswith("18.")
    assert (seen.head, seen.pending, seen.pending_since, seen.sequenced_at) == (0, 0, None, None)
    assert (seen.parked, seen.queued, seen.dismissed, seen.unsent, seen.dead, seen.timers_failed) == (0,) * 6
    assert seen.lineage == await lineage_of(source) and seen.ancestors == {}
    assert abs(seen.skew) < 5 and abs((seen.at - datetime.now(UTC)).total_seconds()) < 60
    assert seen.size > 1_000_000


async def test_it_sees_what_waits_for_a_number_and_since_when_by_the_campaigns_clock(source: Place) -> None:
    await source.fill(2)
    source.clock.move_to(START + timedelta(minutes=3))
    await source.fill(1)
    seen = await looked(source)
    assert (seen.head, seen.pending, seen.pending_since) == (0, 3, START)
    await source.number()
    seen = await looked(source)
    assert (seen.head, seen.pending, seen.pending_since) == (3, 0, None)
    assert seen.sequenced_at is not None


async def test_it_counts_parked_events_once_and_dismissed_ones(source: Place) -> None:
    await source.fill(3)
    await source.fill(1, "b")
    await walked(source, a_reactor(source, Mirror({"site-a", "site-b"}).reactions))
    seen = await looked(source)
    assert (seen.parked, seen.queued, seen.dismissed) == (2, 2, 0)
    assert seen.parked_since is not None and seen.at - seen.parked_since < timedelta(minutes=1)
    first = (await waiting(source.pool))[0].parked_id
    await dismiss(source.pool, source.name, first, "p-1", "x")
    seen = await looked(source)
    assert (seen.parked, seen.queued, seen.dismissed) == (1, 2, 1)


async def test_it_gives_every_mark_and_where_its_source_ends(source: Place, reader: Place, nc: Client) -> None:
    await source.fill(4)
    await source.number()
    await receive(source, reader)
    await source.fill(2)
    await source.number()
    seen = await looked(reader)
    assert [(m.follower, m.source, m.position) for m in seen.marks] == [("receiver", "cases", 4)]
    assert seen.marks[0].lineage == await lineage_of(source)
    assert sources_of(seen) == {"cases"}
    async with running(FeedOf(source, nc)):
        await until(lambda: head_of(source, nc))
        heads = await heads_of(nc, source.jurisdiction, {"cases", "intake"})
    assert {name: head.position for name, head in heads.items()} == {"cases": 6}


async def test_timers_are_late_by_the_campaigns_clock_and_failed_ones_counted_apart(source: Place) -> None:
    put = "INSERT INTO work.due (timer, subject, due_at, failed) VALUES ($1, $2, $3, $4)"
    for subject, at, failed in (("a", 0, None), ("b", 1, None), ("c", 500, None), ("d", 0, "Struck")):
        await source.pool.execute(put, "t", subject, START + timedelta(seconds=at), failed)
    seen = await looked(source, START + LATE)
    assert (seen.timers_late, seen.timers_failed) == (0, 1)
    seen = await looked(source, START + LATE + timedelta(seconds=0.5))
    assert (seen.timers_late, seen.timers_since) == (1, START)


@pytest.mark.parametrize(
    ("state", "next_at", "lease", "seen"),
    [
        ("open", timedelta(0), None, (1, 0, 0, 0)),
        ("open", -LATE * 2, None, (1, 1, 0, 0)),
        ("open", -LATE * 2, timedelta(0), (1, 0, 0, 0)),
        ("open", LATE * 2, -LATE * 2, (1, 0, 0, 0)),
        ("dead", -LATE * 2, None, (0, 0, 1, 1)),
        ("dead", -LATELY * 2, None, (0, 0, 1, 0)),
        ("done", -LATE * 2, None, (0, 0, 0, 0)),
    ],
)
async def test_a_delivery_is_late_when_nobody_has_it_in_hand_and_dead_ones_are_new_or_old(
    source: Place, state: str, next_at: timedelta, lease: timedelta | None, seen: tuple[int, ...]
) -> None:
    put = """INSERT INTO work.delivery (delivery_id, event_id, stream_id, channel, correlation, state, next_at, lease_until)
             VALUES ($1, $2, 'message-1', 'email', 'c', $3, clock_timestamp() + $4, clock_timestamp() + $5)"""
    await source.pool.execute(put, delivery_id_of("message-1", "email"), uuid4(), state, next_at, lease)
    now = await looked(source)
    assert (now.unsent, now.unsent_late, now.dead, now.dead_lately) == seen


async def test_it_sees_whether_a_process_of_the_service_is_connected(source: Place) -> None:
    assert (await looked(source)).sessions >= 1
    await source.log_pool.close()
    await until(lambda: _nobody(source))
    dsn = dsn_of(source.templates.address.superuser_dsn, source.database, "cases_log", PASSWORDS["cases_log"])
    connection = await asyncpg.connect(dsn)
    assert (await looked(source)).sessions == 1
    await connection.close()


async def _nobody(source: Place) -> bool:
    return (await looked(source)).sessions == 0


async def test_looking_changes_nothing(source: Place, nc: Client) -> None:
    await source.fill(3)
    await relayed(source, nc)
    async with source.pool.acquire() as connection, connection.transaction(readonly=True):
        seen = await look(connection, source.name, START)
        assert await stream_of(nc, source.jurisdiction, seen, connection) is not None


# ------------------------------------------------------------------------------------------------------ its stream


async def test_a_stream_that_mirrors_the_log_is_a_copy(source: Place, nc: Client) -> None:
    assert await streamed(source, nc) is None
    await source.fill(5)
    await relayed(source, nc)
    await source.fill(1)
    await source.number()
    stream = await streamed(source, nc)
    assert stream is not None and stream.differs is None
    assert (stream.first, stream.last, stream.messages) == (1, 5, 5)


async def test_a_stream_without_messages_is_one_too(source: Place, nc: Client) -> None:
    await a_loose_stream(source, nc)
    stream = await streamed(source, nc)
    assert stream is not None and (stream.last, stream.differs) == (0, None)


async def test_a_stream_beyond_the_log_differs(source: Place, nc: Client) -> None:
    await source.fill(5)
    await relayed(source, nc)
    await source.forget(3)
    stream = await streamed(source, nc)
    assert stream is not None and stream.differs == "the stream ends at 5, the log at 3"


async def test_a_stream_with_another_event_at_its_end_differs(source: Place, nc: Client) -> None:
    await source.fill(5)
    await relayed(source, nc)
    await source.forget(4)
    await source.app.handle(OpenSite(site="b", no=99), a_cause())
    await source.number()
    stream = await streamed(source, nc)
    assert stream is not None and stream.differs == "stream and log differ at position 5"


async def test_a_stream_of_an_unknown_lineage_differs_and_that_of_an_ancestor_is_none(
    source: Place, nc: Client
) -> None:
    await source.fill(5)
    await relayed(source, nc)
    kept = await lineage_of(source)
    await source.forced("UPDATE work.head SET lineage = gen_random_uuid()")
    stream = await streamed(source, nc)
    assert stream is not None and "is of lineage" in (stream.differs or "")
    await source.forced(f"UPDATE work.head SET lineage = '{kept}'")
    await begin_new_lineage(source.owner_dsn)
    assert await streamed(source, nc) is None
    assert (await looked(source)).ancestors == {kept: 5}
