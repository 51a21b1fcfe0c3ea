"""What everything is measured on: the embedded Postgres and NATS with their shipped settings, and parts as processes."""

import asyncio
import contextlib
import json
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from shared.embedded.nats_server import EmbeddedNats
from shared.embedded.postgres import EmbeddedPostgres
from tests.support.kernel import Templates
from tests.support.servers import PostgresAddress


@dataclass(frozen=True)
class Size:
    """How much is done. Seconds, counts, and rounds that take turns."""

    rounds: int = 5
    slice: float = 0.8
    writers: tuple[int, ...] = (1, 8, 32)
    commands: float = 1.0
    burst: float = 2.0
    steady: float = 12.0
    replayed: int = 100_000
    findings: int = 10_000
    patience: float = 600.0
    watched: float = 12.0
    verified: tuple[int, int] = (100_000, 1_000_000)


FULL = Size()
QUICK = Size(
    rounds=1, slice=0.05, writers=(1, 2), commands=0.1, burst=0.2, steady=0.5, replayed=500, findings=40, patience=60,
    watched=0.5, verified=(600, 2_000),
)  # fmt: skip


@dataclass(frozen=True)
class Store:
    """One service's database. `app`, `log` and `keys` are addresses of its roles."""

    service: str
    jurisdiction: str
    database: str
    app: str
    log: str
    keys: str


@dataclass(frozen=True)
class Work:
    """What a process of parts is told. `source`: the store that a receiver or a follower listens to."""

    parts: tuple[str, ...]
    store: Store
    nats: str
    source: Store | None = None


@dataclass
class Ground:
    folder: Path
    size: Size
    postgres: EmbeddedPostgres
    nats: EmbeddedNats
    templates: Templates = field(init=False)

    def __post_init__(self) -> None:
        address = PostgresAddress("127.0.0.1", self.postgres.access.port, "postgres", self.postgres.access.password)
        self.templates = Templates(address)

    async def store(self, service: str = "cases") -> Store:
        """A fresh one, with keys of its own; it goes with the server's folder."""
        database, keys = await self.templates.copy(service), await self.templates.copy("keys")
        dsn, town = self.templates.dsn, f"t{secrets.token_hex(4)}"
        return Store(
            service, town, database, dsn(database, f"{service}_app"), dsn(database, f"{service}_log"),
            dsn(keys, "keys_office"),
        )  # fmt: skip

    async def calm(self) -> None:
        """Writes out what is dirty, so that no round pays for the one before."""
        await self.templates.run("CHECKPOINT")

    @asynccontextmanager
    async def process(self, work: Work) -> AsyncIterator["Process"]:
        """`python -m tests.bench.part`, stopped at the end. It also ends by itself when this program is gone."""
        async with a_process("tests.bench.part", asdict(work)) as running:
            yield running


@dataclass
class Process:
    running: asyncio.subprocess.Process
    said: dict[str, Any] = field(default_factory=dict)

    async def stop(self) -> dict[str, Any]:
        """What it answers when its input ends."""
        if self.running.returncode is None:
            assert self.running.stdin is not None and self.running.stdout is not None
            self.running.stdin.close()
            text = (await asyncio.wait_for(self.running.stdout.read(), 30)).decode()
            await asyncio.wait_for(self.running.wait(), 30)
            self.said = json.loads(text or "{}")
        return self.said


@asynccontextmanager
async def a_process(module: str, told: dict[str, Any]) -> AsyncIterator[Process]:
    """Tells it a line of JSON and waits for its line `ready`. Raises RuntimeError when it ends before."""
    limit = 64 * 1024 * 1024
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=limit
    )
    assert running.stdin is not None and running.stdout is not None
    process = Process(running)
    try:
        running.stdin.write(json.dumps(told).encode() + b"\n")
        async with asyncio.timeout(60):
            if (await running.stdout.readline()).strip() != b"ready":
                raise RuntimeError(f"{module} did not start")
        yield process
        await process.stop()
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()


@asynccontextmanager
async def servers(folder: Path, size: Size) -> AsyncIterator[Ground]:
    """Both servers in `folder`, as `minewatch up` starts them."""
    postgres, nats = (
        EmbeddedPostgres(folder / "postgres", folder / "run"),
        EmbeddedNats(folder / "nats", folder / "run"),
    )
    async with contextlib.AsyncExitStack() as stack:
        for server in (postgres, nats):
            stack.push_async_callback(server.stop)
            await server.start()
        ground = Ground(folder, size, postgres, nats)
        await ground.templates.prepare()
        yield ground


async def connections(dsn: str, most: int) -> list[asyncpg.Connection]:
    """That many, as the services make them."""
    settings = {"search_path": "view, work, record"}
    return [await asyncpg.connect(dsn, server_settings=settings) for _ in range(most)]


async def closed(all_of: Sequence[asyncpg.Connection]) -> None:
    for one in all_of:
        await one.close()


async def until(question: Any, seconds: float = 60.0) -> None:
    """Asks every 5 ms until the answer is true. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not await question():
            await asyncio.sleep(0.005)


def fdatasync(folder: Path, times: int = 50) -> float:
    """Milliseconds for one 8 kB write that reaches the disk; the median. What a commit can at best take."""
    path, took = folder / "fdatasync", []
    with path.open("wb", buffering=0) as file:
        for _ in range(times):
            began = time.perf_counter()
            os.pwrite(file.fileno(), bytes(8192), 0)
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    path.unlink()
    return sorted(took)[times // 2] * 1000
