"""The message: issued, tried, acknowledged, passed up, corrected, withdrawn; and every refusal."""

from datetime import timedelta

import pytest

from services.notify.message import MESSAGE
from services.notify.message_commands import (
    Acknowledge,
    AcknowledgedByStranger,
    AnswerForAll,
    AttemptNotStarted,
    ChannelNotAsked,
    ChannelSettled,
    CorrectionDoesNotFit,
    CorrectionNeedsReason,
    CorrectMessage,
    DeadLetter,
    EnterMessageInError,
    Escalate,
    FieldNotCorrectable,
    MessageCommand,
    MessageWithdrawn,
    RecordFailure,
    RecordSuccess,
    RecordUnavailable,
    StartAttempt,
)
from shared.contracts.notify.message import (
    AttemptFailed,
    AttemptStarted,
    AttemptSucceeded,
    ChannelUnavailable,
    DeadLettered,
    MessageAcknowledged,
    MessageCorrected,
    MessageEnteredInError,
    MessageEscalated,
)
from shared.contracts.parts import Value
from shared.decider import Actor
from shared.errors import NoPlanInForce, Refusal, StreamExists, StreamNotFound, own_words
from tests.support.spec import given
from tests.unit.notify.people import CLERK, CLERK_FOR_HEAD, HEAD, ID, NOW, SYSTEM, at, issue, issued

STARTED = AttemptStarted(channel="email", attempt=1)
FAILED = AttemptFailed(channel="email", attempt=1, error="smtp_451", next_at=NOW)
WITHDRAWN = MessageEnteredInError(reason="发错")
ACKNOWLEDGED = MessageAcknowledged(by=HEAD.person)
LIVE = issued(kind="live_call_out", due_at=None, post="duty_officer", ack_due_at=NOW + timedelta(minutes=10))

ANY = (
    StartAttempt(message=ID, channel="email", attempt=1),
    RecordUnavailable(message=ID, channel="email", attempt=1, reason="no_mail"),
    RecordSuccess(message=ID, channel="email", attempt=1),
    RecordFailure(message=ID, channel="email", attempt=1, error="timeout"),
    DeadLetter(message=ID, channel="email", attempts=1),
    Acknowledge(message=ID),
    AnswerForAll(message=ID, by="p-duty_officer-2"),
    Escalate(message=ID, to="m-2", ready=("inspector",), reason="not_acknowledged"),
    CorrectMessage(message=ID, field="unit", value=Value(code="dulan"), reason="录错"),
    EnterMessageInError(message=ID, reason="发错"),
)


def test_a_message_says_by_when_an_answer_is_due() -> None:
    given(MESSAGE).when(issue(), at()).then(issued())


def test_a_message_is_issued_once() -> None:
    given(MESSAGE, issued()).when(issue(), at()).refused(StreamExists)


def test_without_a_plan_nothing_that_wants_an_answer_is_issued() -> None:
    given(MESSAGE).when(issue(), at(adopted=False)).refused(NoPlanInForce)


@pytest.mark.parametrize("command", ANY, ids=lambda c: type(c).__name__)
def test_nothing_can_be_done_with_a_message_that_was_never_issued(command: MessageCommand) -> None:
    given(MESSAGE).when(command, at()).refused(StreamNotFound)


@pytest.mark.parametrize(
    "command",
    [c for c in ANY if not isinstance(c, RecordSuccess | RecordFailure | DeadLetter | EnterMessageInError)],
    ids=lambda c: type(c).__name__,
)
def test_nothing_more_happens_to_a_withdrawn_message(command: MessageCommand) -> None:
    given(MESSAGE, issued(), WITHDRAWN).when(command, at(HEAD)).refused(MessageWithdrawn)


# --- attempts


def test_an_attempt_is_a_fact_before_the_call() -> None:
    given(MESSAGE, issued()).when(StartAttempt(message=ID, channel="email", attempt=1), at()).then(STARTED)


def test_an_attempt_begins_once() -> None:
    again = StartAttempt(message=ID, channel="email", attempt=1)
    given(MESSAGE, issued(), STARTED).when(again, at()).changes_nothing()


def test_a_message_goes_by_no_channel_that_was_not_asked_for() -> None:
    given(MESSAGE, issued()).when(StartAttempt(message=ID, channel="webhook", attempt=1), at()).refused(ChannelNotAsked)


def test_success_ends_the_way() -> None:
    took = AttemptSucceeded(channel="email", attempt=1)
    given(MESSAGE, issued(), STARTED).when(RecordSuccess(message=ID, channel="email", attempt=1), at()).then(took)
    for more in (
        StartAttempt(message=ID, channel="email", attempt=2),
        RecordSuccess(message=ID, channel="email", attempt=1),
    ):
        given(MESSAGE, issued(), STARTED, took).when(more, at()).refused(ChannelSettled)


@pytest.mark.parametrize("attempt", [0, 2])
def test_an_attempt_that_was_not_started_has_no_outcome(attempt: int) -> None:
    for outcome in (
        RecordSuccess(message=ID, channel="email", attempt=attempt),
        RecordFailure(message=ID, channel="email", attempt=attempt, error="timeout"),
    ):
        given(MESSAGE, issued(), STARTED).when(outcome, at()).refused(AttemptNotStarted)


def test_a_failure_says_when_it_is_tried_again() -> None:
    failed = RecordFailure(message=ID, channel="email", attempt=1, error="smtp_451", again_in=30)
    again_at = AttemptFailed(channel="email", attempt=1, error="smtp_451", next_at=NOW + timedelta(seconds=30))
    given(MESSAGE, issued(), STARTED).when(failed, at()).then(again_at)


def test_a_last_failure_says_that_there_is_no_other_attempt() -> None:
    failed = RecordFailure(message=ID, channel="email", attempt=1, error="smtp_550")
    gone = AttemptFailed(channel="email", attempt=1, error="smtp_550")
    given(MESSAGE, issued(), STARTED).when(failed, at()).then(gone)
    given(MESSAGE, issued(), STARTED, gone).when(failed, at()).changes_nothing()


def test_a_dead_letter_may_be_tried_again_when_a_person_says_so() -> None:
    dead = DeadLettered(channel="email", attempts=1)
    given(MESSAGE, issued(), STARTED, FAILED).when(DeadLetter(message=ID, channel="email", attempts=1), at()).then(dead)
    again = StartAttempt(message=ID, channel="email", attempt=2)
    second = AttemptStarted(channel="email", attempt=2)
    given(MESSAGE, issued(), STARTED, FAILED, dead).when(again, at()).then(second)


def test_a_channel_the_town_lacks_is_a_fact_and_no_attempt() -> None:
    lacking = RecordUnavailable(message=ID, channel="email", attempt=1, reason="no_mail")
    fact = ChannelUnavailable(channel="email", attempt=1, reason="no_mail")
    given(MESSAGE, issued()).when(lacking, at()).then(fact)
    given(MESSAGE, issued(), fact).when(lacking, at()).changes_nothing()
    sent = RecordSuccess(message=ID, channel="email", attempt=1)
    given(MESSAGE, issued(), fact).when(sent, at()).refused(AttemptNotStarted)


def test_once_the_town_has_the_channel_a_person_may_have_it_tried() -> None:
    lacked = ChannelUnavailable(channel="email", attempt=1, reason="no_mail")
    second = AttemptStarted(channel="email", attempt=2)
    given(MESSAGE, issued(), lacked).when(StartAttempt(message=ID, channel="email", attempt=2), at()).then(second)
    still = ChannelUnavailable(channel="email", attempt=2, reason="no_mail")
    again = RecordUnavailable(message=ID, channel="email", attempt=2, reason="no_mail")
    given(MESSAGE, issued(), lacked).when(again, at()).then(still)


def test_what_came_of_a_call_is_recorded_though_the_message_was_withdrawn_during_it() -> None:
    took = AttemptSucceeded(channel="email", attempt=1)
    outcome = RecordSuccess(message=ID, channel="email", attempt=1)
    given(MESSAGE, issued(), STARTED, WITHDRAWN).when(outcome, at()).then(took)


# --- acknowledgement


def test_the_recipient_acknowledges_once() -> None:
    given(MESSAGE, issued()).when(Acknowledge(message=ID), at(HEAD)).then(ACKNOWLEDGED)
    given(MESSAGE, issued(), ACKNOWLEDGED).when(Acknowledge(message=ID), at(HEAD)).changes_nothing()


def test_somebody_acts_for_the_recipient() -> None:
    given(MESSAGE, issued()).when(Acknowledge(message=ID), at(CLERK_FOR_HEAD)).then(
        MessageAcknowledged(by=CLERK.person)
    )


def test_nobody_else_acknowledges() -> None:
    given(MESSAGE, issued()).when(Acknowledge(message=ID), at(CLERK)).refused(AcknowledgedByStranger)


def test_one_answer_to_a_live_call_counts_for_all_and_only_the_service_says_so() -> None:
    theirs = AnswerForAll(message=ID, by="p-duty_officer-2")
    given(MESSAGE, LIVE).when(theirs, at(SYSTEM)).then(MessageAcknowledged(by="p-duty_officer-2"))
    given(MESSAGE, LIVE, ACKNOWLEDGED).when(theirs, at(SYSTEM)).changes_nothing()
    given(MESSAGE, LIVE).when(theirs, at(HEAD)).refused(AcknowledgedByStranger)


# --- the ladder


def up(*ready: str) -> Escalate:
    return Escalate(message=ID, to="m-2", ready=ready, reason="still_overdue")


def told(post: str, step: int) -> MessageEscalated:
    return MessageEscalated(to="m-2", to_post=post, step=step, reason="still_overdue")


def test_the_nearest_rung_that_somebody_holds_is_told() -> None:
    first = issued(kind="overdue")
    given(MESSAGE, first).when(up("group_leader", "inspector"), at()).then(told("inspector", 1))


def test_a_live_call_never_goes_to_the_village() -> None:
    given(MESSAGE, LIVE).when(up("village_head", "office_director"), at()).then(told("office_director", 1))


def test_the_climb_goes_on_above_the_rung_that_was_told() -> None:
    third = issued(kind="escalation", step=2, post="inspector")
    given(MESSAGE, third).when(up("village_head", "inspector", "deputy_leader"), at()).then(told("deputy_leader", 3))


def test_at_the_top_nobody_more_is_told() -> None:
    top = issued(kind="escalation", step=5, post="group_leader")
    given(MESSAGE, top).when(up("village_head", "inspector"), at()).changes_nothing()


def test_a_message_is_passed_up_once() -> None:
    given(MESSAGE, issued(), told("inspector", 1)).when(up("inspector"), at()).changes_nothing()


def test_without_a_plan_there_is_no_ladder() -> None:
    given(MESSAGE, issued()).when(up("inspector"), at(adopted=False)).refused(NoPlanInForce)


# --- mistakes


def test_a_field_is_corrected_with_a_reason() -> None:
    value = Value(number=15)
    wish = CorrectMessage(message=ID, field="about_no", value=value, reason="编号录错")
    fact = MessageCorrected(field="about_no", value=value, reason="编号录错")
    given(MESSAGE, issued()).when(wish, at(CLERK)).then(fact)


def correct(field: str, value: Value, reason: str = "录错") -> CorrectMessage:
    return CorrectMessage(message=ID, field=field, value=value, reason=reason)


def test_what_the_chain_hangs_on_is_not_corrected() -> None:
    for field in ("due_at", "post", "recipient", "kind"):
        given(MESSAGE, issued()).when(correct(field, Value(code="x")), at(CLERK)).refused(FieldNotCorrectable)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("about_no", Value(code="fifteen")),
        ("unit", Value(number=1)),
        ("unit", Value(code="no_such_unit")),
        ("village", Value(code="dulan")),
        ("village", Value()),
    ],
)
def test_the_value_fits_the_field_and_the_plan(field: str, value: Value) -> None:
    given(MESSAGE, issued()).when(correct(field, value), at(CLERK)).refused(CorrectionDoesNotFit)


def test_a_correction_or_a_withdrawal_needs_a_reason() -> None:
    for wish in (correct("about_no", Value(number=15), " "), EnterMessageInError(message=ID, reason="")):
        given(MESSAGE, issued()).when(wish, at(CLERK)).refused(CorrectionNeedsReason)


def test_a_message_is_withdrawn_once() -> None:
    wish = EnterMessageInError(message=ID, reason="发错")
    given(MESSAGE, issued()).when(wish, at(CLERK)).then(WITHDRAWN)
    given(MESSAGE, issued(), WITHDRAWN).when(wish, at(CLERK)).changes_nothing()


def test_every_refusal_of_a_message_speaks_two_languages() -> None:
    from services.notify import audience, message_commands

    known = [r for module in (message_commands, audience) for r in vars(module).values() if isinstance(r, type)]
    for rule in (r() for r in known if r.__module__.startswith("services.notify") and hasattr(r, "rule")):
        words = own_words(type(rule))
        assert words is not None and words != own_words(Refusal) and not words[0].isascii() and words[1].isascii()


def test_a_stranger_is_somebody_who_neither_is_nor_acts_for_the_recipient() -> None:
    other = Actor("p-clerk-1", "clerk", "campaign_office", None, "p-village_head-taipan", "no_phone")
    given(MESSAGE, issued()).when(Acknowledge(message=ID), at(other)).refused(AcknowledgedByStranger)
