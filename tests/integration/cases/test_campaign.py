"""The plan in force and who holds which post: adopted from the file, changed by the office, and changed by a new file."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from services.cases.campaign import PlanVersionReused
from services.cases.main import adopt
from shared.plan.loader import LoadedPlan, load_plan
from shared.plan.terms import PlanTerms
from tests.integration.cases.desk import Desk
from tests.support.services import Ground, a_service

POSTS = "/cases/v1/appointments"
NEW_CLERK = {"person": "p-clerk-9", "post": "clerk", "unit": "campaign_office", "name": "新来人"}


async def recorded(desk: Desk) -> list[tuple[Any, ...]]:
    """(type, correlation id, plan version) of everything cases has recorded."""
    rows = await desk.town.services["cases"].pool.fetch("SELECT body FROM record.event ORDER BY ingest_id")
    return [tuple(row) for row in rows]


async def test_the_adopted_plan_and_its_phases_are_shown(desk: Desk) -> None:
    told = await desk.town.get("/cases/v1/campaign", desk.headers("village_head@dulan"))
    assert (told["plan"], told["version"]) == ("zhenchengdi-2018", desk.town.loaded.version)
    assert told["sha256"] == desk.town.loaded.sha256
    assert [(p["phase"], p["started_at"] is not None) for p in told["phases"]][:2] == [
        ("mobilisation", True),
        (told["phase"], True),
    ]
    assert [p["ended_at"] is not None for p in told["phases"]] == [True, False, False, False]


async def test_everybody_of_the_plan_holds_a_post_and_addresses_are_for_those_who_call(desk: Desk) -> None:
    async def held(who: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = (await desk.town.get(POSTS, desk.headers(who)))["items"]
        return items

    assert {line["assignment"] for line in await held("clerk")} == {p.assignment for p in desk.town.plan.people}
    assert any(line["email"] for line in await held("duty_officer"))
    assert not any(line["email"] or line["phone"] for line in await held("auditor"))
    assert (await desk.town.http.get(POSTS, headers=desk.headers("village_head@dulan"))).status_code == 403


async def test_adopting_the_same_file_again_records_nothing(desk: Desk) -> None:
    before = await recorded(desk)
    for _ in range(2):
        await adopt(desk.town.services["cases"].app, desk.town.loaded)
    assert await recorded(desk) == before


async def test_the_director_appoints_and_ends_and_nobody_else(desk: Desk) -> None:
    assert (await desk.send("clerk", POSTS, NEW_CLERK)).status_code == 403
    assert (await desk.send("office_director", POSTS, NEW_CLERK | {"post": "king"})).json()["rule"] == "NotInPlan"
    answer = await desk.send("office_director", POSTS, NEW_CLERK)
    assert answer.status_code == 201, answer.text
    assignment = answer.json()["assignment"]
    assert (await desk.hazards("clerk@campaign_office")) == []
    path = f"{POSTS}/{assignment}/end"
    early = await desk.send("office_director", path, {"reason": "replaced", "on": "2018-01-01"})
    assert (early.status_code, early.json()["rule"]) == (422, "AppointmentEndsBeforeStart")
    assert (await desk.send("office_director", f"{POSTS}/nobody/end", {"reason": "replaced"})).status_code == 404
    stale = await desk.send("office_director", path, {"reason": "replaced"}, if_match='"1"')
    assert stale.status_code == 412
    assert (await desk.send("office_director", path, {"reason": "replaced"})).status_code == 201


async def test_whose_post_has_ended_is_let_in_no_more(desk: Desk) -> None:
    await desk.hazards("duty_officer")
    end = {"reason": "replaced", "on": "2018-01-21"}
    assert (await desk.send("office_director", f"{POSTS}/a-duty_officer-1/end", end)).status_code == 201
    answer = await desk.town.http.get("/cases/v1/hazards", headers=desk.headers("duty_officer"))
    assert answer.status_code == 403


def changed(folder: Path, of: LoadedPlan, version: str | None, *changes: tuple[str, str]) -> LoadedPlan:
    """The plan file with other text, as a file of its own in `folder`."""
    text = of.path.read_text("utf-8")
    if version is not None:
        old = (
            f"\nversion: {of.plan.version}"
            if f"\nversion: {of.plan.version}\n" in text
            else f'\nversion: "{of.plan.version}"'
        )
        assert old in text
        text = text.replace(old, f'\nversion: "{version}"', 1)
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after)
    path = folder / f"changed-{version}.yaml"
    path.write_text(text, "utf-8")
    return load_plan(path)


def without(of: LoadedPlan, assignment: str) -> LoadedPlan:
    """As if the file did not name that appointment; only what adoption reads is changed."""
    people = tuple(person for person in of.plan.people if person.assignment != assignment)
    return LoadedPlan(of.plan.model_copy(update={"people": people}), of.version, of.sha256, of.path)


async def test_who_left_the_file_loses_the_post_and_the_offices_own_appointments_stay(desk: Desk) -> None:
    earlier = NEW_CLERK | {"from_on": "2018-01-16"}
    own = (await desk.send("office_director", POSTS, earlier)).json()["assignment"]
    second = changed(desk.town.folder, desk.town.loaded, "2", ("name: 严守一", "name: 严守二"))
    app = desk.town.services["cases"].app
    await adopt(app, without(second, "a-inspector-2"))
    held = {line["assignment"]: line for line in (await desk.town.get(POSTS, desk.headers("clerk")))["items"]}
    assert "a-inspector-2" not in held
    assert held["a-inspector-1"]["name"] == "严守二"
    assert own in held
    told = await desk.town.get("/cases/v1/campaign", desk.headers("clerk"))
    assert (told["version"], told["sha256"]) == (second.version, second.sha256)


async def test_a_file_that_comes_back_after_another_is_adopted_again(desk: Desk) -> None:
    app, first = desk.town.services["cases"].app, desk.town.loaded
    second = changed(desk.town.folder, first, "2")
    shas = []
    for loaded in (second, first, first, second, first):
        await adopt(app, loaded)
        shas.append((await desk.town.get("/cases/v1/campaign", desk.headers("clerk")))["sha256"])
    assert shas == [second.sha256, first.sha256, first.sha256, second.sha256, first.sha256]


async def test_other_content_under_the_same_version_is_refused_and_changes_nothing(desk: Desk) -> None:
    before = await recorded(desk)
    other = changed(desk.town.folder, desk.town.loaded, None, ("name: 严守一", "name: 严守二"))
    with pytest.raises(PlanVersionReused):
        await adopt(desk.town.services["cases"].app, other)
    assert await recorded(desk) == before


async def test_another_campaign_ends_the_posts_of_the_one_before(ground: Ground) -> None:
    from tests.support.plans import SECOND, loaded

    async with a_service(ground, "cases") as town:
        await adopt(town.services["cases"].app, loaded(SECOND))
        async with town.services["cases"].pool.acquire() as connection:
            rows = await connection.fetch('SELECT person FROM "post" WHERE ended_on IS NULL')
        assert {row["person"] for row in rows} == {p.person for p in loaded(SECOND).plan.people}


async def test_phases_start_and_end_by_the_calendar(desk: Desk) -> None:
    terms = PlanTerms(desk.town.loaded.plan, desk.town.loaded.version)
    for phase in terms.phases[1:]:
        desk.town.clock.move_to(phase.ends_at)
        await desk.town.settled()
    told = await desk.town.get("/cases/v1/campaign", desk.headers("clerk"))
    assert all(phase["ended_at"] for phase in told["phases"])
    assert date.fromisoformat(told["ends_on"]) == terms.plan.ends_on
    assert told["ended_at"] is not None
