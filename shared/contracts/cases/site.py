"""A site: a place that can be mined illegally, and the two who keep watch over it."""

from shared.contracts.event import Code, Event, Id, OfficeText
from shared.contracts.parts import Place, Value


class SiteRegistered(Event):
    type = "cases.site.registered.v1"
    site_no: int
    category: Code
    village: Code
    place: Place | None = None
    name: OfficeText
    key: bool = False


class SiteKeeperAssigned(Event):
    """kind: territorial (the village) | departmental (the supervising unit). `person` is who answers, when named."""

    type = "cases.site.keeper_assigned.v1"
    kind: Code
    unit: Code
    person: Id | None = None


class SiteCorrected(Event):
    type = "cases.site.corrected.v1"
    field: Code
    value: Value
    reason: OfficeText


class SiteEnteredInError(Event):
    type = "cases.site.entered_in_error.v1"
    reason: OfficeText


EVENTS = (SiteRegistered, SiteKeeperAssigned, SiteCorrected, SiteEnteredInError)
