"""What the drill does to a server is done when it says so."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.embedded.postgres import EmbeddedPostgres
from tests.faults import town as town_module
from tests.faults import troubles
from tests.faults.injuries import NotDone
from tests.faults.schedule import Step
from tests.faults.supervisor import Supervisor
from tests.faults.town import SETTINGS, Town
from tests.support.plans import loaded


class NoHatchery:
    """For a town in which nothing runs but a server."""

    ended: Any = None


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    nothing: Any = NoHatchery()
    postgres = EmbeddedPostgres(tmp_path / "postgres", tmp_path / "run", settings=SETTINGS)
    keeps = Supervisor(lambda _: {}, lambda _: [], tmp_path, random.Random(1), nothing)
    await postgres.start()
    try:
        yield Town(tmp_path, loaded(), postgres, nothing, keeps, {})
    finally:
        await postgres.stop()


async def test_a_disk_on_which_there_is_room_was_not_full(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(troubles, "PATIENCE", 1.0)
    monkeypatch.setattr(troubles, "_blow_up", lambda _: None)
    town.nats_log.touch()
    with pytest.raises(NotDone, match="postgres has written all it wanted"):
        await troubles.fill_disk(town, Step(0.0, "full_postgres", "all", 0.0))
    assert not (town.folder / "postgres" / "balloon").exists()


async def test_a_session_is_killed_when_the_server_has_noticed_and_nobody_is_cut_off_afterwards(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, kill, killed = town.postgres.pid, town_module._kill, asyncio.Event()
    assert server is not None

    def unnoticed(pid: int) -> None:
        os.kill(server, signal.SIGSTOP)
        kill(pid)
        killed.set()

    monkeypatch.setattr(town_module, "_kill", unnoticed)
    async with asyncio.timeout(30):
        async with town.at(town.postgres):
            killing = asyncio.create_task(town.kill_a_backend(random.Random(1)))
            await killed.wait()
            await asyncio.sleep(0.1)
            assert not killing.done()
            os.kill(server, signal.SIGCONT)
            await killing
        async with town.at(town.postgres), town.database("postgres") as connection:
            await connection.execute("SELECT pg_sleep(0.5)")
    assert town.supervisor.kills["postgres backend"] == 1
