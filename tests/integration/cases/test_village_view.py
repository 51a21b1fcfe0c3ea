"""The accused village does not learn that a tip began a hazard: not from what is shown, and not from what is missing."""

import json
import re
from typing import Any

from tests.integration.cases.desk import HAZARDS, Desk
from tests.integration.cases.intake import BAZISHAN, beside

VILLAGERS = ("village_head@dulan", "keeper@dulan", "designated_reporter@dulan")
WORDS = ("举报", "tip", "patrol", "巡查", "source", "群众")


async def two_of_each_kind(desk: Desk) -> tuple[str, str]:
    """(born of a tip, born of a patrol): the same facts, each with later findings, every one at a minute of its own."""
    await desk.intake.tip(live=True, summary="举报人说夜里有车")
    await desk.pass_time(minutes=7)
    await desk.intake.patrol({"place": beside(3000), "live": True, "summary": "巡查见夜里有车"})
    await desk.pass_time(minutes=7)
    await desk.intake.patrol({})
    await desk.pass_time(minutes=7)
    await desk.intake.patrol({"place": beside(3000)})
    newest, oldest = (line["hazard"] for line in await desk.hazards())
    await desk.intake.tip(place=beside(3000))
    for hazard in (oldest, newest):
        value = {"text": "举报人改口"}
        await desk.done("clerk", hazard, "corrections", field="summary", value=value, reason="举报人来电")
    kinds = [[s["kind"] for s in (await desk.hazard(h))["sources"]] for h in (oldest, newest)]
    assert kinds == [["tip", "patrol"], ["patrol", "patrol", "tip"]], "or the test compares nothing"
    return oldest, newest


def alike(text: str, told: dict[str, Any]) -> str:
    """`text` without what tells any two hazards apart: id, number, version, place, and the ids of forms."""
    for name, value in (("hazard", told["hazard"]), ("place", str(told["place"]["lat_e7"]))):
        text = text.replace(value, f"<{name}>")
    text = re.sub(r"37\.\d{5}", "<lat>", text)
    text = re.sub(rf"(隐患 |\"hazard_no\": ){told['hazard_no']:0>3}|\"hazard_no\": {told['hazard_no']}\b", "<no>", text)
    return re.sub(r"(name=\"(command_id|version)\" value=)\"[^\"]*\"", r"\1", text)


async def test_both_look_the_same_in_json_and_on_the_page(desk: Desk) -> None:
    tip_born, patrol_born = await two_of_each_kind(desk)
    for who in VILLAGERS:
        seen = []
        for hazard in (tip_born, patrol_born):
            told = await desk.hazard(hazard, who)
            (line,) = (one for one in await desk.hazards(who) if one["hazard"] == hazard)
            steps = await desk.steps(hazard, who)
            attached = [step for step in steps if step["step"] == "finding_attached"]
            told_once = [step for step in steps if step not in attached] + attached[:1]
            for step in told_once:
                step.pop("version")
            page = (await desk.page(who, f"/cases/hazards/{hazard}")).text
            page = re.sub(
                r"(<li class=\"\">\s*<span class=\"title\">同一地点又有发现.*?</li>\s*)+",
                "<attached>",
                page,
                flags=re.S,
            )
            told["version"] = line["version"] = 0
            seen.append([alike(json.dumps(part, ensure_ascii=False), told) for part in (told, line, told_once)])
            seen[-1].append(alike(page, told))
        assert seen[0] == seen[1], who


async def test_nothing_shown_to_the_village_tells_the_source(desk: Desk) -> None:
    hazards = await two_of_each_kind(desk)
    for who in VILLAGERS:
        for hazard in hazards:
            told = await desk.hazard(hazard, who)
            hidden = {
                told[name] for name in ("sources", "summary", "discovered_at", "listed_at", "live", "error_reason")
            }
            assert hidden == {None}
            assert told["place"]["accuracy_m"] is None
            begun = [s for s in await desk.steps(hazard, who) if s["step"] in ("listed", "finding_attached")]
            for step in begun:
                assert {step[n] for n in ("occurred_at", "recorded_at", "actor", "in_role", "event_id")} == {None}
            shown = await desk.town.http.get(f"{HAZARDS}/{hazard}", headers=desk.headers(who))
            line = await desk.town.http.get(f"{HAZARDS}/{hazard}/timeline", headers=desk.headers(who))
            page = (await desk.page(who, f"/cases/hazards/{hazard}")).text.split("<main")[1].split("</main>")[0]
            texts = [json.dumps(json.loads(shown.text) | {"sources": None}), line.text, page]
            for text in texts:
                assert not [word for word in WORDS if word in text.replace('"sources"', "")], text
                assert "T01:0" not in text.replace(" ", "T"), "the hour of a listing"


async def test_the_office_sees_what_the_village_does_not(desk: Desk) -> None:
    tip_born, _ = await two_of_each_kind(desk)
    page = (await desk.page("clerk", f"/cases/hazards/{tip_born}")).text
    assert "群众举报，经核实" in page and "巡查发现（第 1 项）" in page
    listed = (await desk.steps(tip_born))[0]
    assert (listed["facts"]["source"]["kind"], listed["actor"]) == ("tip", "system:cases")


async def test_a_hazard_of_another_village_is_not_there(desk: Desk) -> None:
    await desk.intake.tip(village=BAZISHAN)
    hazard = await desk.only()
    assert await desk.hazards("village_head@dulan") == []
    assert await desk.hazards("village_head@dulan", village=BAZISHAN) == []
    for path in (hazard, f"{hazard}/timeline"):
        answer = await desk.town.http.get(f"{HAZARDS}/{path}", headers=desk.headers("village_head@dulan"))
        assert answer.status_code == 404, path
    answer = await desk.send("village_head@dulan", f"{HAZARDS}/{hazard}/completion", {"report": "x"})
    assert answer.status_code == 404
    assert (await desk.page("village_head@dulan", f"/cases/hazards/{hazard}")).status_code == 404


async def test_a_post_without_a_village_that_is_not_the_campaigns_sees_what_its_unit_answers_for(desk: Desk) -> None:
    await desk.intake.tip()
    hazard = await desk.only()
    assert await desk.hazards("designated_reporter@police_station") == []
    await desk.done(
        "inspector", hazard, "three-fix",
        measure="stop", responsible="p-police_officer-1", responsible_unit="police_station", deadline_at=desk.in_days(2),
    )  # fmt: skip
    (line,) = await desk.hazards("designated_reporter@police_station")
    assert (line["hazard"], line["live"]) == (hazard, None)


async def test_whoever_answers_for_a_hazard_sees_it_though_it_lies_in_another_village(desk: Desk) -> None:
    await desk.intake.tip(village=BAZISHAN)
    hazard = await desk.only()
    await desk.ordered(hazard, responsible="p-keeper-dulan")
    assert (await desk.hazard(hazard, "keeper@dulan"))["sources"] is None
    assert await desk.hazards("village_head@dulan") == []


async def test_a_recurrence_shows_its_day_alone_on_the_old_hazard(desk: Desk) -> None:
    await desk.intake.tip()
    hazard = await desk.only()
    await desk.closed(hazard)
    await desk.intake.tip()
    last = (await desk.steps(hazard, "village_head@dulan"))[-1]
    assert (last["step"], last["occurred_at"], last["recorded_at"]) == ("recurred", None, None)
