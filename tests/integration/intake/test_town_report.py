"""The town's filed report tells a village no figure from which it could reckon that a hazard of its own came from a tip."""

from tests.integration.reporting.desk import FIRST_MORNING, HOUR, Desk, a_desk
from tests.support.services import Ground, a_service

VILLAGERS = ("village_head@dulan", "designated_reporter@dulan", "keeper@dulan")
OF_BEGINNINGS = ("tips", "patrol", "live_findings")
"""In a week in which patrols found nothing, a listed hazard is a tip's."""


async def figures(desk: Desk, unit: str, who: str) -> set[str]:
    return {f["figure"] for f in (await desk.report(unit, 1, who))["counted"]["figures"]}


async def test_figures_of_tips_and_of_all_patrols_are_not_told_to_a_village(ground: Ground) -> None:
    async with a_service(ground, "reporting", now=FIRST_MORNING) as town, a_desk(ground, town) as desk:
        await desk.intake.tip()
        await desk.intake.patrol()
        await desk.move_to(desk.period(1).cut_off_at + HOUR / 2)
        await desk.submitted("dulan", 1)
        await desk.move_to(desk.period(1).missing_at)
        await desk.done("clerk", "town", 1, "compilation")
        await desk.done("office_director", "town", 1, "filing")
        whole = await figures(desk, "town", "clerk")
        for who in VILLAGERS:
            told = await figures(desk, "town", who)
            assert {f for f in whole if f.startswith(OF_BEGINNINGS)} == whole - told, who
            assert "hazards_listed" in told and len(whole - told) >= 6
            answer = await desk.page(who, f"/reporting/reports/{desk.id('town', 1)}")
            page = answer.text.split("<main")[1].split("</main>")[0]
            assert "线索" not in page and "巡查" not in page and "列入清单隐患" in page
            assert "patrol_findings" in await figures(desk, "dulan", who), "of its own unit"
