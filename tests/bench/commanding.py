"""(d) a whole command, by App.handle and by HTTP, against the very statements it sends to Postgres, sent bare."""

import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg

from shared.app import App
from shared.embedded.ports import free_port
from tests.bench.ground import Ground, Store, a_process, closed, connections
from tests.bench.load import NothingLeft, Slice, loaded
from tests.bench.rows import Aim, Row, row_of
from tests.bench.tape import NUMBERS, Tape, played
from tests.bench.toys import PATH, toys
from tests.bench.wire import Wire
from tests.support.kernel import a_cause
from tests.support.toy import OpenSite

BARE, HANDLED, BY_HTTP = "the same statements, bare", "App.handle", "by HTTP"
NAME = "一号井口"
MOST_BARE = 6000
"""Prepared commands a second; when they run out the slice ends early, and its rate counts all the same."""
Run = Callable[[int], Awaitable[Slice]]


def an_opening() -> OpenSite:
    """A new record with one sealed text and one reservation."""
    return OpenSite(site=str(uuid4()), no=next(NUMBERS), name=NAME)


async def recorded(store: Store, nats: str) -> Tape:
    """What one command sends, once its plans are cached."""
    service = await toys(store, nats, pool=1)
    try:
        tape = Tape()
        await service.app.handle(an_opening(), a_cause())
        for name, pool in (("cases", service.pool), ("keys", service.keys_pool)):
            async with pool.acquire() as connection:
                tape.listen(name, connection)
        await service.app.handle(an_opening(), a_cause())
        return Tape(list(tape.statements))
    finally:
        await service.close()


@asynccontextmanager
async def ways(ground: Ground) -> AsyncIterator[dict[str, Run]]:
    """Name -> what runs one slice of it."""
    most, seconds, store = max(ground.size.writers), ground.size.commands, await ground.store()
    tape = await recorded(store, ground.nats.url)
    async with contextlib.AsyncExitStack() as stack:
        links = {"cases": await connections(store.app, most), "keys": await connections(store.keys, most)}
        for each in links.values():
            stack.push_async_callback(closed, each)
        service = await toys(store, ground.nats.url, most)
        stack.push_async_callback(service.close)
        port = free_port()
        told = {"store": vars(store), "nats": ground.nats.url, "pool": 8, "port": port}
        await stack.enter_async_context(a_process("tests.bench.toys", told))
        yield {
            BARE: lambda writers: _bare(tape, links, writers, seconds),
            HANDLED: lambda writers: _handled(service.app, writers, seconds),
            BY_HTTP: lambda writers: _by_http(port, writers, seconds),
        }


async def _bare(tape: Tape, links: dict[str, list[asyncpg.Connection]], writers: int, seconds: float) -> Slice:
    prepared = [tape.again() for _ in range(int(MOST_BARE * seconds))]

    async def one(writer: int) -> bool:
        if not prepared:
            raise NothingLeft
        await played(prepared.pop(), {name: each[writer] for name, each in links.items()})
        return True

    return await loaded(writers, seconds, one)


async def _handled(app: App, writers: int, seconds: float) -> Slice:
    async def one(_: int) -> bool:
        await app.handle(an_opening(), a_cause())
        return True

    return await loaded(writers, seconds, one)


async def _by_http(port: int, writers: int, seconds: float) -> Slice:
    wires = [
        await Wire.to(port) for _ in range(writers)
    ]  # anew each time: uvicorn closes what is idle for five seconds

    async def one(writer: int) -> bool:
        status = await wires[writer].post(PATH, {"site": str(uuid4()), "no": next(NUMBERS), "name": NAME})
        if status != 201:
            raise RuntimeError(f"{PATH} answered {status}")
        return True

    try:
        return await loaded(writers, seconds, one)
    finally:
        for wire in wires:
            await wire.close()


async def measured(ground: Ground) -> list[Row]:
    slices: dict[tuple[str, int], list[Slice]] = defaultdict(list)
    async with ways(ground) as made:
        for run in made.values():
            await run(2)
        for _ in range(ground.size.rounds):
            await ground.calm()
            for writers in ground.size.writers:
                for name, run in made.items():
                    slices[name, writers].append(await run(writers))
    rows = []
    for writers in ground.size.writers:
        where = f"{writers} writer{'s' * (writers > 1)}"
        bare = [s.rate for s in slices[BARE, writers]]
        for name in (BARE, HANDLED, BY_HTTP):
            against = None if name == BARE else ("bare", bare)
            aim = None if name == BARE else Aim(least=0.6)
            took = Slice(1, [t for s in slices[name, writers] for t in s.took])
            more = {"p50 ms": took.at(0.5), "p99 ms": took.at(0.99)}
            rates = [s.rate for s in slices[name, writers]]
            rows.append(row_of("d", f"{name}, {where}", rates, "commands/s", against, aim, more=more))
    return rows
