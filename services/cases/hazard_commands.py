"""What may be asked of a hazard, and the rules that can stand against it. The story itself is in hazard.py."""

from pydantic import AwareDatetime

from shared.contracts.cases.hazard import Source
from shared.contracts.event import Code, Id
from shared.contracts.parts import Place, Value
from shared.decider import Command
from shared.errors import Refusal


class OfHazard(Command):
    """A wish about the hazard with the bare id `hazard` (without "hazard-")."""

    hazard: Id

    @property
    def stream_id(self) -> str:
        return f"hazard-{self.hazard}"


class ListHazard(OfHazard):
    """`recurrence_of`: the stream of the closed hazard at the same place; kept only while its watch runs."""

    hazard_no: int
    site: Id | None = None
    category: Code
    village: Code
    place: Place | None = None
    violation: Code
    mineral: Code | None = None
    modus: Code | None = None
    pretext: Code | None = None
    live: bool = False
    source: Source
    recurrence_of: Id | None = None
    summary: str
    discovered_at: AwareDatetime


class AttachFinding(OfHazard):
    """`while_open` False: found before the close-out and reported after it, so it belongs to the closed hazard still."""

    source: Source
    live: bool = False
    summary: str | None = None
    while_open: bool = True


class AssignLeader(OfHazard):
    """`reason`: needed where one leader takes over from another."""

    leader: Id | None = None
    reason: str | None = None


class OrderThreeFix(OfHazard):
    """All three are required; they may be left out here so that the rule itself says what is missing."""

    measure: Code | None = None
    measure_text: str | None = None
    responsible: Id | None = None
    responsible_unit: Code | None = None
    deadline_at: AwareDatetime | None = None


class RequestExtension(OfHazard):
    """`head_of`: as in Complete."""

    head_of: Code | None = None
    wanted_at: AwareDatetime
    reason: str | None = None


class ApproveExtension(OfHazard):
    """`deadline_at` None: as requested."""

    deadline_at: AwareDatetime | None = None
    reason: str | None = None


class RefuseExtension(OfHazard):
    reason: str | None = None


class BecomeOverdue(OfHazard):
    """The clock's wish: `deadline_at` has come."""

    deadline_at: AwareDatetime


class Complete(OfHazard):
    """`head_of`: the village whose head the actor acts for; the door looks it up, because only it knows who holds which post."""

    head_of: Code | None = None
    report: str | None = None


class Accept(OfHazard):
    note: str | None = None


class Reject(OfHazard):
    reason: str | None = None


class RecordRecurrence(OfHazard):
    """`recurred_as`: the stream of the new hazard, found at `discovered_at`."""

    recurred_as: Id
    discovered_at: AwareDatetime


class Correct(OfHazard):
    """`field` is one of CORRECTABLE, `value` has exactly the part that CORRECTABLE names."""

    field: Code
    value: Value
    reason: str | None = None


class EnterInError(OfHazard):
    reason: str | None = None


COMMANDS = (
    ListHazard,
    AttachFinding,
    AssignLeader,
    OrderThreeFix,
    RequestExtension,
    ApproveExtension,
    RefuseExtension,
    BecomeOverdue,
    Complete,
    Accept,
    Reject,
    RecordRecurrence,
    Correct,
    EnterInError,
)

AnyCommand = (
    ListHazard
    | AttachFinding
    | AssignLeader
    | OrderThreeFix
    | RequestExtension
    | ApproveExtension
    | RefuseExtension
    | BecomeOverdue
    | Complete
    | Accept
    | Reject
    | RecordRecurrence
    | Correct
    | EnterInError
)

CORRECTABLE = {
    "site": "ref",
    "category": "code",
    "village": "code",
    "place": "place",
    "violation": "code",
    "mineral": "code",
    "modus": "code",
    "pretext": "code",
    "summary": "text",
    "discovered_at": "at",
    "measure": "code",
    "measure_text": "text",
    "responsible": "ref",
    "responsible_unit": "code",
}
"""Field → the part of Value that holds it. A deadline is extended, never corrected; a number never changes."""


KIND_OF = {"responsible_unit": "unit"}
"""Field → the plan's list its code stands in, where that has another name."""


class LeaderMissing(Refusal):
    """请选择包联领导。
    Choose the leader in charge."""


class LeaderLeadsNothing(Refusal):
    """包联领导须为领导组组长、副组长或办公室主任。请从名单中选择。
    The leader in charge is the group leader, a deputy leader or the office director. Choose one from the list."""


class LeaderNamedByLeaders(Refusal):
    """包联领导由领导组组长、副组长或办公室主任确定。
    The group leader, a deputy leader or the office director names the leader in charge."""


class LeaderDidTheWork(Refusal):
    """包联领导不能同时是整改责任人或报告完成的人。
    The leader in charge is another person than the one responsible, and than whoever completed the work."""


class ThreeFixNeedsMeasure(Refusal):
    """“三落实”缺整改措施。
    The three-fix needs a measure."""


class ThreeFixNeedsPerson(Refusal):
    """“三落实”缺整改责任人及其单位。
    The three-fix needs a responsible person, with their unit."""


class ThreeFixNeedsDeadline(Refusal):
    """“三落实”缺整改时限。
    The three-fix needs a deadline."""


class ThreeFixAlreadyOrdered(Refusal):
    """“三落实”已经下达；时限只能通过申请延期变更。
    The three-fix is ordered already; its deadline changes by extension only."""


class ThreeFixNotOrdered(Refusal):
    """尚未下达“三落实”，不能办理此项。
    No three-fix has been ordered yet."""


class ResponsibleUnknown(Refusal):
    """整改责任人目前未担任任何职务。请从名单中选择。
    The person named as responsible holds no post today. Choose one from the list."""


class DeadlineInPast(Refusal):
    """整改时限不能早于当前时间。
    The deadline lies in the past."""


class DeadlineTooFar(Refusal):
    """整改时限超过实施方案允许的最长期限。
    The deadline lies beyond the longest the plan allows."""


class DeadlineNotPassed(Refusal):
    """整改时限尚未到期。
    The deadline has not passed yet."""


class ReasonMissing(Refusal):
    """必须写明理由。
    A reason must be given."""


class ReportMissing(Refusal):
    """必须写明整改情况。
    Say what was done."""


class ExtensionPending(Refusal):
    """已有一项延期申请待批。
    An extension request is waiting already."""


class ExtensionNotRequested(Refusal):
    """没有待批的延期申请。
    No extension has been requested."""


class ExtensionNotLater(Refusal):
    """延期后的时限必须晚于原时限。
    An extension must end later than the present deadline."""


class ExtensionByOtherPerson(Refusal):
    """只有整改责任人或本村负责人（或其受托人）可以申请延期。
    Only the responsible person or the head of that village, or somebody on their behalf, asks for an extension."""


class ExtensionBySamePerson(Refusal):
    """延期不能由申请人本人审批。
    An extension is decided by another person than the one who asked."""


class ExtensionNeedsLeader(Refusal):
    """延期须由办公室主任、副组长或组长审批。
    An extension is decided by the office director, a deputy leader or the group leader."""


class CompletionByOtherPerson(Refusal):
    """只有整改责任人或本村负责人（或其受托人）可以报告整改完成。
    Only the responsible person or the head of that village, or somebody on their behalf, reports completion."""


class NotCompleted(Refusal):
    """尚未报告整改完成，不能验收。
    Completion has not been reported yet."""


class AlreadyCompleted(Refusal):
    """已报告整改完成，正在等待验收。
    Completion was reported already and waits for acceptance."""


class AcceptanceBySamePerson(Refusal):
    """验收人不能是整改责任人或报告完成的人。
    Acceptance is by another person than the one responsible or the one who completed."""


class AcceptanceByLeaderInCharge(Refusal):
    """现任或曾任包联领导的人不能验收该隐患。
    Whoever is in charge of a hazard, or was, does not accept or reject it."""


class AcceptanceNeedsInspector(Refusal):
    """验收须由安监办人员或领导组办公室进行。
    Acceptance is by an inspector or the campaign office."""


class HazardClosed(Refusal):
    """该隐患已销号；再次出现的应作为新隐患登记。
    The hazard is closed out; what comes back is listed as a new one."""


class NotClosedOut(Refusal):
    """该隐患尚未销号，不能登记死灰复燃。
    The hazard is not closed out, so it cannot recur."""


class AlreadyRecurred(Refusal):
    """该隐患已关联到另一条复发隐患。
    The hazard has recurred as another one already."""


class MarkedAsError(Refusal):
    """该记录已标记为登记有误，只能查看。
    The record was entered in error and can only be read."""


class ErrorMarkNeedsOffice(Refusal):
    """只有领导组办公室可以标记登记有误。
    Only the campaign office marks a record as entered in error."""


class FieldNotCorrectable(Refusal):
    """该项内容不能更正。
    This field cannot be corrected."""


class ValueDoesNotFit(Refusal):
    """更正内容与该项的类型不符。
    The value is not of the field's kind."""
