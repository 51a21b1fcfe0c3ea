"""A database restored to an older state: a new lineage begins, what belongs to its past is followed, anything else stops."""

import asyncio
import base64
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import nats.errors
import pytest
from click.testing import CliRunner
from nats.aio.client import Client

from shared.bell import Bell
from shared.cli.main import commands
from shared.database import open_pool
from shared.errors import HistoryDiffers, NotReady
from shared.follower import Projection, Walk
from shared.lineage import NothingToAccept, accept_lineage, begin_new_lineage
from shared.log_feed import NatsFeed
from shared.reaction import Reactor, count_parked
from shared.receiver import digest_after
from shared.replay import Replay
from shared.stream import LINEAGE
from tests.support.kernel import (
    FeedOf,
    Place,
    a_receiver,
    a_relay,
    a_sequencer,
    running,
    until,
)
from tests.support.servers import NatsAddress
from tests.support.toy import SEEN_MODEL, Mirror


async def lineage_of(place: Place) -> UUID:
    lineage: UUID = await place.pool.fetchval("SELECT lineage FROM work.head")
    return lineage


async def relayed(source: Place, nc: Client) -> int:
    """Everything numbered and in the stream; the head."""
    head = await source.number()
    async with running(a_relay(source, nc)):
        await until(lambda: _stream_is(source, nc, head))
    return head


async def _stream_is(source: Place, nc: Client, head: int) -> bool:
    """It ends at `head` with a message of the lineage in force."""
    js = nc.jetstream()
    try:
        message = await js.get_msg(source.stream, seq=head)
    except nats.errors.Error:
        return False
    return (message.headers or {}).get(LINEAGE) == str(await lineage_of(source))


async def received(reader: Place, source: Place, nc: Client, head: int) -> None:
    """Receives up to `head` and ends."""
    async with running(FeedOf(source, nc), a_receiver(reader, source, nc)):
        await until(lambda: _mark_is(reader, source, head))


async def _mark_is(reader: Place, source: Place, position: int) -> bool:
    row = await reader.pool.fetchrow("SELECT lineage, position FROM work.mark WHERE follower = 'receiver'")
    return row is not None and tuple(row) == (await lineage_of(source), position)


async def restored(source: Place, nc: Client, reader: Place | None = None) -> UUID:
    """The source wrote ten events, was restored to when it had six, and said so. The reader saw six, or with `reader` all ten."""
    await source.fill(6)
    await relayed(source, nc)
    kept = await source.backup()
    await source.fill(4, "forgotten")
    head = await relayed(source, nc)
    if reader is not None:
        await received(reader, source, nc, head)
    await source.restore(kept)
    return (await begin_new_lineage(source.owner_dsn)).lineage


# -------------------------------------------------------------------------------------------------------- the source


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
        await until(lambda: _stream_is(source, nc, 3))
        await begin_new_lineage(source.owner_dsn)
        await until(lambda: _stream_is(source, nc, 3))
        await begin_new_lineage(source.owner_dsn)
        await source.fill(2)
        await source.number()
        await until(lambda: _stream_is(source, nc, 5))


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
        head = await until(lambda: _head(source, nc))
        assert (head.lineage, head.position, head.ancestors) == (second, 12, {first: 12, root: 8})
        await source.restore(kept)
        third = (await begin_new_lineage(source.owner_dsn)).lineage
        head = await until(lambda: _head(source, nc))
        assert (head.lineage, head.position, head.ancestors) == (third, 4, {root: 4})


async def _head(source: Place, nc: Client) -> Any:
    """What the feed says of it, or None while it does not answer."""
    try:
        return await NatsFeed(nc, source.jurisdiction, source.name).head()
    except (NotReady, nats.errors.Error):
        return None


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
        await until(lambda: _mark_is(reader, source, 5))
        await begin_new_lineage(source.owner_dsn)
        await source.fill(5, "new")
        await until(lambda: _mark_is(reader, source, 10))
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


async def test_a_lineage_is_believed_only_when_the_event_at_the_mark_is_the_same(
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


# ---------------------------------------------------------------------------------------------------------- accepting


async def accepted(source: Place, reader: Place, nc: Client) -> Any:
    feed = NatsFeed(nc, source.jurisdiction, source.name)
    async with running(FeedOf(source, nc)):
        await until(lambda: _head(source, nc))
        return await accept_lineage(reader.owner_dsn, "cases", feed)


def a_reactor(reader: Place, mirror: Mirror) -> Reactor:
    return Reactor(reader.name, Walk(reader.name, "cases"), mirror.reactions, reader.app, Bell())


def a_projection(reader: Place) -> Projection:
    return Projection(
        reader.name, "seen", Walk(reader.name, "cases"), [SEEN_MODEL], reader.pool, reader.app.sealer, Bell()
    )


async def test_an_accepted_lineage_is_received_from_the_last_shared_event_on(
    source: Place, reader: Place, nc: Client
) -> None:
    lineage = await restored(source, nc, reader)
    await source.fill(3, "new")
    head = await relayed(source, nc)
    done = await accepted(source, reader, nc)
    assert (done.lineage, done.shared, done.forgotten) == (lineage, 6, 4)
    await received(reader, source, nc, head)
    rows = await reader.pool.fetch("SELECT position FROM record.inbox WHERE lineage = $1 ORDER BY 1", lineage)
    assert [row[0] for row in rows] == [7, 8, 9]
    assert len(await reader.inbox("cases")) == 13
    mark = await reader.pool.fetchrow("SELECT digest, applied FROM work.mark WHERE follower = 'receiver'")
    assert mark is not None and (mark["digest"], mark["applied"]) == (await _digest(source), 9)


async def _digest(source: Place) -> bytes:
    digest: bytes = await source.pool.fetchval("SELECT sha256('')")
    for event in await source.events():
        digest = digest_after(digest, str(event))
    return digest


async def test_rebuilt_read_models_hold_nothing_forgotten(source: Place, reader: Place, nc: Client) -> None:
    await restored(source, nc, reader)
    while await a_projection(reader).once():
        pass
    await source.fill(3, "new")
    head = await relayed(source, nc)
    await accepted(source, reader, nc)
    await received(reader, source, nc, head)
    pool = await open_pool(reader.templates.dsn(reader.database, "reporting_app"), 2, "shadow, work, record")
    replay = Replay("reporting", pool, reader.app.sealer, [], {"seen": [SEEN_MODEL]}, ["cases"])
    await replay.fill()
    await replay.swap()
    pool.terminate()
    rows = await reader.pool.fetch("SELECT event_id FROM toy_seen ORDER BY position")
    assert [row[0] for row in rows] == [str(e) for e in await source.events()]
    assert await reader.mark("projection:seen", "cases") == 9


async def test_reactions_go_on_with_the_new_events_and_keep_what_they_did(
    source: Place, reader: Place, nc: Client
) -> None:
    """Also when events were parked, among them forgotten ones."""
    mirror = Mirror({"site-a"})
    await restored(source, nc, reader)
    reactor = a_reactor(reader, mirror)
    while await reactor.once():
        pass
    assert await count_parked(reader.name, reader.pool) == {"parked": 1, "queued": 5}
    await source.fill(3, "new")
    await source.fill(1)
    head = await relayed(source, nc)
    await accepted(source, reader, nc)
    await _adds_up(reader, 6)
    await received(reader, source, nc, head)
    while await reactor.once():
        pass
    assert await count_parked(reader.name, reader.pool) == {"parked": 1, "queued": 6}
    await _adds_up(reader, 10)
    streams = await reader.pool.fetch("SELECT stream_id, max(version) FROM record.event GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in streams] == [("site-forgotten-copy", 4), ("site-new-copy", 3)]


async def _adds_up(reader: Place, position: int) -> None:
    row = await reader.pool.fetchrow("SELECT position, applied FROM work.mark WHERE follower = 'reactions'")
    waiting = await count_parked(reader.name, reader.pool)
    assert row is not None and row["position"] == position == row["applied"] + sum(waiting.values())


async def test_forgotten_events_that_were_parked_are_let_go(source: Place, reader: Place, nc: Client) -> None:
    mirror = Mirror({"site-forgotten"})
    await restored(source, nc, reader)
    reactor = a_reactor(reader, mirror)
    while await reactor.once():
        pass
    assert await count_parked(reader.name, reader.pool) == {"parked": 1, "queued": 3}
    await accepted(source, reader, nc)
    assert await count_parked(reader.name, reader.pool) == {"parked": 0, "queued": 0}
    await _adds_up(reader, 6)


async def test_there_is_nothing_to_accept_of_a_source_that_is_followed(
    source: Place, reader: Place, nc: Client
) -> None:
    await source.fill(3)
    await received(reader, source, nc, await relayed(source, nc))
    with pytest.raises(NothingToAccept):
        await accepted(source, reader, nc)
    await begin_new_lineage(source.owner_dsn)
    with pytest.raises(NothingToAccept):
        await accepted(source, reader, nc)


async def test_a_stranger_is_not_accepted(source: Place, reader: Place, nc: Client) -> None:
    await source.fill(3)
    await received(reader, source, nc, await relayed(source, nc))
    await source.forced("UPDATE work.head SET lineage = gen_random_uuid()")
    with pytest.raises(HistoryDiffers):
        await accepted(source, reader, nc)


async def test_a_past_that_is_not_what_was_received_is_not_accepted(source: Place, reader: Place, nc: Client) -> None:
    await restored(source, nc, reader)
    await source.forced("UPDATE record.event SET body = body || ' ' WHERE version = 3")
    with pytest.raises(HistoryDiffers, match="at 3"):
        await accepted(source, reader, nc)
    assert await reader.mark("receiver", "cases") == 10


async def test_no_running_role_may_accept(source: Place, reader: Place, nc: Client) -> None:
    await restored(source, nc, reader)
    feed = NatsFeed(nc, source.jurisdiction, source.name)
    async with running(FeedOf(source, nc)):
        await until(lambda: _head(source, nc))
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await accept_lineage(reader.templates.dsn(reader.database, "reporting_app"), "cases", feed)


# ------------------------------------------------------------------------------------------------- the command line


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


async def test_the_command_accepts_what_was_forgotten_and_rebuilds(
    source: Place, reader: Place, nc: Client, nats_server: NatsAddress, tmp_path: Path
) -> None:
    """With the real service reporting on the reader's database."""
    await restored(source, nc, reader)
    dsn, keys = reader.templates.dsn, await reader.templates.copy("keys")
    settings = {
        "JURISDICTION": source.jurisdiction,
        "REPORTING_APP_DSN": dsn(reader.database, "reporting_app"),
        "REPORTING_LOG_DSN": dsn(reader.database, "reporting_log"),
        "KEYS_DSN": dsn(keys, "keys_office"),
        "NATS_URL": nats_server.url,
        "PLANS": str(tmp_path),
        "SECRET": "a secret for tests, long enough to be one",
        "MASTER_KEY": base64.b64encode(bytes(32)).decode(),
        "TOKEN_PUBLIC": "-",
        "OWNER_DSN": reader.owner_dsn,
    }
    runner = CliRunner(env={f"MINEWATCH_{name}": value for name, value in settings.items()})
    async with running(FeedOf(source, nc)):
        await until(lambda: _head(source, nc))
        result = await asyncio.to_thread(runner.invoke, commands, ["accept-lineage", "reporting", "cases"])
    await reader.templates.drop(keys)
    assert result.exit_code == 0, result.output + repr(result.exception)
    assert "4 events of cases forgotten; reporting goes on from position 6" in result.output
    assert await reader.mark("receiver", "cases") == 6
