"""A restored source forgot what was received from it: a person accepts that, and everything goes on from what both know."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from click.testing import CliRunner
from nats.aio.client import Client

from shared.bell import Bell
from shared.cli.main import commands
from shared.database import open_pool
from shared.errors import HistoryDiffers, NotReady
from shared.follower import MarkMoved, Projection, Walk
from shared.lineage import NothingToAccept, accept_lineage, begin_new_lineage
from shared.log_feed import NatsFeed
from shared.reaction import Reactor, count_parked
from shared.receiver import digest_after
from shared.replay import Replay
from tests.support.crash import pause_at
from tests.support.kernel import FeedOf, Place, running, until
from tests.support.restoring import head_of, received, relayed, restored
from tests.support.servers import NatsAddress
from tests.support.toy import SEEN_MODEL, Mirror


async def accepted(source: Place, reader: Place, nc: Client) -> Any:
    feed = NatsFeed(nc, source.jurisdiction, source.name)
    async with running(FeedOf(source, nc)):
        await until(lambda: head_of(source, nc))
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
    assert await count_parked(reader.pool) == {"parked": 1, "queued": 5}
    await source.fill(3, "new")
    await source.fill(1)
    head = await relayed(source, nc)
    await accepted(source, reader, nc)
    await _adds_up(reader, 6)
    await received(reader, source, nc, head)
    while await reactor.once():
        pass
    assert await count_parked(reader.pool) == {"parked": 1, "queued": 6}
    await _adds_up(reader, 10)
    streams = await reader.pool.fetch("SELECT stream_id, max(version) FROM record.event GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in streams] == [("site-forgotten-copy", 4), ("site-new-copy", 3)]


async def _adds_up(reader: Place, position: int) -> None:
    row = await reader.pool.fetchrow("SELECT position, applied FROM work.mark WHERE follower = 'reactions'")
    waiting = await count_parked(reader.pool)
    assert row is not None and row["position"] == position == row["applied"] + sum(waiting.values())


async def test_events_parked_after_their_lineage_was_followed_can_be_retried(
    source: Place, reader: Place, nc: Client
) -> None:
    """They were received under the parent, and are parked when the child is already in force."""
    await source.fill(2)
    await received(reader, source, nc, await relayed(source, nc))
    await begin_new_lineage(source.owner_dsn)
    await source.fill(1)
    await received(reader, source, nc, await relayed(source, nc))
    mirror = Mirror({"site-a"})
    reactor = a_reactor(reader, mirror)
    await reactor.once()
    assert await count_parked(reader.pool) == {"parked": 1, "queued": 2}
    mirror.refuses.clear()
    assert await reactor.retry("copy", "site-a")
    await _adds_up(reader, 3)


async def test_forgotten_events_that_were_parked_are_let_go(source: Place, reader: Place, nc: Client) -> None:
    mirror = Mirror({"site-forgotten"})
    await restored(source, nc, reader)
    reactor = a_reactor(reader, mirror)
    while await reactor.once():
        pass
    assert await count_parked(reader.pool) == {"parked": 1, "queued": 3}
    await accepted(source, reader, nc)
    assert await count_parked(reader.pool) == {"parked": 0, "queued": 0}
    await _adds_up(reader, 6)


async def test_whoever_read_events_before_they_were_forgotten_does_not_react_to_them(
    source: Place, reader: Place, nc: Client
) -> None:
    mirror = Mirror()
    await restored(source, nc, reader)
    point = pause_at("reaction: after the commit", 5)
    reactor = a_reactor(reader, mirror)
    reactor.points = point
    walking = asyncio.create_task(reactor.once())  # has read all ten, and did five
    await point.reached.wait()
    await source.fill(3, "new")
    head = await relayed(source, nc)
    await accepted(source, reader, nc)
    point.go_on.set()
    with pytest.raises(MarkMoved):
        await walking
    await received(reader, source, nc, head)
    while await reactor.once():
        pass
    await _adds_up(reader, 9)
    streams = await reader.pool.fetch("SELECT stream_id, max(version) FROM record.event GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in streams] == [("site-a-copy", 6), ("site-new-copy", 3)]


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
        await until(lambda: head_of(source, nc))
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await accept_lineage(reader.templates.dsn(reader.database, "reporting_app"), "cases", feed)


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
    down = await asyncio.to_thread(runner.invoke, commands, ["accept-lineage", "reporting", "cases"])
    assert isinstance(down.exception, NotReady) and str(down.exception) == "cases does not answer: it has to run"
    async with running(FeedOf(source, nc)):
        await until(lambda: head_of(source, nc))
        result = await asyncio.to_thread(runner.invoke, commands, ["accept-lineage", "reporting", "cases"])
    await reader.templates.drop(keys)
    assert result.exit_code == 0, result.output + repr(result.exception)
    assert "4 events of cases forgotten; reporting goes on from position 6" in result.output
    assert await reader.mark("receiver", "cases") == 6
