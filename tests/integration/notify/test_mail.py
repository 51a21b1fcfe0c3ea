"""Mail to a real SMTP server: what arrives, again after a refusal, and what becomes of a letter nobody takes."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.integration.notify.campaign import BRIEF, WORDS, Campaign, a_campaign
from tests.integration.notify.outside import MailServer, a_mail_server
from tests.support.kernel import until
from tests.support.services import Ground

INSPECTOR = "p-inspector-1"


@pytest.fixture(scope="module")
async def standing(ground: Ground) -> AsyncIterator[tuple[Campaign, MailServer]]:
    """One town for most of these tests: each adds a hazard of its own."""
    async with a_mail_server() as server, a_campaign(ground, mail=server.address) as made:
        yield made, server


@pytest.fixture
def campaign(standing: tuple[Campaign, MailServer]) -> Campaign:
    standing[0].deliveries.back_off = BRIEF
    return standing[0]


@pytest.fixture
def mail_server(standing: tuple[Campaign, MailServer]) -> MailServer:
    standing[1].came.clear()
    return standing[1]


async def the_assignment(campaign: Campaign) -> str:
    """Somebody with an address is made responsible; the message."""
    hazard = await campaign.hazard()
    await campaign.ordered(hazard, responsible=INSPECTOR, unit="safety_office")
    (message,) = await campaign.messages(kind="assignment", about=f"hazard-{hazard}")
    return str(message["message"])


async def test_an_assignment_arrives_as_mail_that_says_nothing_of_the_tip(
    campaign: Campaign, mail_server: MailServer
) -> None:
    message = await the_assignment(campaign)
    (envelope,), (letter,) = mail_server.came, mail_server.letters
    assert envelope.rcpt_tos == ["inspector-1@example.org"]
    assert envelope.mail_from == "minewatch@example.org"
    no = f"{campaign.hazards:03}"
    assert (
        letter["Subject"]
        == f"【三落实】隐患 {no} 由您负责，限 01-29 09:00 前整改 / Hazard {no} is yours, due 01-29 09:00"
    )
    body = letter.get_content()
    assert campaign.town.plan.name("village", "140181101207") in body
    assert "由您负责" in letter["Subject"] and "三落实" in body
    assert not any(word in f"{letter}{body}" for word in (WORDS, "挖掘机", "tip-"))
    told = await campaign.message(message)
    assert told["title"] == letter["Subject"]
    assert told["text"] == body.replace("\r\n", "\n")
    assert [(a["channel"], a["outcome"], a["error"]) for a in told["attempts"]] == [("email", "delivered", None)]
    assert await campaign.facts(message) == ["issued", "attempt_started", "attempt_succeeded"]


async def test_what_the_server_refuses_for_now_comes_again_as_the_very_same_mail(
    campaign: Campaign, mail_server: MailServer
) -> None:
    mail_server.answers = ["451 try again", "421 closing"]
    message = await the_assignment(campaign)
    assert len(mail_server.came) == 3
    assert len({(mail["Message-ID"], mail["Date"], mail["Subject"]) for mail in mail_server.letters}) == 1
    assert len({envelope.original_content for envelope in mail_server.came}) == 1
    told = await campaign.message(message)
    assert [(a["attempt"], a["outcome"], a["error"]) for a in told["attempts"]] == [
        (1, "failed", "smtp_451"), (2, "failed", "smtp_421"), (3, "delivered", None),
    ]  # fmt: skip
    assert await campaign.facts(message) == [
        "issued",
        *["attempt_started", "attempt_failed"] * 2,
        "attempt_started",
        "attempt_succeeded",
    ]


async def test_what_is_refused_for_good_is_a_dead_letter_until_the_office_tries_again(
    campaign: Campaign, mail_server: MailServer
) -> None:
    clerk = campaign.headers("clerk")
    before = await campaign.town.get("/notify/v1/outcomes", clerk)
    mail_server.rcpt = ["550 no such mailbox"]
    message = await the_assignment(campaign)
    assert mail_server.came == []
    (dead,) = (await campaign.town.get("/notify/v1/dead-letters", clerk))["items"]
    assert (dead["message"], dead["channel"], dead["attempts"], dead["last_error"]) == (message, "email", 1, "smtp_550")
    after = await campaign.town.get("/notify/v1/outcomes", clerk)
    assert after["dead"] == 1
    for outcome in ("started", "failed", "dead"):
        assert after["channels"]["email"][outcome] == before["channels"].get("email", {}).get(outcome, 0) + 1
    told = await campaign.message(message)
    assert [(a["outcome"], a["error"]) for a in told["attempts"]] == [("dead", "smtp_550")]

    retry = f"/notify/v1/messages/{message}/retry"
    assert (await campaign.send("inspector", retry, {"channel": "email"})).status_code == 403
    assert (await campaign.send("clerk", retry, {"channel": "webhook"})).status_code == 404
    key = campaign.headers("clerk")
    answer = await campaign.town.http.post(retry, json={"channel": "email"}, headers=key)
    assert (answer.status_code, answer.json()["state"]) == (202, "open")
    await campaign.town.settled()
    assert [e.rcpt_tos for e in mail_server.came] == [["inspector-1@example.org"]]
    assert (await campaign.town.get("/notify/v1/dead-letters", clerk))["items"] == []
    assert (await campaign.facts(message))[-2:] == ["attempt_started", "attempt_succeeded"]
    again = await campaign.send("clerk", retry, {"channel": "email"})
    assert (again.status_code, again.json()["rule"]) == (409, "ChannelSettled")
    repeated = await campaign.town.http.post(retry, json={"channel": "email"}, headers=key)
    assert (repeated.status_code, repeated.json()) == (202, answer.json()), "its own success is no reason to refuse it"


async def test_a_server_that_is_away_is_tried_until_the_letter_is_dead(ground: Ground) -> None:
    async with a_campaign(ground, mail="smtp://127.0.0.1:1?from=minewatch@example.org") as campaign:
        message = await the_assignment(campaign)
        told = await campaign.message(message)
        assert [(a["outcome"], a["error"]) for a in told["attempts"]] == [("failed", "refused")] * 2 + [
            ("dead", "refused")
        ]


async def test_the_town_is_not_quiet_while_a_letter_is_on_its_way(campaign: Campaign, mail_server: MailServer) -> None:
    """The simulated clock must not run on while something waits for an answer from outside, nor while it waits in back-off."""

    async def only_the_letter_waits() -> bool:
        return (await campaign.notify.standing()).waits == ("a delivery",)

    campaign.deliveries.back_off = (timedelta(seconds=3),)
    mail_server.answers = ["451 try again"]
    hazard = await campaign.hazard()
    order = {"measure": "sealing", "responsible": INSPECTOR, "responsible_unit": "safety_office"}
    order["deadline_at"] = (campaign.now() + timedelta(days=7)).isoformat()
    await campaign.town.post(f"/cases/v1/hazards/{hazard}/three-fix", order, campaign.headers("inspector"))
    await until(lambda: mail_server.came)
    await until(only_the_letter_waits)
    assert not await campaign.notify.quiet()
    assert len(mail_server.came) == 1
    await campaign.town.settled()
    assert len(mail_server.came) == 2
    assert await campaign.notify.quiet()
