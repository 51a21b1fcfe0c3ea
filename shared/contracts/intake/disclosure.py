"""Opening an informant's identity: asked for with grounds, decided by a second person, opened once. Never the identity itself."""

from datetime import datetime

from shared.contracts.event import Code, Event, Id
from shared.contracts.intake.informant import AboutInformant


class DisclosureRequested(Event):
    """`tip`: its stream. ground: investigation | protection | court_order | reward."""

    type = "intake.disclosure.requested.v1"
    tip: Id
    informant: Id
    requested_by: Id
    ground: Code
    grounds: AboutInformant


class DisclosureApproved(Event):
    """By a second person; it can be used until `open_until`."""

    type = "intake.disclosure.approved.v1"
    approved_by: Id
    open_until: datetime


class DisclosureRefused(Event):
    type = "intake.disclosure.refused.v1"
    informant: Id
    refused_by: Id
    reason: AboutInformant


class DisclosureClosed(Event):
    """Nobody has to decide any more. why: erased: the identity was, and with it what was written about opening it. `closed_by`:
    the service itself, or a person who found it undecided after an erasure."""

    type = "intake.disclosure.closed.v1"
    closed_by: Id
    why: Code


class DisclosureOpened(Event):
    """Recorded before the identity is shown, to this person and this once."""

    type = "intake.disclosure.opened.v1"
    opened_by: Id
    ground: Code


class DisclosureOpeningRefused(Event):
    """Somebody tried and was not let.

    why: wrong_post | not_in_person | not_approved | refused | closed | opened_already | same_person | expired.
    """

    type = "intake.disclosure.opening_refused.v1"
    tried_by: Id
    why: Code


class DisclosureOpeningFailed(Event):
    """Nothing was shown, and the approval can still be used.

    why: no_keys_here | erased | wrong_master_key | keys_away | does_not_open.
    """

    type = "intake.disclosure.opening_failed.v1"
    tried_by: Id
    why: Code


EVENTS = (
    DisclosureRequested,
    DisclosureApproved,
    DisclosureRefused,
    DisclosureClosed,
    DisclosureOpened,
    DisclosureOpeningRefused,
    DisclosureOpeningFailed,
)
