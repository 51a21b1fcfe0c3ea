"""A town without mail server and webhooks: nothing is attempted, the record says so, and whoever looks is told once."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from services.notify.main import outside
from shared.contracts.notify.message import ChannelUnavailable
from shared.delivery_rows import UNAVAILABLE
from shared.telemetry import DELIVERIES
from tests.integration.notify.campaign import Campaign, a_campaign
from tests.integration.notify.outside import MailServer
from tests.integration.notify.sending import Office
from tests.support.commands import command, environment_of
from tests.support.services import Ground

CLERKS_PAGE = "/notify/inbox?everybody=yes"


@pytest.fixture(scope="module")
async def campaign(ground: Ground) -> AsyncIterator[Campaign]:
    """One town for all of these tests: each adds a hazard or a call of its own."""
    async with a_campaign(ground) as made:
        yield made


async def an_assignment(campaign: Campaign) -> str:
    """To somebody who wants mail; the message."""
    hazard = await campaign.hazard()
    await campaign.ordered(hazard, "p-inspector-1", "safety_office")
    (message,) = await campaign.messages(kind="assignment", about=f"hazard-{hazard}")
    return str(message["message"])


async def outcomes(campaign: Campaign) -> dict[str, int]:
    """Of mail; letters that are dead now stand under `now dead`."""
    told = await campaign.town.get("/notify/v1/outcomes", campaign.headers("clerk"))
    return {**told["channels"].get("email", {}), "now dead": told["dead"]}


async def test_nothing_is_attempted_and_the_record_says_why(campaign: Campaign) -> None:
    before = await outcomes(campaign)
    message = await an_assignment(campaign)
    assert await campaign.facts(message) == ["issued", "channel_unavailable"]
    assert await outcomes(campaign) == before | {"unavailable": before.get("unavailable", 0) + 1}
    told = await campaign.message(message, "inspector")
    assert [(a["channel"], a["outcome"], a["error"]) for a in told["attempts"]] == [("email", "unavailable", "no_mail")]
    assert message in (await campaign.page("inspector", "/notify/inbox")).text
    page = await campaign.page("clerk", f"/notify/messages/{message}")
    assert "未发送" in page.text and "本系统未配置邮件服务器" in page.text
    assert "条通知未能送达" not in (await campaign.page("clerk", CLERKS_PAGE)).text


async def test_a_live_call_that_nobody_answers_in_the_app_goes_up_the_ladder(campaign: Campaign) -> None:
    tip = await campaign.live_tip()
    called = [(m["step"], m["recipient"]) for m in await campaign.messages(kind="live_call_out", about=tip)]
    assert {step for step, _ in called} == {0}
    await campaign.pass_time(minutes=30)
    above = [m for m in await campaign.messages(kind="live_call_out", about=tip) if m["step"] == 1]
    assert above and not {m["recipient"] for m in above} & {person for _, person in called}
    for message in above:
        sent = set(await campaign.facts(message["message"])) & {"attempt_started", "attempt_succeeded", "dead_lettered"}
        assert sent == set()


async def test_when_the_channel_comes_old_letters_stay_unless_the_office_sends_one(
    campaign: Campaign, mail_server: MailServer
) -> None:
    old, wanted = await an_assignment(campaign), await an_assignment(campaign)
    settings = replace(campaign.notify.settings, mail=mail_server.address)
    without, campaign.deliveries.outside = campaign.deliveries.outside, outside(settings, campaign.notify.book)
    try:
        await the_channel_has_come(campaign, mail_server, old, wanted)
    finally:
        campaign.deliveries.outside = without


async def the_channel_has_come(campaign: Campaign, mail_server: MailServer, old: str, wanted: str) -> None:
    new = await an_assignment(campaign)
    assert [letter["Subject"] for letter in mail_server.letters] == [(await campaign.message(new))["title"]]
    page = await campaign.page("clerk", f"/notify/messages/{wanted}")
    assert f'action="/notify/messages/{wanted}/retry/email"' in page.text
    again = await campaign.send("clerk", f"/notify/v1/messages/{wanted}/retry", {"channel": "email"})
    assert again.status_code == 202 and len(mail_server.came) == 2
    assert await campaign.facts(wanted) == ["issued", "channel_unavailable", "attempt_started", "attempt_succeeded"]
    assert await campaign.facts(old) == ["issued", "channel_unavailable"]
    twice = await campaign.send("clerk", f"/notify/v1/messages/{wanted}/retry", {"channel": "email"})
    assert twice.json()["rule"] == "ChannelSettled"


async def test_it_is_recorded_once_for_each_attempt_and_counted(office: Office) -> None:
    def counted() -> float:
        return float(DELIVERIES.labels("notify", "email", UNAVAILABLE)._value.get())

    before, stream = counted(), await office.issue()
    deliveries = office.deliveries(lacking={"email": "no_mail"})
    id_ = (await office.row(stream))["delivery_id"]
    assert [await deliveries.attempt(id_) for _ in range(2)] == [False, False]
    assert await office.facts(stream) == [ChannelUnavailable(channel="email", attempt=1, reason="no_mail")]
    row = await office.row(stream)
    assert (row["state"], row["last_error"], row["attempts"]) == ("done", UNAVAILABLE, 1)
    assert office.line.sent == [] and counted() == before + 1


async def test_status_says_once_how_many_it_concerns_and_finds_no_trouble(campaign: Campaign) -> None:
    """On the page and in the terminal alike."""
    await an_assignment(campaign)
    people = len({p.person for p in campaign.town.plan.plan.people if "email" in p.channels})
    told = (await campaign.town.http.get("/notify/v1/status", headers=campaign.headers("auditor"))).json()
    mail, push = told["hints"]
    assert told["findings"] == [] and {mail["kind"], push["kind"]} == {"ChannelNotSetUp"}
    assert (
        f"{people} 人收不到邮件" in mail["zh"] and f"{people} people get no mail" in mail["en"] and "推送" in push["zh"]
    )
    page = await campaign.page("clerk", "/notify/status?lang=zh")
    assert "一切正常" in page.text and page.text.count(mail["zh"]) == 1
    assert "ChannelNotSetUp" not in (await campaign.page("clerk", "/cases/status?lang=zh")).text

    environment = environment_of(campaign.notify.settings)
    said = (await command(environment, "status", "notify")).text
    assert said.count(f"ChannelNotSetUp {mail['en']}") == said.count(f"ChannelNotSetUp {push['en']}") == 1
    with_mail = environment | {"MINEWATCH_MAIL": "smtp://127.0.0.1:1?from=m@example.org"}
    said = (await command(with_mail, "status", "notify")).text
    assert mail["en"] not in said and said.count("ChannelNotSetUp") == 1
