"""`?as_of=` on the reading API: the same answer as of another moment, with headers that say which, for those who may ask."""

import asyncio
from typing import Any

import httpx
import pytest

from shared.audit.copies import Copies
from shared.audit.moment import as_of
from shared.plan.calendar import TOWN_TIME
from shared.sql import Tx
from tests.integration.replay.week import Week
from tests.integration.reporting.desk import REPORTS


async def asked(week: Week, path: str, who: str = "auditor", **query: str) -> httpx.Response:
    return await week.desk.town.http.get(path, params=query, headers=week.desk.headers(who))


def town(at: Any) -> str:
    return str(at.astimezone(TOWN_TIME).strftime("%Y-%m-%dT%H:%M:%S"))


async def test_the_same_route_answers_with_what_was_known_then_and_says_so(week: Week) -> None:
    report = f"{REPORTS}/{week.desk.id('town', 1)}"
    now = (await asked(week, report)).json()
    assert now["state"] == "filed" and now["restatements"] == 2
    then = await asked(week, report, as_of=town(week.friday))
    assert then.status_code == 200, then.text
    assert (then.json()["state"], then.json()["counted"], then.json()["restatements"]) == ("open", None, 0)
    assert then.headers["As-Of"] == week.friday.astimezone(TOWN_TIME).isoformat()
    assert then.headers["As-Of-Clock"] == "recorded"
    async with week.reporting.pool.acquire() as connection:
        moment = await as_of(Tx(connection), "reporting", list(week.reporting.card.consumes()), week.friday)
    assert then.headers["As-Of-Vector"] == moment.vector and "intake=" in moment.vector


async def test_figures_of_then_and_what_had_happened_by_then(week: Week) -> None:
    path = f"{REPORTS}/{week.desk.id('town', 1)}/preview"
    found = {}
    for clock in ("recorded", "occurred"):
        answer = await asked(week, path, as_of=town(week.friday), clock=clock)
        figures = {f["figure"]: f["value"] for f in answer.json()["figures"]}
        found[answer.headers["As-Of-Clock"]] = figures["patrols"]
    assert found == {"recorded": 2, "occurred": 4}


async def test_a_copy_is_built_once_for_a_moment_and_again_when_it_was_dropped(week: Week, server: Any) -> None:
    copies = Copies(week.reporting, most=1, age=60)
    sql = r"SELECT count(*) FROM pg_database WHERE datname LIKE 'minewatch\_scratch\_%'"
    before = await server.fetchval(sql)
    now = week.desk.town.clock.now()
    first = await copies.moment(week.friday, "recorded", now)
    later = await copies.moment(now, "recorded", now)

    async def count(moment: Any) -> int:
        async with copies.use(moment) as pool:
            return int(await pool.fetchval("SELECT count(*) FROM report_content"))

    assert await asyncio.gather(count(first), count(first)) == [0, 0]
    assert await server.fetchval(sql) == before + 1
    assert await count(later) > 0, "the other one was dropped for it"
    await asyncio.sleep(0.3)
    assert await server.fetchval(sql) == before + 1
    await copies.close()
    assert await server.fetchval(sql) == before


async def test_a_question_that_would_wait_long_is_told_to_come_again(week: Week) -> None:
    [copies] = [each for end in week.reporting.beside if isinstance(each := getattr(end, "__self__", None), Copies)]
    copies.patience, kept = 0.0, copies.patience
    try:
        answer = await asked(week, REPORTS, as_of=town(week.evening))
        assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "5"), answer.text
        assert answer.json()["type"].endswith("being-built") and "还原" in answer.json()["title"]
    finally:
        copies.patience = kept
    assert (await asked(week, REPORTS, as_of=town(week.evening))).status_code == 200


async def test_who_may_not_ask_and_what_cannot_be_asked(week: Week) -> None:
    at = town(week.friday)
    for who, status in (("designated_reporter@dulan", 403), ("police_officer", 403)):
        assert (await asked(week, REPORTS, who, as_of=at)).status_code == status
    http = week.desk.town.http
    assert (await http.get(REPORTS, params={"as_of": at})).status_code == 401
    for query in ({"as_of": "friday"}, {"as_of": "2099-01-01T00:00"}, {"as_of": at, "clock": "mine"}):
        answer = await asked(week, REPORTS, **query)
        (error,) = answer.json()["errors"]
        assert answer.status_code == 400 and error["where"] == "query" and error["message"] and error["message_en"]
    path = f"{REPORTS}/{week.desk.id('dulan', 1)}/acceptance"
    posted = await http.post(path, params={"as_of": at}, json={}, headers=week.desk.headers("clerk"))
    assert posted.status_code == 400, "nothing is done as of another moment"


@pytest.mark.parametrize("path", ["/reporting/v1/status", "/reporting/v1/log/checkpoint", "/reporting/reports"])
async def test_what_would_be_answered_of_now_is_not_given_for_an_answer_of_then(week: Week, path: str) -> None:
    answer = await asked(week, path, as_of=town(week.friday))
    assert answer.status_code == 400 and answer.json()["errors"][0]["field"] == "as_of"


async def test_an_event_that_was_not_recorded_yet_is_not_there(week: Week) -> None:
    row = await week.reporting.pool.fetchrow("SELECT event_id FROM record.log ORDER BY position DESC LIMIT 1")
    path = f"/reporting/v1/events/{row['event_id']}"
    assert (await asked(week, path)).status_code == 200
    for clock in ("recorded", "occurred"):
        assert (await asked(week, path, as_of=town(week.friday), clock=clock)).status_code == 404, clock


async def test_the_description_names_it_on_every_reading_route(week: Week) -> None:
    paths = (await week.desk.town.http.get("/reporting/openapi.json")).json()["paths"]
    named = {
        path for path, o in paths.items() if any(p["name"] == "as_of" for p in o.get("get", {}).get("parameters", ()))
    }
    assert f"{REPORTS}/{{report}}" in named and "/reporting/v1/events/{event_id}" in named
    assert not any("/log" in path for path in named)
