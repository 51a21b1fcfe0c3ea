"""What a person sees of parked events, and a dismissal: it is final, it is signed, and the next in the queue goes on."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from structlog.testing import capture_logs

from shared import parked
from shared.contracts.cases.site import SiteKeeperAssigned, SiteRegistered
from shared.parked import NoReason, NothingParked, Parked, WaitsBehind
from shared.reaction import Reactor
from tests.support.crash import pause_at
from tests.support.kernel import Assign, OpenSite, Place, Templates, a_cause, a_place, instead, until
from tests.support.reacting import BEFORE, a_reactor, adds_up, copies, receive, two_reactions, walked
from tests.support.toy import Mirror

WHY = "录入时选错了井口"


async def refused(place: Place, events: int = 3) -> tuple[Mirror, Reactor]:
    """The first event of site-a is parked, the others queue; the mirror refuses nothing any more."""
    mirror = Mirror({"site-a"})
    await place.fill(events)
    reactor = a_reactor(place, mirror.reactions)
    await walked(place, reactor)
    mirror.refuses.clear()
    return mirror, reactor


async def ids(place: Place) -> list[int]:
    return [row.parked_id for row in await parked.waiting(place.pool)]


async def given_up(place: Place, parked_id: int, person: str = "p-1", because: str = WHY) -> Parked:
    return await parked.dismiss(place.pool, place.name, parked_id, person, because)


# ------------------------------------------------------------------------------------------------------- looking


async def test_the_list_says_why_each_waits_and_how_many_wait_behind_it(source: Place) -> None:
    await refused(source)
    mirror = Mirror({"site-b"})
    await source.fill(1, "b")
    await walked(source, a_reactor(source, mirror.reactions))
    rows = await parked.waiting(source.pool)
    seen = [(r.subject, r.position, r.state, r.reason, r.attempts, r.behind) for r in rows]
    assert seen[0] == ("site-a", 1, "parked", "Struck", 1, 2)
    assert [row[2] for row in seen] == ["parked", "queued", "queued", "parked"]
    assert [row[5] for row in seen] == [2, 1, 0, 0]


async def test_one_is_shown_with_what_waits_behind_it_in_order(source: Place) -> None:
    await refused(source)
    first = await parked.one(source.pool, (await ids(source))[0])
    assert first.behind == 2
    assert [row.position for row in await parked.behind(source.pool, first)] == [2, 3]
    with pytest.raises(NothingParked):
        await parked.one(source.pool, 10_000)


async def test_the_event_is_shown_with_its_sealed_texts_closed(templates: Templates) -> None:
    async with a_place(templates, inline=()) as place:
        await place.app.handle(OpenSite(site="a", name="王家二号井"), a_cause())
        await walked(place, a_reactor(place, Mirror({"site-a"}).reactions))
        [row] = await parked.waiting(place.pool)
        event = await parked.event_of(place.pool, place.name, row)
    assert isinstance(event, dict)
    assert (event["type"], event["subject"], event["data"]["site_no"]) == (SiteRegistered.type, "site-a", 1)
    assert event["data"]["name"] == "(sealed)"


async def test_an_event_of_another_service_is_shown_from_the_inbox(source: Place, reader: Place) -> None:
    await source.fill(1)
    await source.number()
    await receive(source, reader)
    await a_reactor(reader, Mirror({"site-a"}).reactions, "cases").once()
    [row] = await parked.waiting(reader.pool)
    event = await parked.event_of(reader.pool, "reporting", row)
    assert isinstance(event, dict) and event["subject"] == "site-a"


async def test_bytes_that_are_no_event_are_not_printed(source: Place) -> None:
    await source.fill(1)
    await source.forced("UPDATE record.event SET body = 'not for the screen'")
    await source.number()
    await a_reactor(source, Mirror().reactions).once()
    [row] = await parked.waiting(source.pool)
    assert await parked.event_of(source.pool, source.name, row) == "18 bytes that are no JSON object"


# ------------------------------------------------------------------------------------------------------ dismissing


async def test_a_dismissal_lets_the_next_go_on_and_the_sum_holds(source: Place) -> None:
    """The registration is given up; the assignments behind it find the copy that somebody made by hand."""
    _, reactor = await refused(source)
    await source.app.handle(OpenSite(site="a-copy", no=-9), a_cause())
    first, *_ = await ids(source)
    assert await adds_up(source) == {"parked": 1, "queued": 2}
    await given_up(source, first)
    assert await adds_up(source) == {"parked": 0, "queued": 2}
    assert await reactor.retry("copy", "site-a")
    assert await adds_up(source) == {"parked": 0, "queued": 0}
    assert await copies(source) == {"site-a-copy": 3}
    await source.fill(1)
    await walked(source, reactor)
    assert (await copies(source))["site-a-copy"] == 4


async def test_what_was_dismissed_is_never_done(source: Place) -> None:
    _, reactor = await refused(source, 1)
    await given_up(source, (await ids(source))[0])
    assert await reactor.retry("copy", "site-a")
    await walked(source, reactor)
    assert await copies(source) == {}
    assert await ids(source) == []


@pytest.mark.parametrize("meanwhile", ["done", "dismissed"])
async def test_what_was_settled_while_a_retry_was_refused_does_not_wait_again(source: Place, meanwhile: str) -> None:
    """The refusal is noted after the rollback, when the queue is free for others."""
    mirror, reactor = await refused(source, 1)
    (first,) = await ids(source)
    mirror.refuses.add("site-a")
    run = reactor._run

    async def others_come_first(*given: Any) -> None:
        instead(reactor, "_run", run)
        try:
            await run(*given)
        finally:
            mirror.refuses.clear()

    pool = source.app.pool

    class Slow:
        """The same pool, in which the note comes late."""

        def __getattr__(self, name: str) -> Any:
            return getattr(pool, name)

        async def execute(self, *given: Any) -> str:
            source.app.pool = pool
            if meanwhile == "done":
                assert await reactor.retry("copy", "site-a")
            else:
                await given_up(source, first)
            return str(await pool.execute(*given))

    instead(reactor, "_run", others_come_first)
    instead(source.app, "pool", Slow())
    assert not await reactor.retry("copy", "site-a")
    assert await ids(source) == []
    assert await adds_up(source) == {"parked": 0, "queued": 0}
    assert await copies(source) == ({"site-a-copy": 1} if meanwhile == "done" else {})


async def test_an_event_with_two_waiting_reactions_is_applied_with_the_last_dismissed(source: Place) -> None:
    mirror, refuses = Mirror({"site-a"}), {"site-a"}
    await source.fill(1)
    await walked(source, a_reactor(source, two_reactions(mirror, refuses)))
    first, second = await ids(source)
    await given_up(source, first)
    assert await adds_up(source) == {"parked": 1, "queued": 0}
    await given_up(source, second)
    assert await adds_up(source) == {"parked": 0, "queued": 0}


async def test_who_when_and_why_stand_in_the_row_and_in_the_log_without_the_words(source: Place) -> None:
    await refused(source, 1)
    [parked_id] = await ids(source)
    with capture_logs() as said:
        await given_up(source, parked_id, "p-clerk-1")
    [row] = await parked.dismissed(source.pool)
    assert (row.parked_id, row.dismissed_by, row.dismissed_because) == (parked_id, "p-clerk-1", WHY)
    assert row.dismissed_at is not None and abs((datetime.now(UTC) - row.dismissed_at).total_seconds()) < 60
    assert (row.reason, row.state) == ("Struck", "done")
    [line] = [line for line in said if line["event"] == "dismissed"]
    assert (line["person"], line["parked"], line["subject"]) == ("p-clerk-1", parked_id, "site-a")
    assert WHY not in str(line)


@pytest.mark.parametrize("because", ["", "  \n", "长" * 501])
async def test_a_dismissal_without_a_reason_is_refused(source: Place, because: str) -> None:
    await refused(source, 1)
    [parked_id] = await ids(source)
    with pytest.raises(NoReason):
        await given_up(source, parked_id, because=because)
    assert await ids(source) == [parked_id]


async def test_only_the_first_of_a_queue_can_be_dismissed(source: Place) -> None:
    await refused(source)
    first, second, _ = await ids(source)
    with pytest.raises(WaitsBehind, match=f"{second} waits behind {first}"):
        await given_up(source, second)
    assert await adds_up(source) == {"parked": 1, "queued": 2}


async def test_what_is_done_or_was_dismissed_cannot_be_dismissed_again(source: Place) -> None:
    _, reactor = await refused(source, 1)
    [done] = await ids(source)
    assert await reactor.retry("copy", "site-a")
    with pytest.raises(NothingParked):
        await given_up(source, done)
    mirror = Mirror({"site-b"})
    await source.fill(1, "b")
    await walked(source, a_reactor(source, mirror.reactions))
    [dismissed] = await ids(source)
    await given_up(source, dismissed)
    with pytest.raises(NothingParked):
        await given_up(source, dismissed, "p-2")
    assert [row.dismissed_by for row in await parked.dismissed(source.pool)] == ["p-1"]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE work.parked SET dismissed_by = 'p-2'",
        "UPDATE work.parked SET state = 'parked'",
        "DELETE FROM work.parked",
    ],
)
async def test_a_dismissal_cannot_be_changed_or_taken_away(source: Place, change: str) -> None:
    """Not by the service, and not by the owner of its tables either."""
    await refused(source, 1)
    await given_up(source, (await ids(source))[0])
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await source.pool.execute(change)
    owner = await asyncpg.connect(source.owner_dsn)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await owner.execute(change)
    finally:
        await owner.close()


async def test_what_still_waits_cannot_be_deleted(source: Place) -> None:
    await refused(source, 1)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await source.pool.execute("DELETE FROM work.parked")


async def test_an_event_that_comes_during_a_dismissal_queues_or_is_done_but_never_both(source: Place) -> None:
    """The reactor holds the mark while it looks at the queue; the dismissal waits for it."""
    _, reactor = await refused(source, 1)
    [first] = await ids(source)
    await source.app.handle(OpenSite(site="a-copy", no=-9), a_cause())
    await source.app.handle(Assign(site="a", unit="u"), a_cause())
    await source.number()
    point = reactor.points = pause_at(BEFORE, 2)  # the copy itself comes first
    reacting = asyncio.create_task(reactor.once())
    await point.reached.wait()
    dismissing = asyncio.create_task(given_up(source, first))
    await until(source.somebody_waits)
    point.go_on.set()
    await reacting
    await dismissing
    assert await adds_up(source) == {"parked": 0, "queued": 1}
    assert await reactor.retry("copy", "site-a")
    assert await copies(source) == {"site-a-copy": 2}


async def test_a_dismissal_waits_for_a_retry_under_way_and_finds_the_event_done(source: Place) -> None:
    mirror, reactor = await refused(source, 1)
    [first] = await ids(source)
    copy, inside, go_on = mirror.reactions.all[0].run, asyncio.Event(), asyncio.Event()

    async def slow(e: Any, look: Any) -> Any:
        inside.set()
        await go_on.wait()
        return await copy(e, look)

    mirror.reactions.all[0] = replace(mirror.reactions.all[0], run=slow)
    retrying = asyncio.create_task(reactor.retry("copy", "site-a"))
    await inside.wait()
    dismissing = asyncio.create_task(given_up(source, first))
    await until(source.somebody_waits)
    go_on.set()
    assert await retrying
    with pytest.raises(NothingParked):
        await dismissing
    assert await copies(source) == {"site-a-copy": 1}
    assert await adds_up(source) == {"parked": 0, "queued": 0}


async def test_dismissing_in_the_inbox_of_another_service_moves_that_sum(source: Place, reader: Place) -> None:
    await source.fill(2)
    await source.number()
    await receive(source, reader)
    mirror = Mirror({"site-a"})
    reactor = a_reactor(reader, mirror.reactions, "cases")
    await reactor.once()
    await given_up(reader, (await ids(reader))[0])
    assert await adds_up(reader, "cases") == {"parked": 0, "queued": 1}
    assert not await reactor.retry("copy", "site-a")
    assert await adds_up(reader, "cases") == {"parked": 1, "queued": 0}
    [row] = await parked.waiting(reader.pool)
    assert (row.state, row.attempts, row.position) == ("parked", 2, 2)
    assert isinstance(await parked.event_of(reader.pool, "reporting", row), dict)
    assert SiteKeeperAssigned.type in str(await parked.event_of(reader.pool, "reporting", row))
