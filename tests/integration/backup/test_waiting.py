"""A backup of a town at work waits for signatures before it takes its moment; not for ever, and not where nobody signs."""

import asyncio
import time
from collections.abc import Mapping, Sequence

import asyncpg
import pytest

from shared.backup.manifest import Manifest
from shared.backup.signed import Standing, waited
from shared.backup.verify import verify
from shared.settings import SERVICES
from shared.transparency.policy import Policy
from tests.support.backups import BackedUp, empty_databases

UNSIGNED = "SELECT position > (SELECT coalesce(max(size), 0) FROM record.checkpoint) FROM work.head"


@pytest.fixture
async def policy(town: BackedUp) -> Policy:
    """For all logs, which are signed to their end but for two events of intake."""
    await town.a_tip()
    await town.town.settled(60)
    logs = []
    for name, service in town.town.services.items():
        if await service.pool.fetchval(UNSIGNED):
            await town.signed(name, at=int(time.time()))
        logs += [line for line in town.policy_text(name) if line.startswith("log ")]
    for _ in range(2):
        await town.a_tip()
    await town.town.settled(60)
    return Policy.read("\n".join([*logs, *town.policy_text("intake")[1:]]))


class Waiting:
    """`told`: whom it waited for; `late`: whom it did not."""

    def __init__(self, town: BackedUp, policy: Policy, seconds: float) -> None:
        self.town, self.policy, self.seconds = town, policy, seconds
        self.told: list[list[tuple[str, int]]] = []
        self.late: list[Standing] = []
        self.begun = asyncio.Event()

    async def ready(self, connections: Mapping[str, asyncpg.Connection]) -> None:
        self.late = await waited(connections, self.policy, self.seconds, self._tell)

    def _tell(self, logs: Sequence[Standing]) -> None:
        self.told.append([(log.service, log.unsigned) for log in logs])
        self.begun.set()


async def test_it_waits_until_what_the_logs_held_is_signed_as_the_policy_asks(town: BackedUp, policy: Policy) -> None:
    waiting = Waiting(town, policy, 120)
    await town.signed("intake", ())  # by the log alone, and the policy asks for both witnesses
    taking = asyncio.create_task(town.backup("waited-for", ready=waiting.ready))
    first, _ = await asyncio.wait({taking, asyncio.create_task(waiting.begun.wait())}, return_when="FIRST_COMPLETED")
    assert taking not in first, "it did not wait"
    await town.a_tip()
    await town.town.settled(60)
    assert not taking.done()
    await town.signed("intake", at=int(time.time()))
    folder = await taking
    assert waiting.told == [[("intake", 2)]] and waiting.late == []
    part = Manifest.read(folder).services["intake"]
    assert verify(folder, policy=policy).witnessed["intake"].checkpoint.size == part.position


async def test_when_nobody_signs_in_time_it_goes_on_and_names_the_log(town: BackedUp, policy: Policy) -> None:
    waiting = Waiting(town, policy, 0.6)
    folder = await town.backup("not-in-time", ready=waiting.ready)
    assert waiting.told == [[("intake", 2)]]
    (late,) = waiting.late
    end = Manifest.read(folder).services["intake"].position
    assert (late.service, late.held, late.unsigned) == ("intake", end, 2) and late.at is not None


async def test_a_town_that_stands_still_is_not_waited_for(town: BackedUp, policy: Policy) -> None:
    async with empty_databases(town.ground) as place:
        connections = {name: await asyncpg.connect(place.dsn(name)) for name in SERVICES}
        waiting = Waiting(town, policy, 60)
        try:
            await connections["cases"].execute("UPDATE work.head SET position = 3")
            await waiting.ready(connections)
        finally:
            for connection in connections.values():
                await connection.close()
    assert waiting.told == []
    assert [(late.service, late.unsigned) for late in waiting.late] == [("cases", 3)]
