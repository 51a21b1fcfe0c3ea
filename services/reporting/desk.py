"""What stands before a command, for the API and the forms alike: may they know of the report, what is known at this moment,
who reports for the unit. Then the rules of the report itself decide."""

from services.reporting.read_models import report_line
from services.reporting.read_models.report_line import Line
from services.reporting.recount import counted, positions, present_cut
from services.reporting.report_file import line_of
from services.reporting.sight import sight_of
from services.reporting.weekly_report import REPORTER
from services.reporting.weekly_report_commands import WAITING, CompileReport, OfReport, SubmitReport
from shared.app import Answer
from shared.contracts.reporting.weekly_report import UnitLine
from shared.identity import posts
from shared.sql import Tx
from shared.web.door import Call, Door


async def about_report(at: Door, call: Call, command: OfReport) -> Answer:
    """Raises NotFound for a report the caller may not know of, and what App.handle raises."""
    async with at.reading() as tx:
        await line_of(tx, sight_of(call.who), command.report)
    return await at.app.handle(command, call.cause)


async def submit(at: Door, call: Call, report: str, note: str | None) -> Answer:
    """Counts in one view of the tables, and submits that. Whatever comes in after the counting makes a restatement."""
    async with at.reading() as tx:
        line = await line_of(tx, sight_of(call.who), report)
        cut = await present_cut(tx)
        command = SubmitReport(
            report=report,
            counted=await counted(tx, line, positions(cut)),
            cut=cut,
            reporters=tuple(h.person for h in await posts.holders(tx, REPORTER, unit=line["unit"], on=at.today())),
            note=note,
        )
    return await at.app.handle(command, call.cause)


async def compile_town(at: Door, call: Call, report: str) -> Answer:
    """The town's report from what is known now, with how each unit stands."""
    async with at.reading() as tx:
        line = await line_of(tx, sight_of(call.who), report)
        cut = await present_cut(tx)
        command = CompileReport(
            report=report,
            counted=await counted(tx, line, positions(cut)),
            cut=cut,
            lines=await _stand(tx, line["plan"], line["period_no"], line["units"]),
        )
    return await at.app.handle(command, call.cause)


async def _stand(tx: Tx, plan: str, period_no: int, units: list[str]) -> tuple[UnitLine, ...]:
    """How each unit stands with its report of the period."""
    lines = await report_line.of_period(tx, plan, period_no, units)
    return tuple(UnitLine(unit=unit, state=standing(lines[unit])) for unit in units if unit in lines)


def standing(line: Line) -> str:
    """accepted | submitted | late | missing | waiting, of a unit's report."""
    match line["state"]:
        case "accepted":
            return "accepted"
        case "submitted":
            return "late" if line["late"] else "submitted"
        case "missing" | "entered_in_error":
            return "missing"
        case _:
            return WAITING
