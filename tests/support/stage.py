"""A whole town in this process on a simulated clock, with the demo's people to act in it by HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from services.simulation.course import a_stage
from services.simulation.outside import Outside, outside, write_hooks
from services.simulation.scene import Stage
from services.together import Together, listening, town
from shared.clock import SimulatedClock
from shared.plan.loader import load_plan
from shared.plan.terms import PlanTerms


@dataclass
class Played:
    """`world`: the mail server and webhook receiver outside."""

    stage: Stage
    together: Together
    world: Outside


@dataclass
class Silent:
    """Keeps the news instead of telling it."""

    news: list[str] = field(default_factory=list)

    def day(self, moment: datetime) -> None:
        pass

    def tell(self, at: datetime, text: str) -> None:
        self.news.append(text)


@asynccontextmanager
async def a_played_town(folder: Path, plan_file: Path, seed: int = 1) -> AsyncIterator[Played]:
    """From the first hour of the plan's campaign on; stopped with its servers at the end."""
    loaded = load_plan(plan_file)
    clock = SimulatedClock(PlanTerms(loaded.plan, loaded.version).starts_at)
    async with outside() as world:
        write_hooks(folder, world.hooks)
        async with (
            town(folder, plan_file, clock, world.mail.address) as together,
            listening(together, 0) as address,
            a_stage(together, address, clock, seed) as stage,
        ):
            await stage.time.quiet()
            yield Played(stage, together, world)
