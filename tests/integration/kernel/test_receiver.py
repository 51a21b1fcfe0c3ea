"""Receiving: each event of a source once and in order, whoever dies, waits, or works beside it."""

import asyncio
from typing import Any

import nats.errors
from nats.aio.client import Client

from tests.support.crash import dies, kill_at, pause_at
from tests.support.kernel import FeedOf, Place, a_loose_stream, a_receiver, instead, running, until
from tests.support.receiving import mark_is, received, relayed, serving

BEFORE, AFTER = "receiver: before the commit", "receiver: after the commit"


async def test_each_event_arrives_once_and_in_order(source: Place, reader: Place, nc: Client) -> None:
    async with serving(source, nc), running(a_receiver(reader, source, nc)):
        for n in range(5):
            await source.fill(30, f"s{n}")
        await received(reader, source)


async def test_a_backlog_longer_than_a_batch_arrives_whole(source: Place, reader: Place, nc: Client) -> None:
    await source.fill(1203)
    await relayed(source, nc)
    async with running(FeedOf(source, nc), a_receiver(reader, source, nc)):
        await received(reader, source)


async def test_what_nobody_wants_moves_the_mark_and_is_not_kept(source: Place, reader: Place, nc: Client) -> None:
    await source.fill(10)
    wanted = frozenset({"cases.site.registered.v1"})
    async with serving(source, nc), running(a_receiver(reader, source, nc, wanted=wanted)):
        await until(lambda: mark_is(reader, source, 10))
    assert [position for position, _ in await reader.inbox("cases")] == [1]


async def test_bytes_that_are_no_event_are_kept_for_whoever_must_look(source: Place, reader: Place, nc: Client) -> None:
    await source.fill(3)
    await source.forced("UPDATE record.event SET body = 'no event' WHERE version = 2")
    async with serving(source, nc), running(a_receiver(reader, source, nc, wanted=frozenset())):
        await until(lambda: mark_is(reader, source, 3))
    assert await reader.inbox("cases") == [(2, b"no event")]
    assert await reader.pool.fetchval("SELECT type FROM record.inbox") is None


async def test_a_receiver_killed_before_its_commit_receives_the_batch_again(
    source: Place, reader: Place, nc: Client
) -> None:
    await source.fill(10)
    await relayed(source, nc)
    await dies(a_receiver(reader, source, nc, points=kill_at(BEFORE)))
    assert await reader.mark("receiver", "cases") == 0
    async with running(FeedOf(source, nc), a_receiver(reader, source, nc)):
        await received(reader, source)


async def test_a_receiver_killed_after_its_commit_receives_nothing_twice(
    source: Place, reader: Place, nc: Client
) -> None:
    await source.fill(10)
    await relayed(source, nc)
    await dies(a_receiver(reader, source, nc, points=kill_at(AFTER)))
    assert await reader.mark("receiver", "cases") == 10
    await source.fill(5, "b")
    await relayed(source, nc)
    async with running(FeedOf(source, nc), a_receiver(reader, source, nc)):
        await received(reader, source)


async def test_a_database_that_goes_away_is_waited_for(source: Place, reader: Place, nc: Client) -> None:
    async with serving(source, nc), running(a_receiver(reader, source, nc)):
        await source.fill(5)
        await received(reader, source)
        async with reader.away():
            await source.fill(5, "b")
            await asyncio.sleep(0.4)
        await received(reader, source)


async def test_of_two_receivers_one_is_fenced_and_nothing_is_doubled(source: Place, reader: Place, nc: Client) -> None:
    await source.fill(10)
    await relayed(source, nc)
    point = pause_at(BEFORE)
    async with running(FeedOf(source, nc), a_receiver(reader, source, nc, points=point)):
        await point.reached.wait()
        async with running(a_receiver(reader, source, nc)):
            await received(reader, source)
        point.go_on.set()
        await source.fill(5, "b")
        await relayed(source, nc)
        await received(reader, source)


async def test_a_receiver_that_was_overtaken_moves_no_mark_back(source: Place, reader: Place, nc: Client) -> None:
    """Also when nothing it holds is kept, so that no row of the inbox could tell."""
    await source.fill(10)
    await relayed(source, nc)
    point, nothing = pause_at(BEFORE), frozenset[str]()
    slow = a_receiver(reader, source, nc, wanted=nothing, points=point, stand_by=60)
    async with running(FeedOf(source, nc), slow) as tasks:
        await point.reached.wait()
        await source.fill(5, "b")
        await relayed(source, nc)
        async with running(a_receiver(reader, source, nc, wanted=nothing)):
            await until(lambda: mark_is(reader, source, 15))
        point.go_on.set()
        await asyncio.sleep(0.2)
        assert not tasks[1].done()
    row = await reader.pool.fetchrow("SELECT position, applied FROM work.mark WHERE follower = 'receiver'")
    assert row is not None and tuple(row) == (15, 15)


async def test_the_fenced_receiver_leaves_the_field_to_the_other_for_a_while(
    source: Place, reader: Place, nc: Client
) -> None:
    await source.fill(3)
    await relayed(source, nc)
    point = pause_at(BEFORE)
    slow, tries = a_receiver(reader, source, nc, points=point, stand_by=60), []
    receive = slow._receive

    async def count(need: int) -> None:
        tries.append(need)
        await receive(need)

    async with serving(source, nc), running(slow):
        await point.reached.wait()
        instead(slow, "_receive", count)
        async with running(a_receiver(reader, source, nc)):
            await received(reader, source)
            point.go_on.set()
            for n in range(5):
                await source.fill(3, f"s{n}")
                await received(reader, source)
            await asyncio.sleep(0.5)
    assert tries == []


async def test_two_receivers_under_load_store_each_event_once(source: Place, reader: Place, nc: Client) -> None:
    async with serving(source, nc), running(*(a_receiver(reader, source, nc) for _ in range(2))):
        for n in range(10):
            await source.fill(20, f"s{n}")
        await received(reader, source)


async def test_a_broken_connection_to_nats_is_waited_for(source: Place, reader: Place, nc: Client) -> None:
    """The fetch fails as it does when the server goes away."""
    async with serving(source, nc):
        receiver = a_receiver(reader, source, nc)
        fetch, fails = receiver._fetch, [nats.errors.ConnectionClosedError(), nats.errors.Error("missed heartbeat")]

        async def sometimes(*args: Any) -> Any:
            if fails:
                raise fails.pop()
            return await fetch(*args)

        instead(receiver, "_fetch", sometimes)
        async with running(receiver):
            await source.fill(5)
            await received(reader, source)


async def test_what_came_too_late_for_one_fetch_is_taken_by_the_next(source: Place, reader: Place, nc: Client) -> None:
    """On a busy machine messages lie there before they are asked for; the receiver need not begin again for that."""
    await source.fill(10)
    await relayed(source, nc)
    receiver = a_receiver(reader, source, nc)
    fetch, receive, begun, late_once = receiver._fetch, receiver._receive, list[int](), [True]

    async def late(js: Any, subscription: Any, *rest: Any) -> Any:
        if late_once:
            late_once.clear()
            await nc.publish(subscription._nms, b'{"batch": 3}', subscription._deliver)
            async with asyncio.timeout(5):
                while subscription._sub._pending_queue.qsize() < 3:
                    await asyncio.sleep(0.01)
        return await fetch(js, subscription, *rest)

    async def counted(need: int) -> None:
        begun.append(need)
        await receive(need)

    instead(receiver, "_fetch", late)
    instead(receiver, "_receive", counted)
    async with running(FeedOf(source, nc), receiver):
        await received(reader, source)
    assert len(begun) == 1


async def test_a_cancellation_that_the_library_swallowed_ends_it_all_the_same(
    source: Place, reader: Place, nc: Client
) -> None:
    """nats-py does that while it flushes, and `wait_for` of Python 3.11 when the answer comes in the same moment."""
    await a_loose_stream(source, nc)
    receiver = a_receiver(reader, source, nc)
    fetch, waiting = receiver._fetch, asyncio.Event()

    async def swallows(*args: Any) -> Any:
        waiting.set()
        try:
            return await fetch(*args)
        except asyncio.CancelledError:
            return []

    instead(receiver, "_fetch", swallows)
    task = asyncio.create_task(receiver.run())
    await waiting.wait()
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=3)
    assert done and task.cancelled()
