"""An older copy of the key store was put back by hand: whoever is erased by the log is erased again, without being asked for."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared.retention import Tidying
from tests.integration.intake.informants import erased, named_tip
from tests.integration.intake.test_erasure import subject_of
from tests.support.services import Ground, Town, a_service

KEYS = "SELECT key_id, wrapped FROM public.key WHERE subject = $1 AND wrapped IS NOT NULL ORDER BY key_id"
PUT_BACK = "UPDATE public.key SET wrapped = $2, destroyed_at = NULL WHERE key_id = $1"


@pytest.fixture
async def own_town(ground: Ground) -> AsyncIterator[Town]:
    async with a_service(ground, "intake") as made:
        yield made


async def test_keys_put_back_are_destroyed_at_the_start_and_the_others_stay(ground: Ground, own_town: Town) -> None:
    intake = own_town.services["intake"]
    assert intake.custodian is not None
    database = intake.settings.keys_dsn.rsplit("/", 1)[1]
    async with ground.templates._superuser(database) as keys:
        _, tip = await named_tip(own_town)
        subject = await subject_of(own_town, tip)
        kept = await keys.fetch(KEYS, subject)
        await erased(own_town, tip)
        other = await subject_of(own_town, (await named_tip(own_town))[1])
        assert kept and not await keys.fetch(KEYS, subject)

        await keys.executemany(PUT_BACK, kept)
        tidying = Tidying("intake", intake.pool, keys=intake.custodian)
        task = asyncio.create_task(tidying.run())
        async with asyncio.timeout(5):
            while await keys.fetch(KEYS, subject):
                await asyncio.sleep(0.02)
        task.cancel()
        assert await keys.fetch(KEYS, other) and await tidying.erased_again() == 0
