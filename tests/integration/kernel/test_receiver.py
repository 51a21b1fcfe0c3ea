"""Receiving: each event of a source once, in order, none left out, whatever the stream lost; and never a second past."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import nats.errors
import pytest
from nats.aio.client import Client
from nats.js.errors import NotFoundError

from shared.contracts.envelope import attribute, leaf_of
from shared.errors import NotReady
from shared.log_feed import FeedEvent, FeedHead
from shared.receiver import Receiver
from shared.stream import LEAF, LINEAGE, POSITION, Message, definition, publish
from tests.support.kernel import (
    FeedOf,
    Place,
    a_loose_stream,
    a_receiver,
    a_relay,
    a_sequencer,
    dies,
    instead,
    kill_at,
    pause_at,
    running,
    until,
)

BEFORE, AFTER = "receiver: before the commit", "receiver: after the commit"


async def relayed(source: Place, nc: Client) -> int:
    """Everything numbered and in the stream; the head."""
    head = await source.number()
    async with running(a_relay(source, nc)):
        await until(lambda: _stream_ends_at(source, nc, head))
    return head


async def _stream_ends_at(source: Place, nc: Client, head: int) -> bool:
    try:
        return bool((await nc.jetstream().stream_info(source.stream)).state.last_seq == head)
    except NotFoundError:
        return False


async def received(reader: Place, source: Place) -> None:
    """Waits for the mark to reach the source's head; then the inbox is the source's log, and mark and checksum are its own."""
    head = await source.number()
    await until(lambda: _mark_is(reader, source, head))
    bodies = await source.bodies()
    assert await reader.inbox(source.name) == list(enumerate(bodies, 1))
    digest = hashlib.sha256(b"").digest()
    for body in bodies:
        digest = hashlib.sha256(digest + (attribute(body, "id") or "").encode()).digest()
    mark = await reader.pool.fetchrow("SELECT * FROM work.mark WHERE follower = 'receiver'")
    assert mark is not None
    assert (mark["leaf"], mark["digest"], mark["applied"]) == (leaf_of(bodies[-1]), digest, head)
    assert mark["lineage"] == await source.pool.fetchval("SELECT lineage FROM work.head")


async def _mark_is(reader: Place, source: Place, position: int) -> bool:
    return await reader.mark("receiver", source.name) == position


@asynccontextmanager
async def serving(source: Place, nc: Client, **relay: Any) -> AsyncIterator[None]:
    """The source's sequencer, relay and feed."""
    async with running(a_sequencer(source), a_relay(source, nc, **relay), FeedOf(source, nc)):
        yield


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
        await until(lambda: _mark_is(reader, source, 10))
    assert [position for position, _ in await reader.inbox("cases")] == [1]


async def test_bytes_that_are_no_event_are_kept_for_whoever_must_look(source: Place, reader: Place, nc: Client) -> None:
    await source.fill(3)
    await source.forced("UPDATE record.event SET body = 'no event' WHERE version = 2")
    async with serving(source, nc), running(a_receiver(reader, source, nc, wanted=frozenset())):
        await until(lambda: _mark_is(reader, source, 3))
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
            await until(lambda: _mark_is(reader, source, 15))
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


# ---------------------------------------------------------------------------------------------- what the stream lost


@pytest.mark.parametrize("kept", [0, 4])
async def test_a_stream_that_begins_above_the_mark_is_made_up_from_the_feed(
    source: Place, reader: Place, nc: Client, kept: int
) -> None:
    """Also when no message is left in it to tell."""
    await a_loose_stream(source, nc)
    await source.fill(20)
    await relayed(source, nc)
    await nc.jetstream().purge_stream(source.stream, keep=kept or None)
    async with running(FeedOf(source, nc), a_receiver(reader, source, nc)):
        await received(reader, source)


async def test_an_empty_stream_made_anew_above_the_mark_is_noticed(source: Place, reader: Place, nc: Client) -> None:
    """Made with first_seq = head - keep + 1; the server moves the start up without a sign."""
    await source.fill(20)
    head = await source.number()
    lineage = await source.pool.fetchval("SELECT lineage FROM work.head")
    await nc.jetstream().add_stream(definition("cases", source.jurisdiction, head + 1, 5, str(lineage)))
    async with running(FeedOf(source, nc), a_receiver(reader, source, nc)):
        await received(reader, source)


async def test_what_expires_below_a_live_consumer_comes_from_the_feed(source: Place, reader: Place, nc: Client) -> None:
    """The purge comes while the receiver stands still before its commit."""
    await a_loose_stream(source, nc)
    await source.fill(600)
    await relayed(source, nc)
    point = pause_at(BEFORE)
    async with running(FeedOf(source, nc), a_receiver(reader, source, nc, points=point)):
        await point.reached.wait()
        await nc.jetstream().purge_stream(source.stream)
        await source.fill(5, "b")
        await relayed(source, nc)
        point.go_on.set()
        await received(reader, source)


@pytest.mark.parametrize("deleted", [{3}, {1}, {2, 3, 4}, {2, 5, 6, 9}], ids=str)
async def test_holes_in_the_stream_are_filled_from_the_feed(
    source: Place, reader: Place, nc: Client, deleted: set[int]
) -> None:
    await a_loose_stream(source, nc)
    await source.fill(12)
    await relayed(source, nc)
    for sequence in deleted:
        await nc.jetstream().delete_msg(source.stream, sequence)
    async with running(FeedOf(source, nc), a_receiver(reader, source, nc)):
        await received(reader, source)


async def test_the_deleted_last_message_comes_from_the_feed(source: Place, reader: Place, nc: Client) -> None:
    """NATS reports no lag; only the source knows that there is more."""
    await a_loose_stream(source, nc)
    await source.fill(5)
    await relayed(source, nc)
    await nc.jetstream().delete_msg(source.stream, 5)
    async with running(FeedOf(source, nc), a_receiver(reader, source, nc, ask_every=0.3)):
        await received(reader, source)


@pytest.mark.parametrize("gone", ["deleted", "purged"])
async def test_the_message_at_the_mark_may_be_gone(source: Place, reader: Place, nc: Client, gone: str) -> None:
    """The receiver had everything, and starts again: the feed shows that the past is still the same."""
    await a_loose_stream(source, nc)
    await source.fill(10)
    await relayed(source, nc)
    async with running(FeedOf(source, nc), a_receiver(reader, source, nc)):
        await received(reader, source)
    if gone == "deleted":
        await nc.jetstream().delete_msg(source.stream, 10)
    else:
        await nc.jetstream().purge_stream(source.stream)
    await source.fill(10, "b")
    await relayed(source, nc)
    async with running(FeedOf(source, nc), a_receiver(reader, source, nc)):
        await received(reader, source)


async def test_a_stream_that_is_wiped_and_refilled_is_followed_on(source: Place, reader: Place, nc: Client) -> None:
    async with serving(source, nc, look=0.1, poll=0.05), running(a_receiver(reader, source, nc)):
        await source.fill(10)
        await received(reader, source)
        await nc.jetstream().delete_stream(source.stream)
        await source.fill(10, "b")
        await received(reader, source)


async def test_a_limited_stream_that_is_wiped_is_followed_on(source: Place, reader: Place, nc: Client) -> None:
    async with serving(source, nc, keep=3, look=0.1, poll=0.05):
        await source.fill(10)
        async with running(a_receiver(reader, source, nc)):
            await received(reader, source)
        await nc.jetstream().delete_stream(source.stream)
        await source.fill(30, "b")
        async with running(a_receiver(reader, source, nc)):
            await received(reader, source)


async def test_a_source_that_does_not_answer_is_still_read_from_its_stream(
    source: Place, reader: Place, nc: Client
) -> None:
    await source.fill(10)
    await relayed(source, nc)
    receiver = a_receiver(reader, source, nc)
    async with running(receiver):
        await received(reader, source)
    assert receiver.stopped is None


async def test_what_the_feed_brought_already_is_dropped_when_the_stream_brings_it(
    source: Place, reader: Place, nc: Client
) -> None:
    """A relay that was down and catches up; nothing begins anew for that."""
    await source.fill(5)
    await relayed(source, nc)
    receiver = a_receiver(reader, source, nc, ask_every=0.3)
    begin, begun = receiver._receive, []

    async def count(need: int) -> None:
        begun.append(need)
        await begin(need)

    instead(receiver, "_receive", count)
    async with running(FeedOf(source, nc), receiver):
        await source.fill(5, "b")
        await received(reader, source)
        await relayed(source, nc)
        await source.fill(5, "c")
        await relayed(source, nc)
        await received(reader, source)
    assert len(begun) == 1


async def test_a_lost_tail_waits_for_a_source_that_does_not_answer(source: Place, reader: Place, nc: Client) -> None:
    await a_loose_stream(source, nc)
    await source.fill(5)
    await relayed(source, nc)
    await nc.jetstream().delete_msg(source.stream, 5)
    async with running(a_receiver(reader, source, nc, ask_every=0.3)):
        await until(lambda: _mark_is(reader, source, 4))
        async with running(FeedOf(source, nc)):
            await received(reader, source)


async def test_a_live_consumer_whose_messages_expired_before_it_came_to_them_does_not_wait_for_ever(
    source: Place, reader: Place, nc: Client
) -> None:
    """Nothing is left in the stream to tell; that it begins above the mark does."""
    await a_loose_stream(source, nc)
    await source.fill(5)
    await relayed(source, nc)
    point = pause_at(AFTER)
    async with running(FeedOf(source, nc), a_receiver(reader, source, nc, points=point)):
        await point.reached.wait()
        await source.fill(5, "b")
        await relayed(source, nc)
        await nc.jetstream().purge_stream(source.stream)
        point.go_on.set()
        await received(reader, source)


async def test_the_lag_is_counted_against_the_head_of_the_source(source: Place, reader: Place, nc: Client) -> None:
    await source.fill(5)
    await relayed(source, nc)
    await source.fill(7, "b")
    await source.number()
    point = pause_at(BEFORE)
    receiver = a_receiver(reader, source, nc, points=point)
    async with running(FeedOf(source, nc), receiver):
        await point.reached.wait()
        assert (receiver.head, receiver.position) == (12, 0)


# -------------------------------------------------------------------------------------------------- another past


async def stops(receiver: Receiver, reader: Place) -> str:
    """The receiver stops and its inbox stays as it was; what it says."""
    before = await reader.inbox("cases")
    async with running(receiver):
        await until(lambda: receiver.stopped)
        await asyncio.sleep(0.2)
    assert await reader.inbox("cases") == before
    assert receiver.stopped
    return receiver.stopped


async def caught_up(source: Place, reader: Place, nc: Client, events: int = 10) -> None:
    await source.fill(events)
    await relayed(source, nc)
    async with running(FeedOf(source, nc), a_receiver(reader, source, nc)):
        await received(reader, source)


async def test_a_source_of_another_lineage_stops_it(source: Place, reader: Place, nc: Client) -> None:
    await caught_up(source, reader, nc)
    await source.forced("UPDATE work.head SET lineage = gen_random_uuid()")
    async with running(FeedOf(source, nc)):
        assert "is of lineage" in await stops(a_receiver(reader, source, nc), reader)


async def test_a_source_whose_log_ends_below_the_mark_stops_it(source: Place, reader: Place, nc: Client) -> None:
    await caught_up(source, reader, nc)
    await source.forget(6)
    async with running(FeedOf(source, nc)):
        assert "ends at 6, received was 10" in await stops(a_receiver(reader, source, nc), reader)


async def test_another_event_at_the_mark_stops_it(source: Place, reader: Place, nc: Client) -> None:
    """The source was restored, its stream made anew, and it has grown past the mark since."""
    await caught_up(source, reader, nc)
    await source.forget(6)
    await source.fill(20, "other")
    await source.number()
    await nc.jetstream().delete_stream(source.stream)
    await relayed(source, nc)
    async with running(FeedOf(source, nc)):
        assert "at 10: not the event" in await stops(a_receiver(reader, source, nc), reader)


async def test_another_event_at_the_mark_is_noticed_although_the_stream_begins_above_it(
    source: Place, reader: Place, nc: Client
) -> None:
    await caught_up(source, reader, nc)
    await source.forget(6)
    await source.fill(20, "other")
    await source.number()
    lineage = await source.pool.fetchval("SELECT lineage FROM work.head")
    await nc.jetstream().delete_stream(source.stream)
    await nc.jetstream().add_stream(definition("cases", source.jurisdiction, 11, None, str(lineage)))
    await publish(nc, await _messages(source, 11), 10)
    async with running(FeedOf(source, nc)):
        assert "at 10: not the event" in await stops(a_receiver(reader, source, nc), reader)


async def _messages(source: Place, first: int) -> list[Message]:
    """As the relay would publish them."""
    lineage = await source.pool.fetchval("SELECT lineage FROM work.head")
    return [
        Message(
            f"{source.jurisdiction}.{attribute(body, 'type')}",
            body,
            {LINEAGE: str(lineage), LEAF: leaf_of(body).hex(), POSITION: str(position)},
        )
        for position, body in enumerate(await source.bodies(), 1)
        if position >= first
    ]


async def test_another_lineage_in_the_stream_stops_it_although_the_source_is_silent(
    source: Place, reader: Place, nc: Client
) -> None:
    await caught_up(source, reader, nc)
    await source.fill(3, "b")
    await source.number()
    forged = [Message(m.subject, m.body, m.headers | {LINEAGE: str(UUID(int=7))}) for m in await _messages(source, 11)]
    await publish(nc, forged, 10)
    assert "is of lineage" in await stops(a_receiver(reader, source, nc), reader)


@pytest.mark.parametrize(
    ("headers", "said"),
    [({}, "not written by its relay"), ({LINEAGE: "?"}, "not written"), ({LINEAGE: str(UUID(int=7))}, "says it is")],
    ids=["none", "nonsense", "no position"],
)
async def test_a_message_that_no_relay_wrote_stops_it(
    source: Place, reader: Place, nc: Client, headers: dict[str, str], said: str
) -> None:
    await caught_up(source, reader, nc)
    await publish(nc, [Message(f"{source.jurisdiction}.cases.x", b"{}", headers)], 10)
    assert said in await stops(a_receiver(reader, source, nc), reader)


async def test_a_message_at_another_sequence_than_its_position_stops_it(
    source: Place, reader: Place, nc: Client
) -> None:
    await caught_up(source, reader, nc)
    await source.fill(3, "b")
    await source.number()
    await publish(nc, (await _messages(source, 12)), 10)
    assert "message 11 says it is event 12" in await stops(a_receiver(reader, source, nc), reader)


async def test_it_goes_on_by_itself_when_the_difference_is_mended(source: Place, reader: Place, nc: Client) -> None:
    await caught_up(source, reader, nc)
    lineage = await source.pool.fetchval("SELECT lineage FROM work.head")
    await source.forced("UPDATE work.head SET lineage = gen_random_uuid()")
    receiver = a_receiver(reader, source, nc)
    async with running(FeedOf(source, nc), receiver):
        await until(lambda: receiver.stopped)
        await source.forced(f"UPDATE work.head SET lineage = '{lineage}'")
        await source.fill(3, "b")
        await relayed(source, nc)
        await received(reader, source)
        assert receiver.stopped is None


class ShortFeed:
    """A source whose log ends below what its stream promises."""

    def __init__(self, lineage: UUID) -> None:
        self.lineage = lineage

    async def head(self) -> FeedHead:
        raise NotReady("away")

    async def after(self, position: int, most: int) -> list[FeedEvent]:
        return []


async def test_a_stream_that_promises_more_than_the_log_holds_stops_it(
    source: Place, reader: Place, nc: Client
) -> None:
    await a_loose_stream(source, nc, first=5)
    lineage = await source.pool.fetchval("SELECT lineage FROM work.head")
    receiver = a_receiver(reader, source, nc, feed=ShortFeed(lineage))
    assert "its log ends at 0" in await stops(receiver, reader)


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
