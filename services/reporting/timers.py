"""What is due, and the command that its time brings."""

from services.reporting.content import TOWN
from services.reporting.read_models import due as kept
from services.reporting.read_models import report_line
from services.reporting.weekly_report_commands import (
    BecomeDue,
    MissReport,
    NoSuchPeriod,
    OpenReport,
    OtherPlanInForce,
    ReportMarkedAsError,
    ReportNotDue,
)
from shared.errors import StreamExists
from shared.sql import Tx
from shared.timers import Due, Timers

TIMERS = Timers()

STALE = (ReportNotDue, ReportMarkedAsError)
"""The hour was moved, or the report marked as an error, a moment ago."""


@TIMERS.on(kept.DUE, expects=STALE)
def report_due(due: Due) -> BecomeDue:
    return BecomeDue(report=_report(due), due_at=due.due_at)


@TIMERS.on(kept.MISSING, expects=STALE)
def report_missing(due: Due) -> MissReport:
    return MissReport(report=_report(due), missing_at=due.due_at)


@TIMERS.on(kept.OPENS_NEXT, expects=(StreamExists, OtherPlanInForce, NoSuchPeriod))
async def open_next(due: Due, look: Tx) -> OpenReport | None:
    """At the cut-off of one period the town's report for the next begins."""
    line = await report_line.one(look, _report(due))
    return OpenReport(plan=line["plan"], unit=TOWN, period_no=line["period_no"] + 1) if line is not None else None


def _report(due: Due) -> str:
    return due.subject.removeprefix("weekly_report-")
