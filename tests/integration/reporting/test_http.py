"""The API's manners: what is missing, misspelt or not allowed is answered by a problem that says so."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from services.reporting.main import describe
from shared.service import check_contracts
from tests.integration.reporting.desk import FIRST_MORNING, HOUR, REPORTS, Desk, a_desk
from tests.support.services import Ground, a_service


async def submitted(desk: Desk) -> str:
    """Dulan's first report, submitted; its path."""
    await desk.move_to(desk.period(1).cut_off_at + HOUR / 2)
    await desk.submitted("dulan", 1)
    return f"{REPORTS}/{desk.id('dulan', 1)}"


@pytest.fixture(scope="module")
async def sent(ground: Ground) -> AsyncIterator[Desk]:
    """A town to ask: dulan's first report is submitted, and nothing that is asked changes anything."""
    async with a_service(ground, "reporting", now=FIRST_MORNING) as town, a_desk(ground, town) as desk:
        await submitted(desk)
        yield desk


async def test_the_same_key_gives_the_first_answer_again(desk: Desk) -> None:
    await desk.move_to(desk.period(1).cut_off_at + HOUR / 2)
    path, headers = f"{REPORTS}/{desk.id('dulan', 1)}/submission", desk.headers("designated_reporter@dulan")
    first = await desk.town.http.post(path, json={}, headers=headers)
    await desk.intake.patrol(ended_at=desk.period(1).cut_off_at - HOUR)
    second = await desk.town.http.post(path, json={}, headers=headers)
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json() == {**first.json(), "repeated": True}
    other = await desk.town.http.post(path, json={"note": "另"}, headers=headers)
    assert other.status_code == 409
    assert first.headers["etag"] == '"2"'


async def test_a_wish_about_an_older_version_is_refused(desk: Desk) -> None:
    path = await submitted(desk)
    answer = await desk.send("clerk", f"{path}/acceptance", {}, if_match='"1"')
    assert answer.status_code == 412
    answer = await desk.send("clerk", f"{path}/acceptance", {}, if_match='"2"')
    assert (answer.status_code, answer.json()["version"]) == (201, 3)


REFUSED: tuple[tuple[str, str, dict[str, Any], tuple[int, str]], ...] = (
    ("designated_reporter@dulan", "submission", {}, (409, "ReportAlreadySubmitted")),
    ("designated_reporter@dulan", "return", {"reason": "…"}, (403, "")),
    ("clerk", "return", {}, (422, "ReportReasonMissing")),
    ("clerk", "return", {"reason": "x" * 1001}, (422, "")),
    ("clerk", "return", {"grund": "…"}, (422, "")),
    ("clerk", "submission", {}, (403, "NotDesignatedReporter")),
    ("clerk", "compilation", {}, (409, "OnlyTownIsCompiled")),
    ("clerk", "filing", {}, (403, "")),
    ("office_director", "filing", {}, (409, "OnlyTownIsCompiled")),
    ("clerk", "corrections", {"field": "figures", "value": {"number": 3}, "reason": "…"}, (422, "ReportFieldNotCorrectable")),
    ("clerk", "corrections", {"field": "due_at", "value": {"number": 3}, "reason": "…"}, (422, "ReportValueDoesNotFit")),
    ("clerk", "entered-in-error", {}, (422, "ReportReasonMissing")),
    ("auditor", "acceptance", {}, (403, "AuditorChangesNothing")),
)  # fmt: skip


async def test_refusals_name_their_rule(sent: Desk) -> None:
    for who, step, body, expected in REFUSED:
        assert await sent.refused(who, "dulan", 1, step, **body) == expected, (who, step, body)


async def test_before_the_cut_off_nothing_is_submitted(sent: Desk) -> None:
    who = "designated_reporter@dulan"
    assert await sent.refused(who, "dulan", 2, "submission") == (409, "PeriodNotOver")


async def test_a_problem_speaks_both_languages_and_tells_the_facts(sent: Desk) -> None:
    answer = await sent.send("clerk", f"{REPORTS}/{sent.id('town', 1)}/compilation", {})
    told = answer.json()
    assert (answer.status_code, told["rule"]) == (409, "UnitsStillOut")
    assert "不能汇总" in told["title"] and "cannot be compiled" in told["title_en"]
    assert "dulan" not in told["facts"]["units"].split(",") and "xiyan" in told["facts"]["units"].split(",")


async def test_without_a_key_a_token_or_a_report_there_is_a_problem(sent: Desk) -> None:
    path = f"{REPORTS}/{sent.id('dulan', 1)}"
    headers = sent.headers("clerk")
    without_key = {name: value for name, value in headers.items() if name != "Idempotency-Key"}
    http = sent.town.http
    assert (await http.post(f"{path}/acceptance", json={}, headers=without_key)).status_code == 400
    assert (
        await http.post(f"{path}/acceptance", json={}, headers={"Idempotency-Key": str(uuid4())})
    ).status_code == 401
    assert (await http.get(path)).status_code == 401
    for missing in (f"{REPORTS}/zhenchengdi-2018-dulan-09", f"{path}/figures/nonsense", f"{path}/content?version=1"):
        answer = await http.get(missing, headers=headers)
        assert answer.status_code == 404, missing
        assert answer.headers["content-type"] == "application/problem+json"
    assert (await http.get(f"{REPORTS}/{sent.id('town', 1)}/content", headers=headers)).status_code == 404
    assert (await http.get(REPORTS, params={"cursor": "§"}, headers=headers)).status_code == 400
    assert (await http.get(REPORTS, params={"state": "lost"}, headers=headers)).status_code == 422


async def test_lists_are_filtered(sent: Desk) -> None:
    assert [line["unit"] for line in await sent.reports(state="submitted")] == ["dulan"]
    assert [line["unit"] for line in await sent.reports(scope="town", period_no=1)] == ["town"]
    assert {line["period_no"] for line in await sent.reports(unit="dulan")} == {1, 2}


async def test_a_report_entered_in_error_counts_as_missing_and_the_chain_goes_on(desk: Desk) -> None:
    await submitted(desk)
    await desk.done("clerk", "dulan", 1, "entered-in-error", reason="重复")
    await desk.done("clerk", "town", 2, "entered-in-error", reason="误开")
    assert (await desk.report("dulan", 1))["counted"] is None
    answer = await desk.send("clerk", f"{REPORTS}/{desk.id('town', 1)}/compilation")
    assert "dulan" not in answer.json()["facts"]["units"].split(","), "nobody waits for it"
    await desk.move_to(desk.period(2).cut_off_at)
    assert (await desk.report("town", 3))["state"] == "open"
    await desk.done("clerk", "town", 1, "compilation")
    assert {line["unit"]: line["state"] for line in (await desk.report("town", 1))["lines"]}["dulan"] == "missing"


async def test_the_description_lists_every_route_of_the_sheet(sent: Desk) -> None:
    paths = (await sent.town.http.get("/reporting/openapi.json")).json()["paths"]
    report = f"{REPORTS}/{{report}}"
    assert {path for path in paths if path.startswith("/reporting/v1")} >= {
        "/reporting/v1/periods", REPORTS, report, f"{report}/figures/{{figure}}", f"{report}/content", f"{report}/preview",
        "/reporting/v1/late-recorded", "/reporting/v1/events/{event_id}",
        *(f"{report}/{step}" for step in (
            "submission", "return", "acceptance", "compilation", "filing", "corrections", "entered-in-error",
        )),
    }  # fmt: skip


def test_the_card_publishes_its_own_facts_only() -> None:
    check_contracts(describe())
