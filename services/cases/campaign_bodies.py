"""What travels by HTTP about the campaign and its posts."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.event import Code, Id
from shared.web.door import Accepted

Way = Literal["in_app", "email", "webhook"]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PhaseShown(BaseModel):
    """From `starts_at` (in) to `ends_at` (out); `started_at`, `ended_at`: when the calendar said so."""

    phase: str
    starts_at: datetime
    ends_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class CampaignShown(BaseModel):
    """`sha256` (hex) is of the adopted plan file; `phase`: the one that runs now."""

    plan: str
    version: str
    sha256: str
    jurisdiction: str
    starts_on: date
    ends_on: date
    adopted_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    phase: str | None
    phases: list[PhaseShown]


class Appointment(_Body):
    """`from_on`: None for today; `until_on`: the last day, None until ended. `channels`: how messages reach the person."""

    person: Id
    post: Code
    unit: Code
    village: Code | None = None
    from_on: date | None = None
    until_on: date | None = None
    name: Annotated[str, Field(min_length=1, max_length=100)]
    email: Annotated[str, Field(max_length=200)] | None = None
    phone: Annotated[str, Field(max_length=40)] | None = None
    channels: Annotated[tuple[Way, ...], Field(max_length=3)] = ("in_app",)


class AppointmentEnd(_Body):
    """`on`: the last day of the post, None for today."""

    on: date | None = None
    reason: Code


class Appointed(Accepted):
    """`assignment` is what ends the appointment again."""

    assignment: str


class AppointmentShown(BaseModel):
    """Addresses are None for a reader who need not know them."""

    assignment: str
    person: str
    name: str | None
    post: str
    unit: str
    village: str | None
    from_on: date
    until_on: date | None
    email: str | None
    phone: str | None
    channels: list[str]


class Appointments(BaseModel):
    """By unit, post and person."""

    items: list[AppointmentShown]
