"""The demo's eleven filed reports: at its cut each comes out byte by byte again, and what was known on each Friday at 17:00 is
told beside what was filed and what is known today, event by event."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from services.reporting import main as reporting_card
from services.reporting.as_known import as_known, filed_version
from services.reporting.content import Content
from services.reporting.read_models import report_line
from services.reporting.recount import content_at, plan_of, present_cut
from services.reporting.report_file import said_at
from shared.audit.difference import Change, between, compared, keys_of, watch, writers
from shared.audit.moment import Moment, as_of, at_cut
from shared.audit.opened import Opened, opened
from shared.audit.past import Past, past_of
from shared.cli.stopped import settings_at
from shared.contracts.envelope import moment as utc
from shared.plan.book import PlanBook
from shared.plan.calendar import TOWN_TIME
from shared.sql import Tx
from tests.e2e.conftest import MINEWATCH

SOURCES = list(reporting_card.describe().consumes())
NOW = datetime.fromisoformat("2018-05-01T00:00+08:00")


@pytest.fixture(scope="module")
async def reporting(demo: tuple[int, dict[str, Any], str], demo_folder: Path) -> AsyncIterator[Opened]:
    """The demo's reporting as it stood still, with nothing of it running but its Postgres."""
    assert demo[0] == 0, demo[2][-3000:]
    async with (
        settings_at(demo_folder) as settings_for,
        opened(reporting_card.describe(), settings_for("reporting")) as found,
    ):
        yield found


@pytest.fixture(scope="module")
async def filed(reporting: Opened) -> list[report_line.Line]:
    """The town's reports, in order."""
    async with reporting.pool.acquire() as connection:
        row = await connection.fetchrow("SELECT plan FROM report_line LIMIT 1")
        lines = await report_line.of_unit(Tx(connection), row["plan"], "town")
    return [line for line in lines if line["state"] == "filed"]


async def at(reporting: Opened, moment: datetime) -> Moment:
    async with reporting.pool.acquire() as connection:
        return await as_of(Tx(connection), "reporting", SOURCES, moment)


def book_of(reporting: Opened) -> PlanBook:
    return PlanBook(reporting.settings.plans)


async def counted_in(past: Past, book: PlanBook, line: report_line.Line, plan_version: str) -> Content:
    """What the report would say there, of all that the copy holds."""
    async with past.scratch.pool.acquire() as connection:
        tx = Tx(connection)
        return await content_at(tx, await plan_of(tx, book, plan_version), line, await present_cut(tx))


async def test_replayed_at_the_cut_of_each_filed_report_it_says_the_same_bytes(
    reporting: Opened, filed: list[report_line.Line]
) -> None:
    assert len(filed) == 11
    book, head = book_of(reporting), await at(reporting, NOW)
    async with past_of(reporting, head) as past:
        for line in filed:
            async with reporting.pool.acquire() as connection:
                tx = Tx(connection)
                cut = await at_cut(tx, "reporting", SOURCES, f"weekly_report-{line['report']}")
                said = await said_at(tx, book, line, await filed_version(tx, line["report"]))
                stated = await tx.value(
                    """SELECT convert_from(body, 'UTF8')::json -> 'data' ->> 'content_sha256' FROM record.event
                       WHERE stream_id = $1 AND type = 'reporting.weekly_report.filed.v1'""",
                    (f"weekly_report-{line['report']}",),
                )
            assert said is not None
            await past.move_to(cut)
            replayed = await counted_in(past, book, line, said.plan_version)
            assert replayed.canonical == said.canonical, line["report"]
            assert replayed.sha256 == stated, line["report"]


async def test_what_was_known_at_each_cut_off_is_what_a_replay_of_that_hour_shows_and_every_difference_is_explained(
    reporting: Opened, filed: list[report_line.Line]
) -> None:
    book, explained = book_of(reporting), 0
    async with past_of(reporting, await at(reporting, NOW)) as past:
        for line in filed:
            friday = line["cut_off_at"].astimezone(TOWN_TIME)
            assert line["closing"] or (friday.isoweekday(), friday.hour) == (5, 17)
            async with reporting.pool.acquire() as connection:
                told = await as_known(Tx(connection), book, line)
                said = await said_at(Tx(connection), book, line, told["version"])
            assert said is not None
            await past.move_to(await at(reporting, line["cut_off_at"]))
            replayed = await counted_in(past, book, line, said.plan_version)
            assert {f.figure: f.value for f in replayed.values} == {f["figure"]: f["known"] for f in told["figures"]}
            for figure in told["figures"]:
                for before, after, moved in (("known", "filed", "until_filed"), ("filed", "today", "since")):
                    changes = [one["change"] for one in figure[moved]]
                    assert figure[after] - figure[before] == sum(changes) and 0 not in changes, (line["report"], figure)
                    explained += len(changes)
                for one in figure["until_filed"]:
                    assert one["cause"]["recorded_at"] > line["cut_off_at"], "it was not known then"
    assert explained >= 4


@dataclass(frozen=True)
class Since:
    """What is other today than at `friday`, and the events that it is said to come from, which `friday` has not."""

    friday: Moment
    schema: str
    changes: list[Change]

    @property
    def events(self) -> dict[str, set[int]]:
        """Source -> positions."""
        found: dict[str, set[int]] = {source: set() for source in ("reporting", *SOURCES)}
        for event in (event for change in self.changes for event in change.events):
            found[event.source].add(event.position)
        return found


async def differences_since(past: Past, fridays: list[Moment], today: Moment) -> list[Since]:
    """One walk from the first of them to today, with a copy of the read models at each stop, today's among them. Log and inbox
    are kept beside, whole, for `applied`."""
    tables, pool = list(keys_of(past)), past.scratch.pool
    stops = {f"friday_{nth}": friday for nth, friday in enumerate(fridays)} | {"today": today}
    for schema, moment in stops.items():
        await past.move_to(moment)
        if moment is fridays[0]:
            await watch(past, tables, shared=True)
        await pool.execute(f"CREATE SCHEMA {schema}")
        for table in tables:
            await pool.execute(f'CREATE TABLE {schema}."{table}" AS TABLE view."{table}"')
    found = []
    for schema, friday in list(stops.items())[:-1]:
        await pool.execute("TRUNCATE aside.shared")
        for source, end in friday.upto:
            await pool.execute(
                "INSERT INTO aside.shared SELECT $1, generate_series(1, $2::bigint)", source, end.position
            )
        changes = [change async for change in compared(past, schema, tables)]
        found.append(Since(friday, schema, [replace(each, events=await writers(past, each)) for each in changes]))
    await pool.execute(
        "CREATE TABLE aside.whole_log AS TABLE record.log; CREATE TABLE aside.whole_inbox AS TABLE record.inbox"
    )
    return found


async def applied(past: Past, since: Since) -> None:
    """The read models of that Friday, and on them the events that are said to make the difference, and no others."""
    upto = {source: end.position for source, end in since.friday.upto}
    past.replay.noting = None
    await past.replay.begin()
    async with past.scratch.pool.acquire() as connection, connection.transaction():
        for table in keys_of(past):
            await connection.execute(f'INSERT INTO view."{table}" TABLE {since.schema}."{table}"')
        await connection.execute("TRUNCATE record.log, record.inbox")
        for source, positions in since.events.items():
            table, of = ("log", "") if source == "reporting" else ("inbox", f"source = '{source}' AND ")
            await connection.execute(
                f"INSERT INTO record.{table} SELECT * FROM aside.whole_{table} WHERE {of}position = ANY($1)",
                list(positions),
            )
    past.replay.reached = {source: upto.get(source, 0) for source in past.replay.reached}
    await past.replay.go_on()


async def test_the_difference_between_each_cut_off_and_today_is_what_the_events_make_that_are_named_for_it(
    reporting: Opened, filed: list[report_line.Line]
) -> None:
    today, fridays = await at(reporting, NOW), [await at(reporting, line["cut_off_at"]) for line in filed]
    ends = dict(today.upto)
    async with past_of(reporting, today) as past:
        every = await differences_since(past, fridays, today)
        for line, since in zip(filed, every, strict=True):
            assert since.changes and [change for change in since.changes if not change.events] == []
            known = dict(since.friday.upto)
            for event in (event for change in since.changes for event in change.events):
                assert event.recorded_at > utc(line["cut_off_at"]), "it was known then"
                assert (known[event.source].position if event.source in known else 0) < event.position
                assert event.position <= ends[event.source].position
            await applied(past, since)
            assert [change async for change in compared(past, "today", keys_of(past))] == [], since.schema
    sizes = [len(since.changes) for since in every]
    assert sizes == sorted(sizes, reverse=True) and sizes[-1] > 0, sizes
    assert {change.kind for since in every for change in since.changes} == {"added", "changed"}
    async with past_of(reporting, today) as past:
        alone = [change async for change in between(past, fridays[-2], today)]
    assert alone == every[-2].changes, "as who asks for one Friday alone is told"


async def test_the_whole_town_of_a_friday_is_served_and_gone_when_it_ends(
    reporting: Opened, filed: list[report_line.Line], demo_folder: Path
) -> None:
    program = await asyncio.create_subprocess_exec(
        MINEWATCH, "audit", "replay", "--until", "2018-02-09T17:00", "--serve", "0", "--as", "p-clerk-1",
        "--reason", "核对周五情况。", "--data", demo_folder,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert program.stdout is not None
    said = ""
    while "ready " not in said:
        line = (await asyncio.wait_for(program.stdout.readline(), 120)).decode()
        assert line, said
        said += line
    assert [found for found in re.findall(r"^(\w+) as of recorded 2018-02-09T17:00:00\+08:00", said, re.M)] == [
        "intake", "cases", "reporting", "notify",
    ]  # fmt: skip
    noted = "SELECT kind, actor, in_role, as_of FROM opening ORDER BY made_at DESC LIMIT 1"
    assert tuple(await reporting.pool.fetchrow(noted) or ()) == (
        "replay", "p-clerk-1", "clerk@campaign_office", datetime.fromisoformat("2018-02-09T17:00+08:00"),
    )  # fmt: skip
    async with httpx.AsyncClient(follow_redirects=True, headers={"Accept": "text/html"}, timeout=30) as http:
        entered = await http.get(said.partition("ready ")[2].strip())
        assert "截至 2018-02-09 17:00 登记的情况" in entered.text and entered.url.path == "/cases/hazards"
        door = f"{entered.url.scheme}://{entered.url.host}:{entered.url.port}"
        reports = await http.get(f"{door}/reporting/v1/reports?unit=town&limit=200")
        states = {one["period_no"]: one["state"] for one in reports.json()["items"]}
        assert states[3] == "filed" and states.get(5, "open") == states[4] == "open" and 6 not in states
        for path in ("/reporting/reports", "/notify/inbox", "/tip"):
            assert "回放" in (await http.get(f"{door}{path}")).text, path
    program.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(program.wait(), 60) == 0
    admin = await asyncpg.connect(str(reporting.settings.scratch_dsn))
    assert await admin.fetchval(r"SELECT count(*) FROM pg_database WHERE datname LIKE 'minewatch\_%'") == 0
    await admin.close()
