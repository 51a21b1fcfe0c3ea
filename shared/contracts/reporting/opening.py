"""An opening: a read of reporting' record that is an event itself, with who, when, and the reason they gave."""

from shared.contracts.parts import Opening


class ReportingOpeningMade(Opening):
    type = "reporting.opening.made.v1"


EVENTS = (ReportingOpeningMade,)
