"""A fresh key store for each test, and stores on it as the roles see it."""

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest

from shared.database import open_pool
from shared.identity.key_store import KeyStore
from shared.identity.wrapping import EnvironmentWrapper
from tests.support.kernel import Templates

AUDIENCES = {
    "keys_office": frozenset({"all", "office"}),
    "keys_police": frozenset({"all", "police"}),
    "keys_custodian": frozenset({"all", "custodian"}),
}
MASTER = base64.b64encode(bytes(range(32))).decode()


@dataclass
class Keys:
    """A database `keys`. Each store is a process of its own: it remembers nothing of the others."""

    templates: Templates
    database: str
    pools: list[asyncpg.Pool] = field(default_factory=list)

    async def pool(self, role: str = "keys_office", size: int = 2) -> asyncpg.Pool:
        pool = await open_pool(self.templates.dsn(self.database, role), size, "public")
        self.pools.append(pool)
        return pool

    async def store(self, role: str = "keys_office", master: str = MASTER, size: int = 2, **limits: Any) -> KeyStore:
        pool = await self.pool(role, size)
        return KeyStore(pool, EnvironmentWrapper(master), "intake", AUDIENCES[role], **limits)

    async def superuser(self) -> asyncpg.Pool:
        dsn = self.templates.address.superuser_dsn.rsplit("/", 1)[0] + f"/{self.database}"
        pool = await open_pool(dsn, 1, "public")
        self.pools.append(pool)
        return pool


@pytest.fixture
async def keys(templates: Templates) -> AsyncIterator[Keys]:
    made = Keys(templates, await templates.copy("keys"))
    try:
        yield made
    finally:
        for pool in made.pools:
            pool.terminate()
        await templates.drop(made.database)
