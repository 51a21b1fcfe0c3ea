"""A service as a command opens it: to serve, or to look at it and to mend it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from shared.cli.entries import entry
from shared.cli.stopped import reached
from shared.clock import SystemClock
from shared.ending import ended
from shared.sequencer import Sequencer
from shared.service import Service
from shared.settings import Settings


def service(name: str, parts: frozenset[str] = frozenset(), settings: Settings | None = None) -> Service:
    """The service `name`, not opened; `parts` are those it would start. Without `settings`: those of the environment.

    Raises SettingMissing.
    """
    card = entry("minewatch.services", name)()
    return Service(card, settings or Settings.from_environment(name), SystemClock(), parts)


@asynccontextmanager
async def opened(names: Sequence[str], data: Path | None, numbering: bool = False) -> AsyncIterator[dict[str, Service]]:
    """The services by name, of which no part runs but, with `numbering`, the sequencers: where nothing else runs, nobody else
    gives a number to what is recorded here."""
    async with reached(data) as settings_for, AsyncExitStack() as stack:
        services = {}
        for name in names:
            one = services[name] = service(name, settings=settings_for(name))
            await one.open()
            stack.push_async_callback(one.close)
            if numbering:
                sequencer = Sequencer(name, one.log_pool, one.clock, one.app.appended, one.sequenced)
                stack.push_async_callback(ended, [asyncio.create_task(sequencer.run())])
        yield services
