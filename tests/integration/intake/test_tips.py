"""A tip by HTTP on real servers: received, looked up by its receipt, screened, verified, and settled by what cases does."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from shared.contracts.envelope import attribute
from shared.identity.clients import new_client
from shared.web.paging import cursor_of
from tests.support.services import FIRST_DAY, Ground, Town, a_service

WORDS = "夜里有两辆车从老井口往外拉煤，往北走"
DULAN, BAZISHAN = "140181101207", "140181101204"
PUBLIC = "/intake/v1/public/tips"
TRUE = {
    "result": "substantiated",
    "category": "abandoned_shaft",
    "violation": "unlicensed_digging",
    "summary": "老井口有新挖痕迹",
}


async def sent(town: Town, **body: Any) -> tuple[str, str]:
    """A tip by the web form, the newest of all: (receipt, tip)."""
    town.clock.move_to(town.clock.now() + timedelta(seconds=1))
    receipt = (await town.post(PUBLIC, {"words": WORDS} | body))["receipt"]
    newest = (await town.get("/intake/v1/tips", town.headers("clerk"), limit=1))["items"][0]
    return receipt, newest["tip"]


async def keyed_in(town: Town, **changes: Any) -> str:
    """A tip by telephone; its id."""
    body = {"channel": "hotline", "words": WORDS, "village": DULAN} | changes
    answer = await town.post("/intake/v1/tips", body, town.headers("clerk"))
    return str(answer["id"])


async def screened(town: Town, **changes: Any) -> str:
    tip = await keyed_in(town, **changes)
    body = {"outcome": "to_verify", "summary": "某井口夜间运煤"}
    await town.post(f"/intake/v1/tips/{tip}/screening", body, town.headers("clerk"))
    return tip


async def test_the_published_channels_are_open_to_all(town: Town) -> None:
    codes = {channel["code"] for channel in await town.get("/intake/v1/public/channels")}
    assert {"web", "hotline"} <= codes


async def test_a_tip_by_the_form_gets_a_receipt_that_tells_how_far_it_is(town: Town) -> None:
    given = await town.http.post(
        PUBLIC, json={"words": WORDS, "village": DULAN}, headers={"Idempotency-Key": str(uuid4())}
    )
    assert (given.status_code, given.headers["etag"], given.headers["cache-control"]) == (201, '"1"', "no-store")
    status = await town.post(f"{PUBLIC}/status", {"receipt": given.json()["receipt"]})
    assert (status["state"], status["received_on"], status["may_supplement"]) == ("received", "2018-01-22", True)
    assert WORDS not in str(status)


async def test_the_same_request_again_gives_the_same_receipt_and_no_second_tip(town: Town) -> None:
    key = {"Idempotency-Key": str(uuid4())}
    clerk = town.headers("clerk")
    first = await town.post(PUBLIC, {"words": WORDS}, key)
    many = len((await town.get("/intake/v1/tips", clerk, limit=200))["items"])
    again = await town.post(PUBLIC, {"words": WORDS}, key)
    assert again == first
    assert len((await town.get("/intake/v1/tips", clerk, limit=200))["items"]) == many


async def test_the_same_key_with_other_words_is_refused(town: Town) -> None:
    key = {"Idempotency-Key": str(uuid4())}
    await town.post(PUBLIC, {"words": WORDS}, key)
    answer = await town.http.post(PUBLIC, json={"words": "别的"}, headers=key)
    assert answer.status_code == 409
    assert answer.json()["type"].endswith("idempotency-mismatch")


async def test_a_wrong_digit_in_a_receipt_is_told_from_an_unknown_receipt(town: Town) -> None:
    receipt = (await town.post(PUBLIC, {"words": WORDS}))["receipt"]
    mistyped = receipt[:-1] + str((int(receipt[-1]) + 1) % 10)
    wrong = await town.http.post(f"{PUBLIC}/status", json={"receipt": mistyped})
    unknown = await town.http.post(f"{PUBLIC}/status", json={"receipt": "4711-0815-2018-0119"})
    assert (wrong.status_code, wrong.json()["rule"]) == (422, "ReceiptMistyped")
    assert unknown.status_code in (404, 422) and receipt not in unknown.text


async def test_whoever_holds_the_receipt_may_add_to_the_tip(town: Town) -> None:
    receipt, tip = await sent(town, anonymous=False, name="王某")
    typed = receipt.replace("-", " ")
    key = {"Idempotency-Key": str(uuid4())}
    added = await town.http.post(f"{PUBLIC}/supplements", json={"receipt": typed, "words": "又来了"}, headers=key)
    assert (added.status_code, added.headers["etag"]) == (201, '"2"')
    clerk = town.headers("clerk")
    shown = await town.get(f"/intake/v1/tips/{tip}", clerk)
    assert (shown["supplements"], shown["anonymous"]) == (1, False)
    assert [w["words"] for w in shown["words"]] == [WORDS, "又来了"]
    assert "王某" not in str(shown)


async def test_an_anonymous_tip_takes_no_name(town: Town) -> None:
    answer = await town.http.post(
        PUBLIC, json={"words": WORDS, "name": "王某"}, headers={"Idempotency-Key": str(uuid4())}
    )
    assert (answer.status_code, answer.json()["rule"]) == (422, "AnonymousTipHasName")
    assert "王某" not in answer.text


async def test_a_live_tip_says_that_the_duty_officer_was_told(town: Town) -> None:
    receipt = (await town.post(PUBLIC, {"words": WORDS, "live": True}))["receipt"]
    assert "值班" in (await town.post(f"{PUBLIC}/status", {"receipt": receipt}))["message"]


async def test_a_tip_is_screened_then_verified_and_its_steps_say_so(town: Town) -> None:
    tip = await screened(town)
    clerk = town.headers("clerk")
    line = await town.get(f"/intake/v1/tips/{tip}", clerk)
    assert (line["state"], line["summary"]) == ("to_verify", "某井口夜间运煤")
    assert line["verify_by"] > "2018-01-22"
    await town.post(f"/intake/v1/tips/{tip}/verification", TRUE, town.headers("inspector"))
    shown = await town.get(f"/intake/v1/tips/{tip}", clerk)
    assert (shown["state"], shown["category"]) == ("substantiated", "abandoned_shaft")
    assert [step["type"].split(".")[2] for step in shown["steps"]] == ["received", "screened", "verified"]
    assert all("words" not in step["facts"] and "informant" not in step["facts"] for step in shown["steps"])


async def test_a_tip_is_not_verified_before_it_is_screened(town: Town) -> None:
    tip = await keyed_in(town)
    answer = await town.http.post(f"/intake/v1/tips/{tip}/verification", json=TRUE, headers=town.headers("inspector"))
    assert (answer.status_code, answer.json()["rule"]) == (409, "TipNotScreened")


async def test_what_lies_out_of_the_area_is_forwarded_and_the_receipt_says_where(town: Town) -> None:
    receipt, tip = await sent(town)
    desk, clerk = f"/intake/v1/tips/{tip}", town.headers("clerk")
    await town.post(f"{desk}/screening", {"outcome": "to_verify", "summary": "镇外"}, clerk)
    await town.post(f"{desk}/verification", {"result": "out_of_area"}, clerk)
    nobody = await town.http.post(f"{desk}/forward", json={"to": "county_bank"}, headers=clerk)
    assert (nobody.status_code, nobody.json()["rule"]) == (422, "UnknownAuthority")
    assert "（to）" in nobody.json()["title"] and "forward_to" in nobody.json()["title_en"]
    await town.post(f"{desk}/forward", {"to": town.plan.codes("forward_to")[0]}, clerk)
    status = await town.post(f"{PUBLIC}/status", {"receipt": receipt})
    assert (status["state"], status["forwarded_to"]) == ("forwarded", town.plan.codes("forward_to")[0])
    assert "{to}" not in status["message"] and town.plan.name("forward_to", status["forwarded_to"]) in status["message"]


async def test_a_tip_is_settled_when_the_hazard_that_it_began_is_closed_out(town: Town) -> None:
    receipt, tip = await sent(town, village=DULAN)
    summary = {"outcome": "to_verify", "summary": "老井口"}
    await town.post(f"/intake/v1/tips/{tip}/screening", summary, town.headers("clerk"))
    await town.post(f"/intake/v1/tips/{tip}/verification", TRUE, town.headers("inspector"))
    await town.settled()
    assert (await town.post(f"{PUBLIC}/status", {"receipt": receipt}))["detail"] == "substantiated"
    await _close_out(town, tip)
    assert (await town.post(f"{PUBLIC}/status", {"receipt": receipt}))["detail"] == "settled"


async def _close_out(town: Town, tip: str) -> None:
    """What cases does with the hazard that goes back to the tip."""
    query = "SELECT hazard FROM tip_handling WHERE tip = $1"
    stream = await town.services["intake"].pool.fetchval(query, tip)
    hazard = f"/cases/v1/hazards/{stream.removeprefix('hazard-')}"
    order = {
        "measure": town.plan.codes("measure")[0],
        "responsible": "p-village_head-dulan",
        "responsible_unit": "dulan",
        "deadline_at": (town.clock.now() + timedelta(days=3)).isoformat(),
    }
    await town.post(f"{hazard}/three-fix", order, town.headers("office_director"))
    await town.post(f"{hazard}/completion", {"report": "已回填"}, town.headers("village_head", "dulan"))
    await town.post(f"{hazard}/acceptance", {}, town.headers("inspector"))
    await town.settled()


@pytest.mark.parametrize("post", ["village_head", "designated_reporter", "keeper"])
async def test_no_village_reads_tips(town: Town, post: str) -> None:
    tip = await keyed_in(town)
    holders = [p for p in town.loaded.plan.people if p.post == post and p.village is not None]
    if not holders:
        pytest.skip(f"the plan appoints no {post} in a village")
    village = town.headers(post, person=holders[0].person)
    for path in ("/intake/v1/tips", f"/intake/v1/tips/{tip}"):
        answer = await town.http.get(path, headers=village)
        assert (answer.status_code, answer.json()["title"]) == (403, "您的岗位无权进行此操作。")


async def test_a_client_key_reads_tips_unless_it_is_bound_to_a_village(town: Town) -> None:
    file = town.services["intake"].settings.clients
    assert file is not None
    free = new_client(file, "police", "police_officer", "police_station")
    bound = new_client(file, "village", "police_officer", "police_station", DULAN)
    for key, status in ((free, 200), (bound, 403), ("mwk_unknown", 401)):
        answer = await town.http.get("/intake/v1/tips", headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == status


async def test_words_are_for_screeners_alone(town: Town) -> None:
    tip = await keyed_in(town)
    assert (await town.get(f"/intake/v1/tips/{tip}", town.headers("duty_officer")))["words"]
    leader = await town.get(f"/intake/v1/tips/{tip}", town.headers("group_leader"))
    assert leader["words"] is None and WORDS not in str(leader)


async def test_nobody_reads_tips_without_a_token_and_a_bad_token_is_no_token(town: Town) -> None:
    nobody = await town.http.get("/intake/v1/tips")
    bad = await town.http.get("/intake/v1/tips", headers={"Authorization": "Bearer nonsense"})
    assert (nobody.status_code, bad.status_code) == (401, 401)
    assert nobody.headers["www-authenticate"] == "Bearer"


async def test_a_write_names_its_key_and_the_version_it_saw(town: Town) -> None:
    tip = await keyed_in(town)
    clerk = town.headers("clerk")
    without = {name: value for name, value in clerk.items() if name != "Idempotency-Key"}
    body = {"outcome": "to_verify", "summary": "某井口"}
    path = f"/intake/v1/tips/{tip}/screening"
    assert (await town.http.post(path, json=body, headers=without)).status_code == 400
    stale = await town.http.post(path, json=body, headers=clerk | {"If-Match": '"7"'})
    assert (stale.status_code, stale.json()["title_en"][:10]) == (412, "The record")
    seen = (await town.http.get(f"/intake/v1/tips/{tip}", headers=clerk)).headers["etag"]
    fine = await town.http.post(path, json=body, headers=town.headers("clerk") | {"If-Match": seen})
    assert (fine.status_code, fine.headers["etag"], fine.json()["version"]) == (201, '"2"', 2)


async def test_before_the_plans_terms_hold_screening_is_refused_and_the_rule_named(ground: Ground) -> None:
    """A plan is adopted before its campaign begins, and tips come in at once. The desk here is a system of the office."""
    async with a_service(ground, "intake", now=FIRST_DAY - timedelta(days=1)) as early:
        await early.post("/intake/v1/public/tips", {"words": "夜里有车拉煤"})
        file = early.services["intake"].settings.clients
        assert file is not None
        key = new_client(file, "hotline", "clerk", "campaign_office")
        clerk = {"Authorization": f"Bearer {key}", "Idempotency-Key": str(uuid4())}
        (tip,) = (await early.get("/intake/v1/tips", clerk))["items"]
        answer = await early.http.post(
            f"/intake/v1/tips/{tip['tip']}/screening",
            json={"outcome": "to_verify", "summary": "夜间拉煤"},
            headers=clerk,
        )
    told = answer.json()
    assert (answer.status_code, told["rule"]) == (409, "RuleNotInForce")
    assert told["facts"]["rule"] == "verification_deadline" and "rules" in told["title_en"]


@pytest.mark.parametrize(
    ("part", "value"),
    [("accuracy_m", 3_000_000_000), ("accuracy_m", -1), ("lat_e7", 900_000_001), ("lon_e7", 10**18)],
)
async def test_a_place_that_cases_could_not_keep_is_no_place(town: Town, part: str, value: int) -> None:
    """It would be recorded here, and cases could never go on past it."""
    place = {"lat_e7": 379_000_000, "lon_e7": 1_121_000_000, part: value}
    tip, key = await screened(town), {"Idempotency-Key": str(uuid4())}
    for path, body, who in (
        (f"/intake/v1/tips/{tip}/verification", TRUE | {"village": DULAN}, town.headers("inspector")),
        (PUBLIC, {"words": WORDS}, key),
        ("/intake/v1/tips", {"words": WORDS, "channel": "hotline"}, town.headers("clerk")),
    ):
        answer = await town.http.post(path, json=body | {"place": place}, headers=who)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, f"place.{part}"), path
    correction = {"field": "place", "value": {"place": place}, "reason": "看错了"}
    answer = await town.http.post(f"/intake/v1/tips/{tip}/corrections", json=correction, headers=town.headers("clerk"))
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, f"value.place.{part}")


async def test_what_only_the_database_minds_is_no_fault_of_the_system(town: Town) -> None:
    tip = await keyed_in(town)
    nul = {"outcome": "to_verify", "summary": "某沟\x00"}
    answer = await town.http.post(f"/intake/v1/tips/{tip}/screening", json=nul, headers=town.headers("clerk"))
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:minewatch:problem:unfit-value")
    cursor = cursor_of(10**20)
    answer = await town.http.get("/cases/v1/hazards", params={"cursor": cursor}, headers=town.headers("clerk"))
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:minewatch:problem:unfit-value")


async def test_a_wrong_body_is_explained_field_by_field_and_not_repeated(town: Town) -> None:
    answer = await town.http.post(
        PUBLIC,
        json={"words": "王某说" * 2000, "village": "独兰村!", "live": "maybe"},
        headers={"Idempotency-Key": str(uuid4())},
    )
    assert answer.status_code == 422
    assert {e["field"] for e in answer.json()["errors"]} == {"words", "village", "live"}
    assert all(e["message"] and e["message_en"] for e in answer.json()["errors"])
    assert "王某说" not in answer.text and "独兰村" not in answer.text


async def test_the_list_is_read_page_by_page(town: Town) -> None:
    tips = [await keyed_in(town, village=BAZISHAN) for _ in range(5)]
    clerk = town.headers("clerk")
    shown: list[str] = []
    cursor = None
    while True:
        query = {"village": BAZISHAN, "limit": 2} | ({"cursor": cursor} if cursor else {})
        answer = await town.get("/intake/v1/tips", clerk, **query)
        shown += [line["tip"] for line in answer["items"]]
        if (cursor := answer["next"]) is None:
            break
    assert sorted(shown) == sorted(tips)
    assert (await town.http.get("/intake/v1/tips?cursor=x", headers=clerk)).status_code == 400


async def test_a_stored_event_is_shown_with_its_place_in_the_log_and_its_seals_closed(town: Town) -> None:
    tip = await keyed_in(town, anonymous=False, name="王某", contact="13800000000")
    await town.settled()
    intake = town.services["intake"]
    row = await intake.pool.fetchrow("SELECT event_id, leaf, body FROM record.event WHERE stream_id = $1", f"tip-{tip}")
    assert row is not None
    path = f"/intake/v1/events/{row['event_id']}"
    shown = await town.get(path, town.headers("clerk"))
    assert (shown["leaf"], shown["source"], shown["withheld"]) == (row["leaf"].hex(), "intake", [])
    assert shown["position"] > 0 and shown["lineage"]
    assert shown["event"]["subject"] == attribute(row["body"], "subject")
    assert set(shown["event"]["data"]["name"]) == {"k", "n", "c", "m"}
    overseen = await town.get(path, town.headers("auditor"))
    assert overseen["withheld"] == ["contact", "informant", "name", "words"]
    assert not {"contact", "informant", "name", "words"} & overseen["event"]["data"].keys()
    assert (await town.http.get(path, headers=town.headers("village_head"))).status_code == 403
    assert (await town.http.get(f"/intake/v1/events/{uuid4()}", headers=town.headers("clerk"))).status_code == 404


async def test_the_log_is_for_services(town: Town) -> None:
    assert (await town.http.get("/intake/v1/log/events", headers=town.headers("office_director"))).status_code == 403
    service = {"Authorization": f"Bearer {town.tokens.issue_service('cases')}"}
    log = await town.get("/intake/v1/log/events", service, after=0, most=2)
    assert [e["position"] for e in log["events"]] == [1, 2]
