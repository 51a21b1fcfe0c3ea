"""One leader in charge of a hazard: named by leaders, not whoever does the work, and not whoever accepts it."""

import pytest

from services.cases import hazard_commands as ask
from services.cases.hazard import HAZARD
from shared.contracts.cases import hazard as facts
from shared.contracts.event import Event
from shared.contracts.parts import Value
from shared.decider import Actor, Command
from tests.support.spec import given
from tests.unit.cases.hazards import (
    ACCEPT,
    ACCEPTED,
    CLOSED,
    DONE,
    IN_ERROR,
    LISTED,
    NAME,
    ORDER,
    OVER,
    REJECT,
    RUNNING,
    H,
)
from tests.unit.cases.people import CLERK, DEPUTY, DIRECTOR, HEAD, INSPECTOR, LEADER, at, behalf

NAMED = facts.HazardLeaderAssigned(leader="p-deputy")
ANOTHER = ask.AssignLeader(hazard=H, leader="p-leader", reason="分工调整")


@pytest.mark.parametrize("who", [DIRECTOR, DEPUTY, LEADER])
@pytest.mark.parametrize("history", [(LISTED,), RUNNING, DONE], ids=["listed", "ordered", "completed"])
def test_leaders_name_one_while_the_hazard_is_open(who: Actor, history: tuple[Event, ...]) -> None:
    given(HAZARD, *history).when(NAME, at(who)).then(NAMED)


@pytest.mark.parametrize("who", [CLERK, INSPECTOR, HEAD])
def test_nobody_else_names_one(who: Actor) -> None:
    given(HAZARD, LISTED).when(NAME, at(who)).refused(ask.LeaderNamedByLeaders)


def test_another_takes_over_with_a_reason_and_says_from_whom() -> None:
    given(HAZARD, LISTED, NAMED).when(NAME, at(DIRECTOR)).changes_nothing()
    silent = ANOTHER.model_copy(update={"reason": " "})
    given(HAZARD, LISTED, NAMED).when(silent, at(DIRECTOR)).refused(ask.ReasonMissing)
    taken_over = facts.HazardLeaderAssigned(leader="p-leader", instead_of="p-deputy", reason="分工调整")
    given(HAZARD, LISTED, NAMED).when(ANOTHER, at(DIRECTOR)).then(taken_over)
    given(HAZARD, *DONE, NAMED, taken_over).when(ACCEPT, at(DEPUTY)).refused(ask.AcceptanceByLeaderInCharge)


def test_somebody_has_to_be_named_and_nobody_once_it_is_over() -> None:
    given(HAZARD, LISTED).when(ask.AssignLeader(hazard=H), at(DIRECTOR)).refused(ask.LeaderMissing)
    given(HAZARD, *OVER).when(NAME, at(DIRECTOR)).refused(ask.HazardClosed)
    given(HAZARD, LISTED, IN_ERROR).when(NAME, at(DIRECTOR)).refused(ask.MarkedAsError)


def test_whoever_does_the_work_is_not_in_charge_whichever_comes_first() -> None:
    owner = ask.AssignLeader(hazard=H, leader="p-owner")
    in_charge = facts.HazardLeaderAssigned(leader="p-owner")
    given(HAZARD, *RUNNING).when(owner, at(DIRECTOR)).refused(ask.LeaderDidTheWork)
    given(HAZARD, LISTED, in_charge).when(ORDER, at(DIRECTOR)).refused(ask.LeaderDidTheWork)
    theirs = ask.Complete(hazard=H, head_of="140181101207", report="已封堵")
    for who in (DEPUTY, behalf(DEPUTY)):
        given(HAZARD, *RUNNING, NAMED).when(theirs, at(who)).refused(ask.LeaderDidTheWork)
    instead = ask.Correct(hazard=H, field="responsible", value=Value(ref="p-deputy"), reason="登记有误")
    given(HAZARD, *RUNNING, NAMED).when(instead, at(CLERK)).refused(ask.LeaderDidTheWork)


@pytest.mark.parametrize("wish", [ACCEPT, REJECT])
@pytest.mark.parametrize("who", [DEPUTY, behalf(DEPUTY, INSPECTOR)], ids=["in person", "through another"])
def test_whoever_is_in_charge_does_not_judge_the_work(wish: Command, who: Actor) -> None:
    given(HAZARD, *DONE, NAMED).when(wish, at(who)).refused(ask.AcceptanceByLeaderInCharge)
    given(HAZARD, *DONE, NAMED).when(ACCEPT, at(INSPECTOR)).then(ACCEPTED, CLOSED)
