"""Whoever is wanted runs, and whoever is held does not, also when both meet a start that is under way."""

import asyncio
import os
import random
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.faults import supervisor
from tests.faults.supervisor import Supervisor


class Nursery:
    """A hatchery whose children are numbers: `fork` lets the next start succeed, `die` ends a child."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.alive: dict[int, str] = {}
        self._waiting: list[tuple[str, asyncio.Future[int]]] = []
        self._codes: dict[int, asyncio.Future[int]] = {}
        self.ended: Any = None

    async def start(self, name: str, *_: Any) -> int:
        self.asked.append(name)
        forked: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append((name, forked))
        return await forked

    def fork(self) -> int:
        name, forked = self._waiting.pop(0)
        pid = len(self._codes) + 1
        self.alive[pid], self._codes[pid] = name, asyncio.get_running_loop().create_future()
        forked.set_result(pid)
        return pid

    def die(self, pid: int, code: int = 1) -> None:
        self._codes[pid].set_result(code)
        self.ended(self.alive.pop(pid), pid, code)

    async def code(self, pid: int) -> int:
        return await asyncio.shield(self._codes[pid])

    def ended_with(self, pid: int) -> int | None:
        return self._codes[pid].result() if self._codes[pid].done() else None


@pytest.fixture
def nursery(monkeypatch: pytest.MonkeyPatch) -> Nursery:
    made = Nursery()
    monkeypatch.setattr(supervisor, "LONGEST_PAUSE", 0.0)
    monkeypatch.setattr(os, "kill", lambda pid, how: made.die(pid, -how))
    return made


@pytest.fixture
def keeps(nursery: Nursery, tmp_path: Path) -> Supervisor:
    hatchery: Any = nursery
    return Supervisor(lambda name: {}, lambda name: [name], tmp_path, random.Random(1), hatchery)


async def until_asked(nursery: Nursery, times: int) -> None:
    async with asyncio.timeout(10):
        while len(nursery.asked) < times:
            await asyncio.sleep(0)


async def test_whoever_is_gone_before_anybody_knew_that_it_ran_is_started_again(
    nursery: Nursery, keeps: Supervisor
) -> None:
    wanting = asyncio.create_task(keeps.want(["cases.relay"]))
    await until_asked(nursery, 1)
    nursery.die(nursery.fork())  # both lines of the hatchery in one read
    await wanting
    await until_asked(nursery, 2)
    again = nursery.fork()
    await asyncio.sleep(0.01)
    assert keeps.running == {"cases.relay": again} and keeps.falls["cases.relay"] == 1


async def test_whoever_is_held_while_it_starts_does_not_run_afterwards(nursery: Nursery, keeps: Supervisor) -> None:
    wanting = asyncio.create_task(keeps.want(["cases.relay"]))
    await until_asked(nursery, 1)
    holding = asyncio.create_task(keeps.hold(["cases.relay"]))
    await asyncio.sleep(0.01)
    nursery.fork()
    await asyncio.gather(wanting, holding)
    assert nursery.alive == {} == keeps.running and keeps.wanted == set()


async def test_whoever_is_held_in_the_pause_after_a_death_is_not_started_again(
    nursery: Nursery, keeps: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanting = asyncio.create_task(keeps.want(["cases.relay"]))
    await until_asked(nursery, 1)
    pid = nursery.fork()
    await wanting
    monkeypatch.setattr(supervisor, "LONGEST_PAUSE", 0.02)
    nursery.die(pid, -signal.SIGKILL)
    assert keeps.wanted == {"cases.relay"} and keeps.running == {}
    await keeps.hold(keeps.wanted)
    await asyncio.sleep(0.05)
    assert nursery.asked == ["cases.relay"] and keeps.wanted == set()


async def test_who_is_wanted_twice_at_once_is_started_once(nursery: Nursery, keeps: Supervisor) -> None:
    wanting = [asyncio.create_task(keeps.want(["cases.relay"])) for _ in range(2)]
    await until_asked(nursery, 1)
    await asyncio.sleep(0.01)
    pid = nursery.fork()
    async with asyncio.timeout(10):
        await asyncio.gather(*wanting)
    assert nursery.asked == ["cases.relay"] and keeps.running == {"cases.relay": pid}
