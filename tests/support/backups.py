"""A town to be backed up: four services at work, a log key and two witnesses who sign its logs, and databases to restore into."""

import contextlib
import gzip
import json
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared import event_store
from shared.backup.manifest import MANIFEST, Manifest, file_of
from shared.backup.take import KeyCopy, take
from shared.backup.verify import verify
from shared.checkpoints import origin_of
from shared.contracts.envelope import Header, read, write
from shared.contracts.event import Event
from shared.errors import NotReady
from shared.identity.wrapping import EnvironmentWrapper
from shared.proving import root_at
from shared.service import Service
from shared.settings import SERVICES
from shared.sql import Tx
from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import LOG, WITNESS, Key, Line, cosign, sign
from shared.transparency.policy import Policy
from tests.support.services import MASTER_KEY, Door, Ground, Town, a_service

LOG_KEY, FIRST, SECOND = (Ed25519PrivateKey.generate() for _ in range(3))
WITNESSES = {"police.example": FIRST, "county.example": SECOND}
WRAPPER = EnvironmentWrapper(MASTER_KEY)
LAST = "SELECT version, leaf FROM record.event WHERE stream_id = $1 ORDER BY version DESC LIMIT 1"
BODIES = "SELECT body FROM record.log JOIN record.event USING (event_id) WHERE position <= $1 ORDER BY position"
PUT = "INSERT INTO record.checkpoint (origin, size, root, note) VALUES ($1, $2, $3, $4)"
PUT_LINE = "INSERT INTO record.cosignature (origin, size, witness, line, at) VALUES ($1, $2, $3, $4, to_timestamp($5))"


def vkey(key: Ed25519PrivateKey, name: str, kind: int) -> Key:
    return Key(name, kind, key.public_key().public_bytes_raw())


@dataclass
class BackedUp:
    """`town` runs; `folder` is the test's own."""

    ground: Ground
    town: Town
    folder: Path
    policy_lines: list[str] = field(default_factory=list)

    @property
    def jurisdiction(self) -> str:
        return self.town.services["intake"].settings.jurisdiction

    def database(self, name: str) -> str:
        settings = self.town.services["intake" if name == "keys" else name].settings
        return urlsplit(settings.keys_dsn if name == "keys" else settings.app_dsn).path[1:]

    def dsn(self, name: str) -> str:
        """As the database's owner."""
        return self.ground.templates.dsn(self.database(name), f"{name}_owner")

    def superuser(self, name: str) -> str:
        return self.ground.templates.dsn(self.database(name))

    async def forced(self, name: str, statement: str) -> None:
        """As superuser, past every trigger."""
        await self.ground.templates.run(f"SET session_replication_role = replica; {statement}", self.database(name))

    async def backup(self, name: str = "backup", keys: KeyCopy = KeyCopy(), **more: Any) -> Path:
        folder = self.folder / name
        plans = self.town.folder

        def check(manifest: Manifest) -> None:
            verify(folder, manifest)

        await take(folder, self.dsn, self.jurisdiction, plans=plans, keys=keys, check=check, **more)
        return folder

    async def signed(self, service: str, witnesses: Sequence[str] = tuple(WITNESSES), at: int = 1_500_000_000) -> Path:
        """A checkpoint of the log as it stands now, kept in its database, and as a file outside. `at`: seconds since 1970."""
        pool = self.town.services[service].pool
        async with pool.acquire() as connection:
            tx = Tx(connection)
            size = await tx.value("SELECT position FROM work.head")
            origin = await origin_of(tx, self.jurisdiction, service)
            text = str(Checkpoint(origin, size, await root_at(tx, size)))
            lines = [sign(text, origin, LOG_KEY)]
            await tx.run(PUT, (origin, size, Checkpoint.read(text).root, f"{text}\n{lines[0]}"))
            for name in witnesses:
                lines.append(cosign(text, name, WITNESSES[name], at))
                await tx.run(PUT_LINE, (origin, size, name, str(lines[-1]), at))
        path = self.folder / f"{service}-{size}.checkpoint"
        path.write_text(note_of(text, lines), "utf-8")
        if (line := f"log {vkey(LOG_KEY, origin, LOG)}") not in self.policy_lines and not any(
            each.startswith(f"log {origin}+") for each in self.policy_lines
        ):
            self.policy_lines.append(line)
        return path

    def policy_text(self, service: str, quorum: str = "both") -> list[str]:
        """Of this service's log; `quorum`: both witnesses, or any of them."""
        logs = [line for line in self.policy_lines if f"/{service}/" in line][:1]
        seen = [f"witness w{n} {vkey(key, name, WITNESS)}" for n, (name, key) in enumerate(WITNESSES.items())]
        return [*logs, *seen, "group both all w0 w1", f"quorum {quorum}"]

    def policy(self, service: str, quorum: str = "both") -> Policy:
        return Policy.read("\n".join(self.policy_text(service, quorum)))

    async def says(self, service: str, stream_id: str, event: Event) -> None:
        """Appends one event, as the service's own process would."""
        at = self.town.services[service]
        now = at.clock.now()
        async with at.pool.acquire() as connection, connection.transaction():
            last = await connection.fetchrow(LAST, stream_id)
            version, prev = (last["version"], last["leaf"]) if last is not None else (0, None)
            header = Header(
                event_id=uuid4(),
                jurisdiction=self.jurisdiction,
                source=service,
                stream_id=stream_id,
                version=version + 1,
                type=event.type,
                occurred_at=now,
                recorded_at=now,
                actor=f"system:{service}",
                in_role="system",
                on_behalf_of=None,
                causation_id=uuid4(),
                correlation_id="erasing",
                traceparent=None,
                plan_version=None,
            )
            body = write(header, await at.sealer.seal(event, stream_id), prev, os.urandom(16))
            new = event_store.NewEvent(read(body).event_id, stream_id, version + 1, event.type, body, now)
            await event_store.append(Tx(connection), [new])
        at.app.appended.ring()

    async def a_tip(self, words: str = "夜里有车拉煤", **more: Any) -> None:
        await self.town.post("/intake/v1/public/tips", {"words": words, **more})

    async def bodies(self, service: str, upto: int = 2**62) -> list[bytes]:
        return [row[0] for row in await self.town.services[service].pool.fetch(BODIES, upto)]


def note_of(text: str, lines: Sequence[Line]) -> str:
    return f"{text}\n{''.join(map(str, lines))}"


@asynccontextmanager
async def a_town_to_back_up(ground: Ground, folder: Path) -> AsyncIterator[BackedUp]:
    async with a_service(ground, *SERVICES) as town:
        yield BackedUp(ground, town, folder)


@dataclass
class Empty:
    """Databases as a new server has them, and the town that goes on in them."""

    ground: Ground
    databases: dict[str, str]

    def dsn(self, name: str) -> str:
        return self.ground.templates.dsn(self.databases[name], f"{name}_owner")

    def superuser(self, name: str) -> str:
        return self.ground.templates.dsn(self.databases[name])

    @asynccontextmanager
    async def town(self, before: BackedUp) -> AsyncIterator[Town]:
        """The services of the town `before` on these databases, their read models built as a restore builds them."""
        services: dict[str, Service] = {}
        async with contextlib.AsyncExitStack() as stack:
            for name, old in before.town.services.items():
                settings = self.ground.settings(
                    name, self.databases[name], self.databases["keys"], before.town.folder, before.jurisdiction
                )
                services[name] = Service(old.card, settings, old.clock)
                await services[name].open()
                stack.push_async_callback(services[name].close)
            for service in services.values():
                with pytest.raises(NotReady, match=f"minewatch rebuild {service.name}"):
                    service.start()
                await service.rebuild()
            for service in services.values():
                service.start()
            door = Door(services)
            client = httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://town.example")
            http = await stack.enter_async_context(client)
            yield replace(before.town, services=services, http=http, door=door)


@asynccontextmanager
async def empty_databases(ground: Ground, *only: str) -> AsyncIterator[Empty]:
    """All of a town's, or those named."""
    names = {name: await ground.templates.copy(name) for name in only or (*SERVICES, "keys")}
    for name, database in names.items():  # as prepare_server makes them
        await ground.templates.run(f'ALTER DATABASE "{database}" OWNER TO "{name}_owner"')
    try:
        yield Empty(ground, names)
    finally:
        for name in names.values():
            await ground.templates.drop(name)


async def stopped(town: BackedUp) -> None:
    for service in town.town.services.values():
        await service.close()


# ------------------------------------------------------------------------------------------------- whoever alters a backup


def altered(folder: Path, service: str, table: str, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Rewrites the rows of a file, and the manifest with them: as somebody does who knows what is compared."""
    name = f"{service}/{table}.copy.gz"
    rows = gzip.decompress((folder / name).read_bytes()).splitlines(keepends=True)
    (folder / name).write_bytes(gzip.compress(b"".join(changed := change(rows)), 1))
    manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    kept = file_of(folder / name)
    manifest["files"][name] = {"bytes": kept.bytes, "sha256": kept.sha256}
    for one in manifest["services"][service]["tables"]:
        if one["name"] == table:
            one["rows"] = len(changed)
    (folder / MANIFEST).write_text(json.dumps(manifest), "utf-8")
