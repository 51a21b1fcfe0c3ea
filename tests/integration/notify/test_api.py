"""The inbox by HTTP and as pages: whose messages one sees, who acknowledges, what the office may do."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.notify.campaign import HEAD, WORDS, Campaign, a_campaign
from tests.support.services import Ground

INBOX = "/notify/v1/messages"
DUTY = [f"p-duty_officer-{n}" for n in (1, 2, 3)]


@pytest.fixture(scope="module")
async def campaign(ground: Ground) -> AsyncIterator[Campaign]:
    """One town for all of these tests: each adds a hazard or a call of its own. Its mail server is away."""
    async with a_campaign(ground, mail="smtp://127.0.0.1:1?from=minewatch@example.org") as made:
        yield made


async def ordered(campaign: Campaign, responsible: str, unit: str) -> dict[str, Any]:
    """The assignment of a new hazard."""
    hazard = await campaign.hazard()
    await campaign.ordered(hazard, responsible, unit)
    (message,) = await campaign.messages(kind="assignment", about=f"hazard-{hazard}")
    return message


async def the_heads(campaign: Campaign) -> str:
    """A message to the head of Dulan."""
    return str((await ordered(campaign, HEAD, "dulan"))["message"])


async def listed(campaign: Campaign, who: str, **query: str | bool | int) -> list[str]:
    """Messages that `who` is shown."""
    page = await campaign.town.get(INBOX, campaign.headers(who), limit=200, **query)
    return [m["message"] for m in page["items"]]


async def test_everybody_sees_the_own_inbox_and_those_who_oversee_see_all(campaign: Campaign) -> None:
    message = await the_heads(campaign)
    assert message in await listed(campaign, "village_head@dulan")
    assert await listed(campaign, "village_head@taipan") == []
    assert await listed(campaign, "clerk") == []
    for who in ("clerk", "office_director", "auditor", "group_leader"):
        assert message in await listed(campaign, who, everybody=True)
        assert (await campaign.message(message, who))["recipient"] == HEAD
    for who in ("inspector", "village_head@dulan", "deputy_leader", "duty_officer"):
        answer = await campaign.town.http.get(INBOX, params={"everybody": True}, headers=campaign.headers(who))
        assert answer.status_code == 403
    for who in ("inspector", "village_head@taipan"):
        answer = await campaign.town.http.get(f"{INBOX}/{message}", headers=campaign.headers(who))
        assert answer.status_code == 404
    assert (await campaign.town.http.get(INBOX)).status_code == 401
    assert (await campaign.town.http.get(f"{INBOX}/{uuid4()}", headers=campaign.headers("clerk"))).status_code == 404


async def test_the_recipient_acknowledges_and_a_stranger_does_not(campaign: Campaign) -> None:
    message = await the_heads(campaign)
    assert (await campaign.acknowledge("village_head@taipan", message)).status_code == 404
    answer = await campaign.acknowledge("clerk", message)
    assert (answer.status_code, answer.json()["rule"]) == (403, "AcknowledgedByStranger")
    answer = await campaign.acknowledge("village_head@dulan", message)
    assert answer.status_code == 201 and answer.headers["etag"] == '"2"'
    again = await campaign.acknowledge("village_head@dulan", message)
    assert (again.status_code, again.json()["events"]) == (201, [])
    told = await campaign.message(message)
    assert (told["acknowledged_by"], told["version"]) == (HEAD, 2)


async def test_a_clerk_acknowledges_for_a_head_without_a_phone(campaign: Campaign) -> None:
    message = await the_heads(campaign)
    theirs = await campaign.town.get(INBOX, campaign.headers("clerk", on_behalf_of=HEAD), limit=200)
    assert message in [m["message"] for m in theirs["items"]]
    assert (await campaign.acknowledge("clerk", message, on_behalf_of=HEAD)).status_code == 201
    assert (await campaign.message(message))["acknowledged_by"] == "p-clerk-1"
    sql = "SELECT body FROM record.event WHERE stream_id = $1 AND version = 2"
    body = await campaign.notify.pool.fetchval(sql, f"message-{message}")
    assert f"{HEAD};no_phone".encode() in body


async def test_an_outdated_if_match_is_refused(campaign: Campaign) -> None:
    message = await the_heads(campaign)
    headers = campaign.headers("village_head@dulan") | {"If-Match": '"7"'}
    answer = await campaign.town.http.post(f"{INBOX}/{message}/acknowledgement", json={}, headers=headers)
    assert answer.status_code == 412


async def test_a_message_is_shown_in_the_very_words_and_says_nothing_of_a_tip(campaign: Campaign) -> None:
    told = await campaign.message(await the_heads(campaign), "village_head@dulan")
    assert told["text"].startswith(f"{campaign.town.plan.name('village', '140181101207')} 隐患 {campaign.hazards:03}")
    assert WORDS not in str(told) and "tip" not in str(told)
    assert told["attempts"] == [] and told["channels"] == ["in_app"]


async def test_the_list_is_filtered_and_paged(campaign: Campaign) -> None:
    head = await the_heads(campaign)
    await campaign.live_tip()
    await campaign.pass_time(minutes=1)
    tip = await campaign.live_tip()
    calls = await listed(campaign, "clerk", everybody=True, about=tip)
    assert sorted(m["recipient"] for m in await campaign.messages(about=tip)) == DUTY
    assignments = await listed(campaign, "clerk", everybody=True, kind="assignment")
    assert head in assignments and not set(assignments) & set(calls)
    (mine,) = await listed(campaign, "duty_officer", about=tip)
    await campaign.acknowledge("duty_officer", mine)
    still = await listed(campaign, "clerk", everybody=True, open=True)
    assert head in still and not set(still) & set(calls), "one answer counts for all three"

    everything = await listed(campaign, "clerk", everybody=True)
    seen: list[str] = []
    query: dict[str, str | bool | int] = {"everybody": True, "limit": 3}
    while True:
        page = await campaign.town.get(INBOX, campaign.headers("clerk"), **query)
        seen += [m["message"] for m in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert seen == everything and len(set(seen)) == len(seen) >= 7
    answer = await campaign.town.http.get(INBOX, params={"cursor": "nonsense"}, headers=campaign.headers("clerk"))
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")


async def test_the_office_corrects_and_withdraws_with_a_reason(campaign: Campaign) -> None:
    message = await the_heads(campaign)
    path = f"{INBOX}/{message}"
    correction = {"field": "about_no", "value": {"number": 7}, "reason": "编号录错"}
    assert (await campaign.send("inspector", f"{path}/corrections", correction)).status_code == 403
    assert (await campaign.send("clerk", f"{path}/corrections", correction)).status_code == 201
    assert "隐患 007" in (await campaign.message(message))["title"]
    for wrong, rule in (
        ({**correction, "field": "due_at"}, "FieldNotCorrectable"),
        ({**correction, "value": {"code": "seven"}}, "CorrectionDoesNotFit"),
        ({**correction, "reason": " "}, "CorrectionNeedsReason"),
    ):
        answer = await campaign.send("clerk", f"{path}/corrections", wrong)
        assert (answer.status_code, answer.json()["rule"]) == (422, rule)
    assert (await campaign.send("clerk", f"{path}/entered-in-error", {"reason": "发错"})).status_code == 201
    answer = await campaign.acknowledge("village_head@dulan", message)
    assert (answer.status_code, answer.json()["rule"]) == (409, "MessageWithdrawn")
    assert (await campaign.message(message))["withdrawn_at"] is not None
    assert message not in await listed(campaign, "village_head@dulan", open=True)


async def test_a_repeated_request_gets_the_first_answer(campaign: Campaign) -> None:
    message = await the_heads(campaign)
    headers = campaign.headers("village_head@dulan")
    answers = [
        (await campaign.town.http.post(f"{INBOX}/{message}/acknowledgement", json={}, headers=headers)).json()
        for _ in "ab"
    ]
    assert answers[1] == answers[0] | {"repeated": True}
    assert await campaign.facts(message) == ["issued", "acknowledged"]


async def test_a_retry_that_is_asked_for_again_with_the_same_key_is_one_retry(campaign: Campaign) -> None:
    """The answer was lost; meanwhile the letter is dead again, or was withdrawn."""
    message = (await ordered(campaign, "p-inspector-1", "safety_office"))["message"]
    before, clerk = len(await campaign.facts(message)), campaign.headers("clerk")

    async def retried() -> tuple[int, Any]:
        answer = await campaign.town.http.post(f"{INBOX}/{message}/retry", json={"channel": "email"}, headers=clerk)
        await campaign.town.settled()
        return answer.status_code, answer.json()

    first = await retried()
    assert first == (202, {"message": message, "channel": "email", "state": "open"})
    tried_again = len(await campaign.facts(message))
    assert tried_again > before
    assert await retried() == first
    assert len(await campaign.facts(message)) == tried_again
    await campaign.done("clerk", f"{INBOX}/{message}/entered-in-error", {"reason": "发错"})
    assert await retried() == first
    clerk = campaign.headers("clerk")
    assert (await retried())[1]["rule"] == "MessageWithdrawn"


# --- pages


async def test_the_inbox_shows_what_waits_and_takes_an_acknowledgement(campaign: Campaign) -> None:
    message = await the_heads(campaign)
    inbox = await campaign.page("village_head@dulan", "/notify/inbox")
    assert inbox.status_code == 200 and 'lang="zh-CN"' in inbox.text
    assert f"隐患 {campaign.hazards:03} 由您负责" in inbox.text
    assert f'action="/notify/messages/{message}/acknowledgement"' in inbox.text
    token = campaign.headers("village_head@dulan")["Authorization"].removeprefix("Bearer ")
    form = await campaign.town.http.post(
        f"/notify/messages/{message}/acknowledgement",
        data={"command_id": str(uuid4())},
        headers={"Accept": "text/html", "Cookie": f"minewatch_token={token}"},
    )
    assert (form.status_code, form.headers["location"]) == (303, "/notify/inbox")
    after = await campaign.page("village_head@dulan", "/notify/inbox")
    assert message not in after.text
    everything = await campaign.page("village_head@dulan", "/notify/inbox?all_of_them=yes")
    assert "已确认" in everything.text and message in everything.text
    nothing = await campaign.page("village_head@taipan", "/notify/inbox")
    assert "没有待确认的通知" in nothing.text


async def test_a_form_of_another_site_acknowledges_nothing(campaign: Campaign) -> None:
    message = await the_heads(campaign)
    headers = {**campaign.headers("village_head@dulan"), "Sec-Fetch-Site": "cross-site"}
    form = await campaign.town.http.post(f"/notify/messages/{message}/acknowledgement", data={}, headers=headers)
    assert form.status_code == 403
    assert await campaign.facts(message) == ["issued"]


async def test_a_message_has_a_page_of_its_own_in_either_language(campaign: Campaign) -> None:
    message = await the_heads(campaign)
    page = await campaign.page("village_head@dulan", f"/notify/messages/{message}")
    assert page.status_code == 200
    for words in ("已下达整改“三落实”", "确认收到", f"隐患 {campaign.hazards:03}</a>", "谷秋实", "待确认"):
        assert words in page.text
    english = await campaign.page("village_head@dulan", f"/notify/messages/{message}?lang=en")
    assert "Acknowledge" in english.text and "Not acknowledged" in english.text
    assert WORDS not in page.text + english.text
    assert (await campaign.page("village_head@taipan", f"/notify/messages/{message}")).status_code == 404


async def test_the_office_sees_dead_letters_and_sends_one_again(campaign: Campaign) -> None:
    message = await ordered(campaign, "p-inspector-1", "safety_office")
    overview = await campaign.page("clerk", "/notify/inbox?everybody=yes")
    assert "条通知未能送达" in overview.text and "全镇通知" in overview.text
    dead = await campaign.page("clerk", "/notify/dead-letters")
    retry = f"/notify/messages/{message['message']}/retry/email"
    assert "无法连接对方" in dead.text and f'action="{retry}"' in dead.text
    read_only = await campaign.page("auditor", "/notify/dead-letters")
    assert "无法连接对方" in read_only.text and retry not in read_only.text
    assert (await campaign.page("inspector", "/notify/dead-letters")).status_code == 403
    token = campaign.headers("clerk")["Authorization"].removeprefix("Bearer ")
    browser = {"Accept": "text/html", "Cookie": f"minewatch_token={token}"}
    form = await campaign.town.http.post(retry, data={"command_id": str(uuid4())}, headers=browser)
    assert (form.status_code, form.headers["location"]) == (303, "/notify/dead-letters")
    page = await campaign.page("clerk", f"/notify/messages/{message['message']}")
    assert "第 1 次" in page.text and "停止重试" in page.text


async def test_a_browser_that_is_not_signed_in_goes_to_sign_in(campaign: Campaign) -> None:
    answer = await campaign.town.http.get("/notify/inbox", headers={"Accept": "text/html"})
    assert answer.status_code == 303 and answer.headers["location"].startswith("/sign-in?")


async def test_the_interface_is_described(campaign: Campaign) -> None:
    told = await campaign.town.get("/notify/openapi.json")
    assert told["openapi"] == "3.1.0"
    assert {"/notify/v1/messages", "/notify/v1/messages/{message}/retry", "/notify/v1/dead-letters"} <= set(
        told["paths"]
    )
