"""An overdue item goes up the whole chain, a rung a day, until it is done; a live call until anybody answers."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from shared.contracts.intake.tip import TipMarkedLive, TipVerified
from tests.integration.notify.campaign import DULAN, HEAD, KEEPER, Campaign, a_campaign
from tests.support.services import Ground

INSPECTORS = [f"p-inspector-{n}" for n in (1, 2, 3, 4)]
DUTY = [f"p-duty_officer-{n}" for n in (1, 2, 3)]
LEADERS = ["p-deputy_leader-1", "p-police_head"]


@pytest.fixture
async def campaign(ground: Ground) -> AsyncIterator[Campaign]:
    async with a_campaign(ground) as made:
        yield made


async def told_by(campaign: Campaign, *kinds: str) -> list[tuple[int, str]]:
    """(step, person) of every message of these kinds, by step and person."""
    return sorted((m["step"], m["recipient"]) for m in await campaign.messages() if m["kind"] in kinds)


async def test_an_overdue_item_climbs_the_whole_ladder_a_rung_a_day(campaign: Campaign) -> None:
    deadline = await campaign.ordered(await campaign.hazard(), KEEPER, days=3)
    await campaign.pass_time(days=3)
    assert await told_by(campaign, "overdue", "escalation") == [(0, KEEPER)]
    climbed = [(0, KEEPER)]
    for step, rung in enumerate([[HEAD], INSPECTORS, ["p-director"], LEADERS, ["p-group_leader"]], start=1):
        await campaign.pass_time(hours=23)
        assert await told_by(campaign, "overdue", "escalation") == climbed, "not before its day is over"
        await campaign.pass_time(hours=1)
        climbed += [(step, person) for person in rung]
        assert await told_by(campaign, "overdue", "escalation") == sorted(climbed)
    await campaign.pass_time(days=3)
    assert await told_by(campaign, "overdue", "escalation") == sorted(climbed), "above the top there is nobody"

    chain = [m for m in await campaign.messages() if m["kind"] in ("overdue", "escalation")]
    posts = {m["step"]: m["post"] for m in chain}
    assert list(posts.values()) == [
        "keeper",
        "village_head",
        "inspector",
        "office_director",
        "deputy_leader",
        "group_leader",
    ]
    assert all(datetime.fromisoformat(m["due_at"]) == deadline for m in chain)
    passed_on = [m for m in chain if m["escalated_to"]]
    assert [m["step"] for m in passed_on] == [0, 1, 2, 3, 4], "each step was passed on once, as an event"
    step_of = {m["message"]: m["step"] for m in chain}
    assert all(step_of[m["escalated_to"]] == m["step"] + 1 for m in passed_on)
    text = (await campaign.message(chain[-1]["message"]))["text"]
    assert "第 5 级" in text and "组长" in text


async def test_of_the_leaders_only_the_one_in_charge_is_told_and_before_that_that_they_are(campaign: Campaign) -> None:
    hazard = await campaign.hazard()
    await campaign.done("group_leader", f"/cases/v1/hazards/{hazard}/leader", {"leader": LEADERS[1]})
    (told,) = await campaign.messages(kind="in_charge")
    assert (told["recipient"], told["about"], told["due_at"]) == (LEADERS[1], f"hazard-{hazard}", None)
    assert "由您包联" in (await campaign.message(told["message"]))["text"]
    await campaign.ordered(hazard, "p-director", "campaign_office", days=1)
    for _ in range(5):
        await campaign.pass_time(days=1)
    climbed = await told_by(campaign, "escalation")
    assert climbed[-2:] == [(3, LEADERS[1]), (4, "p-group_leader")], climbed
    assert LEADERS[0] not in {person for _, person in climbed}


async def test_a_leader_in_charge_with_two_leading_posts_is_told_once_and_nobody_else_for_either(
    campaign: Campaign,
) -> None:
    """The office director is a deputy leader, too."""
    hazard = await campaign.hazard()
    await campaign.done("group_leader", f"/cases/v1/hazards/{hazard}/leader", {"leader": "p-director"})
    await campaign.ordered(hazard, KEEPER, days=1)
    for _ in range(6):
        await campaign.pass_time(days=1)
    climbed = [(0, KEEPER), (1, HEAD), *((2, i) for i in INSPECTORS), (3, "p-director"), (4, "p-group_leader")]
    assert await told_by(campaign, "overdue", "escalation") == climbed


async def test_a_leader_in_charge_is_not_asked_to_accept(campaign: Campaign) -> None:
    """The inspectors are gone, so the office director would be the first to be asked, and may not."""
    hazard = await campaign.hazard()
    await campaign.done("group_leader", f"/cases/v1/hazards/{hazard}/leader", {"leader": "p-director"})
    await campaign.ordered(hazard, KEEPER, days=2)
    for person in campaign.town.plan.people:
        if person.post == "inspector":
            path = f"/cases/v1/appointments/{person.assignment}/end"
            await campaign.done("office_director", path, {"on": "2018-01-21", "reason": "transferred"})
    await campaign.done("keeper@dulan", f"/cases/v1/hazards/{hazard}/completion", {"report": "已封堵"})
    assert sorted(m["recipient"] for m in await campaign.messages(kind="acceptance_wanted")) == LEADERS


async def test_whoever_was_told_already_is_not_told_again_on_the_way(campaign: Campaign) -> None:
    """The village's own head is responsible: the rung of the village is passed over."""
    await campaign.ordered(await campaign.hazard(), HEAD, days=1)
    await campaign.pass_time(days=1)
    await campaign.pass_time(days=1)
    assert await told_by(campaign, "overdue", "escalation") == [(0, HEAD), *((1, i) for i in INSPECTORS)]


async def test_acknowledging_does_not_stop_the_climb_but_completing_does(campaign: Campaign) -> None:
    hazard = await campaign.hazard()
    await campaign.ordered(hazard, KEEPER, days=1)
    await campaign.pass_time(days=1)
    (overdue,) = await campaign.messages(kind="overdue")
    assert (await campaign.acknowledge("keeper@dulan", overdue["message"])).status_code == 201
    await campaign.pass_time(days=1)
    assert await told_by(campaign, "escalation") == [(1, HEAD)]
    reasons = await campaign.notify.pool.fetchval(
        "SELECT convert_from(body, 'UTF8')::jsonb -> 'data' ->> 'reason' FROM record.event WHERE type LIKE '%escalated%'"
    )
    assert reasons == "still_overdue"
    await campaign.done("keeper@dulan", f"/cases/v1/hazards/{hazard}/completion", {"report": "已封堵"})
    await campaign.pass_time(days=3)
    assert await told_by(campaign, "escalation") == [(1, HEAD)]


async def test_an_extension_ends_the_old_chain_and_the_new_deadline_has_its_own(campaign: Campaign) -> None:
    hazard = await campaign.hazard()
    await campaign.ordered(hazard, KEEPER, days=2)
    path = f"/cases/v1/hazards/{hazard}"
    wish = {"wanted_at": (campaign.now() + timedelta(days=6)).isoformat(), "reason": "大雪封路"}
    await campaign.done("keeper@dulan", f"{path}/extension-requests", wish)
    asked = {m["recipient"] for m in await campaign.messages(kind="extension_requested")}
    assert asked == {"p-director", *LEADERS}
    await campaign.done("office_director", f"{path}/extension-approval", {"reason": "情况属实"})
    assert [m["recipient"] for m in await campaign.messages(kind="extension_granted")] == [KEEPER]
    await campaign.pass_time(days=3)
    assert await campaign.messages(kind="overdue") == [] == await campaign.messages(kind="due_soon")
    await campaign.pass_time(days=2)
    assert [m["recipient"] for m in await campaign.messages(kind="due_soon")] == [KEEPER]
    await campaign.pass_time(days=1)
    assert [m["recipient"] for m in await campaign.messages(kind="overdue")] == [KEEPER]


async def test_due_soon_comes_a_day_before_and_only_while_the_work_is_not_reported_done(campaign: Campaign) -> None:
    done, open_ = await campaign.hazard(), await campaign.hazard(village="140181101209", place=None)
    for hazard in (done, open_):
        await campaign.ordered(hazard, KEEPER, days=5)
    await campaign.done("keeper@dulan", f"/cases/v1/hazards/{done}/completion", {"report": "已封堵"})
    await campaign.pass_time(days=3, hours=23)
    assert await campaign.messages(kind="due_soon") == []
    await campaign.pass_time(hours=1)
    assert [m["about"] for m in await campaign.messages(kind="due_soon")] == [f"hazard-{open_}"]


async def test_acceptance_is_asked_of_inspectors_but_never_of_whoever_did_the_work(campaign: Campaign) -> None:
    hazard = await campaign.hazard()
    await campaign.ordered(hazard, "p-inspector-2", "safety_office", days=5)
    answer = await campaign.send(
        "inspector", f"/cases/v1/hazards/{hazard}/completion", {"report": "已封堵"}, person="p-inspector-2"
    )
    assert answer.status_code == 201
    asked = sorted(m["recipient"] for m in await campaign.messages(kind="acceptance_wanted"))
    assert asked == ["p-inspector-1", "p-inspector-3", "p-inspector-4"]
    await campaign.done("inspector", f"/cases/v1/hazards/{hazard}/rejection", {"reason": "封堵不严"})
    assert [m["recipient"] for m in await campaign.messages(kind="rejected")] == ["p-inspector-2"]


# --- live calls


async def test_a_live_tip_calls_the_duty_officers_at_once_and_one_answer_ends_it_for_all(campaign: Campaign) -> None:
    tip = await campaign.live_tip()
    called = await campaign.messages(kind="live_call_out")
    assert sorted(m["recipient"] for m in called) == DUTY
    assert {m["about"] for m in called} == {tip}
    first = next(m for m in called if m["recipient"] == DUTY[0])
    assert (await campaign.acknowledge("duty_officer", first["message"])).status_code == 201
    for message in await campaign.messages(kind="live_call_out"):
        assert message["acknowledged_by"] == DUTY[0] and message["acknowledged_at"] is not None
    await campaign.pass_time(hours=2)
    assert len(await campaign.messages(kind="live_call_out")) == 3, "nobody else is called"


async def test_a_live_call_that_nobody_answers_goes_up_every_ten_minutes_and_passes_the_village_by(
    campaign: Campaign,
) -> None:
    await campaign.live_tip()
    called = [(0, person) for person in DUTY]
    for step, rung in enumerate([INSPECTORS, ["p-director"], LEADERS, ["p-group_leader"]], start=1):
        await campaign.pass_time(minutes=9, seconds=59)
        assert await told_by(campaign, "live_call_out") == sorted(called)
        await campaign.pass_time(seconds=1)
        called += [(step, person) for person in rung]
        assert await told_by(campaign, "live_call_out") == sorted(called)
    await campaign.pass_time(hours=2)
    assert await told_by(campaign, "live_call_out") == sorted(called)


async def test_an_answer_from_the_second_rung_ends_it_for_everybody_below(campaign: Campaign) -> None:
    await campaign.live_tip()
    await campaign.pass_time(minutes=10)
    second = next(m for m in await campaign.messages(kind="live_call_out") if m["recipient"] == "p-inspector-1")
    await campaign.acknowledge("inspector", second["message"])
    assert {m["acknowledged_by"] for m in await campaign.messages(kind="live_call_out")} == {"p-inspector-1"}


async def test_a_tip_that_turns_into_a_live_hazard_is_not_called_out_twice(campaign: Campaign) -> None:
    """Nor is it when the hazard comes here before the tip does: the message has one id either way."""
    told = {
        "result": "substantiated",
        "village": DULAN,
        "category": "abandoned_shaft",
        "violation": "unauthorised_reopening",
    }
    await campaign.intake.says("tip-before", TipVerified(**told, live=True))
    first = await campaign.messages(kind="live_call_out")
    assert sorted(m["recipient"] for m in first) == DUTY
    await campaign.intake.says("tip-before", TipMarkedLive(village=DULAN))
    assert len(await campaign.messages(kind="live_call_out")) == 3
    tip = await campaign.live_tip("140181101209")
    await campaign.intake.says(tip, TipVerified(**told | {"village": "140181101209"}, live=True))
    assert len(await campaign.messages(kind="live_call_out")) == 6


async def test_a_withdrawn_call_calls_nobody_else(campaign: Campaign) -> None:
    await campaign.live_tip()
    for message in await campaign.messages(kind="live_call_out"):
        await campaign.done("clerk", f"/notify/v1/messages/{message['message']}/entered-in-error", {"reason": "误报"})
    await campaign.pass_time(minutes=30)
    assert len(await campaign.messages(kind="live_call_out")) == 3
