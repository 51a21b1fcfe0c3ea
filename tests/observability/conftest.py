"""A town of cases and notify whose measurements are read."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.notify.campaign import Campaign, a_campaign
from tests.support.services import Ground


@pytest.fixture
async def campaign(ground: Ground) -> AsyncIterator[Campaign]:
    async with a_campaign(ground) as made:
        yield made
