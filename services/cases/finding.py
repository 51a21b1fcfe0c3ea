"""What becomes of something found: it belongs to a hazard of the same place, has come back, or is new. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.cases import hazard_commands as ask
from shared.decider import Command


@dataclass(frozen=True)
class Earlier:
    """A hazard of the place: its bare id, when it closed (None while it is open), whether it has come back since."""

    hazard: str
    closed_at: datetime | None = None
    recurred: bool = False


def commands_for(found: ask.ListHazard, earlier: Sequence[Earlier]) -> list[Command]:
    """A finding attaches to the open hazard of its place; after the close-out it is a recurrence; else it is new.

    What was found before a close-out and comes to light after it belongs to the hazard that was closed then, even when another
    is open by now: an offline patrol of phase 2 may arrive in phase 3.
    """
    open_then = [(e.closed_at, e) for e in earlier if e.closed_at is not None and found.discovered_at < e.closed_at]
    if open_then:
        return [_attach(found, min(open_then, key=lambda known: known[0])[1])]
    for known in earlier:
        if known.closed_at is None:
            return [_attach(found, known)]
    gone = [(e.closed_at, e.hazard) for e in earlier if e.closed_at is not None and not e.recurred]
    if not gone:
        return [found]
    last = max(gone)[1]
    return [
        found.model_copy(update={"recurrence_of": f"hazard-{last}"}),
        ask.RecordRecurrence(hazard=last, recurred_as=found.stream_id, discovered_at=found.discovered_at),
    ]


def _attach(found: ask.ListHazard, to: Earlier) -> ask.AttachFinding:
    return ask.AttachFinding(
        hazard=to.hazard,
        source=found.source,
        live=found.live,
        summary=found.summary,
        while_open=to.closed_at is None,
    )
