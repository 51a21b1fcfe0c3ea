"""One tip followed by HTTP from the form to the figure of the week's report, event by event; under two different plans."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from services.simulation.logs import Logs, read_logs
from services.simulation.scene import Scene, Stage
from services.together import FIRST_PLAN, shipped
from shared.decider import Actor
from tests.support.stage import Played, a_played_town

WORDS = "沟口那个坑昨晚又有人在挖，我认得其中一个人。"
HOURS = timedelta(hours=1)


@pytest.fixture(scope="module", params=[FIRST_PLAN, "yunlinggou-2021.yaml"])
async def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Played]:
    async with a_played_town(tmp_path_factory.mktemp("town"), shipped(request.param)) as town:
        yield town


class Journey:
    """The people of it: a village, its head, and the office."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.cast, plan = stage, stage.cast, stage.cast.plan
        self.unit = self.cast.village_units[1]
        self.village = self.cast.village(self.unit)
        self.clerk, self.inspector = self.cast.one("clerk"), self.cast.one("inspector")
        self.director, self.head = self.cast.one("office_director"), self.cast.head(self.unit)
        self.kind = {"category": plan.codes("category")[0], "violation": plan.codes("violation")[0]}
        self.period = plan.periods[0]

    async def later(self, hours: float) -> Scene:
        """A new scene, so much later, when all is quiet."""
        await self.stage.time.quiet()
        await self.stage.time.until(self.stage.time.now() + hours * HOURS)
        return self.stage.scene(f"{self.stage.time.now():%m-%d %H:%M}")

    async def everybody_reports(self) -> None:
        await self.stage.time.quiet()
        await self.stage.time.until(self.period.cut_off_at + 0.2 * HOURS)
        await self.stage.time.quiet()
        for unit in self.cast.plan.reporting_units:
            scene = self.stage.scene(f"report {unit}")
            await scene.post(self.cast.one("designated_reporter", unit), f"{self.report(unit)}/submission", {})
            await scene.post(self.clerk, f"{self.report(unit)}/acceptance", {})
        scene = await self.later(0.1)
        await scene.post(self.clerk, f"{self.report()}/compilation", {})
        await scene.post(self.director, f"{self.report()}/filing", {})

    def report(self, unit: str | None = None) -> str:
        plan = self.cast.plan
        return f"/reporting/v1/reports/{plan.code}-{unit or plan.town_unit}-{self.period.no:02d}"


async def test_a_tip_becomes_a_hazard_a_message_and_a_number_that_opens_its_events(played: Played) -> None:
    j = Journey(played.stage)
    scene = await j.later(10)
    given = await scene.post(None, "/intake/v1/public/tips", {"words": WORDS, "village": j.village})
    receipt = given["receipt"]
    assert await _status(scene, receipt) == "received"

    scene = await j.later(1)
    tip = (await scene.get(j.clerk, "/intake/v1/tips"))["items"][0]["tip"]
    shown = await scene.get(j.clerk, f"/intake/v1/tips/{tip}")
    assert [spoken["words"] for spoken in shown["words"]] == [WORDS]
    await scene.post(j.clerk, f"/intake/v1/tips/{tip}/screening", {"outcome": "to_verify", "summary": "沟口有新坑。"})
    assert await _status(scene, receipt) == "being_checked"

    scene = await j.later(2)
    facts = {"result": "substantiated", "village": j.village, "summary": "沟口有新坑，无人。", **j.kind}
    await scene.post(j.inspector, f"/intake/v1/tips/{tip}/verification", facts)
    scene = await j.later(0.1)
    (line,) = (await scene.get(j.clerk, "/cases/v1/hazards", village=j.village))["items"]
    assert (line["state"], line["hazard_no"], line["category"]) == ("listed", 1, j.kind["category"])

    hazard = f"/cases/v1/hazards/{line['hazard']}"
    await _the_village_does_not_learn_of_the_tip(scene, j.head, hazard, tip)
    await _the_three_fix_needs_its_deadline(scene, j, hazard)
    scene = await j.later(0.1)
    (message,) = (await scene.get(j.head, "/notify/v1/messages", kind="assignment"))["items"]
    assert message["about_no"] == 1 and message["recipient"] == j.head.person
    assert await _status(scene, receipt) == "handled"

    await j.everybody_reports()
    await _the_number_opens_its_events(await j.later(0.1), j, line["hazard"])
    logs = await read_logs(played.stage.http, j.cast.tokens.issue_service("test"))
    _each_step_stands_in_the_logs(logs, tip, line["hazard"])
    assert played.world.mail.refused == 0


async def _status(scene: Scene, receipt: str) -> str:
    answer = await scene.post(None, "/intake/v1/public/tips/status", {"receipt": receipt}, expect=200)
    assert WORDS not in str(answer)
    return str(answer["state"])


async def _the_village_does_not_learn_of_the_tip(scene: Scene, head: Actor, hazard: str, tip: str) -> None:
    seen = await scene.get(head, hazard)
    timeline = await scene.get(head, f"{hazard}/timeline")
    assert seen["sources"] is None and seen["summary"] is None and seen["discovered_at"] is None
    assert tip not in str(seen) + str(timeline) and "tip" not in str(timeline)


async def _the_three_fix_needs_its_deadline(scene: Scene, j: Journey, hazard: str) -> None:
    wanted: dict[str, Any] = {"measure": j.cast.plan.codes("measure")[0]}
    wanted |= {"responsible": j.head.person, "responsible_unit": j.unit}
    refused = await scene.post(j.director, f"{hazard}/three-fix", wanted, expect=409)
    assert refused["rule"] == "ThreeFixNeedsDeadline"
    deadline = j.stage.time.now() + timedelta(days=9)
    await scene.post(j.director, f"{hazard}/three-fix", {**wanted, "deadline_at": deadline.isoformat()})


async def _the_number_opens_its_events(scene: Scene, j: Journey, hazard: str) -> None:
    """In the town's report and in the village's own; the event itself is one request further."""
    for report in (j.report(), j.report(j.unit)):
        shown = await scene.get(j.clerk, report)
        figures = {one["figure"]: one["value"] for one in shown["counted"]["figures"]}
        assert figures["hazards_listed"] == 1
        opened = await scene.get(j.clerk, f"{report}/figures/hazards_listed")
        assert len(opened["events"]) == figures["hazards_listed"]
        event = await scene.get(j.director, f"/cases/v1/events/{opened['events'][0]['event_id']}")
        assert f"hazard-{hazard}" in str(event)
    town = await scene.get(j.clerk, j.report())
    assert {one["figure"]: one["value"] for one in town["counted"]["figures"]}["tips_received"] == 1
    own = await scene.get(j.cast.one("designated_reporter", j.unit), j.report(j.unit))
    assert not any(one["figure"].startswith("tips") for one in own["counted"]["figures"])


def _each_step_stands_in_the_logs(logs: Logs, tip: str, hazard: str) -> None:
    def of(stream: str) -> list[str]:
        return [fact.type.split(".", 1)[1].removesuffix(".v1") for fact in logs.by_stream[stream]]

    assert of(f"tip-{tip}") == ["tip.received", "tip.screened", "tip.verified"]
    assert of(f"hazard-{hazard}") == ["hazard.listed", "hazard.three_fix_ordered"]
    (filed,) = logs.all("reporting.weekly_report.filed")
    assert of(filed.stream) == ["weekly_report.opened", "weekly_report.compiled", "weekly_report.filed"]
    told = logs.all("notify.message.issued", kind="assignment", about=f"hazard-{hazard}")
    assert len(told) == 1
    for fact in logs:
        assert WORDS not in str(fact.data)
