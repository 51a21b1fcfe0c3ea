"""Reactions that meet: a retry and the reactor, two retries, two reactors, and reservations that stay taken."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from shared.errors import VersionConflict
from shared.follower import MarkMoved, Walk
from shared.follower import Place as Stands
from shared.reaction import APPLY_PARKED, parked_subjects
from shared.sql import Tx
from tests.support.crash import pause_at
from tests.support.kernel import OpenSite, Place, a_cause, instead, running, until
from tests.support.reacting import BEFORE, a_reactor, adds_up, copies, receive, two_reactions, walked
from tests.support.toy import LINES, Mirror


async def test_later_events_of_one_that_cannot_be_read_queue_behind_it(source: Place) -> None:
    await source.fill(3)
    await source.forced(
        "UPDATE record.event SET body = replace(convert_from(body, 'UTF8'), 'site_no', 'site_nr')::bytea WHERE version = 1"
    )
    await source.number()
    await a_reactor(source, Mirror().reactions).once()
    assert await adds_up(source) == {"parked": 1, "queued": 2}
    assert await parked_subjects(source.pool) == [("copy", "site-a")]


async def test_bytes_without_a_type_are_parked_and_hold_nobody_up(source: Place, reader: Place) -> None:
    await source.fill(2)
    await source.number()
    await receive(source, reader)
    lineage = await source.pool.fetchval("SELECT lineage FROM work.head")
    await reader.pool.execute("INSERT INTO record.inbox VALUES ('cases', $1, 3, NULL, 'no event')", lineage)
    await reader.pool.execute("UPDATE work.mark SET position = 3 WHERE follower = 'receiver'")
    reactor = a_reactor(reader, Mirror().reactions, "cases")
    await reactor.once()
    assert await copies(reader) == {"site-a-copy": 2}
    assert await adds_up(reader, "cases") == {"parked": 1, "queued": 0}
    [(reaction, subject)] = await parked_subjects(reader.pool)
    assert not await reactor.retry(reaction, subject)


async def test_an_event_that_comes_while_the_last_one_of_its_subject_is_retried_is_not_left_queued(
    source: Place,
) -> None:
    """Nobody would ever try it again: what it queued behind is gone."""
    mirror = Mirror({"site-a"})
    await source.fill(1)
    reactor = a_reactor(source, mirror.reactions)
    await walked(source, reactor)
    mirror.refuses.clear()
    execute, held, reached = source.app.execute, asyncio.Event(), asyncio.Event()

    async def holds(*given: Any) -> Any:
        instead(source.app, "execute", execute)
        done = await execute(*given)
        reached.set()
        await held.wait()
        return done

    instead(source.app, "execute", holds)
    retrying = asyncio.create_task(reactor.retry("copy", "site-a"))
    await reached.wait()
    await source.fill(1)
    await source.number()
    walking = asyncio.create_task(reactor.once())
    await until(source.somebody_waits)
    held.set()
    assert await retrying
    await walking
    assert await adds_up(source) == {"parked": 0, "queued": 0}
    assert await copies(source) == {"site-a-copy": 2}


async def test_two_reactions_of_one_event_that_are_retried_at_once_apply_it_once(
    source: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each would see the other's still waiting, and neither would count the event."""
    mirror, refuses = Mirror({"site-a"}), {"site-a"}
    await source.fill(1)
    reactor = a_reactor(source, two_reactions(mirror, refuses))
    await walked(source, reactor)
    mirror.refuses.discard("site-a")
    refuses.clear()
    run = Tx.run

    async def slow(tx: Tx, statement: Any, params: Any = ()) -> int:
        done = await run(tx, statement, params)
        if statement is APPLY_PARKED:
            await asyncio.sleep(0.2)
        return done

    monkeypatch.setattr(Tx, "run", slow)
    assert all(await asyncio.gather(reactor.retry("copy", "site-a"), reactor.retry("second", "site-a")))
    assert await adds_up(source) == {"parked": 0, "queued": 0}


async def test_a_reservation_that_stays_taken_is_tried_twice_and_then_parked(source: Place) -> None:
    """Without a limit the reactor would try for ever and nothing behind it would be done."""
    source.app.inline = (LINES,)
    await source.app.handle(OpenSite(site="x-copy", no=-7), a_cause())
    await source.app.handle(OpenSite(site="a", no=7), a_cause())
    await source.app.handle(OpenSite(site="b", no=8), a_cause())
    await source.number()
    async with running(a_reactor(source, Mirror().reactions)):
        await until(lambda: _opened(source, "site-b-copy"))
    row = await source.pool.fetchrow("SELECT subject, reason FROM work.parked")
    assert row is not None and row["subject"] == "site-a" and row["reason"].startswith("UniqueConflict")
    await adds_up(source)


async def _opened(place: Place, stream: str) -> bool:
    return stream in await copies(place)


async def test_a_retry_that_meets_another_writer_is_done_again(source: Place) -> None:
    mirror = Mirror({"site-a"})
    await source.fill(1)
    reactor = a_reactor(source, mirror.reactions)
    await walked(source, reactor)
    mirror.refuses.clear()
    mirror.fails.append(VersionConflict("x"))
    assert await reactor.retry("copy", "site-a")
    assert await copies(source) == {"site-a-copy": 1}


async def test_two_reactors_wait_for_each_other_at_the_mark_and_not_inside_a_stream(source: Place) -> None:
    """The mark first: the second has not begun to react when it finds the event done."""
    await source.fill(1)
    await source.number()
    point, seen = pause_at(BEFORE), []
    first = asyncio.create_task(a_reactor(source, Mirror().reactions, points=point).once())
    await point.reached.wait()
    await source.pool.execute("SELECT 1")
    mirror = Mirror()
    copy = mirror.reactions.all[0].run

    async def counts(*given: Any) -> Any:
        seen.append(given)
        return await copy(*given)

    mirror.reactions.all[0] = replace(mirror.reactions.all[0], run=counts)
    second = asyncio.create_task(
        a_reactor(source, mirror.reactions)._try(Stands(0, None, await _end(source)), await _row(source), "x", {})
    )
    await until(source.somebody_waits)
    point.go_on.set()
    assert await first == 1
    with pytest.raises(MarkMoved):
        await second
    assert seen == []


async def _row(place: Place) -> Any:
    return (await Walk("cases", "cases").after(Tx(place.pool), 0, await _end(place), 1))[0]  # type: ignore[arg-type]


async def _end(place: Place) -> Any:
    return await Walk("cases", "cases").end(Tx(place.pool))  # type: ignore[arg-type]
