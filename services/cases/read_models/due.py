"""Which deadlines run, for the timers: a hazard's three-fix deadline, and the calendar of the campaign."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from shared.contracts.cases import campaign, hazard
from shared.contracts.envelope import Recorded
from shared.read_model import ReadModel, Write
from shared.timers import due_at, not_due

OVERDUE = "hazard.overdue"
CAMPAIGN_STARTS = "campaign.starts"
CAMPAIGN_ENDS = "campaign.ends"
PHASE_STARTS = "campaign.phase_starts"
PHASE_ENDS = "campaign.phase_ends"


def project(e: Recorded[Any]) -> Iterator[Write]:
    """Completion does not stop the clock: work that is sent back still has its deadline, also when it rang in between and
    the clock was set back since."""
    match e.event:
        case hazard.HazardThreeFixOrdered(deadline_at=at) | hazard.HazardExtended(deadline_at=at):
            yield due_at(OVERDUE, subject=e.stream_id, at=at)
        case hazard.HazardRejected(deadline_at=datetime() as at):
            yield due_at(OVERDUE, subject=e.stream_id, at=at)
        case hazard.HazardClosedOut() | hazard.HazardEnteredInError():
            yield not_due(OVERDUE, subject=e.stream_id)
        case campaign.CampaignAdopted(phases=phases):
            yield due_at(CAMPAIGN_STARTS, subject=e.stream_id, at=phases[0].starts_at)
            yield due_at(CAMPAIGN_ENDS, subject=e.stream_id, at=phases[-1].ends_at)
            for span in phases:
                subject = f"{e.stream_id}#{span.phase}"
                yield due_at(PHASE_STARTS, subject=subject, at=span.starts_at)
                yield due_at(PHASE_ENDS, subject=subject, at=span.ends_at)


READ_MODEL = ReadModel(
    "due",
    tables=(),
    events=(
        hazard.HazardThreeFixOrdered,
        hazard.HazardExtended,
        hazard.HazardRejected,
        hazard.HazardClosedOut,
        hazard.HazardEnteredInError,
        campaign.CampaignAdopted,
    ),
    project=project,
)
