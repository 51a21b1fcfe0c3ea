"""An opening: a read of intake' record that is an event itself, with who, when, and the reason they gave."""

from shared.contracts.parts import Opening


class IntakeOpeningMade(Opening):
    type = "intake.opening.made.v1"


EVENTS = (IntakeOpeningMade,)
