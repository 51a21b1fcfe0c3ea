"""The campaign: which plan is in force, who holds which post, and the phases as the calendar brings them.

One stream for each campaign, `campaign-<plan code>`; the other services obey what it says.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import assert_never

from shared.contracts.cases import campaign as facts
from shared.contracts.cases.campaign import PhaseSpan
from shared.contracts.event import Code, Event, Id
from shared.decider import Command, Decider
from shared.errors import Refusal, StreamNotFound
from shared.plan.terms import Terms


class OfCampaign(Command):
    """A wish about the campaign whose plan has the code `plan`."""

    plan: Code

    @property
    def stream_id(self) -> str:
        return f"campaign-{self.plan}"


class AdoptPlan(OfCampaign):
    """`sha256` (hex) is of the plan file's bytes; `phases` in order, tiling `starts_on` to `ends_on`."""

    version: Id
    sha256: Id
    jurisdiction: Code
    starts_on: date
    ends_on: date
    phases: tuple[PhaseSpan, ...]


class Appoint(OfCampaign):
    """`assignment` is the id of this appointment in the plan file or of the office's own making.

    `texts_differ`: name or addresses are others than were told before. They are sealed, so only the door can compare them.
    """

    assignment: Id
    person: Id
    post: Code
    unit: Code
    village: Code | None = None
    from_on: date
    until_on: date | None = None
    name: str
    email: str | None = None
    phone: str | None = None
    channels: tuple[Code, ...] = ()
    texts_differ: bool = False


class EndAppointment(OfCampaign):
    """`on`: the last day of the post."""

    assignment: Id
    on: date
    reason: Code


class StartCampaign(OfCampaign):
    pass


class StartPhase(OfCampaign):
    phase: Code


class EndPhase(OfCampaign):
    phase: Code


class EndCampaign(OfCampaign):
    pass


CampaignCommand = AdoptPlan | Appoint | EndAppointment | StartCampaign | StartPhase | EndPhase | EndCampaign


class PlanVersionReused(Refusal):
    """实施方案内容已变，但版本号未变。请使用新的版本号。
    The plan file changed and its version did not. Give it a new version."""


class PhasesDoNotTile(Refusal):
    """各阶段必须首尾相接，并覆盖整个行动期。
    The phases must follow one another without gap or overlap and cover the whole campaign."""


class AppointmentUnknown(Refusal):
    """没有这项任职。
    There is no such appointment."""


class AppointmentEndsBeforeStart(Refusal):
    """任职结束日期早于开始日期。
    The appointment would end before it begins."""


class PhaseUnknown(Refusal):
    """实施方案中没有这个阶段。
    The plan in force has no such phase."""


class CampaignNotDue(Refusal):
    """时间未到。
    Its time has not come yet."""


@dataclass(frozen=True)
class Held:
    """What an appointment says in clear."""

    person: str
    post: str
    unit: str
    village: str | None
    from_on: date
    until_on: date | None
    channels: tuple[str, ...]


@dataclass(frozen=True)
class Campaign:
    """`versions`: plan version → hash, of every plan ever adopted. `held`, `ended`: by assignment."""

    sha256: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    phases: tuple[PhaseSpan, ...] = ()
    held: Mapping[str, Held] = field(default_factory=dict)
    ended: frozenset[str] = frozenset()
    started: bool = False
    over: bool = False
    phases_started: frozenset[str] = frozenset()
    phases_ended: frozenset[str] = frozenset()


def decide(command: CampaignCommand, state: Campaign, terms: Terms) -> list[Event]:
    """Raises Refusal, named after the rule that forbids it. Clock commands that come twice change nothing."""
    if not state.sha256 and not isinstance(command, AdoptPlan):
        raise StreamNotFound
    match command:
        case AdoptPlan():
            return _adopt(command, state)
        case Appoint():
            return _appoint(command, state)
        case EndAppointment():
            return _end_appointment(command, state)
        case StartCampaign():
            _due(state.phases[0].starts_at, terms.now)
            return [] if state.started else [facts.CampaignStarted()]
        case StartPhase(phase=phase):
            _due(_span(state, phase).starts_at, terms.now)
            return [] if phase in state.phases_started else [facts.PhaseStarted(phase=phase)]
        case EndPhase(phase=phase):
            return _end_phase(phase, state, terms.now)
        case EndCampaign():
            _due(state.phases[-1].ends_at, terms.now)
            return [] if state.over else [facts.CampaignEnded()]
        case _:
            assert_never(command)


def _adopt(wish: AdoptPlan, state: Campaign) -> list[Event]:
    if wish.sha256 == state.sha256:
        return []
    if state.versions.get(wish.version, wish.sha256) != wish.sha256:
        raise PlanVersionReused(version=wish.version)
    ends = [span.ends_on + timedelta(days=1) for span in wish.phases]
    starts = [span.starts_on for span in wish.phases]
    if [*starts, wish.ends_on + timedelta(days=1)] != [wish.starts_on, *ends]:
        raise PhasesDoNotTile
    return [facts.CampaignAdopted(**wish.model_dump(exclude={"occurred_at"}))]


def _appoint(wish: Appoint, state: Campaign) -> list[Event]:
    """The same appointment again changes nothing, not even one that has ended; other terms are a new fact."""
    if wish.until_on and wish.until_on < wish.from_on:
        raise AppointmentEndsBeforeStart
    told = wish.model_dump(exclude={"occurred_at", "plan", "texts_differ"})
    event = facts.Appointed(**told)
    if state.held.get(wish.assignment) != _held(event):
        return [event]
    return [event] if wish.texts_differ and wish.assignment not in state.ended else []


def _end_appointment(wish: EndAppointment, state: Campaign) -> list[Event]:
    held = state.held.get(wish.assignment)
    if held is None:
        raise AppointmentUnknown(assignment=wish.assignment)
    if wish.on < held.from_on:
        raise AppointmentEndsBeforeStart
    if wish.assignment in state.ended:
        return []
    return [facts.AppointmentEnded(assignment=wish.assignment, person=held.person, on=wish.on, reason=wish.reason)]


def _end_phase(phase: str, state: Campaign, now: datetime) -> list[Event]:
    """A phase that ends without having been started, because nobody was there, is started as well."""
    _due(_span(state, phase).ends_at, now)
    if phase in state.phases_ended:
        return []
    missing: list[Event] = [] if phase in state.phases_started else [facts.PhaseStarted(phase=phase)]
    return [*missing, facts.PhaseEnded(phase=phase)]


def _span(state: Campaign, phase: str) -> PhaseSpan:
    for span in state.phases:
        if span.phase == phase:
            return span
    raise PhaseUnknown(phase=phase)


def _due(at: datetime, now: datetime) -> None:
    if now < at:
        raise CampaignNotDue(due_at=at.isoformat())


def _held(event: facts.Appointed) -> Held:
    return Held(
        event.person, event.post, event.unit, event.village, event.from_on, event.until_on, tuple(event.channels)
    )


def evolve(state: Campaign, event: Event) -> Campaign:
    match event:
        case facts.CampaignAdopted(version=version, sha256=sha256, phases=phases):
            return replace(state, sha256=sha256, phases=phases, versions={**state.versions, version: sha256})
        case facts.Appointed(assignment=assignment) as e:
            return replace(state, held={**state.held, assignment: _held(e)}, ended=state.ended - {assignment})
        case facts.AppointmentEnded(assignment=assignment):
            return replace(state, ended=state.ended | {assignment})
        case facts.CampaignStarted():
            return replace(state, started=True)
        case facts.PhaseStarted(phase=phase):
            return replace(state, phases_started=state.phases_started | {phase})
        case facts.PhaseEnded(phase=phase):
            return replace(state, phases_ended=state.phases_ended | {phase})
        case facts.CampaignEnded():
            return replace(state, over=True)
    return state


CAMPAIGN = Decider(
    category="campaign",
    initial=Campaign,
    decide=decide,
    evolve=evolve,
    commands=(AdoptPlan, Appoint, EndAppointment, StartCampaign, StartPhase, EndPhase, EndCampaign),
    events=facts.EVENTS,
)
