"""The plan, the people and the counted events that reporting's unit tests share. Period 3: 01-26 17:00 to 02-02 17:00."""

from datetime import datetime, timedelta
from typing import Any

from services.reporting.content import About, Counted
from shared.contracts.parts import CutAt
from shared.contracts.reporting import weekly_report as facts
from shared.decider import Actor
from shared.plan.terms import PlanTerms, Terms
from tests.support.plans import plan

PLAN = plan()
PERIOD = PLAN.period(3)
CUT_OFF, DUE_AT, MISSING_AT = PERIOD.cut_off_at, PERIOD.due_at, PERIOD.missing_at
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
DULAN, SHANTOU = "140181101207", "140181101208"
UNIT, TOWN = f"{PLAN.code}-dulan-03", f"{PLAN.code}-town-03"
LINEAGE = "8a0c6f6e-6a3b-4c2a-9a3e-1f2d3c4b5a69"

CLERK = Actor("p-clerk-1", "clerk", "campaign_office")
DIRECTOR = Actor("p-director", "office_director", "campaign_office")
LEADER = Actor("p-group_leader", "group_leader", "leading_group")
INSPECTOR = Actor("p-inspector-1", "inspector", "safety_office")
REPORTER = Actor("p-designated_reporter-dulan", "designated_reporter", "dulan", DULAN)
OTHER_REPORTER = Actor("p-designated_reporter-shantou", "designated_reporter", "shantou", SHANTOU)
HEAD = Actor("p-village_head-dulan", "village_head", "dulan", DULAN)
CLOCKWORK = Actor("system:reporting")


def at(actor: Actor, now: datetime = CUT_OFF + 5 * MINUTE, by: PlanTerms | None = PLAN) -> Terms:
    """What a decider is told when `actor` acts at `now`."""
    return Terms(now=now, actor=actor, plan=by)


def behalf(of: Actor, by: Actor = CLERK) -> Actor:
    """`by` acts for `of`, who has no phone."""
    return Actor(by.person, by.post, by.unit, by.village, on_behalf_of=of.person, ground="no_phone")


def cut(intake: int, cases: int = 40) -> tuple[CutAt, ...]:
    return (
        CutAt(source="cases", lineage=LINEAGE, position=cases),
        CutAt(source="intake", lineage=LINEAGE, position=intake),
    )


def counted(figure: str, position: int, **changes: Any) -> Counted:
    """One count of a patrol of dulan, in the middle of period 3, recorded at once."""
    told = {
        "figure": figure,
        "event_id": f"00000000-0000-4000-8000-{position:012}",
        "part": 0,
        "source": "intake",
        "position": position,
        "village": DULAN,
        "unit": "dulan",
        "occurred_at": PERIOD.starts_at + DAY,
        "recorded_at": PERIOD.starts_at + DAY + MINUTE,
        "actor": "p-village_head-dulan",
    }
    return Counted(**{**told, **changes})


def about(unit: str = "dulan") -> About:
    return About(f"{PLAN.code}-{unit}-03", unit, 3, PERIOD.starts_at, CUT_OFF)


def opened(unit: str = "dulan") -> facts.ReportOpened:
    town = unit == "town"
    return facts.ReportOpened(
        scope="town" if town else "unit",
        unit=unit,
        period_no=3,
        starts_at=PERIOD.starts_at,
        cut_off_at=CUT_OFF,
        due_at=DUE_AT,
        missing_at=MISSING_AT,
        closing=False,
        units=PLAN.reporting_units if town else (),
    )
