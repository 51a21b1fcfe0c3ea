"""Cases, reporting and an intake that the test speaks for: a week with the town's report filed, and late facts about it: one
between the cut-off and the filing, one after; and then the first patrol turns out to have been entered in error."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.contracts.intake.patrol import PatrolCorrected
from shared.contracts.parts import Value
from shared.service import Service
from tests.integration.cases.intake import beside
from tests.integration.reporting.desk import FIRST_MORNING, Desk, a_desk
from tests.support.services import Ground, a_service

MINUTE = timedelta(minutes=1)


@dataclass
class Week:
    """`evening`: between the first patrol and the second, before the report; `friday`: its cut-off."""

    desk: Desk
    evening: datetime
    friday: datetime

    @property
    def reporting(self) -> Service:
        return self.desk.town.services["reporting"]

    @property
    def cases(self) -> Service:
        return self.desk.town.services["cases"]


@asynccontextmanager
async def a_week(ground: Ground) -> AsyncIterator[Week]:
    async with a_service(ground, "reporting", now=FIRST_MORNING) as town, a_desk(ground, town) as desk:
        friday = desk.period(1).cut_off_at
        first = await desk.intake.patrol({}, {"place": beside(3000), "live": True})
        evening = FIRST_MORNING + timedelta(hours=6)
        await desk.move_to(evening + MINUTE)
        await desk.intake.patrol(unit="police_station")
        await desk.move_to(friday + 5 * MINUTE)
        await desk.submitted("dulan", 1)
        await desk.move_to(friday + 20 * MINUTE)
        await desk.intake.patrol({"place": beside(6000)}, ended_at=friday - 60 * MINUTE)
        await desk.move_to(desk.period(1).missing_at + 10 * MINUTE)
        await desk.done("clerk", "town", 1, "compilation")
        await desk.done("office_director", "town", 1, "filing")
        await desk.move_to(desk.period(1).missing_at + 60 * MINUTE)
        last = await desk.intake.patrol(ended_at=friday - 90 * MINUTE)
        corrected = PatrolCorrected(field="handling", value=Value(code="reported"), reason="写错")
        await desk.intake.says(last, corrected, at=friday - 120 * MINUTE)  # by somebody whose clock was wrong
        await desk.intake.strikes(first)
        yield Week(desk, evening, friday)
