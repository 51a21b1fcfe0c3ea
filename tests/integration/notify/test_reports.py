"""Reports: announced, reminded of on Thursday, wanted on Friday, missed; and silence once they have come."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from shared.contracts.reporting.weekly_report import (
    ReportDue,
    ReportMissed,
    ReportOpened,
    ReportReturned,
    ReportSubmitted,
)
from tests.integration.notify.campaign import Campaign, Speaker, a_campaign, a_speaker
from tests.support.services import Ground

REPORTER = "p-designated_reporter-dulan"
REPORT = "weekly_report-zhenchengdi-2018-dulan-02"


@pytest.fixture
async def campaign(ground: Ground) -> AsyncIterator[Campaign]:
    async with a_campaign(ground) as made:
        yield made


@pytest.fixture
async def reporting(ground: Ground, campaign: Campaign) -> AsyncIterator[Speaker]:
    async with a_speaker(ground, campaign.town, "reporting") as made:
        yield made


def opened(campaign: Campaign, unit: str = "dulan", scope: str = "unit") -> ReportOpened:
    period = campaign.town.plan.period(2)
    return ReportOpened(
        scope=scope,
        unit=unit,
        period_no=2,
        starts_at=period.starts_at,
        cut_off_at=period.cut_off_at,
        due_at=period.due_at,
        missing_at=period.missing_at,
        closing=False,
    )


async def test_a_report_is_announced_in_the_inbox_and_reminded_of_on_thursday(
    campaign: Campaign, reporting: Speaker
) -> None:
    period = campaign.town.plan.period(2)
    await reporting.says(REPORT, opened(campaign))
    (announced,) = await campaign.messages(kind="report_opened")
    assert (announced["recipient"], announced["channels"]) == (REPORTER, ["in_app"])
    await campaign.pass_time(seconds=(period.due_at - campaign.now()).total_seconds() - 86_401)
    assert await campaign.messages(kind="report_due") == []
    await campaign.pass_time(seconds=1)
    assert [m["recipient"] for m in await campaign.messages(kind="report_due")] == [REPORTER]


async def test_a_report_that_came_is_not_asked_for(campaign: Campaign, reporting: Speaker) -> None:
    await reporting.says(REPORT, opened(campaign))
    came = ReportSubmitted(unit="dulan", period_no=2, late=False, figures=(), cut=(), content_sha256="ab" * 32)
    await reporting.says(REPORT, came)
    await campaign.pass_time(days=4)
    assert await campaign.messages(kind="report_due") == []


async def test_a_returned_report_is_wanted_again(campaign: Campaign, reporting: Speaker) -> None:
    await reporting.says(REPORT, opened(campaign))
    came = ReportSubmitted(unit="dulan", period_no=2, late=False, figures=(), cut=(), content_sha256="ab" * 32)
    await reporting.says(REPORT, came)
    await reporting.says(REPORT, ReportReturned(unit="dulan", period_no=2, reason="漏报一处"))
    (returned,) = await campaign.messages(kind="report_returned")
    assert returned["recipient"] == REPORTER and returned["due_at"] is not None
    await campaign.pass_time(days=4)
    assert [m["recipient"] for m in await campaign.messages(kind="report_due")] == [REPORTER]


async def test_friday_comes_and_then_the_office_learns_of_what_is_missing(
    campaign: Campaign, reporting: Speaker
) -> None:
    await reporting.says(REPORT, opened(campaign))
    due_at = campaign.town.plan.period(2).due_at
    campaign.town.clock.move_to(due_at)
    await reporting.says(REPORT, ReportDue(unit="dulan", period_no=2, due_at=due_at))
    assert len(await campaign.messages(kind="report_due")) == 2, "Thursday's and Friday's"
    await campaign.pass_time(hours=3)
    await reporting.says(REPORT, ReportMissed(unit="dulan", period_no=2))
    missed = sorted(m["recipient"] for m in await campaign.messages(kind="report_missed"))
    assert missed == [REPORTER, "p-director"]


async def test_the_towns_own_report_is_announced_to_nobody(campaign: Campaign, reporting: Speaker) -> None:
    await reporting.says("weekly_report-zhenchengdi-2018-town-02", opened(campaign, "town", "town"))
    assert await campaign.messages() == []


async def test_for_a_unit_without_a_reporter_the_office_is_told(campaign: Campaign, reporting: Speaker) -> None:
    path = "/cases/v1/appointments"
    named = next(p.assignment for p in campaign.town.plan.people if p.person == REPORTER)
    await campaign.done("office_director", f"{path}/{named}/end", {"on": "2018-01-21", "reason": "transferred"})
    await reporting.says(REPORT, opened(campaign))
    assert [m["recipient"] for m in await campaign.messages(kind="report_opened")] == ["p-director"]
    assert campaign.town.plan.period(2).due_at - campaign.now() > timedelta(days=3)
