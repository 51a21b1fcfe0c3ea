"""What travels by HTTP about patrols."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.intake.patrol import ROUTINE
from services.intake.route import MAX_BYTES
from shared.contracts.event import Code, Id
from shared.opening import LEAST_REASON, MOST_REASON
from shared.web.sent import SentPlace, SentValue


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PatrolPlan(_Body):
    """`patrol`: its id when the caller chooses one; `planned_on`: the day, town time; `reason`: why here and now.

    With any reason but `routine` the plan is sealed until the patrol begins or its day is over.
    """

    patrol: UUID | None = None
    village: Code
    unit: Code
    patrol_class: Code
    planned_on: date
    reason: Code = ROUTINE


class PatrolStart(_Body):
    """village and unit: when it was not planned. `occurred_at`: None for now."""

    village: Code | None = None
    unit: Code | None = None
    place: SentPlace | None = None
    occurred_at: AwareDatetime | None = None


class FindingBody(_Body):
    site: Id | None = None
    category: Code
    place: SentPlace | None = None
    violation: Code
    mineral: Code | None = None
    modus: Code | None = None
    pretext: Code | None = None
    live: bool = False
    summary: Annotated[str, Field(max_length=500)]


class PatrolRecord(_Body):
    """Time, members, route, findings (or `no_finding`), handling: all five are needed, each missing one has its own refusal.

    The route is `route_sha256` of a file sent before, or the GPX text itself in `gpx`.
    """

    village: Code | None = None
    unit: Code | None = None
    patrol_class: Code | None = None
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    members: Annotated[tuple[Id, ...], Field(max_length=50)] = ()
    route_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    gpx: Annotated[str, Field(max_length=MAX_BYTES)] | None = None
    findings: Annotated[tuple[FindingBody, ...], Field(max_length=20)] = ()
    no_finding: bool = False
    handling: Code | None = None
    handling_note: Annotated[str, Field(max_length=1000)] | None = None
    offline: bool = False


class Correction(_Body):
    field: Code
    value: SentValue
    reason: Annotated[str, Field(max_length=1000)]


class InError(_Body):
    reason: Annotated[str, Field(max_length=1000)]


class OpeningAsked(_Body):
    """Why the sealed plan is read. It is sealed for the office, and told to the auditor: let it name no place."""

    reason: Annotated[str, Field(min_length=LEAST_REASON, max_length=MOST_REASON)]


class RouteKept(BaseModel):
    """`sha256` names the kept file; times are None when the file has none."""

    sha256: str
    points: int
    metres: int
    started_at: datetime | None
    ended_at: datetime | None


class PatrolLine(BaseModel):
    """state: planned | started | recorded | void; `findings` counts them; `reason`: None for a reader bound to a village.

    `sealed`: a plan that is kept from this reader for now; of it there is no more than `patrol`, `version` and `state`.
    """

    patrol: str
    version: int
    state: str
    sealed: bool
    village: str | None
    unit: str | None
    patrol_class: str | None
    planned_on: date | None
    reason: str | None
    started_at: datetime | None
    ended_at: datetime | None
    members: list[str] | None
    route_sha256: str | None
    points: int | None
    metres: int | None
    findings: int | None
    live: bool | None
    no_finding: bool | None
    handling: str | None
    handling_note: str | None
    offline: bool | None
    recorded_at: datetime | None


class FindingShown(FindingBody):
    no: int
    summary: str | None  # type: ignore[assignment]


class PatrolPage(PatrolLine):
    found: list[FindingShown]
    steps: list[dict[str, Any]]


class PlanOpened(BaseModel):
    """`opening`: the event that says who read the plan and why; None when it was not sealed for this reader."""

    opening: UUID | None
    plan: PatrolPage
