"""What is due, and the command that its time brings."""

from services.cases.campaign import CampaignNotDue, EndCampaign, EndPhase, PhaseUnknown, StartCampaign, StartPhase
from services.cases.hazard_commands import BecomeOverdue, DeadlineNotPassed, MarkedAsError
from services.cases.read_models import due as kept
from shared.timers import Due, Timers

TIMERS = Timers()

STALE = (PhaseUnknown, CampaignNotDue)
"""Another plan was adopted since."""


@TIMERS.on(kept.OVERDUE, expects=(DeadlineNotPassed, MarkedAsError))
def became_overdue(due: Due) -> BecomeOverdue:
    return BecomeOverdue(hazard=due.subject.removeprefix("hazard-"), deadline_at=due.due_at)


@TIMERS.on(kept.CAMPAIGN_STARTS, expects=STALE)
def campaign_starts(due: Due) -> StartCampaign:
    return StartCampaign(plan=_plan(due))


@TIMERS.on(kept.CAMPAIGN_ENDS, expects=STALE)
def campaign_ends(due: Due) -> EndCampaign:
    return EndCampaign(plan=_plan(due))


@TIMERS.on(kept.PHASE_STARTS, expects=STALE)
def phase_starts(due: Due) -> StartPhase:
    return StartPhase(plan=_plan(due), phase=_phase(due))


@TIMERS.on(kept.PHASE_ENDS, expects=STALE)
def phase_ends(due: Due) -> EndPhase:
    return EndPhase(plan=_plan(due), phase=_phase(due))


def _plan(due: Due) -> str:
    return due.subject.partition("#")[0].removeprefix("campaign-")


def _phase(due: Due) -> str:
    return due.subject.partition("#")[2]
