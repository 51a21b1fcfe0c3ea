"""Projections: every event once, in the order of the log; a group that fails stops loudly, alone, and never skips."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from shared.app import APPENDING
from shared.bell import Bell
from shared.contracts.cases.site import SiteKeeperAssigned
from shared.contracts.envelope import Recorded, attribute
from shared.errors import Unreadable
from shared.follower import MarkMoved, Projection, Walk, marks
from shared.read_model import ReadModel, Write
from shared.sql import Tx
from tests.support.crash import dies, kill_at, pause_at, raise_at
from tests.support.kernel import Place, a_sequencer, running, until
from tests.support.toy import SEEN_MODEL

BEFORE = "projection seen: before the commit"
GROUP = "projection:seen"


def a_projection(place: Place, source: str | None = None, **changes: Any) -> Projection:
    """The group `seen` over the own log, or the inbox of `source`."""
    about: dict[str, Any] = {"group": "seen", "models": [SEEN_MODEL], "bell": Bell()}
    about |= {"walk": Walk(place.name, source or place.name), "pool": place.pool, "sealer": place.app.sealer}
    return Projection(place.name, **(about | changes))


def seeing(project: Callable[[Recorded[Any]], Iterable[Write]]) -> ReadModel:
    return replace(SEEN_MODEL, project=project)


async def seen(place: Place, source: str | None = None) -> list[int]:
    sql = "SELECT position FROM toy_seen WHERE source = $1 ORDER BY position"
    return [row[0] for row in await place.pool.fetch(sql, source or place.name)]


async def filled(place: Place, events: int) -> None:
    await place.fill(events)
    await place.number()


async def test_every_event_is_projected_once_with_its_position(source: Place) -> None:
    await filled(source, 12)
    assert await a_projection(source).once() == 12
    assert await a_projection(source).once() == 0
    rows = await source.pool.fetch("SELECT event_id FROM toy_seen ORDER BY position")
    assert [row[0] for row in rows] == [str(e) for e in await source.events()]


async def test_a_batch_moves_the_mark_by_what_it_holds(source: Place) -> None:
    await filled(source, 12)
    projection = a_projection(source, batch=5)
    assert [await projection.once() for _ in range(4)] == [5, 5, 2, 0]
    row = await source.pool.fetchrow("SELECT position, applied FROM work.mark WHERE follower = $1", GROUP)
    assert row is not None and (row["position"], row["applied"]) == (12, 12)


async def test_events_nobody_listens_to_ride_with_the_mark(source: Place) -> None:
    await filled(source, 12)
    only = replace(SEEN_MODEL, events=(SiteKeeperAssigned,))
    await a_projection(source, models=[only]).once()
    assert await seen(source) == list(range(2, 13))
    assert await source.mark(GROUP, "cases") == 12


async def test_it_follows_as_events_are_numbered(source: Place) -> None:
    async with running(a_sequencer(source), a_projection(source, bell=source.sequenced.bell())):
        for n in range(5):
            await source.fill(10, f"s{n}")
        await until(lambda: _has(source, 50))
    assert await seen(source) == list(range(1, 51))


async def _has(place: Place, events: int) -> bool:
    return len(await seen(place)) == events


async def test_the_marks_of_a_group_name_lineage_and_position_of_each_source(source: Place) -> None:
    await filled(source, 3)
    await a_projection(source).once()
    lineage = await source.pool.fetchval("SELECT lineage FROM work.head")
    assert await marks(Tx(source.pool), "seen") == {"cases": (str(lineage), 3)}  # type: ignore[arg-type]


async def test_a_crash_before_the_commit_leaves_neither_rows_nor_mark(source: Place) -> None:
    await filled(source, 5)
    await dies(a_projection(source, points=kill_at(BEFORE)))
    assert (await seen(source), await source.mark(GROUP, "cases")) == ([], 0)
    await a_projection(source).once()
    assert await seen(source) == [1, 2, 3, 4, 5]


async def test_the_second_of_two_equal_projections_is_fenced(source: Place) -> None:
    """It waits for the first at the mark, and then has nothing to do."""
    await filled(source, 5)
    await a_projection(source, batch=1).once()
    point = pause_at(BEFORE)
    first = asyncio.create_task(a_projection(source, points=point).once())
    await point.reached.wait()
    second = asyncio.create_task(a_projection(source).once())
    await until(source.somebody_waits)
    assert not second.done()
    point.go_on.set()
    assert await first == 4
    with pytest.raises(MarkMoved):
        await second
    assert await seen(source) == [1, 2, 3, 4, 5]


async def test_two_equal_projections_that_run_project_each_event_once(source: Place) -> None:
    async with running(a_sequencer(source), *(a_projection(source, batch=3, poll=0.01) for _ in range(2))):
        for n in range(10):
            await source.fill(10, f"s{n}")
        await until(lambda: _has(source, 100))
    assert await source.pool.fetchval("SELECT applied FROM work.mark WHERE follower = $1", GROUP) == 100


# ------------------------------------------------------------------------------------------------------- failing


def fails_at(position: int) -> ReadModel:
    def project(e: Recorded[Any]) -> Iterable[Write]:
        if e.position == position:
            raise KeyError("a mistake in the projection")
        return SEEN_MODEL.project(e)

    return seeing(project)


async def test_a_failing_projection_stops_loudly_and_skips_nothing(source: Place) -> None:
    await filled(source, 10)
    projection = a_projection(source, models=[fails_at(7)], batch=3)
    await asyncio.wait_for(projection.run(), 20)
    assert projection.stopped and "KeyError" in projection.stopped
    assert await seen(source) == [1, 2, 3, 4, 5, 6]
    assert await source.mark(GROUP, "cases") == 6


async def test_a_failing_projection_stops_alone(source: Place) -> None:
    await filled(source, 10)
    failing = a_projection(source, models=[fails_at(1)], group="other")
    async with running(failing, a_projection(source)):
        await until(lambda: _has(source, 10))
        await until(lambda: failing.stopped)
    assert await source.mark("projection:other", "cases") == 0


async def test_a_mended_projection_goes_on_where_it_stopped(source: Place) -> None:
    await filled(source, 10)
    await asyncio.wait_for(a_projection(source, models=[fails_at(7)], batch=3).run(), 20)
    async with running(a_projection(source)):
        await until(lambda: _has(source, 10))


async def test_a_statement_the_database_refuses_stops_it_too(source: Place) -> None:
    await filled(source, 3)
    broken = seeing(lambda _: [(text("INSERT INTO toy_seen (source) VALUES ('x')"), {})])
    projection = a_projection(source, models=[broken])
    await asyncio.wait_for(projection.run(), 20)
    assert projection.stopped and "NotNull" in projection.stopped


@pytest.mark.parametrize("body", [b"no event", b'{"type":"cases.site.registered.v1","data":{}}'])
async def test_an_event_it_cannot_read_stops_it(reader: Place, body: bytes) -> None:
    await _receive(reader, {1: body})
    projection = a_projection(reader, "cases")
    with pytest.raises(Unreadable):
        await projection.once()
    await asyncio.wait_for(projection.run(), 20)
    assert projection.stopped and await reader.mark(GROUP, "cases") == 0


async def _receive(reader: Place, bodies: dict[int, bytes], upto: int | None = None) -> None:
    """Puts these into the inbox, as a receiver would."""
    for position, body in bodies.items():
        await reader.pool.execute(
            "INSERT INTO record.inbox (source, lineage, position, type, body) VALUES ('cases', $1, $2, $3, $4)",
            await reader.pool.fetchval("SELECT lineage FROM work.head"),
            position,
            attribute(body, "type"),
            body,
        )
    await reader.pool.execute(
        "INSERT INTO work.mark (follower, source, lineage, position) VALUES ('receiver', 'cases', $1, $2)"
        " ON CONFLICT (follower, source) DO UPDATE SET position = excluded.position",
        await reader.pool.fetchval("SELECT lineage FROM work.head"),
        upto or max(bodies),
    )


async def test_an_inbox_with_gaps_is_walked_to_the_end_of_what_was_received(source: Place, reader: Place) -> None:
    """The inbox holds only what somebody wants."""
    await filled(source, 9)
    bodies = await source.bodies()
    await _receive(reader, {n: bodies[n - 1] for n in (2, 3, 7)}, upto=9)
    projection = a_projection(reader, "cases", batch=2)
    assert [await projection.once() for _ in range(3)] == [3, 6, 0]
    assert await seen(reader, "cases") == [2, 3, 7]


async def test_a_database_that_goes_away_is_waited_for_and_does_not_stop_it(source: Place) -> None:
    await filled(source, 5)
    projection = a_projection(source, poll=0.05)
    async with running(projection):
        await until(lambda: _has(source, 5))
        async with source.away():
            await asyncio.sleep(0.5)
        await source.fill(5, "b")
        await source.number()
        await until(lambda: _has(source, 10))
    assert projection.stopped is None


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.DeadlockDetectedError("x"),
        asyncpg.SerializationError("x"),
        asyncpg.InvalidCachedStatementError("x"),
        asyncpg.ConnectionDoesNotExistError("x"),
        asyncpg.AdminShutdownError("x"),
        asyncpg.CannotConnectNowError("x"),
        asyncpg.TooManyConnectionsError("x"),
        ConnectionResetError(),
        TimeoutError(),
    ],
    ids=lambda e: type(e).__name__,
)
async def test_what_is_the_fault_of_the_database_is_done_again(source: Place, error: Exception) -> None:
    await filled(source, 5)
    async with running(a_projection(source, points=raise_at(BEFORE, error))):
        await until(lambda: _has(source, 5))


async def test_a_projection_is_held_off_while_read_models_are_swapped(source: Place) -> None:
    await filled(source, 5)
    async with source.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", APPENDING)
        waiting = asyncio.create_task(a_projection(source).once())
        await until(source.somebody_waits)
        assert not waiting.done()
    assert await waiting == 5
