"""Timers: claim, command and removal of a deadline stand or fall together, so each fires once, whoever dies."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.app import APPENDING
from shared.bell import Bell
from shared.contracts.cases.site import SiteKeeperAssigned, SiteRegistered
from shared.contracts.envelope import Recorded, read
from shared.decider import Command
from shared.errors import NotReady, StreamNotFound, UniqueConflict, VersionConflict
from shared.ids import derived
from shared.read_model import ReadModel, Write
from shared.timers import Clockwork, Due, Timers, due_at, not_due
from tests.support.crash import Killed, kill_at, pause_at, raise_at
from tests.support.kernel import (
    START,
    Assign,
    OpenSite,
    Place,
    Strike,
    Struck,
    Templates,
    a_cause,
    a_place,
    running,
    until,
)
from tests.support.toy import LINES

BEFORE, AFTER = "timer: before the commit", "timer: after the commit"
DUE = START + timedelta(days=7)
ROWS = "SELECT timer, subject, due_at, failed FROM work.due ORDER BY timer, subject"


def project_due(e: Recorded[Any]) -> list[Write]:
    """A site needs a keeper within seven days; the unit `later` moves that by a day, `never` ends it."""
    match e.event:
        case SiteRegistered():
            return [due_at("keeper", e.stream_id, e.occurred_at + timedelta(days=7))]
        case SiteKeeperAssigned(unit="later"):
            return [due_at("keeper", e.stream_id, DUE + timedelta(days=1))]
        case SiteKeeperAssigned(unit="never"):
            return [not_due("keeper", e.stream_id)]
    return []


DEADLINES = ReadModel("toy_due", (), (SiteRegistered, SiteKeeperAssigned), project_due)


@pytest.fixture
async def site(templates: Templates) -> Any:
    """A place with a site, its deadline, and its row of the toy's lines."""
    async with a_place(templates, inline=(LINES, DEADLINES), sealed=False) as made:
        await made.app.handle(OpenSite(site="a"), a_cause())
        yield made


def the_timers() -> Timers:
    timers = Timers()

    @timers.on("keeper", expects=(StreamNotFound,))
    def no_keeper(due: Due) -> Command:
        return Assign(site=due.subject.removeprefix("site-"), unit="nobody")

    return timers


def a_clockwork(place: Place, timers: Timers | None = None, **changes: Any) -> Clockwork:
    return Clockwork(place.name, timers or the_timers(), place.app, Bell(), **changes)


async def units(place: Place, stream: str = "site-a") -> list[str]:
    rows = await place.pool.fetch("SELECT body FROM record.event WHERE stream_id = $1 ORDER BY version", stream)
    events = [read(row["body"]).event for row in rows]
    return [event.unit for event in events if isinstance(event, SiteKeeperAssigned)]


async def rows(place: Place) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await place.pool.fetch(ROWS)]


async def test_a_deadline_is_written_with_the_event_that_sets_it(site: Place) -> None:
    assert await rows(site) == [("keeper", "site-a", DUE, None)]
    assert await a_clockwork(site).soonest() == DUE


async def test_it_fires_when_the_campaigns_clock_has_reached_it_and_not_before(site: Place) -> None:
    site.clock.move_to(DUE - timedelta(microseconds=1))
    assert not await a_clockwork(site).once()
    site.clock.move_to(DUE)
    assert await a_clockwork(site).once()
    assert (await units(site), await rows(site)) == (["nobody"], [])
    assert not await a_clockwork(site).once()


async def test_what_it_records_happened_when_it_was_due_and_is_recorded_now(site: Place) -> None:
    site.clock.move_to(DUE + timedelta(hours=5))
    await a_clockwork(site).once()
    event = read(await site.pool.fetchval("SELECT body FROM record.event WHERE version = 2"))
    assert (event.occurred_at, event.recorded_at) == (DUE, DUE + timedelta(hours=5))
    assert event.causation_id == derived(derived("cases", "keeper", "site-a", DUE.isoformat()), 0)
    assert event.actor == "system:cases"


async def test_a_clock_set_back_while_a_deadline_fires_does_not_lose_it(site: Place) -> None:
    class SetBack:
        def __init__(self) -> None:
            self.moments = [DUE]

        def now(self) -> datetime:
            return self.moments.pop() if self.moments else DUE - timedelta(days=1)

    site.app.clock = SetBack()
    assert await a_clockwork(site).once()
    assert (await units(site), await rows(site)) == (["nobody"], [])


async def test_the_earliest_deadline_fires_first(site: Place) -> None:
    for n, site_id in enumerate(("b", "c", "d")):
        occurred = START - timedelta(days=3 - n)
        await site.app.handle(OpenSite(site=site_id, no=n + 10, occurred_at=occurred), a_cause())
    site.clock.move_to(DUE)
    while await a_clockwork(site).once():
        pass
    fired = await site.pool.fetch("SELECT stream_id FROM record.event WHERE version = 2 ORDER BY ingest_id")
    assert [row[0] for row in fired] == ["site-b", "site-c", "site-d", "site-a"]


async def test_a_moved_deadline_fires_at_its_new_time_only(site: Place) -> None:
    await site.app.handle(Assign(site="a", unit="later"), a_cause())
    site.clock.move_to(DUE)
    assert not await a_clockwork(site).once()
    site.clock.move_to(DUE + timedelta(days=1))
    assert await a_clockwork(site).once()
    assert await units(site) == ["later", "nobody"]


async def test_a_deadline_taken_away_never_fires(site: Place) -> None:
    await site.app.handle(Assign(site="a", unit="never"), a_cause())
    site.clock.move_to(DUE)
    assert not await a_clockwork(site).once()


async def test_a_deadline_that_is_moved_while_it_fires_is_kept_for_its_new_time(site: Place) -> None:
    """The command waits for the timer's row, is decided again behind it, and sets the deadline anew."""
    site.clock.move_to(DUE)
    point = pause_at(BEFORE)
    firing = asyncio.create_task(a_clockwork(site, points=point).once())
    await point.reached.wait()
    moving = asyncio.create_task(site.app.handle(Assign(site="a", unit="later"), a_cause()))
    await until(site.somebody_waits)
    point.go_on.set()
    assert await firing
    await moving
    assert await units(site) == ["nobody", "later"]
    assert await rows(site) == [("keeper", "site-a", DUE + timedelta(days=1), None)]


async def test_a_clockwork_killed_before_its_commit_fires_again(site: Place) -> None:
    site.clock.move_to(DUE)
    with pytest.raises(Killed):
        await a_clockwork(site, points=kill_at(BEFORE)).once()
    assert (await units(site), len(await rows(site))) == ([], 1)
    assert await a_clockwork(site).once()
    assert await units(site) == ["nobody"]


async def test_a_clockwork_killed_after_its_commit_does_not_fire_again(site: Place) -> None:
    site.clock.move_to(DUE)
    with pytest.raises(Killed):
        await a_clockwork(site, points=kill_at(AFTER)).once()
    assert not await a_clockwork(site).once()
    assert await units(site) == ["nobody"]


async def test_of_two_clockworks_the_second_skips_what_the_first_has_in_hand(site: Place) -> None:
    await site.app.handle(OpenSite(site="b", no=2), a_cause())
    site.clock.move_to(DUE)
    point = pause_at(BEFORE)
    first = asyncio.create_task(a_clockwork(site, points=point).once())
    await point.reached.wait()
    assert await a_clockwork(site).once()
    assert not await a_clockwork(site).once()
    point.go_on.set()
    assert await first
    assert (await units(site), await units(site, "site-b")) == (["nobody"], ["nobody"])


async def test_two_clockworks_that_run_fire_each_deadline_once(site: Place) -> None:
    for n in range(20):
        await site.app.handle(OpenSite(site=f"s{n}", no=n + 10), a_cause())
    site.clock.move_to(DUE)
    async with running(*(a_clockwork(site, poll=0.01) for _ in range(2))):
        await until(lambda: _no_rows(site))
    counts = await site.pool.fetch("SELECT max(version) FROM record.event GROUP BY stream_id")
    assert [row[0] for row in counts] == [2] * 21


async def _no_rows(place: Place) -> bool:
    return await rows(place) == []


# ------------------------------------------------------------------------------------------------ refused and failing


async def test_a_refused_deadline_is_marked_failed_and_the_next_one_fires(site: Place) -> None:
    await site.app.handle(Strike(site="a"), a_cause())
    await site.app.handle(OpenSite(site="b", no=2), a_cause())
    site.clock.move_to(DUE)
    clockwork = a_clockwork(site)
    assert await clockwork.once() and await clockwork.once()
    assert not await clockwork.once()
    assert await rows(site) == [("keeper", "site-a", DUE, "Struck")]
    assert (await units(site), await units(site, "site-b")) == ([], ["nobody"])
    assert await clockwork.soonest() is None


async def test_an_expected_refusal_is_an_answer_and_takes_the_deadline_away(site: Place) -> None:
    timers = Timers()

    @timers.on("keeper", expects=(Struck,))
    def no_keeper(due: Due) -> Command:
        return Assign(site="a", unit="nobody")

    await site.app.handle(Strike(site="a"), a_cause())
    site.clock.move_to(DUE)
    assert await a_clockwork(site, timers).once()
    assert (await units(site), await rows(site)) == ([], [])


async def test_a_handler_with_nothing_to_do_takes_the_deadline_away(site: Place) -> None:
    timers = Timers()
    timers.on("keeper")(lambda due: None)
    site.clock.move_to(DUE)
    assert await a_clockwork(site, timers).once()
    assert (await units(site), await rows(site)) == ([], [])


async def test_several_commands_of_one_deadline_stand_or_fall_together(site: Place) -> None:
    timers = Timers()

    @timers.on("keeper")
    async def twice(due: Due, _: Any) -> list[Command]:
        return [Assign(site="a", unit="one"), Strike(site="a"), Assign(site="a", unit="two")]

    site.clock.move_to(DUE)
    await a_clockwork(site, timers).once()
    assert (await units(site), (await rows(site))[0][3]) == ([], "Struck")


async def test_a_mistake_in_one_handler_does_not_hold_up_the_others(site: Place) -> None:
    timers = the_timers()

    @timers.on("broken")
    def broken(due: Due) -> Command:
        raise KeyError("a mistake in the handler")

    await site.pool.execute("INSERT INTO work.due VALUES ('broken', 'site-a', $1)", DUE - timedelta(days=1))
    site.clock.move_to(DUE)
    async with running(a_clockwork(site, timers, poll=0.01)):
        await until(lambda: _fired(site, 1))
    assert await rows(site) == [("broken", "site-a", DUE - timedelta(days=1), "KeyError")]


async def _fired(place: Place, times: int) -> bool:
    return len(await units(place)) == times


async def test_a_reservation_that_stays_taken_is_tried_twice_and_then_a_refusal(site: Place) -> None:
    """The unique value belongs to another stream for good: without a limit no later deadline would ever fire."""
    timers = Timers()

    @timers.on("keeper")
    def the_same_number(due: Due) -> Command:
        return OpenSite(site=f"again-{due.subject}", no=1)

    await site.app.handle(OpenSite(site="b", no=2), a_cause())
    site.clock.move_to(DUE)
    async with running(a_clockwork(site, timers, poll=0.01)):
        await until(lambda: _all_failed(site))
    assert [row[3] for row in await rows(site)] == [UniqueConflict.__name__] * 2


async def _all_failed(place: Place) -> bool:
    return all(row[3] for row in await rows(place))


@pytest.mark.parametrize("error", [VersionConflict("x"), NotReady("x"), OSError(), TimeoutError()], ids=repr)
async def test_what_is_no_refusal_is_done_again(site: Place, error: Exception) -> None:
    site.clock.move_to(DUE)
    async with running(a_clockwork(site, points=raise_at(BEFORE, error), poll=0.01)):
        await until(lambda: _fired(site, 1))
    assert await rows(site) == []


async def test_a_database_that_goes_away_is_waited_for(site: Place) -> None:
    async with running(a_clockwork(site, poll=0.05)):
        async with site.away():
            await asyncio.sleep(0.4)
        site.clock.move_to(DUE)
        await until(lambda: _fired(site, 1))


async def test_a_deadline_is_held_off_while_read_models_are_swapped(site: Place) -> None:
    site.clock.move_to(DUE)
    async with site.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", APPENDING)
        waiting = asyncio.create_task(a_clockwork(site).once())
        await until(site.somebody_waits)
        assert not waiting.done()
    assert await waiting


async def test_two_handlers_of_one_timer_are_a_mistake() -> None:
    timers = the_timers()
    with pytest.raises(ValueError, match="keeper"):
        timers.on("keeper")(lambda due: None)


async def test_a_service_without_timers_has_none_due(source: Place) -> None:
    clockwork = a_clockwork(source, Timers())
    assert not await clockwork.once()
    soonest: datetime | None = await clockwork.soonest()
    assert soonest is None
