"""What is told of a patrol's line, and with whose eyes it is looked at."""

from datetime import date
from typing import Any

import pytest

from services.intake.patrol_desk import READERS, eyes, told
from services.intake.read_models.patrol_line import LINE, Eyes
from shared.decider import Actor

DAY = date(2018, 1, 22)
WHOLE: dict[str, Any] = {column.name: f"a {column.name}" for column in LINE.columns}


def test_of_a_sealed_plan_nothing_is_told_but_that_there_is_one() -> None:
    """Whatever columns the line has or gets."""
    shown = told(Actor("p-1", "auditor", "leading_group"), WHOLE | {"sealed": True})
    told_of = {"patrol": "a patrol", "version": "a version", "state": "a state", "sealed": True}
    assert {name: value for name, value in shown.items() if value is not None} == told_of
    assert shown.keys() == WHOLE.keys() | {"sealed"}


def test_why_is_kept_from_a_village_alone() -> None:
    line = WHOLE | {"sealed": False}
    assert told(Actor("p-1", "clerk", "campaign_office"), line) == line
    assert told(Actor("p-2", "village_head", "dulan", "140181101207"), line) == line | {"reason": None}


@pytest.mark.parametrize("post", READERS)
def test_a_unit_is_that_of_those_who_walk_for_it(post: str) -> None:
    walks = post in ("village_head", "inspector", "police_officer", "land_officer")
    assert eyes(Actor("p-1", post, "some_unit"), DAY) == Eyes("p-1", "some_unit" if walks else "", DAY)


def test_acting_for_somebody_lends_no_eyes_and_a_village_sees_its_own_unit_plans() -> None:
    assert eyes(Actor("p-1", "clerk", "office", None, "p-inspector-1"), DAY) == Eyes("p-1", "", DAY)
    assert eyes(Actor("p-2", "designated_reporter", "dulan", "140181101207"), DAY) == Eyes("p-2", "dulan", DAY)
