"""Live read models against ones built anew: what was changed by other means than an event is found, with row and event."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from shared.audit.models import differences
from shared.contracts.intake.tip import TipReceived
from shared.errors import NotReady
from shared.service import Service
from tests.integration.replay.week import Week
from tests.integration.reporting.desk import REPORTS
from tests.support.kernel import until
from tests.support.services import Ground

TIP = TipReceived(channel="web", anonymous=True, live=True, informant="i-1", words="夜里有车", receipt_digest="ab" * 32)


@pytest.fixture
async def altered(week: Week) -> AsyncIterator[Any]:
    """Runs statements on reporting's read models as their owner; afterwards they are built anew."""

    async def alter(*statements: str) -> None:
        for statement in statements:
            await week.reporting.pool.execute(statement)

    yield alter
    await week.reporting.rebuild()


async def found(service: Service, **more: Any) -> list[str]:
    return [line async for line in differences(service, **more)]


async def test_untouched_nothing_differs_while_the_service_runs(week: Week) -> None:
    assert await found(week.reporting) == []
    assert await found(week.cases) == []


async def test_an_edited_row_is_named_with_the_columns_and_the_event_that_says_otherwise(
    week: Week, altered: Any
) -> None:
    report = week.desk.id("town", 1)
    await altered(f"UPDATE view.report_line SET state = 'open', late = NOT late WHERE report = '{report}'")
    (line,) = await found(week.reporting)
    at = await week.reporting.pool.fetchrow(
        """SELECT l.position, e.type FROM record.log l JOIN record.event e USING (event_id)
           WHERE e.stream_id = $1 ORDER BY e.version DESC LIMIT 1""",
        f"weekly_report-{report}",
    )
    assert line == (
        f"report_line [report={report}]: other than the record: late, state;"
        f" reporting {at['position']} ({at['type']}) says otherwise"
    )


async def test_a_row_that_is_gone_and_one_that_no_event_made(week: Week, altered: Any) -> None:
    columns = "report, version, kind, restatement_no, plan_version, figures, cut, content_sha256, lines, changes, at"
    await altered(
        "DELETE FROM view.fact WHERE (source, position) = ('intake', 1)",
        f"INSERT INTO view.report_content SELECT 'made-up', {columns.partition(', ')[2]} FROM view.report_content LIMIT 1",
    )
    lines = await found(week.reporting)
    missing = [line for line in lines if "a row is missing" in line]
    assert missing and all(
        re.match(r"fact \[.*\]: a row is missing; intake \d+ \(intake\.patrol", line) for line in missing
    )
    (made_up,) = [line for line in lines if line.startswith("report_content")]
    assert "made-up" in made_up and made_up.endswith("a row that the record does not have; no event made it")


async def test_an_event_that_is_not_numbered_yet_is_part_of_what_pages_show(week: Week, ground: Ground) -> None:
    """Inline rows stand with the append; the projections have not seen it."""
    service, report = week.reporting, week.desk.id("bazishan", 1)
    database = service.settings.app_dsn.rsplit("/", 1)[-1]
    holder = await asyncpg.connect(ground.templates.dsn(database))
    async with holder.transaction():
        await holder.execute("SELECT FROM work.head FOR UPDATE")  # the sequencer waits for it
        answer = await week.desk.send("designated_reporter@bazishan", f"{REPORTS}/{report}/submission")
        assert answer.status_code == 201, answer.text
        assert await service.pool.fetchval("SELECT count(*) FROM work.pending") == 1
        assert await service.pool.fetchval("SELECT state FROM report_line WHERE report = $1", report) == "submitted"
        assert await found(service) == []
    await holder.close()
    await week.desk.town.settled()


async def test_what_was_received_and_is_not_projected_yet_is_no_difference(week: Week, ground: Ground) -> None:
    """Each group of read models is compared as far as its marks say that it has come."""
    service = week.reporting
    holder = await asyncpg.connect(ground.templates.dsn(service.settings.app_dsn.rsplit("/", 1)[-1]))
    async with holder.transaction():
        await holder.execute("SELECT FROM work.mark WHERE follower = 'projection:facts' FOR UPDATE")
        told = await week.desk.intake.says("tip-1", TIP)
        received = "SELECT EXISTS (SELECT FROM record.inbox WHERE position($1::bytea IN body) > 0)"
        await until(lambda: service.pool.fetchval(received, str(told).encode()))
        assert await found(service) == []
    await holder.close()
    await week.desk.intake.heard()
    assert await service.pool.fetchval("SELECT count(*) FROM fact WHERE event_id = $1", str(told)) > 0


async def test_a_table_that_no_read_model_has_and_one_that_is_not_there(week: Week, altered: Any) -> None:
    await altered("CREATE TABLE view.stray (a int)", "DROP TABLE view.report_step")
    lines = await found(week.reporting)
    await altered("DROP TABLE view.stray")
    assert lines == ["report_step: the table is not there", "stray: no read model has this table"]


async def test_without_a_server_for_the_copy_it_says_what_to_set(week: Week) -> None:
    settings = week.reporting.settings
    week.reporting.settings = replace(settings, scratch_dsn=None)
    try:
        with pytest.raises(NotReady, match="MINEWATCH_SCRATCH_DSN"):
            await found(week.reporting)
    finally:
        week.reporting.settings = settings
