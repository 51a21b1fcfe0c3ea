"""The campaign: the plan in force and who holds which post. The other services obey these events."""

from datetime import date, datetime
from typing import Annotated

from shared.contracts.event import Code, Event, Id, Part, Sealed, SealedBy

PersonText = Annotated[str | Sealed, SealedBy("office", "person")]


class PhaseSpan(Part):
    """A phase of the plan: first and last day in town time, and the same as instants (`ends_at` is the day after, 00:00)."""

    phase: Code
    starts_on: date
    ends_on: date
    starts_at: datetime
    ends_at: datetime


class CampaignAdopted(Event):
    """A plan file came into force. `sha256` is of the file's bytes; who obeys must hold that very file."""

    type = "cases.campaign.adopted.v1"
    keeps_files = False
    plan: Code
    version: Id
    sha256: Id
    jurisdiction: Code
    starts_on: date
    ends_on: date
    phases: tuple[PhaseSpan, ...]


class Appointed(Event):
    """`person` holds `post` in `unit` from `from_on` to `until_on` (inclusive; None: until ended)."""

    type = "cases.campaign.appointed.v1"
    assignment: Id
    person: Id
    post: Code
    unit: Code
    village: Code | None = None
    from_on: date
    until_on: date | None = None
    name: PersonText
    email: PersonText | None = None
    phone: PersonText | None = None
    channels: tuple[Code, ...] = ()


class AppointmentEnded(Event):
    type = "cases.campaign.appointment_ended.v1"
    assignment: Id
    person: Id
    on: date
    reason: Code


class CampaignStarted(Event):
    type = "cases.campaign.started.v1"


class PhaseStarted(Event):
    type = "cases.campaign.phase_started.v1"
    phase: Code


class PhaseEnded(Event):
    type = "cases.campaign.phase_ended.v1"
    phase: Code


class CampaignEnded(Event):
    type = "cases.campaign.ended.v1"


EVENTS = (CampaignAdopted, Appointed, AppointmentEnded, CampaignStarted, PhaseStarted, PhaseEnded, CampaignEnded)
