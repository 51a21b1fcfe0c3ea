"""Who must know what by when: pure reckoning on the shipped plan."""

from datetime import UTC, datetime, timedelta

import pytest

from services.notify.rules import (
    AUDIENCE,
    KINDS,
    OVERDUE,
    TASKS,
    TIMER_NAMES,
    answer_by,
    rungs_above,
    timer_of,
    ways,
)
from services.notify.timers import TIMERS
from shared.errors import NoPlanInForce
from tests.support.plans import plan
from tests.unit.notify.people import DUE, NOW, at

BEFORE_THE_CAMPAIGN = datetime(2017, 12, 1, tzinfo=UTC)


def test_a_live_call_has_ten_minutes_to_be_answered() -> None:
    assert answer_by("live_call_out", None, at()) == NOW + timedelta(minutes=10)


@pytest.mark.parametrize("kind", sorted(TASKS))
def test_a_task_is_reminded_of_a_day_before_its_deadline(kind: str) -> None:
    assert answer_by(kind, DUE, at()) == DUE - timedelta(hours=24)


@pytest.mark.parametrize("kind", sorted(TASKS))
def test_a_task_with_less_than_a_day_left_needs_no_reminder(kind: str) -> None:
    assert answer_by(kind, NOW + timedelta(hours=23), at()) is None


@pytest.mark.parametrize("kind", sorted(TASKS))
def test_a_task_that_is_late_when_it_is_given_is_chased_like_an_overdue_one(kind: str) -> None:
    due = NOW - timedelta(hours=1)
    ack = answer_by(kind, due, at())
    assert ack == NOW + timedelta(hours=24)
    assert timer_of(kind, due, ack) == "hazard.escalate"


@pytest.mark.parametrize("kind", sorted(OVERDUE))
def test_a_step_of_the_ladder_takes_a_day_from_now_however_long_it_has_been_late(kind: str) -> None:
    assert answer_by(kind, NOW - timedelta(days=9), at()) == NOW + timedelta(hours=24)


def test_an_announced_report_is_reminded_of_on_thursday_at_the_hour_it_is_due_on_friday() -> None:
    friday = plan().period(3).due_at
    assert answer_by("report_opened", friday, at(now=plan().period(3).starts_at)) == friday - timedelta(hours=24)


@pytest.mark.parametrize("kind", ["due_soon", "report_due", "report_missed", "report_returned", "acceptance_wanted"])
def test_what_only_tells_wants_no_answer(kind: str) -> None:
    assert answer_by(kind, DUE, at()) is None


def test_without_a_plan_nothing_is_reckoned() -> None:
    with pytest.raises(NoPlanInForce):
        answer_by("overdue", DUE, at(adopted=False))


@pytest.mark.parametrize("kind", ["live_call_out", "overdue"])
def test_where_the_plan_has_no_such_rule_no_answer_is_wanted_and_the_message_goes_out_all_the_same(kind: str) -> None:
    assert answer_by(kind, BEFORE_THE_CAMPAIGN, at(now=BEFORE_THE_CAMPAIGN)) is None


@pytest.mark.parametrize(
    ("kind", "timer"),
    [
        ("live_call_out", "message.ack_due"),
        ("assignment", "hazard.due_soon"),
        ("overdue", "hazard.escalate"),
        ("escalation", "hazard.escalate"),
        ("report_opened", "report.remind"),
        ("due_soon", None),
    ],
)
def test_each_kind_has_its_timer(kind: str, timer: str | None) -> None:
    assert timer_of(kind, DUE, DUE - timedelta(hours=24)) == timer


def test_no_answer_wanted_is_no_timer() -> None:
    assert timer_of("assignment", DUE, None) is None


def test_every_timer_that_a_message_sets_is_handled_and_no_other() -> None:
    assert set(TIMERS.handlers) == set(TIMER_NAMES)


def test_the_climb_begins_at_the_foot_whatever_post_the_responsible_person_holds() -> None:
    rungs = rungs_above(plan().ladder, "group_leader", 0, live=False)
    assert rungs == ("village_head", "inspector", "office_director", "deputy_leader", "group_leader")


def test_the_climb_goes_on_above_the_rung_that_was_told() -> None:
    assert rungs_above(plan().ladder, "office_director", 3, live=False) == ("deputy_leader", "group_leader")


def test_there_is_nothing_above_the_top() -> None:
    assert rungs_above(plan().ladder, "group_leader", 5, live=False) == ()


def test_a_live_call_passes_the_village_by() -> None:
    assert "village_head" not in rungs_above(plan().ladder, "duty_officer", 0, live=True)


def test_an_announcement_stands_in_the_inbox_only() -> None:
    assert ways("report_opened", ("in_app", "email")) == ("in_app",)


def test_the_inbox_is_always_among_the_ways_and_no_way_is_taken_twice() -> None:
    assert ways("assignment", ("webhook", "email", "email")) == ("in_app", "email", "webhook")


def test_every_post_that_is_told_stands_in_the_plan_and_every_kind_of_the_audience_exists() -> None:
    assert set(AUDIENCE) <= KINDS
    assert all(plan().knows("post", post) for told in AUDIENCE.values() for post in told)
