"""One real Postgres and one real NATS for a test session: from the wheels, or from images with `--containers`.

What stands on them is made once as well. Under pytest-xdist each worker has its own. Nothing here needs a running event loop.
"""

import asyncio
import tempfile
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from shared.embedded.nats_server import EmbeddedNats
from shared.embedded.postgres import EmbeddedPostgres

if TYPE_CHECKING:
    from tests.support.services import Ground
    from tests.support.templates import Templates

PATIENCE = 60.0  # seconds for one server to start or stop
POSTGRES_IMAGE = "postgres:18"
NATS_IMAGE = "nats:2.15-alpine"
# The folder is thrown away, and a killed process loses nothing without fsync; only a power cut would.
POSTGRES_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "idle_in_transaction_session_timeout": "60s",
    "scram_iterations": "1",  # a test opens dozens of connections, and 4096 rounds in Python cost it two milliseconds each
}


@dataclass(frozen=True, slots=True)
class PostgresAddress:
    """Where the session's Postgres listens, and its superuser."""

    host: str
    port: int
    superuser: str
    password: str

    def dsn(self, database: str, user: str, password: str) -> str:
        who = f"{quote(user, safe='')}:{quote(password, safe='')}"
        return f"postgresql://{who}@{self.host}:{self.port}/{quote(database, safe='')}"

    @property
    def superuser_dsn(self) -> str:
        return self.dsn("postgres", self.superuser, self.password)


@dataclass(frozen=True, slots=True)
class NatsAddress:
    """Where the session's NATS with JetStream listens, user and password included."""

    url: str


def add_options(parser: pytest.Parser) -> None:
    parser.addoption(
        "--containers", action="store_true", help=f"use the images {POSTGRES_IMAGE} and {NATS_IMAGE}, not the wheels"
    )


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> Iterator[PostgresAddress]:
    with postgres_in_container() if _wants_containers(request) else postgres_from_wheel() as address:
        yield address


@pytest.fixture(scope="session")
def nats_server(request: pytest.FixtureRequest) -> Iterator[NatsAddress]:
    with nats_in_container() if _wants_containers(request) else nats_from_wheel() as address:
        yield address


@pytest.fixture(scope="session")
def templates(postgres_server: PostgresAddress) -> "Templates":
    """One for all: what is migrated or adopted for one test is copied and lent for every other."""
    from tests.support.templates import Templates

    return Templates(postgres_server)


@pytest.fixture(scope="session")
def ground(templates: "Templates", nats_server: NatsAddress) -> "Ground":
    from tests.support.services import Ground

    return Ground(templates, nats_server)


@contextmanager
def postgres_from_wheel() -> Iterator[PostgresAddress]:
    with tempfile.TemporaryDirectory(prefix="minewatch-postgres-") as folder:
        server = EmbeddedPostgres(Path(folder, "data"), Path(folder, "run"), settings=POSTGRES_SETTINGS)
        with _running(server):
            yield PostgresAddress("127.0.0.1", server.access.port, "postgres", server.access.password)


@contextmanager
def nats_from_wheel() -> Iterator[NatsAddress]:
    with tempfile.TemporaryDirectory(prefix="minewatch-nats-") as folder:
        server = EmbeddedNats(Path(folder, "store"), Path(folder, "run"))
        with _running(server):
            yield NatsAddress(server.url)


@contextmanager
def postgres_in_container() -> Iterator[PostgresAddress]:
    from testcontainers.community.postgres import PostgresContainer

    command = ["postgres", *(f"--{name}={value}" for name, value in POSTGRES_SETTINGS.items())]
    container = PostgresContainer(POSTGRES_IMAGE, username="postgres", password="minewatch", dbname="postgres")
    with container.with_command(command) as running:
        yield PostgresAddress(
            running.get_container_host_ip(), int(running.get_exposed_port(5432)), "postgres", "minewatch"
        )


@contextmanager
def nats_in_container() -> Iterator[NatsAddress]:
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy

    command = ["--jetstream", "--store_dir", "/data", "--user", "minewatch", "--pass", "minewatch"]
    container = DockerContainer(NATS_IMAGE).with_exposed_ports(4222).with_command(command)
    with container.waiting_for(LogMessageWaitStrategy("Server is ready")) as running:
        host, port = running.get_container_host_ip(), running.get_exposed_port(4222)
        yield NatsAddress(f"nats://minewatch:minewatch@{host}:{port}")


@contextmanager
def _running(server: EmbeddedPostgres | EmbeddedNats) -> Iterator[None]:
    _complete(server.start())
    try:
        yield
    finally:
        _complete(server.stop())


def _complete(step: Coroutine[Any, Any, None]) -> None:
    """Runs it in a thread of its own, because pytest-asyncio may have a loop in this one."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(asyncio.run, asyncio.wait_for(step, PATIENCE)).result()


def _wants_containers(request: pytest.FixtureRequest) -> bool:
    wanted = bool(request.config.getoption("--containers", default=False))
    if wanted:
        from testcontainers.core.config import testcontainers_config

        testcontainers_config.ryuk_disabled = True  # the fixtures stop what they start; the reaper is one image more
    return wanted
