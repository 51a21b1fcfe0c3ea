"""A kernel on real servers: fresh databases copied from templates, its parts, and crash points. The toy on them is toy.py's."""

import asyncio
import base64
import itertools
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from nats.aio.client import Client

from shared import log_feed
from shared.app import LOST, App, Cause, Sealer
from shared.bell import Chime
from shared.clock import SimulatedClock
from shared.contracts.envelope import Recorded
from shared.contracts.event import Event
from shared.database import SEARCH_PATH, open_pool
from shared.decider import Actor
from shared.ending import ended
from shared.identity.key_store import KeyStore
from shared.identity.wrapping import EnvironmentWrapper
from shared.read_model import ReadModel
from shared.receiver import Receiver
from shared.relay import Relay
from shared.sealer import ServiceSealer
from shared.sequencer import Sequencer
from shared.settings import SERVICES
from shared.stream import connect, definition, stream_name
from shared.transparency import tree
from tests.support.crash import dies, kill_at, pause_at
from tests.support.servers import NatsAddress
from tests.support.templates import PASSWORDS, Templates
from tests.support.toy import LINES, SEEN_MODEL, TOY, TYPES, Assign, OpenSite, Strike, Struck, no_terms

START = datetime(2018, 1, 16, tzinfo=UTC)
_numbers = itertools.count(1)


class Unsealed:
    """Leaves texts as they are: most of the kernel has nothing to do with keys."""

    async def seal(self, event: Event, stream_id: str) -> dict[str, Any]:
        return event.model_dump(mode="json", exclude_none=True)

    async def open(self, recorded: Sequence[Recorded[Any]]) -> list[Recorded[Any]]:
        return list(recorded)


def a_cause(actor: str = "p-1", **changes: Any) -> Cause:
    about: dict[str, Any] = {"command_id": uuid4(), "actor": Actor(actor), "correlation_id": "c-1", "body_hash": b"x"}
    return Cause(**(about | changes))


@dataclass
class Place:
    """One service's database with an App on it."""

    name: str
    database: str
    templates: Templates
    pool: asyncpg.Pool
    log_pool: asyncpg.Pool
    clock: SimulatedClock
    app: App
    jurisdiction: str
    sequenced: Chime = field(default_factory=Chime)
    received: Chime = field(default_factory=Chime)

    @property
    def stream(self) -> str:
        return stream_name(self.jurisdiction, self.name)

    @property
    def owner_dsn(self) -> str:
        return self.templates.dsn(self.database, f"{self.name}_owner")

    async def superuser(self) -> asyncpg.Connection:
        return await asyncpg.connect(self.templates.dsn(self.database))

    async def forced(self, *statements: str) -> None:
        """Does as superuser, with triggers off, what nobody may do: to see that it is noticed."""
        await self.templates.run(";".join(["SET session_replication_role = replica", *statements]), self.database)

    async def disconnect(self) -> None:
        """Cuts every connection to this database, as a crash of the server does."""
        await self.templates.run(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self.database}'"
        )

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """The database cannot be reached: connections are cut, and new ones refused."""
        await self.templates.run(f'ALTER DATABASE "{self.database}" CONNECTION LIMIT 0')
        await self.disconnect()
        try:
            yield
        finally:
            await self.templates.run(f'ALTER DATABASE "{self.database}" CONNECTION LIMIT -1')

    async def backup(self) -> str:
        """The database as it is now, for `restore`."""
        kept = f"{self.database}_kept_{next(_numbers)}"
        await self.templates.run(f'ALTER DATABASE "{self.database}" ALLOW_CONNECTIONS false')
        await self.disconnect()
        await self.templates.run(f'CREATE DATABASE "{kept}" TEMPLATE "{self.database}"')
        await self.templates.run(f'ALTER DATABASE "{self.database}" ALLOW_CONNECTIONS true')
        return kept

    async def restore(self, kept: str) -> None:
        """Everything since `backup` never happened."""
        await self.templates.drop(self.database)
        await self.templates.run(f'ALTER DATABASE "{kept}" RENAME TO "{self.database}"')

    async def forget(self, upto: int) -> None:
        """The database as it was when its log ended at `upto`, as after a restore."""
        leaves = await self.pool.fetch("SELECT leaf FROM record.log WHERE position <= $1 ORDER BY position", upto)
        _, frontier = tree.extend(0, [], (row["leaf"] for row in leaves))
        await self.forced(
            f"DELETE FROM record.log WHERE position > {upto}",
            "DELETE FROM record.event WHERE event_id NOT IN (SELECT event_id FROM record.log)",
            "DELETE FROM work.pending",
            f"DELETE FROM record.node WHERE (index + 1) << (8 * level) > {upto}",
            f"UPDATE work.head SET position = {upto}, frontier = '\\x{tree.pack(frontier).hex()}',"
            f" root = '\\x{tree.root(frontier).hex()}',"
            f" leaf = (SELECT leaf FROM record.log WHERE position = {upto})",
        )

    async def fill(self, events: int, site: str = "a") -> None:
        """Appends this many, in few commands."""
        if not await self.pool.fetchval(
            "SELECT EXISTS (SELECT FROM record.event WHERE stream_id = $1)", f"site-{site}"
        ):
            await self.app.handle(OpenSite(site=site, no=next(_numbers)), a_cause())
            events -= 1
        for done in range(0, events, 500):
            await self.app.handle(Assign(site=site, times=min(500, events - done)), a_cause())

    async def number(self) -> int:
        """Sequences all that waits; the head."""
        while await a_sequencer(self).once():
            pass
        head: int = await self.pool.fetchval("SELECT position FROM work.head")
        return head

    async def events(self) -> list[UUID]:
        """Ids in the order of the log."""
        return [row[0] for row in await self.pool.fetch("SELECT event_id FROM record.log ORDER BY position")]

    async def bodies(self) -> list[bytes]:
        """In the order of the log."""
        sql = "SELECT body FROM record.log JOIN record.event USING (event_id) ORDER BY position"
        return [row[0] for row in await self.pool.fetch(sql)]

    async def somebody_waits(self) -> bool:
        """For a lock that another transaction holds."""
        sql = """SELECT EXISTS (SELECT FROM pg_locks JOIN pg_stat_activity USING (pid)
                 WHERE NOT granted AND datname = current_database())"""
        return bool(await self.pool.fetchval(sql))

    async def inbox(self, source: str) -> list[tuple[int, bytes]]:
        sql = "SELECT position, body FROM record.inbox WHERE source = $1 ORDER BY position"
        return [(row[0], row[1]) for row in await self.pool.fetch(sql, source)]

    async def mark(self, follower: str, source: str) -> int:
        """Where it stands; 0 before the first event."""
        sql = "SELECT position FROM work.mark WHERE follower = $1 AND source = $2"
        return await self.pool.fetchval(sql, follower, source) or 0


@asynccontextmanager
async def a_place(
    templates: Templates,
    service: str = "cases",
    inline: tuple[ReadModel, ...] = (LINES,),
    jurisdiction: str | None = None,
    sealed: bool = True,
) -> AsyncIterator[Place]:
    """A fresh database of `service`, with the toy aggregate; closed and dropped afterwards. `sealed`: with real keys."""
    database = await templates.lend(service)
    keys = await templates.lend("keys") if sealed else None
    pool = await open_pool(templates.dsn(database, f"{service}_app"), 12, SEARCH_PATH)
    log_pool = await open_pool(templates.dsn(database, f"{service}_log"), 3)
    pools = [pool, log_pool]
    sealer: Sealer = Unsealed()
    if keys is not None:
        pools.append(await open_pool(templates.dsn(keys, "keys_office"), 3, "public"))
        wrapper = EnvironmentWrapper(base64.b64encode(bytes(range(32))).decode())
        sealer = ServiceSealer(KeyStore(pools[-1], wrapper, service, frozenset({"all", "office"})))
    town = jurisdiction or f"t{secrets.token_hex(4)}"
    clock = SimulatedClock(START)
    for model in (LINES, SEEN_MODEL):
        for statement in model.ddl():
            await pool.execute(statement)
    app = App(service, town, pool, (TOY,), inline, sealer, clock, no_terms)
    try:
        yield Place(service, database, templates, pool, log_pool, clock, app, town)
    finally:
        for one in pools:
            one.terminate()
        await templates.give_back(service, database)
        if keys is not None:
            await templates.give_back("keys", keys)


@asynccontextmanager
async def a_connection(nats: NatsAddress) -> AsyncIterator[Client]:
    nc = await connect(nats.url, "test")
    try:
        yield nc
    finally:
        await nc.close()


# -------------------------------------------------------------------------------------------------- its parts


def a_sequencer(place: Place, **changes: Any) -> Sequencer:
    return Sequencer(place.name, place.log_pool, place.clock, place.app.appended, place.sequenced, **changes)


def a_relay(place: Place, nc: Client, **changes: Any) -> Relay:
    return Relay(place.name, place.jurisdiction, place.pool, nc, place.sequenced.bell(), **changes)


def a_receiver(place: Place, source: Place, nc: Client, **changes: Any) -> Receiver:
    """It wants every event of the toy, and asks the source only at its start, so that what the stream itself shows is tried."""
    about: dict[str, Any] = {
        "feed": log_feed.NatsFeed(nc, source.jurisdiction, source.name),
        "wanted": TYPES,
        "received": place.received,
        "idle": 0.3,
        "ask_every": 60.0,
        "stand_by": 0.3,
    }
    return Receiver(place.name, source.jurisdiction, source.name, place.pool, nc, **(about | changes))


@dataclass
class FeedOf:
    """The log feed of `place`, served as long as it runs."""

    place: Place
    nc: Client

    async def run(self) -> None:
        await log_feed.serve(self.nc, self.place.jurisdiction, self.place.name, self.place.pool)


async def a_loose_stream(place: Place, nc: Client, first: int = 1) -> None:
    """The stream as the relay would make it, but messages can be deleted and purged."""
    lineage = await place.pool.fetchval("SELECT lineage FROM work.head")
    config = definition(place.name, place.jurisdiction, first, None, str(lineage))
    config.deny_delete = config.deny_purge = False
    await nc.jetstream().add_stream(config)


def instead(of: Any, name: str, other: Any) -> None:
    """Puts `other` in the place of the method `name` of this one object."""
    setattr(of, name, other)


@asynccontextmanager
async def running(*parts: Any) -> AsyncIterator[list[asyncio.Task[Any]]]:
    """Parts with a `run()` in the background, cancelled at the end."""
    tasks = [asyncio.create_task(part.run()) for part in parts]
    try:
        yield tasks
    finally:
        await ended(tasks)


async def until(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Waits for a true answer. Raises AssertionError after `seconds`."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        try:
            answer = condition()
            if asyncio.iscoroutine(answer):
                answer = await answer
        except LOST:  # a test may have cut the connection it asks through
            answer = None
        if answer:
            return answer
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"not within {seconds} s: {condition}")
        await asyncio.sleep(0.01)


__all__ = [
    "PASSWORDS",
    "SERVICES",
    "Assign",
    "OpenSite",
    "Place",
    "Strike",
    "Struck",
    "Templates",
    "a_cause",
    "a_connection",
    "a_place",
    "dies",
    "kill_at",
    "pause_at",
]
