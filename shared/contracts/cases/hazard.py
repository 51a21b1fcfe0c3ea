"""A hazard: one line of the list, from listing to close-out, and back when it recurs."""

from datetime import datetime

from shared.contracts.event import Code, Event, Id, OfficeText, Part
from shared.contracts.parts import Place, Value


class Source(Part):
    """Where a hazard or finding came from: kind tip | patrol, `ref` the tip's or patrol's stream, `finding` its number.

    Hidden from the accused village wherever it is shown.
    """

    kind: Code
    ref: Id
    finding: int | None = None


class HazardListed(Event):
    """`hazard_no` is stable and never used again; `recurrence_of` the earlier, closed hazard's stream."""

    type = "cases.hazard.listed.v1"
    hazard_no: int
    site: Id | None = None
    category: Code
    village: Code
    place: Place | None = None
    violation: Code
    mineral: Code | None = None
    modus: Code | None = None
    pretext: Code | None = None
    live: bool
    source: Source
    recurrence_of: Id | None = None
    summary: OfficeText
    discovered_at: datetime


class HazardFindingAttached(Event):
    """Another tip or finding about a hazard that is still open."""

    type = "cases.hazard.finding_attached.v1"
    source: Source
    live: bool
    summary: OfficeText | None = None


class HazardLeaderAssigned(Event):
    """One leader answers for the hazard from here on, until it is closed out or another takes over, which has a `reason`."""

    type = "cases.hazard.leader_assigned.v1"
    leader: Id
    instead_of: Id | None = None
    reason: OfficeText | None = None


class HazardThreeFixOrdered(Event):
    """The three-fix: measure, person, deadline."""

    type = "cases.hazard.three_fix_ordered.v1"
    measure: Code
    measure_text: OfficeText | None = None
    responsible: Id
    responsible_unit: Code
    deadline_at: datetime


class HazardExtensionRequested(Event):
    type = "cases.hazard.extension_requested.v1"
    requested_by: Id
    wanted_at: datetime
    reason: OfficeText


class HazardExtended(Event):
    type = "cases.hazard.extended.v1"
    approved_by: Id
    deadline_at: datetime
    reason: OfficeText


class HazardExtensionRefused(Event):
    type = "cases.hazard.extension_refused.v1"
    refused_by: Id
    reason: OfficeText


class HazardBecameOverdue(Event):
    type = "cases.hazard.became_overdue.v1"
    deadline_at: datetime
    responsible: Id
    responsible_unit: Code
    village: Code


class HazardCompleted(Event):
    """The responsible side says the measure is done."""

    type = "cases.hazard.completed.v1"
    completed_by: Id
    report: OfficeText


class HazardAccepted(Event):
    """Somebody else looked and agrees."""

    type = "cases.hazard.accepted.v1"
    accepted_by: Id
    note: OfficeText | None = None


class HazardRejected(Event):
    """Somebody else looked and does not agree; the three-fix goes on, until `deadline_at` as before (not said before 0.2)."""

    type = "cases.hazard.rejected.v1"
    rejected_by: Id
    reason: OfficeText
    deadline_at: datetime | None = None


class HazardClosedOut(Event):
    type = "cases.hazard.closed_out.v1"


class HazardRecurred(Event):
    """On the closed hazard: it came back as `hazard`."""

    type = "cases.hazard.recurred.v1"
    hazard: Id


class HazardCorrected(Event):
    type = "cases.hazard.corrected.v1"
    field: Code
    value: Value
    reason: OfficeText


class HazardEnteredInError(Event):
    type = "cases.hazard.entered_in_error.v1"
    reason: OfficeText


EVENTS = (
    HazardListed,
    HazardFindingAttached,
    HazardLeaderAssigned,
    HazardThreeFixOrdered,
    HazardExtensionRequested,
    HazardExtended,
    HazardExtensionRefused,
    HazardBecameOverdue,
    HazardCompleted,
    HazardAccepted,
    HazardRejected,
    HazardClosedOut,
    HazardRecurred,
    HazardCorrected,
    HazardEnteredInError,
)
