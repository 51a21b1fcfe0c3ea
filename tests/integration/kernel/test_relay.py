"""The stream is a mirror of the log: sequence N is position N, whatever happens to stream, relay or database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from shutil import copytree, rmtree
from typing import Any
from uuid import uuid4

import nats.errors
import pytest
from nats.aio.client import Client
from nats.js.errors import NotFoundError

from shared.contracts.envelope import attribute, leaf_of
from shared.embedded.nats_server import EmbeddedNats
from shared.errors import HistoryDiffers
from shared.relay import Relay
from shared.stream import LEAF, LINEAGE, POSITION, BatchRefused, Message, connect, publish
from tests.support.kernel import (
    Place,
    a_loose_stream,
    a_relay,
    a_sequencer,
    dies,
    instead,
    kill_at,
    pause_at,
    raise_at,
    running,
    until,
)

BEFORE, AFTER = "relay: before a batch", "relay: after a batch"


async def state(place: Place, nc: Client) -> Any:
    return (await nc.jetstream().stream_info(place.stream)).state


async def last(place: Place, nc: Client) -> int:
    """The stream's last sequence, 0 when there is no stream."""
    try:
        return int((await state(place, nc)).last_seq)
    except (NotFoundError, nats.errors.Error):
        return 0


async def mirrored(place: Place, nc: Client, first: int = 1, holes: tuple[int, ...] = ()) -> None:
    """Waits for the stream to reach the head; then each message from `first` on is the event at its sequence, and no other."""
    head = await place.number()
    await until(lambda: _ends_at(place, nc, head))
    bodies = await place.bodies()
    js = nc.jetstream()
    lineage = str(await place.pool.fetchval("SELECT lineage FROM work.head"))
    now = await state(place, nc)
    assert (now.first_seq, now.last_seq, now.messages) == (first, head, head - first + 1 - len(holes))
    for position in range(first, head + 1):
        if position in holes:
            continue
        message = await js.get_msg(place.stream, seq=position)
        assert message.data == bodies[position - 1]
        headers = message.headers or {}
        assert (headers[LINEAGE], headers[POSITION]) == (lineage, str(position))
        assert headers[LEAF] == leaf_of(bodies[position - 1]).hex()
        assert message.subject == f"{place.jurisdiction}.{attribute(message.data or b'', 'type')}"


async def _ends_at(place: Place, nc: Client, head: int) -> bool:
    return await last(place, nc) == head


async def test_every_event_is_mirrored_at_its_own_position(source: Place, nc: Client) -> None:
    await source.fill(30)
    async with running(a_relay(source, nc), a_sequencer(source)):
        await until(lambda: _ends_at(source, nc, 30))
        await source.fill(5, "b")
        await mirrored(source, nc)


async def test_large_events_and_long_backlogs_go_in_several_batches(source: Place, nc: Client) -> None:
    await source.fill(700)
    await source.forced(
        "UPDATE record.event SET body = body || repeat(' ', 30000)::bytea WHERE version BETWEEN 100 AND 170"
    )
    await source.number()
    passed: list[str] = []

    async def count(point: str) -> None:
        passed.append(point)

    async with running(a_relay(source, nc, points=count)):
        await mirrored(source, nc)
    assert passed.count(AFTER) >= 4  # two megabytes and 700 events, at most one megabyte and 500 events each


async def test_a_killed_relay_resumes_from_the_end_of_the_stream(source: Place, nc: Client) -> None:
    await source.fill(10)
    await source.number()
    await dies(a_relay(source, nc, points=kill_at(AFTER)))
    assert await last(source, nc) == 10
    await source.fill(10, "b")
    async with running(a_relay(source, nc)):
        await mirrored(source, nc)


async def test_an_event_numbered_but_not_yet_relayed_survives_a_crash(source: Place, nc: Client) -> None:
    await source.fill(10)
    await source.number()
    await dies(a_relay(source, nc, points=kill_at(BEFORE)))
    assert await last(source, nc) == 0
    async with running(a_relay(source, nc)):
        await mirrored(source, nc)


async def test_a_batch_whose_acknowledgement_was_lost_is_not_published_twice(source: Place, nc: Client) -> None:
    """The batch stands, the relay does not know it, and reads the tail again."""
    await source.fill(10)
    await source.number()
    async with running(a_relay(source, nc, points=raise_at(AFTER, nats.errors.TimeoutError()))):
        await until(lambda: _ends_at(source, nc, 10))
        await source.fill(3, "b")
        await mirrored(source, nc)


async def test_two_relays_publish_each_event_once(source: Place, nc: Client) -> None:
    async with running(a_relay(source, nc, linger=0), a_relay(source, nc, linger=0), a_sequencer(source)):
        for n in range(10):
            await source.fill(20, f"s{n}")
        await until(lambda: _ends_at(source, nc, 200), 30)
        await mirrored(source, nc)


async def test_a_relay_that_was_overtaken_writes_nothing_and_reads_the_tail_again(source: Place, nc: Client) -> None:
    await source.fill(10)
    await source.number()
    point = pause_at(BEFORE)
    slow = a_relay(source, nc, points=point)
    async with running(slow):
        await point.reached.wait()
        async with running(a_relay(source, nc)):
            await until(lambda: _ends_at(source, nc, 10))
        await source.fill(2, "b")
        point.go_on.set()
        await mirrored(source, nc)
        assert slow.differs is None


async def test_publishing_behind_another_sequence_stores_nothing_of_the_batch(source: Place, nc: Client) -> None:
    await a_loose_stream(source, nc)
    subject = f"{source.jurisdiction}.cases.x"
    await publish(nc, [Message(subject, b"1", {}), Message(subject, b"2", {})], 0)
    with pytest.raises(BatchRefused, match="10071"):
        await publish(nc, [Message(subject, b"3", {}), Message(subject, b"4", {})], 1)
    assert (await state(source, nc)).last_seq == 2


@pytest.mark.parametrize("keep", [None, 4])
async def test_a_deleted_stream_is_made_again_and_refilled(source: Place, nc: Client, keep: int | None) -> None:
    await source.fill(10)
    await source.number()
    async with running(a_relay(source, nc, keep=keep, look=0.1, poll=0.05)):
        await until(lambda: _ends_at(source, nc, 10))
        await nc.jetstream().delete_stream(source.stream)
        await mirrored(source, nc, 1 if keep is None else 7)


async def test_a_wipe_without_traffic_is_noticed(source: Place, nc: Client) -> None:
    await source.fill(3)
    await source.number()
    async with running(a_relay(source, nc)):
        await until(lambda: _ends_at(source, nc, 3))
        await nc.jetstream().delete_stream(source.stream)
        await until(lambda: _ends_at(source, nc, 3), 4)


async def test_a_limited_stream_begins_at_head_minus_keep_plus_one(source: Place, nc: Client) -> None:
    await source.fill(30)
    await source.number()
    async with running(a_relay(source, nc, keep=10)):
        await mirrored(source, nc, 21)
        await source.fill(5, "b")
        await mirrored(source, nc, 26)
    info = await nc.jetstream().stream_info(source.stream)
    assert (info.config.first_seq, info.config.max_msgs) == (21, 10)


async def test_a_new_stream_cannot_be_purged_nor_a_message_deleted(source: Place, nc: Client) -> None:
    await source.fill(3)
    await source.number()
    async with running(a_relay(source, nc)):
        await until(lambda: _ends_at(source, nc, 3))
    with pytest.raises(nats.errors.Error, match=r"(?i)delete"):
        await nc.jetstream().delete_msg(source.stream, 2)
    with pytest.raises(nats.errors.Error, match=r"(?i)purge"):
        await nc.jetstream().purge_stream(source.stream)


@pytest.mark.parametrize("deleted", [(4,), (10,), (8, 9, 10)], ids=["inside", "the last", "the last three"])
async def test_a_deleted_message_does_not_stop_the_relay(source: Place, nc: Client, deleted: tuple[int, ...]) -> None:
    await a_loose_stream(source, nc)
    await source.fill(10)
    await source.number()
    async with running(a_relay(source, nc)):
        await until(lambda: _ends_at(source, nc, 10))
    for sequence in deleted:
        await nc.jetstream().delete_msg(source.stream, sequence)
    await source.fill(5, "b")
    async with running(a_relay(source, nc)):
        await mirrored(source, nc, holes=deleted)


@pytest.mark.parametrize("kept", [0, 3], ids=["whole", "below k"])
async def test_a_purged_stream_goes_on_where_it_ended(source: Place, nc: Client, kept: int) -> None:
    await a_loose_stream(source, nc)
    await source.fill(10)
    await source.number()
    async with running(a_relay(source, nc)):
        await until(lambda: _ends_at(source, nc, 10))
    await nc.jetstream().purge_stream(source.stream, keep=kept or None)
    await source.fill(5, "b")
    async with running(a_relay(source, nc)):
        await mirrored(source, nc, 11 - kept)


# ------------------------------------------------------------------------------------- another past is not written to


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
        await until(lambda: _ends_at(place, nc, events))


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
            await until(lambda: _ends_at(source, nc, 10))
        return await look(*args)

    instead(js, "stream_info", looks_late)
    assert (await relay.tail(js))[0] == 10


# --------------------------------------------------------------------------------------------- the server's own files


@pytest.fixture
async def own_server(tmp_path: Path) -> AsyncIterator[EmbeddedNats]:
    server = EmbeddedNats(tmp_path / "store", tmp_path / "run")
    await server.start()
    yield server
    await server.stop()


async def test_an_older_store_folder_is_filled_up(source: Place, own_server: EmbeddedNats, tmp_path: Path) -> None:
    nc = await connect(own_server.url, "test")
    try:
        async with running(a_relay(source, nc, look=0.1, poll=0.05), a_sequencer(source)):
            await source.fill(10)
            await until(lambda: _ends_at(source, nc, 10))
            await own_server.stop()
            copytree(tmp_path / "store", tmp_path / "older")
            await own_server.start()
            await source.fill(10, "b")
            await until(lambda: _ends_at(source, nc, 20))
            await own_server.stop()
            rmtree(tmp_path / "store")
            (tmp_path / "older").rename(tmp_path / "store")
            await own_server.start()
            await mirrored(source, nc)
    finally:
        await nc.close()


async def test_a_deleted_store_folder_is_filled_again(source: Place, own_server: EmbeddedNats, tmp_path: Path) -> None:
    nc = await connect(own_server.url, "test")
    try:
        async with running(a_relay(source, nc, look=0.1, poll=0.05), a_sequencer(source)):
            await source.fill(10)
            await until(lambda: _ends_at(source, nc, 10))
            await own_server.stop()
            rmtree(tmp_path / "store")
            await own_server.start()
            await source.fill(3, "b")
            await mirrored(source, nc)
    finally:
        await nc.close()


async def test_history_differs_is_raised_to_whoever_asks_for_the_tail(source: Place, nc: Client) -> None:
    await relayed(source, nc, 4)
    await source.forget(2)
    with pytest.raises(HistoryDiffers):
        await a_relay(source, nc).tail(nc.jetstream())


async def test_a_cancellation_that_the_library_swallowed_ends_it_all_the_same(source: Place, nc: Client) -> None:
    relay, waiting = a_relay(source, nc), asyncio.Event()

    async def swallows(_: float) -> None:
        waiting.set()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0.2)

    instead(relay.sequenced, "wait", swallows)
    task = asyncio.create_task(relay.run())
    await waiting.wait()
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=3)
    assert done and task.cancelled()
