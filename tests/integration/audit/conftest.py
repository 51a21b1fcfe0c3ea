"""A fresh database for each test, as the kernel's tests have it."""

from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client

from tests.support.kernel import Place, Templates, a_connection, a_place
from tests.support.servers import NatsAddress
from tests.support.services import Ground, Town, a_service


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
async def town(ground: Ground) -> AsyncIterator[Town]:
    """The service cases as it runs, its plan adopted."""
    async with a_service(ground, "cases") as made:
        yield made


@pytest.fixture
async def notified(ground: Ground) -> AsyncIterator[Town]:
    """notify beside cases, with some events of its own: unlike cases' first ones, all of them recorded in this town."""
    async with a_service(ground, "notify") as made:
        for _ in range(8):
            reason = {"reason": "季度审计抽查"}
            await made.post("/notify/v1/log/copies", reason, made.headers("auditor"))
        await made.settled()
        yield made
