"""Services as they run, to be looked after."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.notify.campaign import Campaign, a_campaign
from tests.support.services import Ground


@pytest.fixture
async def campaign(ground: Ground) -> AsyncIterator[Campaign]:
    """cases and notify."""
    async with a_campaign(ground) as made:
        yield made


@pytest.fixture(scope="module")
async def untouched(ground: Ground) -> AsyncIterator[Campaign]:
    """The same, for all tests of a file that only look."""
    async with a_campaign(ground) as made:
        yield made
