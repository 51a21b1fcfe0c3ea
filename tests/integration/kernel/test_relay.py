"""The stream is a mirror of the log: sequence N is position N, whatever happens to stream, relay or server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from shutil import copytree, rmtree

import nats.errors
import nats.js.errors
import pytest
from nats.aio.client import Client

from shared.embedded.nats_server import EmbeddedNats
from shared.stream import BatchRefused, Message, connect, publish
from tests.support.crash import dies, kill_at, pause_at, raise_at
from tests.support.kernel import Place, a_loose_stream, a_relay, a_sequencer, instead, running, until
from tests.support.mirroring import ends_at, last_of, mirrored, state

BEFORE, AFTER = "relay: before a batch", "relay: after a batch"


async def test_every_event_is_mirrored_at_its_own_position(source: Place, nc: Client) -> None:
    await source.fill(30)
    async with running(a_relay(source, nc), a_sequencer(source)):
        await until(lambda: ends_at(source, nc, 30))
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
    assert await last_of(source, nc) == 10
    await source.fill(10, "b")
    async with running(a_relay(source, nc)):
        await mirrored(source, nc)


async def test_an_event_numbered_but_not_yet_relayed_survives_a_crash(source: Place, nc: Client) -> None:
    await source.fill(10)
    await source.number()
    await dies(a_relay(source, nc, points=kill_at(BEFORE)))
    assert await last_of(source, nc) == 0
    async with running(a_relay(source, nc)):
        await mirrored(source, nc)


async def test_a_batch_whose_acknowledgement_was_lost_is_not_published_twice(source: Place, nc: Client) -> None:
    """The batch stands, the relay does not know it, and reads the tail again."""
    await source.fill(10)
    await source.number()
    async with running(a_relay(source, nc, points=raise_at(AFTER, nats.errors.TimeoutError()))):
        await until(lambda: ends_at(source, nc, 10))
        await source.fill(3, "b")
        await mirrored(source, nc)


async def test_two_relays_publish_each_event_once(source: Place, nc: Client) -> None:
    async with running(a_relay(source, nc, linger=0), a_relay(source, nc, linger=0), a_sequencer(source)):
        for n in range(10):
            await source.fill(20, f"s{n}")
        await until(lambda: ends_at(source, nc, 200), 30)
        await mirrored(source, nc)


async def test_a_relay_that_was_overtaken_writes_nothing_and_reads_the_tail_again(source: Place, nc: Client) -> None:
    await source.fill(10)
    await source.number()
    point = pause_at(BEFORE)
    slow = a_relay(source, nc, points=point)
    async with running(slow):
        await point.reached.wait()
        async with running(a_relay(source, nc)):
            await until(lambda: ends_at(source, nc, 10))
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
        await until(lambda: ends_at(source, nc, 10))
        await nc.jetstream().delete_stream(source.stream)
        await mirrored(source, nc, 1 if keep is None else 7)


async def test_a_wipe_without_traffic_is_noticed(source: Place, nc: Client) -> None:
    await source.fill(3)
    await source.number()
    async with running(a_relay(source, nc)):
        await until(lambda: ends_at(source, nc, 3))
        await nc.jetstream().delete_stream(source.stream)
        await until(lambda: ends_at(source, nc, 3), 4)


async def test_a_limited_stream_begins_at_head_minus_keep_plus_one(source: Place, nc: Client) -> None:
    await source.fill(30)
    await source.number()
    async with running(a_relay(source, nc, keep=10)):
        await mirrored(source, nc, 21)
        await source.fill(5, "b")
        await mirrored(source, nc, 26)
    info = await nc.jetstream().stream_info(source.stream)
    assert (info.config.first_seq, info.config.max_msgs) == (21, 10)


async def test_another_limit_holds_for_the_stream_that_is_there(source: Place, nc: Client) -> None:
    await source.fill(10)
    await source.number()
    for keep, first in ((None, 1), (4, 7), (6, 7), (None, 7)):  # what was pushed out comes from the log
        async with running(a_relay(source, nc, keep=keep)):
            await until(lambda keep=keep: keeps(source, nc, keep))
            await mirrored(source, nc, first)
    with pytest.raises(nats.errors.Error, match=r"(?i)delete"):
        await nc.jetstream().delete_msg(source.stream, 8)


async def keeps(place: Place, nc: Client, most: int | None) -> bool:
    try:
        return (await nc.jetstream().stream_info(place.stream)).config.max_msgs == (most or -1)
    except nats.js.errors.NotFoundError:
        return False


async def test_a_new_stream_cannot_be_purged_nor_a_message_deleted(source: Place, nc: Client) -> None:
    await source.fill(3)
    await source.number()
    async with running(a_relay(source, nc)):
        await until(lambda: ends_at(source, nc, 3))
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
        await until(lambda: ends_at(source, nc, 10))
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
        await until(lambda: ends_at(source, nc, 10))
    await nc.jetstream().purge_stream(source.stream, keep=kept or None)
    await source.fill(5, "b")
    async with running(a_relay(source, nc)):
        await mirrored(source, nc, 11 - kept)


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
            await until(lambda: ends_at(source, nc, 10))
            await own_server.stop()
            copytree(tmp_path / "store", tmp_path / "older")
            await own_server.start()
            await source.fill(10, "b")
            await until(lambda: ends_at(source, nc, 20))
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
            await until(lambda: ends_at(source, nc, 10))
            await own_server.stop()
            rmtree(tmp_path / "store")
            await own_server.start()
            await source.fill(3, "b")
            await mirrored(source, nc)
    finally:
        await nc.close()


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
