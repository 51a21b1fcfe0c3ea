"""A week's reports from the first fact to the filing, and what becomes of them when more facts come."""

import hashlib
import json
from datetime import timedelta

from shared.contracts.intake.patrol import PatrolCorrected
from shared.contracts.intake.tip import TipReceived
from shared.contracts.parts import Value
from tests.integration.cases.intake import beside
from tests.integration.reporting.desk import BAZISHAN, DAY, HOUR, REPORTS, Desk

MINUTE = timedelta(minutes=1)
TIP = TipReceived(channel="web", anonymous=True, live=True, informant="i-1", words="夜里有车", receipt_digest="ab" * 32)


async def a_week(desk: Desk) -> tuple[str, str]:
    """Period 1: a live tip; patrols of dulan with two findings, of bazishan and the police with none. The first two streams."""
    await desk.intake.says("tip-1", TIP)
    patrol = await desk.intake.patrol({}, {"place": beside(3000), "live": True})
    other = await desk.intake.patrol(village=BAZISHAN, unit="bazishan")
    await desk.intake.patrol(unit="police_station")
    return patrol, other


async def test_figures_are_counted_from_the_events_and_each_opens_its_own(desk: Desk) -> None:
    await a_week(desk)
    assert await desk.preview("dulan", 1) == {
        "patrols": 1, "patrol_findings": 2, "live_findings": 1, "hazards_listed": 2,
    }  # fmt: skip
    assert await desk.preview("police_station", 1) == {"patrols": 1, "patrols_without_finding": 1}
    assert await desk.preview("town", 1) == {
        "tips_received": 1, "tips_live": 1, "patrols": 3, "patrols_without_finding": 2, "patrol_findings": 2,
        "live_findings": 1, "hazards_listed": 2,
    }  # fmt: skip
    for unit in ("dulan", "police_station", "town"):
        for figure, value in (await desk.preview(unit, 1)).items():
            told = await desk.figure(unit, 1, figure)
            assert len(told["events"]) == told["value"] == value == sum(told["by_phase"].values())
    entry = (await desk.figure("dulan", 1, "hazards_listed"))["events"][0]
    answer = await desk.town.http.get(f"/cases/v1/events/{entry['event_id']}", headers=desk.headers("auditor"))
    assert answer.json()["event"]["data"]["hazard_no"] == entry["number"]


async def test_submitted_returned_submitted_again_accepted(desk: Desk) -> None:
    await a_week(desk)
    await desk.move_to(desk.period(1).cut_off_at + 5 * MINUTE)
    await desk.submitted("dulan", 1, note="本周无异常")
    assert (await desk.report("dulan", 1))["state"] == "submitted"
    await desk.done("clerk", "dulan", 1, "return", reason="请补充处置情况")
    report = await desk.report("dulan", 1)
    assert (report["state"], report["counted"]) == ("returned", None)
    assert [step["text"] for step in report["steps"]] == [None, "本周无异常", "请补充处置情况"]
    await desk.submitted("dulan", 1, note="已补充")
    await desk.done("office_director", "dulan", 1, "acceptance")
    report = await desk.report("dulan", 1)
    assert (report["state"], report["late"], report["restatements"]) == ("accepted", False, 0)
    assert [step["step"] for step in report["steps"]] == ["opened", "submitted", "returned", "submitted", "accepted"]
    assert report["people"]["p-designated_reporter-dulan"]
    assert report["content_sha256"] == hashlib.sha256(await desk.content("dulan", 1)).hexdigest()


async def test_a_clerk_submits_for_the_reporter_and_the_envelope_says_so(desk: Desk) -> None:
    await desk.move_to(desk.period(1).cut_off_at + 5 * MINUTE)
    path = f"{REPORTS}/{desk.id('dulan', 1)}/submission"
    for person, status in (("p-designated_reporter-shantou", 403), ("p-designated_reporter-dulan", 201)):
        answer = await desk.send("clerk", path, {}, on_behalf_of=person)
        assert answer.status_code == status, answer.text
    await desk.town.settled()
    step = (await desk.report("dulan", 1))["steps"][-1]
    assert (step["actor"], step["on_behalf_of"]) == ("p-clerk-1", "p-designated_reporter-dulan")


async def test_late_and_missing_are_said_and_a_missing_report_is_still_taken(desk: Desk) -> None:
    period = desk.period(1)
    await desk.move_to(period.due_at + MINUTE)
    await desk.submitted("dulan", 1)
    await desk.move_to(period.missing_at + HOUR)
    await desk.submitted("shantou", 1)
    dulan, shantou, xiyan = [await desk.report(unit, 1) for unit in ("dulan", "shantou", "xiyan")]
    assert [(r["state"], r["late"], r["missed"]) for r in (dulan, shantou, xiyan)] == [
        ("submitted", True, False), ("submitted", True, True), ("missing", False, True),
    ]  # fmt: skip


async def test_the_town_is_compiled_when_nobody_is_out_and_filed_by_the_director(desk: Desk) -> None:
    await a_week(desk)
    period = desk.period(1)
    await desk.move_to(period.cut_off_at + 5 * MINUTE)
    await desk.submitted("dulan", 1)
    await desk.done("clerk", "dulan", 1, "acceptance")
    await desk.submitted("police_station", 1)
    assert await desk.refused("clerk", "town", 1, "compilation") == (409, "UnitsStillOut")
    assert await desk.refused("office_director", "town", 1, "filing") == (409, "ReportNotCompiled")
    await desk.move_to(period.due_at + MINUTE)
    await desk.submitted("bazishan", 1)
    await desk.move_to(period.missing_at)
    await desk.done("clerk", "town", 1, "compilation")
    town = await desk.report("town", 1)
    states = {line["unit"]: line["state"] for line in town["lines"]}
    assert [states.pop(u) for u in ("dulan", "police_station", "bazishan")] == ["accepted", "submitted", "late"]
    assert set(states.values()) == {"missing"}
    assert (await desk.figures("town", 1))["patrols"] == 3, "counted, not added up: most units are missing"
    answer = await desk.send("clerk", f"{REPORTS}/{desk.id('town', 1)}/filing")
    assert answer.status_code == 403
    await desk.done("office_director", "town", 1, "filing")
    town = await desk.report("town", 1)
    assert (town["state"], town["content_sha256"]) == (
        "filed",
        hashlib.sha256(await desk.content("town", 1)).hexdigest(),
    )


async def filed_week(desk: Desk) -> tuple[str, str]:
    """Period 1 of dulan accepted, of the town filed, in the evening. The streams of the first two patrols."""
    streams = await a_week(desk)
    await desk.move_to(desk.period(1).cut_off_at + 5 * MINUTE)
    await desk.submitted("dulan", 1)
    await desk.done("clerk", "dulan", 1, "acceptance")
    await desk.move_to(desk.period(1).missing_at)
    await desk.done("clerk", "town", 1, "compilation")
    await desk.done("group_leader", "town", 1, "filing")
    return streams


async def test_a_patrol_that_arrives_late_restates_unit_and_town_and_is_told_apart(desk: Desk) -> None:
    await filed_week(desk)
    before = {unit: await desk.content(unit, 1) for unit in ("dulan", "town")}
    was = {unit: await desk.report(unit, 1) for unit in ("dulan", "town")}
    await desk.move_to(desk.period(1).cut_off_at + 2 * DAY)
    walked_at = desk.period(1).cut_off_at - DAY
    await desk.intake.patrol({"place": beside(9000)}, ended_at=walked_at, offline=True)
    for unit in ("dulan", "town"):
        report = await desk.report(unit, 1)
        (said,) = [one for one in report["said"] if one["kind"] == "restated"][-1:]
        total = {f["figure"]: f["value"] for f in report["counted"]["figures"]}
        old = {f["figure"]: f["value"] for f in was[unit]["counted"]["figures"]}
        assert (total["patrols"], total["hazards_listed"]) == (old["patrols"] + 1, old["hazards_listed"] + 1)
        assert report["restatements"] >= 1 and report["state"] == was[unit]["state"]
        assert {f["figure"]: f["late"] for f in report["counted"]["figures"]}["patrols"] == 1
        assert total["late_recorded"] == 1, "the hazard that follows is nobody's delay"
        version = was[unit]["said"][0]["version"]
        assert await desk.content(unit, 1, version=version) == before[unit], "the same bytes at the same cut"
        assert hashlib.sha256(await desk.content(unit, 1)).hexdigest() == said["content_sha256"]
    assert await desk.preview("dulan", 2) == {}, "nothing of it happened in the week it was entered in"
    changes = {
        change["figure"]: (change["before"], change["after"], len(change["events"]))
        for said in (await desk.report("dulan", 1))["said"]
        for change in said["changes"]
    }
    assert changes["patrols"] == (1, 2, 1)
    late = await desk.town.get("/reporting/v1/late-recorded", desk.headers("auditor"), period_no=1)
    assert [(one["person"], one["count"]) for one in late["people"]] == [("p-inspector-1", 1)]
    assert (await desk.town.get("/reporting/v1/late-recorded", desk.headers("auditor"), period_no=2))["count"] == 0


async def test_units_that_have_said_nothing_yet_are_not_restated(desk: Desk) -> None:
    await filed_week(desk)
    await desk.intake.patrol(village=BAZISHAN, unit="bazishan", ended_at=desk.period(1).cut_off_at - HOUR)
    assert (await desk.report("bazishan", 1))["restatements"] == 0
    assert (await desk.report("dulan", 1))["restatements"] == 0
    assert (await desk.report("town", 1))["restatements"] == 1


async def test_a_void_patrol_leaves_every_figure_it_stood_in_and_the_first_content_stays_readable(desk: Desk) -> None:
    patrol, _ = await filed_week(desk)
    first = await desk.content("dulan", 1)
    await desk.intake.strikes(patrol)
    assert await desk.figures("dulan", 1) == {"hazards_listed": 2}
    (restated,) = [one for one in (await desk.report("dulan", 1))["said"] if one["kind"] == "restated"]
    assert {c["figure"]: (c["before"], c["after"]) for c in restated["changes"]} == {
        "patrols": (1, 0), "patrol_findings": (2, 0), "live_findings": (1, 0),
    }  # fmt: skip
    assert await desk.content("dulan", 1, version=2) == first
    then = await desk.figure("dulan", 1, "patrol_findings", version=2)
    assert (then["value"], [event["part"] for event in then["events"]]) == (2, [1, 2])


async def test_a_corrected_hour_moves_a_patrol_into_another_week_and_restates_only_what_spoke_of_it(desk: Desk) -> None:
    _, patrol = await filed_week(desk)
    value = Value(at=desk.period(2).starts_at + MINUTE)
    await desk.intake.says(patrol, PatrolCorrected(field="ended_at", value=value, reason="看错表"))
    await desk.intake.heard()
    assert (await desk.figures("town", 1))["patrols"] == 2
    assert await desk.preview("bazishan", 2) == {"patrols": 1, "patrols_without_finding": 1}
    assert (await desk.report("dulan", 1))["restatements"] == 0
    entry = (await desk.figure("bazishan", 2, "patrols"))["events"][0]
    assert entry["occurred_at"] == value.model_dump(mode="json")["at"], "the corrected hour, of the first event"


async def test_a_corrected_village_moves_a_hazard_to_the_other_units_report(desk: Desk) -> None:
    await filed_week(desk)
    entry = (await desk.figure("dulan", 1, "hazards_listed"))["events"][0]
    hazard = entry["stream"].removeprefix("hazard-")
    body = {"field": "village", "value": {"code": BAZISHAN}, "reason": "界线看错"}
    answer = await desk.send("clerk", f"/cases/v1/hazards/{hazard}/corrections", body)
    assert answer.status_code == 201, answer.text
    await desk.town.settled()
    assert (await desk.figures("dulan", 1))["hazards_listed"] == 1
    assert (await desk.preview("bazishan", 1))["hazards_listed"] == 1
    assert (await desk.report("town", 1))["restatements"] == 0, "the town has as many as before"


async def test_the_wrong_unit_of_a_patrol_is_corrected(desk: Desk) -> None:
    patrol, _ = await filed_week(desk)
    value = Value(code="safety_office")
    await desk.intake.says(patrol, PatrolCorrected(field="unit", value=value, reason="点错单位"))
    await desk.intake.heard()
    assert await desk.figures("dulan", 1) == {"hazards_listed": 2}
    assert (await desk.preview("safety_office", 1))["patrols"] == 1


async def test_a_hazard_goes_through_its_life_and_every_step_counts_where_it_happened(desk: Desk) -> None:
    await a_week(desk)
    (one, two) = [
        e["stream"].removeprefix("hazard-") for e in (await desk.figure("town", 1, "hazards_listed"))["events"]
    ]
    order = {
        "measure": "sealing", "responsible": "p-village_head-dulan", "responsible_unit": "dulan",
        "deadline_at": (desk.period(1).cut_off_at - HOUR).isoformat(),
    }  # fmt: skip
    for hazard in (one, two):
        assert (await desk.send("inspector", f"/cases/v1/hazards/{hazard}/three-fix", order)).status_code == 201
    head = "village_head@dulan"
    assert (await desk.send(head, f"/cases/v1/hazards/{one}/completion", {"report": "已封堵"})).status_code == 201
    assert (await desk.send("inspector", f"/cases/v1/hazards/{one}/acceptance")).status_code == 201
    await desk.move_to(desk.period(1).cut_off_at + MINUTE)
    await desk.submitted("dulan", 1)
    figures = await desk.figures("dulan", 1)
    assert {f: figures[f] for f in ("three_fixes_ordered", "hazards_completed", "hazards_closed_out", "became_overdue")} == {
        "three_fixes_ordered": 2, "hazards_completed": 1, "hazards_closed_out": 1, "became_overdue": 1,
    }  # fmt: skip
    assert (await desk.figure("dulan", 1, "became_overdue"))["events"][0]["number"] in (1, 2)


async def test_a_week_that_straddles_two_phases_is_split_at_midnight(desk: Desk) -> None:
    await desk.move_to(desk.period(2).starts_at + MINUTE)
    await desk.intake.patrol()
    await desk.move_to(desk.period(2).starts_at + 2 * DAY)
    await desk.intake.patrol({})
    told = await desk.figure("dulan", 2, "patrols")
    assert told["by_phase"] == {"mobilisation": 1, "screening": 1}


async def test_the_content_is_canonical_json_that_names_its_cut(desk: Desk) -> None:
    await filed_week(desk)
    content = await desk.content("town", 1)
    told = json.loads(content)
    assert [at["source"] for at in told["cut"]] == ["cases", "intake"]
    assert (told["report"], told["period"]["no"], told["plan"]) == (desk.id("town", 1), 1, desk.town.plan.version)
    assert all(len(figure["events"]) == figure["value"] for figure in told["figures"])
    assert json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode() == content
