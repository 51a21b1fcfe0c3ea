"""What travels by HTTP about reports."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.event import Code
from shared.contracts.parts import CutAt
from shared.contracts.reporting.weekly_report import UnitLine
from shared.web.sent import SentValue

Reason = Annotated[str, Field(max_length=1000)]
State = Literal["open", "due", "missing", "submitted", "returned", "accepted", "compiled", "filed", "entered_in_error"]
Scope = Literal["unit", "town"]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Submission(_Body):
    note: Annotated[str, Field(max_length=2000)] | None = None


class Nothing(_Body):
    """An empty object."""


class Because(_Body):
    reason: Reason | None = None


class Correction(_Body):
    """`field`: due_at, missing_at or note."""

    field: Code
    value: SentValue
    reason: Reason | None = None


class PeriodLine(BaseModel):
    """One period of the plan in force; `report` and `state` of the town's report once it is opened."""

    no: int
    starts_at: datetime
    cut_off_at: datetime
    due_at: datetime
    missing_at: datetime
    closing: bool
    report: str | None
    state: str | None


class ReportLine(BaseModel):
    """`late`: submitted after the hour it was due; `missed`: the grace passed with nothing there, whatever came later."""

    report: str
    version: int
    plan: str
    scope: str
    unit: str
    period_no: int
    starts_at: datetime
    cut_off_at: datetime
    due_at: datetime
    missing_at: datetime | None
    closing: bool
    state: str
    late: bool
    missed: bool
    submitted_at: datetime | None
    accepted_at: datetime | None
    compiled_at: datetime | None
    filed_at: datetime | None
    restatements: int
    content_sha256: str | None


class FigureLine(BaseModel):
    """`by_phase`: phase code → number; `late`: how many of `value` were entered late."""

    figure: str
    name: str
    name_en: str
    value: int
    by_phase: dict[str, int]
    late: int


class Counted(BaseModel):
    """What the report says at a cut. `cut` and `sha256` are None for a reader who may not have the cut."""

    plan_version: str
    figures: list[FigureLine]
    cut: list[CutAt] | None
    sha256: str | None


class ChangeLine(BaseModel):
    figure: str
    before: int
    after: int
    events: list[str]


class Said(BaseModel):
    """One submission, compilation or restatement. `at` is None where only the day `on` may be told."""

    version: int
    kind: str
    restatement_no: int
    plan_version: str
    content_sha256: str
    at: datetime | None
    on: date
    changes: list[ChangeLine]


class Step(BaseModel):
    """One step of the history; `text`: a note or a reason."""

    version: int
    step: str
    type: str
    event_id: str | None
    on: date
    occurred_at: datetime | None
    recorded_at: datetime | None
    actor: str
    in_role: str
    on_behalf_of: str | None
    text: str | None
    late: bool | None
    field: str | None


class ReportPage(ReportLine):
    """`counted`: what it says at its cut, None before it says anything; `lines`: how each unit stood when it was compiled."""

    counted: Counted | None
    lines: list[UnitLine]
    said: list[Said]
    steps: list[Step]
    people: dict[str, str]


class Entry(BaseModel):
    """One counted event. Whoever is held to a unit gets its day, type and number, and nothing else."""

    event_id: str | None
    part: int
    type: str
    source: str | None
    position: int | None
    stream: str | None
    number: int | None
    village: str | None
    unit: str | None
    phase: str | None
    on: date
    occurred_at: datetime | None
    recorded_at: datetime | None
    late: bool
    actor: str | None
    on_behalf_of: str | None


class FigurePage(BaseModel):
    """`value` is the number of `events`. `standing`: counted at the report's cut; else as of now, because it says nothing yet."""

    report: str
    figure: str
    name: str
    name_en: str
    value: int
    by_phase: dict[str, int]
    standing: bool
    events: list[Entry]
    people: dict[str, str]


class Cause(BaseModel):
    """The event that made a difference."""

    source: str
    position: int
    event_id: str
    type: str
    stream: str
    actor: str
    in_role: str
    occurred_at: datetime
    recorded_at: datetime


class Moved(BaseModel):
    """`counted`: the event that is counted then or now; of a correction, `cause` is the correction."""

    change: int
    counted: str
    cause: Cause


class KnownFigure(BaseModel):
    """`until_filed`: what made the difference between `known` and `filed`; `since`: between `filed` and `today`."""

    figure: str
    name: str
    name_en: str
    known: int
    filed: int
    today: int
    until_filed: list[Moved]
    since: list[Moved]


class AsKnown(BaseModel):
    """`version`: of the report's stream, at which it said what was filed; its bytes, recomputed, have `content_sha256`."""

    report: str
    unit: str
    period_no: int
    cut_off_at: datetime
    filed_at: datetime | None
    at: datetime
    version: int
    content_sha256: str
    cuts: dict[Literal["known", "filed", "today"], list[CutAt]]
    figures: list[KnownFigure]
    people: dict[str, str]


class LateEvent(BaseModel):
    event_id: str
    type: str
    source: str
    stream: str
    village: str | None
    unit: str | None
    period_no: int | None
    occurred_at: datetime
    recorded_at: datetime


class LateBy(BaseModel):
    """What one person entered late, for themselves or on somebody's behalf."""

    person: str
    name: str | None
    on_behalf_of: str | None
    count: int
    events: list[LateEvent]


class LateRecorded(BaseModel):
    count: int
    people: list[LateBy]
