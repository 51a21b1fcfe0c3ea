"""The drill: a town under load, faults by a schedule, and at the end every effect compared one by one.

report = await run(schedule.make(seed=7, seconds=60))
assert report.wrong == []
"""

import asyncio
import contextlib
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import asyncpg

from shared.app import LOST
from shared.embedded.processes import write_private
from shared.ending import ended
from tests.faults import injuries, restoring, settling, troubles
from tests.faults.checks import check_all
from tests.faults.ledger import Ledger
from tests.faults.load import RATE, afterwards, writers
from tests.faults.logs import outcries
from tests.faults.mail import Mailbox, a_mailbox
from tests.faults.raising import Stood, a_town
from tests.faults.report import Report
from tests.faults.schedule import INJURIES, POINTS, Schedule, Step
from tests.faults.town import Town

QUIET = 120.0
"""Seconds in which all has to come to rest after the last fault."""
OBEYED = 60.0
"""Seconds in which a process comes to the point where it has to die."""
FULL = ("full_postgres", "full_nats")


@dataclass(frozen=True)
class Less:
    """A smaller drill. `like`: it begins as a copy of that one; `acts`: of the load, by name, None for all; `rate`:
    commands a second, as far as the machine can; `still`: when nothing has moved for so many seconds, it never comes to rest."""

    like: Stood | None = None
    acts: Collection[str] | None = None
    rate: float = RATE
    still: float | None = None


@dataclass
class Drill:
    """One run under way."""

    schedule: Schedule
    town: Town
    mailbox: Mailbox
    ledger: Ledger
    report: Report
    still: float | None = None
    began: float = field(default_factory=time.monotonic)
    _begun: list[tuple[Step, asyncio.Task[None]]] = field(default_factory=list)

    def passed(self) -> float:
        """Seconds since the load began, as the schedule counts them."""
        return self.ledger.settled() / RATE if self.schedule.paced else time.monotonic() - self.began

    async def until(self, moment: float) -> None:
        """Raises NotDone where a load that has to get that far stands still."""
        given_up = time.monotonic() + 30 + 10 * max(0.0, moment - self.passed())
        while (left := moment - self.passed()) > 0:
            if time.monotonic() > given_up:
                raise injuries.NotDone(f"the load stands still at {self.passed():.1f} of {moment:.1f}")
            await asyncio.sleep(min(left, 0.02) if self.schedule.paced else left)

    async def lasts(self, step: Step) -> None:
        """So long as the step says; where seconds are not the machine's, also until the stream was injured."""
        await self.until(self.passed() + float(step.parameter))
        if self.schedule.paced:
            end = step.at + float(step.parameter)
            meanwhile = {one for one in self.schedule.steps if one.kind in INJURIES and step.at < one.at < end}
            while not meanwhile <= {one for one, task in self._begun if task.done()}:
                await asyncio.sleep(0.02)

    async def steps(self) -> None:
        """Each at its time and by itself; those that meet on one thing wait for each other."""
        for step in self.schedule.steps:
            if step.at >= self.schedule.seconds:
                break
            await self.until(step.at)
            self._begun.append((step, asyncio.create_task(self._step(step))))
        await asyncio.gather(*(task for _, task in self._begun))

    async def _step(self, step: Step) -> None:
        try:
            await self._do(step)
        except (injuries.NotDone, asyncpg.PostgresError, *LOST) as error:
            self.report.wrong.append(f"step not done: {step}: {type(error).__name__}: {error}"[:600])
        else:
            self.report.steps[step.kind] += 1

    async def _do(self, step: Step) -> None:
        town, kind = self.town, step.kind
        if kind == "kill":
            await self._kill(step)
        elif kind == "point":  # in one step: the order is read all the time
            write_private(town.folder / "armed" / step.target, str(step.parameter))
        elif kind == "dawdle":
            await troubles.let_dawdle(town, step)
        elif kind in INJURIES:
            await injuries.injure(town, step)
        elif kind in FULL:
            await troubles.fill_disk(town, step)
        elif kind == "restore":
            await restoring.restore(town, step)
        elif kind == "clock":
            troubles.let_clock_jump(town, step)
        elif kind == "pause":
            await self._until_it_runs(step)
            await troubles.pause(town, step)
        elif kind in ("down", "away"):
            await troubles.stay_away(town, step, self.lasts(step))
        elif kind == "double":
            await troubles.run_two(town, step)
        elif kind == "poison":
            await self._poison(step)
        else:
            await troubles.disturb_mail(town, self.mailbox, step)

    async def _poison(self, step: Step) -> None:
        """A reader that accepts a restore rebuilds its read models, and nobody can rebuild from poison: so that comes first."""
        await asyncio.gather(*(task for step, task in self._begun if step.kind == "restore"))
        await restoring.rebuild_stale(self.town)
        await troubles.poison(self.town, step)

    async def _kill(self, step: Step) -> None:
        town = self.town
        if step.target == "nats":
            async with town.at(town.nats):
                town.kill_nats()
        elif step.target.startswith("postgres"):
            async with town.at(town.postgres):
                chosen = random.Random(f"{self.schedule.seed} {step.at}")
                if step.target == "postgres":
                    town.kill_postgres()
                else:
                    await town.kill_a_backend(chosen)
        elif step.target == "everything":
            async with town.at(town.nats), town.at(town.postgres):
                for name in list(town.supervisor.running):
                    town.supervisor.kill(name)
                town.kill_nats()
                town.kill_postgres()
        else:
            await self._until_it_runs(step)
            town.supervisor.kill(step.target)

    async def _until_it_runs(self, step: Step) -> None:
        """It may just be being started, or be away for a while."""
        while step.target != "nats" and step.target not in self.town.supervisor.running:
            await asyncio.sleep(0.1)

    async def afterwards(self) -> None:
        """The load has ended: the clocks go on, behind the first late step; each other one comes when that before is obeyed."""
        late = [step for step in self.schedule.steps if step.at >= self.schedule.seconds]
        for step in late[:1]:
            await self._step(step)
        afterwards(self.town)
        for before, step in pairwise(late):
            await self._obeyed(before)
            await self._step(step)
        for step in late[-1:]:
            await self._obeyed(step)

    async def _obeyed(self, step: Step) -> None:
        """A process has died where it was told to, or does not come there within OBEYED seconds."""
        order, until = self.town.folder / "armed" / step.target, time.monotonic() + OBEYED
        while order.exists() and time.monotonic() < until:
            await asyncio.sleep(0.05)

    async def settle(self) -> None:
        """Heals everything and waits for rest; what does not come to rest is wrong."""
        self.mailbox.mode = "ok"
        for armed in (self.town.folder / "armed").iterdir():
            armed.unlink(missing_ok=True)
        await self.town.supervisor.want(self.town.processes)
        began = time.monotonic()
        try:
            await restoring.rebuild_stale(self.town)
        except injuries.NotDone as error:
            self.report.wrong.append(str(error))
        waiting = await settling.quiet(self.town, QUIET, self.still)
        self.report.wrong += [f"not quiet after {time.monotonic() - began:.0f} s: {line}" for line in waiting]
        self.report.settled = time.monotonic() - began

    async def count(self) -> None:
        town, report = self.town, self.report
        report.killed, report.falls = town.supervisor.kills, town.supervisor.falls.total()
        report.kills, report.restores = report.killed.total(), len(town.restores)
        report.injuries = Counter({kind: report.steps[kind] for kind in INJURIES if report.steps[kind]})
        report.commands, report.outcomes = len(self.ledger.sent), self.ledger.counts()
        hits = town.folder / "hits"
        report.points = (
            Counter(line.split("\t")[1] for line in hits.read_text().splitlines()) if hits.exists() else Counter()
        )
        for service in town.services:
            async with town.database(service) as connection:
                report.events += await connection.fetchval("SELECT position FROM work.head")
                report.checkpoints += await connection.fetchval("SELECT count(*) FROM record.checkpoint")

    def progress(self) -> str:
        """One line: time, kills, injuries, commands."""
        done = self.report.steps
        seconds = int(time.monotonic() - self.began)
        return (
            f"{seconds // 60:02}:{seconds % 60:02}  kills {self.town.supervisor.kills.total()}  "
            f"injuries {sum(done[kind] for kind in INJURIES)}  restores {done['restore']}  "
            f"commands {len(self.ledger.sent)}  wrong {len(self.report.wrong)}"
        )


async def run(
    schedule: Schedule,
    plant: str | None = None,
    say: Callable[[str], None] = print,
    progress: Callable[[str], None] | None = None,
    keep: bool = False,
    where: Path | None = None,
    less: Less | None = None,
) -> Report:
    """The whole of it, in a new folder in `where` (None: among the machine's temporary ones). The folder is removed, but for its
    logs when something was wrong, or all of it stays with `keep`. `less`: not the whole of it."""
    folder = Path(tempfile.mkdtemp(prefix="minewatch-drill-", dir=where))
    report = Report(schedule.seed, schedule.digest)
    try:
        with contextlib.ExitStack() as stack:
            if any(step.kind in FULL for step in schedule.steps):
                if reason := troubles.may_mount():
                    report.left_out += [f"{kind}: {reason}" for kind in FULL]
                    some = tuple(step for step in schedule.steps if step.kind not in FULL)
                    schedule = Schedule(schedule.seed, schedule.seconds, some)
                else:
                    stack.enter_context(troubles.small_disks(folder))
            try:
                await _run(folder, schedule, report, plant, say, progress, less or Less())
            finally:
                if keep:
                    shutil.copytree(folder / "postgres", folder / "kept" / "postgres", dirs_exist_ok=True)
                    shutil.copytree(folder / "nats", folder / "kept" / "nats", dirs_exist_ok=True)
    finally:
        _tidy(folder, keep, report)
    return report


async def _run(
    folder: Path,
    schedule: Schedule,
    report: Report,
    plant: str | None,
    say: Callable[[str], None],
    progress: Callable[[str], None] | None,
    less: Less,
) -> None:
    async with a_mailbox() as mailbox, a_town(folder, schedule.seed, mailbox.address, plant, less.like) as town:
        drill = Drill(schedule, town, mailbox, Ledger(), report, less.still)
        report.wrong += [f"not quiet at the start: {line}" for line in await settling.quiet(town, QUIET)]
        if any(step.kind == "older_folder" for step in schedule.steps):
            await injuries.keep_a_copy(town)
        stop = asyncio.Event()
        writing = asyncio.create_task(writers(town, drill.ledger, stop, schedule.seed, less.rate, acts=less.acts))
        telling = asyncio.create_task(_tell(drill, progress)) if progress else None
        drill.began = time.monotonic()
        try:
            await drill.steps()
            await drill.until(schedule.seconds)
            stop.set()
            await writing
            report.seconds = time.monotonic() - drill.began
            await drill.afterwards()
            await drill.settle()
        finally:
            await ended([task for task in (writing, telling) if task is not None])
        await drill.count()
        for name in await town.supervisor.hold(town.processes, polite=True):
            report.wrong.append(f"{name} did not end well when it was asked to")
        report.wrong += await check_all(town, drill.ledger, mailbox)
        report.wrong += outcries(folder / "logs", town.restores, town.relapses)
        if (armed := schedule.counts()["point"]) >= len(town.processes):
            names = [point for points in POINTS.values() for point in points]
            missed = [name for name in names if not any(point.startswith(name) for point in report.points)]
            report.wrong += [f"nobody died at the crash point {name!r}, though {armed} were armed" for name in missed]
    say(f"faults for {report.seconds:.0f} s, quiet {report.settled:.1f} s later")


async def _tell(drill: Drill, progress: Callable[[str], None]) -> None:
    while True:
        progress(drill.progress())
        await asyncio.sleep(1)


def _tidy(folder: Path, keep: bool, report: Report) -> None:
    if keep:
        report.logs = str(folder)
        return
    for inside in folder.iterdir():
        if inside.name != "logs" or not report.wrong:
            shutil.rmtree(inside) if inside.is_dir() else inside.unlink()
    if report.wrong:
        report.logs = str(folder / "logs")
    else:
        folder.rmdir()
