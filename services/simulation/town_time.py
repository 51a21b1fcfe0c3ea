"""The town's time: it stands still while anything is under way, and jumps from one happening to the next."""

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime

from services.together import Together
from shared.clock import SimulatedClock
from shared.errors import MinewatchError
from shared.plan.calendar import TOWN_TIME

LOOK_EVERY = 0.004
"""Seconds between two looks whether all is quiet."""


class NotQuiet(MinewatchError):
    """Something goes on and on: a part of the town has died, or two react to each other."""


@dataclass
class TownTime:
    """`patience`: seconds of real time for everything that one moment brings. `moments` counts them."""

    together: Together
    clock: SimulatedClock
    patience: float = 45.0
    moments: int = 0
    waited: float = 0.0

    def now(self) -> datetime:
        """In town time."""
        return self.clock.now().astimezone(TOWN_TIME)

    async def until(self, moment: datetime) -> None:
        """Goes to `moment`, and stops at every deadline on the way until what it brings is done."""
        while (due := await self._next_deadline()) is not None and due <= moment:
            self._go(max(due, self.clock.now()))
            await self.quiet()
        self._go(moment)

    def _go(self, moment: datetime) -> None:
        self.clock.move_to(moment)
        self.moments += 1
        for service in self.together.services.values():
            service.timer_bell.ring()

    async def _next_deadline(self) -> datetime | None:
        soonest = [await service.clockwork.soonest() for service in self.together.services.values()]
        return min((due for due in soonest if due is not None), default=None)

    async def quiet(self) -> None:
        """Until nothing is under way anywhere. Raises NotQuiet, saying where something is."""
        began = time.monotonic()
        while not await self.together.quiet():
            if time.monotonic() - began > self.patience:
                raise NotQuiet(f"{self.now():%m-%d %H:%M}: {await self._unrest()}")
            await asyncio.sleep(LOOK_EVERY)
        self.waited += time.monotonic() - began

    async def _unrest(self) -> str:
        """What is still under way, service by service."""
        looks = {name: await service.standing() for name, service in self.together.services.items()}
        waits = [f"{name}: {what}" for name, look in looks.items() for what in look.waits]
        behind = [
            f"{name} received {at} of {looks[source].head} of {source}"
            for name, look in looks.items()
            for source, at in look.received.items()
            if at != looks[source].head
        ]
        return "; ".join([*waits, *behind]) or "quiet by now"
