"""Something for a person to decide: whoever could be told of a request is the one who asks, so notify refuses to tell anybody."""

from dataclasses import dataclass

from tests.integration.notify.campaign import Campaign

LEADING = ("office_director", "deputy_leader", "group_leader")
WHY = "大雪封路"


@dataclass(frozen=True)
class Refused:
    """`hazard`: its id; `stream`: its stream, of which an event is parked."""

    hazard: str
    stream: str


async def a_refused_reaction(campaign: Campaign) -> Refused:
    """One event is parked."""
    hazard = await campaign.hazard()
    await campaign.ordered(hazard, "p-director", "campaign_office", days=5)
    for person in campaign.town.plan.people:
        if person.post in LEADING and person.person != "p-director":
            path = f"/cases/v1/appointments/{person.assignment}/end"
            await campaign.done("office_director", path, {"on": "2018-01-21", "reason": "transferred"})
    await _ask(campaign, hazard)
    return Refused(hazard, f"hazard-{hazard}")


async def and_one_behind_it(campaign: Campaign, refused: Refused) -> None:
    """There is a group leader again, who refused the request; the second one could be told of, but queues."""
    leader = next(p for p in campaign.town.plan.people if p.post == "group_leader")
    appointment = {"person": leader.person, "post": "group_leader", "unit": leader.unit, "from_on": "2018-01-22"}
    more = {"name": "组长", "channels": ["in_app"]}
    await campaign.done("office_director", "/cases/v1/appointments", appointment | more)
    path = f"/cases/v1/hazards/{refused.hazard}/extension-refusal"
    await campaign.done("group_leader", path, {"reason": "不同意"})
    await _ask(campaign, refused.hazard)


async def _ask(campaign: Campaign, hazard: str) -> None:
    wish = {"wanted_at": "2018-02-05T09:00:00+08:00", "reason": WHY}
    await campaign.done("office_director", f"/cases/v1/hazards/{hazard}/extension-requests", wish)
