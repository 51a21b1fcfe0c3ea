"""A hazard from the verified tip to its close-out and back, by HTTP, with the refusals on the way."""

from tests.integration.cases.desk import HAZARDS, HEAD, Desk


async def test_a_verified_tip_goes_the_whole_way_and_comes_back_as_a_linked_hazard(desk: Desk) -> None:
    tip = await desk.intake.tip()
    hazard = await desk.only()
    told = await desk.hazard(hazard)
    assert (told["hazard_no"], told["state"], told["village"]) == (1, "listed", "140181101207")
    assert [(s["kind"], s["ref"]) for s in told["sources"]] == [("tip", tip)]
    assert told["summary"] == "井口封堵被人打开"

    order = {"measure": "sealing", "responsible": HEAD, "responsible_unit": "dulan"}
    answer = await desk.send("inspector", f"{HAZARDS}/{hazard}/three-fix", order)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["rule"]) == (409, "ThreeFixNeedsDeadline")
    await desk.ordered(hazard)
    assert (await desk.hazard(hazard))["people"] == {HEAD: "谷秋实"}

    wanted = desk.in_days(10)
    await desk.done("village_head@dulan", hazard, "extension-requests", wanted_at=wanted, reason="大雪封路")
    assert await desk.refused("inspector", hazard, "extension-approval", reason="同意") == (403, "")
    await desk.done("office_director", hazard, "extension-approval", reason="情况属实")
    assert (await desk.hazard(hazard))["extensions"] == 1

    await desk.done("village_head@dulan", hazard, "completion", report="已用混凝土封堵")
    await desk.done("inspector", hazard, "acceptance", note="已核对")
    told = await desk.hazard(hazard)
    assert (told["state"], told["note"]) == ("closed_out", "已核对")
    assert told["closed_at"] is not None

    await desk.pass_time(days=3)
    await desk.intake.patrol({})
    second = await desk.only(state="open")
    again, first = await desk.hazard(second), await desk.hazard(hazard)
    assert again["earlier"] == {"hazard": hazard, "hazard_no": 1, "state": "closed_out"}
    assert first["later"] == {"hazard": second, "hazard_no": 2, "state": "listed"}
    assert [step["step"] for step in await desk.steps(hazard)] == [
        "listed", "three_fix_ordered", "extension_requested", "extended", "completed", "accepted", "closed_out", "recurred",
    ]  # fmt: skip


async def test_a_leader_in_charge_is_named_shown_and_found_and_does_not_accept(desk: Desk) -> None:
    await desk.intake.tip()
    hazard = await desk.only(unled=True)
    for nobody in (HEAD, "p-nobody"):
        assert await desk.refused("group_leader", hazard, "leader", leader=nobody) == (422, "LeaderLeadsNothing")
    assert await desk.refused("inspector", hazard, "leader", leader="p-director") == (403, "")
    await desk.done("group_leader", hazard, "leader", leader="p-director")
    assert await desk.refused("group_leader", hazard, "leader", leader="p-deputy_leader-1") == (409, "ReasonMissing")
    await desk.done("group_leader", hazard, "leader", leader="p-deputy_leader-1", reason="分工调整")
    assert await desk.hazards(unled=True) == [] == await desk.hazards(leader="p-director")
    assert await desk.only(leader="p-deputy_leader-1") == hazard
    told = await desk.hazard(hazard, "village_head@dulan")
    assert told["leader"] == "p-deputy_leader-1" and set(told["people"]) == {"p-deputy_leader-1"}
    seen = (await desk.steps(hazard, "village_head@dulan"))[-1]["facts"]
    assert seen == {"leader": "p-deputy_leader-1", "instead_of": "p-director"}, "why is for the leaders"
    await desk.ordered(hazard)
    await desk.done("village_head@dulan", hazard, "completion", report="已封堵")
    refused = await desk.send("deputy_leader", f"{HAZARDS}/{hazard}/acceptance", {}, person="p-deputy_leader-1")
    assert (refused.status_code, refused.json()["rule"]) == (409, "AcceptanceByLeaderInCharge")
    assert await desk.refused("office_director", hazard, "acceptance") == (409, "AcceptanceByLeaderInCharge")
    await desk.done("inspector", hazard, "acceptance")


async def test_whoever_did_the_work_does_not_accept_it(desk: Desk) -> None:
    await desk.intake.tip()
    hazard = await desk.only()
    await desk.ordered(hazard, responsible="p-inspector-1")
    await desk.done("inspector", hazard, "completion", report="已封堵")
    assert await desk.refused("inspector", hazard, "acceptance") == (409, "AcceptanceBySamePerson")
    other = await desk.send("inspector", f"{HAZARDS}/{hazard}/acceptance", {}, person="p-inspector-2")
    assert other.status_code == 201


async def test_a_clerk_reports_for_the_head_of_the_village_who_is_not_the_one_responsible(desk: Desk) -> None:
    await desk.intake.tip()
    hazard = await desk.only()
    await desk.ordered(hazard, responsible="p-keeper-dulan")
    path = f"{HAZARDS}/{hazard}/completion"
    for_another = await desk.send("clerk", path, {"report": "已封堵"}, on_behalf_of="p-village_head-taipan")
    assert (for_another.status_code, for_another.json()["rule"]) == (403, "CompletionByOtherPerson")
    assert await desk.refused("clerk", hazard, "completion", report="已封堵") == (403, "CompletionByOtherPerson")
    answer = await desk.send("clerk", path, {"report": "已封堵"}, on_behalf_of=HEAD)
    assert answer.status_code == 201
    told = await desk.hazard(hazard)
    assert told["completed_by"] == HEAD
    (last,) = (step for step in await desk.steps(hazard) if step["step"] == "completed")
    assert (last["actor"], last["on_behalf_of"]) == ("p-clerk-1", f"{HEAD};no_phone")


async def test_an_extension_is_asked_for_by_whose_work_it_is(desk: Desk) -> None:
    await desk.intake.tip()
    hazard = await desk.only()
    await desk.ordered(hazard, responsible="p-keeper-dulan")
    wish = {"wanted_at": desk.in_days(10), "reason": "大雪封路"}
    assert await desk.refused("duty_officer", hazard, "extension-requests", **wish) == (403, "ExtensionByOtherPerson")
    await desk.done("keeper@dulan", hazard, "extension-requests", **wish)
    await desk.done("deputy_leader", hazard, "extension-refusal", reason="可先行设卡")
    assert (await desk.hazard(hazard))["wanted_at"] is None


async def test_a_deadline_that_passes_shows_on_the_list_and_a_rejection_keeps_it(desk: Desk) -> None:
    await desk.intake.tip()
    hazard = await desk.only()
    await desk.ordered(hazard, days=2)
    assert await desk.hazards(overdue=True) == []
    await desk.pass_time(days=2)
    assert await desk.only(overdue=True) == hazard
    await desk.done("village_head@dulan", hazard, "completion", report="已封堵")
    await desk.done("inspector", hazard, "rejection", reason="封堵不实")
    told = await desk.hazard(hazard)
    assert (told["state"], told["overdue"], told["rejected_reason"]) == ("three_fix_ordered", True, "封堵不实")


async def test_each_post_may_do_its_own_part_only(desk: Desk) -> None:
    await desk.intake.tip()
    hazard = await desk.only()
    order = {
        "measure": "sealing",
        "responsible": HEAD,
        "responsible_unit": "dulan",
        "deadline_at": desk.in_days(7),
    }
    for post in ("clerk", "village_head@dulan", "police_officer", "land_officer", "duty_officer", "auditor"):
        assert (await desk.refused(post, hazard, "three-fix", **order))[0] == 403, post
    for step in ("three-fix", "extension-requests", "completion", "acceptance", "corrections", "entered-in-error"):
        assert (await desk.send("auditor", f"{HAZARDS}/{hazard}/{step}")).status_code == 403, step
    for post in ("police_officer", "land_officer", "auditor", "duty_officer"):
        assert (await desk.hazard(hazard, post))["sources"], post
    assert (await desk.page("custodian", HAZARDS)).status_code == 403
    assert (await desk.town.http.get(HAZARDS)).status_code == 401


async def test_the_person_named_holds_a_post_and_codes_stand_in_the_plan(desk: Desk) -> None:
    await desk.intake.tip()
    hazard = await desk.only()
    order = {"responsible_unit": "dulan", "deadline_at": desk.in_days(7)}
    stranger = await desk.refused("inspector", hazard, "three-fix", measure="sealing", responsible="p-nobody", **order)
    assert stranger == (422, "ResponsibleUnknown")
    unknown = await desk.refused("inspector", hazard, "three-fix", measure="prayer", responsible=HEAD, **order)
    assert unknown == (422, "NotInPlan")
