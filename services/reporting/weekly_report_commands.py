"""What may be asked of a weekly report, and the rules that can stand against it. The story itself is in weekly_report.py."""

from pydantic import AwareDatetime

from services.reporting.content import Counted
from shared.contracts.event import Code, Id
from shared.contracts.parts import CutAt, Value
from shared.contracts.reporting.weekly_report import UnitLine
from shared.decider import Command
from shared.errors import Refusal


def report_id(plan: str, unit: str, period_no: int) -> str:
    """The bare id of a report, for example "zhenchengdi-2018-dulan-03"."""
    return f"{plan}-{unit}-{period_no:02}"


class OpenReport(Command):
    """Period `period_no` of the plan with the code `plan`; `unit` is a reporting unit or the town."""

    plan: Code
    unit: Code
    period_no: int

    @property
    def stream_id(self) -> str:
        return f"weekly_report-{report_id(self.plan, self.unit, self.period_no)}"


class OfReport(Command):
    """A wish about the report with the bare id `report` (without "weekly_report-")."""

    report: Id

    @property
    def stream_id(self) -> str:
        return f"weekly_report-{self.report}"


class BecomeDue(OfReport):
    """The clock's wish: `due_at` has come."""

    due_at: AwareDatetime


class MissReport(OfReport):
    """The clock's wish: `missing_at` has come."""

    missing_at: AwareDatetime


class OfCounted(OfReport):
    """`counted`: every event known at `cut` that happened in the period; the decider counts, nobody hands it a number."""

    counted: tuple[Counted, ...] = ()
    cut: tuple[CutAt, ...] = ()


class SubmitReport(OfCounted):
    """`reporters`: who holds the unit's post of designated reporter now."""

    reporters: tuple[Id, ...] = ()
    note: str | None = None


class CompileReport(OfCounted):
    """`lines`: how each unit stands; a unit that has sent nothing and is not missing yet is `waiting`."""

    lines: tuple[UnitLine, ...] = ()


class RestateReport(OfCounted):
    """`before`: as `counted`, at the cut the report stands on now, whose content has the hash `base`."""

    base: Id
    before: tuple[Counted, ...] = ()


class ReturnReport(OfReport):
    reason: str | None = None


class AcceptReport(OfReport):
    pass


class FileReport(OfReport):
    pass


class CorrectReport(OfReport):
    """`field` is one of CORRECTABLE, `value` has exactly the part that CORRECTABLE names."""

    field: Code
    value: Value
    reason: str | None = None


class EnterReportInError(OfReport):
    reason: str | None = None


COMMANDS = (
    OpenReport,
    BecomeDue,
    MissReport,
    SubmitReport,
    CompileReport,
    RestateReport,
    ReturnReport,
    AcceptReport,
    FileReport,
    CorrectReport,
    EnterReportInError,
)

AnyCommand = (
    OpenReport
    | BecomeDue
    | MissReport
    | SubmitReport
    | CompileReport
    | RestateReport
    | ReturnReport
    | AcceptReport
    | FileReport
    | CorrectReport
    | EnterReportInError
)

CORRECTABLE = {"due_at": "at", "missing_at": "at", "note": "text"}
"""Field → the part of Value that holds it. Figures are never corrected: the events behind them are, and restate them."""

WAITING = "waiting"
"""State of a unit's line before compilation: nothing sent, and its time not over."""


class OtherPlanInForce(Refusal):
    """现行实施方案不是这一份，不能按它开报。
    Another plan is in force, so no report is opened by this one."""


class NoSuchPeriod(Refusal):
    """实施方案中没有这一期周报。
    The plan has no such report period."""


class UnitDoesNotReport(Refusal):
    """该单位不在周报单位名单中。
    This unit is not among those that report."""


class ReportNotDue(Refusal):
    """周报时间未到。
    The report's time has not come yet."""


class PeriodNotOver(Refusal):
    """本期尚未截止，截止后才能上报或汇总。
    The period is not over yet; submit or compile after its cut-off."""


class NotDesignatedReporter(Refusal):
    """只有本单位指定的周报专人，或本单位、办公室受其委托的人，可以上报。
    Only the unit's designated reporter submits, or somebody of the unit or the office on the reporter's behalf."""


class TownReportIsCompiled(Refusal):
    """全镇周报由办公室汇总，不能上报。
    The town's report is compiled by the office, not submitted."""


class OnlyTownIsCompiled(Refusal):
    """只有全镇周报可以汇总和报出。
    Only the town's report is compiled and filed."""


class ReportAlreadySubmitted(Refusal):
    """本期周报已经上报；如需修改，请先由办公室退回。
    This report has been submitted; the office returns it first if it is to change."""


class ReportAlreadyAccepted(Refusal):
    """本期周报已经审核通过；此后只作更正重述。
    This report has been accepted; from here on it changes by restatement only."""


class ReportNotSubmitted(Refusal):
    """本期周报尚未上报。
    This report has not been submitted."""


class NeedsOffice(Refusal):
    """须由领导组办公室办理。
    Only the campaign office does this."""


class UnitsStillOut(Refusal):
    """还有单位未报，且未到逾期时限，不能汇总。
    Some units have not reported and their time is not over, so the town's report cannot be compiled."""


class ReportNotCompiled(Refusal):
    """全镇周报尚未汇总，不能报出。
    The town's report has not been compiled, so it cannot be filed."""


class ReportAlreadyFiled(Refusal):
    """全镇周报已经报出；此后只作更正重述。
    The town's report has been filed; from here on it changes by restatement only."""


class FilingNeedsDirector(Refusal):
    """周报须由办公室主任或组长报出。
    The office director or the group leader files the report."""


class ReportReasonMissing(Refusal):
    """必须写明理由。
    A reason must be given."""


class ReportFieldNotCorrectable(Refusal):
    """周报的该项内容不能更正。
    This field of a report cannot be corrected."""


class ReportValueDoesNotFit(Refusal):
    """更正内容与该项的类型或时间先后不符。
    The value is not of the field's kind, or does not stand in the order cut-off, due, missing."""


class ReportMarkedAsError(Refusal):
    """该周报已标记为登记有误，只能查看。
    The report was entered in error and can only be read."""
