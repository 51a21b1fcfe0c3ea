"""A town whose logs are signed, with one hazard that came from a named tip and a patrol, and was closed out."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from tests.integration.evidence.story import Told, told
from tests.integration.evidence.trail import Pen
from tests.support.services import Ground, a_service

FRIDAY = datetime(2018, 1, 19, 9, 30, tzinfo=UTC)
"""17:30 in the town: the first reports can be submitted, and none is late yet."""


@pytest.fixture(scope="package")
async def story(ground: Ground) -> AsyncIterator[Told]:
    async with a_service(ground, "intake", "reporting", "notify", now=FRIDAY) as town:
        pen = Pen(town.services)
        async with pen.signing():
            yield await told(town, pen)
