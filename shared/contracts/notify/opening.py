"""An opening: a read of notify' record that is an event itself, with who, when, and the reason they gave."""

from shared.contracts.parts import Opening


class NotifyOpeningMade(Opening):
    type = "notify.opening.made.v1"


EVENTS = (NotifyOpeningMade,)
