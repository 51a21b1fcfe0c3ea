"""How a service stands, as the office and the auditor see it: a page in two languages, and JSON."""

import httpx
import pytest

from shared.parked import dismiss, waiting
from tests.integration.notify.campaign import Campaign
from tests.integration.operations.refusing import a_refused_reaction

WHY = "重复的申请"


async def api(campaign: Campaign, who: str) -> httpx.Response:
    return await campaign.town.http.get("/notify/v1/status", headers=campaign.headers(who))


async def test_a_service_with_nothing_to_do_is_well(untouched: Campaign) -> None:
    page = await untouched.page("clerk", "/cases/status")
    assert page.status_code == 200
    assert "一切正常，无须处理。" in page.text and 'class="notice red"' not in page.text
    head = await untouched.town.services["cases"].pool.fetchval("SELECT position FROM work.head")
    assert f"<dt>已编号事件</dt><dd>{head}</dd>" in page.text
    assert "All is well" in (await untouched.page("clerk", "/cases/status?lang=en")).text


async def test_what_is_parked_stands_there_with_its_remedy_and_then_who_dismissed_it_and_why(
    campaign: Campaign,
) -> None:
    refused = await a_refused_reaction(campaign)
    page = await campaign.page("office_director", "/notify/status?lang=zh")
    assert "EventsParked" in page.text and "1 个事件的处理被拒绝" in page.text
    assert "<code>minewatch parked list notify</code>" in page.text
    assert refused.stream in page.text and "NobodyToTell" in page.text
    [row] = await waiting(campaign.notify.pool)
    await dismiss(campaign.notify.pool, "notify", row.parked_id, "p-clerk-1", WHY)
    page = await campaign.page("auditor", "/notify/status?lang=zh")
    assert "EventsParked" not in page.text
    assert "经人工决定不再处理的事件" in page.text and "p-clerk-1" in page.text and WHY in page.text


async def test_the_same_as_json(campaign: Campaign) -> None:
    await a_refused_reaction(campaign)
    told = (await api(campaign, "auditor")).json()
    commands = {one["kind"]: one["command"] for one in told["findings"]}
    assert commands == {"EventsParked": "minewatch parked list notify"}
    assert [row["state"] for row in told["waiting"]] == ["parked"]
    assert told["database"]["parked"] == 1
    assert told["stream"]["differs"] is None
    behind = {(f["follower"], f["source"]): f["behind"] for f in told["followers"]}
    assert behind["receiver", "cases"] == behind["receiver", "intake"] == behind["reactions", "cases"] == 0
    assert behind["receiver", "reporting"] is None, "nobody answers for reporting here"


async def test_a_part_that_stopped_says_why(campaign: Campaign) -> None:
    campaign.notify.projections[0].stopped = "Unreadable: no contract"
    told = (await api(campaign, "clerk")).json()
    [one] = [finding for finding in told["findings"] if finding["kind"] == "PartStopped"]
    assert "Unreadable: no contract" in one["en"]


@pytest.mark.parametrize("who", ["inspector", "village_head@dulan", "keeper@dulan"])
async def test_it_is_for_the_office_and_the_auditor_alone(untouched: Campaign, who: str) -> None:
    assert (await api(untouched, who)).status_code == 403
    assert (await untouched.page(who, "/notify/status")).status_code == 403


async def test_a_stranger_is_sent_to_sign_in(untouched: Campaign) -> None:
    answer = await untouched.town.http.get("/notify/status", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=%2Fnotify%2Fstatus")
    assert (await untouched.town.http.get("/notify/v1/status")).status_code == 401


async def test_the_office_finds_it_at_the_foot_of_every_page_and_others_do_not(untouched: Campaign) -> None:
    link = '<a href="/notify/status">运行状态</a>'
    assert link in (await untouched.page("clerk", "/notify/inbox?lang=zh")).text
    assert link not in (await untouched.page("inspector", "/notify/inbox?lang=zh")).text
