"""Counting, submitting and restating go on beside each other, and nothing falls between them; a rebuild gives the same rows."""

import asyncio

import asyncpg

from services.reporting.recount import counted, positions, present_cut
from services.reporting.report_file import line_of
from services.reporting.sight import sight_of
from services.reporting.weekly_report_commands import SubmitReport
from shared.app import Cause
from shared.contracts.intake.patrol import PatrolRecorded
from shared.database import open_pool
from shared.decider import Actor
from shared.ids import fresh
from shared.read_model import tables_of
from shared.replay import Replay
from shared.sql import Tx
from tests.integration.reporting.desk import DAY, HOUR, Desk
from tests.integration.reporting.histories import a_patrol

REPORTER = Actor("p-designated_reporter-dulan", "designated_reporter", "dulan", "140181101207")


async def counted_now(desk: Desk) -> SubmitReport:
    """Dulan's submission as the API would make it at this moment, not yet sent."""
    reporting = desk.town.services["reporting"]
    async with reporting.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        tx = Tx(connection)
        line = await line_of(tx, sight_of(REPORTER), desk.id("dulan", 1))
        cut = await present_cut(tx)
        return SubmitReport(report=desk.id("dulan", 1), counted=await counted(tx, line, positions(cut)), cut=cut)


async def test_what_comes_in_between_the_counting_and_the_submission_restates_it(desk: Desk) -> None:
    await desk.move_to(desk.period(1).cut_off_at + HOUR / 2)
    submission = await counted_now(desk)
    await desk.intake.patrol(ended_at=desk.period(1).cut_off_at - HOUR)
    cause = Cause(fresh(), REPORTER, "c-1")
    await desk.town.services["reporting"].app.handle(submission, cause)
    await desk.town.settled()
    report = await desk.report("dulan", 1)
    assert [(one["kind"], one["restatement_no"]) for one in report["said"]] == [("submitted", 0), ("restated", 1)]
    assert (await desk.figures("dulan", 1))["patrols"] == 1


async def test_facts_of_both_sources_at_once_end_in_one_true_content(desk: Desk) -> None:
    await desk.intake.tip()
    await desk.move_to(desk.period(1).cut_off_at + HOUR / 2)
    await desk.submitted("dulan", 1)
    hazard = (await desk.figure("dulan", 1, "hazards_listed"))["events"][0]["stream"].removeprefix("hazard-")
    value = {"at": (desk.period(1).cut_off_at + HOUR / 4).isoformat()}
    body = {"field": "discovered_at", "value": value, "reason": "看错日期"}
    said = [desk.intake.says(f"patrol-{n}", walked(desk, n), desk.period(1).cut_off_at - n * HOUR) for n in range(1, 6)]
    await asyncio.gather(*said, desk.send("clerk", f"/cases/v1/hazards/{hazard}/corrections", body))
    await desk.intake.heard()
    figures = await desk.figures("dulan", 1)
    assert (figures["patrols"], figures.get("hazards_listed", 0)) == (5, 0)
    report = await desk.report("dulan", 1)
    numbers = [one["restatement_no"] for one in report["said"]]
    assert numbers == list(range(len(numbers)))
    for earlier, later in zip(report["said"], report["said"][1:], strict=False):
        assert later["version"] == earlier["version"] + 1
    now = {f["figure"]: f["value"] for f in report["counted"]["figures"] if f["value"]}
    assert now == await desk.preview("dulan", 1)


def walked(desk: Desk, n: int) -> PatrolRecorded:
    """A patrol of dulan, `n` hours before the cut-off."""
    patrol = a_patrol("140181101207", "dulan", 0, 0)
    ended = desk.period(1).cut_off_at - n * HOUR
    return patrol.model_copy(update={"started_at": ended, "ended_at": ended})


async def test_a_restatement_waits_until_the_fact_is_counted(desk: Desk) -> None:
    """The projection of facts stands still; the reaction must not conclude that there is nothing to restate."""
    await desk.move_to(desk.period(1).cut_off_at + HOUR / 2)
    await desk.submitted("dulan", 1)
    reporting = desk.town.services["reporting"]
    (facts,) = [p for p in reporting.projections if (p.group, p.walk.source) == ("facts", "intake")]
    holding, go_on = asyncio.Event(), asyncio.Event()

    async def hold(name: str) -> None:
        if name == "projection facts: before the commit":
            holding.set()
            await go_on.wait()

    facts.points = hold
    await desk.intake.says("patrol-1", walked(desk, 1), desk.period(1).cut_off_at - HOUR)
    await asyncio.wait_for(holding.wait(), 30)
    await asyncio.sleep(0.3)
    assert (await desk.report("dulan", 1))["restatements"] == 0
    go_on.set()
    await desk.intake.heard()
    assert (await desk.report("dulan", 1))["restatements"] == 1


async def dump(pool: asyncpg.Pool, tables: list[str]) -> dict[str, list[str]]:
    """Every row of every read model as text."""
    return {
        table: [row[0] for row in await pool.fetch(f'SELECT t::text FROM view."{table}" t ORDER BY 1')]
        for table in tables
    }


async def test_read_models_built_anew_are_the_same_row_by_row_and_so_are_the_bytes(desk: Desk) -> None:
    patrol = await desk.intake.patrol({}, {})
    await desk.move_to(desk.period(1).cut_off_at + HOUR / 2)
    await desk.submitted("dulan", 1)
    await desk.move_to(desk.period(1).cut_off_at + DAY)
    await desk.intake.strikes(patrol)
    await desk.intake.patrol(ended_at=desk.period(1).cut_off_at - HOUR)
    reporting = desk.town.services["reporting"]
    models = reporting.card.models()
    before = await dump(reporting.pool, tables_of(models))
    contents = [await desk.content("dulan", 1, version=v["version"]) for v in (await desk.report("dulan", 1))["said"]]
    assert len(contents) >= 3
    pool = await open_pool(reporting.settings.app_dsn, 2, "shadow, work, record")
    replay = Replay(
        "reporting", pool, reporting.sealer, reporting.card.inline, reporting.card.projections, ("cases", "intake")
    )
    await replay.fill()
    await replay.swap()
    await pool.close()
    assert await dump(reporting.pool, tables_of(models)) == before
    after = [await desk.content("dulan", 1, version=v["version"]) for v in (await desk.report("dulan", 1))["said"]]
    assert after == contents
