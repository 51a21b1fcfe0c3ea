"""What may happen to a hazard from completion on, and how its record is mended."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.cases import hazard_commands as ask
from services.cases.hazard import HAZARD
from services.cases.rules import NotInPlan
from shared.contracts.cases import hazard as facts
from shared.contracts.event import Event
from shared.contracts.parts import Value
from shared.decider import Actor, Command
from shared.errors import StreamNotFound
from tests.support.spec import given
from tests.unit.cases.hazards import (
    ACCEPT,
    ACCEPTED,
    APPROVE,
    CLOSED,
    COMPLETE,
    COMPLETED,
    CORRECT,
    DONE,
    IN_ERROR,
    LATER,
    LIST,
    LISTED,
    MARK,
    NAME,
    ORDER,
    ORDERED,
    OVER,
    OVERDUE,
    PATROL,
    RECUR,
    RECURRED,
    REFUSE,
    REJECT,
    REJECTED,
    REQUEST,
    REQUESTED,
    RING,
    RUNNING,
    H,
)
from tests.unit.cases.people import (
    CLERK,
    CLOCKWORK,
    DEADLINE,
    DEPUTY,
    DIRECTOR,
    HEAD,
    INSPECTOR,
    LEADER,
    OTHER_HEAD,
    OTHER_VILLAGE,
    OWNER,
    VILLAGE,
    WATCH_UNTIL,
    at,
    behalf,
)


@pytest.mark.parametrize("actor", [OWNER, behalf(OWNER)])
def test_the_responsible_person_reports_completion_or_somebody_for_them(actor: Actor) -> None:
    given(HAZARD, *RUNNING).when(COMPLETE, at(actor)).then(COMPLETED)


def test_the_head_of_the_village_may_report_completion() -> None:
    given(HAZARD, *RUNNING).when(COMPLETE, at(HEAD)).then(COMPLETED.model_copy(update={"completed_by": "p-head"}))


@pytest.mark.parametrize("actor", [OTHER_HEAD, CLERK, INSPECTOR, behalf(OTHER_HEAD)])
def test_nobody_else_reports_completion(actor: Actor) -> None:
    given(HAZARD, *RUNNING).when(COMPLETE, at(actor)).refused(ask.CompletionByOtherPerson)


def test_somebody_may_report_completion_for_the_head_of_the_village() -> None:
    wish = COMPLETE.model_copy(update={"head_of": VILLAGE})
    expected = COMPLETED.model_copy(update={"completed_by": "p-head"})
    given(HAZARD, *RUNNING).when(wish, at(behalf(HEAD))).then(expected)
    for_another = COMPLETE.model_copy(update={"head_of": OTHER_VILLAGE})
    given(HAZARD, *RUNNING).when(for_another, at(behalf(OTHER_HEAD))).refused(ask.CompletionByOtherPerson)


@pytest.mark.parametrize("actor", [OTHER_HEAD, CLERK, INSPECTOR, DIRECTOR, behalf(OTHER_HEAD)])
def test_nobody_else_asks_for_an_extension(actor: Actor) -> None:
    given(HAZARD, *RUNNING).when(REQUEST, at(actor)).refused(ask.ExtensionByOtherPerson)


def test_an_extension_is_asked_for_on_behalf_of_the_head_of_the_village() -> None:
    wish = REQUEST.model_copy(update={"head_of": VILLAGE})
    expected = REQUESTED.model_copy(update={"requested_by": "p-head"})
    given(HAZARD, *RUNNING).when(wish, at(behalf(HEAD))).then(expected)


@pytest.mark.parametrize("wrong", [{"measure": "prayer"}, {"responsible_unit": "moon_office"}])
def test_the_three_fix_names_what_the_plan_knows(wrong: dict[str, str]) -> None:
    given(HAZARD, LISTED).when(ORDER.model_copy(update=wrong), at(INSPECTOR)).refused(NotInPlan)


@pytest.mark.parametrize("field", ["category", "village", "violation", "mineral", "modus", "pretext"])
def test_a_code_is_corrected_to_one_that_the_plan_knows(field: str) -> None:
    wish = CORRECT.model_copy(update={"field": field, "value": Value(code="nonsense")})
    given(HAZARD, LISTED).when(wish, at(CLERK)).refused(NotInPlan)


def test_completion_says_what_was_done() -> None:
    given(HAZARD, *RUNNING).when(ask.Complete(hazard=H), at(OWNER)).refused(ask.ReportMissing)


def test_nothing_is_completed_before_a_three_fix() -> None:
    given(HAZARD, LISTED).when(COMPLETE, at(OWNER)).refused(ask.ThreeFixNotOrdered)


def test_completion_is_reported_once() -> None:
    given(HAZARD, *DONE).when(COMPLETE, at(OWNER)).refused(ask.AlreadyCompleted)


def test_a_closed_hazard_is_not_completed_again() -> None:
    given(HAZARD, *OVER).when(COMPLETE, at(OWNER)).refused(ask.HazardClosed)


def test_work_done_after_the_deadline_is_overdue_though_the_clock_has_not_rung() -> None:
    given(HAZARD, *RUNNING).when(COMPLETE, at(OWNER, now=DEADLINE + timedelta(minutes=1))).then(OVERDUE, COMPLETED)


def test_work_done_in_time_and_recorded_later_is_not_overdue() -> None:
    wish = COMPLETE.model_copy(update={"occurred_at": DEADLINE - timedelta(hours=1)})
    given(HAZARD, *RUNNING).when(wish, at(OWNER, now=DEADLINE + timedelta(days=1))).then(COMPLETED)


@pytest.mark.parametrize("actor", [INSPECTOR, DIRECTOR, DEPUTY, LEADER])
def test_acceptance_by_somebody_else_closes_the_hazard(actor: Actor) -> None:
    accepted = ACCEPTED.model_copy(update={"accepted_by": actor.person})
    given(HAZARD, *DONE).when(ACCEPT, at(actor)).then(accepted, CLOSED)


@pytest.mark.parametrize("wish", [ACCEPT, REJECT])
class TestLookingAtTheWork:
    @pytest.mark.parametrize("actor", [CLERK, HEAD, OWNER])
    def test_needs_an_inspector_or_the_office(self, wish: Command, actor: Actor) -> None:
        given(HAZARD, *DONE).when(wish, at(actor)).refused(ask.AcceptanceNeedsInspector)

    def test_needs_another_person_than_the_one_who_completed(self, wish: Command) -> None:
        by_inspector = COMPLETED.model_copy(update={"completed_by": INSPECTOR.person})
        given(HAZARD, *RUNNING, by_inspector).when(wish, at(INSPECTOR)).refused(ask.AcceptanceBySamePerson)

    def test_needs_another_person_than_the_one_responsible(self, wish: Command) -> None:
        by_head = COMPLETED.model_copy(update={"completed_by": HEAD.person})
        owner_as_inspector = Actor(OWNER.person, "inspector", "safety_office")
        given(HAZARD, *RUNNING, by_head).when(wish, at(owner_as_inspector)).refused(ask.AcceptanceBySamePerson)

    def test_is_not_done_on_behalf_of_the_one_who_completed(self, wish: Command) -> None:
        actor = behalf(OWNER, by=INSPECTOR)
        given(HAZARD, *DONE).when(wish, at(actor)).refused(ask.AcceptanceBySamePerson)

    def test_is_not_opened_by_correcting_who_was_responsible(self, wish: Command) -> None:
        ordered = ORDERED.model_copy(update={"responsible": INSPECTOR.person})
        swapped = facts.HazardCorrected(field="responsible", value=Value(ref=OWNER.person), reason="写错人")
        history = (LISTED, ordered, swapped, COMPLETED)
        given(HAZARD, *history).when(wish, at(INSPECTOR)).refused(ask.AcceptanceBySamePerson)

    @pytest.mark.parametrize("history", [(LISTED,), RUNNING])
    def test_needs_reported_completion(self, wish: Command, history: tuple[Event, ...]) -> None:
        given(HAZARD, *history).when(wish, at(INSPECTOR)).refused(ask.NotCompleted)

    def test_ends_with_the_close_out(self, wish: Command) -> None:
        given(HAZARD, *OVER).when(wish, at(DIRECTOR)).refused(ask.HazardClosed)


def test_the_same_acceptance_again_changes_nothing() -> None:
    given(HAZARD, *OVER).when(ACCEPT, at(INSPECTOR)).changes_nothing()


def test_rejected_work_goes_on_under_the_same_three_fix() -> None:
    given(HAZARD, *DONE).when(REJECT, at(INSPECTOR)).then(REJECTED)
    given(HAZARD, *DONE, REJECTED).when(COMPLETE, at(OWNER)).then(COMPLETED)


def test_work_rejected_after_the_deadline_is_overdue_at_once() -> None:
    given(HAZARD, *DONE).when(REJECT, at(INSPECTOR, now=LATER)).then(REJECTED, OVERDUE)


def test_a_rejection_needs_a_reason() -> None:
    given(HAZARD, *DONE).when(ask.Reject(hazard=H), at(INSPECTOR)).refused(ask.ReasonMissing)


def test_a_closed_hazard_points_to_the_one_it_came_back_as() -> None:
    given(HAZARD, *OVER).when(RECUR, at(CLOCKWORK)).then(RECURRED)
    given(HAZARD, *OVER, RECURRED).when(RECUR, at(CLOCKWORK)).changes_nothing()


def test_after_the_watch_a_closed_hazard_does_not_recur() -> None:
    late = RECUR.model_copy(update={"discovered_at": WATCH_UNTIL + timedelta(seconds=1)})
    given(HAZARD, *OVER).when(late, at(CLOCKWORK)).changes_nothing()


def test_a_hazard_recurs_as_one_other() -> None:
    another = RECUR.model_copy(update={"recurred_as": "hazard-third"})
    given(HAZARD, *OVER, RECURRED).when(another, at(CLOCKWORK)).refused(ask.AlreadyRecurred)


def test_an_open_hazard_does_not_recur() -> None:
    given(HAZARD, *DONE).when(RECUR, at(CLOCKWORK)).refused(ask.NotClosedOut)


def test_a_correction_names_field_value_and_reason() -> None:
    expected = facts.HazardCorrected(field="category", value=Value(code="abandoned_shaft"), reason="看错类别")
    given(HAZARD, LISTED).when(CORRECT, at(CLERK)).then(expected)


@pytest.mark.parametrize("field", ["hazard_no", "deadline_at", "live", "source", "nonsense"])
def test_some_fields_are_never_corrected(field: str) -> None:
    wish = CORRECT.model_copy(update={"field": field})
    given(HAZARD, LISTED).when(wish, at(CLERK)).refused(ask.FieldNotCorrectable)


@pytest.mark.parametrize("value", [Value(), Value(text="x"), Value(code="brick_plant", number=1)])
def test_a_correction_is_of_the_fields_own_kind(value: Value) -> None:
    given(HAZARD, LISTED).when(CORRECT.model_copy(update={"value": value}), at(CLERK)).refused(ask.ValueDoesNotFit)


def test_a_correction_needs_a_reason() -> None:
    given(HAZARD, LISTED).when(CORRECT.model_copy(update={"reason": None}), at(CLERK)).refused(ask.ReasonMissing)


def test_the_three_fix_is_corrected_only_when_there_is_one() -> None:
    wish = ask.Correct(hazard=H, field="measure", value=Value(code="guard"), reason="写错")
    given(HAZARD, LISTED).when(wish, at(CLERK)).refused(ask.ThreeFixNotOrdered)


@pytest.mark.parametrize(
    ("field", "value", "changed"),
    [
        ("responsible", Value(ref="p-new"), {"responsible": "p-new"}),
        ("responsible_unit", Value(code="safety_office"), {"responsible_unit": "safety_office"}),
        ("village", Value(code="140181101208"), {"village": "140181101208"}),
    ],
)
def test_what_is_corrected_holds_from_then_on(field: str, value: Value, changed: dict[str, Any]) -> None:
    fixed = facts.HazardCorrected(field=field, value=value, reason="写错")
    expected = OVERDUE.model_copy(update=changed)
    given(HAZARD, *RUNNING, fixed).when(RING, at(CLOCKWORK, now=DEADLINE)).then(expected)


def test_a_corrected_measure_is_the_one_in_force() -> None:
    fixed = facts.HazardCorrected(field="measure", value=Value(code="guard"), reason="写错")
    again = ORDER.model_copy(update={"measure": "guard"})
    given(HAZARD, *RUNNING, fixed).when(again, at(CLERK)).changes_nothing()


@pytest.mark.parametrize("history", [(LISTED,), RUNNING, DONE, OVER], ids=range(4))
def test_the_office_marks_a_record_as_entered_in_error(history: tuple[Event, ...]) -> None:
    given(HAZARD, *history).when(MARK, at(CLERK)).then(IN_ERROR)
    given(HAZARD, *history, IN_ERROR).when(MARK, at(DIRECTOR)).changes_nothing()


def test_nobody_but_the_office_marks_an_error() -> None:
    given(HAZARD, LISTED).when(MARK, at(INSPECTOR)).refused(ask.ErrorMarkNeedsOffice)


def test_an_error_mark_needs_a_reason() -> None:
    given(HAZARD, LISTED).when(ask.EnterInError(hazard=H), at(CLERK)).refused(ask.ReasonMissing)


ALL_OTHERS: list[Command] = [
    ask.AttachFinding(hazard=H, source=PATROL),
    NAME,
    ORDER,
    REQUEST,
    APPROVE,
    REFUSE,
    RING,
    COMPLETE,
    ACCEPT,
    REJECT,
    RECUR,
    CORRECT,
]


@pytest.mark.parametrize("wish", ALL_OTHERS, ids=lambda wish: type(wish).__name__)
def test_nothing_is_done_to_a_record_entered_in_error(wish: Command) -> None:
    given(HAZARD, *RUNNING, IN_ERROR).when(wish, at(DIRECTOR, now=DEADLINE)).refused(ask.MarkedAsError)


@pytest.mark.parametrize("wish", [*ALL_OTHERS, MARK], ids=lambda wish: type(wish).__name__)
def test_nothing_is_done_to_a_hazard_that_was_never_listed(wish: Command) -> None:
    given(HAZARD).when(wish, at(CLERK)).refused(StreamNotFound)


def test_every_command_is_tried_here() -> None:
    assert {type(wish) for wish in [*ALL_OTHERS, MARK, LIST]} == set(ask.COMMANDS)


def test_a_deadline_without_an_offset_is_not_taken() -> None:
    with pytest.raises(ValueError, match="timezone"):
        ask.OrderThreeFix(hazard=H, deadline_at=datetime(2018, 2, 18))
    assert ask.OrderThreeFix(hazard=H, deadline_at=datetime(2018, 2, 18, tzinfo=UTC)).deadline_at
