"""Building read models anew, one at a time."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from shared.contracts.envelope import Recorded
from shared.errors import NotReady
from shared.replay import clear_shadow
from shared.sql import Tx
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


SOMEBODY_WAITS = """
SELECT EXISTS (
    SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()
)
"""


async def test_a_rebuild_waits_for_a_process_that_starts_and_clears_up_what_another_left(campaign: Campaign) -> None:
    """Which is no rebuild, and soon over."""
    service = campaign.town.services["cases"]
    async with service.pool.acquire() as connection, asyncio.timeout(20):
        async with connection.transaction():
            await clear_shadow(Tx(connection))
            rebuilding = asyncio.create_task(service.rebuild())
            while not rebuilding.done() and not await connection.fetchval(SOMEBODY_WAITS):
                await asyncio.sleep(0.01)
        await rebuilding
