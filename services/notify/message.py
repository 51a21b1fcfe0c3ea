"""A message: somebody must know something. Issued, tried by each channel, acknowledged, or passed up the chain.

The words are not here: a message says its kind, what it is about and by when, and the templates make the text from that.
What may be asked of it, and every refusal, is in message_commands.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, assert_never

from services.notify.message_commands import (
    CORRECTABLE,
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
    IssueMessage,
    MessageWithdrawn,
    RecordFailure,
    RecordSuccess,
    RecordUnavailable,
    StartAttempt,
)
from services.notify.rules import answer_by, rungs_above
from shared.contracts.notify import message as facts
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
    MessageIssued,
)
from shared.decider import Decider
from shared.errors import NoPlanInForce, StreamExists, StreamNotFound
from shared.plan.terms import Terms


@dataclass(frozen=True)
class Way:
    """How one channel stands: the last attempt that was started, that failed, that was not made for want of the channel;
    and whether the way is finished."""

    started: int = 0
    lacked: int = 0
    failed: int = 0
    settled: bool = False


@dataclass(frozen=True)
class Message:
    """What the next decision needs to know."""

    issued: bool = False
    kind: str = ""
    recipient: str = ""
    post: str = ""
    step: int = 0
    ways: Mapping[str, Way] = field(default_factory=dict)
    acknowledged: bool = False
    escalated_to: str | None = None
    withdrawn: bool = False


MessageFact = (
    MessageIssued
    | AttemptStarted
    | AttemptSucceeded
    | AttemptFailed
    | ChannelUnavailable
    | DeadLettered
    | MessageAcknowledged
    | MessageEscalated
    | MessageCorrected
    | MessageEnteredInError
)
Outcome = RecordSuccess | RecordFailure | DeadLetter
Wish = (
    IssueMessage
    | StartAttempt
    | RecordUnavailable
    | Outcome
    | Acknowledge
    | AnswerForAll
    | Escalate
    | CorrectMessage
    | EnterMessageInError
)


def decide(command: Wish, state: Message, terms: Terms) -> list[MessageFact]:
    """Raises the refusals of message_commands.py, StreamExists, StreamNotFound and NoPlanInForce."""
    if isinstance(command, IssueMessage):
        return _issue(command, state, terms)
    if not state.issued:
        raise StreamNotFound(stream=command.stream_id)
    if isinstance(command, EnterMessageInError | CorrectMessage) and not command.reason.strip():
        raise CorrectionNeedsReason()
    if isinstance(command, EnterMessageInError):
        return [] if state.withdrawn else [MessageEnteredInError(reason=command.reason)]
    # What came of a call that had begun is recorded, whatever has become of the message since.
    if state.withdrawn and not isinstance(command, RecordSuccess | RecordFailure | DeadLetter):
        raise MessageWithdrawn(message=command.message)
    match command:
        case RecordSuccess() | RecordFailure() | DeadLetter():
            return _outcome(command, state, terms)
        case StartAttempt(channel=channel, attempt=attempt):
            way = _open_way(state, channel)
            return [] if attempt <= way.started else [AttemptStarted(channel=channel, attempt=attempt)]
        case RecordUnavailable(channel=channel, attempt=attempt, reason=reason):
            way = _open_way(state, channel)
            lacking = ChannelUnavailable(channel=channel, attempt=attempt, reason=reason)
            return [] if attempt <= max(way.started, way.lacked) else [lacking]
        case Acknowledge():
            actor = terms.actor
            if state.recipient not in (actor.person, actor.on_behalf_of):
                raise AcknowledgedByStranger(message=command.message)
            return [] if state.acknowledged else [MessageAcknowledged(by=actor.person)]
        case AnswerForAll(by=by):
            if terms.actor.post != "system":
                raise AcknowledgedByStranger(message=command.message)
            return [] if state.acknowledged else [MessageAcknowledged(by=by)]
        case Escalate():
            return _escalate(command, state, terms)
        case CorrectMessage():
            return _correct(command, terms)
        case _:
            assert_never(command)


def _issue(c: IssueMessage, state: Message, terms: Terms) -> list[MessageFact]:
    if state.issued:
        raise StreamExists(stream=c.stream_id)
    return [
        MessageIssued(
            kind=c.kind,
            about=c.about,
            about_no=c.about_no,
            recipient=c.recipient,
            post=c.post,
            unit=c.unit,
            village=c.village,
            due_at=c.due_at,
            ack_due_at=answer_by(c.kind, c.due_at, terms),
            step=c.step,
            escalated_from=c.escalated_from,
            channels=c.channels,
        )
    ]


def _escalate(c: Escalate, state: Message, terms: Terms) -> list[MessageFact]:
    if state.escalated_to:
        return []
    if terms.plan is None:
        raise NoPlanInForce()
    rungs = rungs_above(terms.plan.ladder, state.post, state.step, live=state.kind == "live_call_out")
    post = next((rung for rung in rungs if rung in c.ready), None)
    return [MessageEscalated(to=c.to, to_post=post, step=state.step + 1, reason=c.reason)] if post else []


def _correct(c: CorrectMessage, terms: Terms) -> list[MessageFact]:
    takes = CORRECTABLE.get(c.field)
    if takes is None:
        raise FieldNotCorrectable(field=c.field, allowed=",".join(sorted(CORRECTABLE)))
    unknown = c.value.code is not None and terms.plan is not None and not terms.plan.knows(c.field, c.value.code)
    if unknown or set(c.value.model_dump(exclude_none=True)) != {takes}:
        raise CorrectionDoesNotFit(field=c.field, takes=takes)
    return [MessageCorrected(field=c.field, value=c.value, reason=c.reason)]


def _open_way(state: Message, channel: str) -> Way:
    way = state.ways.get(channel)
    if way is None:
        raise ChannelNotAsked(channel=channel)
    if way.settled:
        raise ChannelSettled(channel=channel)
    return way


def _outcome(command: Outcome, state: Message, terms: Terms) -> list[MessageFact]:
    way = _open_way(state, command.channel)
    match command:
        case RecordSuccess(channel=channel, attempt=attempt):
            _started(way, attempt)
            return [AttemptSucceeded(channel=channel, attempt=attempt)]
        case RecordFailure(channel=channel, attempt=attempt, error=error, again_in=seconds):
            _started(way, attempt)
            if attempt <= way.failed:
                return []
            next_at = terms.now + timedelta(seconds=seconds) if seconds is not None else None
            return [AttemptFailed(channel=channel, attempt=attempt, error=error, next_at=next_at)]
        case DeadLetter(channel=channel, attempts=attempts):
            return [DeadLettered(channel=channel, attempts=attempts)]
        case _:
            assert_never(command)


def _started(way: Way, attempt: int) -> None:
    if not 1 <= attempt <= way.started:
        raise AttemptNotStarted(attempt=attempt, started=way.started)


def evolve(state: Message, event: MessageFact) -> Message:
    match event:
        case MessageIssued(kind=kind, recipient=recipient, post=post, step=step, channels=channels):
            ways = {channel: Way() for channel in channels}
            return Message(issued=True, kind=kind, recipient=recipient, post=post, step=step, ways=ways)
        case AttemptStarted(channel=channel, attempt=attempt):
            return _way(state, channel, started=attempt)
        case AttemptSucceeded(channel=channel):
            return _way(state, channel, settled=True)
        case AttemptFailed(channel=channel, attempt=attempt):
            return _way(state, channel, failed=attempt)
        case ChannelUnavailable(channel=channel, attempt=attempt):  # once there is one, a person may have it tried
            return _way(state, channel, lacked=attempt)
        case MessageAcknowledged():
            return replace(state, acknowledged=True)
        case MessageEscalated(to=to):
            return replace(state, escalated_to=to)
        case MessageEnteredInError():
            return replace(state, withdrawn=True)
        case DeadLettered() | MessageCorrected():  # a dead letter may be tried again when a person says so
            return state
        case _:
            assert_never(event)


def _way(state: Message, channel: str, **changes: Any) -> Message:
    return replace(state, ways={**state.ways, channel: replace(state.ways.get(channel, Way()), **changes)})


MESSAGE: Decider[Message] = Decider(
    category="message",
    initial=Message,
    decide=decide,
    evolve=evolve,
    commands=(
        IssueMessage,
        StartAttempt,
        RecordUnavailable,
        RecordSuccess,
        RecordFailure,
        DeadLetter,
        Acknowledge,
        AnswerForAll,
        Escalate,
        CorrectMessage,
        EnterMessageInError,
    ),
    events=facts.EVENTS,
)
