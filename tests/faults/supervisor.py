"""Starts the drill's processes and starts again whoever died, after a short pause, as a supervisor would."""

import asyncio
import contextlib
import os
import random
import signal
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.hatchery import Hatchery

LONGEST_PAUSE = 2.0
"""Seconds between a death and the next start."""
POLITE = 15.0
"""Seconds that a process gets to end by itself when it is asked to."""


@dataclass
class Supervisor:
    """`environment_of`: what a process of this name is told; `words_of`: what it runs. `pauses` is seeded.

    wanted: who runs, or is in the pause before its next start.
    kills: deaths by SIGKILL, by process; falls: other ends that nobody asked for (a start without a database, as a rule).
    """

    environment_of: Callable[[str], dict[str, str]]
    words_of: Callable[[str], list[str]]
    logs: Path
    pauses: random.Random
    hatchery: Hatchery
    kills: Counter[str] = field(default_factory=Counter)
    falls: Counter[str] = field(default_factory=Counter)
    running: dict[str, int] = field(default_factory=dict)
    wanted: set[str] = field(default_factory=set)
    _starting: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _forking: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.hatchery.ended = self._ended

    async def close(self) -> None:
        """Asks everybody to end; kills whoever does not."""
        await self.hold(list(self.wanted), polite=True)
        await self.hatchery.clear()

    async def want(self, names: Iterable[str]) -> None:
        """Starts them, and from now on again whenever they end."""
        for name in names:
            self.wanted.add(name)
            if name not in self.running and name not in self._starting:
                await self._start(name)

    async def hold(self, names: Iterable[str], polite: bool = False) -> list[str]:
        """Ends them and leaves them down, until they are wanted again; who was asked politely and did not end well."""
        how = signal.SIGTERM if polite else signal.SIGKILL
        gone: list[tuple[str, int]] = []
        names = list(names)
        for name in names:
            self.wanted.discard(name)
            if (starting := self._starting.pop(name, None)) is not None:
                starting.cancel()
        await asyncio.gather(*(asyncio.shield(self._forking[name]) for name in names if name in self._forking))
        for name in names:
            if (pid := self.running.get(name)) is not None:
                self._signal(pid, how)
                gone.append((name, pid))
        ill: list[str] = []
        for name, pid in gone:
            try:
                code = await asyncio.wait_for(self.hatchery.code(pid), POLITE)
            except TimeoutError:
                self._signal(pid, signal.SIGKILL)
                code = await self.hatchery.code(pid)
            if polite and code not in (0, -how):  # who has nothing to bring to an end dies of it
                ill.append(f"{name} (code {code})")
        return ill

    def kill(self, name: str) -> bool:
        """SIGKILL; whether it ran."""
        pid = self.running.get(name)
        return pid is not None and self._signal(pid, signal.SIGKILL)

    async def once(self, name: str, words: list[str]) -> tuple[int, str]:
        """Runs `minewatch WORDS` to its end as the process `name`; its exit code, and what it said."""
        log = self.logs / f"{name}.log"
        before = log.stat().st_size if log.exists() else 0
        pid = await self.hatchery.start(name, words, self.environment_of(name), log)
        code = await self.hatchery.code(pid)
        return code, log.read_bytes()[before:].decode(errors="replace").strip()

    async def _start(self, name: str) -> None:
        """Once, however many ask for it meanwhile."""
        if name not in self._forking:
            self._forking[name] = asyncio.create_task(self._fork(name))
        await asyncio.shield(self._forking[name])

    async def _fork(self, name: str) -> None:
        log = self.logs / f"{name}.log"
        try:
            pid = await self.hatchery.start(name, self.words_of(name), self.environment_of(name), log)
        finally:
            del self._forking[name]
        self.running[name] = pid
        if (code := self.hatchery.ended_with(pid)) is not None:  # before anybody knew that it ran
            self._ended(name, pid, code)

    def _ended(self, name: str, pid: int, code: int) -> None:
        if self.running.get(name) != pid:
            return
        del self.running[name]
        if code == -signal.SIGKILL:
            self.kills[name] += 1
        elif name in self.wanted:
            self.falls[name] += 1
        if name in self.wanted:
            self._starting[name] = asyncio.create_task(self._start_again(name))

    async def _start_again(self, name: str) -> None:
        await asyncio.sleep(self.pauses.uniform(0, LONGEST_PAUSE))
        del self._starting[name]
        await self._start(name)

    @staticmethod
    def _signal(pid: int, how: signal.Signals) -> bool:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, how)
            return True
        return False
