"""THE STORY of a patrol: planned, started, and recorded with the five things the plan asks for.

PlanPatrol ──► StartPatrol ──► RecordPatrol       an offline patrol may arrive as a record alone
"""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Literal, assert_never, get_args

from pydantic import AwareDatetime, BaseModel, ConfigDict

from services.intake.rules import Kind, must_fit, must_know, must_say_why, plan_of
from shared.contracts.event import Event
from shared.contracts.intake import patrol
from shared.contracts.intake.patrol import (
    Finding,
    PatrolCorrected,
    PatrolEnteredInError,
    PatrolPlanned,
    PatrolRecorded,
    PatrolStarted,
    Route,
)
from shared.contracts.parts import Place, Value
from shared.decider import Command, Decider
from shared.errors import Refusal, StreamExists, StreamNotFound
from shared.plan.terms import Terms

PATROL_FIELDS: dict[str, Kind] = {
    "village": "code",
    "unit": "code",
    "patrol_class": "code",
    "started_at": "at",
    "ended_at": "at",
    "handling": "code",
    "handling_note": "text",
}
FINDING_FIELDS: dict[str, Kind] = {
    "category": "code",
    "violation": "code",
    "mineral": "code",
    "modus": "code",
    "pretext": "code",
    "place": "place",
    "summary": "text",
}
FINDING_FIELD = re.compile(r"finding\.(\d{1,2})\.([a-z_]+)")
"""A field of the finding numbered in the middle, for example `finding.2.violation`."""
ROUTINE = "routine"
"""The one reason whose plans everybody may know of; every other one is that of a check without notice."""


class PatrolNeedsTime(Refusal):
    """巡查记录缺“时间”：请写明开始和结束时间。
    The record lacks the time: give when the patrol began and ended."""


class PatrolNeedsMembers(Refusal):
    """巡查记录缺“参加人员”。
    The record lacks the members who took part."""


class PatrolNeedsRoute(Refusal):
    """巡查记录缺“巡查路线”：请附 GPX 轨迹。
    The record lacks the route: attach the GPX track."""


class PatrolNeedsFindingsOrNone(Refusal):
    """巡查记录须写明“发现问题”，或者明确写“未发现问题”，二者取一。
    The record states what was found, or says explicitly that nothing was found; one of the two."""


class PatrolNeedsHandling(Refusal):
    """巡查记录缺“处置情况”。
    The record lacks the handling: what was done about it."""


class PatrolNeedsPlaceAndUnit(Refusal):
    """未列入计划的巡查须写明所在村、巡查单位和类别。
    A patrol that was not planned names its village, unit and class."""


class FindingNeedsSummary(Refusal):
    """每个问题都要写明情况。
    Every finding says in words what was found."""


class PatrolEndsBeforeStart(Refusal):
    """结束时间不能早于开始时间。
    A patrol does not end before it starts."""


class PatrolInAnotherVillage(Refusal):
    """这次巡查安排在另一个村。
    This patrol was planned or started for another village."""


class PatrolAlreadyRecorded(Refusal):
    """这次巡查已有记录，内容不同。如有错误，请用更正。
    This patrol was recorded before, with other content. Use a correction for a mistake."""


class PatrolNotRecorded(Refusal):
    """这次巡查还没有记录，无从更正。
    There is no record of this patrol yet to correct."""


class PatrolIsVoid(Refusal):
    """这次巡查已注明为误录，不能再办理。
    This patrol was marked as entered in error."""


class Found(BaseModel):
    """One thing found, before it has its number."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    site: str | None = None
    category: str
    place: Place | None = None
    violation: str
    mineral: str | None = None
    modus: str | None = None
    pretext: str | None = None
    live: bool = False
    summary: str


class _PatrolCommand(Command):
    """`patrol`: the patrol's id, a uuid, which an offline phone may choose."""

    patrol: str

    @property
    def stream_id(self) -> str:
        return f"patrol-{self.patrol}"


class PlanPatrol(_PatrolCommand):
    """`planned_on`: the day, town time. `reason`: why here and now (routine, tip, weather, holiday …)."""

    village: str
    unit: str
    patrol_class: str
    planned_on: date
    reason: str = ROUTINE


class StartPatrol(_PatrolCommand):
    """village and unit may be left out when the patrol was planned."""

    village: str | None = None
    unit: str | None = None
    place: Place | None = None


class RecordPatrol(_PatrolCommand):
    """All five fields may be None here, so that each missing one is refused by its own name.

    `occurred_at` is the end of the patrol, however late the record arrives.
    """

    village: str | None = None
    unit: str | None = None
    patrol_class: str | None = None
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    members: tuple[str, ...] = ()
    route: Route | None = None
    findings: tuple[Found, ...] = ()
    no_finding: bool = False
    handling: str | None = None
    handling_note: str | None = None
    offline: bool = False


class CorrectPatrol(_PatrolCommand):
    """`field`: one of PATROL_FIELDS, or `finding.<no>.<one of FINDING_FIELDS>`."""

    field: str
    value: Value
    reason: str


class EnterPatrolInError(_PatrolCommand):
    reason: str


PatrolCommand = PlanPatrol | StartPatrol | RecordPatrol | CorrectPatrol | EnterPatrolInError
PatrolEvent = PatrolPlanned | PatrolStarted | PatrolRecorded | PatrolCorrected | PatrolEnteredInError
Track = tuple[datetime, datetime, tuple[str, ...], str, int]
"""What tells one record from another: start, end, members, hash of the route, number of findings."""


@dataclass(frozen=True)
class Patrol:
    """What the rules need of a patrol's past; no texts. stage: none | planned | started | recorded."""

    stage: Literal["none", "planned", "started", "recorded"] = "none"
    village: str | None = None
    unit: str | None = None
    patrol_class: str | None = None
    record: Track | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    findings: int = 0
    void: bool = False
    corrected: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    """The last correction of each field that is no text."""


def decide(command: PatrolCommand, state: Patrol, terms: Terms) -> list[Event]:
    """Raises the refusals above, those of rules.py, StreamExists, StreamNotFound and NoPlanInForce."""
    if state.void and not isinstance(command, EnterPatrolInError):
        raise PatrolIsVoid()
    match command:
        case PlanPatrol():
            return _plan(command, state, terms)
        case StartPatrol():
            return _start(command, state, terms)
        case RecordPatrol():
            return _record(command, state, terms)
        case CorrectPatrol():
            return _correct(command, state, terms)
        case EnterPatrolInError():
            return _void(command, state)
        case _:
            assert_never(command)


def _plan(command: PlanPatrol, state: Patrol, terms: Terms) -> list[Event]:
    if state.stage != "none":
        raise StreamExists()
    facts = command.model_dump(exclude={"patrol", "occurred_at"})
    must_know(plan_of(terms), village=command.village, unit=command.unit, patrol_class=command.patrol_class)
    return [PatrolPlanned(**facts)]


def _start(command: StartPatrol, state: Patrol, terms: Terms) -> list[Event]:
    village, unit = _where(command.village, command.unit, state)
    if state.stage == "started":
        return []
    if state.stage == "recorded":
        raise PatrolAlreadyRecorded()
    must_know(plan_of(terms), village=village, unit=unit)
    return [PatrolStarted(village=village, unit=unit, place=command.place)]


def _where(village: str | None, unit: str | None, state: Patrol) -> tuple[str, str]:
    if village and state.village and village != state.village:
        raise PatrolInAnotherVillage()  # not which: the plan may be sealed for whoever asks
    village, unit = village or state.village, unit or state.unit
    if not village or not unit:
        raise PatrolNeedsPlaceAndUnit()
    return village, unit


def _record(command: RecordPatrol, state: Patrol, terms: Terms) -> list[Event]:
    plan = plan_of(terms)
    if command.started_at is None or command.ended_at is None:
        raise PatrolNeedsTime()
    if not command.members:
        raise PatrolNeedsMembers()
    if command.route is None:
        raise PatrolNeedsRoute()
    if bool(command.findings) == command.no_finding:
        raise PatrolNeedsFindingsOrNone()
    if not command.handling:
        raise PatrolNeedsHandling()
    if command.ended_at < command.started_at:
        raise PatrolEndsBeforeStart()
    track = (command.started_at, command.ended_at, command.members, command.route.sha256, len(command.findings))
    if state.record == track:
        return []
    if state.record:
        raise PatrolAlreadyRecorded()
    village, unit = _where(command.village, command.unit, state)
    patrol_class = command.patrol_class or state.patrol_class
    if patrol_class is None:
        raise PatrolNeedsPlaceAndUnit()
    must_know(plan, village=village, unit=unit, patrol_class=patrol_class)
    for found in command.findings:
        if not found.summary.strip():
            raise FindingNeedsSummary()
        must_know(plan, **found.model_dump(include={"category", "violation", "mineral", "modus", "pretext"}))
    return [
        PatrolRecorded(
            village=village,
            unit=unit,
            patrol_class=patrol_class,
            started_at=command.started_at,
            ended_at=command.ended_at,
            members=command.members,
            route=command.route,
            findings=tuple(Finding(no=no, **dict(found)) for no, found in enumerate(command.findings, start=1)),
            no_finding=command.no_finding,
            handling=command.handling,
            handling_note=(command.handling_note or "").strip() or None,
            offline=command.offline,
        )
    ]


def _correct(command: CorrectPatrol, state: Patrol, terms: Terms) -> list[Event]:
    if state.stage == "none":
        raise StreamNotFound()
    if state.stage != "recorded":
        raise PatrolNotRecorded()
    must_say_why(command.reason)
    found = FINDING_FIELD.fullmatch(command.field)
    within = found is not None and 1 <= int(found[1]) <= state.findings
    field = found[2] if found and within else command.field
    must_fit(field, command.value, FINDING_FIELDS if within else PATROL_FIELDS)
    if state.corrected.get(command.field) == command.value:
        return []
    if command.value.code is not None and field != "handling":
        must_know(plan_of(terms), **{field: command.value.code})
    if command.value.at is not None:
        span = {"started_at": state.started_at, "ended_at": state.ended_at, field: command.value.at}
        if span["started_at"] and span["ended_at"] and span["ended_at"] < span["started_at"]:
            raise PatrolEndsBeforeStart()
    return [PatrolCorrected(field=command.field, value=command.value, reason=command.reason.strip())]


def _void(command: EnterPatrolInError, state: Patrol) -> list[Event]:
    if state.stage == "none":
        raise StreamNotFound()
    must_say_why(command.reason)
    return [] if state.void else [PatrolEnteredInError(reason=command.reason.strip())]


def evolve(state: Patrol, event: PatrolEvent) -> Patrol:
    """Sees codes, ids and times only; texts come back sealed and are let go."""
    match event:
        case PatrolPlanned():
            return replace(
                state, stage="planned", village=event.village, unit=event.unit, patrol_class=event.patrol_class
            )
        case PatrolStarted():
            return replace(state, stage="started", village=event.village, unit=event.unit)
        case PatrolRecorded():
            return replace(
                state,
                stage="recorded",
                village=event.village,
                unit=event.unit,
                patrol_class=event.patrol_class,
                record=(event.started_at, event.ended_at, event.members, event.route.sha256, len(event.findings)),
                started_at=event.started_at,
                ended_at=event.ended_at,
                findings=len(event.findings),
            )
        case PatrolCorrected():
            return _corrected(state, event)
        case PatrolEnteredInError():
            return replace(state, void=True)
        case _:
            assert_never(event)


def _corrected(state: Patrol, event: PatrolCorrected) -> Patrol:
    if event.value.text is not None:
        return replace(state, corrected={k: v for k, v in state.corrected.items() if k != event.field})
    state = replace(state, corrected={**state.corrected, event.field: event.value})
    match event.field:
        case "village":
            return replace(state, village=event.value.code)
        case "started_at":
            return replace(state, started_at=event.value.at)
        case "ended_at":
            return replace(state, ended_at=event.value.at)
        case _:
            return state


PATROL = Decider(
    category="patrol",
    initial=Patrol,
    decide=decide,
    evolve=evolve,
    commands=get_args(PatrolCommand),
    events=patrol.EVENTS,
)
