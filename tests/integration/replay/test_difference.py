"""The difference between two moments: which rows, and which events wrote them."""

import asyncio
import json
from datetime import datetime
from typing import Any

import pytest
from click.testing import CliRunner, Result

from shared.audit.difference import Change, between
from shared.audit.moment import as_of
from shared.audit.past import past_of
from shared.cli.audit_replay import diff, replay
from shared.plan.calendar import TOWN_TIME
from shared.service import Service
from shared.sql import Tx
from tests.integration.replay.environment import environment_of
from tests.integration.replay.week import MINUTE, Week


async def changes(service: Service, first: Any, last: Any, clock: Any = "recorded") -> list[Change]:
    sources = list(service.card.consumes())
    async with service.pool.acquire() as connection:
        moments = [await as_of(Tx(connection), service.name, sources, at, clock) for at in (first, last)]
    async with past_of(service, moments[1]) as past:
        return [change async for change in between(past, *moments)]


async def test_rows_that_came_and_rows_that_changed_with_the_events_between(week: Week) -> None:
    found = await changes(week.reporting, week.friday + 6 * MINUTE, week.friday + 30 * MINUTE)
    by_table: dict[str, list[Change]] = {}
    for change in found:
        by_table.setdefault(change.table, []).append(change)
    assert by_table.keys() == {"fact", "report_line", "report_content", "report_step"}
    (line,) = by_table["report_line"]
    assert line.kind == "changed" and line.key == {"report": week.desk.id("dulan", 1)}
    assert line.before is not None and line.after is not None
    times = line.after["restatements"]  # the patrol and the hazard listed for it may come in one or in two
    assert line.before["restatements"] == 0 < times and "unit" not in line.columns
    assert [event.type for event in line.events] == ["reporting.weekly_report.restated.v1"] * times
    assert all(change.kind == "added" for change in by_table["fact"])
    causes = {event.type for change in by_table["fact"] for event in change.events}
    assert "intake.patrol.recorded.v1" in causes and all(len(change.events) == 1 for change in by_table["fact"])


async def test_of_a_row_that_two_events_wrote_only_the_later_one_is_named(week: Week) -> None:
    """The first stood at the first moment already."""
    found = await changes(week.reporting, week.friday, week.friday + 6 * MINUTE)
    (line,) = [c for c in found if c.table == "report_line" and c.key["report"] == week.desk.id("dulan", 1)]
    assert [event.type.split(".")[2] for event in line.events] == ["submitted"]


async def test_by_the_other_clock_what_was_entered_late_is_no_difference(week: Week) -> None:
    """Both were patrols of before; between cut-off and filing nothing happened but reports."""
    found = await changes(week.reporting, week.friday + MINUTE, week.friday + 30 * MINUTE, "occurred")
    assert {change.table for change in found} <= {"report_line", "report_content", "report_step", "fact"}
    assert not [c for c in found for e in c.events if e.type == "intake.patrol.recorded.v1"]
    (line,) = [c for c in found if c.table == "report_line" and c.key["report"] == week.desk.id("dulan", 1)]
    words = {event.type.split(".")[2] for event in line.events}
    assert words == {"submitted", "restated"}, "its opening wrote the row too, and is in both"


async def test_nothing_differs_between_a_moment_and_itself(week: Week) -> None:
    assert await changes(week.cases, week.friday, week.friday) == []


# ------------------------------------------------------------------------------------------- on the command line


WHY = ("--reason", "核对周五情况。", "--as", "p-auditor-1")


def local(at: Any) -> str:
    return str(at.astimezone(TOWN_TIME).strftime("%Y-%m-%dT%H:%M"))


async def run(week: Week, monkeypatch: pytest.MonkeyPatch, command: Any, *options: str) -> Result:
    """As an operator of the service reporting calls it, with the settings the service has."""
    for name, value in environment_of(week.reporting.settings).items():
        monkeypatch.setenv(name, value)
    return await asyncio.to_thread(CliRunner().invoke, command, list(options))


async def test_diff_as_text_and_as_json(week: Week, monkeypatch: pytest.MonkeyPatch) -> None:
    span = ("--from", local(week.friday + 6 * MINUTE), "--to", local(week.friday + 30 * MINUTE))
    text = await run(week, monkeypatch, diff, *span, "--table", "report_line", *WHY)
    assert text.exit_code == 0, text.output
    report = week.desk.id("dulan", 1)
    assert f"reporting report_line [report={report}] changed" in text.stdout
    assert "    restatements: 0 → " in text.stdout and "reporting.weekly_report.restated.v1" in text.stdout
    assert "reporting: 1 rows differ" in text.stdout
    told = await run(week, monkeypatch, diff, *span, "--json", *WHY)
    rows = [json.loads(line) for line in told.stdout.splitlines()]
    assert {row["table"] for row in rows} == {"fact", "report_line", "report_content", "report_step"}
    assert all(row["service"] == "reporting" and row["events"][0]["position"] > 0 for row in rows)


async def test_replay_says_what_it_built_and_leaves_nothing(
    week: Week, monkeypatch: pytest.MonkeyPatch, server: Any
) -> None:
    for asked, first in (
        (("--until", local(week.friday)), f"reporting as of recorded {local(week.friday)}:00+08:00: reporting="),
        (("--report", week.desk.id("town", 1)), "reporting as of recorded 2018-01-19T"),
        (("--position", "3", "--service", "reporting"), "reporting as of recorded 2018-01-1"),
    ):
        done = await run(week, monkeypatch, replay, *asked)
        assert done.exit_code == 0 and done.stdout.startswith(first), done.output
        assert "\n  fact: " in done.stdout and "\n  report_line: " in done.stdout
    kept = await run(week, monkeypatch, replay, "--until", local(week.friday), "--keep", *WHY)
    name = kept.stdout.partition("DROP DATABASE ")[2].partition(" ")[0]
    noted = "SELECT as_of FROM opening JOIN record.log USING (event_id) WHERE kind = 'replay' ORDER BY position DESC LIMIT 1"
    assert await week.reporting.pool.fetchval(noted) == week.friday, "a copy that is kept is shown to somebody"
    assert await server.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", name) == 1
    await run(week, monkeypatch, replay, "--position", "3", "--service", "reporting")
    assert await server.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", name) == 1, "no sweep takes it"
    await server.execute(f'DROP DATABASE "{name}"')


async def test_who_is_shown_another_moment_and_why_is_recorded_and_a_count_of_rows_is_not(
    week: Week, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, span = week.reporting, ("--from", local(week.evening), "--to", local(week.friday))
    head = await service.pool.fetchval("SELECT position FROM work.head")
    await run(week, monkeypatch, replay, "--until", local(week.friday))
    assert await service.pool.fetchval("SELECT position FROM work.head") == head
    for reason, refused in (("看", "OpeningNeedsReason"), ("核对情况。", "holds none of these posts")):
        who = ("--reason", reason, "--as", "p-auditor-1" if reason == "看" else "p-land-1")
        done = await run(week, monkeypatch, diff, *span, *who)
        assert done.exit_code != 0 and refused in f"{done.output} {done.exception}" and "report_line" not in done.output
    done = await run(week, monkeypatch, diff, *span, *WHY)
    assert done.exit_code == 0, done.output
    (body,) = await service.pool.fetch(
        "SELECT body FROM record.event JOIN record.log USING (event_id) WHERE position > $1", head
    )
    made = json.loads(body["body"])
    assert (made["type"], made["actor"], made["inrole"].partition("@")[0]) == (
        "reporting.opening.made.v1", "p-auditor-1", "auditor",
    )  # fmt: skip
    told = made["data"]
    async with service.pool.acquire() as connection:
        friday = await as_of(Tx(connection), "reporting", list(service.card.consumes()), week.friday)
    assert (told["kind"], told["about"], told["as_of"]["clock"], told["as_of"]["position"]) == (
        "replay", [], "recorded", friday.own,
    )  # fmt: skip
    assert [datetime.fromisoformat(told["as_of"][name]) for name in ("since", "at")] == [week.evening, week.friday]
    assert "核对" not in body["body"].decode()
    auditor = week.desk.headers("auditor")
    line = (await week.desk.town.http.get("/reporting/v1/openings", headers=auditor)).json()["items"][0]
    assert (line["kind"], line["reason"]) == ("replay", "核对周五情况。")
    assert datetime.fromisoformat(line["as_of"]) == week.friday
    page = await week.desk.town.http.get("/reporting/openings?lang=zh", headers=auditor | {"Accept": "text/html"})
    assert "截至" in page.text and local(week.friday).replace("T", " ") in page.text


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((), "Give one of --until"),
        (("--position", "3", "--service", "reporting", "--keep"), "--reason and --as say who is shown it and why"),
        (("--position", "3", "--service", "reporting", "--serve", "0", "--reason", "看看。"), "give both"),
        (("--position", "3", "--service", "reporting", *WHY), "and only then"),
        (("--until", "friday"), "Give the moment as"),
        (("--until", "2018-02-09T17:00", "--position", "3"), "Give one of"),
        (("--position", "3"), "name it with --service"),
        (("--position", "99999", "--service", "reporting"), "has the events 1 to"),
        (("--report", "none"), "knows no cut"),
        (("--report", "none", "--service", "cases"), "is a moment of reporting"),
    ],
)
async def test_what_cannot_be_replayed_is_said(
    week: Week, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], says: str
) -> None:
    done = await run(week, monkeypatch, replay, *options)
    assert done.exit_code != 0 and says in f"{done.output} {done.exception}"
