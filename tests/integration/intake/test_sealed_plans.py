"""A check without notice is planned in secret: whoever is not to walk it sees that there is a plan, and says why they read it."""

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.integration.intake.test_patrols import DULAN, record
from tests.support.services import Town

PATROLS, PAGES = "/intake/v1/patrols", "/intake/patrols"
TODAY = "2018-01-22"
OTHERS = (
    ("clerk", None),
    ("office_director", None),
    ("duty_officer", None),
    ("group_leader", None),
    ("deputy_leader", None),
    ("police_officer", None),
    ("land_officer", None),
    ("designated_reporter", "safety_office"),
    ("auditor", None),
)
"""Post and unit of everybody who reads patrols, and neither planned this one nor walks it."""
WHY = "核对本周突击检查是否安排。"


async def planned(town: Town, post: str = "inspector", reason: str = "surprise", on: str = TODAY) -> tuple[str, str]:
    """(patrol, event id) of a check that the safety office is to make in Dulan."""
    body = {"village": DULAN, "unit": "safety_office", "planned_on": on, "reason": reason, "patrol_class": "key"}
    made = await town.post(PATROLS, body, town.headers(post))
    return made["id"], made["events"][0]


async def lines(town: Town, who: dict[str, str], **asked: Any) -> dict[str, dict[str, Any]]:
    """patrol -> its line in the list."""
    found = await town.get(PATROLS, who, limit=200, **asked)
    return {line["patrol"]: line for line in found["items"]}


async def asks(town: Town, patrol: str, who: dict[str, str], reason: str = WHY) -> httpx.Response:
    return await town.http.post(f"{PATROLS}/{patrol}/opening", json={"reason": reason}, headers=who)


async def openings(town: Town, patrol: str) -> list[dict[str, Any]]:
    """What the auditor sees of who read it, newest first."""
    told = await town.get("/intake/v1/openings", town.headers("auditor"), limit=200)
    return [one for one in told["items"] if one["about"] == [f"patrol-{patrol}"]]


def details_in(told: Any) -> list[str]:
    """What of the plan is in there, wherever."""
    text = told if isinstance(told, str) else json.dumps(told, ensure_ascii=False)
    secrets = (
        DULAN,
        "独兰",
        "safety_office",
        "安监",
        "surprise",
        "突击",
        TODAY,
        "p-inspector-1",
        "严守一",
        "key area",
        "重点",
    )
    return [word for word in secrets if word in text]


@pytest.mark.parametrize(("post", "unit"), OTHERS)
async def test_of_a_plan_others_see_that_there_is_one(town: Town, post: str, unit: str | None) -> None:
    patrol, _ = await planned(town)
    who = town.headers(post, unit)
    told = {"patrol": patrol, "version": 1, "state": "planned", "sealed": True}
    for asked in ({}, {"state": "planned"}):
        line = (await lines(town, who, **asked))[patrol]
        assert {name: value for name, value in line.items() if value is not None} == told
    for asked in ({"village": DULAN}, {"unit": "safety_office"}, {"village": DULAN, "state": "planned"}):
        assert patrol not in await lines(town, who, **asked), "the question would tell where"
    page = await town.get(f"{PATROLS}/{patrol}", who)
    assert {name: value for name, value in page.items() if value is not None} == told | {"found": [], "steps": []}
    assert await openings(town, patrol) == []


async def test_its_unit_and_whoever_planned_it_see_it_as_it_is(town: Town) -> None:
    for planner in ("inspector", "office_director"):
        patrol, _ = await planned(town, planner)
        for who in (
            town.headers("inspector", person="p-inspector-2"),
            *([town.headers("office_director")] if planner == "office_director" else []),
        ):
            line = (await lines(town, who, unit="safety_office"))[patrol]
            page = await town.get(f"{PATROLS}/{patrol}", who)
            for told in (line, page):
                assert (told["sealed"], told["village"], told["reason"]) == (False, DULAN, "surprise")
            assert page["steps"][0]["type"] == "intake.patrol.planned.v1"
        assert (await lines(town, town.headers("clerk")))[patrol]["sealed"]


async def test_a_clerk_who_acts_for_an_inspector_does_not_see_with_their_eyes(town: Town) -> None:
    patrol, _ = await planned(town)
    acting = town.headers("clerk", on_behalf_of="p-inspector-1")
    assert (await lines(town, acting))[patrol]["sealed"] and (await town.get(f"{PATROLS}/{patrol}", acting))["sealed"]


async def test_a_routine_round_is_no_secret(town: Town) -> None:
    patrol, event = await planned(town, reason="routine")
    line = (await lines(town, town.headers("clerk"), village=DULAN))[patrol]
    assert (line["sealed"], line["unit"], line["planned_on"]) == (False, "safety_office", TODAY)
    answer = await asks(town, patrol, town.headers("group_leader"))
    assert (answer.json()["opening"], answer.json()["plan"]["village"]) == (None, DULAN)
    assert await openings(town, patrol) == []
    assert (await town.get(f"/intake/v1/events/{event}", town.headers("clerk")))["event"]["data"]["village"] == DULAN


@pytest.mark.parametrize(("post", "unit"), OTHERS)
async def test_whoever_says_why_reads_it_and_that_is_recorded(town: Town, post: str, unit: str | None) -> None:
    patrol, _ = await planned(town)
    who = town.headers(post, unit)
    answer = await asks(town, patrol, who)
    assert answer.status_code == 200, answer.text
    opening, plan = answer.json()["opening"], answer.json()["plan"]
    assert (plan["village"], plan["unit"], plan["planned_on"]) == (DULAN, "safety_office", TODAY)
    assert (plan["reason"], plan["steps"][0]["actor"]) == ("surprise", "p-inspector-1")
    (line,) = await openings(town, patrol)
    assert (line["event_id"], line["kind"], line["reason"]) == (opening, "inspection_plan", WHY)
    assert line["in_role"].partition("@")[0] == post
    body = await town.services["intake"].pool.fetchval("SELECT body FROM record.event WHERE event_id = $1", opening)
    made = json.loads(body)
    assert (made["type"], made["data"]["about"]) == ("intake.opening.made.v1", [f"patrol-{patrol}"])
    assert "核对" not in body.decode(), "the reason is sealed"
    assert (await town.get(f"{PATROLS}/{patrol}", who))["sealed"], "what was opened stands in the answer alone"


async def test_the_same_request_again_is_the_same_opening_for_the_same_person(town: Town) -> None:
    patrol, _ = await planned(town)
    clerk = town.headers("clerk")
    first, again = [(await asks(town, patrol, clerk)).json() for _ in range(2)]
    assert again == first and len(await openings(town, patrol)) == 1
    other = await asks(town, patrol, clerk, "另有缘由，再看一次。")
    assert (other.status_code, details_in(other.json())) == (409, [])
    leader = town.headers("group_leader") | {"Idempotency-Key": clerk["Idempotency-Key"]}
    assert (await asks(town, patrol, leader)).json()["opening"] != first["opening"]
    await asks(town, patrol, town.headers("clerk"))
    assert sorted(one["actor"] for one in await openings(town, patrol)) == ["p-clerk-1", "p-clerk-1", "p-group_leader"]


async def test_without_a_reason_nothing_is_shown(town: Town) -> None:
    patrol, _ = await planned(town)
    for reason in ("", "看看", "        "):
        answer = await asks(town, patrol, town.headers("group_leader"), reason)
        assert (answer.status_code, details_in(answer.json())) == (422, []), reason
    assert await openings(town, patrol) == []


@pytest.mark.parametrize("post", ["village_head", "designated_reporter"])
async def test_a_village_does_not_open_what_is_not_there_for_it(town: Town, post: str) -> None:
    patrol, _ = await planned(town)
    theirs, none = [await asks(town, p, town.headers(post, "dulan")) for p in (patrol, str(uuid4()))]
    assert theirs.status_code == none.status_code == 404
    assert theirs.json() | {"correlation_id": ""} == none.json() | {"correlation_id": ""}
    assert (await asks(town, patrol, town.headers("custodian"))).status_code == 403
    assert await openings(town, patrol) == []


@pytest.mark.parametrize("end", ["started", "recorded", "void"])
async def test_once_it_has_begun_or_is_off_everybody_sees_it(town: Town, end: str) -> None:
    patrol, event = await planned(town)
    step, body = {
        "started": ("start", {}),
        "recorded": ("record", record(town, unit=None, members=["p-inspector-1"])),
        "void": ("entered-in-error", {"reason": "改期"}),
    }[end]
    await town.post(f"{PATROLS}/{patrol}/{step}", body, town.headers("inspector"))
    for post, unit in OTHERS:
        line = (await lines(town, town.headers(post, unit), village=DULAN))[patrol]
        page = await town.get(f"{PATROLS}/{patrol}", town.headers(post, unit))
        assert (line["sealed"], line["planned_on"], page["reason"]) == (False, TODAY, "surprise"), post
    assert (await asks(town, patrol, town.headers("clerk"))).json()["opening"] is None
    assert (await town.get(f"/intake/v1/events/{event}", town.headers("auditor")))["event"]["data"]["village"] == DULAN


async def test_the_day_after_it_is_no_secret_that_nobody_went(own_town: Town) -> None:
    patrol, _ = await planned(own_town)
    own_town.clock.move_to(own_town.clock.now() + timedelta(hours=14, minutes=59))
    assert (await lines(own_town, own_town.headers("clerk")))[patrol]["sealed"]
    own_town.clock.move_to(own_town.clock.now() + timedelta(minutes=1))
    assert (await lines(own_town, own_town.headers("clerk")))[patrol]["village"] == DULAN


@pytest.mark.parametrize("post", ["clerk", "office_director", "group_leader", "deputy_leader", "auditor"])
async def test_its_event_is_not_shown_either(town: Town, post: str) -> None:
    _, event = await planned(town)
    answer = await town.http.get(f"/intake/v1/events/{event}", headers=town.headers(post))
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (403, "sealed-for-now")
    assert details_in(answer.json()) == []
    _, event = await planned(town, "office_director")
    answer = await town.http.get(f"/intake/v1/events/{event}", headers=town.headers(post))
    assert answer.status_code == (200 if post == "office_director" else 403), "it is their own"


async def test_nor_as_of_a_moment_at_which_it_was_sealed(own_town: Town) -> None:
    town = own_town
    patrol, event = await planned(town)
    await town.settled()
    then = town.clock.now() + timedelta(minutes=5)
    town.clock.move_to(then + timedelta(minutes=5))
    await town.post(f"{PATROLS}/{patrol}/start", {}, town.headers("inspector"))
    await town.settled()
    asked = {"as_of": then.isoformat()}
    for post in ("clerk", "auditor"):
        who = town.headers(post)
        assert (await town.get(f"{PATROLS}/{patrol}", who))["village"] == DULAN
        line = (await lines(town, who, **asked))[patrol]
        page = await town.get(f"{PATROLS}/{patrol}", who, **asked)
        assert (line["sealed"], details_in([line, page])) == (True, [])
        of_then = await town.http.get(f"/intake/v1/events/{event}", params=asked, headers=who)
        assert (of_then.status_code, details_in(of_then.json())) == (403, [])


async def test_whoever_does_not_know_the_plan_does_not_act_on_it(town: Town) -> None:
    """Beginning opens it with no reason asked. Who acts for its unit may; no wrong village is answered with the right one."""
    patrol, _ = await planned(town)
    for_officer = town.headers("clerk", on_behalf_of="p-police_officer-1")
    whole = record(town, village="140181101204", unit="police_station")
    for who, step, body in (
        (town.headers("police_officer"), "start", {}),
        (town.headers("land_officer"), "start", {"village": "140181101204"}),
        (town.headers("police_officer"), "record", whole),
        (for_officer, "record", whole),
        (town.headers("clerk"), "entered-in-error", {"reason": "重复"}),
        (town.headers("office_director"), "corrections", {"field": "unit", "value": {"code": "dulan"}, "reason": "错"}),
    ):
        answer = await town.http.post(f"{PATROLS}/{patrol}/{step}", json=body, headers=who)
        assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (403, "plan-is-sealed"), step
        assert details_in(answer.json()) == []
    for step, body in (
        ("start", {"village": "140181101204"}),
        ("record", record(town, village="140181101204", unit=None)),
    ):
        clerk = town.headers("clerk", on_behalf_of="p-inspector-2")
        answer = await town.http.post(f"{PATROLS}/{patrol}/{step}", json=body, headers=clerk)
        assert (answer.status_code, answer.json()["rule"]) == (409, "PatrolInAnotherVillage")
        assert details_in(answer.json()) == []
    clerk = town.headers("clerk", on_behalf_of="p-inspector-2")
    await town.post(f"{PATROLS}/{patrol}/start", {}, clerk)
    assert (await town.get(f"{PATROLS}/{patrol}", town.headers("clerk")))["state"] == "started"


# ------------------------------------------------------------------------------------------------ pages


async def page(town: Town, path: str, post: str, unit: str | None = None, lang: str = "zh") -> httpx.Response:
    cookie = f"minewatch_token={town.token_for(post, unit)}; minewatch_lang={lang}"
    return await town.http.get(path, headers={"Accept": "text/html", "Cookie": cookie})


async def sent(town: Town, patrol: str, post: str, unit: str | None = None, **fields: str) -> httpx.Response:
    headers = {"Accept": "text/html", "Cookie": f"minewatch_token={town.token_for(post, unit)}"}
    form = {"command_id": str(uuid4()), **fields}
    return await town.http.post(f"{PAGES}/{patrol}/opening", data=form, headers=headers)


async def test_the_page_asks_why_and_then_shows_the_plan(own_town: Town) -> None:
    town = own_town
    patrol, _ = await planned(town)
    path = f"{PAGES}/{patrol}"
    for at in (PAGES, path):
        told = await page(town, at, "group_leader")
        own = await page(town, at, "inspector")
        # the list says in general for whom surprise checks are sealed; the unit of the reader stands at the foot
        assert told.status_code == 200 and patrol[:8] in told.text and "计划封存" in told.text
        assert details_in(told.text) == []
        assert {"独兰", "突击", TODAY} <= set(details_in(own.text)) and "计划封存" not in own.text
    bare = await sent(town, patrol, "group_leader", reason=" 看 ")
    assert bare.status_code == 422 and "请写明调阅理由" in bare.text and details_in(bare.text) == []
    assert await openings(town, patrol) == []
    key = str(uuid4())
    shown, again = [await sent(town, patrol, "group_leader", reason=WHY, command_id=key) for _ in range(2)]
    for told in (shown, again):
        assert (told.status_code, told.headers["cache-control"]) == (200, "no-store")
        assert {"独兰", "安监", "突击", TODAY, "严守一"} <= set(details_in(told.text)) and "本次查看已记录" in told.text
    (line,) = await openings(town, patrol)
    assert line["reason"] == WHY
    trail = await page(town, "/intake/openings", "auditor")
    assert "检查计划" in trail.text and WHY in trail.text and "独兰" not in trail.text
    other = await sent(town, patrol, "group_leader", reason="另有缘由，再看一次。", command_id=key)
    assert other.status_code == 409 and details_in(other.text) == []
    assert details_in((await page(town, path, "group_leader")).text) == []
    back = await page(town, f"{path}/opening", "group_leader")
    assert (back.status_code, back.headers["location"]) == (303, path)
    english = await page(town, path, "auditor", lang="en")
    assert "Read the plan" in english.text and details_in(english.text) == []
    await town.post(f"{PATROLS}/{patrol}/start", {}, town.headers("inspector"))
    assert "独兰" in (await page(town, path, "group_leader")).text
    assert patrol[:8] not in (await page(town, PAGES, "group_leader")).text


async def test_the_pages_are_not_there_for_another_village(town: Town) -> None:
    patrol, _ = await planned(town)
    own = {"village": DULAN, "unit": "dulan", "planned_on": TODAY, "reason": "tip_follow_up", "patrol_class": "key"}
    theirs = (await town.post(PATROLS, own, town.headers("office_director")))["id"]
    for post in ("village_head", "designated_reporter"):
        listed = (await page(town, PAGES, post, "dulan")).text
        assert patrol[:8] not in listed and theirs[:8] in listed and "核查" not in listed
        assert (await page(town, f"{PAGES}/{patrol}", post, "dulan")).status_code == 404
        assert (await sent(town, patrol, post, "dulan", reason=WHY)).status_code == 404
        assert "独兰" in (await page(town, f"{PAGES}/{theirs}", post, "dulan")).text
    assert await openings(town, patrol) == []


async def test_the_list_of_plans_is_read_page_by_page(own_town: Town) -> None:
    made = [(await planned(own_town))[0] for _ in range(31)]
    first = (await page(own_town, PAGES, "auditor")).text
    (cursor,) = {part.split('"')[0] for part in first.split("?cursor=")[1:]}
    second = (await page(own_town, f"{PAGES}?cursor={cursor}", "auditor")).text
    assert {p for p in made if p[:8] in first} | {p for p in made if p[:8] in second} == set(made)
    assert sum(p[:8] in first for p in made) == 30 and sum(p[:8] in second for p in made) == 1
