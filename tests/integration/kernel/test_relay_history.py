"""A stream with another past than the log is never written to, until a person has looked."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from nats.aio.client import Client

from shared.errors import HistoryDiffers
from shared.relay import Relay
from shared.stream import Message, publish
from tests.support.kernel import Place, a_loose_stream, a_relay, a_sequencer, instead, running, until
from tests.support.mirroring import ends_at, mirrored, state


async def refuses(relay: Relay, place: Place, nc: Client) -> str:
    """The relay is not ready and writes nothing, while there is something to write; what it says."""
    before = await state(place, nc)
    await place.fill(2, f"more-{uuid4().hex[:4]}")
    await place.number()
    async with running(relay):
        await until(lambda: relay.differs)
        await asyncio.sleep(0.1)
        assert not relay.ready
        now = await state(place, nc)
    assert (now.last_seq, now.messages) == (before.last_seq, before.messages)
    assert relay.differs
    return relay.differs


async def relayed(place: Place, nc: Client, events: int) -> None:
    await place.fill(events)
    await place.number()
    async with running(a_relay(place, nc)):
        await until(lambda: ends_at(place, nc, events))


async def test_a_stream_ahead_of_the_log_is_not_written_to(source: Place, nc: Client) -> None:
    await relayed(source, nc, 10)
    await source.forget(5)
    assert "ends at 10" in await refuses(a_relay(source, nc), source, nc)


async def test_a_stream_with_another_event_at_its_end_is_not_written_to(source: Place, nc: Client) -> None:
    """The database was restored, and has grown past the stream's end since."""
    await relayed(source, nc, 10)
    await source.forget(5)
    await source.fill(8, "other")
    assert "differ at position 10" in await refuses(a_relay(source, nc), source, nc)


async def test_another_event_below_a_deleted_end_is_noticed(source: Place, nc: Client) -> None:
    await a_loose_stream(source, nc)
    await relayed(source, nc, 10)
    await nc.jetstream().delete_msg(source.stream, 10)
    await source.forget(5)
    await source.fill(8, "other")
    assert "differ at position 9" in await refuses(a_relay(source, nc), source, nc)


async def test_a_stream_of_another_lineage_is_not_written_to(source: Place, nc: Client) -> None:
    await relayed(source, nc, 10)
    await source.forced("UPDATE work.head SET lineage = gen_random_uuid()")
    assert "is of lineage" in await refuses(a_relay(source, nc), source, nc)


async def test_the_lineage_of_a_stream_without_messages_is_known_too(source: Place, nc: Client) -> None:
    await a_loose_stream(source, nc)
    await relayed(source, nc, 10)
    await nc.jetstream().purge_stream(source.stream)
    await source.forced("UPDATE work.head SET lineage = gen_random_uuid()")
    assert "is of lineage" in await refuses(a_relay(source, nc), source, nc)


async def test_a_stranger_in_the_stream_is_not_written_behind(source: Place, nc: Client) -> None:
    await relayed(source, nc, 3)
    await publish(nc, [Message(f"{source.jurisdiction}.cases.x", b"{}", {})], 3)
    await source.fill(5, "b")
    assert await refuses(a_relay(source, nc), source, nc)


async def test_an_event_that_no_relay_wrote_is_not_written_behind(source: Place, nc: Client) -> None:
    """The right bytes at the right place, and no word of their lineage."""
    await relayed(source, nc, 3)
    await source.fill(1)
    await source.number()
    await publish(nc, [Message(f"{source.jurisdiction}.cases.x", (await source.bodies())[3], {})], 3)
    assert "of lineage None" in await refuses(a_relay(source, nc), source, nc)


async def test_a_server_that_counts_otherwise_is_asked_again(
    source: Place, nc: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer to the first batch is wrong; what the relay goes by is the stream itself."""
    answers = [99]

    async def counts_otherwise(*given: Any) -> int:
        last = await publish(*given)
        return answers.pop() if answers else last

    monkeypatch.setattr("shared.relay.publish", counts_otherwise)
    async with running(a_relay(source, nc, look=60), a_sequencer(source)):
        await source.fill(5)
        await until(lambda: not answers)
        await source.fill(5, "b")
        await mirrored(source, nc)


async def test_what_differs_is_looked_at_again_and_the_relay_goes_on_when_it_is_mended(
    source: Place, nc: Client
) -> None:
    await relayed(source, nc, 10)
    lineage = await source.pool.fetchval("SELECT lineage FROM work.head")
    await source.forced("UPDATE work.head SET lineage = gen_random_uuid()")
    relay = a_relay(source, nc)
    async with running(relay):
        await until(lambda: relay.differs)
        await source.forced(f"UPDATE work.head SET lineage = '{lineage}'")
        await source.fill(2, "b")
        await mirrored(source, nc)
        assert relay.ready and relay.differs is None


async def test_another_relay_writing_at_the_start_is_no_other_past(source: Place, nc: Client) -> None:
    """The head is read after the stream: events that came between the two are in it."""
    await relayed(source, nc, 5)
    relay = a_relay(source, nc)
    js = nc.jetstream()
    look = js.stream_info

    async def looks_late(*args: Any) -> Any:
        await source.fill(5, "b")
        await source.number()
        async with running(a_relay(source, nc)):
            await until(lambda: ends_at(source, nc, 10))
        return await look(*args)

    instead(js, "stream_info", looks_late)
    assert (await relay.tail(js))[0] == 10


async def test_history_differs_is_raised_to_whoever_asks_for_the_tail(source: Place, nc: Client) -> None:
    await relayed(source, nc, 4)
    await source.forget(2)
    with pytest.raises(HistoryDiffers):
        await a_relay(source, nc).tail(nc.jetstream())
