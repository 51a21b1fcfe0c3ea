"""One hazard, from the first finding to close-out: who must do what by when, and who may say that it is done.

listed ──► three_fix_ordered ──► completed ──► closed_out ──► (comes back as a new, linked hazard)
                 ▲  │ overdue        │
                 │  │ extended       │ rejected
                 └──┴────────────────┘
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from services.cases import hazard_commands as ask
from services.cases.rules import must_know, plan_of
from shared.contracts.cases import hazard as facts
from shared.contracts.cases.hazard import Source
from shared.contracts.event import Event
from shared.decider import Actor, Decider
from shared.errors import StreamExists, StreamNotFound
from shared.plan.terms import Terms

LEADERS = frozenset({"office_director", "deputy_leader", "group_leader"})
"""Posts that decide on an extension, and name the leader in charge."""
ACCEPTING = LEADERS | {"inspector"}
"""Posts that accept or reject."""
OFFICE = frozenset({"office_director", "clerk"})
"""Posts that may mark a record as entered in error."""


@dataclass(frozen=True)
class ThreeFix:
    measure: str
    responsible: str
    unit: str
    deadline_at: datetime


@dataclass(frozen=True)
class Hazard:
    """stage: "" (not there) | listed | three_fix_ordered | completed | closed_out | entered_in_error.

    `hands`: everybody who was ever responsible or reported completion, so nobody accepts their own work by a detour; `led`: who
    was ever in charge, likewise.
    """

    stage: str = ""
    village: str = ""
    sources: frozenset[Source] = frozenset()
    leader: str | None = None
    led: frozenset[str] = frozenset()
    three_fix: ThreeFix | None = None
    asked_by: str | None = None
    wanted_at: datetime | None = None
    overdue: bool = False
    hands: frozenset[str] = frozenset()
    accepted_by: str | None = None
    recurred_as: str | None = None

    @property
    def order(self) -> ThreeFix:
        """The three-fix. Raises ThreeFixNotOrdered."""
        if self.three_fix is None:
            raise ask.ThreeFixNotOrdered
        return self.three_fix


def decide(command: ask.AnyCommand, state: Hazard, terms: Terms) -> list[Event]:
    """Raises Refusal, named after the rule that forbids it."""
    if not isinstance(command, ask.ListHazard):
        if state.stage == "":
            raise StreamNotFound
        if state.stage == "entered_in_error" and not isinstance(command, ask.EnterInError):
            raise ask.MarkedAsError
    match command:
        case ask.ListHazard():
            return _list(command, state, terms)
        case ask.AttachFinding():
            return _attach(command, state)
        case ask.AssignLeader():
            return _assign_leader(command, state, terms)
        case ask.OrderThreeFix():
            return _order(command, state, terms)
        case ask.RequestExtension():
            return _request_extension(command, state, terms)
        case ask.ApproveExtension():
            return _approve_extension(command, state, terms)
        case ask.RefuseExtension():
            return _refuse_extension(command, state, terms)
        case ask.BecomeOverdue():
            return _become_overdue(command, state, terms)
        case ask.Complete():
            return _complete(command, state, terms)
        case ask.Accept():
            return _accept(command, state, terms)
        case ask.Reject():
            return _reject(command, state, terms)
        case ask.RecordRecurrence():
            return _recur(command, state, terms)
        case ask.Correct():
            return _correct(command, state, terms)
        case ask.EnterInError():
            return _enter_in_error(command, state, terms)
        case _:
            assert_never(command)


def _list(wish: ask.ListHazard, state: Hazard, terms: Terms) -> list[Event]:
    if state.stage:
        raise StreamExists
    watched = wish.discovered_at <= plan_of(terms).recurrence_watch_until
    told = wish.model_dump(exclude={"occurred_at", "hazard", "recurrence_of"})
    return [facts.HazardListed(**told, recurrence_of=wish.recurrence_of if watched else None)]


def _attach(wish: ask.AttachFinding, state: Hazard) -> list[Event]:
    if wish.source in state.sources:
        return []
    if state.stage == "closed_out" and wish.while_open:
        raise ask.HazardClosed
    return [facts.HazardFindingAttached(source=wish.source, live=wish.live, summary=wish.summary)]


def _assign_leader(wish: ask.AssignLeader, state: Hazard, terms: Terms) -> list[Event]:
    if terms.actor.post not in LEADERS:
        raise ask.LeaderNamedByLeaders
    if state.stage == "closed_out":
        raise ask.HazardClosed
    if not wish.leader:
        raise ask.LeaderMissing
    if wish.leader == state.leader:
        return []
    if wish.leader in state.hands:
        raise ask.LeaderDidTheWork
    reason = _reason(wish.reason) if state.leader else wish.reason
    return [facts.HazardLeaderAssigned(leader=wish.leader, instead_of=state.leader, reason=reason)]


def _order(wish: ask.OrderThreeFix, state: Hazard, terms: Terms) -> list[Event]:
    if not wish.measure:
        raise ask.ThreeFixNeedsMeasure
    if not wish.responsible or not wish.responsible_unit:
        raise ask.ThreeFixNeedsPerson
    if not wish.deadline_at:
        raise ask.ThreeFixNeedsDeadline
    if state.stage == "closed_out":
        raise ask.HazardClosed
    wanted = ThreeFix(wish.measure, wish.responsible, wish.responsible_unit, wish.deadline_at)
    if wanted == state.three_fix:
        return []
    if state.three_fix:
        raise ask.ThreeFixAlreadyOrdered
    if wanted.responsible == state.leader:
        raise ask.LeaderDidTheWork
    must_know(plan_of(terms), measure=wanted.measure, unit=wanted.unit)
    return [
        facts.HazardThreeFixOrdered(
            measure=wanted.measure,
            measure_text=wish.measure_text,
            responsible=wanted.responsible,
            responsible_unit=wanted.unit,
            deadline_at=_allowed(wanted.deadline_at, terms),
        )
    ]


def _request_extension(wish: ask.RequestExtension, state: Hazard, terms: Terms) -> list[Event]:
    order = _running(state)
    if not _is_theirs(wish, state, terms.actor):
        raise ask.ExtensionByOtherPerson
    asking, reason = _acting(terms.actor), _reason(wish.reason)
    if state.wanted_at:
        if (state.asked_by, state.wanted_at) == (asking, wish.wanted_at):
            return []
        raise ask.ExtensionPending
    if wish.wanted_at <= order.deadline_at:
        raise ask.ExtensionNotLater
    wanted_at = _allowed(wish.wanted_at, terms)
    return [facts.HazardExtensionRequested(requested_by=asking, wanted_at=wanted_at, reason=reason)]


def _approve_extension(wish: ask.ApproveExtension, state: Hazard, terms: Terms) -> list[Event]:
    order, wanted_at = _deciding(state, terms.actor)
    reason, deadline_at = _reason(wish.reason), wish.deadline_at or wanted_at
    if deadline_at <= order.deadline_at:
        raise ask.ExtensionNotLater
    return [
        facts.HazardExtended(approved_by=_acting(terms.actor), deadline_at=_allowed(deadline_at, terms), reason=reason)
    ]


def _refuse_extension(wish: ask.RefuseExtension, state: Hazard, terms: Terms) -> list[Event]:
    _deciding(state, terms.actor)
    return [facts.HazardExtensionRefused(refused_by=_acting(terms.actor), reason=_reason(wish.reason))]


def _become_overdue(wish: ask.BecomeOverdue, state: Hazard, terms: Terms) -> list[Event]:
    """A clock that rings for an older deadline, or for work that is done, changes nothing."""
    if state.stage != "three_fix_ordered" or state.overdue or state.order.deadline_at != wish.deadline_at:
        return []
    if terms.now < wish.deadline_at:
        raise ask.DeadlineNotPassed(deadline_at=wish.deadline_at.isoformat())
    return [_overdue(state)]


def _complete(wish: ask.Complete, state: Hazard, terms: Terms) -> list[Event]:
    """Done after the deadline is overdue first, whether or not the clock rang in between."""
    order, actor = _running(state), terms.actor
    if not _is_theirs(wish, state, actor):
        raise ask.CompletionByOtherPerson
    if state.leader and state.leader in (actor.person, actor.on_behalf_of):
        raise ask.LeaderDidTheWork
    if not (wish.report or "").strip():
        raise ask.ReportMissing
    late = (wish.occurred_at or terms.now) > order.deadline_at and not state.overdue
    done = facts.HazardCompleted(completed_by=_acting(actor), report=wish.report or "")
    return [_overdue(state), done] if late else [done]


def _accept(wish: ask.Accept, state: Hazard, terms: Terms) -> list[Event]:
    accepting = _acting(terms.actor)
    if state.stage == "closed_out" and accepting == state.accepted_by:
        return []
    _looking(state, terms.actor)
    return [facts.HazardAccepted(accepted_by=accepting, note=wish.note), facts.HazardClosedOut()]


def _reject(wish: ask.Reject, state: Hazard, terms: Terms) -> list[Event]:
    """Work that is sent back after the deadline is overdue from then on."""
    _looking(state, terms.actor)
    deadline = state.order.deadline_at
    rejected = facts.HazardRejected(rejected_by=_acting(terms.actor), reason=_reason(wish.reason), deadline_at=deadline)
    late = terms.now > deadline and not state.overdue
    return [rejected, _overdue(state)] if late else [rejected]


def _recur(wish: ask.RecordRecurrence, state: Hazard, terms: Terms) -> list[Event]:
    """After the watch has ended, a new find at the place is a new hazard and nothing else."""
    if state.stage != "closed_out":
        raise ask.NotClosedOut
    if state.recurred_as == wish.recurred_as or wish.discovered_at > plan_of(terms).recurrence_watch_until:
        return []
    if state.recurred_as:
        raise ask.AlreadyRecurred(hazard=state.recurred_as)
    return [facts.HazardRecurred(hazard=wish.recurred_as)]


def _correct(wish: ask.Correct, state: Hazard, terms: Terms) -> list[Event]:
    part = ask.CORRECTABLE.get(wish.field)
    if part is None:
        raise ask.FieldNotCorrectable(field=wish.field)
    if wish.value.model_dump(exclude_none=True).keys() != {part}:
        raise ask.ValueDoesNotFit(field=wish.field, kind=part)
    if wish.field in ("measure", "measure_text", "responsible", "responsible_unit"):
        _ = state.order
    if wish.field == "responsible" and wish.value.ref == state.leader:
        raise ask.LeaderDidTheWork
    must_know(plan_of(terms), **{ask.KIND_OF.get(wish.field, wish.field): wish.value.code})
    return [facts.HazardCorrected(field=wish.field, value=wish.value, reason=_reason(wish.reason))]


def _enter_in_error(wish: ask.EnterInError, state: Hazard, terms: Terms) -> list[Event]:
    if terms.actor.post not in OFFICE:
        raise ask.ErrorMarkNeedsOffice
    if state.stage == "entered_in_error":
        return []
    return [facts.HazardEnteredInError(reason=_reason(wish.reason))]


def _acting(actor: Actor) -> str:
    """Whose act it is: the person acted for, if there is one."""
    return actor.on_behalf_of or actor.person


def _reason(reason: str | None) -> str:
    if not (reason or "").strip():
        raise ask.ReasonMissing
    return reason or ""


def _allowed(deadline_at: datetime, terms: Terms) -> datetime:
    longest = plan_of(terms).longest_deadline
    if deadline_at <= terms.now:
        raise ask.DeadlineInPast(deadline_at=deadline_at.isoformat())
    if deadline_at > terms.now + longest:
        raise ask.DeadlineTooFar(days=longest.days)
    return deadline_at


def _running(state: Hazard) -> ThreeFix:
    """The three-fix that is being worked on."""
    if state.stage == "closed_out":
        raise ask.HazardClosed
    if state.stage == "completed":
        raise ask.AlreadyCompleted
    return state.order


def _is_theirs(wish: ask.Complete | ask.RequestExtension, state: Hazard, actor: Actor) -> bool:
    """The work is that of whoever acts, as the person responsible or as head of the hazard's village."""
    own = actor.village if actor.post == "village_head" else None
    return state.village in (own, wish.head_of) or _acting(actor) == state.order.responsible


def _deciding(state: Hazard, actor: Actor) -> tuple[ThreeFix, datetime]:
    """The three-fix and the wanted deadline, when `actor` may decide on the extension."""
    if actor.post not in LEADERS:
        raise ask.ExtensionNeedsLeader
    order = _running(state)
    if state.wanted_at is None:
        raise ask.ExtensionNotRequested
    if state.asked_by in (actor.person, actor.on_behalf_of):
        raise ask.ExtensionBySamePerson
    return order, state.wanted_at


def _looking(state: Hazard, actor: Actor) -> None:
    """`actor` may judge the finished work."""
    if state.stage == "closed_out":
        raise ask.HazardClosed
    if state.stage != "completed":
        raise ask.NotCompleted
    if actor.post not in ACCEPTING:
        raise ask.AcceptanceNeedsInspector
    if {actor.person, actor.on_behalf_of} & state.hands:
        raise ask.AcceptanceBySamePerson
    if {actor.person, actor.on_behalf_of} & state.led:
        raise ask.AcceptanceByLeaderInCharge


def _overdue(state: Hazard) -> facts.HazardBecameOverdue:
    order = state.order
    return facts.HazardBecameOverdue(
        deadline_at=order.deadline_at, responsible=order.responsible, responsible_unit=order.unit, village=state.village
    )


def evolve(state: Hazard, event: Event) -> Hazard:
    match event:
        case facts.HazardListed(village=village, source=source):
            return replace(state, stage="listed", village=village, sources=frozenset({source}))
        case facts.HazardFindingAttached(source=source):
            return replace(state, sources=state.sources | {source})
        case facts.HazardLeaderAssigned(leader=leader):
            return replace(state, leader=leader, led=state.led | {leader})
        case facts.HazardThreeFixOrdered() as e:
            order = ThreeFix(e.measure, e.responsible, e.responsible_unit, e.deadline_at)
            return replace(state, stage="three_fix_ordered", three_fix=order, hands=state.hands | {e.responsible})
        case facts.HazardExtensionRequested(requested_by=asked_by, wanted_at=wanted_at):
            return replace(state, asked_by=asked_by, wanted_at=wanted_at)
        case facts.HazardExtended(deadline_at=deadline_at):
            order = replace(state.order, deadline_at=deadline_at)
            return replace(state, three_fix=order, asked_by=None, wanted_at=None, overdue=False)
        case facts.HazardExtensionRefused():
            return replace(state, asked_by=None, wanted_at=None)
        case facts.HazardBecameOverdue():
            return replace(state, overdue=True)
        case facts.HazardCompleted(completed_by=hand):
            return replace(state, stage="completed", hands=state.hands | {hand}, asked_by=None, wanted_at=None)
        case facts.HazardAccepted(accepted_by=accepted_by):
            return replace(state, accepted_by=accepted_by)
        case facts.HazardRejected():
            return replace(state, stage="three_fix_ordered")
        case facts.HazardClosedOut():
            return replace(state, stage="closed_out")
        case facts.HazardRecurred(hazard=recurred_as):
            return replace(state, recurred_as=recurred_as)
        case facts.HazardCorrected() as e:
            return _corrected(state, e)
        case facts.HazardEnteredInError():
            return replace(state, stage="entered_in_error")
    return state


def _corrected(state: Hazard, event: facts.HazardCorrected) -> Hazard:
    value = event.value
    match event.field:
        case "village":
            return replace(state, village=value.code or state.village)
        case "measure":
            return replace(state, three_fix=replace(state.order, measure=value.code or state.order.measure))
        case "responsible_unit":
            return replace(state, three_fix=replace(state.order, unit=value.code or state.order.unit))
        case "responsible":
            responsible = value.ref or state.order.responsible
            order = replace(state.order, responsible=responsible)
            return replace(state, three_fix=order, hands=state.hands | {responsible})
    return state


HAZARD = Decider(
    category="hazard", initial=Hazard, decide=decide, evolve=evolve, commands=ask.COMMANDS, events=facts.EVENTS
)
