"""A patrol: who went where, when, what they found and what they did about it."""

from datetime import date, datetime

from shared.contracts.event import Code, Event, Id, OfficeText, Part
from shared.contracts.parts import Place, Value


class Route(Part):
    """The walked track: SHA-256 of the kept GPX file, its points and length in metres."""

    sha256: Id
    points: int
    metres: int


class Finding(Part):
    """One thing found; `no` counts from 1 within the patrol."""

    no: int
    site: Id | None = None
    category: Code
    place: Place | None = None
    violation: Code
    mineral: Code | None = None
    modus: Code | None = None
    pretext: Code | None = None
    live: bool = False
    summary: OfficeText


class PatrolPlanned(Event):
    type = "intake.patrol.planned.v1"
    village: Code
    unit: Code
    patrol_class: Code
    planned_on: date
    reason: Code


class PatrolStarted(Event):
    type = "intake.patrol.started.v1"
    village: Code
    unit: Code
    place: Place | None = None


class PatrolRecorded(Event):
    """The five mandatory fields of the plan: time, members, route, findings (or `no_finding`, said explicitly), handling."""

    type = "intake.patrol.recorded.v1"
    village: Code
    unit: Code
    patrol_class: Code
    started_at: datetime
    ended_at: datetime
    members: tuple[Id, ...]
    route: Route
    findings: tuple[Finding, ...]
    no_finding: bool
    handling: Code
    handling_note: OfficeText | None = None
    offline: bool = False


class PatrolCorrected(Event):
    type = "intake.patrol.corrected.v1"
    field: Code
    value: Value
    reason: OfficeText


class PatrolEnteredInError(Event):
    type = "intake.patrol.entered_in_error.v1"
    reason: OfficeText


EVENTS = (PatrolPlanned, PatrolStarted, PatrolRecorded, PatrolCorrected, PatrolEnteredInError)
