"""`minewatch status [SERVICE]`: how the services stand, and what needs a person. Leaves with 0 when nothing does, else with 1."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import click
import nats
import nats.errors
from nats.aio.client import Client
from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table

from shared import findings
from shared.app import LOST
from shared.cli.towns import data_option, services_at, settings_of
from shared.database import SEARCH_PATH, prepare_connection
from shared.findings import Finding, Status
from shared.log_feed import FeedHead
from shared.settings import SERVICES, Settings
from shared.status import (
    MINEWATCH,
    PATIENCE,
    Look,
    followers_of,
    heads_of,
    look,
    nats_version,
    newest_step,
    sources_of,
    stream_of,
)
from shared.stream import inbox_of
from shared.trail import NOT_WITNESSED_EN, NOT_WITNESSED_ZH, Trail, trail_of
from shared.ways_out import hints_of

BETWEEN = 2.0
"""Seconds between two looks: whoever is behind in both and did not move stands still."""


@click.command()
@click.argument("service", type=click.Choice(SERVICES), required=False)
@click.option("--json", "as_json", is_flag=True, help="the same as JSON")
@data_option
def status(service: str | None, as_json: bool, data: Path | None) -> None:
    """Say how SERVICE stands, or every service that can be reached: by MINEWATCH_… variables as for serve, or in a town."""
    names = [service] if service else services_at(data)
    seen = asyncio.run(_look_twice({name: settings_of(name, data) for name in names}, data))
    if as_json:
        click.echo(TypeAdapter(list[Status]).dump_json(seen, indent=1))
    else:
        for one in seen:
            _print(one)
    sys.exit(1 if any(one.findings for one in seen) else 0)


async def _look_twice(settings: dict[str, Settings], data: Path | None) -> list[Status]:
    """A second time only when somebody is behind."""
    town = f" --data {data}" if data is not None else ""
    first = await _look(settings, town)
    if not any(_behind(one) for one in first):
        return first
    await asyncio.sleep(BETWEEN)
    second = await _look(settings, town)
    return [_compared(before, now, town) for before, now in zip(first, second, strict=True)]


def _behind(one: Status) -> bool:
    return one.database is not None and (any(f.behind for f in one.followers) or _streams_behind(one))


def _streams_behind(one: Status) -> bool:
    head = one.database.head if one.database is not None else 0
    return one.nats is not None and (one.stream is None or one.stream.last < head)


def _compared(before: Status, now: Status, town: str) -> Status:
    """`now` with what was behind in both looks and did not move."""
    if before.database is None or now.database is None:
        return now
    were = {(f.follower, f.source): f.position for f in before.followers if f.behind}
    still = [f for f in now.followers if f.behind and were.get((f.follower, f.source)) == f.position]
    stuck = _streams_behind(before) and _streams_behind(now) and _last(before) == _last(now)
    more = [*findings.of_followers(now.service, still, town)]
    if stuck and (now.stream is None or now.stream.differs is None):
        more += findings.of_stream(now.database, now.stream, True, town)
    return replace(now, findings=(*now.findings, *more))


def _last(one: Status) -> int:
    return one.stream.last if one.stream is not None else 0


async def _look(settings: dict[str, Settings], town: str) -> list[Status]:
    any_settings = next(iter(settings.values()))
    async with asked_nats(any_settings.nats_url) as nc:
        looks = await asyncio.gather(*(_one(s, nc, town) for s in settings.values()))
        heads = {one.service: one.database.feed_head for one in looks if one.database is not None}
        wanted = {source for one in looks if one.database is not None for source in sources_of(one.database)}
        if nc is not None:
            heads |= await heads_of(nc, any_settings.jurisdiction, wanted - heads.keys())
    return [_with_sources(one, heads, town) for one in looks]


def _with_sources(one: Status, heads: dict[str, FeedHead], town: str) -> Status:
    if one.database is None:
        return one
    more = findings.of_sources(one.database, heads, town)
    return replace(one, followers=tuple(followers_of(one.database, heads)), findings=(*one.findings, *more))


async def _one(settings: Settings, nc: Client | None, town: str) -> Status:
    blank = Status(settings.service, MINEWATCH, newest_step(), None, None, None)
    found: list[Finding] = [] if nc is not None else [findings.nats_away()]
    try:
        said = {"application_name": "status", "search_path": SEARCH_PATH}
        connection = await asyncpg.connect(settings.app_dsn, timeout=5, server_settings=said)
    except (asyncpg.PostgresError, *LOST) as error:
        return replace(blank, findings=(findings.away(type(error).__name__), *found))
    try:
        await prepare_connection(connection)
        now = datetime.now(UTC)
        seen = await look(connection, settings.service, now)
        found += findings.of_database(seen, now, town)
        trail = await trail_of(connection, settings, now)
        found += findings.of_trail(trail)
        hints = await hints_of(connection, settings, now, town)
        stream, version = None, None
        if nc is not None:
            try:
                stream, version = await stream_of(nc, settings.jurisdiction, seen, connection), nats_version(nc)
                found += findings.of_stream(seen, stream, False, town)
            except nats.errors.Error:
                found.append(findings.nats_away())
    except asyncpg.SyntaxOrAccessError:
        return replace(blank, findings=(findings.older(), *found))
    finally:
        await connection.close()
    return replace(blank, nats=version, database=seen, stream=stream, trail=trail, findings=tuple(found), hints=hints)


@asynccontextmanager
async def asked_nats(url: str) -> AsyncIterator[Client | None]:
    """None when it does not answer."""
    try:
        nc = await nats.connect(
            url,
            allow_reconnect=False,
            reconnect_time_wait=0,
            connect_timeout=int(PATIENCE),
            error_cb=_unheard,
            inbox_prefix=inbox_of(url),
        )
    except (nats.errors.Error, OSError):
        yield None
        return
    try:
        yield nc
    finally:
        await nc.close()


async def _unheard(_: Exception) -> None:
    """What goes wrong is said once, as a finding."""


# ------------------------------------------------------------------------------------------------------ on paper


def _print(one: Status) -> None:
    console, seen = Console(highlight=False, soft_wrap=True), one.database
    console.print(f"[bold]{one.service}[/bold]  minewatch {one.minewatch}, NATS {one.nats or 'away'}", end="")
    if seen is None:
        console.print()
    else:
        console.print(f", Postgres {seen.postgres}, schema {seen.step} of {one.newest_step}")
        for word, fact in _lines(one, seen):
            console.print(f"  {word:<12}{fact}")
        marks = Table("follower", "source", "at", "behind")
        for f in one.followers:
            marks.add_row(f.follower, f.source, str(f.position), "?" if f.behind is None else str(f.behind))
        console.print(marks)
    for colour, told in (("red", one.findings), ("yellow", one.hints)):
        for finding in told:
            remedy = f" → [bold]{finding.command}[/bold]" if finding.command else " → docs/operations.md"
            console.print(f"[{colour}]{finding.kind}[/{colour}] {finding.en}{remedy}")
    if not one.findings:
        console.print("[green]all well[/green]")
    console.print()


def _lines(one: Status, seen: Look) -> Iterable[tuple[str, str]]:
    yield (
        "log",
        f"{seen.head} events, the newest numbered {_moment(seen.sequenced_at)}; {seen.pending} wait for a number",
    )
    restored = f", restored {len(seen.ancestors)}×" if seen.ancestors else ""
    yield "lineage", f"{seen.lineage} since {_moment(seen.lineage_since)}{restored}"
    if one.stream is not None:
        s = one.stream
        yield "stream", f"{s.first} to {s.last}, {s.messages} messages, {s.size / 1e6:.1f} MB"
    else:
        yield "stream", "none" if one.nats is not None else "?"
    yield "reactions", f"{seen.parked} parked, {seen.queued} queued behind them, {seen.dismissed} dismissed so far"
    yield "deliveries", f"{seen.unsent} under way ({seen.unsent_late} late), {seen.dead} dead"
    yield "timers", f"{seen.timers_late} overdue, {seen.timers_failed} failed"
    if one.trail is not None:
        yield from _trail(one.trail)
    yield "clocks", f"Postgres {seen.skew:+.3f} s from this program"
    yield "database", f"{seen.size / 1e6:.1f} MB, {seen.sessions} connections of the sequencer's role"


def _trail(trail: Trail) -> Iterable[tuple[str, str]]:
    if trail.size:
        waits = f"; the next event waits {trail.unsigned_for:.0f} s" if trail.unsigned_for else ""
        yield "checkpoint", f"{trail.size} events, signed {_moment(trail.signed_at)}{waits}"
    else:
        yield "checkpoint", "none yet" if trail.signer else "nobody signs this log (MINEWATCH_SIGNER)"
    for witness in trail.witnesses:
        whose = ", this town's own" if witness.own else ""
        yield "witness", f"{witness.name}{whose}: {witness.size} events, {_moment(witness.at)}"
    if trail.quorum is not None:
        yield (
            "quorum",
            f"met up to {trail.quorum}" + (f"; the newest: {trail.quorum_missing}" if trail.quorum_missing else ""),
        )
    if not trail.outside:
        yield "", f"[yellow]{NOT_WITNESSED_ZH}[/yellow]"
        yield "", f"[yellow]{NOT_WITNESSED_EN}[/yellow]"


def _moment(at: Any) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ") if at is not None else "never"
