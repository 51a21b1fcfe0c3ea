"""reporting as it runs, with cases beside it, and an intake that the tests speak for."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.reporting.desk import FIRST_MORNING, Desk, a_desk
from tests.support.services import Ground, a_service


@pytest.fixture
async def desk(ground: Ground) -> AsyncIterator[Desk]:
    async with a_service(ground, "reporting", now=FIRST_MORNING) as town, a_desk(ground, town) as made:
        yield made
