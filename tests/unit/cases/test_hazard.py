"""What may happen to a hazard until the work is done, and what may not."""

from datetime import timedelta

import pytest

from services.cases import hazard_commands as ask
from services.cases.hazard import HAZARD
from shared.contracts.cases import hazard as facts
from shared.contracts.cases.hazard import Source
from shared.contracts.event import Event
from shared.decider import Actor, Command
from shared.errors import NoPlanInForce, Refusal, StreamExists
from tests.support.spec import given
from tests.unit.cases.hazards import (
    APPROVE,
    DONE,
    EXTENDED,
    LATER,
    LIST,
    LISTED,
    ORDER,
    ORDERED,
    OVER,
    OVERDUE,
    PATROL,
    REFUSE,
    REQUEST,
    REQUESTED,
    RING,
    RUNNING,
    TIP,
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
    LONGEST,
    NOON,
    OWNER,
    WATCH_UNTIL,
    at,
    behalf,
)


def test_a_hazard_is_listed_with_where_it_came_from() -> None:
    given(HAZARD).when(LIST, at(CLOCKWORK)).then(LISTED)


def test_a_hazard_is_not_listed_twice() -> None:
    given(HAZARD, LISTED).when(LIST, at(CLOCKWORK)).refused(StreamExists)


def test_nothing_is_listed_before_a_plan_is_in_force() -> None:
    given(HAZARD).when(LIST, at(CLOCKWORK, plan=None)).refused(NoPlanInForce)


def test_a_find_within_the_watch_is_linked_to_the_earlier_hazard() -> None:
    found = LIST.model_copy(update={"recurrence_of": "hazard-old", "discovered_at": WATCH_UNTIL})
    expected = LISTED.model_copy(update={"recurrence_of": "hazard-old", "discovered_at": WATCH_UNTIL})
    given(HAZARD).when(found, at(CLOCKWORK)).then(expected)


def test_a_find_after_the_watch_is_not_a_recurrence() -> None:
    late = WATCH_UNTIL + timedelta(seconds=1)
    found = LIST.model_copy(update={"recurrence_of": "hazard-old", "discovered_at": late})
    given(HAZARD).when(found, at(CLOCKWORK)).then(LISTED.model_copy(update={"discovered_at": late}))


def test_another_finding_attaches_to_the_open_hazard() -> None:
    wish = ask.AttachFinding(hazard=H, source=PATROL, live=True, summary="又见车辙")
    expected = facts.HazardFindingAttached(source=PATROL, live=True, summary="又见车辙")
    given(HAZARD, LISTED).when(wish, at(CLOCKWORK)).then(expected)


@pytest.mark.parametrize("source", [TIP, PATROL])
def test_the_same_finding_again_changes_nothing(source: Source) -> None:
    history = (LISTED, facts.HazardFindingAttached(source=PATROL, live=False))
    given(HAZARD, *history).when(ask.AttachFinding(hazard=H, source=source), at(CLOCKWORK)).changes_nothing()


def test_a_new_finding_does_not_attach_to_a_closed_hazard() -> None:
    wish = ask.AttachFinding(hazard=H, source=PATROL)
    given(HAZARD, *OVER).when(wish, at(CLOCKWORK)).refused(ask.HazardClosed)


def test_a_finding_from_before_the_close_out_that_comes_late_still_attaches() -> None:
    wish = ask.AttachFinding(hazard=H, source=PATROL, while_open=False)
    expected = facts.HazardFindingAttached(source=PATROL, live=False)
    given(HAZARD, *OVER).when(wish, at(CLOCKWORK)).then(expected)


def test_a_three_fix_has_measure_person_and_deadline() -> None:
    given(HAZARD, LISTED).when(ORDER, at(CLERK)).then(ORDERED)


@pytest.mark.parametrize(
    ("missing", "rule"),
    [
        ("measure", ask.ThreeFixNeedsMeasure),
        ("responsible", ask.ThreeFixNeedsPerson),
        ("responsible_unit", ask.ThreeFixNeedsPerson),
        ("deadline_at", ask.ThreeFixNeedsDeadline),
    ],
)
def test_a_three_fix_with_a_part_missing_is_refused_by_the_name_of_the_part(missing: str, rule: type[Refusal]) -> None:
    wish = ORDER.model_copy(update={missing: None})
    given(HAZARD, LISTED).when(wish, at(CLERK)).refused(rule)


def test_a_deadline_lies_ahead() -> None:
    given(HAZARD, LISTED).when(ORDER, at(CLERK, now=DEADLINE)).refused(ask.DeadlineInPast)


def test_a_deadline_may_be_as_far_as_the_plan_allows() -> None:
    furthest = NOON + LONGEST
    wish = ORDER.model_copy(update={"deadline_at": furthest})
    given(HAZARD, LISTED).when(wish, at(CLERK)).then(ORDERED.model_copy(update={"deadline_at": furthest}))


def test_a_deadline_beyond_what_the_plan_allows_is_refused() -> None:
    wish = ORDER.model_copy(update={"deadline_at": NOON + LONGEST + timedelta(seconds=1)})
    given(HAZARD, LISTED).when(wish, at(CLERK)).refused(ask.DeadlineTooFar)


def test_without_a_plan_no_deadline_can_be_judged() -> None:
    given(HAZARD, LISTED).when(ORDER, at(CLERK, plan=None)).refused(NoPlanInForce)


def test_the_same_three_fix_again_changes_nothing() -> None:
    given(HAZARD, *RUNNING).when(ORDER, at(CLERK)).changes_nothing()


def test_another_three_fix_cannot_move_the_deadline_without_an_extension() -> None:
    wish = ORDER.model_copy(update={"deadline_at": LATER})
    given(HAZARD, *RUNNING).when(wish, at(CLERK)).refused(ask.ThreeFixAlreadyOrdered)


def test_a_closed_hazard_gets_no_three_fix() -> None:
    given(HAZARD, *OVER).when(ORDER, at(CLERK)).refused(ask.HazardClosed)


def test_an_extension_is_requested_with_a_reason() -> None:
    given(HAZARD, *RUNNING).when(REQUEST, at(OWNER)).then(REQUESTED)


def test_an_extension_may_be_requested_after_the_deadline_has_passed() -> None:
    given(HAZARD, *RUNNING, OVERDUE).when(REQUEST, at(OWNER, now=DEADLINE + timedelta(days=1))).then(REQUESTED)


@pytest.mark.parametrize("reason", [None, "", "  "])
def test_an_extension_without_a_reason_is_refused(reason: str | None) -> None:
    wish = REQUEST.model_copy(update={"reason": reason})
    given(HAZARD, *RUNNING).when(wish, at(OWNER)).refused(ask.ReasonMissing)


def test_an_extension_must_end_later() -> None:
    wish = REQUEST.model_copy(update={"wanted_at": DEADLINE})
    given(HAZARD, *RUNNING).when(wish, at(OWNER)).refused(ask.ExtensionNotLater)


def test_an_extension_beyond_what_the_plan_allows_is_refused() -> None:
    wish = REQUEST.model_copy(update={"wanted_at": NOON + LONGEST + timedelta(days=1)})
    given(HAZARD, *RUNNING).when(wish, at(OWNER)).refused(ask.DeadlineTooFar)


def test_the_same_request_again_changes_nothing() -> None:
    given(HAZARD, *RUNNING, REQUESTED).when(REQUEST, at(OWNER)).changes_nothing()


def test_a_second_request_waits_for_the_first() -> None:
    given(HAZARD, *RUNNING, REQUESTED).when(REQUEST, at(HEAD)).refused(ask.ExtensionPending)


def test_nothing_is_extended_before_a_three_fix() -> None:
    given(HAZARD, LISTED).when(REQUEST, at(OWNER)).refused(ask.ThreeFixNotOrdered)


@pytest.mark.parametrize("actor", [DIRECTOR, DEPUTY, LEADER])
def test_a_leader_who_did_not_ask_approves_as_requested(actor: Actor) -> None:
    expected = facts.HazardExtended(approved_by=actor.person, deadline_at=LATER, reason="同意")
    wish = ask.ApproveExtension(hazard=H, reason="同意")
    given(HAZARD, *RUNNING, REQUESTED).when(wish, at(actor)).then(expected)


def test_a_leader_may_grant_less_than_was_wanted() -> None:
    less = DEADLINE + timedelta(days=1)
    expected = facts.HazardExtended(approved_by="p-director", deadline_at=less, reason="同意一天")
    wish = ask.ApproveExtension(hazard=H, deadline_at=less, reason="同意一天")
    given(HAZARD, *RUNNING, REQUESTED).when(wish, at(DIRECTOR)).then(expected)


@pytest.mark.parametrize("wish", [APPROVE, REFUSE])
class TestDecidingOnAnExtension:
    @pytest.mark.parametrize("actor", [CLERK, INSPECTOR, HEAD, OWNER])
    def test_needs_a_leader(self, wish: Command, actor: Actor) -> None:
        given(HAZARD, *RUNNING, REQUESTED).when(wish, at(actor)).refused(ask.ExtensionNeedsLeader)

    def test_needs_another_person_than_the_one_who_asked(self, wish: Command) -> None:
        asked = REQUESTED.model_copy(update={"requested_by": DIRECTOR.person})
        given(HAZARD, *RUNNING, asked).when(wish, at(DIRECTOR)).refused(ask.ExtensionBySamePerson)
        given(HAZARD, *RUNNING, asked).when(wish, at(behalf(DIRECTOR, by=DEPUTY))).refused(ask.ExtensionBySamePerson)

    def test_needs_a_request(self, wish: Command) -> None:
        given(HAZARD, *RUNNING).when(wish, at(DIRECTOR)).refused(ask.ExtensionNotRequested)

    def test_needs_a_three_fix(self, wish: Command) -> None:
        given(HAZARD, LISTED).when(wish, at(DIRECTOR)).refused(ask.ThreeFixNotOrdered)

    def test_needs_a_reason(self, wish: Command) -> None:
        silent = wish.model_copy(update={"reason": " "})
        given(HAZARD, *RUNNING, REQUESTED).when(silent, at(DIRECTOR)).refused(ask.ReasonMissing)


def test_an_approved_deadline_is_later_than_the_old_one() -> None:
    wish = ask.ApproveExtension(hazard=H, deadline_at=DEADLINE, reason="同意")
    given(HAZARD, *RUNNING, REQUESTED).when(wish, at(DIRECTOR)).refused(ask.ExtensionNotLater)


def test_an_approved_deadline_lies_ahead() -> None:
    wish = ask.ApproveExtension(hazard=H, reason="同意")
    given(HAZARD, *RUNNING, REQUESTED).when(wish, at(DIRECTOR, now=LATER)).refused(ask.DeadlineInPast)


def test_a_refused_extension_leaves_the_deadline() -> None:
    wish = ask.RefuseExtension(hazard=H, reason="理由不足")
    refused = facts.HazardExtensionRefused(refused_by="p-director", reason="理由不足")
    given(HAZARD, *RUNNING, REQUESTED).when(wish, at(DIRECTOR)).then(refused)
    ring = ask.BecomeOverdue(hazard=H, deadline_at=DEADLINE)
    given(HAZARD, *RUNNING, REQUESTED, refused).when(ring, at(CLOCKWORK, now=DEADLINE)).then(OVERDUE)


def test_a_deadline_that_passes_makes_the_hazard_overdue() -> None:
    given(HAZARD, *RUNNING).when(RING, at(CLOCKWORK, now=DEADLINE)).then(OVERDUE)


def test_a_clock_that_rings_early_is_refused() -> None:
    given(HAZARD, *RUNNING).when(RING, at(CLOCKWORK)).refused(ask.DeadlineNotPassed)


@pytest.mark.parametrize(
    "history", [(LISTED,), (*RUNNING, OVERDUE), (*RUNNING, REQUESTED, EXTENDED), DONE, OVER], ids=range(5)
)
def test_a_clock_that_rings_for_what_is_past_changes_nothing(history: tuple[Event, ...]) -> None:
    given(HAZARD, *history).when(RING, at(CLOCKWORK, now=DEADLINE)).changes_nothing()


def test_an_extension_after_the_deadline_ends_being_overdue_until_the_new_one_passes() -> None:
    ring = ask.BecomeOverdue(hazard=H, deadline_at=LATER)
    expected = OVERDUE.model_copy(update={"deadline_at": LATER})
    given(HAZARD, *RUNNING, OVERDUE, REQUESTED, EXTENDED).when(ring, at(CLOCKWORK, now=LATER)).then(expected)
