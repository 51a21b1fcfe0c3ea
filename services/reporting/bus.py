"""Which event makes a report open, and which makes one that has been given be restated."""

from collections.abc import Sequence
from typing import Any

from services.reporting.content import TOWN, Counted
from services.reporting.read_models import fact, report_line
from services.reporting.recount import (
    counted,
    cut_from,
    must_be_counted,
    must_be_projected,
    positions,
    present_cut,
)
from services.reporting.weekly_report_commands import OpenReport, OtherPlanInForce, RestateReport
from shared.contracts.cases.campaign import CampaignAdopted
from shared.contracts.envelope import Recorded
from shared.contracts.event import Event
from shared.contracts.reporting.weekly_report import ReportCompiled, ReportOpened, ReportSubmitted
from shared.errors import StreamExists
from shared.reaction import Reactions
from shared.sql import Tx

REACTIONS = Reactions()

PLAN = "plan"
"""The projection group of the plan in force and the posts."""


@REACTIONS.on(CampaignAdopted, expects=(StreamExists,))
async def open_first(e: Recorded[CampaignAdopted], look: Tx) -> list[OpenReport]:
    """The town's first; the clock opens the others, one at each cut-off. Raises NotReady until the plan is known here."""
    await must_be_projected(look, PLAN, e.source, e.position or 0)
    return [OpenReport(plan=e.event.plan, unit=TOWN, period_no=1)]


@REACTIONS.on(ReportOpened, expects=(StreamExists, OtherPlanInForce))
async def open_units(e: Recorded[ReportOpened], look: Tx) -> list[OpenReport]:
    """Each unit reports for the period of the town's report."""
    line = await report_line.one(look, e.stream_id.removeprefix("weekly_report-"))
    if line is None:
        return []
    told = {"plan": line["plan"], "period_no": e.event.period_no, "occurred_at": e.occurred_at}
    return [OpenReport(unit=unit, **told) for unit in e.event.units]


@REACTIONS.on(*fact.READ_MODEL.events)
async def restate(e: Recorded[Event], look: Tx) -> list[RestateReport]:
    """A fact, a correction or an error mark that touches a period of which a report speaks that has not seen it.

    Raises NotReady until the event is counted here.
    """
    position = e.position or 0
    await must_be_counted(look, e.source, position)
    touched = await fact.touched_by(look, e.source, position)
    lines = {
        line["report"]: line
        for moment in touched
        for line in await report_line.saying(look, moment, e.source, e.lineage or "", position)
    }
    return await _restatements(look, [lines[report] for report in sorted(lines)])


@REACTIONS.on(ReportSubmitted, ReportCompiled)
async def restate_at_once(e: Recorded[ReportSubmitted | ReportCompiled], look: Tx) -> list[RestateReport]:
    """What came in between the counting and the submission: whoever reacted to it then found nothing to restate."""
    line = await report_line.one(look, e.stream_id.removeprefix("weekly_report-"))
    return await _restatements(look, [line] if line and line["content_version"] else [])


async def _restatements(look: Tx, lines: Sequence[Any]) -> list[RestateReport]:
    """The lines were read before the marks, so the new cut has seen all that theirs have."""
    if not lines:
        return []
    cut = await present_cut(look)
    known: dict[tuple[Any, ...], tuple[Counted, ...]] = {}

    async def known_at(line: Any, at: dict[str, int]) -> tuple[Counted, ...]:
        key = (line["starts_at"], line["cut_off_at"], *sorted(at.items()))
        if key not in known:
            known[key] = await counted(look, line, at)
        return known[key]

    return [
        RestateReport(
            report=line["report"],
            base=line["content_sha256"],
            before=await known_at(line, positions(cut_from(line["cut"]))),
            counted=await known_at(line, positions(cut)),
            cut=cut,
        )
        for line in lines
    ]
