"""(a) a bare INSERT, (b) the store's append with more and more running beside it, (c) the library; taking turns."""

import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from uuid import uuid4, uuid5

import asyncpg

from shared import event_store
from shared.errors import VersionConflict
from shared.sql import Tx
from tests.bench import library
from tests.bench.facts import a_fact
from tests.bench.ground import Ground, Store, Work, closed, connections, until
from tests.bench.load import Slice, loaded, loaded_by_threads
from tests.bench.rows import Aim, Row, row_of

BARE_TABLE = """
CREATE TABLE IF NOT EXISTS view.bare (
    event_id uuid PRIMARY KEY, stream_id text, version int, type text, body bytea, recorded_at timestamptz)
"""
BARE = "INSERT INTO view.bare VALUES ($1, $2, $3, $4, $5, $6)"
HOT = 10
HOT_WRITERS = 8

A, B, B_SEQ, B_ALL, C = (
    "bare INSERT, one index",
    "append",
    "append + sequencer",
    "append + sequencer, relay, receiver",
    "eventsourcing app.save",
)
Run = Callable[[int, bool], Awaitable[Slice]]
"""(writers, whether they share ten streams) -> what came of one slice."""


@dataclass
class Appender:
    """Writers of one store. `drained` returns when everything behind it has caught up."""

    links: list[asyncpg.Connection]
    drained: Callable[[], Awaitable[None]]
    seconds: float
    known: dict[str, int] = field(default_factory=dict)
    random: Random = field(default_factory=lambda: Random(7))

    async def append(self, writer: int, stream: str) -> bool:
        """One event in a transaction of its own: the append is one statement. False when another took the version."""
        version = self.known.get(stream, 0) + 1
        try:
            await event_store.append(Tx(self.links[writer]), [a_fact(stream, version)])
        except VersionConflict:
            return False
        finally:
            self.known[stream] = max(version, self.known.get(stream, 0))
        return True

    async def run(self, writers: int, hot: bool) -> Slice:
        of = uuid4()

        async def one(writer: int) -> bool:
            nth = self.random.randrange(HOT) if hot else writer
            return await self.append(writer, f"site-{of}-{nth}")

        slice_ = await loaded(writers, self.seconds, one)
        await self.drained()
        return slice_


@dataclass
class Bare:
    links: list[asyncpg.Connection]
    seconds: float

    async def run(self, writers: int, hot: bool) -> Slice:
        stream = f"site-{uuid4()}"

        async def one(writer: int) -> bool:
            e = a_fact(stream, 1)
            await self.links[writer].execute(BARE, e.event_id, stream, 1, e.type, e.body, e.recorded_at)
            return True

        return await loaded(writers, self.seconds, one)


@dataclass
class TheLibrary:
    library: library.Library
    seconds: float
    random: Random = field(default_factory=lambda: Random(7))

    async def run(self, writers: int, hot: bool) -> Slice:
        of = uuid4()

        def one(writer: int) -> bool:
            return self.library.save(uuid5(of, str(self.random.randrange(HOT) if hot else writer)))

        return await library.in_thread(loaded_by_threads, writers, self.seconds, one)  # type: ignore[no-any-return]


@asynccontextmanager
async def appenders(ground: Ground) -> AsyncIterator[dict[str, Run]]:
    """Name -> what runs one slice of it."""
    most, seconds = max(*ground.size.writers, HOT_WRITERS), ground.size.slice
    async with contextlib.AsyncExitStack() as stack:

        async def links_to(store: Store) -> list[asyncpg.Connection]:
            links = await connections(store.app, most)
            stack.push_async_callback(closed, links)
            return links

        async def at_once() -> None:
            pass

        alone, numbered, mirrored = await ground.store(), await ground.store(), await ground.store()
        target = await ground.store("reporting")
        links = await links_to(alone)
        await links[0].execute(BARE_TABLE)
        made: dict[str, Run] = {A: Bare(links, seconds).run, B: Appender(links, at_once, seconds).run}
        for name, store in ((B_SEQ, numbered), (B_ALL, mirrored)):
            await stack.enter_async_context(ground.process(Work(("sequencer",), store, ground.nats.url)))
            links = await links_to(store)
            made[name] = Appender(links, _drained(links[0]), seconds).run
        await stack.enter_async_context(ground.process(Work(("relay",), mirrored, ground.nats.url)))
        await stack.enter_async_context(ground.process(Work(("receiver",), target, ground.nats.url, mirrored)))
        inbox = (await connections(target.app, 1))[0]
        stack.push_async_callback(closed, [inbox])
        made[B_ALL] = Appender(links, _drained(links[0], inbox), seconds).run
        if library.INSTALLED:
            opened = stack.enter_context(library.opened(await library.a_database(ground, "bench_library")))
            made[C] = TheLibrary(opened, seconds).run
        yield made


def _drained(own: asyncpg.Connection, inbox: asyncpg.Connection | None = None) -> Callable[[], Awaitable[None]]:
    """Waits until nothing waits for a number and, with `inbox`, the other service has received everything."""

    async def question() -> bool:
        if await own.fetchval("SELECT EXISTS (SELECT FROM work.pending)"):
            return False
        if inbox is None:
            return True
        head = await own.fetchval("SELECT position FROM work.head")
        return bool(head == await inbox.fetchval("SELECT coalesce(max(position), 0) FROM work.mark"))

    return lambda: until(question)


async def measured(ground: Ground) -> list[Row]:
    """Rows of a, b and c."""
    cells = [(writers, False) for writers in ground.size.writers] + [(HOT_WRITERS, True)]
    slices: dict[tuple[str, int, bool], list[Slice]] = defaultdict(list)
    async with appenders(ground) as made:
        for run in made.values():  # plans, caches and the first pages of every table
            await run(2, False)
        for _ in range(ground.size.rounds):
            await ground.calm()
            for writers, hot in cells:
                for name, run in made.items():
                    slices[name, writers, hot].append(await run(writers, hot))
    return [row for writers, hot in cells for row in _rows(slices, writers, hot, max(ground.size.writers))]


def _rows(slices: dict[tuple[str, int, bool], list[Slice]], writers: int, hot: bool, most: int) -> list[Row]:
    where = f"{writers} writers on {HOT} hot streams" if hot else f"{writers} writer{'s' * (writers > 1)}"
    rates = {name: [s.rate for s in slices.get((name, writers, hot), [])] for name in (A, B, B_SEQ, B_ALL, C)}
    bare, theirs = ("a", rates[A]), ("c", rates[C])
    aims = {B_SEQ: Aim(least=0.7), B_ALL: Aim(least=0.45)} if writers == most and not hot else {}
    rows = [row_of("a", f"{A}, {where}", rates[A], "events/s", more=_spread(slices, A, writers, hot))]
    for name in (B, B_SEQ, B_ALL):
        more = _spread(slices, name, writers, hot)
        rows.append(row_of("b", f"{name}, {where}", rates[name], "events/s", bare, aims.get(name), more=more))
    note = "" if rates[C] else library.ABSENT
    more = _spread(slices, C, writers, hot)
    rows.append(row_of("c", f"{C}, {where}", rates[C], "events/s", bare, note=note, more=more))
    if not hot and writers == most:
        against = rates[B_ALL] if rates[C] else []
        name = f"{B_ALL}, {where}, to the library"
        rows.append(row_of("b", name, against, "events/s", theirs, Aim(least=5), note=note))
    return rows


def _spread(slices: dict[tuple[str, int, bool], list[Slice]], name: str, writers: int, hot: bool) -> dict[str, float]:
    took = [t for s in slices.get((name, writers, hot), []) for t in s.took]
    return {"p50 ms": Slice(1, took).at(0.5), "p99 ms": Slice(1, took).at(0.99)} if took else {}
