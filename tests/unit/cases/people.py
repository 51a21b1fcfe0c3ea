"""The people, the plan and the moments that the unit tests of cases share."""

from datetime import UTC, datetime, timedelta

from shared.decider import Actor
from shared.plan.terms import PlanTerms, Terms
from tests.support.plans import plan

PLAN = plan()
VILLAGE = "140181101207"
OTHER_VILLAGE = "140181101204"

CLERK = Actor("p-clerk", "clerk", "campaign_office")
DIRECTOR = Actor("p-director", "office_director", "campaign_office")
DEPUTY = Actor("p-deputy", "deputy_leader", "leading_group")
LEADER = Actor("p-leader", "group_leader", "leading_group")
INSPECTOR = Actor("p-inspector", "inspector", "safety_office")
HEAD = Actor("p-head", "village_head", "dulan", VILLAGE)
OTHER_HEAD = Actor("p-other-head", "village_head", "yinjiagou", OTHER_VILLAGE)
OWNER = Actor("p-owner", "keeper", "dulan", VILLAGE)
CLOCKWORK = Actor("system:cases")

LONGEST = PLAN.longest_deadline
WATCH_UNTIL = PLAN.recurrence_watch_until
NOON = datetime(2018, 2, 11, 4, tzinfo=UTC)
DEADLINE = NOON + timedelta(days=7)


def at(actor: Actor, now: datetime = NOON, plan: PlanTerms | None = PLAN) -> Terms:
    """What a decider is told when `actor` acts at `now`."""
    return Terms(now=now, actor=actor, plan=plan)


def behalf(of: Actor, by: Actor = CLERK) -> Actor:
    """`by` acts for `of`, who has no phone."""
    return Actor(by.person, by.post, by.unit, by.village, on_behalf_of=of.person, ground="no_phone")
