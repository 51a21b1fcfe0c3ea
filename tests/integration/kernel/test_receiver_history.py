"""Receiving from one past only: what is not the continuation of what was received stops the receiver."""

import asyncio
from uuid import UUID

import pytest
from nats.aio.client import Client

from shared.contracts.envelope import attribute, leaf_of
from shared.errors import NotReady
from shared.log_feed import FeedEvent, FeedHead
from shared.receiver import Receiver
from shared.stream import LEAF, LINEAGE, POSITION, Message, definition, publish
from tests.support.kernel import FeedOf, Place, a_loose_stream, a_receiver, running, until
from tests.support.receiving import received, relayed


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


async def test_another_event_at_themark_is_noticed_although_the_stream_begins_above_it(
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
