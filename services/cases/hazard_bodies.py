"""What travels by HTTP about hazards."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.contracts.event import Code, Id
from shared.contracts.parts import Place
from shared.web.sent import SentValue

Text = Annotated[str, Field(max_length=2000)]
Reason = Annotated[str, Field(max_length=1000)]

State = Literal["open", "listed", "three_fix_ordered", "completed", "closed_out", "entered_in_error"]
"""A filter: one stage, or `open` for every hazard that is neither closed out nor entered in error."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LeaderInCharge(_Body):
    """`reason`: needed where one leader takes over from another."""

    leader: Id | None = None
    reason: Reason | None = None


class ThreeFix(_Body):
    """Measure, person and deadline: all three are needed, and each that is missing has its own refusal."""

    measure: Code | None = None
    measure_text: Text | None = None
    responsible: Id | None = None
    responsible_unit: Code | None = None
    deadline_at: AwareDatetime | None = None


class ExtensionRequest(_Body):
    wanted_at: AwareDatetime
    reason: Reason | None = None


class ExtensionApproval(_Body):
    """`deadline_at` None: as requested."""

    deadline_at: AwareDatetime | None = None
    reason: Reason | None = None


class Because(_Body):
    reason: Reason | None = None


class Completion(_Body):
    """`occurred_at`: when the work was finished, None for now."""

    report: Text | None = None
    occurred_at: AwareDatetime | None = None


class Acceptance(_Body):
    note: Text | None = None


class Correction(_Body):
    field: Code
    value: SentValue
    reason: Reason | None = None


class HazardLine(BaseModel):
    """One line of the list. Whoever is bound to a village gets the days `*_on`, not the hours, and no `live`."""

    hazard: str
    version: int
    hazard_no: int
    state: str
    overdue: bool
    live: bool | None
    site: str | None
    category: str
    village: str
    violation: str
    mineral: str | None
    modus: str | None
    pretext: str | None
    place: Place | None
    discovered_on: date
    discovered_at: datetime | None
    listed_on: date
    listed_at: datetime | None
    leader: str | None
    measure: str | None
    responsible: str | None
    responsible_unit: str | None
    deadline_at: datetime | None
    closed_at: datetime | None


class HazardSource(BaseModel):
    """A tip, or finding `finding` of a patrol.

    withdrawn, corrected: its own record was marked as entered in error, or corrected; the hazard stands as it is.
    """

    kind: str
    ref: str
    finding: int | None
    live: bool
    summary: str | None
    at: datetime
    withdrawn: bool
    corrected: bool


class Linked(BaseModel):
    hazard: str
    hazard_no: int
    state: str


class HazardPage(HazardLine):
    """Everything about one hazard. `earlier`, `later`: what it came back from, and as what it came back.

    `sources`, `summary` and `error_reason` are None for whoever is bound to a village. `people`: names by person id.
    """

    summary: str | None
    sources: list[HazardSource] | None
    measure_text: str | None
    asked_by: str | None
    wanted_at: datetime | None
    asked_reason: str | None
    extensions: int
    completed_by: str | None
    completed_at: datetime | None
    report: str | None
    accepted_by: str | None
    accepted_at: datetime | None
    note: str | None
    rejected_by: str | None
    rejected_reason: str | None
    error_reason: str | None
    earlier: Linked | None
    later: Linked | None
    people: dict[str, str]


class TimelineEntry(BaseModel):
    """One event. `step` is what happened; what began the hazard has only its day for whoever is bound to a village."""

    version: int
    step: str
    on: date
    occurred_at: datetime | None
    recorded_at: datetime | None
    event_id: str | None
    type: str
    actor: str | None
    in_role: str | None
    on_behalf_of: str | None
    facts: dict[str, Any]


class Timeline(BaseModel):
    """Oldest first; `people`: names by person id."""

    items: list[TimelineEntry]
    people: dict[str, str]
