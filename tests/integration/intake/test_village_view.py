"""A village has its own unit's patrols alone: it sees no surprise check coming, and cannot tell that a tip began a hazard."""

import json
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.intake.test_patrols import DULAN, FINDING, GPX, record
from tests.support.services import Town

PATROLS = "/intake/v1/patrols"
VILLAGERS = ("village_head", "designated_reporter")
STEPS = ("planned", "started", "recorded", "void")
PLACES = [{"lat_e7": 379_000_000 + 90_000 * n, "lon_e7": 1_121_000_000, "accuracy_m": 8} for n in range(3)]
"""A kilometre from one another."""


def villager(town: Town, post: str) -> dict[str, str]:
    return town.headers(post, "dulan")


async def planned(town: Town, post: str = "inspector", unit: str = "safety_office", reason: str = "surprise") -> str:
    body = {"village": DULAN, "unit": unit, "planned_on": "2018-01-22", "reason": reason}
    body["patrol_class"] = town.plan.codes("patrol_class")[0]
    return str((await town.post(PATROLS, body, town.headers(post)))["id"])


async def brought_to(town: Town, patrol: str, step: str) -> None:
    """Does the next step of an inspector's check."""
    inspector = town.headers("inspector")
    match step:
        case "started":
            await town.post(f"{PATROLS}/{patrol}/start", {}, inspector)
        case "recorded":
            whole = record(town, unit=None, members=["p-inspector-1"])
            await town.post(f"{PATROLS}/{patrol}/record", whole, inspector)
        case "void":
            await town.post(f"{PATROLS}/{patrol}/entered-in-error", {"reason": "重复录入"}, inspector)


async def answered(town: Town, path: str, post: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
    """Status and problem, without the number of the request."""
    who = villager(town, post)
    answer = await (town.http.get(path, headers=who) if body is None else town.http.post(path, json=body, headers=who))
    return answer.status_code, {k: v for k, v in answer.json().items() if k != "correlation_id"}


async def all_seen(town: Town, who: dict[str, str], **asked: str) -> list[dict[str, Any]]:
    """Every page of the list, with each patrol's own page."""
    lines: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await town.get(PATROLS, who, limit=1, **asked, **({"cursor": cursor} if cursor else {}))
        lines, cursor = lines + page["items"], page["next"]
    return [line | await town.get(f"{PATROLS}/{line['patrol']}", who) for line in lines]


@pytest.mark.parametrize("post", VILLAGERS)
async def test_a_surprise_check_is_not_there_for_the_village_at_any_step(town: Town, post: str) -> None:
    who = villager(town, post)
    before = await all_seen(town, who)
    patrol, nobody = await planned(town), str(uuid4())
    for step in STEPS:
        await brought_to(town, patrol, step)
        assert step in [line["state"] for line in await all_seen(town, town.headers("inspector"), unit="safety_office")]
        assert await all_seen(town, who) == before, step
        assert patrol not in [line["patrol"] for line in await all_seen(town, who, state=step)]
        for part in ("", "/route.gpx", "/route.geojson"):
            theirs, none = [await answered(town, f"{PATROLS}/{p}{part}", post) for p in (patrol, nobody)]
            assert theirs == none and theirs[0] == 404, (step, part)


async def test_nor_can_the_village_do_anything_about_it(town: Town) -> None:
    patrol, nobody = await planned(town), str(uuid4())
    for step in STEPS:
        await brought_to(town, patrol, step)
        for part, body in (
            ("corrections", {"field": "handling_note", "value": {"text": "x"}, "reason": "看错"}),
            ("entered-in-error", {"reason": "看错"}),
        ):
            theirs, none = [
                await answered(town, f"{PATROLS}/{p}/{part}", "village_head", body) for p in (patrol, nobody)
            ]
            assert theirs == none and theirs[0] == 404, (step, part)
        for part, more in (("start", {}), ("start", {"village": DULAN}), ("record", record(town))):
            answer = await town.http.post(
                f"{PATROLS}/{patrol}/{part}", json=more, headers=villager(town, "village_head")
            )
            assert answer.status_code == 404, (step, part)
    told = await town.get(f"{PATROLS}/{patrol}", town.headers("clerk"))
    assert [s["actor"] for s in told["steps"]] == ["p-inspector-1"] * 4


async def test_a_village_neither_asks_for_another_units_patrols_nor_walks_them(town: Town) -> None:
    for path in (f"{PATROLS}?unit=safety_office", f"{PATROLS}?state=planned&unit=police_station"):
        for post in VILLAGERS:
            assert (await town.http.get(path, headers=villager(town, post))).status_code == 403
    own = str(uuid4())
    await town.post(f"{PATROLS}/{own}/record", record(town), villager(town, "village_head"))
    foreign = {"unit": "safety_office"}
    plan = {"village": DULAN, "planned_on": "2018-01-22", "patrol_class": town.plan.codes("patrol_class")[0]}
    moved = {"field": "unit", "value": {"code": "safety_office"}, "reason": "写错"}
    for path, body in (
        (PATROLS, plan | foreign),
        (f"{PATROLS}/{uuid4()}/start", {"village": DULAN} | foreign),
        (f"{PATROLS}/{uuid4()}/record", record(town) | foreign),
        (f"{PATROLS}/{own}/corrections", moved),
    ):
        answer = await town.http.post(path, json=body, headers=villager(town, "village_head"))
        assert answer.status_code == 403, path


async def test_why_the_office_sent_the_villages_own_unit_is_not_told(town: Town) -> None:
    """The plan has `tip_follow_up` among its reasons; and a correction's reason may say who called."""
    patrol = await planned(town, "office_director", "dulan", "tip_follow_up")
    await town.post(f"{PATROLS}/{patrol}/record", record(town, unit=None), villager(town, "village_head"))
    mend = {"field": "handling_note", "value": {"text": "已制止"}, "reason": "举报人来电"}
    await town.post(f"{PATROLS}/{patrol}/corrections", mend, town.headers("clerk"))
    for post in VILLAGERS:
        told = await town.get(f"{PATROLS}/{patrol}", villager(town, post))
        (line,) = [one for one in await all_seen(town, villager(town, post)) if one["patrol"] == patrol]
        assert (told["reason"], line["reason"], told["handling_note"]) == (None, None, "已制止")
        text = json.dumps([told, line], ensure_ascii=False)
        assert "tip" not in text and "举报" not in text
    office = await town.get(f"{PATROLS}/{patrol}", town.headers("clerk"))
    assert (office["reason"], office["steps"][-1]["facts"]["reason"]) == ("tip_follow_up", "举报人来电")


# ------------------------------------------------------------------------------------------------ what began a hazard


async def a_tip(town: Town, place: dict[str, int]) -> None:
    tip = (await town.post("/intake/v1/tips", {"channel": "hotline", "words": "有人挖"}, town.headers("clerk")))["id"]
    screened = {"outcome": "to_verify", "summary": "有人挖"}
    await town.post(f"/intake/v1/tips/{tip}/screening", screened, town.headers("clerk"))
    kind = {name: FINDING[name] for name in ("category", "violation", "summary")} | {"village": DULAN, "place": place}
    verified = {"result": "substantiated", **kind}
    await town.post(f"/intake/v1/tips/{tip}/verification", verified, town.headers("inspector"))


async def a_patrol(town: Town, place: dict[str, int], post: str, unit: str) -> None:
    """As the phone of `post` sends it, of just now."""
    end = town.clock.now().isoformat()
    found = [FINDING | {"place": place}]
    whole = record(town, unit=unit, gpx=GPX, findings=found, started_at=end, ended_at=end, members=["p-inspector-1"])
    await town.post(f"{PATROLS}/{uuid4()}/record", whole, town.headers(post))


async def seen_everywhere(town: Town, who: dict[str, str]) -> dict[str, Any]:
    """What the village can find in intake and in cases; hazard id → all that is told of it."""
    hazards = (await town.get("/cases/v1/hazards", who, limit=200))["items"]
    told = {}
    for line in hazards:
        path = f"/cases/v1/hazards/{line['hazard']}"
        told[line["hazard"]] = [line, await town.get(path, who), await town.get(f"{path}/timeline", who)]
    return {"patrols": await all_seen(town, who), "hazards": told}


def alike(told: Any) -> str:
    """As text, without id, number and place."""
    line = told[0]
    text = json.dumps(told, ensure_ascii=False).replace(line["hazard"], "<id>")
    text = text.replace(str(line["place"]["lat_e7"]), "<lat>")
    return text.replace(f'"hazard_no": {line["hazard_no"]}', "<no>")


@pytest.mark.parametrize("post", VILLAGERS)
async def test_a_hazard_of_a_tip_and_one_of_another_units_patrol_look_the_same_across_the_services(
    own_town: Town, post: str
) -> None:
    """Both are there without anything that would explain them: no patrol is seen to have found either."""
    town, who = own_town, villager(own_town, post)
    await town.post(
        f"{PATROLS}/{uuid4()}/record",
        record(town, findings=None, no_finding=True),
        town.headers("village_head", "dulan"),
    )
    await town.settled()
    start = await seen_everywhere(town, who)
    made = []
    for act in (
        lambda: a_tip(town, PLACES[0]),
        lambda: a_patrol(town, PLACES[1], "inspector", "safety_office"),
        lambda: a_patrol(town, PLACES[2], "police_officer", "police_station"),
    ):
        before = await seen_everywhere(town, who)
        await act()
        await town.settled()
        after = await seen_everywhere(town, who)
        (new,) = after["hazards"].keys() - before["hazards"].keys()
        made.append(new)
        assert after["patrols"] == start["patrols"]
    last = await seen_everywhere(town, who)
    first, *others = [alike(last["hazards"][hazard]) for hazard in made]
    assert others == [first, first]
