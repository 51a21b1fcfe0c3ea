"""cases as it runs, on databases of its own, beside an intake that the tests speak for."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.cases.desk import Desk
from tests.integration.cases.intake import an_intake
from tests.support.services import Ground, a_service


@pytest.fixture
async def desk(ground: Ground) -> AsyncIterator[Desk]:
    async with a_service(ground, "cases") as town, an_intake(ground, town) as intake:
        yield Desk(town, intake)
