"""What may be asked of a message, and the rules that can stand against it. The story itself is in message.py."""

from datetime import datetime

from shared.contracts.parts import Value
from shared.decider import Command
from shared.errors import Refusal


class MessageCommand(Command):
    """`message`: uuid of the message, as text."""

    message: str

    @property
    def stream_id(self) -> str:
        return f"message-{self.message}"


class IssueMessage(MessageCommand):
    """Tells `recipient`. When the kind wants an answer, by when is reckoned from the plan in force."""

    kind: str
    about: str
    about_no: int | None = None
    recipient: str
    post: str
    unit: str
    village: str | None = None
    due_at: datetime | None = None
    step: int = 0
    escalated_from: str | None = None
    channels: tuple[str, ...] = ("in_app",)


class StartAttempt(MessageCommand):
    """The sender is about to try for the `attempt`th time, counted from 1."""

    channel: str
    attempt: int


class RecordSuccess(MessageCommand):
    """The other side took it."""

    channel: str
    attempt: int


class RecordFailure(MessageCommand):
    """The other side did not take it. `again_in`: seconds until the next attempt, None when there will be none."""

    channel: str
    attempt: int
    error: str
    again_in: float | None = None


class RecordUnavailable(MessageCommand):
    """This town has no such channel, so the `attempt`th attempt is not made. `reason`: a code."""

    channel: str
    attempt: int
    reason: str


class DeadLetter(MessageCommand):
    """Given up by this channel after `attempts`."""

    channel: str
    attempts: int


class Acknowledge(MessageCommand):
    """The recipient, or somebody acting for the recipient, has read it."""


class AnswerForAll(MessageCommand):
    """A colleague who got the same call has answered it: `by`. Only the service itself says so."""

    by: str


class Escalate(MessageCommand):
    """Tell the next rung of the plan's ladder. `to`: the new message; `ready`: posts held by somebody who has not been told."""

    to: str
    ready: tuple[str, ...]
    reason: str


CORRECTABLE = {"about_no": "number", "village": "code", "unit": "code"}
"""Field -> the part of a `Value` that takes it."""


class CorrectMessage(MessageCommand):
    """A field was wrong; the first entry stays. What a deadline or the chain hangs on is not corrected: withdraw, tell anew."""

    field: str
    value: Value
    reason: str


class EnterMessageInError(MessageCommand):
    """It should never have been sent."""

    reason: str


class AcknowledgedByStranger(Refusal):
    """只有收件人本人或其代办人可以确认收到。
    Only the recipient, or somebody acting for the recipient, may acknowledge."""


class MessageWithdrawn(Refusal):
    """这条通知已作废，不能再办理。
    The message was entered in error; nothing more can be done with it."""


class FieldNotCorrectable(Refusal):
    """通知的这一项不能更正。可将原通知作废。
    This field of a message cannot be corrected. The message can be entered in error."""


class CorrectionDoesNotFit(Refusal):
    """更正的内容与这一项不符。
    The corrected value does not fit the field."""


class CorrectionNeedsReason(Refusal):
    """更正或作废必须写明理由。
    A correction, or marking a message as entered in error, needs a reason."""


class ChannelNotAsked(Refusal):
    """这条通知不走该渠道。
    The message does not go by this channel."""


class AttemptNotStarted(Refusal):
    """没有这次发送，不能记录结果。
    No such attempt was started, so it can have no outcome."""


class ChannelSettled(Refusal):
    """该渠道的发送已有结果，不再重发。
    The channel has its final outcome already."""
