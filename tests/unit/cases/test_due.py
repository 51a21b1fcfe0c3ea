"""Which deadlines run."""

from types import SimpleNamespace
from typing import Any

from services.cases.read_models import due
from shared.timers import due_at
from tests.unit.cases.hazards import COMPLETED, DEADLINE, ORDERED, REJECTED


def set_by(event: Any) -> list[Any]:
    return list(due.project(SimpleNamespace(event=event, stream_id="hazard-1")))  # type: ignore[arg-type]


def test_work_that_is_sent_back_has_its_deadline_again() -> None:
    """It rang while the work was held for done, and changed nothing; then the clock was set back."""
    again = [due_at("hazard.overdue", "hazard-1", DEADLINE)]
    assert set_by(ORDERED) == set_by(REJECTED) == again
    assert set_by(COMPLETED) == []


def test_a_rejection_of_before_this_was_said_sets_nothing() -> None:
    assert set_by(REJECTED.model_copy(update={"deadline_at": None})) == []
