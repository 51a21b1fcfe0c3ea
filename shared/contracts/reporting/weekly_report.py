"""A report: what one unit, or the town, says of one period, and the exact events it says it from."""

from datetime import datetime

from shared.contracts.event import Code, Event, Id, OfficeText, Part
from shared.contracts.parts import CutAt, Figure, Value


class Change(Part):
    """One figure that is no longer what was filed, and the events that made the difference."""

    figure: Code
    before: int
    after: int
    events: tuple[Id, ...]


class UnitLine(Part):
    """How one unit stands in a town's report. state: accepted | submitted | late | missing."""

    unit: Code
    state: Code


class ReportOpened(Event):
    """scope: unit | town. The period runs from `starts_at` (in) to `cut_off_at` (out); at `missing_at` it stands as missing.

    `units`: on a town's report, the units that report for this period.
    """

    type = "reporting.weekly_report.opened.v1"
    scope: Code
    unit: Code
    period_no: int
    starts_at: datetime
    cut_off_at: datetime
    due_at: datetime
    missing_at: datetime | None = None
    closing: bool
    units: tuple[Code, ...] = ()


class ReportDue(Event):
    """The due time came with nothing submitted."""

    type = "reporting.weekly_report.due.v1"
    unit: Code
    period_no: int
    due_at: datetime


class ReportSubmitted(Event):
    """`content_sha256` is of the canonical bytes that `cut` gives."""

    type = "reporting.weekly_report.submitted.v1"
    unit: Code
    period_no: int
    late: bool
    figures: tuple[Figure, ...]
    cut: tuple[CutAt, ...]
    content_sha256: Id
    note: OfficeText | None = None


class ReportMissed(Event):
    """Nothing came until the grace had passed; a later submission is still taken, as late."""

    type = "reporting.weekly_report.missed.v1"
    unit: Code
    period_no: int


class ReportReturned(Event):
    type = "reporting.weekly_report.returned.v1"
    unit: Code
    period_no: int
    reason: OfficeText


class ReportAccepted(Event):
    type = "reporting.weekly_report.accepted.v1"
    unit: Code
    period_no: int


class ReportCompiled(Event):
    """The town's report put together from its units'."""

    type = "reporting.weekly_report.compiled.v1"
    period_no: int
    lines: tuple[UnitLine, ...]
    figures: tuple[Figure, ...]
    cut: tuple[CutAt, ...]
    content_sha256: Id


class ReportFiled(Event):
    """The town's report went upward; from here on it changes by restatement only."""

    type = "reporting.weekly_report.filed.v1"
    period_no: int
    content_sha256: Id


class ReportRestated(Event):
    type = "reporting.weekly_report.restated.v1"
    unit: Code
    period_no: int
    restatement_no: int
    changes: tuple[Change, ...]
    figures: tuple[Figure, ...]
    cut: tuple[CutAt, ...]
    content_sha256: Id


class ReportCorrected(Event):
    type = "reporting.weekly_report.corrected.v1"
    field: Code
    value: Value
    reason: OfficeText


class ReportEnteredInError(Event):
    type = "reporting.weekly_report.entered_in_error.v1"
    reason: OfficeText


EVENTS = (
    ReportOpened,
    ReportDue,
    ReportSubmitted,
    ReportMissed,
    ReportReturned,
    ReportAccepted,
    ReportCompiled,
    ReportFiled,
    ReportRestated,
    ReportCorrected,
    ReportEnteredInError,
)
