"""A tip: what somebody told the campaign, by any channel, named or not."""

from datetime import datetime
from typing import Annotated

from shared.contracts.event import Code, Event, Id, OfficeText, Sealed, SealedBy
from shared.contracts.parts import Place, Value

InformantWords = Annotated[str | Sealed, SealedBy("office", "informant")]
InformantIdentity = Annotated[str | Sealed, SealedBy("custodian", "informant")]


class TipReceived(Event):
    """`informant` is a random id made for this tip alone; erasing it makes words, name and contact unreadable."""

    type = "intake.tip.received.v1"
    channel: Code
    anonymous: bool
    live: bool
    village: Code | None = None
    place: Place | None = None
    informant: Id
    words: InformantWords
    name: InformantIdentity | None = None
    contact: InformantIdentity | None = None
    receipt_digest: Id


class TipSupplemented(Event):
    """The informant added something, by receipt."""

    type = "intake.tip.supplemented.v1"
    informant: Id
    words: InformantWords


class TipMarkedLive(Event):
    """Mining is going on now, somebody found after the tip came in."""

    type = "intake.tip.marked_live.v1"
    village: Code | None = None


class TipScreened(Event):
    """outcome: to_verify | no_content. `summary` is cleaned of whatever points to the informant; `verify_by` when to_verify."""

    type = "intake.tip.screened.v1"
    outcome: Code
    verify_by: datetime | None = None
    village: Code | None = None
    summary: OfficeText | None = None


class TipVerified(Event):
    """result: substantiated | unsubstantiated | insufficient | out_of_area."""

    type = "intake.tip.verified.v1"
    result: Code
    village: Code | None = None
    site: Id | None = None
    place: Place | None = None
    category: Code | None = None
    violation: Code | None = None
    mineral: Code | None = None
    modus: Code | None = None
    pretext: Code | None = None
    live: bool = False
    summary: OfficeText | None = None


class TipForwarded(Event):
    """Handed to the authority `to` because it lies outside this town's area or powers."""

    type = "intake.tip.forwarded.v1"
    to: Code
    reason: Code


class TipClosed(Event):
    """Closed without a case, for a reason that is told to whoever asks by receipt."""

    type = "intake.tip.closed.v1"
    reason: Code
    note: OfficeText | None = None


class TipCorrected(Event):
    type = "intake.tip.corrected.v1"
    field: Code
    value: Value
    reason: OfficeText


class TipEnteredInError(Event):
    type = "intake.tip.entered_in_error.v1"
    reason: OfficeText


EVENTS = (
    TipReceived,
    TipSupplemented,
    TipMarkedLive,
    TipScreened,
    TipVerified,
    TipForwarded,
    TipClosed,
    TipCorrected,
    TipEnteredInError,
)
