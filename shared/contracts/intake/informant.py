"""What becomes of an informant's identity: kept back, asked to be erased, erased. Stands in the stream of the tip.

What people write about it is sealed with the informant's own key, and goes with it.
"""

from typing import Annotated

from shared.contracts.event import Code, Event, Id, Sealed, SealedBy

AboutInformant = Annotated[str | Sealed, SealedBy("office", "informant")]


class InformantHeld(Event):
    """Nothing of this informant may be erased until somebody releases it."""

    type = "intake.informant.held.v1"
    informant: Id
    held_by: Id
    reason: AboutInformant


class InformantReleased(Event):
    type = "intake.informant.released.v1"
    informant: Id
    released_by: Id
    reason: AboutInformant


class InformantErasureRequested(Event):
    """ground: informant_wish | retention_over | court_order."""

    type = "intake.informant.erasure_requested.v1"
    informant: Id
    requested_by: Id
    ground: Code
    grounds: AboutInformant


class InformantErasureApproved(Event):
    """By a second person. From here on the tip takes no words any more, and the erasure is work to be done."""

    type = "intake.informant.erasure_approved.v1"
    approved_by: Id


class InformantErasureRefused(Event):
    type = "intake.informant.erasure_refused.v1"
    informant: Id
    refused_by: Id
    reason: AboutInformant


class InformantErased(Event):
    """The keys of `subject` are destroyed: whatever is sealed about it opens nowhere. Recorded after they are gone."""

    type = "intake.informant.erased.v1"
    subject: Id


EVENTS = (
    InformantHeld,
    InformantReleased,
    InformantErasureRequested,
    InformantErasureApproved,
    InformantErasureRefused,
    InformantErased,
)
