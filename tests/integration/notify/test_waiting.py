"""A reaction reads tables that other followers write. While they lag it waits, and no message is lost or sent amiss."""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from services.cases.main import describe as cases
from services.notify.main import describe as notify
from shared.clock import SimulatedClock
from shared.identity.tokens import Tokens
from shared.service import Service
from shared.web.service_app import web_of
from tests.integration.notify.campaign import Campaign, Speaker, a_campaign, a_speaker
from tests.support.kernel import instead, pause_at, until
from tests.support.plans import REAL, loaded
from tests.support.services import MONDAY, TOKEN_PRIVATE, TOKEN_PUBLIC, Ground, Town

PARKED = "SELECT count(*) FROM work.parked WHERE state <> 'done'"
NEW = "p-new-keeper"


@pytest.fixture
async def campaign(ground: Ground) -> AsyncIterator[Campaign]:
    async with a_campaign(ground) as made:
        yield made


async def quick(campaign: Campaign, who: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """A POST without waiting for anybody to hear of it."""
    told: dict[str, Any] = await campaign.town.post(path, body, campaign.headers(who))
    return told


async def test_an_assignment_waits_for_the_appointment_of_whom_it_is_for(campaign: Campaign) -> None:
    hazard = await campaign.hazard()
    hold = pause_at("projection plan: before the commit")
    for projection in campaign.notify.projections:
        if (projection.group, projection.walk.source) == ("plan", "cases"):
            projection.points = hold
    appointment = {
        "person": NEW, "post": "keeper", "unit": "dulan", "village": "140181101207", "from_on": "2018-01-22",
        "name": "新任", "email": "new@example.org", "channels": ["in_app", "email"],
    }  # fmt: skip
    await quick(campaign, "office_director", "/cases/v1/appointments", appointment)
    order = {
        "measure": "sealing",
        "responsible": NEW,
        "responsible_unit": "dulan",
        "deadline_at": "2018-01-30T09:00:00+08:00",
    }
    await quick(campaign, "inspector", f"/cases/v1/hazards/{hazard}/three-fix", order)
    await hold.reached.wait()
    reactor = next(r for r in campaign.notify.reactors if r.walk.source == "cases")
    await asyncio.sleep(0.3)
    assert await campaign.messages(kind="assignment") == [], "the recipient's post and ways are not known yet"
    hold.go_on.set()
    await campaign.town.settled()
    (message,) = await campaign.messages(kind="assignment")
    assert (message["recipient"], message["post"], message["channels"]) == (NEW, "keeper", ["in_app", "email"])
    assert reactor.reached > 0 and await campaign.notify.pool.fetchval(PARKED) == 0


async def test_a_decision_waits_for_the_deadline_it_speaks_of(campaign: Campaign) -> None:
    """The watch on hazards lags by the very three-fix: the rejection must not speak of a hazard without a deadline."""
    hazard = await campaign.hazard()
    hold = pause_at("projection watch: before the commit")
    for projection in campaign.notify.projections:
        if (projection.group, projection.walk.source) == ("watch", "cases"):
            projection.points = hold
    path = f"/cases/v1/hazards/{hazard}"
    order = {"measure": "sealing", "responsible": "p-inspector-2", "responsible_unit": "safety_office"}
    await quick(campaign, "inspector", f"{path}/three-fix", order | {"deadline_at": "2018-01-30T09:00:00+08:00"})
    await hold.reached.wait()
    reactor = next(r for r in campaign.notify.reactors if r.walk.source == "cases")
    rung = reactor.bell.wait
    instead(reactor.bell, "wait", lambda _: rung(3600))
    by_two = campaign.headers("inspector", person="p-inspector-2")
    await campaign.town.post(f"{path}/completion", {"report": "已封堵"}, by_two)
    await quick(campaign, "inspector", f"{path}/rejection", {"reason": "封堵不严"})
    await asyncio.sleep(0.5)
    assert await campaign.messages() == []
    hold.go_on.set()
    # It does not look by itself any more: the projection wakes it.
    await until(lambda: campaign.messages(kind="rejected"))
    await campaign.town.settled()
    (rejected,) = await campaign.messages(kind="rejected")
    assert (rejected["recipient"], rejected["due_at"]) == ("p-inspector-2", "2018-01-30T01:00:00Z")


async def test_a_live_tip_that_comes_before_the_plan_is_called_out_as_soon_as_somebody_is_appointed(
    ground: Ground,
) -> None:
    """notify hears of the tip, but not yet of the campaign: the call is neither lost nor parked."""
    async with a_town_without_cases(ground) as (town, speaker, join):
        campaign = Campaign(town, speaker)
        pool = campaign.notify.pool
        await campaign.live_tip(settle=False)
        await until(lambda: pool.fetchval("SELECT EXISTS (SELECT FROM record.inbox)"))
        await asyncio.sleep(0.4)
        assert await pool.fetchval("SELECT count(*) FROM record.event") == 0
        assert await pool.fetchval(PARKED) == 0
        mark = "SELECT position FROM work.mark WHERE follower = 'reactions' AND source = 'intake'"
        assert await pool.fetchval(mark) == 0, "the event waits, and with it whatever comes after it"
        await join()
        await until(lambda: pool.fetchval(mark))
        await town.settled()
        called = await campaign.messages(kind="live_call_out")
        assert sorted(m["recipient"] for m in called) == [f"p-duty_officer-{n}" for n in (1, 2, 3)]
        assert await pool.fetchval(PARKED) == 0


async def test_when_nobody_holds_the_post_whoever_leads_is_told(campaign: Campaign) -> None:
    for person in campaign.town.plan.people:
        if person.post == "duty_officer":
            path = f"/cases/v1/appointments/{person.assignment}/end"
            await campaign.done("office_director", path, {"on": "2018-01-21", "reason": "transferred"})
    await campaign.live_tip()
    assert [m["recipient"] for m in await campaign.messages(kind="live_call_out")] == ["p-director"]


async def test_when_everybody_who_could_be_told_is_the_one_who_asks_a_person_has_to_look(campaign: Campaign) -> None:
    """All who lead are gone but one, and that one asks for the extension: parked, with the reason, and others go on."""
    hazard = await campaign.hazard()
    await campaign.ordered(hazard, "p-director", "campaign_office", days=5)
    keep = {"p-director"}
    leading = ("office_director", "deputy_leader", "group_leader")
    for person in campaign.town.plan.people:
        if person.post in leading and person.person not in keep:
            path = f"/cases/v1/appointments/{person.assignment}/end"
            await campaign.done("office_director", path, {"on": "2018-01-21", "reason": "transferred"})
    wish = {"wanted_at": "2018-02-05T09:00:00+08:00", "reason": "大雪封路"}
    await campaign.done("office_director", f"/cases/v1/hazards/{hazard}/extension-requests", wish)
    assert await campaign.notify.pool.fetchval("SELECT reason FROM work.parked") == (
        "NobodyToTell {'kind': 'extension_requested', 'on': '2018-01-22'}"
    )
    await campaign.live_tip()
    assert len(await campaign.messages(kind="live_call_out")) == 3


@contextlib.asynccontextmanager
async def a_town_without_cases(ground: Ground) -> AsyncIterator[tuple[Town, Speaker, Any]]:
    """notify alone; the third thing given starts cases, in which the plan was adopted."""
    adopted, with_keys = await ground.adopted(REAL)
    names = [await ground.templates.copy(one) for one in (with_keys, "notify", adopted)]
    keys, own, theirs = names
    jurisdiction, clock = f"t{uuid4().hex[:8]}", SimulatedClock(MONDAY)
    folder = Path(tempfile.mkdtemp(prefix="minewatch-town-"))
    shutil.copy(loaded().path, folder)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        for database in names:
            stack.push_async_callback(ground.templates.drop, database)
        here = Service(notify(), ground.settings("notify", own, keys, folder, jurisdiction), clock)
        await here.open()
        stack.push_async_callback(here.close)
        here.start()
        door = web_of(here)
        client = httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://town.example")
        http = await stack.enter_async_context(client)
        town = Town({"notify": here}, http, clock, loaded(), Tokens(TOKEN_PUBLIC, TOKEN_PRIVATE), folder, door)
        speaker = await stack.enter_async_context(a_speaker(ground, town, "intake"))

        async def join() -> None:
            there = Service(cases(), ground.settings("cases", theirs, keys, folder, jurisdiction), clock)
            await there.open()
            stack.push_async_callback(there.close)
            there.start()
            town.services["cases"] = there

        yield town, speaker, join
