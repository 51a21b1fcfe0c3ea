"""Every error is a problem+json with Chinese and English; nothing that was sent comes back in it."""

import pytest

from shared.errors import Refusal
from shared.web.problems import words_of
from tests.unit.web.toy import LEAK, a_client

EXPECTED = {
    "refusal": 409,
    "full": 422,
    "slow": 409,
    "tired": 429,
    "no_stream": 404,
    "not_signed_in": 401,
    "not_permitted": 403,
    "not_found": 404,
    "version": 409,
    "idempotency": 409,
    "not_ready": 503,
    "lost": 503,
    "gave_way": 503,
    "broken": 500,
    "no_template": 500,
}
JSON = {"Idempotency-Key": "k", "Content-Type": "application/json"}
HTML = {"Accept": "text/html,application/xhtml+xml"}


@pytest.mark.parametrize(("kind", "status"), EXPECTED.items())
async def test_every_error_has_its_status_and_says_so_in_both_languages(kind: str, status: int) -> None:
    async with a_client() as client:
        answer = await client.get(f"/ores/v1/errors/{kind}")
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["title"] and not problem["title"].isascii()
    assert problem["title_en"].isascii()
    assert problem["type"].startswith("urn:minewatch:problem:")
    assert problem["correlation_id"] == answer.headers["x-correlation-id"]
    assert LEAK not in answer.text and "张三" not in answer.text


async def test_a_refusal_names_its_rule_and_its_facts() -> None:
    async with a_client() as client:
        problem = (await client.get("/ores/v1/errors/refusal")).json()
    assert problem["type"] == "urn:minewatch:problem:ore-needs-cart"
    assert (problem["rule"], problem["facts"]) == ("OreNeedsCart", {"missing": "cart", "number": 3})
    assert (problem["title"], problem["title_en"]) == ("矿石须有车辆。", "Ore needs a cart.")


async def test_a_service_may_give_a_whole_family_of_rules_its_status() -> None:
    async with a_client(rule_status={"OreNeedsCart": 418}) as client:
        assert (await client.get("/ores/v1/errors/refusal")).status_code == 418
        assert (await client.get("/ores/v1/errors/slow")).status_code == 418
        assert (await client.get("/ores/v1/errors/full")).status_code == 422


async def test_a_conflict_is_a_failed_precondition_when_if_match_was_sent() -> None:
    async with a_client() as client:
        answer = await client.get("/ores/v1/errors/version", headers={"If-Match": '"1"'})
    assert answer.status_code == 412


async def test_whoever_must_wait_is_told_how_long() -> None:
    async with a_client() as client:
        assert (await client.get("/ores/v1/errors/tired")).headers["retry-after"] == "17"
        assert (await client.get("/ores/v1/errors/not_ready")).headers["retry-after"] == "5"


async def test_a_wrong_field_is_named_with_its_remedy() -> None:
    body = {"name": LEAK, "kind": LEAK, "found_at": "2018-02-11T09:30:00", "more": LEAK}
    async with a_client() as client:
        answer = await client.post("/ores/v1/ores", json=body, headers={"Idempotency-Key": "k"})
    assert answer.status_code == 422
    found = {e["field"]: e for e in answer.json()["errors"]}
    assert set(found) == {"name", "kind", "found_at", "more"}
    assert found["name"]["message"] == "太长，最多 5 个字。"
    assert found["kind"]["message_en"] == "Send one of 'coal' or 'iron'."
    assert "+08:00" in found["found_at"]["message"]
    assert found["more"]["message_en"] == "There is no such field; leave it out."
    assert {e["where"] for e in found.values()} == {"body"}
    assert "name：太长" in answer.json()["detail"] and "name: Too long" in answer.json()["detail"]
    assert "张三" not in answer.text and "138" not in answer.text


async def test_a_field_that_somebody_made_up_is_not_repeated() -> None:
    async with a_client() as client:
        for made_up in (LEAK, "13800000000", "x" * 42):
            answer = await client.post(
                "/ores/v1/ores", json={"name": "a", "kind": "coal", made_up: 1}, headers={"Idempotency-Key": "k"}
            )
            assert answer.status_code == 422 and made_up not in answer.text
            assert answer.json()["errors"][0]["field"] == "?"


async def test_a_missing_field_a_wrong_parameter_and_no_json_are_told_apart() -> None:
    async with a_client() as client:
        missing = (await client.post("/ores/v1/ores", json={"name": "a"}, headers={"Idempotency-Key": "k"})).json()
        wrong = (await client.get("/ores/v1/ores?limit=0")).json()
        broken = await client.post("/ores/v1/ores", content=b"{", headers=JSON)
    assert [(e["field"], e["message"]) for e in missing["errors"]] == [("kind", "缺这一项，请填写。")]
    assert [(e["where"], e["field"]) for e in wrong["errors"]] == [("query", "limit")]
    assert broken.status_code == 400 and broken.json()["errors"][0]["message_en"] == "The body is no valid JSON."


async def test_an_unknown_address_and_a_wrong_method_are_problems_too() -> None:
    async with a_client() as client:
        nowhere, wrong = await client.get("/ores/v1/nothing"), await client.get("/ores/v1/size")
    assert (nowhere.status_code, wrong.status_code) == (404, 405)
    assert {nowhere.headers["content-type"], wrong.headers["content-type"]} == {"application/problem+json"}
    assert wrong.headers["allow"] == "POST"


@pytest.mark.parametrize(("kind", "status"), EXPECTED.items())
async def test_a_browser_gets_a_page_instead(kind: str, status: int) -> None:
    async with a_client() as client:
        answer = await client.get(f"/ores/errors/{kind}", headers=HTML)
        of_the_api = await client.get(f"/ores/v1/errors/{kind}", headers=HTML)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert "<h1>" in answer.text and "张三" not in answer.text
    assert of_the_api.headers["content-type"] == "application/problem+json"


async def test_a_part_that_stopped_is_named_by_the_readiness() -> None:
    async with a_client(ready={"relay": "another past"}) as client:
        ready, live = await client.get("/ores/health/ready"), await client.get("/ores/health/live")
    assert (ready.status_code, ready.json()["reasons"]) == (503, {"relay": "another past"})
    assert live.status_code == 200
    async with a_client() as client:
        assert (await client.get("/ores/health/ready")).status_code == 200


class LongRefusal(Refusal):
    """井口封堵前须有两人到场，
    并记录时间。
    Two people must be on the spot before a shaft is sealed,
    and the time is recorded (“封堵” in the register).

    For programmers: `number` says how many there were.
    """


class ShortRefusal(LongRefusal):
    """Says no words of its own."""


def test_words_of_several_lines_are_shown_whole_and_notes_for_programmers_are_not() -> None:
    words = (
        "井口封堵前须有两人到场，并记录时间。",
        "Two people must be on the spot before a shaft is sealed, and the time is recorded (“封堵” in the register).",
    )
    assert words_of(LongRefusal()) == words
    assert words_of(ShortRefusal(number=1)) == words
