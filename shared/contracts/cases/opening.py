"""An opening: a read of cases' record that is an event itself, with who, when, and the reason they gave."""

from shared.contracts.parts import Opening


class CasesOpeningMade(Opening):
    type = "cases.opening.made.v1"


EVENTS = (CasesOpeningMade,)
