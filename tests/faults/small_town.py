"""A town of all four services in this very process, as load.py and checks.py see one: to try both before anything is broken."""

import asyncio
import contextlib
import dataclasses
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg

from shared.checkpoints import origin_of
from shared.cosigning import NotCosigned
from shared.embedded.ports import free_port
from shared.plan.loader import LoadedPlan
from shared.service import Service
from shared.settings import SERVICES
from shared.sql import Tx
from shared.transparency.note import LOG, Key
from tests.faults import signing
from tests.faults.checks import compare
from tests.faults.ledger import Ledger
from tests.faults.load import write
from tests.faults.mail import Mailbox, a_mailbox
from tests.faults.records import Records, read_book
from tests.faults.town import Poison, Restore
from tests.support.services import Ground, Town, a_service
from tests.support.signing import a_signer

FREE = "SET session_replication_role = replica"
"""As superuser, with triggers and foreign keys off."""


TOLD = """
SELECT DISTINCT convert_from(body, 'UTF8')::json -> 'data' ->> 'kind' FROM record.event WHERE type = 'notify.message.issued.v1'
"""


class _NotKept(Exception):
    """Rolls back."""


@dataclass
class SmallTown:
    """`town` runs; its clock stands still unless it is moved. `folder`: of signer and witness. `gone`: what `holes` says."""

    town: Town
    ground: Ground
    mailbox: Mailbox
    folder: Path
    ledger: Ledger = field(default_factory=Ledger)
    poison: list[Poison] = field(default_factory=list)
    restores: list[Restore] = field(default_factory=list)
    seed: int = 1
    copies: dict[str, str] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)

    @property
    def services(self) -> tuple[str, ...]:
        return SERVICES

    @property
    def signing(self) -> tuple[Path, Path] | None:
        return self.folder / "signer", self.folder / "witness"

    @property
    def plan(self) -> LoadedPlan:
        return self.town.loaded

    @property
    def jurisdiction(self) -> str:
        return self.town.services["cases"].settings.jurisdiction

    @property
    def nats_url(self) -> str:
        return self.ground.nats.url

    def url(self, service: str) -> str:
        return str(self.town.http.base_url)

    def headers(self, post: str, unit: str | None = None) -> dict[str, str]:
        return self.town.headers(post, unit)

    def dsn(self, database: str, role: str | None = None) -> str:
        """Its databases have names of their own."""
        services = self.town.services
        address = services["cases"].settings.keys_dsn if database == "keys" else services[database].settings.app_dsn
        name = self.copies.get(database) or address.rsplit("/", 1)[-1]
        return self.ground.templates.dsn(name, role)

    def environment_of(self, name: str) -> dict[str, str]:
        s = self.town.services[name].settings
        said = {
            "JURISDICTION": s.jurisdiction,
            f"{name.upper()}_APP_DSN": self.dsn(name, f"{name}_app"),
            f"{name.upper()}_LOG_DSN": self.dsn(name, f"{name}_log"),
            "KEYS_DSN": s.keys_dsn,
            "NATS_URL": s.nats_url,
            "PLANS": str(s.plans),
            "SECRET": s.secret.decode(),
            "MASTER_KEY": s.master_key,
            "TOKEN_PUBLIC": s.token_public,
            "MAIL": s.mail or "",
            "SCRATCH_DSN": s.scratch_dsn or "",
        }
        return {f"MINEWATCH_{key}": value for key, value in said.items()}

    def now(self, service: str) -> datetime:
        return self.town.clock.now()

    def jump(self, service: str, seconds: float) -> None:
        """Here all services have one clock."""
        self.town.clock.move_to(self.town.clock.now() + timedelta(seconds=seconds))

    def stream_keep(self, service: str) -> int | None:
        return None

    def holes(self, service: str) -> set[int]:
        return self.gone

    async def works(self, commands: int, rate: float = 100.0) -> None:
        """The load, until so many commands have their answers; afterwards an hour has passed, all is quiet, and signed."""
        stop = asyncio.Event()
        clients = dict.fromkeys(SERVICES, self.town.http)
        writing = asyncio.create_task(write(self, self.ledger, stop, self.seed, clients, rate))
        self.seed += 1
        upto = self.ledger.settled() + commands
        while self.ledger.settled() < upto and not writing.done():
            await asyncio.sleep(0.02)
        stop.set()
        await writing
        await self.town.settled(60)
        self.jump("all", 3600)
        await self.town.settled(60)
        for service in self.town.services.values():
            await _signed(service)

    async def told(self) -> set[str]:
        """The kinds of messages that people were sent."""
        async with self.town.services["notify"].pool.acquire() as connection:
            return {row[0] for row in await connection.fetch(TOLD)}

    async def halt(self) -> None:
        """Nothing moves any more; what is doctored stays as it is."""
        for service in self.town.services.values():
            await service.close()

    @asynccontextmanager
    async def doctored(self, service: str, *statements: str) -> AsyncIterator[None]:
        """In a copy of its database, in whose place it stands meanwhile."""
        templates = self.ground.templates
        copy = await templates.copy(self.dsn(service).rsplit("/", 1)[-1])
        await templates.run(";".join([FREE, *statements]), copy)
        self.copies[service] = copy
        try:
            yield
        finally:
            del self.copies[service]
            await templates.drop(copy)

    async def wrong(self, records: Records, service: str, statement: str) -> list[str]:
        """What can be said of `records` when one service's book is read after the statement, of which nothing stays."""
        connection = await asyncpg.connect(self.dsn(service))
        try:
            async with connection.transaction():
                await connection.execute(f"{FREE}; {statement}")
                book = await read_book(connection, service)
                raise _NotKept
        except _NotKept:
            changed = dataclasses.replace(records, books={**records.books, service: book})
            return compare(changed, self, self.ledger, self.mailbox)
        finally:
            await connection.close()


async def _signed(service: Service) -> None:
    """All of its log, also by the witness, whom others ask at the same time."""
    signs = service.log_signing
    assert signs.checkpointer is not None
    await signs.checkpointer.once(every=0)
    async with asyncio.timeout(30):
        for gatherer in signs.gatherers:
            while True:
                with contextlib.suppress(NotCosigned):
                    await gatherer.once()
                    break
                await asyncio.sleep(0.05)


@asynccontextmanager
async def a_small_town(ground: Ground, folder: Path) -> AsyncIterator[SmallTown]:
    code, port = f"t{secrets.token_hex(4)}", free_port()
    signing.make(folder, code, port)
    door, policy = folder / "signer" / "socket", folder / "policy"
    async with (
        a_mailbox() as mailbox,
        a_signer(folder / "signer"),
        a_service(ground, *SERVICES, town=code, mail=mailbox.address, signer=door, policy=policy) as town,
        _a_witness(folder / "witness", port, town),
    ):
        yield SmallTown(town, ground, mailbox, folder)


@asynccontextmanager
async def _a_witness(folder: Path, port: int, town: Town) -> AsyncIterator[None]:
    """It knows each log by the name that the log has now."""
    public = signing.public_of(folder.with_name("signer"))
    for name, service in town.services.items():
        async with service.pool.acquire() as connection:
            origin = await origin_of(Tx(connection), service.settings.jurisdiction, name)
        signing.told(folder, [Key(origin, LOG, public)])
    words = (sys.executable, "-P", "-m", "shared.witness", str(folder), str(port))
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None and (await process.stdout.readline()).startswith(b"ready ")
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
