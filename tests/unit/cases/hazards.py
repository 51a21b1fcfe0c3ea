"""The hazard that the unit tests speak of: what is asked of it and what has happened to it."""

from datetime import timedelta

from services.cases import hazard_commands as ask
from shared.contracts.cases import hazard as facts
from shared.contracts.cases.hazard import Source
from shared.contracts.parts import Place, Value
from tests.unit.cases.people import DEADLINE, NOON, VILLAGE, WATCH_UNTIL

H = "0f3c"
TIP = Source(kind="tip", ref="tip-1")
PATROL = Source(kind="patrol", ref="patrol-7", finding=2)
LATER = DEADLINE + timedelta(days=3)

LIST = ask.ListHazard(
    hazard=H,
    hazard_no=14,
    site="s-1",
    category="closed_mine",
    village=VILLAGE,
    place=Place(lat_e7=378_300_000, lon_e7=1_119_700_000),
    violation="unauthorised_reopening",
    live=True,
    source=TIP,
    summary="封堵的井口被重新打开",
    discovered_at=NOON,
)
LISTED = facts.HazardListed(**LIST.model_dump(exclude={"occurred_at", "hazard"}))
ORDER = ask.OrderThreeFix(
    hazard=H, measure="sealing", responsible="p-owner", responsible_unit="dulan", deadline_at=DEADLINE
)
ORDERED = facts.HazardThreeFixOrdered(
    measure="sealing", responsible="p-owner", responsible_unit="dulan", deadline_at=DEADLINE
)
REQUESTED = facts.HazardExtensionRequested(requested_by="p-owner", wanted_at=LATER, reason="雪封路")
EXTENDED = facts.HazardExtended(approved_by="p-director", deadline_at=LATER, reason="同意")
OVERDUE = facts.HazardBecameOverdue(
    deadline_at=DEADLINE, responsible="p-owner", responsible_unit="dulan", village=VILLAGE
)
COMPLETED = facts.HazardCompleted(completed_by="p-owner", report="已封堵")
ACCEPTED = facts.HazardAccepted(accepted_by="p-inspector")
REJECTED = facts.HazardRejected(rejected_by="p-inspector", reason="封堵不实", deadline_at=DEADLINE)
CLOSED = facts.HazardClosedOut()
IN_ERROR = facts.HazardEnteredInError(reason="重复登记")
RUNNING = (LISTED, ORDERED)
DONE = (*RUNNING, COMPLETED)
OVER = (*DONE, ACCEPTED, CLOSED)

NAME = ask.AssignLeader(hazard=H, leader="p-deputy")
REQUEST = ask.RequestExtension(hazard=H, wanted_at=LATER, reason="雪封路")
COMPLETE = ask.Complete(hazard=H, report="已封堵")
ACCEPT = ask.Accept(hazard=H)
REJECT = ask.Reject(hazard=H, reason="封堵不实")
MARK = ask.EnterInError(hazard=H, reason="重复登记")
CORRECT = ask.Correct(hazard=H, field="category", value=Value(code="abandoned_shaft"), reason="看错类别")
APPROVE = ask.ApproveExtension(hazard=H, reason="同意")
REFUSE = ask.RefuseExtension(hazard=H, reason="不同意")
RING = ask.BecomeOverdue(hazard=H, deadline_at=DEADLINE)
RECUR = ask.RecordRecurrence(hazard=H, recurred_as="hazard-new", discovered_at=WATCH_UNTIL)
RECURRED = facts.HazardRecurred(hazard="hazard-new")
