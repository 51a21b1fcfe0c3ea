"""Receiving although the stream lost something: it comes from the source's log, and nothing is left out."""

import pytest
from nats.aio.client import Client

from shared.stream import definition
from tests.support.crash import pause_at
from tests.support.kernel import FeedOf, Place, a_loose_stream, a_receiver, instead, running, until
from tests.support.receiving import mark_is, received, relayed, serving

BEFORE, AFTER = "receiver: before the commit", "receiver: after the commit"


@pytest.mark.parametrize("kept", [0, 4])
async def test_a_stream_that_begins_above_themark_is_made_up_from_the_feed(
    source: Place, reader: Place, nc: Client, kept: int
) -> None:
    """Also when no message is left in it to tell."""
    await a_loose_stream(source, nc)
    await source.fill(20)
    await relayed(source, nc)
    await nc.jetstream().purge_stream(source.stream, keep=kept or None)
    async with running(FeedOf(source, nc), a_receiver(reader, source, nc)):
        await received(reader, source)


async def test_an_empty_stream_made_anew_above_themark_is_noticed(source: Place, reader: Place, nc: Client) -> None:
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
        await until(lambda: mark_is(reader, source, 4))
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
