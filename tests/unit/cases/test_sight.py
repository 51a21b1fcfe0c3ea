"""Who sees which hazards, and what is left out for whom. The village's view in full is in the integration tests."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.cases.sight import SHOWN, sight_of
from shared.contracts.cases import hazard as facts
from shared.decider import Actor
from tests.unit.cases.people import CLERK, DEPUTY, DIRECTOR, HEAD, INSPECTOR, LEADER, OTHER_VILLAGE, OWNER, VILLAGE

AUDITOR = Actor("p-auditor", "auditor", "campaign_office")
POLICE = Actor("p-police", "police_officer", "police_station")
LAND = Actor("p-land", "land_officer", "land_bureau")
REPORTER = Actor("p-reporter", "designated_reporter", "police_station")
BOUND_CLERK = Actor("p-clerk", "clerk", "dulan", VILLAGE)


def line(village: str = VILLAGE, responsible: str | None = None, unit: str | None = None) -> dict[str, Any]:
    return {"village": village, "responsible": responsible, "responsible_unit": unit}


@pytest.mark.parametrize("who", [CLERK, DIRECTOR, DEPUTY, LEADER, INSPECTOR, AUDITOR, POLICE, LAND])
def test_the_campaigns_own_posts_police_land_bureau_and_auditor_see_everything(who: Actor) -> None:
    sight = sight_of(who)
    assert sight.open and sight.covers(line(OTHER_VILLAGE))


@pytest.mark.parametrize("who", [HEAD, OWNER, BOUND_CLERK])
def test_whoever_is_bound_to_a_village_sees_that_village_and_what_they_answer_for(who: Actor) -> None:
    sight = sight_of(who)
    assert not sight.open
    assert sight.covers(line()) and not sight.covers(line(OTHER_VILLAGE))
    assert sight.covers(line(OTHER_VILLAGE, responsible=who.person))
    assert not sight.covers(line(OTHER_VILLAGE, unit=who.unit))


def test_any_other_post_sees_what_it_or_its_unit_answers_for() -> None:
    sight = sight_of(REPORTER)
    assert not sight.open and not sight.covers(line())
    assert sight.covers(line(unit="police_station")) and sight.covers(line(responsible="p-reporter"))
    assert not sight_of(Actor("p-x", "keeper")).covers(line(unit=""))


def test_every_step_of_a_hazard_is_spoken_of_and_tells_no_more_than_the_contract_has() -> None:
    steps = {event.type.split(".")[-2]: event for event in facts.EVENTS}
    assert SHOWN.keys() == steps.keys()
    for step, names in SHOWN.items():
        assert set(names) <= set(steps[step].model_fields), step


def test_a_kind_of_step_that_nobody_thought_of_yet_shows_nothing() -> None:
    entry = {
        "type": "cases.hazard.photographed.v1", "facts": {"by": "p-1"}, "event_id": "e",
        "occurred_at": datetime(2018, 2, 1, 17, tzinfo=UTC),
    }  # fmt: skip
    seen = sight_of(HEAD).step(entry)
    assert (seen["facts"], seen["on"].isoformat()) == ({}, "2018-02-02")
