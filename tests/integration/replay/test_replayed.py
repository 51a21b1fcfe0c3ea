"""A replay that is looked at: the service's own pages and API on the copy, marked, and nothing can be done in it."""

from collections.abc import AsyncIterator

import httpx
import pytest

from shared.audit.moment import as_of
from shared.audit.past import past_of
from shared.plan.calendar import TOWN_TIME
from shared.sql import Tx
from shared.web.replayed import Front, replay_app
from tests.integration.replay.week import Week
from tests.integration.reporting.desk import REPORTS

HTML = {"Accept": "text/html"}


@pytest.fixture(scope="module")
async def visitor(week: Week) -> AsyncIterator[tuple[httpx.AsyncClient, Front]]:
    """A browser at a replay of reporting as of the cut-off, as an auditor; it has not opened the printed address yet."""
    service = week.reporting
    async with service.pool.acquire() as connection:
        moment = await as_of(Tx(connection), service.name, list(service.card.consumes()), week.friday)
    async with past_of(service, moment) as past:
        await past.move_to(moment)
        await past.only()
        pool = await past.scratch.reading()
        front = Front({"reporting": replay_app(service, pool, moment, "auditor")})
        async with httpx.AsyncClient(transport=httpx.ASGITransport(front), base_url="http://replay.example") as http:
            yield http, front
        pool.terminate()


async def test_only_whoever_has_the_printed_address_comes_in(visitor: tuple[httpx.AsyncClient, Front]) -> None:
    http, front = visitor
    for path in ("/reporting/reports", "/reporting/v1/reports", "/enter/wrong", "/"):
        assert (await http.get(path, headers=HTML)).status_code == 401
    key = {"Replay-Key": front.key}
    assert (await http.get("/reporting/v1/reports", headers=key)).status_code == 200
    entered = await http.get(f"/enter/{front.key}")
    assert (entered.status_code, entered.headers["location"]) == (303, "/reporting/reports")


async def test_each_page_is_marked_in_both_languages_and_shows_what_was_known(
    week: Week, visitor: tuple[httpx.AsyncClient, Front]
) -> None:
    http, front = visitor
    http.headers["Replay-Key"] = front.key
    at = week.friday.astimezone(TOWN_TIME).strftime("%Y-%m-%d %H:%M")
    report = week.desk.id("town", 1)
    for path in ("/reporting/reports", f"/reporting/reports/{report}", "/reporting/reports/nothing"):
        zh = (await http.get(f"{path}?lang=zh", headers=HTML)).text
        assert "<strong>回放</strong>" in zh and f"截至 {at} 登记的情况" in zh, path
        assert f"as of recorded {at}" in (await http.get(f"{path}?lang=en", headers=HTML)).text
    page = (await http.get(f"/reporting/reports/{report}?lang=zh", headers=HTML)).text
    assert "本期尚无上报内容" in page
    live = (await week.desk.page("auditor", f"/reporting/reports/{report}")).text
    assert "回放" not in live and "本期尚无上报内容" not in live


async def test_json_answers_say_what_they_are_as_of(week: Week, visitor: tuple[httpx.AsyncClient, Front]) -> None:
    http, front = visitor
    answer = await http.get(f"{REPORTS}/{week.desk.id('town', 1)}", headers={"Replay-Key": front.key})
    assert answer.json()["state"] == "open"
    assert answer.headers["As-Of"] == week.friday.astimezone(TOWN_TIME).isoformat()
    assert answer.headers["As-Of-Vector"].startswith("reporting=")


async def test_nothing_can_be_done_in_it(week: Week, visitor: tuple[httpx.AsyncClient, Front]) -> None:
    http, front = visitor
    path = f"{REPORTS}/{week.desk.id('dulan', 1)}/submission"
    headers = week.desk.headers("designated_reporter@dulan") | {"Replay-Key": front.key}
    before = await week.reporting.pool.fetchval("SELECT count(*) FROM record.event")
    for method in ("POST", "PUT", "DELETE"):
        answer = await http.request(method, path, json={}, headers=headers)
        assert answer.status_code == 403 and "只能查看" in answer.json()["title"]
    form = await http.post("/sign-out", headers=headers | HTML)
    assert form.status_code == 403 and "只能查看" in form.text
    assert await week.reporting.pool.fetchval("SELECT count(*) FROM record.event") == before
