"""What was known at the cut-off, what was filed, and what is known today: every difference by the events that made it."""

import hashlib
import json
from typing import Any

from tests.integration.replay.week import Week
from tests.integration.reporting.desk import REPORTS


async def told(week: Week, unit: str = "town", **query: str) -> dict[str, Any]:
    path = f"{REPORTS}/{week.desk.id(unit, 1)}/as-known"
    answer: dict[str, Any] = await week.desk.town.get(path, week.desk.headers("auditor"), **query)
    return answer


async def test_figures_then_filed_and_today_with_the_events_between(week: Week) -> None:
    figures = {f["figure"]: f for f in (await told(week))["figures"]}
    patrols = figures["patrols"]
    assert (patrols["known"], patrols["filed"], patrols["today"]) == (2, 3, 3)
    (until,), (_, since) = patrols["until_filed"], patrols["since"]
    for one in (until, since):
        assert one["change"] == 1 and one["cause"]["type"] == "intake.patrol.recorded.v1"
        assert one["counted"] == one["cause"]["event_id"]
    assert until["cause"]["recorded_at"] < since["cause"]["recorded_at"]
    assert figures["late_recorded"]["known"] == 0 and figures["late_recorded"]["since"], "entered after the cut-off"
    for figure in figures.values():
        for before, after, moved in (("known", "filed", "until_filed"), ("filed", "today", "since")):
            assert figure[after] - figure[before] == sum(one["change"] for one in figure[moved]), figure["figure"]


async def test_what_was_filed_has_the_bytes_that_were_filed(week: Week) -> None:
    about = await told(week)
    content = await week.desk.content("town", 1, version=about["version"])
    assert hashlib.sha256(content).hexdigest() == about["content_sha256"]
    assert json.loads(content)["cut"] == about["cuts"]["filed"]
    filed = [data for kind, data in await week.desk.published() if kind == "filed"]
    assert [data["content_sha256"] for data in filed] == [about["content_sha256"]]


async def test_of_a_correction_it_names_the_correction(week: Week) -> None:
    """Not the patrol that was counted: that was known all along."""
    patrols = {f["figure"]: f for f in (await told(week))["figures"]}["patrols"]
    (struck,) = [one for one in patrols["since"] if one["change"] == -1]
    assert struck["cause"]["type"] == "intake.patrol.entered_in_error.v1"
    assert struck["counted"] != struck["cause"]["event_id"]


async def test_another_hour_may_be_asked_for_and_a_wrong_one_is_named(week: Week) -> None:
    late = await told(week, moment=week.desk.town.clock.now().isoformat())
    assert all(f["known"] == f["today"] for f in late["figures"])
    path = f"{REPORTS}/{week.desk.id('town', 1)}/as-known"
    answer = await week.desk.town.http.get(path, params={"moment": "17"}, headers=week.desk.headers("clerk"))
    assert answer.status_code == 400 and answer.json()["errors"][0]["field"] == "moment"


async def test_the_page_shows_the_three_and_each_event_opens(week: Week) -> None:
    path = f"/reporting/reports/{week.desk.id('town', 1)}/as-known"
    page = await week.desk.page("clerk", f"{path}?lang=zh")
    assert page.status_code == 200, page.text
    assert "当时已登记" in page.text and "逐字节相同" in page.text
    links = {part.partition('"')[0] for part in page.text.split('href="')[1:] if part.startswith("/intake/v1/events/")}
    causes = {
        f"/intake/v1/events/{one['cause']['event_id']}"
        for figure in (await told(week))["figures"]
        for one in (*figure["until_filed"], *figure["since"])
        if one["cause"]["source"] == "intake"
    }
    assert links == causes and causes
    assert path in (await week.desk.page("clerk", path.removesuffix("/as-known"))).text
    assert (await week.desk.page("designated_reporter@dulan", path)).status_code == 404


async def test_a_report_that_says_nothing_yet_knows_nothing(week: Week) -> None:
    path = f"{REPORTS}/{week.desk.id('xiyan', 1)}/as-known"
    answer = await week.desk.town.http.get(path, headers=week.desk.headers("auditor"))
    assert answer.status_code == 404
