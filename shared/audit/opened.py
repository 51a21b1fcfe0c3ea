"""A service's record, opened by the command line beside the running service or without one: to be read, and to note who reads."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from shared.app import App
from shared.clock import SystemClock
from shared.database import open_pool
from shared.ending import ended
from shared.identity.key_store import KeyStore
from shared.identity.wrapping import KeyWrapper, wrapper_of
from shared.plan.book import PlanBook
from shared.sealer import ServiceSealer
from shared.sequencer import Sequencer
from shared.service import ServiceCard
from shared.settings import Settings


@dataclass
class Opened:
    """`pool` writes nothing: Postgres itself refuses it."""

    card: ServiceCard
    settings: Settings
    pool: asyncpg.Pool
    sealer: ServiceSealer

    @property
    def name(self) -> str:
        return self.card.name


@asynccontextmanager
async def opened(card: ServiceCard, settings: Settings) -> AsyncIterator[Opened]:
    """Opens the texts that the office may read."""
    pool = await open_pool(settings.app_dsn, 3, default_transaction_read_only="on")
    keys = await open_pool(settings.keys_dsn, 2, "public")
    wrapper = wrapper_of(settings.master_key, settings.key_service)
    try:
        yield Opened(card, settings, pool, _sealer(card, wrapper, keys))
    finally:
        pool.terminate()
        keys.terminate()
        await wrapper.close()


@asynccontextmanager
async def recording(card: ServiceCard, settings: Settings) -> AsyncIterator[App]:
    """To record who reads. What is recorded is numbered, too: nothing else of the service need run."""
    pool, log_pool = await open_pool(settings.app_dsn, 3), await open_pool(settings.log_dsn, 2)
    keys = await open_pool(settings.keys_dsn, 2, "public")
    clock, terms = SystemClock(), PlanBook(settings.plans).terms
    wrapper = wrapper_of(settings.master_key, settings.key_service)
    sealer = _sealer(card, wrapper, keys)
    app = App(card.name, settings.jurisdiction, pool, card.deciders, card.inline, sealer, clock, terms)
    numbering = asyncio.create_task(Sequencer(card.name, log_pool, clock, app.appended).run())
    try:
        yield app
    finally:
        await ended([numbering])
        for each in (pool, log_pool, keys):
            each.terminate()
        await wrapper.close()


def _sealer(card: ServiceCard, wrapper: KeyWrapper, keys: asyncpg.Pool) -> ServiceSealer:
    return ServiceSealer(KeyStore(keys, wrapper, card.name, frozenset({"all", "office"})))
