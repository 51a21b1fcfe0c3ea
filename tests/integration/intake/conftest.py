"""A town with intake and cases in it: one for all tests that only add to it, a fresh one for those that need it to themselves."""

from collections.abc import AsyncIterator

import pytest

from tests.support.services import Ground, Town, a_service


@pytest.fixture(scope="module")
async def town(ground: Ground) -> AsyncIterator[Town]:
    async with a_service(ground, "intake") as made:
        yield made


@pytest.fixture
async def own_town(ground: Ground) -> AsyncIterator[Town]:
    async with a_service(ground, "intake") as made:
        yield made
