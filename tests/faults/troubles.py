"""Troubles around the streams: a disk that is full, a clock that jumps, mail that does not go out, an event nobody can read, a
part that is away for long, two of a kind at once."""

import asyncio
import contextlib
import errno
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import asyncpg
from nats.aio.client import Client

from shared.app import APPENDING
from shared.contracts.envelope import Header, read, write
from shared.embedded.processes import write_private
from shared.errors import Unreadable
from shared.settings import SERVICES
from shared.stream import connect, stream_name
from tests.faults.injuries import NotDone
from tests.faults.mail import Mailbox, Mode
from tests.faults.program import HERE, SLOW
from tests.faults.restoring import MARK
from tests.faults.schedule import Step
from tests.faults.settling import AWAY
from tests.faults.town import CARDS, Poison, Town, answering

PATIENCE = 90.0
"""Seconds in which a process that dawdles is overtaken, or a letter or a server meets what was put in its way."""
OUTLASTED = 180.0
"""Seconds in which more is published than a stream keeps."""
DISKS = {"postgres": "640m", "nats": "256m"}
"""Size of the small disk that each server gets when disks may be mounted."""
POISON = "reporting.weekly_report.due.v1"
"""Of interest to one reaction of notify and to no projection: a projection would stop for good, as it should."""


def let_clock_jump(town: Town, step: Step) -> None:
    for service in SERVICES if step.target == "all" else (step.target,):
        town.jump(service, float(step.parameter))


MAIL: dict[str, Mode] = {
    "slow_mail": "slow",
    "refused_mail": "refuse_temporary",
    "refused_for_good": "refuse_for_good",
}
DEAD = "SELECT EXISTS (SELECT FROM work.delivery WHERE state = 'dead' AND delivery_id = ANY($1))"


async def disturb_mail(town: Town, mailbox: Mailbox, step: Step) -> None:
    """Until a letter has met it; where they are refused for good, until one is dead. Raises NotDone."""
    async with mailbox.alone:
        mailbox.mode, since = MAIL[step.kind], len(mailbox.met)
        try:
            await asyncio.sleep(float(step.parameter))
            async with asyncio.timeout(PATIENCE):
                while not mailbox.met[since:] or (
                    step.kind == "refused_for_good" and not await _dead(town, mailbox, since)
                ):
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise NotDone("no letter met it, or none was given up") from None
        finally:
            mailbox.mode = "ok"


async def _dead(town: Town, mailbox: Mailbox, since: int) -> bool:
    try:
        async with town.at(town.postgres), town.database("notify") as connection:
            return bool(await connection.fetchval(DEAD, mailbox.refused_for_good(since)))
    except AWAY:
        return False


async def pause(town: Town, step: Step) -> None:
    """Stopped in its tracks, and then it goes on as if no time had passed."""
    if step.target == "nats":
        async with town.at(town.nats):
            await _stop_for(town.nats.pid, float(step.parameter))
    else:
        await _stop_for(town.supervisor.running.get(step.target), float(step.parameter))


async def _stop_for(pid: int | None, seconds: float) -> None:
    if pid is None:
        raise NotDone("it is not running")
    with contextlib.suppress(ProcessLookupError):  # killed meanwhile
        os.kill(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            os.kill(pid, signal.SIGCONT)


async def stay_away(town: Town, step: Step, meanwhile: Coroutine[Any, Any, None]) -> None:
    """Down while its sources go on. A receiver that is `away` comes back when a stream no longer holds what it needs. Raises
    NotDone."""
    await town.supervisor.hold([step.target])
    await meanwhile
    if step.kind == "away":
        await _outlasted(town, step.target)
    await _want(town, step.target)


async def _outlasted(town: Town, receiver: str) -> None:
    """Until each source whose stream does not hold all has published more than it holds since the receiver went."""
    reader = receiver.partition(".")[0]
    sources = [source for source in CARDS[reader].consumes() if town.stream_keep(source)]
    nc = await connect(town.nats_url, "drill")
    try:
        async with asyncio.timeout(OUTLASTED):
            while not all([await _gone_past(town, nc, reader, source) for source in sources]):
                if receiver in town.supervisor.wanted:  # its database was put back, and its service started again
                    await town.supervisor.hold([receiver])
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise NotDone(f"the streams of {sources} still hold what {receiver} has yet to receive") from None
    finally:
        await nc.close()


async def _gone_past(town: Town, nc: Client, reader: str, source: str) -> bool:
    """Whether the stream has lost the event after the mark, and would have without a purge."""
    try:
        async with town.at(town.postgres), town.database(reader) as connection:
            row = await connection.fetchrow(MARK, source)
        state = (await nc.jetstream(timeout=2).stream_info(stream_name(town.jurisdiction, source))).state
    except AWAY:
        return False
    mark = row["position"] if row is not None else 0
    return state.first_seq > mark + 1 and state.last_seq > mark + (town.stream_keep(source) or 0)


DRAWN = "SELECT coalesce(last_value, 0) FROM pg_sequences WHERE schemaname = 'record' AND sequencename LIKE 'event_%'"
NUMBERED = "SELECT coalesce(max(e.ingest_id), 0) FROM record.log l JOIN record.event e USING (event_id)"
STANDING = "SELECT count(*) FROM record.event WHERE ingest_id <= $1"


async def let_dawdle(town: Town, step: Step) -> None:
    """A process stands still at a point, with facts in its open transaction, until one is numbered whose id was drawn later than
    theirs. Raises NotDone."""
    order = town.folder / "armed" / step.target
    try:
        async with asyncio.timeout(PATIENCE), town.database(step.target.partition(".")[0]) as connection:
            while not await _overtaken(order, str(step.parameter), connection):
                pass  # it held no fact: not every event has a reaction that leaves one
    except TimeoutError:
        raise NotDone(f"{step.target} was not overtaken at {step.parameter}") from None
    finally:
        order.unlink(missing_ok=True)


async def _overtaken(order: Path, point: str, connection: asyncpg.Connection) -> bool:
    """Whether facts with lower ids stand after all, when it is let go."""
    write_private(order, f"{SLOW} {point}")
    while order.read_text() != HERE:
        await asyncio.sleep(0.02)
    drawn = await connection.fetchval(DRAWN)
    while await connection.fetchval(NUMBERED) <= drawn:
        await asyncio.sleep(0.02)
    before = await connection.fetchval(STANDING, drawn)
    order.unlink()
    for _ in range(50):
        if await connection.fetchval(STANDING, drawn) > before:
            return True
        await asyncio.sleep(0.02)
    return False


async def run_two(town: Town, step: Step) -> None:
    """A second process of the same part beside the first, for a while."""
    second = f"{step.target}.second"
    await _want(town, second)
    await asyncio.sleep(float(step.parameter))
    await town.supervisor.hold([second])


async def _want(town: Town, name: str) -> None:
    """Not while its database is being put back: until it has a new lineage, nobody of the service may run."""
    async with town.at(town.postgres):
        await town.supervisor.want([name])


# ------------------------------------------------------------------------------------------------- full disks


def may_mount() -> str:
    """Why disks cannot be mounted here; empty when they can."""
    if os.geteuid() != 0:
        return "only root may mount a small disk"
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        try:
            _mount(stack, Path(folder), "1m")
        except (OSError, subprocess.CalledProcessError) as error:
            return f"a small disk cannot be mounted: {error}"
    return ""


@contextlib.contextmanager
def small_disks(folder: Path) -> Iterator[None]:
    """The folders of the servers on disks of their own that are soon full."""
    with contextlib.ExitStack() as stack:
        for name, size in DISKS.items():
            (folder / name).mkdir()
            _mount(stack, folder / name, size)
        yield


def _mount(stack: contextlib.ExitStack, where: Path, size: str) -> None:
    options = f"size={size},mode=0711"
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "minewatch-drill", str(where)], check=True, capture_output=True
    )
    stack.callback(subprocess.run, ["umount", "--lazy", str(where)], check=True, capture_output=True)


async def fill_disk(town: Town, step: Step) -> None:
    """No byte is left until the server has failed to write. Whoever stopped because of it is started again afterwards, as by a
    person. Raises NotDone."""
    name = step.kind.removeprefix("full_")
    server = town.postgres if name == "postgres" else town.nats
    async with town.at(server):
        balloon, until = town.folder / name / "balloon", time.monotonic() + float(step.parameter)
        logged, failed = town.nats_log.stat().st_size, False
        try:
            with balloon.open("wb", buffering=0) as file:
                async with asyncio.timeout(PATIENCE):
                    while not failed or time.monotonic() < until:
                        await asyncio.to_thread(_blow_up, file)  # again: something may have been given free
                        failed = failed or await _fails(town, name, logged)
                        await asyncio.sleep(0.05)
        except TimeoutError:
            raise NotDone(f"{name} has written all it wanted") from None
        finally:
            balloon.unlink()
        if name == "nats":  # after a failed write a stream of it does not recover by itself
            await server.stop()
        await answering(server)


def _blow_up(balloon: BinaryIO) -> None:
    """Until the disk says that it has no room."""
    try:
        while True:
            balloon.write(bytes(65_536))
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise


async def _fails(town: Town, name: str, logged: int) -> bool:
    """Whether Postgres cannot write now, or stopped; whether NATS could not, as its log says behind `logged`."""
    if name == "nats":
        return b"no space left on device" in town.nats_log.read_bytes()[logged:]
    try:
        async with town.database("postgres") as connection:
            await connection.execute("CREATE TEMP TABLE balloon AS SELECT generate_series(1, 100000)")
    except asyncpg.DiskFullError:
        return True
    except AWAY:
        return town.postgres.pid is None
    return False


# ------------------------------------------------------------------------------------------------- poison

APPEND = """
WITH e AS (
    INSERT INTO record.event (event_id, stream_id, version, type, body, recorded_at) VALUES ($1, $2, 1, $3, $4, $5)
    RETURNING ingest_id, event_id
)
INSERT INTO work.pending (ingest_id, event_id) SELECT ingest_id, event_id FROM e
"""


async def poison(town: Town, step: Step) -> None:
    """An event of a known type that says nothing of what the type promises, appended as if a program had gone mad."""
    service, stream_id = step.target, f"weekly_report-poison-{uuid4().hex[:8]}"
    now = town.now(service)
    header = Header(
        event_id=uuid4(),
        jurisdiction=town.jurisdiction,
        source=service,
        stream_id=stream_id,
        version=1,
        type=POISON,
        occurred_at=now,
        recorded_at=now,
        actor="system:drill",
        in_role="system",
        on_behalf_of=None,
        causation_id=uuid4(),
        correlation_id="drill",
        traceparent=None,
        plan_version=None,
    )
    body = write(header, {"poison": "nobody can read this"}, None, os.urandom(16))
    with contextlib.suppress(Unreadable):
        read(body)
        raise NotDone(f"{POISON} can be read with any data, so it is no poison")
    async with town.at(town.postgres), town.database(service) as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock_shared($1)", APPENDING)
        await connection.execute(APPEND, header.event_id, stream_id, POISON, body, now)
    town.poison.append(Poison(service, header.event_id, POISON, stream_id))
