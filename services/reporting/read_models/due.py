"""Which deadlines run, for the timers: a unit's report due and missing; for the town, the next period at the cut-off.

The town's own report has no deadline of the clock: it cannot be compiled before the units' time is over.
"""

from collections.abc import Iterator
from typing import Any

from shared.contracts.envelope import Recorded
from shared.contracts.reporting import weekly_report as facts
from shared.read_model import ReadModel, Write
from shared.timers import due_at, not_due

DUE = "report.due"
MISSING = "report.missing"
OPENS_NEXT = "report.opens_next"


def project(e: Recorded[Any]) -> Iterator[Write]:
    """What was submitted may be returned, so its clocks run on and find nothing to say. A hole in the town's chain would
    never be filled, so the next period opens even when this report was an error."""
    subject = e.stream_id
    match e.event:
        case facts.ReportOpened(scope="town") as opened:
            if not opened.closing:
                yield due_at(OPENS_NEXT, subject=subject, at=opened.cut_off_at)
        case facts.ReportOpened() as opened:
            yield due_at(DUE, subject=subject, at=opened.due_at)
            if opened.missing_at is not None:
                yield due_at(MISSING, subject=subject, at=opened.missing_at)
        case facts.ReportCorrected(field="due_at", value=value) if value.at:
            yield due_at(DUE, subject=subject, at=value.at)
        case facts.ReportCorrected(field="missing_at", value=value) if value.at:
            yield due_at(MISSING, subject=subject, at=value.at)
        case facts.ReportEnteredInError():
            yield not_due(DUE, subject=subject)
            yield not_due(MISSING, subject=subject)


READ_MODEL = ReadModel(
    "due",
    tables=(),
    events=(facts.ReportOpened, facts.ReportCorrected, facts.ReportEnteredInError),
    project=project,
)
