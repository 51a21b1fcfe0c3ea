"""A village reads its own reports and the town's once filed, and nothing there tells that a tip began a hazard."""

import json
from collections.abc import AsyncIterator

import pytest

from tests.integration.cases.intake import beside
from tests.integration.reporting.desk import FIRST_MORNING, HOUR, REPORTS, Desk, a_desk
from tests.support.services import Ground, a_service

VILLAGERS = ("village_head@dulan", "designated_reporter@dulan", "keeper@dulan")
WORDS = ("tip", "举报", "群众", "线索", "patrol-", "system:", "p-inspector", "lineage")


async def two_hazards(desk: Desk) -> None:
    """One born of a tip, one of an inspector's patrol, which is the safety office's; then dulan's report."""
    await desk.intake.tip()
    await desk.intake.patrol({"place": beside(3000)}, unit="safety_office")
    await desk.intake.patrol(unit="police_station")
    await desk.move_to(desk.period(1).cut_off_at + HOUR / 2)
    await desk.submitted("dulan", 1)


@pytest.fixture(scope="module")
async def seen(ground: Ground) -> AsyncIterator[Desk]:
    """A town to look at: the first week filed, the second running."""
    async with a_service(ground, "reporting", now=FIRST_MORNING) as town, a_desk(ground, town) as desk:
        await two_hazards(desk)
        await desk.move_to(desk.period(1).missing_at)
        await desk.done("clerk", "town", 1, "compilation")
        await desk.done("office_director", "town", 1, "filing")
        yield desk


async def test_hazards_of_a_tip_and_of_a_patrol_look_the_same_to_the_village(seen: Desk) -> None:
    for who in VILLAGERS:
        told = await seen.figure("dulan", 1, "hazards_listed", who)
        first, second = told["events"]
        assert (first.pop("number"), second.pop("number")) == (1, 2)
        assert first == second
        assert {name for name, value in first.items() if value not in (None, False, 0)} == {"type", "phase", "on"}
        page = (await seen.page(who, f"/reporting/reports/{seen.id('dulan', 1)}/figures/hazards_listed")).text
        text = json.dumps(told, ensure_ascii=False) + page.partition("<main")[2]
        assert [word for word in WORDS if word in text] == []


async def test_the_village_gets_no_ids_and_no_cut_that_could_be_tried_against_each_other(seen: Desk) -> None:
    for who in VILLAGERS:
        report = await seen.report("dulan", 1, who)
        assert (report["counted"]["cut"], report["counted"]["sha256"]) == (None, None)
        assert {step["event_id"] for step in report["steps"]} == {None}
        answer = await seen.town.http.get(f"{REPORTS}/{seen.id('dulan', 1)}/content", headers=seen.headers(who))
        assert answer.status_code == 403


async def test_a_restatement_tells_the_village_the_day_and_the_numbers_only(desk: Desk) -> None:
    await two_hazards(desk)
    await desk.intake.tip(place=beside(9000), at=desk.period(1).cut_off_at - HOUR)
    report = await desk.report("dulan", 1, "village_head@dulan")
    said = report["said"][-1]
    assert said["changes"] == [{"figure": "hazards_listed", "before": 2, "after": 3, "events": []}]
    assert (said["kind"], said["at"], said["on"]) == ("restated", None, "2018-01-19")
    assert (report["steps"][-1]["step"], report["steps"][-1]["occurred_at"]) == ("restated", None)
    page = (await desk.page("village_head@dulan", f"/reporting/reports/{desk.id('dulan', 1)}")).text
    assert "2 → " in page and "第 1 次重述" in page


async def test_other_units_reports_and_an_unfiled_town_report_are_not_there_for_a_village(seen: Desk) -> None:
    for who in VILLAGERS:
        for unit, no in (("shantou", 1), ("police_station", 1), ("town", 2)):
            path = f"{REPORTS}/{seen.id(unit, no)}"
            for part in ("", "/preview", "/figures/patrols"):
                answer = await seen.town.http.get(path + part, headers=seen.headers(who))
                assert answer.status_code == 404, (who, unit, part)
        assert {(line["unit"], line["period_no"]) for line in await seen.reports(who)} == {
            ("dulan", 1), ("dulan", 2), ("town", 1),
        }  # fmt: skip
        answer = await seen.town.http.get("/reporting/v1/late-recorded", headers=seen.headers(who))
        assert answer.status_code == 403


async def test_the_filed_town_report_shows_its_figures_but_no_lists_no_units_and_no_history(seen: Desk) -> None:
    for who in VILLAGERS:
        report = await seen.report("town", 1, who)
        assert (report["lines"], report["said"], report["steps"], report["people"]) == ([], [], [], {})
        assert {f["figure"]: f["value"] for f in report["counted"]["figures"]}["hazards_listed"] == 2
        for part in ("/preview", "/figures/hazards_listed", "/content"):
            answer = await seen.town.http.get(f"{REPORTS}/{seen.id('town', 1)}{part}", headers=seen.headers(who))
            assert answer.status_code in (403, 404), part
        page = (await seen.page(who, f"/reporting/reports/{seen.id('town', 1)}")).text
        assert "/figures/" not in page and "各单位报送情况" not in page


async def test_a_department_sees_its_own_reports_like_a_village(seen: Desk) -> None:
    who = "designated_reporter@police_station"
    assert {line["unit"] for line in await seen.reports(who)} == {"police_station", "town"}
    (event,) = (await seen.figure("police_station", 1, "patrols", who))["events"]
    assert (event["type"], event["on"], event["actor"]) == ("intake.patrol.recorded.v1", "2018-01-16", None)


async def test_a_village_report_lists_no_figure_of_tips(seen: Desk) -> None:
    told = await seen.town.get(f"{REPORTS}/{seen.id('dulan', 1)}/preview", seen.headers("village_head@dulan"))
    assert [f["figure"] for f in told["figures"] if f["figure"].startswith("tips")] == []
