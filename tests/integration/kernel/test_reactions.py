"""Reactions: one transaction an event; what is refused waits with its subject, others go on, and nothing is done twice."""

import asyncio
import contextlib
from typing import Any

import asyncpg
import pytest

from shared.app import APPENDING
from shared.contracts.cases.site import SiteKeeperAssigned, SiteRegistered
from shared.contracts.envelope import read
from shared.decider import Command
from shared.errors import NotReady, UniqueConflict, VersionConflict
from shared.follower import MarkMoved
from shared.ids import derived
from shared.reaction import Reactions, parked_subjects
from tests.support.crash import dies, kill_at, pause_at, raise_at
from tests.support.kernel import Assign, OpenSite, Place, Strike, a_cause, a_sequencer, instead, running, until
from tests.support.reacting import AFTER, BEFORE, a_reactor, adds_up, copies, receive, two_reactions, walked
from tests.support.toy import Mirror


async def test_an_event_becomes_a_command_in_one_transaction_with_the_mark(source: Place) -> None:
    await source.fill(3)
    await walked(source, a_reactor(source, Mirror().reactions))
    assert await copies(source) == {"site-a-copy": 3}
    assert await source.mark("reactions", "cases") == 6
    assert await adds_up(source) == {"parked": 0, "queued": 0}


async def test_the_command_is_named_after_source_lineage_position_and_reaction(source: Place) -> None:
    await source.fill(1)
    await walked(source, a_reactor(source, Mirror().reactions))
    lineage = await source.pool.fetchval("SELECT lineage FROM work.head")
    copied = read((await source.bodies())[-1])
    assert copied.causation_id == derived(derived("cases", str(lineage), 1, "copy"), 0)
    assert (copied.actor, copied.correlation_id) == ("system:cases", "c-1")


async def test_events_of_another_service_are_reacted_to_from_the_inbox(source: Place, reader: Place) -> None:
    await source.fill(3)
    await source.number()
    await receive(source, reader)
    await a_reactor(reader, Mirror().reactions, "cases").once()
    assert await copies(reader) == {"site-a-copy": 3}
    await adds_up(reader, "cases")


@pytest.mark.parametrize("events", [199, 200, 201, 400, 401])
async def test_pages_of_any_length_move_the_mark_to_the_end(source: Place, events: int) -> None:
    """Among them pages that end in events nobody reacts to, with one behind them that somebody does."""
    reactions, seen = Reactions(), []

    @reactions.on(SiteRegistered)
    async def the_first_and_the_last(e: Any, _: Any) -> list[Command]:
        seen.append(e.position)
        return []

    await source.fill(events - 1)
    await source.fill(1, "b")
    await source.number()
    reactor = a_reactor(source, reactions)
    moved = [await reactor.once() for _ in range(4)]
    assert sum(moved) == events == await source.mark("reactions", "cases")
    assert seen == [1, events]
    await adds_up(source)


async def test_it_follows_its_own_events_as_they_are_numbered(source: Place) -> None:
    reactor = a_reactor(source, Mirror().reactions, bell=source.sequenced.bell())
    async with running(a_sequencer(source), reactor):
        for n in range(5):
            await source.fill(4, f"s{n}")
        await until(lambda: _copied(source, 20))
    await adds_up(source)


async def _copied(place: Place, events: int) -> bool:
    return sum((await copies(place)).values()) == events


# --------------------------------------------------------------------------------------------- refused and parked


async def test_a_refusal_parks_its_subject_and_others_go_on(source: Place) -> None:
    mirror = Mirror({"site-a"})
    for site in ("a", "b"):
        await source.fill(2, site)
    await walked(source, a_reactor(source, mirror.reactions))
    assert await copies(source) == {"site-b-copy": 2}
    assert await adds_up(source) == {"parked": 1, "queued": 1}
    assert await parked_subjects(source.pool) == [("copy", "site-a")]
    reason = await source.pool.fetchval("SELECT reason FROM work.parked WHERE state = 'parked'")
    assert reason == "Struck"


async def test_later_events_of_a_parked_subject_queue_even_when_they_would_succeed(source: Place) -> None:
    mirror = Mirror({"site-a"})
    await source.fill(1)
    reactor = a_reactor(source, mirror.reactions)
    await walked(source, reactor)
    mirror.refuses.clear()
    await source.fill(3)
    await walked(source, reactor)
    assert await copies(source) == {}
    assert await adds_up(source) == {"parked": 1, "queued": 3}


async def test_a_retry_works_off_the_queue_in_order(source: Place) -> None:
    mirror = Mirror({"site-a"})
    await source.app.handle(OpenSite(site="a"), a_cause())
    for n in range(3):
        await source.app.handle(Assign(site="a", unit=f"u{n}"), a_cause())
    reactor = a_reactor(source, mirror.reactions)
    await walked(source, reactor)
    mirror.refuses.clear()
    assert await reactor.retry("copy", "site-a")
    await walked(source, reactor)
    assert await _units(source, "site-a-copy") == ["u0", "u1", "u2"]
    assert await adds_up(source) == {"parked": 0, "queued": 0}
    await source.fill(1)
    await walked(source, reactor)
    assert (await copies(source))["site-a-copy"] == 5


async def _units(place: Place, stream: str) -> list[str]:
    rows = await place.pool.fetch("SELECT body FROM record.event WHERE stream_id = $1 ORDER BY version", stream)
    events = [read(row["body"]).event for row in rows]
    return [event.unit for event in events if isinstance(event, SiteKeeperAssigned)]


async def test_a_retry_that_is_refused_again_stays_parked_and_is_counted(source: Place) -> None:
    mirror = Mirror({"site-a"})
    await source.fill(2)
    reactor = a_reactor(source, mirror.reactions)
    await walked(source, reactor)
    assert not await reactor.retry("copy", "site-a")
    assert await adds_up(source) == {"parked": 1, "queued": 1}
    assert await source.pool.fetchval("SELECT attempts FROM work.parked WHERE state = 'parked'") == 2


async def test_a_retry_stops_at_the_first_event_that_is_refused(source: Place) -> None:
    """The registration goes through; what follows needs a site that has been struck meanwhile."""
    mirror = Mirror({"site-a"})
    await source.fill(3)
    reactor = a_reactor(source, mirror.reactions)
    await walked(source, reactor)
    mirror.refuses.clear()
    await source.app.handle_all([OpenSite(site="a-copy", no=-99), Strike(site="a-copy")], a_cause())
    assert not await reactor.retry("copy", "site-a")
    assert await adds_up(source) == {"parked": 1, "queued": 1}
    assert await source.pool.fetchval("SELECT reason FROM work.parked WHERE state = 'parked'") == "Struck"


async def test_a_retry_of_nothing_is_done(source: Place) -> None:
    assert await a_reactor(source, Mirror().reactions).retry("copy", "site-a")


async def test_an_expected_refusal_counts_as_applied(source: Place) -> None:
    """`copy` expects StreamExists."""
    await source.app.handle(OpenSite(site="a-copy", no=-5), a_cause())
    await source.fill(2)
    await walked(source, a_reactor(source, Mirror().reactions))
    assert await adds_up(source) == {"parked": 0, "queued": 0}
    assert await copies(source) == {"site-a-copy": 2}


async def test_of_two_reactions_to_an_event_only_the_refused_one_waits(source: Place) -> None:
    mirror, refuses = Mirror({"site-a"}), set[str]()
    await source.fill(2)
    reactor = a_reactor(source, two_reactions(mirror, refuses))
    await walked(source, reactor)
    streams = {row[0] for row in await source.pool.fetch("SELECT DISTINCT stream_id FROM record.event")}
    assert streams == {"site-a", "site-a-copy-2"}
    assert ("copy", "site-a") in await parked_subjects(source.pool)
    assert ("second", "site-a") not in await parked_subjects(source.pool)
    await adds_up(source)


async def test_an_event_with_two_waiting_reactions_counts_once_and_is_applied_with_the_last(source: Place) -> None:
    mirror, refuses = Mirror({"site-a"}), {"site-a"}
    await source.fill(1)
    reactor = a_reactor(source, two_reactions(mirror, refuses))
    await walked(source, reactor)
    assert await adds_up(source) == {"parked": 1, "queued": 0}
    mirror.refuses.discard("site-a")
    assert await reactor.retry("copy", "site-a")
    assert await adds_up(source) == {"parked": 1, "queued": 0}
    refuses.clear()
    assert await reactor.retry("second", "site-a")
    assert await adds_up(source) == {"parked": 0, "queued": 0}


async def test_an_event_that_cannot_be_read_is_parked_and_others_go_on(source: Place) -> None:
    await source.fill(2)
    await source.fill(2, "b")
    await source.forced(
        "UPDATE record.event SET body = replace(convert_from(body, 'UTF8'), 'site_no', 'site_nr')::bytea"
        " WHERE stream_id = 'site-b' AND version = 1"
    )
    await source.number()
    await a_reactor(source, Mirror({"site-b"}).reactions).once()
    assert await copies(source) == {"site-a-copy": 2}
    row = await source.pool.fetchrow("SELECT state, reason FROM work.parked WHERE position = 3")
    assert row is not None and row["state"] == "parked" and "site.registered" in row["reason"]
    await adds_up(source)


async def test_an_event_with_a_value_that_no_table_takes_is_parked_and_others_go_on(place: Place) -> None:
    """It will not fit the next time either; done again for ever, it would hold up everything behind it."""
    reactions, largest = Reactions(), 2**31 - 1

    @reactions.on(SiteRegistered)
    async def copy(e: Any, _: Any) -> list[Command]:
        if e.stream_id.endswith("-copy"):
            return []
        return [OpenSite(site=f"{e.stream_id.removeprefix('site-')}-copy", no=largest + 2 - e.event.site_no)]

    await place.app.handle(OpenSite(site="a", no=1), a_cause())
    await place.app.handle(OpenSite(site="b", no=3), a_cause())
    await walked(place, a_reactor(place, reactions))
    assert await copies(place) == {"site-b-copy": 1}
    assert await adds_up(place) == {"parked": 1, "queued": 0}
    row = await place.pool.fetchrow("SELECT subject, reason FROM work.parked")
    assert row is not None and tuple(row) == ("site-a", "DataError")


async def test_an_event_that_has_become_readable_is_done_by_a_retry(source: Place) -> None:
    await source.fill(1)
    body = (await source.pool.fetchval("SELECT body FROM record.event")).replace(b"'", b"''").decode()
    await source.forced(
        "UPDATE record.event SET body = replace(convert_from(body, 'UTF8'), 'site_no', 'site_nr')::bytea"
    )
    await source.number()
    reactor = a_reactor(source, Mirror().reactions)
    await reactor.once()
    [(reaction, subject)] = await parked_subjects(source.pool)
    assert not await reactor.retry(reaction, subject)
    await source.forced(f"UPDATE record.event SET body = convert_to('{body}', 'UTF8')")
    assert await reactor.retry(reaction, subject)
    assert await copies(source) == {"site-a-copy": 1}
    await adds_up(source)


# ---------------------------------------------------------------------------------------------- redone, never parked


@pytest.mark.parametrize(
    "error",
    [
        VersionConflict("x"),
        UniqueConflict(),
        asyncpg.DeadlockDetectedError("x"),
        asyncpg.SerializationError("x"),
        asyncpg.ConnectionDoesNotExistError("x"),
        asyncpg.AdminShutdownError("x"),
        asyncpg.CannotConnectNowError("x"),
        NotReady("x"),
        OSError(),
        KeyError("x"),
    ],
    ids=lambda e: type(e).__name__,
)
async def test_what_is_no_refusal_is_done_again_and_not_parked(source: Place, error: Exception) -> None:
    await source.fill(2)
    await source.number()
    async with running(a_reactor(source, Mirror().reactions, points=raise_at(BEFORE, error))):
        await until(lambda: _copied(source, 2))
    assert await adds_up(source) == {"parked": 0, "queued": 0}


async def test_a_conflict_with_another_writer_of_the_stream_is_done_again(source: Place) -> None:
    """The copy's next version is taken between load and append."""
    await source.fill(1)
    reactor = a_reactor(source, Mirror().reactions)
    await walked(source, reactor)
    await source.fill(1)
    await source.number()
    execute = source.app.execute
    once: list[Command] = []

    async def slow(tx: Any, command: Command, cause: Any) -> Any:
        if not once:
            once.append(command)
            instead(source.app, "execute", execute)
            await source.app.handle(Assign(site="a-copy", unit="other"), a_cause())
            raise VersionConflict(command.stream_id)
        return await execute(tx, command, cause)

    instead(source.app, "execute", slow)
    async with running(reactor):
        await until(lambda: _copied(source, 3))
    assert await _units(source, "site-a-copy") == ["other", "safety_office"]


async def test_a_reaction_killed_before_its_commit_leaves_nothing_and_is_done_once(source: Place) -> None:
    await source.fill(1)
    await source.number()
    await dies(a_reactor(source, Mirror().reactions, points=kill_at(BEFORE)))
    assert (await copies(source), await source.mark("reactions", "cases")) == ({}, 0)
    await walked(source, a_reactor(source, Mirror().reactions))
    assert await copies(source) == {"site-a-copy": 1}
    await adds_up(source)


async def test_a_reaction_killed_after_its_commit_is_not_done_again(source: Place) -> None:
    await source.fill(1)
    await source.number()
    await dies(a_reactor(source, Mirror().reactions, points=kill_at(AFTER)))
    assert await source.mark("reactions", "cases") == 1
    await walked(source, a_reactor(source, Mirror().reactions))
    assert await copies(source) == {"site-a-copy": 1}
    await adds_up(source)


async def test_two_reactors_react_once(source: Place) -> None:
    reactors = [a_reactor(source, Mirror().reactions, poll=0.01) for _ in range(2)]
    async with running(a_sequencer(source), *reactors):
        for n in range(10):
            await source.fill(3, f"s{n}")
        await until(lambda: _copied(source, 30))
    assert set((await copies(source)).values()) == {3}
    await adds_up(source)


async def test_the_second_of_two_reactors_waits_and_finds_the_event_done(source: Place) -> None:
    await source.fill(1)
    await source.number()
    point = pause_at(BEFORE)
    first = asyncio.create_task(a_reactor(source, Mirror().reactions, points=point).once())
    await point.reached.wait()
    second = asyncio.create_task(a_reactor(source, Mirror().reactions).once())
    await until(source.somebody_waits)
    point.go_on.set()
    assert await first == 1
    with contextlib.suppress(MarkMoved, VersionConflict, asyncpg.UniqueViolationError):
        assert await second == 0
    assert await copies(source) == {"site-a-copy": 1}


async def test_a_reaction_is_held_off_while_read_models_are_swapped(source: Place) -> None:
    await source.fill(1)
    await source.number()
    async with source.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", APPENDING)
        waiting = asyncio.create_task(a_reactor(source, Mirror().reactions).once())
        await until(source.somebody_waits)
        assert not waiting.done()
    assert await waiting == 1


async def test_a_database_that_goes_away_is_waited_for(source: Place) -> None:
    reactor = a_reactor(source, Mirror().reactions, poll=0.05)
    async with running(reactor):
        await source.fill(1)
        await source.number()
        await until(lambda: _copied(source, 1))
        async with source.away():
            await asyncio.sleep(0.4)
        await source.fill(1)
        await source.number()
        await until(lambda: _copied(source, 2))
    await adds_up(source)
