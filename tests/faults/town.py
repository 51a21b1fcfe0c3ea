"""The town of the drill: one Postgres, one NATS, and every part of every service as a process of its own.

Whoever dies is started again after a short pause. Faults are done to it from outside by injuries.py and troubles.py; load.py
speaks to its web processes; checks.py reads its databases as superuser; raising.py puts it up.
"""

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg

from services.together import DESCRIBE
from shared.database import SCRATCH, dsn_of
from shared.decider import Actor
from shared.embedded.home import Home
from shared.embedded.nats_server import EmbeddedNats
from shared.embedded.postgres import EmbeddedPostgres
from shared.embedded.processes import EmbeddedServer, ServerDidNotStart, write_private
from shared.identity.tokens import Tokens
from shared.plan.loader import LoadedPlan
from shared.settings import SERVICES
from tests.faults.supervisor import Supervisor
from tests.support.servers import POSTGRES_SETTINGS

SETTINGS = POSTGRES_SETTINGS | {
    "deadlock_timeout": "100ms",
    "full_page_writes": "on",  # a page half written by a killed process is mended from them
    "max_connections": "300",
    "max_wal_size": "96MB",  # so that a small disk holds it, and can be filled
    "min_wal_size": "32MB",
}
KEEP = {"intake": 60}
"""How many messages a stream holds where it does not hold all: who reads it and is away for a while must ask the source."""

NOTICED = 3.0
"""Seconds in which Postgres notices that a session of it was killed, when it was one."""
NEVER = datetime(9000, 1, 1, tzinfo=UTC)
CARDS = {name: describe() for name, describe in DESCRIBE.items()}


def parts_of(service: str) -> tuple[str, ...]:
    """Those of its parts that have something to do, web first."""
    card = CARDS[service]
    some = (*(["timers"] if card.timers.handlers else []), *(["jobs"] if card.outside is not None else []))
    return ("web", "sequencer", "relay", "receiver", "follower", *some, "checkpoint")


def processes_of(services: Iterable[str]) -> tuple[str, ...]:
    """Their parts, each as SERVICE.PART."""
    return tuple(f"{service}.{part}" for service in services for part in parts_of(service))


SIGNERS = ("signer", "witness")
PROCESSES = (*processes_of(SERVICES), *SIGNERS)


@dataclass(frozen=True)
class Poison:
    """An event that nobody can read, as it was put into the log of `service`."""

    service: str
    event_id: UUID
    type: str
    stream_id: str


@dataclass
class Restore:
    """`service` was put back to an older state: `lost` are the ids of its events that are gone; `position` is the last position
    that both pasts share, `parent` the lineage before, `lineage` the one after. In real time: `began`, and `accepted` by all."""

    service: str
    position: int
    parent: UUID
    lineage: UUID
    lost: frozenset[UUID]
    began: datetime
    accepted: datetime = NEVER


@dataclass
class Town:
    """A running town. `services`: those that it has; the databases of the others are there, and empty.

    holes: service -> positions whose message was deleted or purged on purpose and may still be missing from the stream.
    poison, restores: what was done, in order, for the checks; relapses: from when to when streams of before a restore came back.
    stale: services whose read models hold traces of what was forgotten until they are rebuilt; `deciding` is held by whoever
    accepts or rebuilds, as one person would do it.
    """

    folder: Path
    plan: LoadedPlan
    postgres: EmbeddedPostgres
    nats: EmbeddedNats
    supervisor: Supervisor
    ports: dict[str, int]
    services: tuple[str, ...] = SERVICES
    more: dict[str, str] = field(default_factory=dict)
    poison: list[Poison] = field(default_factory=list)
    restores: list[Restore] = field(default_factory=list)
    relapses: list[tuple[datetime, datetime]] = field(default_factory=list)
    stale: set[str] = field(default_factory=set)
    deciding: asyncio.Lock = field(default_factory=asyncio.Lock)
    _holes: dict[str, set[int]] = field(default_factory=lambda: {name: set() for name in SERVICES})
    _at: dict[str, asyncio.Lock] = field(
        default_factory=lambda: {name: asyncio.Lock() for name in ("postgres", "nats")}
    )

    @property
    def home(self) -> Home:
        return Home(self.folder)

    @property
    def signed(self) -> bool:
        """Whether somebody signs its logs."""
        return (self.folder / "signer").exists()

    @property
    def processes(self) -> tuple[str, ...]:
        every = processes_of(self.services)
        return (*every, *SIGNERS) if self.signed else tuple(name for name in every if not name.endswith(".checkpoint"))

    @property
    def signing(self) -> tuple[Path, Path] | None:
        """The folders of signer and witness."""
        return (self.folder / "signer", self.folder / "witness") if self.signed else None

    @property
    def jurisdiction(self) -> str:
        """`140181101`."""
        return self.plan.plan.jurisdiction

    @property
    def nats_url(self) -> str:
        return self.nats.url

    @property
    def nats_log(self) -> Path:
        """What the server says; not on its disk."""
        return self.folder / "run" / "nats.log"

    @property
    def superuser_dsn(self) -> str:
        """Of the database postgres."""
        return self.postgres.superuser_dsn

    def url(self, service: str) -> str:
        """`http://127.0.0.1:port` of its web process, the same for the whole run; nobody listens while the process is dead."""
        return f"http://127.0.0.1:{self.ports[service]}"

    def dsn(self, database: str, role: str | None = None) -> str:
        """Of one of the four services or `keys`; without a role the superuser's. It may be away, and come back, at any time."""
        if role is None:
            return self.superuser_dsn.rsplit("/", 1)[0] + f"/{database}"
        return dsn_of(self.superuser_dsn, database, role, self.home.secrets["passwords"][role])

    def headers(self, post: str, unit: str | None = None) -> dict[str, str]:
        """The token of whoever holds `post` (in `unit`) by the plan and a fresh Idempotency-Key. Raises StopIteration."""
        holder = next(p for p in self.plan.plan.people if p.post == post and unit in (None, p.unit))
        actor = Actor(holder.person, holder.post, holder.unit, holder.village)
        kept = self.home.secrets
        token = Tokens(kept["token_public"], kept["token_private"]).issue(actor, timedelta(hours=1))
        return {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid4())}

    def now(self, service: str) -> datetime:
        """The campaign's clock of this service: it runs, and is made to jump."""
        return datetime.now(UTC) + timedelta(seconds=self._offset(service))

    def jump(self, service: str, seconds: float) -> None:
        """Moves its clock, forth or back."""
        self._set_offset(service, self._offset(service) + seconds)

    def stream_keep(self, service: str) -> int | None:
        """How many messages its stream holds, None for all."""
        return KEEP.get(service)

    def holes(self, service: str) -> set[int]:
        """Positions that were deleted or purged from its stream on purpose since the stream was last made anew."""
        return self._holes[service]

    @asynccontextmanager
    async def database(self, name: str) -> AsyncIterator[asyncpg.Connection]:
        """As superuser; `postgres` for the server's own. Raises OSError and PostgresError while it is away."""
        connection = await asyncpg.connect(self.dsn(name), timeout=10)
        try:
            yield connection
        finally:
            connection.terminate()

    @asynccontextmanager
    async def at(self, server: EmbeddedServer) -> AsyncIterator[None]:
        """Alone at work on this server, which answers at the beginning."""
        async with self._at[server.name]:
            await answering(server)
            yield

    def kill_postgres(self) -> None:
        """The whole of it, as a power button would: the server is left dead, the keeper starts it again."""
        if (pid := self.postgres.pid) is not None:
            for one in (pid, *_children_of(pid)):
                _kill(one)
            self.supervisor.kills["postgres"] += 1

    async def kill_a_backend(self, chosen: random.Random) -> None:
        """One session of Postgres; the server cuts all others and recovers by itself. Returns when it has noticed: until then it
        still answers, and whoever is next at work on it would be cut off in the middle."""
        async with self.database("postgres") as other:
            mine, until = await other.fetchval("SELECT pg_backend_pid()"), 0.0
            while not other.is_closed():
                children = [child for child in _children_of(self.postgres.pid) if child != mine]
                if children and time.monotonic() > until:  # again: one may just have ended by itself
                    _kill(chosen.choice(children))
                    self.supervisor.kills["postgres backend"] += 1
                    until = time.monotonic() + NOTICED
                await asyncio.sleep(0.01)

    def kill_nats(self) -> None:
        """It is left dead, the keeper starts it again."""
        if (pid := self.nats.pid) is not None:
            _kill(pid)
            self.supervisor.kills["nats"] += 1

    @asynccontextmanager
    async def nats_down(self) -> AsyncIterator[Path]:
        """NATS killed, its store at hand, nobody else at work on it; started again afterwards."""
        async with self.at(self.nats):
            self.kill_nats()
            await self.nats.stop()
            yield self.nats.folder
            await answering(self.nats)

    def words_of(self, name: str) -> list[str]:
        """What `minewatch` is asked to run as the process `name`: SERVICE.PART…, or one of SIGNERS."""
        if name in SIGNERS:
            port = ["--port", str(self.ports[name])] if name in self.ports else []
            return [name, "serve", "--folder", str(self.folder / name), *port]
        service, part = name.split(".")[:2]
        return ["serve", service, "--only", part]

    def environment_of(self, name: str) -> dict[str, str]:
        """What the process `name` is told."""
        bare = {"PATH": os.environ["PATH"], "MINEWATCH_DRILL_FOLDER": str(self.folder)}
        if name in SIGNERS:
            return bare
        service = name.partition(".")[0]
        kept, upper = self.home.secrets, service.upper()
        settings = {
            "JURISDICTION": self.jurisdiction,
            f"{upper}_APP_DSN": self.dsn(service, f"{service}_app"),
            f"{upper}_LOG_DSN": self.dsn(service, f"{service}_log"),
            "KEYS_DSN": self.dsn("keys", "keys_office"),
            "OWNER_DSN": self.dsn(service, f"{service}_owner"),
            "NATS_URL": self.nats_url,
            "PLANS": str(self.home.plans),
            "SECRET": kept["secret"],
            "MASTER_KEY": kept["master_key"],
            "TOKEN_PUBLIC": kept["token_public"],
            "TOKEN_PRIVATE": kept["token_private"],
            "PORT": str(self.ports[service]),
            "STREAM_KEEP": str(self.stream_keep(service) or ""),
            "SCRATCH_DSN": self.dsn("postgres", SCRATCH),
            **(
                {"SIGNER": str(self.folder / "signer" / "socket"), "POLICY": str(self.folder / "policy")}
                if self.signed
                else {}
            ),
            **self.more,
        }
        return bare | {f"MINEWATCH_{key}": value for key, value in settings.items()}

    def _offset(self, service: str) -> float:
        return float((self.folder / "clock" / service).read_text())

    def _set_offset(self, service: str, seconds: float) -> None:
        write_private(self.folder / "clock" / service, str(seconds))

    def set_clocks(self, moment: datetime) -> None:
        """All services' clocks to this moment; they run on from there."""
        for service in SERVICES:
            self._set_offset(service, (moment - datetime.now(UTC)).total_seconds())


def _children_of(pid: int | None) -> list[int]:
    """Its direct children; Postgres gives each a session of its own, so a signal to the group would miss them."""
    try:
        threads = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(child) for child in threads.split()]


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


async def answering(server: EmbeddedServer) -> None:
    """Starts it when it is dead, and waits for it when it is just recovering."""
    while True:
        try:
            return await server.start()  # does nothing to one that runs
        except (ServerDidNotStart, OSError):
            await asyncio.sleep(0.2)
