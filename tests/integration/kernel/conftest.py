"""The kernel's own fixtures: a fresh database for each test, in milliseconds."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from nats.aio.client import Client

from shared.database import open_pool
from tests.support.kernel import Place, Templates, a_connection, a_place
from tests.support.rebuilding import BY_TYPE
from tests.support.servers import NatsAddress


@pytest.fixture
async def place(templates: Templates) -> AsyncIterator[Place]:
    """The service cases, writing the toy's rows inline."""
    async with a_place(templates, sealed=False) as made:
        yield made


@pytest.fixture
async def source(templates: Templates) -> AsyncIterator[Place]:
    """The service cases without inline rows: somebody others receive from."""
    async with a_place(templates, inline=(), sealed=False) as made:
        yield made


@pytest.fixture
async def reader(templates: Templates, source: Place) -> AsyncIterator[Place]:
    """The service reporting in the town of `source`."""
    async with a_place(templates, "reporting", (), source.jurisdiction, sealed=False) as made:
        yield made


@pytest.fixture
async def nc(nats_server: NatsAddress) -> AsyncIterator[Client]:
    async with a_connection(nats_server) as connection:
        yield connection


@pytest.fixture
async def live(place: Place) -> Place:
    """With all three tables that a rebuild makes."""
    for statement in BY_TYPE.ddl():
        await place.pool.execute(statement)
    return place


@pytest.fixture
async def shadow(live: Place) -> AsyncIterator[asyncpg.Pool]:
    """As whoever rebuilds the tables of `live` connects."""
    pool = await open_pool(live.templates.dsn(live.database, "cases_app"), 2, "shadow, work, record")
    yield pool
    pool.terminate()
