"""What somebody could do who has the database's superuser and knows everything but the signer's key.

async with attacked(ground, "cases") as at:      # a copy of the service's database, attacked and thrown away
    await at.run("UPDATE …")
    found = await at.found()
"""

import contextlib
import dataclasses
import json
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import nats.js.errors
import rfc8785

from services.together import DESCRIBE
from shared.audit.found import Found
from shared.audit.live import verify_live, verify_read_models
from shared.clock import SystemClock
from shared.contracts.envelope import leaf_of
from shared.service import Service
from shared.settings import Settings
from shared.stream import connect, definition, stream_name, subject_of
from shared.transparency import tree
from shared.transparency.policy import Policy
from shared.verifier.trust import kept

_numbers = count(1)


@dataclass(frozen=True)
class Event:
    """One fact as an attacker sees it: `told` may be changed, the rest is found from it."""

    ingest_id: int
    told: dict[str, Any]


Forge = Callable[[list[Event]], list[Event]]


@dataclass(frozen=True)
class Ground:
    """A town's servers. `settings_of`: a service's, `superuser`: of any database; `known`: what an auditor keeps outside."""

    settings_of: Callable[[str], Settings]
    superuser: str
    policy: Policy
    known: dict[str, bytes]

    def dsn(self, database: str) -> str:
        return _named(self.superuser, database)


@dataclass(frozen=True)
class Attacked:
    """`keys`: the database of the keys."""

    ground: Ground
    service: str
    database: str
    keys: str = "keys"

    async def run(self, sql: str, *values: Any) -> None:
        """As superuser, with triggers and foreign keys off."""
        connection = await asyncpg.connect(self.ground.dsn(self.database))
        try:
            await connection.execute("SET session_replication_role = replica")
            await connection.execute(sql, *values)
        finally:
            await connection.close()

    async def row(self, sql: str, *values: Any) -> Any:
        connection = await asyncpg.connect(self.ground.dsn(self.database))
        try:
            return await connection.fetchrow(sql, *values)
        finally:
            await connection.close()

    async def value(self, sql: str, *values: Any) -> Any:
        return (await self.row(sql, *values))[0]

    async def rewrite(self, forge: Forge) -> None:
        """Forges the log and recomputes all that follows: versions, previous leaves, leaves, nodes, head."""
        connection = await asyncpg.connect(self.ground.dsn(self.database))
        try:
            async with connection.transaction():
                await connection.execute("SET LOCAL session_replication_role = replica")
                rows = await connection.fetch(
                    "SELECT e.ingest_id, e.body, l.sequenced_at FROM record.log l JOIN record.event e USING (event_id) "
                    "ORDER BY l.position"
                )
                forged = forge([Event(row["ingest_id"], json.loads(row["body"])) for row in rows])
                await _write(connection, forged, rows[-1]["sequenced_at"])
        finally:
            await connection.close()

    async def refill(self, forge: Callable[[list[bytes]], list[bytes | None]], first: int = 1) -> None:
        """Deletes the service's stream and makes it anew with other messages, from sequence `first`; None: deleted from it."""
        connection = await asyncpg.connect(self.ground.dsn(self.database))
        try:
            rows = await connection.fetch(
                "SELECT body FROM record.log JOIN record.event USING (event_id) ORDER BY position"
            )
            lineage = str(await connection.fetchval("SELECT lineage FROM work.head"))
        finally:
            await connection.close()
        settings = self.ground.settings_of(self.service)
        config = definition(self.service, settings.jurisdiction, first, settings.keep, lineage)
        config.deny_delete = config.deny_purge = False
        nc = await connect(settings.nats_url, "attacker")
        try:
            js, name = nc.jetstream(), stream_name(settings.jurisdiction, self.service)
            with contextlib.suppress(nats.js.errors.NotFoundError):
                await js.delete_stream(name)
            await js.add_stream(config)
            for body in forge([row["body"] for row in rows]):
                sent = await js.publish(subject_of(settings.jurisdiction, f"{self.service}.x"), body or b"gone")
                if body is None:
                    await js.delete_msg(name, sent.seq)
        finally:
            await nc.close()

    @property
    def settings(self) -> Settings:
        """The service's on this copy."""
        of = self.ground.settings_of(self.service)
        app, log = (_named(dsn, self.database) for dsn in (of.app_dsn, of.log_dsn))
        return dataclasses.replace(of, app_dsn=app, log_dsn=log, keys_dsn=_named(of.keys_dsn, self.keys))

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Service]:
        """The service on this copy, with none of its parts at work."""
        service = Service(DESCRIBE[self.service](), self.settings, SystemClock(), frozenset())
        await service.open()
        try:
            yield service
        finally:
            await service.close()

    async def found(self) -> list[Found]:
        """What is said of log and stream, by somebody with a checkpoint of their own."""
        held = [kept(self.ground.known[self.service], self.ground.policy)]
        async with self.opened() as service:
            with tempfile.TemporaryDirectory() as folder:
                return [found async for found in verify_live(service, self.ground.policy, held, Path(folder))]

    async def found_in_read_models(self) -> list[Found]:
        async with self.opened() as service:
            return [found async for found in verify_read_models(service)]


@asynccontextmanager
async def attacked(ground: Ground, service: str) -> AsyncIterator[Attacked]:
    async with copied(ground, service) as name:
        yield Attacked(ground, service, name)


@asynccontextmanager
async def attacked_keys(ground: Ground, service: str) -> AsyncIterator[tuple[Attacked, Attacked]]:
    """The service on a copy of the keys, and that copy, to run statements in."""
    async with copied(ground, "keys") as keys:
        yield Attacked(ground, service, service, keys), Attacked(ground, service, keys)


@asynccontextmanager
async def copied(ground: Ground, database: str) -> AsyncIterator[str]:
    """The name of a copy."""
    name = f"{database}_attacked_{next(_numbers)}"
    admin = await asyncpg.connect(ground.dsn("postgres"))
    try:
        await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{database}"')
        yield name
    finally:
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await admin.close()


async def _write(connection: asyncpg.Connection, events: list[Event], at: Any) -> None:
    await connection.execute("TRUNCATE record.log, record.event, record.node, work.pending")
    last: dict[str, tuple[int, bytes]] = defaultdict(lambda: (0, b""))
    full: list[tree.Completed] = []
    size, frontier, leaf = 0, list[bytes](), b""
    for event in events:
        told, stream = event.told, event.told["subject"]
        version, prev = last[stream]
        told["version"] = version + 1
        told.pop("prev", None)
        if prev:
            told["prev"] = prev.hex()
        body = rfc8785.dumps(told)
        leaf = leaf_of(body)
        last[stream] = (version + 1, leaf)
        size, frontier = tree.extend(size, frontier, [leaf], full)
        await connection.execute(
            "INSERT INTO record.event (event_id, stream_id, version, type, body, ingest_id, recorded_at) OVERRIDING SYSTEM VALUE "
            "VALUES ($1, $2, $3, $4, $5, $6, $7::text::timestamptz)",
            told["id"], stream, version + 1, told["type"], body, event.ingest_id, told["recordedat"],
        )  # fmt: skip
        await connection.execute("INSERT INTO record.log VALUES ($1, $2, $3, $4)", size, told["id"], leaf, at)
    await connection.executemany("INSERT INTO record.node VALUES ($1, $2, $3)", full)
    await connection.execute(
        "UPDATE work.head SET position = $1, leaf = $2, frontier = $3, root = $4",
        size, leaf, tree.pack(frontier), tree.root(frontier),
    )  # fmt: skip


def _named(dsn: str, database: str) -> str:
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{database}"))


async def cut(at: Attacked, by: int) -> int:
    """The record as it was `by` events ago, checkpoints and read models included; how many events are left."""
    await at.rewrite(lambda events: events[:-by])
    size = await at.value("SELECT position FROM work.head")
    await at.run(
        f"DELETE FROM record.checkpoint WHERE size > {size}; DELETE FROM record.cosignature WHERE size > {size}"
    )
    return int(size)


def says(found: list[Found], words: str, position: int | None = None) -> None:
    """Among what was found is one with these words, at this position."""
    fitting = [each for each in found if words in each.en and position in (None, each.position)]
    assert fitting, [f"{each.position}: {each.en}" for each in found]
