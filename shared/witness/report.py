"""What a witness says of what it refused: which of it shows that a log lied, and which shows nothing."""

import datetime
from collections.abc import Sequence

from shared.witness.memory import Kept, Kind

MEANS = {
    Kind.CONTRADICTION: "CONTRADICTION: the log's key signed two roots for one size, which no honest log does",
    Kind.UNPROVEN: "unproven, no accusation: nothing proved that it grew from what was signed; anybody can send a wrong proof",
    Kind.SHORTER: "shorter, no accusation: it may be an old checkpoint of the same log, which this witness cannot tell",
}


def report(kept: Sequence[Kept]) -> str:
    """For people; a program asks whether there is a contradiction (`accuses`)."""
    if not kept:
        return "nothing was refused\n"
    return "\n".join(
        f"{datetime.datetime.fromtimestamp(each.at, datetime.UTC).isoformat()} {each.origin}: {each.why}\n"
        f"{MEANS[each.kind]}\n{each.note}"
        for each in kept
    )


def accuses(kept: Sequence[Kept]) -> bool:
    return any(each.kind is Kind.CONTRADICTION for each in kept)
