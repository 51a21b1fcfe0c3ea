"""THE STORY of opening an informant's identity: one asks with grounds, a second decides, the custodian opens, once.

RequestDisclosure ──► ApproveDisclosure (a second person; for a limited time) ──► OpenDisclosure (the custodian)
                 ├──► RefuseDisclosure                     every try is recorded, also one that is refused or fails
                 └──► CloseDisclosure, with the erasure of the identity
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, assert_never, get_args

from services.intake.informant import ITSELF
from services.intake.rules import (
    InformantErased,
    PlanGivesNoTerm,
    SamePerson,
    acts_in_person,
    grounds_of,
    in_person,
    plan_of,
)
from shared.contracts.event import Event
from shared.contracts.intake import disclosure
from shared.contracts.intake.disclosure import (
    DisclosureApproved,
    DisclosureClosed,
    DisclosureOpened,
    DisclosureOpeningFailed,
    DisclosureOpeningRefused,
    DisclosureRefused,
    DisclosureRequested,
)
from shared.decider import Command, Decider
from shared.errors import Refusal, StreamExists, StreamNotFound
from shared.plan.terms import RuleNotInForce, Terms

DisclosureGround = Literal["investigation", "protection", "court_order", "reward"]
Trouble = Literal["no_keys_here", "erased", "wrong_master_key", "keys_away", "does_not_open"]
CUSTODIAN = "custodian"
TERM = "disclosure_opening"
"""The plan's rule: for how long an approval can be used."""


class TipIsAnonymous(Refusal):
    """这是匿名举报，没有姓名和联系方式可以查看。
    This tip is anonymous: there is no name and no contact to open."""


class DisclosureDecided(Refusal):
    """这份申请已经有了决定。
    This request has been decided already."""


class IdentityNotErased(Refusal):
    """身份信息没有删除，这份申请须由审批人批准或不批准。
    The identity was not erased: this request has to be approved or refused."""


class _DisclosureCommand(Command):
    """`disclosure`: a uuid."""

    disclosure: str

    @property
    def stream_id(self) -> str:
        return f"disclosure-{self.disclosure}"


class RequestDisclosure(_DisclosureCommand):
    """`tip`: its id; `informant`, `named` and `erased` as the tip's record says."""

    tip: str
    informant: str
    named: bool
    erased: bool
    ground: DisclosureGround
    grounds: str


class ApproveDisclosure(_DisclosureCommand):
    """`erased` as the tip's record says."""

    erased: bool


class RefuseDisclosure(_DisclosureCommand):
    reason: str


class CloseDisclosure(_DisclosureCommand):
    """`erased` as the tip's record says."""

    erased: bool


class OpenDisclosure(_DisclosureCommand):
    """`trouble`: why the identity could not be read here; None when it lies ready to be shown."""

    trouble: Trouble | None = None


DisclosureCommand = RequestDisclosure | ApproveDisclosure | RefuseDisclosure | CloseDisclosure | OpenDisclosure
DisclosureEvent = (
    DisclosureRequested
    | DisclosureApproved
    | DisclosureRefused
    | DisclosureClosed
    | DisclosureOpened
    | DisclosureOpeningRefused
    | DisclosureOpeningFailed
)


@dataclass(frozen=True)
class Disclosure:
    """state: none | requested | approved | refused | closed | opened."""

    state: str = "none"
    informant: str = ""
    ground: str = ""
    asked_by: str = ""
    decided_by: str = ""
    open_until: datetime | None = None


def decide(command: DisclosureCommand, state: Disclosure, terms: Terms) -> list[Event]:
    """Raises the refusals above, SamePerson, ActsForAnother, GroundsNeeded, StreamExists and StreamNotFound.

    An opening is never refused by an error: the try itself is a fact.
    """
    if isinstance(command, RequestDisclosure):
        return _request(command, state, terms)
    if state.state == "none":
        raise StreamNotFound()
    if isinstance(command, OpenDisclosure):
        return _open(command, state, terms)
    if isinstance(command, CloseDisclosure):
        return _close(command, state, terms)
    who = in_person(terms.actor)
    if who == state.asked_by:
        raise SamePerson()
    match command:
        case ApproveDisclosure() if state.state == "approved" and state.decided_by == who:
            return []
        case _ if state.state != "requested":
            raise DisclosureDecided()
        case ApproveDisclosure(erased=True):
            raise InformantErased()
        case ApproveDisclosure():
            return [DisclosureApproved(approved_by=who, open_until=_open_until(terms))]
        case RefuseDisclosure():
            return [DisclosureRefused(informant=state.informant, refused_by=who, reason=grounds_of(command.reason))]
        case _:
            assert_never(command)


def _request(command: RequestDisclosure, state: Disclosure, terms: Terms) -> list[Event]:
    if state.state != "none":
        raise StreamExists()
    who, grounds = in_person(terms.actor), grounds_of(command.grounds)
    if not command.named:
        raise TipIsAnonymous()
    if command.erased:
        raise InformantErased()
    return [
        DisclosureRequested(
            tip=f"tip-{command.tip}",
            informant=command.informant,
            requested_by=who,
            ground=command.ground,
            grounds=grounds,
        )
    ]


def _close(command: CloseDisclosure, state: Disclosure, terms: Terms) -> list[Event]:
    """By the erasure itself, or by a person. The erasure leaves alone what was decided after it looked which are not."""
    by_itself = terms.actor.person == ITSELF
    who = ITSELF if by_itself else in_person(terms.actor)
    if not command.erased:
        raise IdentityNotErased()
    if state.state not in ("requested", "closed") and not by_itself:
        raise DisclosureDecided()
    return [DisclosureClosed(closed_by=who, why="erased")] if state.state == "requested" else []


def _open_until(terms: Terms) -> datetime:
    try:
        return plan_of(terms).due(TERM, terms.now)
    except RuleNotInForce as error:
        raise PlanGivesNoTerm(rule=TERM) from error


def _open(command: OpenDisclosure, state: Disclosure, terms: Terms) -> list[Event]:
    who = terms.actor.person
    if why := _barred(state, terms):
        return [DisclosureOpeningRefused(tried_by=who, why=why)]
    if command.trouble is not None:
        return [DisclosureOpeningFailed(tried_by=who, why=command.trouble)]
    return [DisclosureOpened(opened_by=who, ground=state.ground)]


def _barred(state: Disclosure, terms: Terms) -> str | None:
    """The rule that forbids this person to open it now; None when they may."""
    actor = terms.actor
    if actor.post != CUSTODIAN:
        return "wrong_post"
    if not acts_in_person(actor):
        return "not_in_person"
    if state.state != "approved":
        return {"requested": "not_approved", "opened": "opened_already"}.get(state.state, state.state)
    if actor.person in (state.asked_by, state.decided_by):
        return "same_person"
    if state.open_until is None or terms.now >= state.open_until:
        return "expired"
    return None


def evolve(state: Disclosure, event: DisclosureEvent) -> Disclosure:
    """Sees codes, ids and times only."""
    match event:
        case DisclosureRequested():
            return Disclosure("requested", event.informant, event.ground, event.requested_by)
        case DisclosureApproved():
            return replace(state, state="approved", decided_by=event.approved_by, open_until=event.open_until)
        case DisclosureRefused():
            return replace(state, state="refused", decided_by=event.refused_by)
        case DisclosureClosed():
            return replace(state, state="closed")
        case DisclosureOpened():
            return replace(state, state="opened")
        case DisclosureOpeningRefused() | DisclosureOpeningFailed():
            return state
        case _:
            assert_never(event)


DISCLOSURE = Decider(
    category="disclosure",
    initial=Disclosure,
    decide=decide,
    evolve=evolve,
    commands=get_args(DisclosureCommand),
    events=disclosure.EVENTS,
)
