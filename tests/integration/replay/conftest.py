"""A town that has lived through a week with a report in it; all tests here share it."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.integration.replay.week import Week, a_week
from tests.support.services import Ground


@pytest.fixture(scope="session")
async def week(ground: Ground) -> AsyncIterator[Week]:
    async with a_week(ground) as made:
        yield made


@pytest.fixture
async def server(ground: Ground) -> AsyncIterator[asyncpg.Connection]:
    """As superuser, to see which databases there are."""
    await ground.templates.prepare()
    connection = await asyncpg.connect(ground.templates.dsn("postgres"))
    yield connection
    await connection.close()
