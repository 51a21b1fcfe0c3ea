"""What is due, and what then. Every deadline hangs on the message that named it; whether it still matters is looked up here."""

from typing import Any

from services.notify.audience import Matter, hazard_deadline, message_to, responsible, told, waiting_above
from services.notify.message_commands import Escalate, IssueMessage, MessageWithdrawn
from services.notify.read_models import message_line, report_watch
from services.notify.rules import OVERDUE
from shared.errors import StreamExists
from shared.ids import derived
from shared.plan.calendar import town_day
from shared.sql import Tx
from shared.timers import Due, Timers

TIMERS = Timers()


@TIMERS.on("message.ack_due", expects=(MessageWithdrawn,))
async def call_next(due: Due, look: Tx) -> Escalate | None:
    """Nobody who was called has answered the live call: the next in the chain is called."""
    line = await _standing(look, due)
    if line is None:
        return None
    chain = await told(look, line, live=True)
    if any(other["acknowledged_at"] for other in chain):
        return None
    return await _up(due, look, line, chain, "not_acknowledged")


@TIMERS.on("hazard.due_soon", expects=(StreamExists,))
async def remind_responsible(due: Due, look: Tx) -> IssueMessage | None:
    """The deadline is near and the work is not reported complete."""
    line = await _standing(look, due)
    if line is None:
        return None
    still = await hazard_deadline(look, line)
    if still is None or still["overdue"] or still["responsible"] != line["recipient"]:
        return None
    to = await responsible(look, line["recipient"], line["unit"], town_day(due.due_at))
    matter = Matter(due.subject, "due_soon", line["about"], line["about_no"], line["village"], line["due_at"])
    return message_to(matter, to)


@TIMERS.on("hazard.escalate", expects=(MessageWithdrawn,))
async def tell_next(due: Due, look: Tx) -> Escalate | None:
    """The item stayed overdue a step longer: the next in the chain is told, whether or not the last one has acknowledged."""
    line = await _standing(look, due)
    if line is None or (late := await hazard_deadline(look, line)) is None:
        return None
    chain = await told(look, line, live=False)
    step = [other for other in chain if other["step"] == line["step"] and other["kind"] in (*OVERDUE, line["kind"])]
    reason = "still_overdue" if any(other["acknowledged_at"] for other in step) else "not_acknowledged"
    return await _up(due, look, line, chain, reason, late["leader"])


@TIMERS.on("report.remind", expects=(StreamExists,))
async def remind_reporter(due: Due, look: Tx) -> IssueMessage | None:
    """The report is due tomorrow and has not come."""
    line = await _standing(look, due)
    report = await report_watch.watched(look, line["about"]) if line is not None else None
    if line is None or report is None or not report["wanted"]:
        return None
    to = await responsible(look, line["recipient"], line["unit"], town_day(due.due_at))
    return message_to(Matter(due.subject, "report_due", line["about"], line["about_no"], due_at=line["due_at"]), to)


async def _standing(look: Tx, due: Due) -> Any:
    """The message whose deadline this is, unless it was entered in error."""
    line = await message_line.line(look, due.subject)
    return None if line is None or line["withdrawn_at"] else line


async def _up(
    due: Due, look: Tx, line: Any, chain: list[Any], reason: str, leader: str | None = None
) -> Escalate | None:
    """One step up, once for all who were told at the same step."""
    if any(
        other["step"] > line["step"] or (other["step"] == line["step"] and other["escalated_to"]) for other in chain
    ):
        return None
    ready = await waiting_above(look, chain, line["village"], town_day(due.due_at), leader)
    to = str(derived(due.subject, "escalated", due.due_at.isoformat()))
    return Escalate(message=due.subject.removeprefix("message-"), to=to, ready=ready, reason=reason)
