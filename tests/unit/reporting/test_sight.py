"""Who sees what of a report."""

from datetime import date

import pytest

from services.reporting.sight import sight_of
from shared.decider import Actor
from tests.unit.reporting.world import CLERK, CUT_OFF, DULAN, HEAD, INSPECTOR, LEADER, MINUTE, OTHER_REPORTER, REPORTER

OWN = {"unit": "dulan", "state": "submitted"}
TOWN_OPEN, TOWN_FILED = {"unit": "town", "state": "compiled"}, {"unit": "town", "state": "filed"}
POLICE_REPORTER = Actor("p-designated_reporter-police_station", "designated_reporter", "police_station")
EVENT = {
    "event_id": "0c…", "part": 0, "type": "cases.hazard.listed.v1", "source": "cases", "position": 7, "stream": "hazard-1",
    "number": 14, "village": DULAN, "unit": None, "phase": "screening", "occurred_at": CUT_OFF - MINUTE,
    "recorded_at": CUT_OFF, "late": False, "actor": "system:cases", "on_behalf_of": None,
}  # fmt: skip


@pytest.mark.parametrize("who", [CLERK, LEADER, INSPECTOR])
def test_the_campaigns_own_posts_see_every_report(who: Actor) -> None:
    sight = sight_of(who)
    assert all(sight.covers(line) and sight.lists_events(line) for line in (OWN, TOWN_OPEN, TOWN_FILED))
    assert sight.event(EVENT) == {**EVENT, "on": date(2018, 2, 2)}


@pytest.mark.parametrize("who", [HEAD, REPORTER])
def test_a_village_sees_its_own_reports_and_what_the_town_has_filed(who: Actor) -> None:
    sight = sight_of(who)
    assert [sight.covers(line) for line in (OWN, TOWN_OPEN, TOWN_FILED)] == [True, False, True]
    assert [sight.lists_events(line) for line in (OWN, TOWN_FILED)] == [True, False]


def test_other_units_do_not_see_it() -> None:
    for who in (OTHER_REPORTER, POLICE_REPORTER, Actor("p-1", "keeper"), Actor("p-2", "custodian")):
        assert not sight_of(who).covers(OWN)


def test_a_post_that_sees_all_is_narrow_when_it_is_bound_to_a_village() -> None:
    assert not sight_of(Actor("p-1", "inspector", "dulan", DULAN)).open


@pytest.mark.parametrize("who", [HEAD, REPORTER, POLICE_REPORTER])
def test_a_narrow_reader_gets_day_type_and_number_of_an_event_and_nothing_else(who: Actor) -> None:
    seen = sight_of(who).event(EVENT)
    assert {name: value for name, value in seen.items() if value not in (None, False, 0)} == {
        "on": date(2018, 2, 2), "type": "cases.hazard.listed.v1", "number": 14, "phase": "screening",
    }  # fmt: skip
    assert seen.keys() == {*EVENT, "on"}


def test_a_narrow_reader_does_not_get_the_hour_of_a_restatement() -> None:
    step = {
        "type": "reporting.weekly_report.restated.v1", "event_id": "1", "occurred_at": CUT_OFF, "recorded_at": CUT_OFF,
        "actor": "system:reporting",
    }  # fmt: skip
    seen = sight_of(HEAD).step(step)
    assert (seen["on"], seen["occurred_at"], seen["recorded_at"], seen["event_id"]) == (
        date(2018, 2, 2),
        None,
        None,
        None,
    )
    returned = sight_of(HEAD).step({**step, "type": "reporting.weekly_report.returned.v1"})
    assert returned["occurred_at"] == CUT_OFF
    assert sight_of(CLERK).step(step)["occurred_at"] == CUT_OFF


def test_only_those_who_may_read_the_record_get_a_link_into_it() -> None:
    assert [sight_of(who).events for who in (CLERK, LEADER, INSPECTOR, HEAD)] == [True, True, False, False]
