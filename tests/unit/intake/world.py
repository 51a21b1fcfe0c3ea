"""The plan and the people that intake's unit tests speak of."""

from datetime import UTC, datetime

from shared.decider import Actor
from shared.plan.terms import Terms
from tests.support.plans import plan

NOW = datetime(2018, 1, 22, 1, 0, tzinfo=UTC)
PLAN = plan()
TERMS = Terms(now=NOW, actor=Actor(person="p-1", post="clerk", unit="safety_office"), plan=PLAN)
NO_PLAN = Terms(now=NOW, actor=TERMS.actor, plan=None)
VILLAGE, OTHER_VILLAGE = "140181101207", "140181101204"
