"""Whether this service knows what it must know before it reacts to an event.

A reaction reads tables that other followers write: what stands in them may be older than the event. An event of cases or of
reporting has its place in the very log those tables are made from, so it simply waits until they have got past it. An event of
intake, or a message, has no such place; it waits until a plan is in force here, and, where nobody is found to tell, until every
appointment that has arrived is projected. So no message is lost to a projection that lags, and none waits for one that is level.
"""

from typing import Any

from shared.contracts.envelope import Recorded
from shared.errors import NotReady
from shared.follower import marks
from shared.plan import in_force
from shared.sql import Tx

GROUPS = {"cases": ("watch", "plan"), "reporting": ("watch",)}
"""Source -> the projection groups that keep what reactions to it look up."""

APPOINTMENTS = "plan"
"""The group that keeps plan and posts; both come from cases."""

RECEIVED = "SELECT position FROM work.mark WHERE follower = 'receiver' AND source = 'cases'"


async def known_before(look: Tx, e: Recorded[Any]) -> None:
    """Raises NotReady until everything that precedes `e` in its source is projected, and some plan is in force here."""
    for group in GROUPS.get(e.source, ()):
        _, reached = (await marks(look, group)).get(e.source, ("", 0))
        if reached < (e.position or 0):
            raise NotReady(f"{group} has seen {reached} of {e.source}, the event is {e.position}")
    if await in_force.current(look) is None:
        raise NotReady("no plan has arrived from cases yet")


async def appointments_arrived(look: Tx) -> None:
    """Raises NotReady while appointments that have been received may not be projected yet."""
    received = await look.value(RECEIVED) or 0
    _, reached = (await marks(look, APPOINTMENTS)).get("cases", ("", 0))
    if reached < received:
        raise NotReady(f"{APPOINTMENTS} has seen {reached} of cases, received are {received}")
