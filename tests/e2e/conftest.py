"""One town for the tests that only look, made once; the others make their own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.town import Town, a_town, stop_servers


@pytest.fixture(scope="session")
async def running_town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    async with a_town(tmp_path_factory.mktemp("town") / "data") as town:
        yield town


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncIterator[Path]:
    yield tmp_path / "data"
    await stop_servers(tmp_path / "data")
