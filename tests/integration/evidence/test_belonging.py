"""What belongs to a record, and that nobody is given as evidence what they may not see."""

import pytest

from shared.audit.pack import belonging
from shared.audit.packing import source_of
from shared.decider import Actor
from shared.errors import NotFound, NotPermitted
from shared.evidence import ORDERING
from tests.integration.evidence.story import Told

SEEN_AT = {
    "cases": {
        "hazard": "/cases/v1/hazards/{hazard}/timeline",
        "site": "/cases/v1/sites/{site}",
        "campaign": "/cases/v1/campaign",
        "opening": "/cases/v1/openings",
    },
    "intake": {
        "tip": "/intake/v1/tips/{tip}",
        "patrol": "/intake/v1/patrols/{patrol}/route.gpx",
        "disclosure": "/intake/v1/disclosures/{disclosure}",
        "words": "/intake/v1/words-erasures/{record}",
        "opening": "/intake/v1/openings",
    },
    "reporting": {"weekly_report": "/reporting/v1/reports/{report}", "opening": "/reporting/v1/openings"},
    "notify": {"message": "/notify/v1/messages/{message}", "opening": "/notify/v1/openings"},
}


def an_actor(story: Told, post: str, village: str | None = None) -> Actor:
    holder = next(p for p in story.town.loaded.plan.people if p.post == post)
    return Actor(holder.person, post, holder.unit, village)


@pytest.mark.parametrize("service", SEEN_AT)
async def test_whoever_may_take_a_record_may_read_it(story: Told, service: str) -> None:
    posts = story.town.services[service].card.evidence.posts
    assert posts.keys() == SEEN_AT[service].keys()
    for kind, path in SEEN_AT[service].items():
        assert set(posts[kind]) <= set(ORDERING)
        for post in posts[kind]:
            answer = await story.town.http.get(path.format(**vars(story)), headers=story.who(post))
            assert answer.status_code == 200, f"{post} may take a {kind}, and reads {answer.status_code}"


async def test_a_hazard_comes_with_what_it_rests_on_and_the_messages_about_it(story: Told) -> None:
    sources = {name: source_of(service) for name, service in story.town.services.items()}
    hazard = f"hazard-{story.hazard}"
    found = await belonging(sources, "cases", [hazard], an_actor(story, "office_director"))
    assert next(iter(found)) == "cases" and found["cases"] == [hazard]
    assert set(found["intake"]) == {f"tip-{story.tip}", f"patrol-{story.patrol}"}
    assert f"message-{story.message}" in found["notify"] and "reporting" not in found


async def test_what_belongs_to_it_is_left_out_for_whoever_may_not_see_it(story: Told) -> None:
    sources = {name: source_of(service) for name, service in story.town.services.items()}
    found = await belonging(sources, "cases", [f"hazard-{story.hazard}"], an_actor(story, "police_officer"))
    assert found.keys() == {"cases", "intake"}
    with pytest.raises(NotPermitted):
        await belonging(sources, "notify", [f"message-{story.message}"], an_actor(story, "police_officer"))


async def test_a_post_bound_to_a_village_takes_nothing(story: Told) -> None:
    sources = {name: source_of(service) for name, service in story.town.services.items()}
    with pytest.raises(NotPermitted):
        await belonging(sources, "cases", [f"hazard-{story.hazard}"], an_actor(story, "police_officer", "140181101207"))
    with pytest.raises(NotFound):
        await belonging(sources, "cases", [f"tip-{story.tip}"], an_actor(story, "auditor"))
