"""`minewatch audit replay` and `diff`: the read models of another moment, and what changed between two, event by event."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import uvicorn
from rich.console import Console
from rich.progress import Progress as Bars

from shared.audit.difference import Change, between
from shared.audit.moment import CLOCKS, Clock, Moment, as_of, at_cut, at_position, read_moment
from shared.audit.opened import Opened, opened
from shared.audit.past import Past, past_of
from shared.cli.programs import service as service_of
from shared.cli.readers import Reader, person_option, reason_option
from shared.cli.stopped import settings_at
from shared.cli.towns import services_at
from shared.replay import Progress
from shared.settings import SERVICES
from shared.sql import Tx
from shared.web.replayed import Front, replay_app

REPORTING, REPORT = "reporting", "weekly_report-"

data_option = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="the folder of a town, running or not; without it MINEWATCH_… variables say where",
)
service_option = click.option(
    "--service", "services", type=click.Choice(SERVICES), multiple=True, help="only this one; may be given again"
)
clock_option = click.option(
    "--clock",
    type=click.Choice(CLOCKS),
    default="recorded",
    show_default=True,
    help="what was recorded by then, or what had happened by then as it is known today",
)
scratch_option = click.option(
    "--scratch",
    metavar="DSN",
    help="the server for the copy, as a role that may make databases; else where the town's are",
)


@dataclass(frozen=True)
class Asked:
    """One of `until`, `position` and `report` is given."""

    until: str | None
    clock: Clock
    position: int | None
    report: str | None

    async def of(self, service: Opened) -> Moment:
        """Raises NoSuchMoment."""
        async with service.pool.acquire() as connection:
            tx, sources = Tx(connection), list(service.card.consumes())
            if self.report is not None:
                return await at_cut(tx, service.name, sources, f"{REPORT}{self.report}")
            if self.position is not None:
                return await at_position(tx, service.name, sources, self.position)
            return await as_of(tx, service.name, sources, read_moment(self.until or ""), self.clock)


@click.command()
@click.option("--until", metavar="T", help="2018-02-09T17:00 (town time), or with its offset")
@clock_option
@click.option("--position", type=click.IntRange(1), metavar="N", help="when the log of --service ended with this event")
@click.option("--report", metavar="KEY", help="at the cut of what was filed of this report")
@service_option
@click.option(
    "--serve", "port", type=click.IntRange(0, 65535), metavar="PORT", help="serve pages and API on it; 0: any free one"
)
@click.option("--keep", is_flag=True, help="leave the databases; whoever asked for them has to drop them")
@reason_option
@person_option
@scratch_option
@data_option
def replay(
    until: str | None,
    clock: Clock,
    position: int | None,
    report: str | None,
    services: tuple[str, ...],
    port: int | None,
    keep: bool,
    reason: str | None,
    person: str | None,
    scratch: str | None,
    data: Path | None,
) -> None:
    """Build the read models of another moment in a scratch database, from log and inbox; the town's own are not touched.

    With --serve or --keep somebody gets to see them: who and why is asked, and is an event of each log before anything is built.
    The pages are those of PERSON's post. Without, it says how many rows there are, and nothing of what is in them.
    """
    if [until, position, report].count(None) != 2:
        raise click.UsageError("Give one of --until T, --position N and --report KEY.")
    if position is not None and len(services) != 1:
        raise click.UsageError("--position is of one log: name it with --service.")
    if report is not None and services not in ((), (REPORTING,)):
        raise click.UsageError(f"--report is a moment of {REPORTING}.")
    names = (REPORTING,) if report is not None else services or services_at(data)
    reader = Reader(reason, person) if reason is not None and person is not None else None
    if (port is not None or keep) != (reader is not None):
        raise click.UsageError(
            "--reason and --as say who is shown it and why: give both with --serve or --keep, and only then."
        )
    asyncio.run(_replay(Asked(until, clock, position, report), names, reader, port, keep, scratch, data))


async def _replay(
    asked: Asked,
    names: Sequence[str],
    reader: Reader | None,
    port: int | None,
    keep: bool,
    scratch: str | None,
    data: Path | None,
) -> None:
    async with _opened(names, scratch, data) as found, AsyncExitStack() as stack:
        pasts: list[Past] = []
        moments = [await asked.of(service) for service in found]
        of_each = list(zip(found, moments, strict=True))
        seen_by = [await reader.noted(service, moment) for service, moment in of_each] if reader else []
        for service, moment in of_each:
            past = await stack.enter_async_context(past_of(service, moment, keep=keep))
            with _told(service) as progress:
                await past.move_to(moment, progress)
            await past.only()
            pasts.append(past)
            await _say(past, keep)
        if port is not None:
            await _serve(pasts, port, seen_by[0].post)


async def _say(past: Past, keep: bool) -> None:
    moment = past.moment
    assert moment is not None
    click.echo(f"{moment.service} {moment.text}: {moment.vector}")
    for table in dict.fromkeys(table.name for model in past.of.card.models() for table in model.tables):
        rows = await past.scratch.pool.fetchval(f'SELECT count(*) FROM view."{table}"')
        click.echo(f"  {table}: {rows}")
    if keep:
        click.echo(f"  kept: DROP DATABASE {past.scratch.name} when it is no longer needed; it holds opened texts")


async def _serve(pasts: Sequence[Past], port: int, post: str) -> None:
    """Until SIGINT or SIGTERM."""
    apps, pools = {}, [await past.scratch.reading() for past in pasts]
    for past, pool in zip(pasts, pools, strict=True):
        assert past.moment is not None
        apps[past.of.name] = replay_app(past.of, pool, past.moment, post)
    front = Front(apps)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    config = uvicorn.Config(
        front, host="127.0.0.1", port=port, log_config=None, lifespan="off", timeout_graceful_shutdown=5
    )
    server = uvicorn.Server(config)
    socket = config.bind_socket()
    running = asyncio.create_task(server._serve(sockets=[socket]))
    click.echo(f"ready http://127.0.0.1:{socket.getsockname()[1]}/enter/{front.key}")
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    stopping.cancel()
    await asyncio.gather(running, return_exceptions=True)
    socket.close()
    for pool in pools:
        pool.terminate()


@click.command()
@click.option("--from", "first", metavar="T", required=True, help="2018-02-09T17:00 (town time), or with its offset")
@click.option("--to", "last", metavar="T", required=True, help="the same, later")
@clock_option
@click.option("--table", "tables", metavar="NAME", multiple=True, help="only this read model; may be given again")
@service_option
@click.option("--json", "as_json", is_flag=True, help="one JSON object a row")
@reason_option
@person_option
@scratch_option
@data_option
def diff(
    first: str,
    last: str,
    clock: Clock,
    tables: tuple[str, ...],
    services: tuple[str, ...],
    as_json: bool,
    reason: str | None,
    person: str | None,
    scratch: str | None,
    data: Path | None,
) -> None:
    """Say which rows of the read models changed between two moments, and the events that changed them.

    It shows what is in the rows: who it is for and why is an event of each log first.
    """
    asked = Asked(first, clock, None, None), Asked(last, clock, None, None)
    if read_moment(first) > read_moment(last):
        raise click.UsageError("--from lies after --to.")
    if reason is None or person is None:
        raise click.UsageError("--reason and --as say who is shown it and why.")
    asyncio.run(_diff(asked, services or services_at(data), tables, as_json, Reader(reason, person), scratch, data))


async def _diff(
    asked: tuple[Asked, Asked],
    names: Sequence[str],
    tables: tuple[str, ...],
    as_json: bool,
    reader: Reader,
    scratch: str | None,
    data: Path | None,
) -> None:
    async with _opened(names, scratch, data) as found:
        known = {table for one in found for model in one.card.models() for table in (t.name for t in model.tables)}
        if unknown := set(tables) - known:
            raise click.UsageError(
                f"no such read model: {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}"
            )
        for service in found:
            first, last = [await one.of(service) for one in asked]
            await reader.noted(service, last, since=first.at)
            async with past_of(service, last) as past:
                with _told(service) as progress:
                    changes = [change async for change in between(past, first, last, tables or None, progress)]
            for change in changes:
                click.echo(_as_json(service.name, change) if as_json else _as_text(service.name, change))
            if not as_json:
                click.echo(f"{service.name}: {len(changes)} rows differ, {first.vector} → {last.vector}")


def _as_json(service: str, change: Change) -> str:
    return json.dumps({"service": service, **change.as_json()}, ensure_ascii=False, default=str)


def _as_text(service: str, change: Change) -> str:
    key = ", ".join(f"{name}={value}" for name, value in change.key.items())
    lines = [f"{service} {change.table} [{key}] {change.kind}"]
    if change.kind == "changed":
        before, after = change.before or {}, change.after or {}
        lines += [f"    {name}: {_value(before[name])} → {_value(after[name])}" for name in change.columns]
    lines += [f"    {event.line}" for event in change.events] or [
        "    by no event of its own: it follows from other rows"
    ]
    return "\n".join(lines)


def _value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


@asynccontextmanager
async def _opened(names: Sequence[str], scratch: str | None, data: Path | None) -> AsyncIterator[list[Opened]]:
    async with settings_at(data) as settings_for, AsyncExitStack() as stack:
        found = []
        for name in names:
            settings = settings_for(name)
            settings = replace(settings, scratch_dsn=scratch or settings.scratch_dsn)
            card = service_of(name, settings=settings).card
            found.append(await stack.enter_async_context(opened(card, settings)))
        yield found


@contextmanager
def _told(service: Opened) -> Iterator[Progress]:
    """Bars on the screen, one a source, beside whatever is printed."""
    with Bars(console=Console(stderr=True), transient=True) as bars:
        rows = {
            source: bars.add_task(f"{service.name} ← {source}") for source in (service.name, *service.card.consumes())
        }
        yield lambda source, at, end: bars.update(rows[source], completed=at, total=end)
