"""What a process of the drill runs: the very `minewatch` command, with a clock that jumps, crash points that kill, short waits
for what would take minutes, and, when a bug is planted, that bug.

All of it comes by the environment, so that a process is what its name says:
MINEWATCH_DRILL_FOLDER   FOLDER/clock/SERVICE: seconds that its clock is away from real time; FOLDER/armed/NAME: "nth point", the
                         crash point at which the process NAME kills itself when it passes it for the nth time; or "slow point",
                         where it says "here" and stands still until the file is gone
MINEWATCH_DRILL_PLANT    a name for plants.apply
"""

import asyncio
import functools
import os
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import shared.cli.entries
import shared.cli.programs
import shared.log_signing
import shared.relay
import shared.service
from services.together import DESCRIBE
from shared.checkpointer import Checkpointer
from shared.cli.main import COMMANDS, commands
from shared.deliveries import Deliveries
from shared.embedded.processes import write_private
from shared.errors import MinewatchError
from shared.parts import Points
from shared.service import Service
from shared.settings import SERVICES
from shared.stream import definition

BACK_OFF = tuple(timedelta(seconds=s) for s in (1, 2, 3, *(4 for _ in range(30))))
"""Long enough in all that no trouble with mail of the schedule makes a delivery dead."""
SIGNED_EVERY = 3.0
"""Seconds between checkpoints: a restore then takes some away, and a point of signing that is armed is soon passed."""
LEASE, CALL_LIMIT = timedelta(seconds=8), 5.0


RUN = ("plan", "serve", "restore", "accept-lineage", "rebuild", "signer", "witness")
"""The commands that are run."""
SLOW, HERE, DAWDLES = "slow", "here", 30.0
"""Instead of a number: the process answers that it is here, and stands still, its transaction open, so many seconds at most."""


@dataclass(frozen=True)
class JumpingClock:
    """Real time, moved by the number of seconds that stands in a file; asked anew each time."""

    offset: Path

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=float(self.offset.read_text()))


@dataclass
class Armed:
    """Passes every crash point but the one that the drill has armed for this process: there it dies, or dawdles."""

    order: Path
    hits: Path
    name: str
    passed: int = 0
    watched: str = ""

    async def __call__(self, point: str) -> None:
        try:
            nth, _, wanted = self.order.read_text().partition(" ")
        except FileNotFoundError:
            return
        if nth == HERE or not point.startswith(wanted):  # another of its tasks stands there
            return
        if nth == SLOW:
            return await self.dawdle()
        self.passed = self.passed + 1 if self.watched == wanted else 1
        self.watched = wanted
        if self.passed >= int(nth):
            self.die(point)

    async def dawdle(self) -> None:
        write_private(self.order, HERE)
        until = time.monotonic() + DAWDLES
        while self.order.exists() and time.monotonic() < until:
            await asyncio.sleep(0.01)

    def die(self, point: str) -> None:
        """Takes the order away first, or the process would die there for ever. What was taken back meanwhile does not count."""
        try:
            self.order.unlink()
        except FileNotFoundError:
            return
        hits = os.open(self.hits, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(hits, f"{self.name}\t{point}\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)


def soft_definition(*about: Any) -> Any:
    """The stream as the relay makes it, but messages can be deleted and purged: what a careless operator could do."""
    config = definition(*about)
    config.deny_delete = config.deny_purge = False
    return config


def warm() -> None:
    """Does what every child would do again."""
    for name in RUN:
        import_module(COMMANDS[name][0].partition(":")[0])
    for name in ("alembic.command", "sqlalchemy.ext.asyncio", "shared.wake_ups", "structlog"):  # imported where used
        import_module(name)
    known = vars(shared.cli.entries)["entry_points"] = functools.cache(entry_points)
    for service in SERVICES:
        known(group="minewatch.services", name=service)
        DESCRIBE[service]()


def main(name: str, words: list[str]) -> int:
    """Runs `minewatch WORDS` as the process `name`; its exit code."""
    folder = Path(os.environ["MINEWATCH_DRILL_FOLDER"])
    points = Armed(folder / "armed" / name, folder / "hits", name)
    prepare(folder / "clock" / name.partition(".")[0], points)
    if plant := os.environ.get("MINEWATCH_DRILL_PLANT"):
        from tests.faults import plants

        plants.apply(plant)
    try:
        commands.main(args=words, prog_name="minewatch", standalone_mode=False)
    except MinewatchError as error:
        print(f"minewatch: {error}", flush=True)
        return 2
    except BaseException:
        traceback.print_exc(file=sys.stdout)
        return 1
    return 0


def prepare(offset: Path, points: Points) -> None:
    programs, service = vars(shared.cli.programs), vars(shared.service)
    programs["SystemClock"] = functools.partial(JumpingClock, offset)
    programs["Service"] = functools.partial(Service, points=points, back_off=BACK_OFF)
    vars(shared.log_signing)["Checkpointer"] = functools.partial(Checkpointer, every=SIGNED_EVERY)
    service["Deliveries"] = functools.partial(Deliveries, lease=LEASE, call_limit=CALL_LIMIT)
    vars(shared.relay)["definition"] = soft_definition
