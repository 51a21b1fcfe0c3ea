"""The kernel's own fixtures: a fresh database for each test, in milliseconds."""

from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client

from tests.support.kernel import Place, Templates, a_connection, a_place
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
