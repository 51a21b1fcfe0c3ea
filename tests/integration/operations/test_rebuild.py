"""Building read models anew, one at a time."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from shared.contracts.envelope import Recorded
from shared.errors import NotReady
from tests.integration.notify.campaign import Campaign


@dataclass
class Held:
    """Opens nothing before `go_on` is set."""

    sealer: Any
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def open(self, recorded: Sequence[Recorded[Any]]) -> list[Recorded[Any]]:
        self.reached.set()
        await self.go_on.wait()
        opened: list[Recorded[Any]] = await self.sealer.open(recorded)
        return opened


async def test_a_second_rebuild_of_a_service_is_refused_while_the_first_is_under_way(campaign: Campaign) -> None:
    """Both would fill the same shadow tables."""
    service = campaign.town.services["cases"]
    held = service.sealer = Held(service.sealer)  # type: ignore[assignment]
    first = asyncio.create_task(service.rebuild())
    await asyncio.wait_for(held.reached.wait(), 20)
    with pytest.raises(NotReady, match="another rebuild of cases"):
        await asyncio.wait_for(service.rebuild(), 20)
    held.go_on.set()
    await first
    await service.rebuild()
