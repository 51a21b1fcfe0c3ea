"""The read models of another moment: built beside the town's own, and what they show is what was known then."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.audit.moment import NoSuchMoment, as_of, at_cut, at_position, read_moment
from shared.audit.past import Past, past_of
from shared.service import Service
from shared.sql import Tx
from tests.integration.replay.week import MINUTE, Week


async def content(past: Past, table: str, columns: str) -> list[tuple[Any, ...]]:
    rows = await past.scratch.pool.fetch(f"SELECT {columns} FROM view.{table} ORDER BY 1, 2")
    return [tuple(row) for row in rows]


async def moment(service: Service, *asked: Any) -> Any:
    async with service.pool.acquire() as connection:
        return await as_of(Tx(connection), service.name, list(service.card.consumes()), *asked)


async def test_built_at_its_head_it_equals_the_live_tables(week: Week) -> None:
    for service in (week.cases, week.reporting):
        head = await moment(service, datetime.max.replace(tzinfo=UTC))  # a command records by a clock of its own
        async with past_of(service, head) as past:
            await past.move_to(head)
            for model in service.card.models():
                for table in model.tables:
                    sql = f'SELECT to_jsonb(t)::text FROM view."{table.name}" t ORDER BY 1'
                    live = [row[0] for row in await service.pool.fetch(sql)]
                    assert live == [row[0] for row in await past.scratch.pool.fetch(sql)], table.name
            marks = "SELECT follower, source, lineage, position FROM work.mark WHERE follower LIKE 'projection:%' ORDER BY 1, 2"
            own = [tuple(row) for row in await past.scratch.pool.fetch(marks) if row["source"] == service.name]
            assert own == [tuple(row) for row in await service.pool.fetch(marks) if row["source"] == service.name]


async def test_as_of_an_evening_it_knows_what_was_recorded_by_then_and_goes_on_from_there(week: Week) -> None:
    now = week.desk.town.clock.now()
    evening, head = await moment(week.reporting, week.evening), await moment(week.reporting, now)
    async with past_of(week.reporting, head) as past:
        await past.move_to(evening)
        patrols = "DISTINCT event_id, unit, until_position IS NULL"
        before = [row for row in await content(past, "fact", patrols) if row]
        assert len([row for row in before if row[1] in ("dulan", "police_station")]) >= 1
        assert all(row[1] != "police_station" for row in before)
        assert await content(past, "report_content", "report, version") == []
        await past.move_to(head)
        assert {row[1] for row in await content(past, "fact", patrols)} >= {"dulan", "police_station"}
        assert await content(past, "report_content", "kind, version")


async def test_what_had_happened_by_then_counts_what_was_entered_later(week: Week) -> None:
    """The two patrols that were entered late ended before the cut-off."""
    recorded = await moment(week.reporting, week.friday)
    occurred = await moment(week.reporting, week.friday, "occurred")
    counts = {}
    for at in (recorded, occurred):
        async with past_of(week.reporting, at) as past:
            await past.move_to(at)
            sql = "SELECT count(*) FROM fact WHERE figure = 'patrols'"
            counts[at.clock] = await past.scratch.pool.fetchval(sql)
            assert await past.scratch.pool.fetchval("SELECT count(*) FROM report_content") == 0
    assert counts == {"recorded": 2, "occurred": 4}


async def test_a_later_step_of_a_stream_does_not_count_without_the_steps_before_it(week: Week) -> None:
    """Of each stream its events up to the first that happened later, so that every stream is one that once stood."""
    occurred = await moment(week.reporting, week.friday - 100 * MINUTE, "occurred")
    bodies = (
        """SELECT body FROM record.event JOIN record.log USING (event_id) UNION ALL SELECT body FROM record.inbox"""
    )
    async with past_of(week.reporting, occurred) as past:
        await past.move_to(occurred)
        streams: dict[str, list[int]] = {}
        for row in await past.scratch.pool.fetch(bodies):
            told = json.loads(row["body"])
            streams.setdefault(told["subject"], []).append(told["version"])
    assert len(streams) > 3 and [v for v in streams.values() if min(v) > 1] == []


async def test_at_the_cut_of_a_report_the_marks_are_the_cut(week: Week) -> None:
    service = week.reporting
    sources = list(service.card.consumes())
    async with service.pool.acquire() as connection:
        cut = await at_cut(Tx(connection), "reporting", sources, f"weekly_report-{week.desk.id('town', 1)}")
        with pytest.raises(NoSuchMoment, match="knows no cut"):
            await at_cut(Tx(connection), "reporting", sources, "weekly_report-none")
    said = await service.pool.fetchrow("SELECT * FROM report_content WHERE kind = 'compiled'")
    async with past_of(service, cut) as past:
        await past.move_to(cut)
        sql = "SELECT source, position FROM work.mark WHERE follower = 'projection:facts' ORDER BY 1"
        marks = [tuple(row) for row in await past.scratch.pool.fetch(sql)]
        assert marks == [(at["source"], at["position"]) for at in said["cut"]]
        assert await content(past, "report_content", "content_sha256, kind") != []
        last = await past.scratch.pool.fetchval(
            "SELECT kind FROM report_content ORDER BY at DESC, version DESC LIMIT 1"
        )
        assert last == "compiled", "the restatement came later"


async def test_a_position_of_the_own_log_and_one_that_is_not_there(week: Week) -> None:
    async with week.reporting.pool.acquire() as connection:
        tx, sources = Tx(connection), list(week.reporting.card.consumes())
        at = await at_position(tx, "reporting", sources, 3)
        assert at.own == 3 and at.at == await tx.value("SELECT sequenced_at FROM record.log WHERE position = 3")
        with pytest.raises(NoSuchMoment, match="has the events 1 to"):
            await at_position(tx, "reporting", sources, 9999)


async def test_the_towns_own_tables_are_not_touched_and_nothing_is_left_behind(week: Week, server: Any) -> None:
    sql = """SELECT relname::text, relfilenode, xmin::text FROM pg_class
             WHERE relnamespace IN ('view'::regnamespace, 'shadow'::regnamespace) ORDER BY 1"""
    before = [tuple(row) for row in await week.reporting.pool.fetch(sql)]
    at = await moment(week.reporting, week.friday + 10 * MINUTE)
    async with past_of(week.reporting, at) as past:
        await past.move_to(at)
        name = past.scratch.name
        assert await server.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", name) == 1
    assert [tuple(row) for row in await week.reporting.pool.fetch(sql)] == before
    assert await server.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", name) == 0


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2018-02-09T17:00", "2018-02-09T09:00:00+00:00"),
        ("2018-02-09 17:00:30", "2018-02-09T09:00:30+00:00"),
        ("2018-02-09T17:00:00.5Z", "2018-02-09T17:00:00.500000+00:00"),
        ("2018-02-09T17:00Z", "2018-02-09T17:00:00+00:00"),
        ("2018-02-09T17:00:00+08:00", "2018-02-09T09:00:00+00:00"),
        ("2018-02-09T17:00:00 08:00", "2018-02-09T09:00:00+00:00"),
        ("2018-02-09T01:00-0500", "2018-02-09T06:00:00+00:00"),
    ],
)
def test_a_moment_is_town_time_unless_it_says_its_offset(text: str, utc: str) -> None:
    assert read_moment(text).isoformat() == utc
    assert read_moment(text).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "text", ["", "friday", "2018-02-09", "17:00", "2018-02-30T17:00", "2018-02-09T25:00", "２０１８-02-09T17:00"]
)
def test_another_text_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(NoSuchMoment, match="Give the moment as 2018-02-09T17:00"):
        read_moment(text)
