"""Webhooks to a real HTTP receiver: signed, under one id however often they are tried, given up when the receiver says so."""

from collections.abc import AsyncIterator
from datetime import datetime

import pytest

from tests.integration.notify.campaign import DULAN, WORDS, Campaign, a_campaign
from tests.integration.notify.outside import Receiver, a_receiver
from tests.support.services import Ground

OFFICER = "p-police_officer-1"


@pytest.fixture(scope="module")
async def standing(
    ground: Ground, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Campaign, Receiver]]:
    """One town for all of these tests: each adds a hazard of its own."""
    async with (
        a_receiver() as receiver,
        a_campaign(ground, webhooks=receiver.file(tmp_path_factory.mktemp("hooks"))) as made,
    ):
        yield made, receiver


@pytest.fixture
def campaign(standing: tuple[Campaign, Receiver]) -> Campaign:
    return standing[0]


@pytest.fixture
def receiver(standing: tuple[Campaign, Receiver]) -> Receiver:
    standing[1].calls.clear()
    return standing[1]


async def the_assignment(campaign: Campaign, responsible: str = OFFICER, unit: str = "police_station") -> str:
    """A police officer, whose way is the webhook, is made responsible; the message."""
    hazard = await campaign.hazard()
    await campaign.ordered(hazard, responsible=responsible, unit=unit)
    (message,) = await campaign.messages(kind="assignment", about=f"hazard-{hazard}")
    return str(message["message"])


async def outcomes(campaign: Campaign, message: str) -> list[tuple[str, str | None]]:
    told = await campaign.message(message)
    return [(a["outcome"], a["error"]) for a in told["attempts"]]


async def test_a_webhook_is_signed_and_carries_codes_times_and_words(campaign: Campaign, receiver: Receiver) -> None:
    message = await the_assignment(campaign)
    told = receiver.verified(0)
    assert told["type"] == "message.assignment"
    data = told["data"]
    assert (data["message"], data["recipient"], data["village"], data["number"]) == (
        message,
        OFFICER,
        DULAN,
        campaign.hazards,
    )
    assert datetime.fromisoformat(data["due_at"]) == datetime.fromisoformat("2018-01-29T09:00+08:00")
    assert f"隐患 {campaign.hazards:03}" in data["text"] and WORDS not in str(told)
    headers = receiver.calls[0][0]
    assert abs(int(headers["webhook-timestamp"]) - datetime.now().timestamp()) < 60, "real time, not the campaign's"
    assert await outcomes(campaign, message) == [("delivered", None)]


async def test_a_receiver_that_is_busy_is_called_again_under_the_same_id(
    campaign: Campaign, receiver: Receiver
) -> None:
    receiver.answers = [503, 503]
    message = await the_assignment(campaign)
    assert await outcomes(campaign, message) == [("failed", "http_503"), ("failed", "http_503"), ("delivered", None)]
    assert len({headers["webhook-id"] for headers, _ in receiver.calls}) == 1
    assert [receiver.verified(n)["data"]["message"] for n in range(3)] == [message] * 3
    told = await campaign.message(message)
    assert [a["next_at"] is None for a in told["attempts"]] == [False, False, True]


async def test_gone_is_gone(campaign: Campaign, receiver: Receiver) -> None:
    receiver.answers = [410]
    message = await the_assignment(campaign)
    assert await outcomes(campaign, message) == [("dead", "http_410")]


async def test_a_redirect_is_not_followed(campaign: Campaign, receiver: Receiver) -> None:
    receiver.answers = [302] * 3
    message = await the_assignment(campaign)
    assert await outcomes(campaign, message) == [("failed", "http_302")] * 2 + [("dead", "http_302")]


async def test_a_receiver_that_does_not_answer_in_time_is_a_timeout(campaign: Campaign, receiver: Receiver) -> None:
    campaign.deliveries.call_limit, receiver.delay = 0.2, 1.0
    try:
        message = await the_assignment(campaign)
    finally:
        campaign.deliveries.call_limit, receiver.delay = 20.0, 0.0
    assert await outcomes(campaign, message) == [("failed", "timeout")] * 2 + [("dead", "timeout")]


async def test_a_post_without_a_webhook_of_its_own_is_a_dead_letter(campaign: Campaign, receiver: Receiver) -> None:
    message = await the_assignment(campaign, "p-land_officer-1", "land_bureau")
    assert receiver.calls == []
    assert await outcomes(campaign, message) == [("dead", "no_webhook")]
