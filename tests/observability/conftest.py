"""A town of cases and notify whose measurements are read. Its mail server is away."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.notify.campaign import Campaign, a_campaign
from tests.support.services import Ground


@pytest.fixture
async def campaign(ground: Ground) -> AsyncIterator[Campaign]:
    async with a_campaign(ground, mail="smtp://127.0.0.1:1?from=minewatch@example.org") as made:
        yield made
