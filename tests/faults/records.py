"""All that a town has recorded, read in one go as superuser: what the checks compare."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import asyncpg
import nats.errors
from nats.aio.client import Client
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from services.together import DESCRIBE
from shared.contracts.envelope import Recorded, read
from shared.service import ServiceCard
from shared.stream import connect, stream_name
from tests.faults.signing import Signing, read_signing
from tests.faults.town import Poison, Restore

LOG = """
SELECT l.position, l.leaf AS log_leaf, l.sequenced_at, e.event_id, e.stream_id, e.version, e.type, e.body, e.leaf
FROM record.log l JOIN record.event e USING (event_id) ORDER BY l.position
"""
UNNUMBERED = """
SELECT event_id, type, EXISTS (SELECT FROM work.pending p WHERE p.event_id = e.event_id) AS pending,
    ingest_id < (SELECT max(n.ingest_id) FROM record.log JOIN record.event n USING (event_id)) AS passed
FROM record.event e WHERE NOT EXISTS (SELECT FROM record.log l WHERE l.event_id = e.event_id)
"""
INBOX = """
SELECT source, lineage, position, type, body, EXISTS (
    SELECT FROM record.forgotten f WHERE f.source = i.source AND f.lineage = i.lineage AND i.position > f.shared
) AS forgotten FROM record.inbox i ORDER BY source, position
"""
HEADS = "SELECT position, lineage FROM work.head"
PATIENCE = 15
"""So often in a row may a stream give nothing that has more to give."""


class DrillTown(Protocol):
    """What the checks need of a town; town.py's is one. `environment_of`: a service's settings as variables."""

    @property
    def poison(self) -> list[Poison]: ...
    @property
    def restores(self) -> list[Restore]: ...
    @property
    def services(self) -> tuple[str, ...]: ...
    @property
    def signing(self) -> tuple[Path, Path] | None: ...
    @property
    def nats_url(self) -> str: ...
    @property
    def jurisdiction(self) -> str: ...
    def dsn(self, database: str, role: str | None = None) -> str: ...
    def environment_of(self, name: str) -> dict[str, str]: ...
    def now(self, service: str) -> datetime: ...
    def stream_keep(self, service: str) -> int | None: ...
    def holes(self, service: str) -> set[int]: ...


@dataclass(frozen=True, slots=True)
class Fact:
    """One event of a log or an inbox. `told`: its envelope, taken apart; `forgotten` by its source, which was restored."""

    source: str
    lineage: UUID
    position: int
    body: bytes
    told: Mapping[str, Any]
    forgotten: bool = False

    @property
    def event_id(self) -> UUID:
        return UUID(self.told["id"])

    @property
    def type(self) -> str:
        return str(self.told["type"])

    @property
    def stream(self) -> str:
        return str(self.told["subject"])

    @property
    def version(self) -> int:
        return int(self.told["version"])

    @property
    def cause(self) -> UUID:
        return UUID(self.told["causationid"])

    @property
    def data(self) -> Mapping[str, Any]:
        data: Mapping[str, Any] = self.told["data"]
        return data

    def typed(self) -> Recorded[Any]:
        """Raises Unreadable."""
        return read(self.body, self.position, str(self.lineage))

    def __str__(self) -> str:
        return f"{self.source} {self.position} ({self.type.split('.', 1)[1]} of {self.stream})"


@dataclass
class Book:
    """One service's database. `rows`: the log with everything Postgres says of it; `unnumbered`: events that have no position."""

    service: str
    card: ServiceCard
    head: asyncpg.Record
    rows: list[asyncpg.Record]
    unnumbered: list[asyncpg.Record]
    pending: int
    inbox: list[Fact]
    marks: list[asyncpg.Record]
    parked: list[asyncpg.Record]
    due: list[asyncpg.Record]
    deliveries: list[asyncpg.Record]
    checkpoints: list[asyncpg.Record]
    cosignatures: list[asyncpg.Record]
    lineages: list[UUID]
    log: list[Fact] = field(default_factory=list)

    def __post_init__(self) -> None:
        lineage = self.head["lineage"]
        self.log = [Fact(self.service, lineage, r["position"], r["body"], json.loads(r["body"])) for r in self.rows]

    def of(self, *types: type[Any]) -> list[Fact]:
        """Of the log, by contract."""
        names = {one.type for one in types}
        return [fact for fact in self.log if fact.type in names]


@dataclass
class Mirror:
    """A stream as it stands. `made_from`: its first sequence when it was made; `messages` by sequence: (subject, headers,
    body)."""

    made_from: int
    last: int
    messages: dict[int, tuple[str, Mapping[str, str], bytes]]


@dataclass
class Records:
    """Everything, of one moment. `mirrors` lacks a service whose stream does not exist; `signing` is None where nobody signs;
    `read_at`: the moment, by each service's clock."""

    books: dict[str, Book]
    mirrors: dict[str, Mirror]
    jurisdiction: str
    poison: list[Poison]
    restores: list[Restore]
    signing: Signing | None = None
    read_at: dict[str, datetime] = field(default_factory=dict)

    @property
    def poisoned(self) -> frozenset[UUID]:
        return frozenset(one.event_id for one in self.poison)

    @property
    def lost(self) -> frozenset[UUID]:
        """Ids of events that a restore took away; some may have been recorded anew since."""
        return frozenset(event for restore in self.restores for event in restore.lost)


class NeverStill(AssertionError):
    """The town went on recording while it was read."""


async def read_all(town: DrillTown, services: tuple[str, ...] = (), tries: int = 5) -> Records:
    """Reads logs, inboxes and streams until nothing moved meanwhile, of all services of the town or some. Raises NeverStill."""
    services = services or town.services
    for _ in range(tries):
        before, read_at = await _heads(town, services), {name: town.now(name) for name in services}
        books = {name: await _book(town.dsn(name), name) for name in services}
        mirrors = await _mirrors(town, services)
        if before == await _heads(town, services):
            signing = read_signing(*town.signing) if town.signing is not None else None
            restores = list(town.restores)
            return Records(books, mirrors, town.jurisdiction, list(town.poison), restores, signing, read_at)
        await asyncio.sleep(1)
    raise NeverStill(f"heads moved on while they were read, {tries} times")


async def _heads(town: DrillTown, services: tuple[str, ...]) -> list[tuple[Any, ...]]:
    heads = []
    for name in services:
        connection = await asyncpg.connect(town.dsn(name))
        try:
            heads.append(tuple(await connection.fetchrow(HEADS) or ()))
        finally:
            await connection.close()
    return heads


async def _book(dsn: str, service: str) -> Book:
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return await read_book(connection, service)
    finally:
        await connection.close()


async def read_book(connection: asyncpg.Connection, service: str) -> Book:
    """As it stands for the transaction that is open."""
    head = await connection.fetchrow("SELECT * FROM work.head")
    assert head is not None
    return Book(
        service=service,
        card=DESCRIBE[service](),
        head=head,
        rows=await connection.fetch(LOG),
        unnumbered=await connection.fetch(UNNUMBERED),
        pending=await connection.fetchval("SELECT count(*) FROM work.pending"),
        inbox=[_letter(row) for row in await connection.fetch(INBOX)],
        marks=await connection.fetch("SELECT * FROM work.mark"),
        parked=await connection.fetch("SELECT * FROM work.parked"),
        due=await connection.fetch("SELECT * FROM work.due"),
        deliveries=await connection.fetch("SELECT *, clock_timestamp() AS now FROM work.delivery"),
        checkpoints=await connection.fetch("SELECT * FROM record.checkpoint ORDER BY size"),
        cosignatures=await connection.fetch("SELECT * FROM record.cosignature ORDER BY size"),
        lineages=[row["lineage"] for row in await connection.fetch("SELECT lineage FROM record.lineage")],
    )


def _letter(row: asyncpg.Record) -> Fact:
    return Fact(row["source"], row["lineage"], row["position"], row["body"], json.loads(row["body"]), row["forgotten"])


async def _mirrors(town: DrillTown, services: tuple[str, ...]) -> dict[str, Mirror]:
    nc = await connect(town.nats_url, "checks")
    try:
        found = {name: await read_mirror(nc, stream_name(town.jurisdiction, name)) for name in services}
        return {name: mirror for name, mirror in found.items() if mirror is not None}
    finally:
        await nc.close()


async def read_mirror(nc: Client, stream: str) -> Mirror | None:
    """As it stands now; None when it does not exist."""
    js = nc.jetstream(timeout=10)
    try:
        info = await js.stream_info(stream)
    except NotFoundError:
        return None
    messages: dict[int, tuple[str, Mapping[str, str], bytes]] = {}
    about = ConsumerConfig(ack_policy=AckPolicy.NONE, deliver_policy=DeliverPolicy.ALL, inactive_threshold=30)
    consumer = await js.add_consumer(stream, about)
    subscription = await js.pull_subscribe_bind(consumer=consumer.name, stream=stream)
    nothing = 0
    while len(messages) < info.state.messages and nothing < PATIENCE:
        try:
            for message in await subscription.fetch(500, timeout=2):
                messages[message.metadata.sequence.stream] = (message.subject, message.headers or {}, message.data)
            nothing = 0
        except nats.errors.TimeoutError:
            nothing += 1
            left = (await js.consumer_info(stream, consumer.name)).num_pending
            if not left and not subscription.pending_msgs:  # fewer than it says: whoever compares will see which
                break
    await subscription.unsubscribe()
    return Mirror(info.config.first_seq or 1, info.state.last_seq, messages)
