"""What intake reports becomes a hazard, joins one, or brings one back; and what turns out to be a mistake is only flagged."""

import asyncio
import random
from datetime import timedelta
from typing import Any

from services.cases import bus
from services.cases.main import describe
from shared.contracts.envelope import Recorded, read
from shared.contracts.intake.patrol import PatrolRecorded
from shared.decider import Command
from shared.reaction import Reactions
from shared.read_model import ReadModel, tables_of
from shared.replay import write_views
from shared.sql import Tx
from tests.integration.cases.desk import HAZARDS, Desk
from tests.integration.cases.intake import BAZISHAN, DULAN, PIT, beside
from tests.integration.cases.test_sites import registered


async def parked(desk: Desk) -> int:
    count: int = await desk.town.services["cases"].pool.fetchval("SELECT count(*) FROM work.parked")
    return count


async def test_a_tip_that_is_not_substantiated_lists_nothing(desk: Desk) -> None:
    for result in ("unsubstantiated", "insufficient", "out_of_area"):
        await desk.intake.tip(result=result)
    assert await desk.hazards() == []


async def test_a_finding_near_an_open_hazard_of_its_kind_joins_it(desk: Desk) -> None:
    tip = await desk.intake.tip()
    patrol = await desk.intake.patrol({"place": beside(150), "live": True})
    told = await desk.hazard(await desk.only())
    assert [(s["kind"], s["ref"], s["finding"]) for s in told["sources"]] == [("tip", tip, None), ("patrol", patrol, 1)]
    assert told["live"] is True


async def test_a_finding_farther_off_of_another_kind_or_village_is_a_hazard_of_its_own(desk: Desk) -> None:
    await desk.intake.tip()
    await desk.intake.patrol({"place": beside(250)}, {"category": "brick_plant"})
    await desk.intake.patrol({}, village=BAZISHAN)
    assert [line["hazard_no"] for line in await desk.hazards()] == [4, 3, 2, 1]


async def test_two_finds_of_one_patrol_at_one_place_are_one_hazard(desk: Desk) -> None:
    await desk.intake.patrol({}, {"place": beside(100)}, {"place": beside(900)})
    near, far = [await desk.hazard(line["hazard"]) for line in reversed(await desk.hazards())]
    assert [s["finding"] for s in near["sources"]] == [1, 2]
    assert [s["finding"] for s in far["sources"]] == [3]


async def test_a_find_at_a_registered_site_joins_what_was_listed_near_it_without_one(desk: Desk) -> None:
    await desk.intake.tip()
    mine = await registered(desk, category="abandoned_shaft")
    await desk.intake.patrol({"site": mine})
    assert len((await desk.hazard(await desk.only()))["sources"]) == 2


async def test_the_sites_own_hazard_comes_before_what_lies_near(desk: Desk) -> None:
    mine = await registered(desk, category="abandoned_shaft", place=beside(400).model_dump())
    await desk.intake.tip(site=mine, place=beside(400))
    await desk.intake.tip(place=beside(150))
    at_site = (await desk.hazards())[1]["hazard"]
    await desk.intake.patrol({"site": mine, "place": beside(160)})
    assert len((await desk.hazard(at_site))["sources"]) == 2


async def test_what_was_found_before_the_close_out_and_comes_late_belongs_to_the_closed_hazard(desk: Desk) -> None:
    """A phone that was offline sends a patrol of last week, when the hazard has come back already."""
    await desk.intake.tip()
    first = await desk.only()
    found_at = desk.town.clock.now() + timedelta(hours=1)
    await desk.pass_time(hours=2)
    await desk.closed(first)
    await desk.pass_time(days=2)
    await desk.intake.tip()
    second = await desk.only(state="open")
    await desk.intake.patrol({}, ended_at=found_at, offline=True)
    assert [len((await desk.hazard(one))["sources"]) for one in (first, second)] == [2, 1]
    assert (await desk.hazard(first))["state"] == "closed_out"
    assert await parked(desk) == 0


async def test_after_the_watch_has_ended_a_find_is_a_new_hazard(desk: Desk) -> None:
    await desk.intake.tip()
    first = await desk.only()
    await desk.closed(first)
    await desk.pass_time(days=500)
    await desk.intake.tip()
    new = await desk.hazard(await desk.only(state="open"))
    assert (new["earlier"], (await desk.hazard(first))["later"]) == (None, None)
    assert await parked(desk) == 0


async def test_a_source_entered_in_error_flags_the_hazard_and_does_no_more(desk: Desk) -> None:
    tip = await desk.intake.tip()
    patrol = await desk.intake.patrol({})
    hazard = await desk.only()
    before = await desk.hazard(hazard)
    await desk.intake.corrects(patrol)
    assert [s["corrected"] for s in (await desk.hazard(hazard))["sources"]] == [False, True]
    await desk.intake.strikes(patrol)
    told = await desk.hazard(hazard)
    assert [(s["ref"], s["withdrawn"]) for s in told["sources"]] == [(tip, False), (patrol, True)]
    assert told | {"sources": None} == before | {"sources": None}
    page = (await desk.page("clerk", f"/cases/hazards/{hazard}")).text
    assert "来源已注明误录" in page and "来源有更正" in page


async def test_a_hazard_is_not_closed_between_the_look_at_the_place_and_the_finding_that_joins_it(desk: Desk) -> None:
    """Whichever of the two the database lets through first, the other is done again: nothing is parked, nothing lost."""
    await desk.intake.tip()
    hazard = await desk.only()
    await desk.ordered(hazard)
    await desk.done("village_head@dulan", hazard, "completion", report="已封堵")
    looked, go_on = asyncio.Event(), asyncio.Event()
    slow = Reactions()

    @slow.on(PatrolRecorded)
    async def list_from_patrol(e: Recorded[PatrolRecorded], look: Tx) -> list[Command]:
        commands = await bus.list_from_patrol(e, look)
        looked.set()
        await go_on.wait()
        return commands

    for reactor in desk.town.services["cases"].reactors:
        reactor.reactions = slow
    coming = asyncio.create_task(desk.intake.patrol({}))
    await looked.wait()
    closing = asyncio.create_task(desk.send("inspector", f"{HAZARDS}/{hazard}/acceptance"))
    await asyncio.sleep(0.3)
    go_on.set()
    await coming
    assert (await closing).status_code == 201
    told = await desk.hazard(hazard)
    joined, came_back = len(told["sources"]) == 2, told["later"] is not None
    assert (told["state"], joined != came_back) == ("closed_out", True)
    assert await parked(desk) == 0


async def test_findings_and_close_outs_at_the_same_moment_end_well(desk: Desk) -> None:
    for n in range(4):
        place = beside(2000 * n)
        await desk.intake.tip(place=place)
        hazard = (await desk.hazards())[0]["hazard"]
        await desk.ordered(hazard)
        await desk.done("village_head@dulan", hazard, "completion", report="已封堵")
        closing = asyncio.create_task(desk.send("inspector", f"{HAZARDS}/{hazard}/acceptance"))
        await asyncio.sleep(random.Random(n).uniform(0, 0.03))
        await desk.intake.patrol({"place": place})
        assert (await closing).status_code == 201
        told = await desk.hazard(hazard)
        joined, came_back = len(told["sources"]) == 2, told["later"] is not None
        assert (told["state"], joined != came_back) == ("closed_out", True)
    assert await parked(desk) == 0


async def test_every_order_in_which_two_sources_come_in_gives_the_same_tables(desk: Desk) -> None:
    """Own log and intake's, each in its order, mixed at random: what is read of them is the same each time."""
    await a_full_life(desk)
    cases, intake = desk.town.services["cases"], desk.intake.place
    own = await cases.pool.fetch("SELECT body FROM record.log JOIN record.event USING (event_id) ORDER BY position")
    theirs = await intake.pool.fetch("SELECT body FROM record.log JOIN record.event USING (event_id) ORDER BY position")
    logs = [[read(row["body"]) for row in rows] for rows in (own, theirs)]
    opened = [await cases.sealer.open(log) for log in logs]
    models = describe().models()
    live = await _tables(desk, models, "view")
    for seed in range(6):
        assert await _built(desk, models, mixed(opened, random.Random(seed))) == live, seed


async def a_full_life(desk: Desk) -> None:
    mine = await registered(desk)
    await desk.send("clerk", f"/cases/v1/sites/{mine}/keepers", {"kind": "territorial", "unit": "dulan"})
    tip = await desk.intake.tip(site=mine)
    first = await desk.only()
    await desk.ordered(first, days=2)
    await desk.intake.patrol({"site": mine, "live": True}, {"place": beside(3000)})
    await desk.intake.strikes(tip)
    await desk.pass_time(days=2)
    wanted = desk.in_days(3)
    await desk.done("village_head@dulan", first, "extension-requests", wanted_at=wanted, reason="大雪")
    await desk.done("office_director", first, "extension-approval", reason="同意")
    await desk.done("village_head@dulan", first, "completion", report="已封堵")
    await desk.done("inspector", first, "rejection", reason="不实")
    await desk.done("village_head@dulan", first, "completion", report="再次封堵")
    await desk.done("inspector", first, "acceptance")
    patrol = await desk.intake.patrol({"site": mine})
    await desk.intake.strikes(patrol)
    await desk.intake.corrects(patrol)
    other = await desk.only(state="open", category="abandoned_shaft")
    move = {"value": PIT.model_dump(exclude_none=True)}
    await desk.done("clerk", other, "corrections", field="place", value={"place": move["value"]}, reason="偏了")
    await desk.done("clerk", other, "entered-in-error", reason="重复")
    assert [line["village"] for line in await desk.hazards()] == [DULAN] * 3
    await desk.town.settled()


def mixed(logs: list[list[Recorded[Any]]], chance: random.Random) -> list[Recorded[Any]]:
    """One order of all events in which each log keeps its own."""
    waiting = [list(log) for log in logs]
    order: list[Recorded[Any]] = []
    while any(waiting):
        log = chance.choices(waiting, [len(one) for one in waiting])[0]
        order.append(log.pop(0))
    return order


async def _built(desk: Desk, models: list[ReadModel], events: list[Recorded[Any]]) -> dict[str, list[str]]:
    """The tables as these events, one after another, fill them; in the schema for that."""
    pool = desk.town.services["cases"].pool
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL search_path = shadow, work, record")
        for model in models:
            for statement in model.ddl():
                await connection.execute(statement)
        for event in events:
            await write_views(Tx(connection), models, event)
        found = await _rows(connection, models, "shadow")
        for table in tables_of(models):
            await connection.execute(f'DROP TABLE shadow."{table}"')
    return found


async def _tables(desk: Desk, models: list[ReadModel], schema: str) -> dict[str, list[str]]:
    async with desk.town.services["cases"].pool.acquire() as connection:
        return await _rows(connection, models, schema)


async def _rows(connection: Any, models: list[ReadModel], schema: str) -> dict[str, list[str]]:
    return {
        table: sorted(str(dict(row)) for row in await connection.fetch(f'SELECT * FROM {schema}."{table}"'))
        for table in tables_of(models)
    }
