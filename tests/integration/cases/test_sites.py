"""The site register: numbers without holes, keepers and gaps, corrections, and the hazards found at a site."""

import asyncio
from datetime import timedelta
from typing import Any

from shared.decider import Actor
from tests.integration.cases.desk import HAZARDS, Desk
from tests.integration.cases.intake import BAZISHAN, DULAN, PIT, beside

SITES = "/cases/v1/sites"
MINE = {"category": "closed_mine", "village": DULAN, "name": "独兰三号井", "place": PIT.model_dump()}


async def registered(desk: Desk, who: str = "clerk", **changes: Any) -> str:
    answer = await desk.send(who, SITES, MINE | changes)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def site(desk: Desk, site: str, who: str = "clerk") -> dict[str, Any]:
    told: dict[str, Any] = await desk.town.get(f"{SITES}/{site}", desk.headers(who))
    return told


async def test_sites_registered_at_once_get_numbers_without_a_hole(desk: Desk) -> None:
    await asyncio.gather(*(registered(desk, name=f"{n}号井") for n in range(5)))
    listed = await desk.town.get(SITES, desk.headers("clerk"))
    assert [line["site_no"] for line in listed["items"]] == [1, 2, 3, 4, 5]


async def test_a_site_shows_which_keeper_it_lacks_until_both_are_named(desk: Desk) -> None:
    mine = await registered(desk)
    other = await registered(desk, name="四号井")
    assert (await site(desk, mine))["gaps"] == ["territorial", "departmental"]
    await desk.send("inspector", f"{SITES}/{mine}/keepers", {"kind": "departmental", "unit": "safety_office"})
    keeper = {"kind": "territorial", "unit": "dulan", "person": "p-keeper-dulan"}
    await desk.send("clerk", f"{SITES}/{mine}/keepers", keeper)
    told = await site(desk, mine)
    assert (told["gaps"], told["people"]) == ([], {"p-keeper-dulan": "木启程"})
    gaps = await desk.town.get(SITES, desk.headers("clerk"), gaps=True)
    assert [line["site"] for line in gaps["items"]] == [other]


async def test_sites_are_kept_by_the_office_and_its_inspectors(desk: Desk) -> None:
    for post in ("village_head@dulan", "police_officer", "auditor", "group_leader"):
        assert (await desk.send(post, SITES, MINE)).status_code == 403, post
    for post in ("clerk", "inspector", "office_director"):
        await registered(desk, post, name=post)


async def test_a_village_sees_its_own_sites(desk: Desk) -> None:
    mine, theirs = await registered(desk), await registered(desk, village=BAZISHAN)
    listed = await desk.town.get(SITES, desk.headers("village_head@dulan"))
    assert [line["site"] for line in listed["items"]] == [mine]
    for path in (f"{SITES}/{theirs}", f"{SITES}?village={BAZISHAN}"):
        answer = await desk.town.http.get(path, headers=desk.headers("village_head@dulan"))
        assert answer.status_code in (403, 404), path


async def test_a_correction_that_moves_it_out_of_sight_and_is_sent_again_gets_its_first_answer(desk: Desk) -> None:
    """An inspector of one village says that site and hazard lie in another: that is not their business from then on."""
    mine = await registered(desk)
    await desk.intake.tip(village=DULAN)
    hazard = await desk.only()
    bound = {"person": "p-inspector-9", "post": "inspector", "unit": "dulan", "village": DULAN, "name": "驻村人"}
    assert (await desk.send("office_director", "/cases/v1/appointments", bound)).status_code == 201
    actor = Actor("p-inspector-9", "inspector", "dulan", DULAN)
    correction = {"field": "village", "value": {"code": BAZISHAN}, "reason": "在山的那边"}
    for path in (f"{SITES}/{mine}/corrections", f"{HAZARDS}/{hazard}/corrections"):
        token = desk.town.tokens.issue(actor, timedelta(hours=1))
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": path}
        first, again = [await desk.town.http.post(path, json=correction, headers=headers) for _ in "ab"]
        assert first.status_code == 201, first.text
        assert (again.status_code, again.json()) == (201, first.json() | {"repeated": True})
        assert again.headers["signed-receipt"] == first.headers["signed-receipt"]
        other = await desk.town.http.post(path, json=correction, headers=headers | {"Idempotency-Key": "another"})
        assert other.status_code == 404


async def test_a_mistake_is_corrected_with_a_reason_and_a_wrong_entry_marked(desk: Desk) -> None:
    mine = await registered(desk)
    correction = {"field": "name", "value": {"text": "独兰四号井"}}
    answer = await desk.send("clerk", f"{SITES}/{mine}/corrections", correction)
    assert (answer.status_code, answer.json()["rule"]) == (409, "SiteReasonMissing")
    unknown = {"field": "category", "value": {"code": "castle"}, "reason": "看错"}
    assert (await desk.send("clerk", f"{SITES}/{mine}/corrections", unknown)).json()["rule"] == "NotInPlan"
    stale = await desk.send("clerk", f"{SITES}/{mine}/corrections", correction | {"reason": "看错"}, if_match='"7"')
    assert stale.status_code == 412
    await desk.send("clerk", f"{SITES}/{mine}/corrections", correction | {"reason": "看错"}, if_match='"1"')
    assert (await site(desk, mine))["name"] == "独兰四号井"
    assert (await desk.send("inspector", f"{SITES}/{mine}/entered-in-error", {"reason": "重复"})).status_code == 403
    await desk.send("clerk", f"{SITES}/{mine}/entered-in-error", {"reason": "重复"})
    assert (await site(desk, mine))["in_error"] is True
    assert (await desk.town.get(SITES, desk.headers("clerk")))["items"] == []
    await registered(desk)
    listed = await desk.town.get(SITES, desk.headers("clerk"))
    assert [line["site_no"] for line in listed["items"]] == [2]


async def test_pages_of_sites_follow_one_another(desk: Desk) -> None:
    for n in range(3):
        await registered(desk, name=f"{n}号井")
    first = await desk.town.get(SITES, desk.headers("clerk"), limit=2)
    rest = await desk.town.get(SITES, desk.headers("clerk"), limit=2, cursor=first["next"])
    assert [line["site_no"] for line in first["items"] + rest["items"]] == [1, 2, 3]


async def test_a_site_knows_its_open_hazard_and_gives_it_category_village_and_place(desk: Desk) -> None:
    mine = await registered(desk)
    await desk.intake.tip(site=mine, place=None, category="brick_plant", village=BAZISHAN)
    hazard = await desk.only()
    told = await desk.hazard(hazard)
    assert (told["site"], told["category"], told["village"]) == (mine, "closed_mine", DULAN)
    assert told["place"]["lat_e7"] == PIT.lat_e7
    assert (await site(desk, mine))["open_hazard"] == hazard
    await desk.closed(hazard)
    assert (await site(desk, mine))["open_hazard"] is None


async def test_a_site_that_is_named_later_is_taken_from_then_on(desk: Desk) -> None:
    """Two hazards without a site cannot both be tied to the same one while they are open."""
    mine = await registered(desk)
    await desk.intake.tip(place=None, summary="甲")
    await desk.intake.tip(place=None, summary="乙")
    second, first = (line["hazard"] for line in await desk.hazards())
    wish = {"field": "site", "value": {"ref": mine}, "reason": "已查明"}
    assert (await desk.send("clerk", f"{HAZARDS}/{first}/corrections", wish)).status_code == 201
    assert (await site(desk, mine))["open_hazard"] == first
    taken = await desk.send("clerk", f"{HAZARDS}/{second}/corrections", wish)
    assert (taken.status_code, taken.json()["rule"]) == (409, "UniqueConflict")
    unknown = await desk.send("clerk", f"{HAZARDS}/{second}/corrections", wish | {"value": {"ref": "nowhere"}})
    assert (unknown.status_code, unknown.json()["rule"]) == (422, "SiteUnknown")
    await desk.intake.patrol({"site": mine, "place": beside(5000)})
    assert len((await desk.hazard(first))["sources"]) == 2
