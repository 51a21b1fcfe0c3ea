"""A database restored to an older state begins a new lineage; what belongs to its past is followed."""

import asyncio

import asyncpg
import pytest
from click.testing import CliRunner
from nats.aio.client import Client

from shared.cli.main import commands
from shared.lineage import begin_new_lineage
from shared.stream import LINEAGE
from tests.support.kernel import FeedOf, Place, a_receiver, a_relay, a_sequencer, running, until
from tests.support.restoring import head_of, lineage_of, mark_is, received, relayed, restored, stream_is


async def test_a_new_lineage_names_its_parent_and_the_event_it_grew_from(source: Place) -> None:
    await source.fill(6)
    await source.number()
    before = await lineage_of(source)
    begun = await begin_new_lineage(source.owner_dsn)
    leaf = await source.pool.fetchval("SELECT leaf FROM record.log WHERE position = 6")
    assert (begun.parent, begun.shared, begun.leaf) == (before, 6, leaf)
    assert begun.lineage == await lineage_of(source) != before
    row = await source.pool.fetchrow(
        "SELECT parent, from_position, from_leaf FROM record.lineage WHERE lineage = $1", begun.lineage
    )
    assert row is not None and tuple(row) == (before, 6, leaf)


@pytest.mark.parametrize("role", ["cases_app", "cases_log"])
async def test_no_running_role_may_begin_a_lineage(source: Place, role: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await begin_new_lineage(source.templates.dsn(source.database, role))


async def test_events_that_waited_for_a_number_get_it_in_the_new_lineage(source: Place) -> None:
    await source.fill(3)
    await source.number()
    await source.fill(2)
    assert (await begin_new_lineage(source.owner_dsn)).shared == 3
    assert await source.number() == 5
    await a_sequencer(source).check()


async def test_the_relay_begins_a_new_stream_for_a_new_lineage(source: Place, nc: Client) -> None:
    lineage = await restored(source, nc)
    await source.fill(3, "new")
    await relayed(source, nc)
    info = await nc.jetstream().stream_info(source.stream)
    assert (info.state.first_seq, info.state.last_seq) == (1, 9)
    assert (info.config.metadata or {})[LINEAGE] == str(lineage)
    for position, body in enumerate(await source.bodies(), 1):
        message = await nc.jetstream().get_msg(source.stream, seq=position)
        assert (message.data, (message.headers or {})[LINEAGE]) == (body, str(lineage))


async def test_a_relay_that_runs_notices_the_new_lineage(source: Place, nc: Client) -> None:
    await source.fill(3)
    await source.number()
    async with running(a_relay(source, nc, look=0.1, poll=0.05)):
        await until(lambda: stream_is(source, nc, 3))
        await begin_new_lineage(source.owner_dsn)
        await until(lambda: stream_is(source, nc, 3))
        await begin_new_lineage(source.owner_dsn)
        await source.fill(2)
        await source.number()
        await until(lambda: stream_is(source, nc, 5))


async def test_the_old_database_that_still_runs_writes_nothing_into_the_new_stream(source: Place, nc: Client) -> None:
    """After a fail-over: it knows nothing of the child."""
    parent = await lineage_of(source)
    await source.fill(3)
    child = await source.backup()
    await begin_new_lineage(source.owner_dsn)
    await relayed(source, nc)
    await source.restore(child)
    assert await lineage_of(source) == parent
    await source.fill(2, "late")
    await source.number()
    old = a_relay(source, nc)
    async with running(old):
        await until(lambda: old.differs)
    assert "is of lineage" in (old.differs or "")
    assert (await nc.jetstream().stream_info(source.stream)).state.last_seq == 3


async def test_the_feed_names_every_ancestor_and_what_is_shared_with_it(source: Place, nc: Client) -> None:
    """The second restore went back behind the first."""
    root = await lineage_of(source)
    await source.fill(4)
    await source.number()
    kept = await source.backup()
    await source.fill(4, "b")
    await source.number()
    first = (await begin_new_lineage(source.owner_dsn)).lineage
    await source.fill(4, "c")
    await source.number()
    second = (await begin_new_lineage(source.owner_dsn)).lineage
    async with running(FeedOf(source, nc)):
        head = await until(lambda: head_of(source, nc))
        assert (head.lineage, head.position, head.ancestors) == (second, 12, {first: 12, root: 8})
        await source.restore(kept)
        third = (await begin_new_lineage(source.owner_dsn)).lineage
        head = await until(lambda: head_of(source, nc))
        assert (head.lineage, head.position, head.ancestors) == (third, 4, {root: 4})


# ------------------------------------------------------------------------------------------------------- the receiver


async def test_a_receiver_that_saw_nothing_forgotten_follows_by_itself(
    source: Place, reader: Place, nc: Client
) -> None:
    await source.fill(6)
    await received(reader, source, nc, await relayed(source, nc))
    await restored_behind(source, nc)
    await source.fill(3, "new")
    await received(reader, source, nc, await relayed(source, nc))
    assert [body for _, body in await reader.inbox("cases")] == await source.bodies()
    lineages = await reader.pool.fetch("SELECT DISTINCT lineage FROM record.inbox")
    assert len(lineages) == 2


async def restored_behind(source: Place, nc: Client) -> None:
    """What the source wrote since six was relayed, but nobody received it."""
    kept = await source.backup()
    await source.fill(4, "forgotten")
    await relayed(source, nc)
    await source.restore(kept)
    await begin_new_lineage(source.owner_dsn)


async def test_a_receiver_that_runs_follows_without_a_stop(source: Place, reader: Place, nc: Client) -> None:
    receiver = a_receiver(reader, source, nc)
    async with running(a_sequencer(source), a_relay(source, nc, look=0.1, poll=0.05), FeedOf(source, nc), receiver):
        await source.fill(5)
        await until(lambda: mark_is(reader, source, 5))
        await begin_new_lineage(source.owner_dsn)
        await source.fill(5, "new")
        await until(lambda: mark_is(reader, source, 10))
        assert receiver.stopped is None
    assert [body for _, body in await reader.inbox("cases")] == await source.bodies()


async def test_a_grandchild_is_followed_too(source: Place, reader: Place, nc: Client) -> None:
    await source.fill(5)
    await received(reader, source, nc, await relayed(source, nc))
    for n in range(2):
        await begin_new_lineage(source.owner_dsn)
        await source.fill(2, f"s{n}")
        await source.number()
    await received(reader, source, nc, await relayed(source, nc))
    assert [body for _, body in await reader.inbox("cases")] == await source.bodies()


async def test_a_lineage_is_believed_only_when_the_event_at_themark_is_the_same(
    source: Place, reader: Place, nc: Client
) -> None:
    await source.fill(6)
    await received(reader, source, nc, await relayed(source, nc))
    await begin_new_lineage(source.owner_dsn)
    await source.forced("UPDATE record.event SET body = body || ' ' WHERE version = 6")
    receiver = a_receiver(reader, source, nc)
    async with running(FeedOf(source, nc), receiver):
        await until(lambda: receiver.stopped)
    assert "at 6: not the event" in (receiver.stopped or "")
    known = await reader.pool.fetchval("SELECT lineage FROM work.mark WHERE follower = 'receiver'")
    assert known != await lineage_of(source)


async def test_a_receiver_that_saw_what_was_forgotten_stops_and_names_the_remedy(
    source: Place, reader: Place, nc: Client
) -> None:
    await restored(source, nc, reader)
    await source.fill(20, "new")
    await relayed(source, nc)
    receiver = a_receiver(reader, source, nc)
    async with running(FeedOf(source, nc), receiver):
        await until(lambda: receiver.stopped)
        await asyncio.sleep(0.4)
    assert "goes on from 6, received was 10" in (receiver.stopped or "")
    assert "minewatch accept-lineage reporting cases" in (receiver.stopped or "")
    assert len(await reader.inbox("cases")) == 10


async def test_the_command_says_from_where_the_service_goes_on(source: Place) -> None:
    await source.fill(3)
    await source.number()
    asked = ["restore", "cases", "--new-lineage"]
    result = await asyncio.to_thread(CliRunner(env={"MINEWATCH_OWNER_DSN": source.owner_dsn}).invoke, commands, asked)
    assert result.exit_code == 0, result.output
    assert f"goes on from position 3 as lineage {await lineage_of(source)}" in result.output


async def test_the_command_does_nothing_without_being_told_what_happened(source: Place) -> None:
    before = await lineage_of(source)
    runner = CliRunner(env={"MINEWATCH_OWNER_DSN": source.owner_dsn})
    result = await asyncio.to_thread(runner.invoke, commands, ["restore", "cases"])
    assert result.exit_code == 2
    assert await lineage_of(source) == before


async def test_the_command_names_the_setting_it_needs() -> None:
    runner = CliRunner(env={"MINEWATCH_OWNER_DSN": None})
    result = await asyncio.to_thread(runner.invoke, commands, ["restore", "cases", "--new-lineage"])
    assert "MINEWATCH_OWNER_DSN" in str(result.exception)
