"""(e) from an append to a row in another service's read model: how many a second, and how soon at 50 events a second."""

import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

import asyncpg
from nats.js import JetStreamContext

from shared import event_store, log_feed
from shared.bell import Bell, Chime
from shared.clock import SystemClock
from shared.database import open_pool
from shared.relay import Relay
from shared.sequencer import Sequencer
from shared.sql import Tx
from shared.stream import connect
from tests.bench.appending import BARE, BARE_TABLE
from tests.bench.facts import a_fact, the_body
from tests.bench.ground import Ground, Process, Store, Work, closed, connections, until
from tests.bench.load import at, loaded, paced
from tests.bench.rows import Aim, Row, row_of
from tests.support.kernel import running

SUBJECT = "bench.bound"
STEADY = 50
SEEN = "SELECT position FROM work.mark WHERE follower = 'projection:seen'"


@dataclass
class Pipe:
    """Writers of `source`, and whoever listens at `target`."""

    source: Store
    links: list[asyncpg.Connection]
    target: asyncpg.Connection

    async def append(self, writer: int, stream: str, version: int) -> UUID:
        fact = a_fact(stream, version)
        await event_store.append(Tx(self.links[writer]), [fact])
        return fact.event_id

    async def arrived(self) -> bool:
        """Whether everything written so far stands in the other service's read model."""
        if await self.links[0].fetchval("SELECT EXISTS (SELECT FROM work.pending)"):
            return False
        head = await self.links[0].fetchval("SELECT position FROM work.head")
        return bool(head == await self.target.fetchval(SEEN))


async def positions(link: asyncpg.Connection) -> dict[UUID, int]:
    return {row[0]: row[1] for row in await link.fetch("SELECT event_id, position FROM record.log")}


@asynccontextmanager
async def listening(ground: Ground, source: Store, most: int) -> AsyncIterator[tuple[Pipe, Process]]:
    """The other service as a process: receiver and follower."""
    target = await ground.store("reporting")
    async with contextlib.AsyncExitStack() as stack:
        links, theirs = await connections(source.app, most), await connections(target.app, 1)
        stack.push_async_callback(closed, [*links, *theirs])
        work = Work(("receiver", "follower"), target, ground.nats.url, source)
        process = await stack.enter_async_context(ground.process(work))
        yield Pipe(source, links, theirs[0]), process


# -------------------------------------------------------------------------------------------------- sustained


async def _burst(pipe: Pipe, writers: int, seconds: float) -> float:
    """Events a second from the first append until the last is visible."""
    began, of, versions = time.perf_counter(), uuid4(), [0] * writers

    async def one(writer: int) -> bool:
        versions[writer] += 1
        await pipe.append(writer, f"site-{of}-{writer}", versions[writer])
        return True

    slice_ = await loaded(writers, seconds, one)
    await until(pipe.arrived)
    return len(slice_.took) / (time.perf_counter() - began)


async def _bound(
    js: JetStreamContext, here: list[asyncpg.Connection], there: list[asyncpg.Connection], seconds: float
) -> float:
    """The plain way: a row here, a publish awaited, a row there."""

    async def one(writer: int) -> bool:
        for link in (here[writer], there[writer]):
            fact = a_fact("site-bound", 1)
            row = (fact.event_id, fact.stream_id, 1, fact.type, fact.body, fact.recorded_at)
            await link.execute(BARE, *row)
            if link is here[writer]:
                await js.publish(SUBJECT, the_body())
        return True

    return (await loaded(len(here), seconds, one)).rate


async def sustained(ground: Ground) -> list[Row]:
    writers, source = max(ground.size.writers), await ground.store()
    rates: list[float] = []
    bounds: list[float] = []
    async with contextlib.AsyncExitStack() as stack:
        for part in ("sequencer", "relay"):
            await stack.enter_async_context(ground.process(Work((part,), source, ground.nats.url)))
        pipe, _ = await stack.enter_async_context(listening(ground, source, writers))
        there = await connections((await ground.store("reporting")).app, writers)
        stack.push_async_callback(closed, there)
        for link in (pipe.links[0], there[0]):
            await link.execute(BARE_TABLE)
        nc = await connect(ground.nats.url, "bound")
        stack.push_async_callback(nc.close)
        js = nc.jetstream(timeout=10)
        await js.add_stream(name="BOUND", subjects=[SUBJECT])
        await _burst(pipe, 2, 0.1)
        await _bound(js, pipe.links[:2], there[:2], 0.1)
        for _ in range(ground.size.rounds):
            await ground.calm()
            bounds.append(await _bound(js, pipe.links, there, ground.size.burst / 2))
            rates.append(await _burst(pipe, writers, ground.size.burst))
    name = f"append to read model elsewhere, {writers} writers"
    return [
        row_of("e", f"two INSERTs and an awaited publish, {writers} writers", bounds, "events/s"),
        row_of("e", name, rates, "events/s", ("bound", bounds), Aim(least=2)),
    ]


# -------------------------------------------------------------------------------------------------- steady


async def steady(ground: Ground) -> list[Row]:
    """At 50 a second; the source's writer, sequencer and relay share a process, as in `serve`."""
    source = await ground.store()
    pool, log_pool = await open_pool(source.app, 8), await open_pool(source.log, 2)
    nc = await connect(ground.nats.url, "bench")
    written: dict[UUID, float] = {}
    appended, sequenced = Bell(), Chime()
    sequencer = Sequencer(source.service, log_pool, SystemClock(), appended, sequenced)
    relay = Relay(source.service, source.jurisdiction, pool, nc, sequenced.bell())
    feed = _Feed(nc, source, pool)
    try:
        async with running(sequencer, relay, feed), listening(ground, source, 1) as (pipe, process):
            streams = iter(range(10**9))

            async def one() -> None:
                fact = a_fact(f"site-{next(streams)}", 1)
                async with pool.acquire() as connection:
                    await event_store.append(Tx(connection), [fact])
                written[fact.event_id] = time.monotonic()
                appended.ring()

            await paced(STEADY, min(1.0, ground.size.steady), one)  # the first ones make plans and pages
            written.clear()
            await paced(STEADY, ground.size.steady, one)
            await until(pipe.arrived)
            where = await positions(pipe.links[0])
            times = await process.stop()
    finally:
        await nc.close()
        pool.terminate()
        log_pool.terminate()
    rows = []
    for name, key, aims in (
        ("commit to inbox elsewhere", "received", (None, None)),
        ("commit to read model elsewhere", "followed", (Aim(most=5), Aim(most=25))),
    ):
        took = [1000 * (_when(times[key], where[event]) - written) for event, written in written.items()]
        for share, aim in zip((0.5, 0.99), aims, strict=True):
            title = f"{name}, {STEADY} events/s, p{share * 100:.0f}"
            rows.append(row_of("e", title, [at(took, share)], "ms", aim=aim, more={"of": len(took)}))
    return rows


@dataclass
class _Feed:
    nc: object
    store: Store
    pool: asyncpg.Pool

    async def run(self) -> None:
        await log_feed.serve(self.nc, self.store.jurisdiction, self.store.service, self.pool)  # type: ignore[arg-type]


def _when(moves: list[tuple[int, float]], position: int) -> float:
    """When the first move that took in `position` was committed."""
    return next(moment for reached, moment in moves if reached >= position)


async def measured(ground: Ground) -> list[Row]:
    return [*await sustained(ground), *await steady(ground)]
