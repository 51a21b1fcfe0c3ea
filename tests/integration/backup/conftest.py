"""One town that was at work and was backed up, for the tests that only look; and a server that a town is restored onto."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from shared.database import role_names
from tests.support.backups import BackedUp, a_town_to_back_up
from tests.support.servers import PostgresAddress, postgres_from_wheel
from tests.support.services import MASTER_KEY, Ground


@pytest.fixture(scope="session")
async def town(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BackedUp]:
    folder: Path = tmp_path_factory.mktemp("backups")
    async with a_town_to_back_up(ground, folder) as made:
        yield made


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresAddress]:
    """With nothing on it; a module's own, because the databases have the names they have in a town."""
    with postgres_from_wheel() as address:
        yield address


@pytest.fixture
def environment(server: PostgresAddress, tmp_path: Path) -> dict[str, str]:
    """What tells a command of the server."""
    passwords = tmp_path / "passwords.json"
    passwords.write_text(json.dumps({role: "p" for role in role_names()}), "utf-8")
    return {
        "MINEWATCH_SERVER_DSN": server.superuser_dsn,
        "MINEWATCH_PASSWORDS": str(passwords),
        "MINEWATCH_MASTER_KEY": MASTER_KEY,
    }
