"""Lists in pages, filters, and If-Match: nothing is overwritten that somebody else has changed meanwhile."""

import asyncio

import pytest

from tests.integration.cases.desk import HAZARDS, Desk
from tests.integration.cases.intake import BAZISHAN, beside


async def five(desk: Desk) -> None:
    """Five hazards: 1 to 3 in Dulan, 4 and 5 of another category in Yinjiagou."""
    for n in range(3):
        await desk.intake.tip(place=beside(1000 * n))
    for n in range(2):
        await desk.intake.tip(village=BAZISHAN, category="brick_plant", place=beside(1000 * n))


async def test_pages_follow_one_another_without_gap_or_repetition_while_new_lines_come(desk: Desk) -> None:
    await five(desk)
    headers = desk.headers("clerk")
    first = await desk.town.get(HAZARDS, headers, limit=2)
    await desk.intake.tip(place=beside(9000))
    second = await desk.town.get(HAZARDS, headers, limit=2, cursor=first["next"])
    third = await desk.town.get(HAZARDS, headers, limit=2, cursor=second["next"])
    numbers = [line["hazard_no"] for page in (first, second, third) for line in page["items"]]
    assert (numbers, third["next"]) == ([5, 4, 3, 2, 1], None)


@pytest.mark.parametrize("cursor", ["nonsense", "WyJhIl0", "WzEsMl0"])
async def test_a_cursor_that_is_none_is_refused(desk: Desk, cursor: str) -> None:
    answer = await desk.town.http.get(HAZARDS, params={"cursor": cursor}, headers=desk.headers("clerk"))
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "cursor")


async def test_filters_narrow_the_list(desk: Desk) -> None:
    await five(desk)
    newest = (await desk.hazards())[0]["hazard"]
    await desk.ordered(newest, days=1)
    await desk.pass_time(days=2)

    async def numbers(**query: object) -> list[int]:
        return [line["hazard_no"] for line in await desk.hazards(**query)]

    assert await numbers(village=BAZISHAN) == [5, 4]
    assert await numbers(category="brick_plant", state="listed") == [4]
    assert await numbers(overdue=True) == [5]
    assert await numbers(overdue=False) == [4, 3, 2, 1]
    await desk.done("clerk", newest, "entered-in-error", reason="重复登记")
    assert await numbers(state="open") == [4, 3, 2, 1]
    assert await numbers(state="entered_in_error") == [5]
    answer = await desk.town.http.get(HAZARDS, params={"state": "lost"}, headers=desk.headers("clerk"))
    assert answer.status_code == 422


async def test_what_was_changed_meanwhile_is_not_overwritten(desk: Desk) -> None:
    await desk.intake.tip()
    hazard = await desk.only()
    seen = await desk.town.http.get(f"{HAZARDS}/{hazard}", headers=desk.headers("clerk"))
    etag = seen.headers["etag"]
    body = {"field": "mineral", "value": {"code": "bauxite"}, "reason": "漏填"}
    path = f"{HAZARDS}/{hazard}/corrections"
    first = await desk.send("clerk", path, body, if_match=etag)
    assert (first.status_code, first.headers["etag"]) == (201, '"2"')
    late = await desk.send("inspector", path, body | {"value": {"code": "sand"}}, if_match=etag)
    assert late.status_code == 412
    assert (await desk.hazard(hazard))["mineral"] == "bauxite"
    again = await desk.send("inspector", path, body | {"value": {"code": "sand"}}, if_match=first.headers["etag"])
    assert again.status_code == 201


async def test_every_step_honours_if_match(desk: Desk) -> None:
    await desk.intake.tip()
    hazard = await desk.only()
    order = {"measure": "sealing", "responsible": "p-keeper-dulan", "responsible_unit": "dulan"}
    asked = {"wanted_at": desk.in_days(9), "reason": "雪"}
    steps = {
        "three-fix": ("inspector", order | {"deadline_at": desk.in_days(7)}),
        "extension-requests": ("keeper@dulan", asked),
        "extension-approval": ("office_director", {"reason": "同意"}),
        "completion": ("keeper@dulan", {"report": "已封堵"}),
        "rejection": ("inspector", {"reason": "不实"}),
        "acceptance": ("inspector", {}),
        "corrections": ("clerk", {"field": "mineral", "value": {"code": "sand"}, "reason": "漏填"}),
        "entered-in-error": ("clerk", {"reason": "重复"}),
    }
    for step, (who, body) in steps.items():
        stale = await desk.send(who, f"{HAZARDS}/{hazard}/{step}", body, if_match='"99"')
        assert stale.status_code == 412, step
        if step == "acceptance":
            await desk.done("keeper@dulan", hazard, "completion", report="再次封堵")
        await desk.done(who, hazard, step, **body)


async def test_the_same_request_again_gets_the_first_answer(desk: Desk) -> None:
    await desk.intake.tip()
    hazard = await desk.only()
    body = {"field": "mineral", "value": {"code": "bauxite"}, "reason": "漏填"}
    headers = desk.headers("clerk")
    answers = await asyncio.gather(
        *(desk.town.http.post(f"{HAZARDS}/{hazard}/corrections", json=body, headers=headers) for _ in range(4))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({tuple(answer.json()["events"]) for answer in answers}) == 1
    assert len(await desk.steps(hazard)) == 2
    other = await desk.town.http.post(
        f"{HAZARDS}/{hazard}/corrections", json=body | {"reason": "另一个理由"}, headers=headers
    )
    assert other.status_code == 409
