"""The seventy days, lived through: from moment to moment, everybody does what the timetable says, and the town comes to rest."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Protocol

import httpx

from services.simulation.cast import Cast
from services.simulation.fridays import report_entries
from services.simulation.mailbox import mailbox_entries
from services.simulation.outside import MailBox
from services.simulation.plots import Plot
from services.simulation.register import register_entries
from services.simulation.routine import routine_entries
from services.simulation.scene import AT_ONCE, Stage
from services.simulation.story_patrols import patrol_plots
from services.simulation.story_tips import tip_plots
from services.simulation.timetable import Entry, by_moment
from services.simulation.town_time import TownTime
from services.together import Together
from shared.clock import SimulatedClock
from shared.identity.tokens import Tokens
from shared.plan.terms import PlanTerms

SERVICE = "simulation"
"""The name under which the demo reads the logs."""


class Told(Protocol):
    """Who hears of it."""

    def day(self, moment: datetime) -> None: ...

    def tell(self, at: datetime, text: str) -> None: ...


@asynccontextmanager
async def a_stage(together: Together, address: str, clock: SimulatedClock, seed: int) -> AsyncIterator[Stage]:
    """Everything the people need to act on a running town."""
    kept = together.home.secrets
    plan = PlanTerms(together.plan.plan, together.plan.version)
    cast = Cast(plan, Tokens(kept["token_public"], kept["token_private"]))
    limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
    async with httpx.AsyncClient(base_url=address, timeout=60, limits=limits, trust_env=False) as http:
        yield Stage(http, cast, TownTime(together, clock), seed)


def timetable(cast: Cast, mail: MailBox) -> list[Entry]:
    """The whole demo. What takes numbers from one register stands alone, in a fixed order."""
    plots: Sequence[Plot] = (*tip_plots(), *patrol_plots())
    entries = [entry for plot in plots for entry in plot.entries()]
    fixed = [*register_entries(plots), *entries, *report_entries(cast), *mailbox_entries(mail)]
    return [*fixed, *routine_entries(cast)]


async def live(stage: Stage, entries: Iterable[Entry], told: Told, until: datetime) -> None:
    """Until `until`, deadlines and all. Raises NotAsScripted, NotQuiet."""
    await stage.time.quiet()
    for at, together in by_moment(entries):
        if at > until:
            break
        await stage.time.until(at)
        told.day(at)
        await _moment(stage, at, together, told)
        await stage.time.quiet()
    await stage.time.until(until)
    await stage.time.quiet()
    told.day(until + timedelta(days=1))


async def _moment(stage: Stage, at: datetime, entries: Sequence[Entry], told: Told) -> None:
    for entry in entries:
        if entry.alone and (news := await entry.act(stage.scene(entry.name))):
            told.tell(at, news)
    gate = asyncio.Semaphore(AT_ONCE)

    async def act(entry: Entry) -> None:
        async with gate:
            await entry.act(stage.scene(entry.name))

    await asyncio.gather(*(act(entry) for entry in entries if not entry.alone))
