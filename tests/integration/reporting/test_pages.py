"""The same as pages: the list, a report, the events behind a figure, and the forms of whoever may act."""

import re
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest

from tests.integration.cases.intake import beside
from tests.integration.reporting.desk import FIRST_MORNING, HOUR, Desk, a_desk
from tests.support.services import Ground, a_service

PAGES = "/reporting/reports"


async def a_report(desk: Desk) -> str:
    """Dulan's first week with one patrol and two hazards, submitted; the page of its report."""
    await desk.intake.patrol({}, {"place": beside(3000)})
    await desk.move_to(desk.period(1).cut_off_at + HOUR / 2)
    await desk.submitted("dulan", 1, note="本周无异常")
    return f"{PAGES}/{desk.id('dulan', 1)}"


@pytest.fixture(scope="module")
async def shown(ground: Ground) -> AsyncIterator[Desk]:
    """A town to look at."""
    async with a_service(ground, "reporting", now=FIRST_MORNING) as town, a_desk(ground, town) as desk:
        await a_report(desk)
        yield desk


async def posted(desk: Desk, who: str, path: str, **fields: str) -> httpx.Response:
    """A form as a browser sends it."""
    headers = {"Accept": "text/html", "Authorization": desk.headers(who)["Authorization"]}
    data = {"command_id": str(uuid4()), **fields}
    return await desk.town.http.post(path, data=data, headers=headers, follow_redirects=False)


async def test_every_figure_links_to_its_events_and_each_event_to_its_record_and_hazard(shown: Desk) -> None:
    path = f"{PAGES}/{shown.id('dulan', 1)}"
    page = (await shown.page("clerk", path)).text
    assert f'{path}/figures/hazards_listed">2</a>' in page
    events = (await shown.page("clerk", f"{path}/figures/hazards_listed")).text
    links = re.findall(r'href="(/cases/(?:hazards|v1/events)/[^"]+)"', events)
    assert len(links) == 4
    for link in links:
        accept = {"Accept": "text/html", "Authorization": shown.headers("clerk")["Authorization"]}
        assert (await shown.town.http.get(link, headers=accept)).status_code == 200, link
    inspector = (await shown.page("inspector", f"{path}/figures/hazards_listed")).text
    assert "/v1/events/" not in inspector and "/cases/hazards/" in inspector


async def test_the_list_is_of_the_week_that_is_being_reported_unless_asked_otherwise(shown: Desk) -> None:
    def rows(page: str) -> int:
        return page.count('<th scope="row">')

    page = (await shown.page("clerk", PAGES)).text
    assert rows(page) == 16 and "独兰" in page and "已报，待审核" in page
    assert page.index(shown.id("town", 1)) < page.index(shown.id("dulan", 1)) < page.index(shown.id("safety_office", 1))
    every = (await shown.page("clerk", f"{PAGES}?period_no=")).text
    assert rows(every) == 32 and shown.id("dulan", 2) in every
    assert rows((await shown.page("clerk", f"{PAGES}?period_no=2&unit=dulan")).text) == 1
    narrow = (await shown.page("village_head@dulan", f"{PAGES}?period_no=")).text
    assert rows(narrow) == 2 and 'id="unit"' not in narrow
    assert "没有符合条件的周报" in (await shown.page("clerk", f"{PAGES}?state=filed")).text


FORM = re.compile(r'<details class="card" id="([a-z]+)"')


async def test_forms_are_offered_to_those_who_may_send_them(shown: Desk) -> None:
    async def offered(who: str, unit: str, **more: str) -> set[str]:
        return set(FORM.findall((await shown.page(who, f"{PAGES}/{shown.id(unit, 1)}", **more)).text))

    for who in ("clerk", "office_director"):
        assert await offered(who, "dulan") == {"acceptance", "return"}
        assert await offered(who, "shantou") == set()
        assert await offered(who, "town") == {"compilation"}
    for who in ("designated_reporter@dulan", "village_head@dulan", "auditor"):
        assert await offered(who, "dulan") == set()
    assert await offered("auditor", "town") == set()
    assert await offered("designated_reporter@shantou", "shantou") == {"submission"}
    assert await offered("clerk", "shantou", on_behalf_of="p-designated_reporter-shantou") == {"submission"}
    page = (await shown.page("designated_reporter@shantou", f"{PAGES}/{shown.id('shantou', 1)}")).text
    assert "截至目前的统计" in page


async def test_a_form_does_what_the_api_does(desk: Desk) -> None:
    path = await a_report(desk)
    wrong = await posted(desk, "clerk", f"{path}/return")
    assert wrong.status_code == 422 and "必须写明理由" in wrong.text and 'href="#reason"' in wrong.text
    done = await posted(desk, "clerk", f"{path}/return", reason="请补充")
    assert (done.status_code, done.headers["location"]) == (303, path)
    assert (await desk.report("dulan", 1))["state"] == "returned"
    again = await posted(desk, "designated_reporter@dulan", f"{path}/submission", note="已补充")
    assert again.status_code == 303
    await desk.town.settled()
    assert (await posted(desk, "clerk", f"{path}/acceptance")).status_code == 303
    refused = await posted(desk, "clerk", f"{PAGES}/{desk.id('town', 1)}/compilation")
    assert refused.status_code == 409 and "不能汇总" in refused.text
    await desk.move_to(desk.period(1).missing_at)
    town = f"{PAGES}/{desk.id('town', 1)}"
    assert (await posted(desk, "clerk", f"{town}/compilation")).status_code == 303
    assert (await posted(desk, "clerk", f"{town}/filing")).status_code == 403
    assert (await posted(desk, "office_director", f"{town}/filing")).status_code == 303
    page = (await desk.page("auditor", town)).text
    assert "已报出" in page and "各单位报送情况" in page and page.count("缺报</span>") == 14


async def test_a_form_of_another_version_is_refused_on_the_page(desk: Desk) -> None:
    path = await a_report(desk)
    stale = await posted(desk, "clerk", f"{path}/acceptance", version="1")
    assert stale.status_code == 409 and "刷新后再试" in stale.text


async def test_a_restatement_shows_what_was_and_what_is(desk: Desk) -> None:
    path = await a_report(desk)
    await desk.intake.patrol(ended_at=desk.period(1).cut_off_at - HOUR)
    page = (await desk.page("clerk", path)).text
    assert "第 1 次重述" in page and "重述 1 次" in page
    (link,) = re.findall(rf'巡查次数：1 → <a href="({path}/figures/patrols\?version=\d+)">2</a>', page)
    events = (await desk.page("clerk", link)).text
    assert "共 2 项" in events and "补录" in events
    then = (await desk.page("clerk", f"{path}/figures/patrols?version=2")).text
    assert "共 1 项" in then


async def test_pages_speak_english_too(shown: Desk) -> None:
    path = f"{PAGES}/{shown.id('dulan', 1)}"
    page = (await shown.page("clerk", f"{path}?lang=en")).text
    assert "weekly report no. 1" in page and "hazards listed" in page and "Submitted" in page


async def test_a_browser_without_a_token_is_sent_to_sign_in(shown: Desk) -> None:
    answer = await shown.town.http.get(PAGES, headers={"Accept": "text/html"}, follow_redirects=False)
    assert answer.status_code == 303 and answer.headers["location"].startswith("/sign-in")
