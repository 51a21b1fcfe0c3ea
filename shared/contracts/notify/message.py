"""A message: who was told what, by which way, after how many attempts, and whether they said so."""

from datetime import datetime

from shared.contracts.event import Code, Event, Id, OfficeText
from shared.contracts.parts import Value


class MessageIssued(Event):
    """Somebody must know something.

    kind: a folder of templates (assignment, live_call_out, due_soon, overdue, escalation, report_due …);
    about: the stream it is about, about_no its number in the register; channels: in_app, email, webhook.
    No text: the words are made from the template when the message is shown or sent.
    """

    type = "notify.message.issued.v1"
    kind: Code
    about: Id
    about_no: int | None = None
    recipient: Id
    post: Code
    unit: Code
    village: Code | None = None
    due_at: datetime | None = None
    ack_due_at: datetime | None = None
    step: int = 0
    escalated_from: Id | None = None
    channels: tuple[Code, ...]


class AttemptStarted(Event):
    type = "notify.message.attempt_started.v1"
    channel: Code
    attempt: int


class AttemptSucceeded(Event):
    type = "notify.message.attempt_succeeded.v1"
    channel: Code
    attempt: int


class AttemptFailed(Event):
    """`error` is a code of the transport (smtp_451, http_503, refused, timeout); next_at None: given up."""

    type = "notify.message.attempt_failed.v1"
    channel: Code
    attempt: int
    error: Code
    next_at: datetime | None = None


class ChannelUnavailable(Event):
    """It was the channel's turn, and this town has none: nobody was called, and the message stands in the inbox only.

    `attempt` counts with those that were made; `reason`: no_mail | no_webhooks.
    """

    type = "notify.message.channel_unavailable.v1"
    channel: Code
    attempt: int
    reason: Code


class DeadLettered(Event):
    type = "notify.message.dead_lettered.v1"
    channel: Code
    attempts: int


class MessageAcknowledged(Event):
    type = "notify.message.acknowledged.v1"
    by: Id


class MessageEscalated(Event):
    """Nobody acknowledged in time, or the item stayed overdue: the next in the chain is told. `to` is the new message."""

    type = "notify.message.escalated.v1"
    to: Id
    to_post: Code
    step: int
    reason: Code


class MessageCorrected(Event):
    type = "notify.message.corrected.v1"
    field: Code
    value: Value
    reason: OfficeText


class MessageEnteredInError(Event):
    type = "notify.message.entered_in_error.v1"
    reason: OfficeText


EVENTS = (
    MessageIssued,
    AttemptStarted,
    AttemptSucceeded,
    AttemptFailed,
    ChannelUnavailable,
    DeadLettered,
    MessageAcknowledged,
    MessageEscalated,
    MessageCorrected,
    MessageEnteredInError,
)
